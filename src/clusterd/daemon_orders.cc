// An operator's orders: those that the primary carries out, on whichever node they are given, and
// what he sets for good.

#include "clusterd/daemon.h"
#include "io/clock.h"

namespace ha::clusterd {
namespace {

/// What the other node has not taken by then it does not take any more.
constexpr Duration kOrderBound = 10s;

}  // namespace

/// One that is on its way to the other node. Answered once: by that node, or by the time.
struct Daemon::GivenOn {
    GivenOn(io::Loop& loop, Done answered) : timer(loop), done(std::move(answered)) {}

    io::Timer timer;
    Done done;

    void answer(const tl::expected<std::string, CommandError>& result) {
        timer.cancel();
        if (auto waiting = std::exchange(done, nullptr)) waiting(result);
    }
};

void Daemon::swap(const std::string& name, const std::string& to, Done done) {
    Module* module = find(name, done);
    if (module == nullptr) return;
    auto event = swap_to(to);
    if (!event) return done(tl::unexpected(event.error()));
    if (module->machine().gives_swap_on(*event)) {
        return give_on(ControlRequest::Verb::Swap, name, to, std::move(done));
    }
    module->command(*event, std::move(done));
}

tl::expected<cluster::SwapRequested, CommandError> Daemon::swap_to(const std::string& node) const {
    cluster::SwapRequested event;
    if (node == self_name()) event.to = self_;
    if (node == peer_name()) event.to = cluster::other(self_);
    if (node.empty() || event.to) return event;
    return tl::unexpected(CommandError{
        "NoSuchNode",
        "There is no node " + node + "; the two are " + self_name() + " and " + peer_name() + "."});
}

void Daemon::restart(const std::string& name, Done done) {
    Module* module = find(name, done);
    if (module == nullptr) return;
    if (module->machine().gives_restart_on()) {
        return give_on(ControlRequest::Verb::Restart, name, "", std::move(done));
    }
    module->command(cluster::RestartRequested{}, std::move(done));
}

void Daemon::set_failover(const std::string& name, bool automatic, Done done) {
    Module* module = find(name, done);
    if (module != nullptr) module->command(cluster::FailoverRequested{automatic}, std::move(done));
}

void Daemon::set_at_boot(const std::string& name, bool starts, Done done) {
    Module* module = find(name, done);
    if (module != nullptr) module->command(cluster::AtBootRequested{starts}, std::move(done));
}

void Daemon::give_on(ControlRequest::Verb verb, const std::string& name, const std::string& text,
                     Done done) {
    if (!peer_clock_) {
        return done(tl::unexpected(
            CommandError{"PeerUnreachable",
                         peer_name() + " is primary and is not heard; nothing was changed."}));
    }
    auto given = std::make_shared<GivenOn>(loop_, std::move(done));
    request(
        verb, name, text,
        [this, given](const ControlReply& answer) {
            if (answer.done) return given->answer(std::string{});
            const bool lost = answer.code == "PeerUnreachable";
            given->answer(tl::unexpected(CommandError{
                answer.code, lost ? peer_name() + ": " + answer.text +
                                        ". Whether the order was taken shows in: hamirrorctl status"
                                  : answer.text}));
        },
        *peer_clock_ + kOrderBound);
    if (!given->done) return;
    given->timer.arm(io::boot_now() + kOrderBound, [this, waiting = std::weak_ptr(given)] {
        const auto late = waiting.lock();
        if (!late) return;
        late->answer(tl::unexpected(CommandError{
            "PeerSilent", peer_name() + " has not answered within " +
                              std::to_string(kOrderBound / 1s) +
                              " s and does not take the order any more. If it took it, that shows "
                              "in: hamirrorctl status"}));
    });
}

// ---- the other node asks
// --------------------------------------------------------------------------

Done Daemon::answer_to(const ControlRequest& asked) {
    return [this, id = asked.id](const auto& result) {
        ControlReply answer{id, result.has_value(), "", ""};
        if (!result) answer.code = result.error().code, answer.text = result.error().text;
        link_->send(answer);
    };
}

void Daemon::serve_stop(const ControlRequest& asked) {
    cluster::StopRequested stop;
    stop.all = true;
    const Done done = answer_to(asked);
    if (Module* module = find(asked.name, done)) module->command(stop, done);
}

void Daemon::serve_swap(const ControlRequest& asked) {
    const Done done = answer_to(asked);
    auto event = swap_to(asked.text);
    if (!event) return done(tl::unexpected(event.error()));
    event->before = asked.before;
    if (Module* module = find(asked.name, done)) module->command(*event, done);
}

void Daemon::serve_restart(const ControlRequest& asked) {
    const Done done = answer_to(asked);
    Module* module = find(asked.name, done);
    if (module != nullptr) module->command(cluster::RestartRequested{asked.before}, done);
}

}  // namespace ha::clusterd
