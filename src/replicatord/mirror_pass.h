#pragma once

#include "replicatord/mirror.h"

namespace ha::replicatord {

/// One resync, as the mirror sees it. `over` is guarded by the mirror's mutex_; a pass that is over
/// sends nothing more, however long its thread still runs.
class Mirror::Pass final : public ResyncSource::Sink {
  public:
    explicit Pass(Mirror& mirror) : source(mirror.tree_, mirror.locks_, *this), mirror_(mirror) {}

    Sequence send(replication::FrameBuilder frame) override;
    bool wait_for_room() override;
    bool wait_accepted(Sequence sequence) override;
    void progress(const ResyncSource::Counters& counters) override;
    void complete(const ResyncSource::Counters& counters) override;
    void failed(const Error& error) override;

    bool over = false;
    ResyncSource source;

  private:
    Mirror& mirror_;
};

}  // namespace ha::replicatord
