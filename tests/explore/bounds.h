#pragma once

namespace ha::explore {

/// Who decides a change of membership that the nodes cannot agree on. Ping: as Available, once a
/// ping target has answered.
enum class Decider : unsigned char { Witness, Safe, Available, Ping };

/// Where a history begins.
enum class Beginning : unsigned char {
    Pair,     // in sync, A serves
    Alone,    // A serves alone and B, outdated, waits
    Joining,  // and B's copy is complete: the decision that takes it in is on its way
    Ceding,   // as Pair, and A has recorded that it hands over to B, which has not heard so yet
    Unborn,   // two nodes that know nothing; start --as-source is a command
};

/// How much may happen in one history. Everything else may happen at any moment and any number of
/// times: reports late or never, silence, overdue and heard again, deadlines, frames late, reads of
/// the register, exchanges that arrive late or never.
struct Bounds {
    unsigned writes = 1;
    unsigned fsyncs = 0;
    unsigned decisions = 2;  // beyond the pair's first
    unsigned crashes = 1;    // of a clusterd, or power losses
    unsigned breaks = 1;     // of the mirror's stream
    unsigned losses = 1;     // of the witness, or of one answer of it
    unsigned commands = 0;   // stop, stop --all, swap, restart, start
    unsigned stalls = 0;     // "acknowledgements stalled", at any moment
    unsigned slow = 0;       // something else happens before a record, a flush or an answer is done
    unsigned targets = 2;    // nodes that a ping target answers, whichever they are
    unsigned reports = 1;    // of one node that are on their way; those between are lost
    /// Not 0: a node may stand still, so that a lease runs out at any later time. Then nothing that
    /// is left to check rests on a clock, and single execution, which does, is not checked.
    unsigned late = 0;
    unsigned addresses = 0;  // not 0: the module has some, and who has them may answer, or not
    Beginning beginning = Beginning::Pair;
};

}  // namespace ha::explore
