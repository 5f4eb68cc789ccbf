#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/cluster/events.h"

// The failover machine of one module on one node: who is primary is decided here and nowhere else.
//
// It is pure: step() takes the time and one event and appends effects; it never blocks, reads a
// clock or calls out. Two machines talk by reports (record.h), level-triggered: each acts on the
// newest view of the other, so a lost or doubled message changes nothing. The whole machine is one
// table, phase by event, in machine.cc; every pair has an answer.
//
// A change of membership is always: flush if this node becomes the only member (R3), decide (by the
// witness's register if there is a witness, by the peer's consent, else by the policy), Persist,
// and only then the order that makes the mirror act under it.

namespace ha::cluster {

enum class Policy : std::uint8_t { Available, Safe };

/// What holds the role where it is although another node is preferred. None: none is preferred.
/// Honoured: nothing is to be done here. Differs: the other node prefers another. SwappedAway: by
/// an operator; it stays until he swaps back or this node is lost. RestartsSpent: of the preferred
/// node. Awaited: it goes there once the pair has been redundant for long enough.
enum class Preference : std::uint8_t {
    None,
    Honoured,
    Differs,
    FailoverOff,
    SwappedAway,
    RestartsSpent,
    Awaited
};

enum class State : std::uint8_t { Stopped, Waiting, Alone, Primary, Secondary };
enum class Readiness : std::uint8_t { Transient, Ready, Blocked };
const char* name(State state);
const char* name(Readiness readiness);

struct Reason {
    std::string code;  // stable, for programs; empty: none
    std::string text;
    auto operator<=>(const Reason&) const = default;
};

struct Status {
    State state = State::Stopped;
    Readiness readiness = Readiness::Ready;
    Reason reason;
    auto operator<=>(const Status&) const = default;
};

struct Settings {
    Node self = Node::First;
    std::array<std::string, 2> names{"node1", "node2"};
    std::string module;
    Policy policy = Policy::Available;
    /// Without a witness, under `available`: while the other node is silent, or answers no
    /// proposal, nobody goes on alone or takes over before a ping target answered (TargetAnswered).
    bool ping_targets = false;
    /// The witness that cluster.yaml names, by its store's id. In force it is what decides
    /// (machine_register.cc); the policy is for pairs without. How it comes into force:
    /// machine_rules.cc.
    Id128 witness;
    bool automatic_failover = true;  // failover.automatic; FailoverSwitch may say otherwise
    std::optional<Node> preferred;
    /// The pair is redundant for so long before the role goes to the preferred node: the first
    /// time, and eight times longer with each time this node had to stand in again within an hour,
    /// at most the bound.
    Duration preferred_after = 10s;
    Duration preferred_bound = 1h;
    std::uint32_t restart_budget = 3;
    std::uint64_t rules = 0;  // Report::rules of this node
    /// The module has virtual ones. Without a witness, under `available`: whoever would serve by a
    /// decision of his own that nobody confirmed asks first whether they are held by another.
    bool addresses = false;
    Duration boot_wait = 30s;
    Duration stop_hold = 10s;
    Duration proposal_bound = 2200ms;  // a peer that is heard and answers no proposal for this long
    Duration shutdown_bound = 60s;     // the application's own stop, when the system goes down
    Duration workers_bound = 10s;      // for workers that are not there while a module is stopped
};

enum class Phase : std::uint8_t {
    Stopped,
    Opening,     // the mirror is being mounted
    Waiting,     // mirror open, no role: meeting the peer, or blocked
    Rebuilding,  // resync target
    Secondary,
    Leaving,    // a secondary on its way out of S (clean stop)
    Sealing,    // taking over: R12, then flush, then decide
    Promoting,  // decided; mirror, addresses, units, in this order
    Serving,
    StoppingUnits,  // planned stop or swap: the application stops
    Draining,       // then the mirror drains
    Withdrawing,    // then the addresses go
    Ceding,         // R8(3)
    Together,       // R13: the other is asked for its flag
    Demoting,       // forced
    Closing
};
inline constexpr std::size_t kPhases = 16;
const char* name(Phase phase);

/// What is known of who holds the module's addresses, while this node may serve only if nobody does
/// (machine_unconfirmed.cc).
struct AddressProbes {
    bool under_way = false;
    std::optional<Instant> due;  // the next one, or the end of the patience with the one under way
    std::string taken;           // an address that was answered for, and by whom
    std::string mac;
    unsigned unanswered = 0;               // in a row
    std::optional<Instant> failing_since;  // since then none could be asked
    std::string trouble;                   // why
};

class Machine {
  public:
    /// `record` as last persisted; `boot` is this boot of the system; `seed` feeds the ids minted
    /// here and must never repeat (getrandom(2)).
    Machine(Settings settings, Record record, Id128 boot, Id128 seed);

