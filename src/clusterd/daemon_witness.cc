// `hamirrorctl witness add`, `remove`: cluster.yaml of both nodes names the same witness, or none.

#include "clusterd/daemon.h"
#include "io/log.h"
#include "io/witness_client.h"
#include "io/witness_config.h"
#include "io/yaml_config.h"

namespace ha::clusterd {
namespace {

/// Nothing is taken back: a second try ends with the same on both nodes.
constexpr const char* kRepeat = "; when this is mended, the same command completes it.";

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
    background_.run([this, witness, end]() -> std::function<void()> {
        auto text = Configurations::with_witness(witness, io::kConfigDirectory);
        return [this, witness, end, text] {
            if (text) return ask_for_witness(witness, end);
            end(tl::unexpected(CommandError{"Invalid", text.error().text}));
        };
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
            witness ? "The witness is now " + witness->addresses.front() + "."
                    : "There is no witness any more.");
    for (auto& [name, module] : modules_) module->witness_configured(witness);
    auto opened = open_witness();
    if (!opened) return io::log(io::Level::Error, "No witness: " + opened.error().text);
    if (!witness_) return;
    for (auto& [name, module] : modules_) witness_->add(name);
}

// ---- its registers
// --------------------------------------------------------------------------------

/// The one that is configured now, instead of the one before.
Result<> Daemon::open_witness() {
    witness_.reset();
    const auto& witness = configurations_.cluster().witness;
    if (!peer_ || !witness) return {};
    auto context = io::TlsContext::create(identity_);
    if (!context) return tl::unexpected(context.error());
    auto seen = store_.load_seen();
    if (!seen) return tl::unexpected(seen.error());
    auto client = std::make_unique<io::WitnessClient>(loop_, *context, io::record_of(*witness));
    client->start();
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
    witness_ = std::make_unique<WitnessDriver>(loop_, std::move(client), *seen, callbacks);
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
    record_witness(witness, [this, id = asked.id](const Result<>& recorded) {
        changing_witness_ = false;
        reply(id, recorded, "InstallFailed");
    });
}

}  // namespace ha::clusterd
