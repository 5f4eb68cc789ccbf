// Alone at a boot, without a witness, by a decision that nobody confirmed: the other node may have
// gone on, too. Under `available` this one serves all the same, unless somebody answers for the
// module's addresses: then it is likely the other node that does, unheard. Silence proves nothing
// and is taken for permission; an answer is taken at its word until it does not come any more.

#include "core/cluster/machine.h"

namespace ha::cluster {

namespace {

/// ha-vipd needs less than two seconds. One that is away or hangs is asked again.
constexpr Duration kAnswerBound = 5s;
constexpr Duration kAskAgain = 3s;
/// After an answer: its holder may be starting anew, or a frame was lost.
constexpr unsigned kUnansweredToServe = 3;

}  // namespace

void Machine::decide_unconfirmed() {
    if (settings_.policy == Policy::Safe) {
        return block("unconfirmed",
                     self_name() + " continued alone and " + peer_name() +
                         " has not been seen since; under the policy 'safe' it waits.");
    }
    if (!settings_.addresses) return promote(false, mint_id());
    const bool due = !probes_.due || now_ >= *probes_.due;
    if (due && probes_.under_way) {
        addresses_unasked("ha-vipd does not answer");
    } else if (due) {
        emit(ProbeAddresses{++probe_token_});
        probes_.under_way = true;
        probes_.due = now_ + kAnswerBound;
    }
    if (auto why = why_serve_unconfirmed()) {
        tell("address-free", *why);
        probes_ = {};
        return promote(false, mint_id());
    }
    deadline_ = probes_.due;
    say_addresses();
}

void Machine::addresses_probed(const Event& event) {
    const auto& answer = std::get<AddressesProbed>(event);
    if (!probes_.under_way || answer.token != probe_token_) return;
    probes_.under_way = false;
    probes_.due = now_ + kAskAgain;
    if (answer.taken.empty() && !answer.asked) {
        addresses_unasked(answer.trouble);
    } else {
        probes_.failing_since.reset();
        probes_.trouble = answer.trouble;
        ++probes_.unanswered;
    }
    if (!answer.taken.empty()) {
        probes_.taken = answer.taken;
        probes_.mac = answer.mac;
        probes_.unanswered = 0;
    }
    evaluate();
}

void Machine::addresses_unasked(const std::string& trouble) {
    probes_.under_way = false;
    probes_.due = now_ + kAskAgain;
    probes_.trouble = trouble;
    if (probes_.failing_since) return;
    probes_.failing_since = now_;
    tell("address-unasked",
         "It cannot be asked whether another machine has the addresses of the module: " + trouble +
             ".");
}

/// A link without carrier sees nobody. At the boot of a whole site its switch may need a while; a
/// link that is broken for good must not keep the module from being served. But where an answer
/// came before, only a silence that could have been broken ends the waiting: what failed since may
/// be this node's own cable.
std::optional<std::string> Machine::why_serve_unconfirmed() const {
    const std::string& trouble = probes_.trouble;
    if (probes_.failing_since) {
        const bool long_enough = now_ - *probes_.failing_since >= settings_.boot_wait;
        const bool waits = probes_.under_way || !probes_.taken.empty();
        if (waits || !long_enough) return std::nullopt;
        return "It could not be asked whether another machine has the addresses of the module (" +
               trouble + "); it is served all the same.";
    }
    const std::string but = trouble.empty() ? "" : " Not all could be asked for: " + trouble + ".";
    if (probes_.taken.empty()) {
        if (probes_.unanswered == 0) return std::nullopt;
        return "No other machine answers for the addresses of the module." + but;
    }
    if (probes_.unanswered < kUnansweredToServe) return std::nullopt;
    return "The machine that had " + probes_.taken + " does not answer for it any more." + but;
}

void Machine::say_addresses() {
    const std::string& trouble = probes_.trouble;
    if (probes_.taken.empty()) {
        return wait_for("address-probe",
                        trouble.empty()
                            ? "Asking whether another machine has the addresses of the module."
                            : "It cannot be asked whether another machine has the addresses of "
                              "the module: " +
                                  trouble + ".");
    }
    block("address-in-use",
          probes_.taken + " is in use by the machine with the MAC address " + probes_.mac +
              ", most likely " + peer_name() + ", which is not heard." +
              (trouble.empty() ? "" : " It cannot be asked for any more: " + trouble + ".") +
              " Reconnect the nodes; or, if the module is served nowhere else, on " + self_name() +
              ": hamirrorctl start " + settings_.module + " --force");
}

}  // namespace ha::cluster