    /// Call once, first: notes whether the system stopped unclean (R7). Nothing is opened yet.
    void begin(Instant now, std::vector<Effect>& effects);
    /// The workers are there: opens the module if the operator wants it running here.
    void workers_ready(Instant now, std::vector<Effect>& effects);
    void step(Instant now, const Event& event, std::vector<Effect>& effects);
    /// When DeadlinePassed is due, if ever.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] Status status() const;
    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] const Record& record() const { return record_; }
    [[nodiscard]] const Settings& settings() const { return settings_; }
    /// The other node counts in R1: no acknowledgement without it.
    [[nodiscard]] bool peer_required() const;
    /// This node serves: its decision is recorded and it has not begun to give it up.
    [[nodiscard]] bool serving() const;
    /// What this node holds it holds under a lease (base/lease.h), for as long as it serves: the
    /// other node may legally take the module over. Not under a recorded S={self}; not under `safe`
    /// without a witness; nor while this node is about to go on alone by its policy, with ping
    /// targets once one of them answered.
    [[nodiscard]] bool bounded() const;
    /// A decision that may be in force has the other node in S.
    [[nodiscard]] bool may_name_peer() const;
    [[nodiscard]] bool in_contact() const { return contact_; }
    /// What a ping target answers may decide something now.
    [[nodiscard]] bool awaits_target() const { return doubted_since_.has_value(); }
    /// The other node knows a newer decision than this one (its number and id), it is not what this
    /// one proposed, and its last report does not show it yet: until it is learned nothing may be
    /// decided here because of silence.
    [[nodiscard]] bool overtaken(Epoch newest, const Id128& id) const;

    /// An operator's swap given here is the other node's to carry out or refuse, and only at once:
    /// it is sent there with a time (SwapRequested::before), and nothing of it stays here.
    [[nodiscard]] bool gives_swap_on(const SwapRequested& swap) const;
    [[nodiscard]] bool gives_restart_on() const { return is_primary(peer()); }

    /// What an operator is to be shown, and gives back, before he forces this node to serve.
    [[nodiscard]] Knowledge knowledge() const;

    /// Whether this node may take over without a person.
    [[nodiscard]] bool automatic() const;
    /// What it says of that is durable on the other node, too, or needs not be.
    [[nodiscard]] bool failover_recorded() const;
    [[nodiscard]] Preference preference() const;

    /// The two nodes' cluster.yaml name another witness each, as far as this one knows.
    [[nodiscard]] bool witness_differs() const;
    /// What the register showed last, against what this node knows.
    [[nodiscard]] RegisterStanding stand() const;

  private:
    using Handler = void (Machine::*)(const Event&);
    friend struct Table;
    friend struct MachineMembers;

    enum class Peer : std::uint8_t { Absent, Rebuilding, Joining, Member };
    /// Delayed: an earlier exchange has to be settled first.
    enum class Shrink : std::uint8_t { None, Flushing, Delayed, Proposed };
    enum class Goal : std::uint8_t { None, Swap, Stop, StopTogether, HandOver, Reopen, Restart };

    // machine.cc
    void ignore(const Event& event);
    void refuse_busy(const Event& event);
    void busy_swap(const Event& event);
    bool too_late(const std::optional<Instant>& before);
    void not_served(const Event& event);
    [[nodiscard]] bool is_primary(Node node) const;
    bool already_primary(const Event& event);
    void stopped_swap(const Event& event);
    void stopped_stop(const Event& event);
    void stray_mirror(const Event& event);
    void opening_start(const Event& event);
    void note_report(const Event& event);

