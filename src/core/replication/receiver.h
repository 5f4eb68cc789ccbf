#pragma once

#include <optional>
#include <variant>

#include "core/replication/session.h"

namespace ha::replication {

/// The secondary's side of a term, across connections: whom it accepts, which number comes next,
/// what it may still acknowledge. R2: frames of an older decision than the newest seen, or of a
/// foreign term, are refused. R12: once sealed, everything of the sealed decisions is.
/// Pure: the caller's lock protects it.
class Receiver {
  public:
    explicit Receiver(const Id128& incarnation) : incarnation_(incarnation) {}

    /// Frames are accepted from the primary of `term` under decisions numbered `epoch` or more.
    /// The same role in the same term again keeps the numbers, and a failed copy stays failed until
    /// it is the target of a resync or the term is another. A seal ends when this node becomes the
    /// target of a resync under a sealed number (the other branch was chosen): its copy is undone.
    /// Else HA_ASSERTs that the decision is not sealed.
    void follow(const Id128& module, const Id128& term, Epoch epoch, bool target);
    void stop();
    void seal(Epoch epoch);
    /// The copy cannot follow: nothing more is accepted in this term.
    void copy_failed() { failed_ = true; }
    /// What came after `last` was dropped before it was applied, so before it was acknowledged: in
    /// the same term it is to come again.
    void forget_after(Sequence last);
    /// The target was told that it is in.
    void told_in(Epoch epoch);

    /// The primary's Hello: our Hello, or why not. Begins a connection.
    std::variant<Hello, Refusal> greet(const Hello& theirs);
    void disconnected() { connected_ = false; }

    enum class Verdict : std::uint8_t { Apply, Duplicate, Gap, Refused };
    /// A numbered frame on the present connection. Apply: it counts as received now.
    Verdict receive(Sequence sequence);

    [[nodiscard]] bool following() const { return following_; }
    [[nodiscard]] bool target() const { return target_; }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] Sequence received() const { return received_; }
    [[nodiscard]] const Id128& term() const { return term_; }
    [[nodiscard]] bool sealed(Epoch epoch) const { return sealed_ && epoch <= sealed_up_to_; }

  private:
    [[nodiscard]] std::optional<Refusal> objection(const Hello& theirs) const;

    Id128 incarnation_;
    Id128 module_;
    Id128 term_;
    Id128 primary_incarnation_;
    Epoch epoch_;  // the newest seen
    Epoch sealed_up_to_;
    Epoch connection_epoch_;
    bool sealed_ = false;
    bool following_ = false;
    bool target_ = false;
    bool failed_ = false;
    bool connected_ = false;
    Sequence received_;
};

}  // namespace ha::replication
