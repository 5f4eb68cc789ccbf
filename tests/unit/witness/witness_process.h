#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "io/pairing_token.h"
#include "io/witness_pairing.h"

namespace ha::witness {

/// hamirror-witness as it is installed, in a process of its own, with a fresh directory.
class WitnessProcess {
  public:
    WitnessProcess();
    ~WitnessProcess();
    WitnessProcess(const WitnessProcess&) = delete;
    WitnessProcess& operator=(const WitnessProcess&) = delete;

    /// Returns when it answers on its port.
    void start();
    void kill(int signal = 9);
    [[nodiscard]] bool alive() const;
    void freeze();
    void thaw();
    /// Every write to a file fails from now on, or no longer.
    void fill_disk(bool full);

    struct Output {
        int status = -1;
        std::string text;
    };
    /// `hamirror-witness WORDS`, with the directories of this one.
    [[nodiscard]] Output command(const std::string& words) const;
    [[nodiscard]] io::PairingToken token() const;
    /// Error: as io::enrol_at_witness.
    [[nodiscard]] Result<io::WitnessRecord> pair(const io::Identity& own, const io::Identity& other,
                                                 const io::PairingToken& token) const;
    [[nodiscard]] Result<io::WitnessRecord> pair(const io::Identity& own,
                                                 const io::Identity& other) const {
        return pair(own, other, token());
    }

    [[nodiscard]] std::string state() const { return base_ + "/state"; }
    [[nodiscard]] std::string run() const { return base_ + "/run"; }
    [[nodiscard]] std::string file(const Id128& store) const {
        return state() + "/clusters/" + store.text();
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    std::string base_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace ha::witness