    // machine_opening.cc
    void open(const Event& event);
    void open_now();
    void opened(const Event& event);
    void adopt_follower(Id128 term);
    [[nodiscard]] bool never_held_data() const;
    [[nodiscard]] bool birth_unused() const;
    void opening_stop(const Event& event);
    void closing_mirror_failed(const Event& event);
    void open_failed(const Event& event);
    [[nodiscard]] static bool cannot_open(const MirrorFailed& fact);
    [[nodiscard]] static bool is_gone(const MirrorFailed& fact);
    void close(const Event& event);
    void closed(const Event& event);
    void closed_late(const Event& event);
    void note_loss();
    void note_closed(bool durable);
    void close_now();

    // machine_consent.cc
    void first_modification(const Event& event);
    [[nodiscard]] bool peer_knows() const;
    [[nodiscard]] bool remembers(const Chain& newer) const;
    [[nodiscard]] bool had_part(const Id128& decision) const;
    [[nodiscard]] bool rolled_back(const Report& report) const;
    void note_rolled_back(const Report& report);
    void note_put_back();
    [[nodiscard]] bool peer_rolled_back(const Report& report) const;
    bool learn(const Report& report);
    bool consent(const Report& report);
    [[nodiscard]] bool withdrawal_heard(const Report& report) const;
    void forget_proposal();
    void moved();
    void abandon_exchange();
    void decide(const Decision& decision, Confirmation confirmation);
    [[nodiscard]] std::string agreed_by(Confirmation confirmation) const;
    [[nodiscard]] Decision child(InSync in_sync, Node primary, Cause cause);

    // machine_report.cc
    [[nodiscard]] Activity activity() const;
    [[nodiscard]] Report make_report() const;
    void report_if_changed();

    // machine_waiting.cc
    void waiting_start(const Event& event);
    void waiting_swap(const Event& event);
    void waiting_report(const Event& event);
    void waiting_silent(const Event& event);
    void waiting_overdue(const Event& event);
    void waiting_answered(const Event& event);
    void waiting_ahead(const Event& event);
    void waiting_deadline(const Event& event);
    void waiting_durable(const Event& event);
    void mirror_lost(const Event& event);
    void enter_waiting();
    void evaluate();
    void evaluate_serving_peer();
    void block_differing_witness();
    void elect();
    void lead();
    void wait_alone();
    void decide_alone();
    // machine_unconfirmed.cc
    void decide_unconfirmed();
    void addresses_probed(const Event& event);
    void addresses_unasked(const std::string& trouble);
    [[nodiscard]] std::optional<std::string> why_serve_unconfirmed() const;
    void say_addresses();

    [[nodiscard]] bool may_lead(const Report& report) const;
    [[nodiscard]] bool peer_may_lead(const Report& report) const;
    [[nodiscard]] bool has_it_all(const Report& report) const;
    [[nodiscard]] bool peer_has_it_all(const Report& report) const;
    void block_unable(const Report& report);
    void block_put_back();
    void tell_peer_rolled_back();

    // machine_secondary.cc
    void rebuilding_report(const Event& event);
    void rebuilding_silent(const Event& event);
    void rebuilding_stream_down(const Event& event);
    void told_in(const Event& event);
    void secondary_report(const Event& event);
    void together_given_up(const Report& report);
    void secondary_silent(const Event& event);
    void secondary_overdue(const Event& event);
    void secondary_durable(const Event& event);
    void secondary_stop(const Event& event);
    void secondary_swap(const Event& event);
    void leaving_report(const Event& event);
    void overtaken_secondary(const Event& event);
    void tell_overtaken();
    void tell_takeover();
    void sealed(const Event& event);
    void sealing_durable(const Event& event);
    void sealing_report(const Event& event);
    void follow(bool resync);
    void seal();
    void take_over();

