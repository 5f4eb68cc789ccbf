// `hamirrorctl apply`: read here, checked on both nodes, installed on both or on neither.

#include "clusterd/daemon.h"
#include "io/log.h"
#include "io/yaml_config.h"

namespace ha::clusterd {

struct Daemon::Apply {
    Candidate candidate;
    std::string file;
    std::string plan;
    std::string problems;  // of this node
    bool dry_run = false;
    bool without_peer = false;
    bool on_both = false;  // the other node has installed it
    Done done;

    void refuse(const char* code, std::string text) const {
        done(tl::unexpected(CommandError{code, std::move(text)}));
    }
};

/// Why a changed module cannot be installed now, if so.
std::optional<CommandError> Daemon::obstacle(const Candidate& candidate) const {
    const auto& name = candidate.config.name;
    if (installing_.contains(name)) {
        return CommandError{"Busy", "Module " + name + " is being changed already."};
    }
    auto known = modules_.find(name);
    if (known == modules_.end()) return std::nullopt;
    const Module& module = *known->second;
    if (!module.machine().record().chain.empty()) {
        // First: no stop would help.
        auto unsupported = Configurations::unsupported_change(module.config(), candidate.config);
        if (!unsupported.empty()) return CommandError{"Invalid", unsupported};
    }
    if (module.stopped()) return std::nullopt;
    return CommandError{"ModuleRunning", "Module " + name + " is running on " + self_name() +
                                             "; a change of its configuration takes a stop on "
                                             "both nodes first: hamirrorctl stop " +
                                             name + " --all"};
}

void Daemon::apply(const std::string& yaml, const std::string& file_name, bool dry_run,
                   bool without_peer, Done done) {
    auto apply = std::make_shared<Apply>();
    apply->done = std::move(done);
    apply->file = file_name;
    apply->dry_run = dry_run;
    apply->without_peer = without_peer;
    if (!peer_)
        return apply->refuse("NotPaired", "This node has no peer yet: hamirrorctl cluster pair");
    if (auto candidate = configurations_.read(yaml, file_name)) {
        apply->candidate = *candidate;
        apply->plan = configurations_.plan(apply->candidate);
        if (apply->plan.empty()) {
            return apply->done("Nothing to change: " + self_name() + " has exactly this. If " +
                               peer_name() + " has not, apply the file there.\n");
        }
        auto in_the_way = obstacle(apply->candidate);
        if (in_the_way) return apply->refuse(in_the_way->code.c_str(), in_the_way->text);
    }
    find_problems(yaml, file_name, [this, apply](const std::string& found) {
        apply->problems = found;
        apply_checked(apply);
    });
}

/// What is wrong with it on this node, all at once; empty: nothing.
void Daemon::find_problems(const std::string& text, const std::string& file,
                           std::function<void(std::string)> found) {
    auto read = configurations_.read(text, file);
    background_.run([configurations = configurations_, node = self_name(), text, file,
                     why = read ? "" : read.error().text,
                     found = std::move(found)]() -> std::function<void()> {
        auto all = configurations.problems(text, file, node);
        return [found, all = all.empty() ? why : all] { found(all); };
    });
}

/// Now the other node's word, also when something is missing here: its problems may be others.
void Daemon::apply_checked(std::shared_ptr<Apply> apply) {
    const bool readable = !apply->candidate.text.empty();
    const bool connected = link_ && link_->up();
    if (!apply->problems.empty() && (!readable || !connected)) {
        return apply->refuse("Invalid", apply->problems);
    }
    if (!connected) {
        if (apply->without_peer) return apply_agreed(apply);
        return apply->refuse("PeerUnreachable",
                             peer_name() +
                                 " is not connected and both must agree; nothing was changed. "
                                 "(--without-peer installs on " +
                                 self_name() + " alone.)");
    }
    request(ControlRequest::Verb::CheckModule, apply->file, apply->candidate.text,
            [this, apply](const ControlReply& answer) {
                const auto theirs = answer.done ? CommandError{} : from_peer(answer);
                if (answer.done && apply->problems.empty()) return apply_agreed(apply);
                apply->refuse(answer.done ? "Invalid" : theirs.code.c_str(),
                              apply->problems + theirs.text);
            });
}

void Daemon::apply_agreed(std::shared_ptr<Apply> apply) {
    if (apply->dry_run) return apply->done(apply->plan);
    if (!link_ || !link_->up()) {
        if (apply->without_peer) return apply_installed(apply);
        return apply->refuse("PeerUnreachable", peer_name() + " went away; nothing was changed.");
    }
    request(ControlRequest::Verb::InstallModule, apply->file, apply->candidate.text,
            [this, apply](const ControlReply& answer) {
                if (answer.done) {
                    apply->on_both = true;
                    return apply_installed(apply);
                }
                const auto why = from_peer(answer);
                apply->refuse(why.code.c_str(), why.text);
            });
}

/// The other node has it, or is not asked. Should this one fail now, a second `apply` of the same
/// file completes it.
void Daemon::apply_installed(std::shared_ptr<Apply> apply) {
    install_here(apply->candidate, [this, apply](const Result<>& installed) {
        const auto& name = apply->candidate.config.name;
        if (installed) {
            const bool has_data = !modules_.at(name)->machine().record().chain.empty();
            return apply->done(
                apply->plan +
                Configurations::outcome(apply->candidate, {self_name(), peer_name(), apply->on_both,
                                                           has_data, workers_were_ready_}));
        }
        apply->refuse("InstallFailed", installed.error().text + ". " + self_name() +
                                           " does not have it" +
                                           (apply->on_both ? ", " + peer_name() + " has" : "") +
                                           "; apply the file again when this is mended.");
    });
}

/// Meanwhile the module cannot be started: the object that runs would be replaced.
void Daemon::install_here(const Candidate& candidate, std::function<void(Result<>)> done) {
    // Another `apply` may have been quicker while this one asked the other node.
    if (auto in_the_way = obstacle(candidate)) return done(fail(in_the_way->text));
    installing_.insert(candidate.config.name);
    background_.run([this, candidate, done]() -> std::function<void()> {
        auto installed = Configurations::install(candidate, io::kConfigDirectory);
        return [this, candidate, done, installed]() mutable {
            installing_.erase(candidate.config.name);
            auto in_the_way = obstacle(candidate);
            if (installed && in_the_way) {
                installed = fail(
                    "the files are installed and hold from the next start of "
                    "ha-clusterd: " +
                    in_the_way->text);
            }
            if (installed) {
                configurations_.adopt(candidate);
                io::log(io::Level::Notice, api::message::kConfigurationApplied,
                        {{"HAMIRROR_MODULE", candidate.config.name}},
                        "The configuration of module " + candidate.config.name + " is installed.");
                installed = add_module(candidate.config);
            }
            done(installed);
        };
    });
}

// ---- the other node asks
// --------------------------------------------------------------------------

/// The other node's refusal, for who asked here. Problems of a file are a line each.
CommandError Daemon::from_peer(const ControlReply& answer) const {
    if (answer.code == "PeerUnreachable") return {answer.code, peer_name() + ": " + answer.text};
    return {answer.code,
            "On " + peer_name() + (answer.code == "Invalid" ? ":\n" : ": ") + answer.text};
}

void Daemon::reply(std::uint64_t id, const Result<>& result, const char* code) {
    ControlReply answer{id, result.has_value(), "", ""};
    if (!result) {
        answer.code = code;
        answer.text = result.error().text;
    }
    link_->send(answer);
}

void Daemon::refuse(std::uint64_t id, const CommandError& why) {
    link_->send(ControlReply{id, false, why.code, why.text});
}

void Daemon::serve_check(const ControlRequest& request) {
    if (auto candidate = configurations_.read(request.text, request.name)) {
        // A node that has it already may run it: the other one only catches up.
        if (configurations_.plan(*candidate).empty()) return reply(request.id, {}, "");
        auto in_the_way = obstacle(*candidate);
        if (in_the_way) return refuse(request.id, *in_the_way);
    }
    find_problems(request.text, request.name, [this, id = request.id](const std::string& found) {
        reply(id, found.empty() ? Result<>{} : fail(found), "Invalid");
    });
}

void Daemon::serve_install(const ControlRequest& request) {
    auto candidate = configurations_.read(request.text, request.name);
    if (!candidate) {
        return reply(request.id, fail(candidate.error().text), "Invalid");
    }
    if (configurations_.plan(*candidate).empty()) return reply(request.id, {}, "");
    auto in_the_way = obstacle(*candidate);
    if (in_the_way) return refuse(request.id, *in_the_way);
    install_here(*candidate, [this, id = request.id](const Result<>& installed) {
        reply(id, installed, "InstallFailed");
    });
}

}  // namespace ha::clusterd
