#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/config/config.h"

namespace ha::clusterd {

/// A module's file that was read and found good.
struct Candidate {
    config::ModuleConfig config;
    std::string text;  // as it is installed: the administrator's words, the port added
};

/// The files of /etc/hamirror as this node has them. problems() and install() block (disk,
/// systemd): they are called from a background thread, with what they need by value.
class Configurations {
  public:
    explicit Configurations(std::string directory);

    /// An error names every problem of every file, a line each.
    Result<> load();
    [[nodiscard]] const config::ClusterConfig& cluster() const { return cluster_; }
    [[nodiscard]] const std::vector<config::ModuleConfig>& modules() const { return modules_; }
    [[nodiscard]] const config::ModuleConfig* find(const std::string& module) const;

    /// Reads a module's text against what is installed; a module without a port is given one.
    [[nodiscard]] Result<Candidate> read(const std::string& text, const std::string& file) const;
    /// All that is wrong with a module's text on this node, a line each: the text itself, and what
    /// this system lacks (directories, units, interfaces). Empty: nothing. Blocks; call it on a
    /// copy.
    [[nodiscard]] std::string problems(const std::string& text, const std::string& file,
                                       const std::string& node) const;
    /// What installing it would change, a line each; empty: it is installed already.
    [[nodiscard]] std::string plan(const Candidate& candidate) const;

    /// For after install(): what was done on which nodes, and the next command. A line each.
    struct Installed {
        std::string here;
        std::string there;        // the other node
        bool on_both = false;     // else here alone
        bool has_data = false;    // the module, already
        bool is_started = false;  // the cluster, here
    };
    static std::string outcome(const Candidate& candidate, const Installed& installed);

    /// What a module that has data cannot be changed in, as a sentence; empty: nothing of it
    /// changes.
    static std::string unsupported_change(const config::ModuleConfig& installed,
                                          const config::ModuleConfig& wanted);

    /// Durable file, gate files, `systemctl daemon-reload`, and each unit seen to carry its gate.
    static Result<> install(const Candidate& candidate, const std::string& directory);
    /// After install(): it is among modules() now.
    void adopt(const Candidate& candidate);

    /// The text of DIRECTORY/cluster.yaml with this witness, or none, and nothing else changed but
    /// the form: comments are lost, as in pairing. Error: all that is wrong with it. Blocks.
    static Result<std::string> with_witness(const std::optional<config::WitnessConfig>& witness,
                                            const std::string& directory);
    /// That, durably. Blocks.
    static Result<> install_witness(const std::optional<config::WitnessConfig>& witness,
                                    const std::string& directory);
    /// After install_witness(): it is cluster()'s now.
    void adopt_witness(std::optional<config::WitnessConfig> witness);
    /// Where it is, for people: addresses and port, or an etcd's endpoints.
    static std::string name_of(const config::WitnessConfig& witness);
    /// For after install_witness() on both nodes: what was done, and what is left at the witness
    /// before. A line each.
    static std::string witness_outcome(const std::optional<config::WitnessConfig>& before,
                                       const std::optional<config::WitnessConfig>& now,
                                       const std::string& nodes);

  private:
    std::string directory_;
    config::ClusterConfig cluster_;
    std::vector<config::ModuleConfig> modules_;
};

}  // namespace ha::clusterd