    // machine_primary.cc
    void promote(bool peer_member, Id128 term);
    void mirror_serving(const Event& event);
    void addresses_held(const Event& event);
    void units_started(const Event& event);
    void unit_failed(const Event& event);
    void serving_report(const Event& event);
    void serving_silent(const Event& event);
    void serving_deadline(const Event& event);
    void serving_answered(const Event& event);
    void lease_expired(const Event& event);
    void overtaken_primary(const Event& event);
    void serving_stop(const Event& event);
    void serving_swap(const Event& event);
    void serving_mirror_failed(const Event& event);
    void peer_must_leave(const Event& event);
    void own_disk_stalled(const AcknowledgementsStalled& stalled);
    void stream_down(const Event& event);
    void flushed(const Event& event);
    void join_ready(const Event& event);
    void serving_restart(const Event& event);
    void stopping_restart(const Event& event);
    void units_stopped(const Event& event);
    void drained(const Event& event);
    void addresses_dropped(const Event& event);
    void ceding_report(const Event& event);
    void ceding_mirror_failed(const Event& event);
    void ceding_stop(const Event& event);
    void together_report(const Event& event);
    void demoting_units_gone(const Event& event);
    void demoting_addresses_dropped(const Event& event);
    void demoting_held_failed(const Event& event);
    void demoting_mirror_failed(const Event& event);
    void demoting_start(const Event& event);
    void demoting_stop(const Event& event);
    void demoting_deadline(const Event& event);
    void begin_stop(Goal goal);
    void withdrawn();
    void resume();
    void begin_shrink();
    void settle_shrink(Confirmation confirmation);
    void apply_shrink();
    void apply_join();
    void serve();
    void cede(InSync in_sync, Cause cause);
    void ceded();
    void consider_peer();
    void consider_member();
    void consider_joiner();
    void survive_or_demote();
    void drop_rebuild();
    void settled();
    void demote();
    void demote_and_reopen();
    void give_up();
    void demoted();

    // machine_force.cc
    [[nodiscard]] static bool says_more(const StartRequested& start);
    void note_word(const StartRequested& start);
    [[nodiscard]] bool meets_another_module() const;
    [[nodiscard]] std::optional<Reason> objection(const StartRequested& start) const;
    void carry_out(const StartRequested& word);
    void running_start(const Event& event);
    void serving_start(const Event& event);
    void birth();
    void force(const Knowledge& shown);
    void decide_forced();

    // machine_switches.cc
    void set_failover(const Event& event);
    void tell_failover();
    void note_failover();
    void note_file();
    void block_failover_off();
    [[nodiscard]] bool rules_are_ours() const;
    [[nodiscard]] bool swapped_here() const;
    void count_against_preferred();
    void consider_preferred();
    void set_at_boot(const Event& event);
    void note_boot();

    // machine_rules.cc
    [[nodiscard]] Id128 witness() const;
    [[nodiscard]] bool by_witness() const { return !witness().none(); }
    [[nodiscard]] bool pending() const {
        return record_.witness_open || witness() != settings_.witness;
    }
    [[nodiscard]] bool reached() const { return witness_reached_ && !pending(); }
    [[nodiscard]] bool both_pending() const;
    void configure_witness(const WitnessConfigured& event);
    void note_rules(const Report& report);
    void change_rules();
    void open_rules();
    void agree_instead();
    [[nodiscard]] bool may_join() const;
    void adopt_witness();
    void sealing_rules(const Event& event);
    void serving_rules(const Event& event);

    // machine_register.cc
    void note_register(const RegisterShown& shown);
    void settle_exchange();
    void learn_shown();
    [[nodiscard]] bool taken() const;
    void learn_given();
    void lead_by_register();
    void pursue();
    void bring_up();
    void ask(const Decision& decision, const Id128& expected);
    [[nodiscard]] bool can_ask() const;
    [[nodiscard]] Registered to_ask(const Decision& decision) const;
    void waiting_register(const Event& event);
    void waiting_witness_lost(const Event& event);
    void secondary_register(const Event& event);
    void sealing_register(const Event& event);
    void sealing_witness_lost(const Event& event);
    void serving_register(const Event& event);
    void ceding_register(const Event& event);
    void ceding_silent(const Event& event);
    void decide_by_witness();
    [[nodiscard]] bool awaits_consent() const;
    [[nodiscard]] bool may_agree() const;
    bool flushed_first();
    void ask_or_wait(const Decision& decision);
    void wait_for_witness();

    // shared by all
    void enter(Phase phase);
    void persist();
    void block(const char* code, std::string text);
    void wait_for(const char* code, std::string text);
    void refuse(const char* code, std::string text);
    void tell(const char* code, std::string text);
    void flush(bool hold);
    template <typename E>
    void emit(E effect) {
        effects_->push_back(std::move(effect));
    }
    Id128 mint_id();

