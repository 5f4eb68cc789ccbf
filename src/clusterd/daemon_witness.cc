// `hamirrorctl witness add`, `remove`: cluster.yaml of both nodes names the same witness, or none.

#include "clusterd/daemon.h"
#include "io/etcd_config.h"
#include "io/etcd_register.h"
#include "io/log.h"
#include "io/witness_client.h"
#include "io/witness_config.h"
#include "io/yaml_config.h"

namespace ha::clusterd {
namespace {

/// Nothing is taken back: a second try ends with the same on both nodes.
constexpr const char* kRepeat = "; when this is mended, the same command completes it.";
constexpr const char* kFilesOnBoth = " (the files have to be on both nodes, under the same names)";

}  // namespace

/// Nothing is asked of the other node that this one could not do itself.
void Daemon::set_witness(std::optional<config::WitnessConfig> witness, Done done) {
    if (auto in_the_way = witness_obstacle()) return done(tl::unexpected(*in_the_way));
    if (!link_->up()) {
        return done(tl::unexpected(CommandError{
            "PeerUnreachable",
            peer_name() + " is not connected and both must record it; nothing was changed."}));
    }
    changing_witness_ = true;
    Done end = [this, done = std::move(done)](const auto& result) {
        changing_witness_ = false;
        done(result);
    };
    check_witness(witness, [this, witness, end](const std::optional<CommandError>& wrong) {
        if (!wrong) return ask_for_witness(witness, end);
        const bool which = wrong->code != "Invalid";  // of files: on this node, not on the other
        end(tl::unexpected(
            CommandError{wrong->code, (which ? "On " + self_name() + ": " : "") + wrong->text}));
    });
}

/// Whether this node could record it, and reaches it if it is an etcd: what that is reached with
/// are files of each node.
void Daemon::check_witness(const std::optional<config::WitnessConfig>& witness,
                           std::function<void(std::optional<CommandError>)> checked) {
    background_.run([this, witness, checked = std::move(checked)]() -> std::function<void()> {
        auto text = Configurations::with_witness(witness, io::kConfigDirectory);
        std::optional<CommandError> wrong;
        if (!text) {
            wrong = CommandError{"Invalid", text.error().text};
        } else if (witness && witness->etcd) {
            auto files = io::check_etcd_files(*witness->etcd);
            if (!files) wrong = CommandError{"FilesMissing", files.error().text + kFilesOnBoth};
        }
        return [this, witness, checked, wrong] {
            if (wrong || !witness || !witness->etcd) return checked(wrong);
            probe_etcd(*witness, checked);
        };
    });
}

void Daemon::probe_etcd(const config::WitnessConfig& witness,
                        const std::function<void(std::optional<CommandError>)>& checked) {
    probe_ = std::make_unique<io::EtcdProbe>(loop_, witness, [this, checked](const auto& reached) {
        probe_.reset();
        if (reached) return checked(std::nullopt);
        checked(CommandError{"WitnessUnreachable",
                             "the etcd cannot be used from here: " + reached.error().text});
    });
}

/// Why the witness cannot be changed now, if so.
std::optional<CommandError> Daemon::witness_obstacle() const {
    if (!peer_) {
        return CommandError{"NotPaired", "This node has no peer yet: hamirrorctl cluster pair"};
    }
    if (changing_witness_) {
        return CommandError{"Busy", "The witness is being changed already; try again."};
    }
    return std::nullopt;
}

void Daemon::ask_for_witness(const std::optional<config::WitnessConfig>& witness,
                             const Done& done) {
    request(ControlRequest::Verb::SetWitness, "", witness ? io::render(*witness) : "",
            [this, witness, done](const ControlReply& answer) {
                if (answer.done) return peer_has_witness(witness, done);
                auto why = from_peer(answer);
                if (answer.code == "PeerUnreachable" || answer.code == "InstallFailed") {
                    why.text += "; " + self_name() + " has changed nothing, of " + peer_name() +
                                " it is not known" + kRepeat;
                }
                done(tl::unexpected(why));
            });
}

void Daemon::peer_has_witness(const std::optional<config::WitnessConfig>& witness,
                              const Done& done) {
    const auto before = configurations_.cluster().witness;
    record_witness(witness, [this, witness, before, done](const Result<>& recorded) {
        if (recorded) {
            const auto& nodes = configurations_.cluster().nodes;
            return done(Configurations::witness_outcome(before, witness,
                                                        nodes[0].name + " and " + nodes[1].name));
        }
        done(tl::unexpected(CommandError{"InstallFailed", recorded.error().text + ". " +
                                                              peer_name() + " has recorded it, " +
                                                              self_name() + " not" + kRepeat}));
    });
}

void Daemon::record_witness(const std::optional<config::WitnessConfig>& witness,
                            std::function<void(Result<>)> done) {
    background_.run([this, witness, done = std::move(done)]() -> std::function<void()> {
        auto recorded = Configurations::install_witness(witness, io::kConfigDirectory);
        return [this, witness, done, recorded] {
            if (recorded) {
                configurations_.adopt_witness(witness);
                witness_changed();
                changed();
            }
            done(recorded);
        };
    });
}

void Daemon::witness_changed() {
    const auto& witness = configurations_.cluster().witness;
    io::log(io::Level::Notice, api::message::kWitnessChanged, {},
            witness ? "The witness is now " + Configurations::name_of(*witness) + "."
                    : "There is no witness any more.");
    for (auto& [name, module] : modules_) module->witness_configured(witness);
    auto opened = open_witness();
    if (!opened) return io::log(io::Level::Error, "No witness: " + opened.error().text);
    if (!witness_) return;
    for (auto& [name, module] : modules_) witness_->add(name);
}

// ---- its registers
// --------------------------------------------------------------------------------

Result<std::unique_ptr<ports::Register>> Daemon::registers_of(
    const config::WitnessConfig& witness) {
    if (witness.etcd) {
        return std::make_unique<io::EtcdRegister>(loop_, io::etcd_record_of(witness));
    }
    auto context = io::TlsContext::create(identity_);
    if (!context) return tl::unexpected(context.error());
    auto client = std::make_unique<io::WitnessClient>(loop_, *context, io::record_of(witness));
    client->start();
    return client;
}

/// The one that is configured now, instead of the one before.
Result<> Daemon::open_witness() {
    witness_.reset();
    const auto& witness = configurations_.cluster().witness;
    if (!peer_ || !witness) return {};
    auto seen = store_.load_seen();
    if (!seen) return tl::unexpected(seen.error());
    auto registers = registers_of(*witness);
    if (!registers) return tl::unexpected(registers.error());
    WitnessDriver::Callbacks callbacks;
    callbacks.shown = [this](const std::string& name, const auto& value) {
        auto module = modules_.find(name);
        if (module != modules_.end()) module->second->witness_shown(value);
    };
    callbacks.lost = [this](const std::string& name, const std::string& why) {
        auto module = modules_.find(name);
        if (module != modules_.end()) module->second->witness_lost(why);
    };
    callbacks.save = [this](const ports::RegisterStamp& stamp, std::function<void()> done) {
        store_.save_seen(stamp, std::move(done));
    };
    witness_ = std::make_unique<WitnessDriver>(loop_, std::move(*registers), *seen, callbacks);
    return {};
}

// ---- the other node asks
// --------------------------------------------------------------------------

void Daemon::serve_witness(const ControlRequest& asked) {
    if (auto in_the_way = witness_obstacle()) return refuse(asked.id, *in_the_way);
    std::optional<config::WitnessConfig> witness;
    if (!asked.text.empty()) {
        auto parsed = io::parse_witness(asked.text, "witness");
        if (!parsed.value) return reply(asked.id, fail(parsed.messages()), "Invalid");
        witness = *parsed.value;
    }
    changing_witness_ = true;
    check_witness(witness, [this, witness, id = asked.id](const auto& wrong) {
        if (wrong) {
            changing_witness_ = false;
            return refuse(id, *wrong);
        }
        record_witness(witness, [this, id](const Result<>& recorded) {
            changing_witness_ = false;
            reply(id, recorded, "InstallFailed");
        });
    });
}

}  // namespace ha::clusterd
