#pragma once

#include "core/cluster/probes.h"
#include "replicatord/mirror.h"

namespace ha::replicatord {

/// The primary's end of an established stream.
class Mirror::PrimaryEnd final : public StreamEnd {
  public:
    explicit PrimaryEnd(Mirror& mirror) : mirror_(mirror) {}
    std::vector<replication::SharedFrame> to_send() override;
    Result<> received(const replication::Frame& frame) override;
    [[nodiscard]] Duration silence() const override;
    void end() noexcept override;

  private:
    Result<> acknowledged(const replication::Ack& ack);

    Mirror& mirror_;
    bool ended_ = false;  // under the mirror's mutex_
    Instant kept_alive_{};
    cluster::Probes probes_{0};  // of this connection
};

/// The secondary's.
class Mirror::SecondaryEnd final : public StreamEnd {
  public:
    explicit SecondaryEnd(Mirror& mirror) : mirror_(mirror) {}
    std::vector<replication::SharedFrame> to_send() override;
    Result<> received(const replication::Frame& frame) override;
    [[nodiscard]] Duration silence() const override;
    void end() noexcept override;

  private:
    Result<> numbered(const replication::Frame& frame);
    Result<Applier::Item> decode_item(const replication::Frame& frame);

    Mirror& mirror_;
    bool ended_ = false;       // under the mirror's mutex_
    std::uint64_t probe_ = 0;  // likewise: the last one heard
};

}  // namespace ha::replicatord