    [[nodiscard]] Node self() const { return settings_.self; }
    [[nodiscard]] Node peer() const { return other(settings_.self); }
    /// In what the other node shows, too, "this node" would be the wrong one.
    [[nodiscard]] const std::string& self_name() const {
        return settings_.names[static_cast<std::size_t>(self())];
    }
    [[nodiscard]] const std::string& peer_name() const {
        return settings_.names[static_cast<std::size_t>(peer())];
    }
    [[nodiscard]] const Decision& head() const { return record_.chain.head().decision; }
    [[nodiscard]] bool in_sync_self() const;
    [[nodiscard]] bool asks_targets() const;
    [[nodiscard]] bool may_decide_alone() const;
    [[nodiscard]] bool peer_fits() const;
    [[nodiscard]] bool report_differs() const;

    Settings settings_;
    Record record_;
    Id128 boot_;
    std::array<std::uint64_t, 2> random_;

    Phase phase_ = Phase::Stopped;
    Reason reason_;
    bool blocked_ = false;
    Goal goal_ = Goal::None;
    std::optional<Instant> deadline_;
    bool boot_wait_over_ = false;

    // what is known of the other node
    bool contact_ = false;  // its last report is its present view
    bool silent_ = false;   // PeerSilent came; neither: this process has just begun
    bool overdue_ = false;  // and PeerOverdue
    // It is silent, or answers no proposal, since then: that may be the fault of our links.
    std::optional<Instant> doubted_since_;
    bool target_answered_ = false;  // a probe of after that
    std::optional<Report> peer_report_;

    // this node's workers
    bool left_overs_ = true;         // units and addresses of an earlier process may be there
    bool awaiting_workers_ = false;  // begin() found the module wanted; workers_ready() opens it
    bool marker_valid_ = false;
    bool was_open_ =
        false;  // the mirror, in this boot, and what it left is not known to be durable
    /// As the mirror was opened; none once there was a role: then it is the mirror's to keep.
    std::optional<Progress> progress_;
    bool put_back_ = false;  // the other node's report said so of this copy, and no role came since
    Id128 term_;
    // These begin anywhere: an earlier process's numbers must not come again.
    std::uint64_t flush_token_;
    std::uint64_t resync_token_;
    std::uint64_t probe_token_;
    std::uint64_t attempt_;
    bool units_gone_ = false;
    bool addresses_gone_ = false;
    bool held_failed_ = false;

    // while serving
    Peer peer_ = Peer::Absent;
    Shrink shrink_ = Shrink::None;
    bool first_waits_ = false;  // the first acknowledgement, until the peer has recorded our head
    bool evict_ = false;        // the peer must leave S even if it looks well again
    std::uint64_t rebuilt_attempt_ = 0;

    // the preferred node
    std::optional<Instant> prefer_due_;
    std::uint32_t stood_in_ = 0;  // times, lately
    Instant stood_in_at_{};

    // the witness
    bool witness_reached_ = false;
    std::optional<Registered> shown_;
    Id128 witness_mark_;               // Report::witness_mark
    Id128 brought_up_;                 // the head that was last asked for as it is
    bool won_ = false;                 // our exchange did, and nothing was made of it yet
    std::optional<Instant> asked_at_;  // for our exchange, and the witness was not lost since
    bool sealed_durable_ = false;      // Sealing: R12 and the flush are done

    // while deciding
    std::optional<Decision> proposal_;
    Id128 withdrawn_;  // Report::withdrawn
    /// Of a shrink that is proposed; none: that is not said yet.
    std::optional<Instant> proposal_due_;
    std::optional<Decision> ceded_to_us_;
    std::optional<Knowledge> forcing_;  // Sealing: by the word of an operator who was shown this
    /// Rebuilding: "you are in", by a decision whose parent is not known here yet.
    std::optional<Decision> told_;
    std::optional<Instant> rebuild_after_;  // our copy failed: no new attempt before this
    bool keeps_copy_ =
        false;  // consented to an election that leaves us in S: follow without a copy
    bool stops_together_ =
        false;  // R13: the flag is ours, the mirror closes once the primary has it
    std::optional<StartRequested> word_;  // --as-source or --force, for when the mirror is open
    bool wanted_again_ = false;           // the stop under way is the system's, not the operator's
    Reason stop_reason_;                  // why this node stopped by itself (restart budget)
    bool copy_flushing_ = false;          // while waiting: the flush before this node leads
    bool copy_durable_ = false;
    AddressProbes probes_;  // while waiting

    // of the step under way
    Instant now_{};
    std::vector<Effect>* effects_ = nullptr;
    std::optional<Report> sent_;
    std::uint64_t serial_ = 0;
};

}  // namespace ha::cluster
