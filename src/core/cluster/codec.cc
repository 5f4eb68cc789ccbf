#include "core/cluster/codec.h"

#include "base/bytes.h"

namespace ha::cluster {
namespace {

constexpr std::size_t kMaxText = 2048;

void put(ByteWriter& out, const Decision& decision) {
    out.u64(decision.number.value);
    out.id(decision.id);
    out.id(decision.parent);
    out.u8(static_cast<std::uint8_t>(decision.primary));
    out.u8(static_cast<std::uint8_t>((decision.in_sync.first ? 1 : 0) |
                                     (decision.in_sync.second ? 2 : 0)));
    out.u8(static_cast<std::uint8_t>(decision.cause));
    out.id(decision.overrides);
}

void put(ByteWriter& out, const std::optional<Decision>& decision) {
    out.u8(decision ? 1 : 0);
    if (decision) put(out, *decision);
}

void put(ByteWriter& out, const std::optional<Exchange>& exchange) {
    out.u8(exchange ? 1 : 0);
    if (!exchange) return;
    out.id(exchange->expected);
    put(out, exchange->decision);
}

void put(ByteWriter& out, const FailoverSwitch& word) {
    out.u64(word.number);
    out.u8(word.automatic ? 1 : 0);
    out.u8(word.file ? 1 : 0);
}

void put(ByteWriter& out, const std::optional<Progress>& progress) {
    out.u8(progress ? 1 : 0);
    if (!progress) return;
    out.u64(progress->own);
    out.u64(progress->peer);
}

void put(ByteWriter& out, const Chain& chain) {
    out.u32(static_cast<std::uint32_t>(chain.entries().size()));
    for (const ChainEntry& entry : chain.entries()) {
        put(out, entry.decision);
        out.u8(entry.used ? 1 : 0);
        out.u8(static_cast<std::uint8_t>(entry.confirmation));
    }
}

/// Reads and remembers whether every value was one that exists.
class Checked {
  public:
    explicit Checked(std::span<const std::byte> in) : in_(in) {}

    bool flag() { return bounded(1) != 0; }
    template <typename E>
    E choice(E last) {
        return static_cast<E>(bounded(static_cast<std::uint8_t>(last)));
    }

    Decision decision() {
        Decision value;
        value.number = Epoch{in_.u64()};
        value.id = in_.id();
        value.parent = in_.id();
        value.primary = choice(Node::Second);
        std::uint8_t members = bounded(3);
        value.in_sync = {(members & 1) != 0, (members & 2) != 0};
        value.cause = choice(Cause::Forced);
        value.overrides = in_.id();
        return value;
    }

    std::optional<Decision> maybe_decision() {
        if (!flag()) return std::nullopt;
        return decision();
    }

    std::optional<Exchange> maybe_exchange() {
        if (!flag()) return std::nullopt;
        Exchange exchange;
        exchange.expected = in_.id();
        exchange.decision = decision();
        return exchange;
    }

    std::optional<Node> maybe_node() {
        const std::uint8_t value = bounded(2);
        if (value == 0) return std::nullopt;
        return value == 1 ? Node::First : Node::Second;
    }

    FailoverSwitch failover() {
        FailoverSwitch word;
        word.number = in_.u64();
        word.automatic = flag();
        word.file = flag();
        return word;
    }

    std::optional<Progress> maybe_progress() {
        if (!flag()) return std::nullopt;
        Progress progress;
        progress.own = in_.u64();
        progress.peer = in_.u64();
        return progress;
    }

    Chain chain() {
        std::uint32_t count = in_.u32();
        if (count > Chain::kMaxChain) valid_ = false;
        std::vector<ChainEntry> entries;
        for (std::uint32_t i = 0; i < count && valid_ && in_.ok(); ++i) {
            ChainEntry entry;
            entry.decision = decision();
            entry.used = flag();
            entry.confirmation = choice(Confirmation::Operator);
            entries.push_back(entry);
        }
        if (!in_.ok() || !valid_) return {};
        auto made = make_chain(std::move(entries));
        if (made) return *made;
        problem_ = made.error().text;
        valid_ = false;
        return {};
    }

    ByteReader& raw() { return in_; }
    [[nodiscard]] bool done() const { return valid_ && in_.done(); }
    [[nodiscard]] std::string problem() const {
        return problem_.empty() ? "it is cut short or holds a value that does not exist" : problem_;
    }

  private:
    std::uint8_t bounded(std::uint8_t last) {
        std::uint8_t value = in_.u8();
        if (value <= last) return value;
        valid_ = false;
        return 0;
    }

    ByteReader in_;
    bool valid_ = true;
    std::string problem_;
};

}  // namespace

std::vector<std::byte> encode(const Record& record) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u16(kRecordVersion);
    out.id(record.module_id);
    put(out, record.chain);
    out.u8(record.outdated ? 1 : 0);
    put(out, record.ceding);
    put(out, record.exchange);
    out.id(record.witness);
    out.u8(record.witness_open ? 1 : 0);
    out.u8(record.proposed ? 1 : 0);
    out.id(record.stopped_together);
    out.u8(record.wanted ? 1 : 0);
    out.id(record.open_boot);
    out.u8(record.power_lost ? 1 : 0);
    out.u32(record.restarts);
    put(out, record.failover);
    out.u8(static_cast<std::uint8_t>(record.at_boot));
    out.id(record.last_boot);
    out.id(record.abandoned);
    return bytes;
}

Result<Record> decode_record(std::span<const std::byte> bytes) {
    Checked in(bytes);
    std::uint16_t version = in.raw().u16();
    if (version < 1 || version > kRecordVersion) {
        return fail("the module's record has version " + std::to_string(version) +
                    ", this program knows version " + std::to_string(kRecordVersion));
    }
    Record record;
    record.module_id = in.raw().id();
    record.chain = in.chain();
    record.outdated = in.flag();
    record.ceding = in.maybe_decision();
    if (version >= 2) record.exchange = in.maybe_exchange();
    if (version >= 3) {
        record.witness = in.raw().id();
        record.witness_open = in.flag();
        record.proposed = in.flag();
    }
    record.stopped_together = in.raw().id();
    record.wanted = in.flag();
    record.open_boot = in.raw().id();
    record.power_lost = in.flag();
    record.restarts = in.raw().u32();
    if (version >= 4) {
        record.failover = in.failover();
        record.at_boot = in.choice(AtBoot::Always);
        record.last_boot = in.raw().id();
    }
    if (version >= 5) record.abandoned = in.raw().id();
    if (!in.done()) return fail("the module's record is damaged: " + in.problem());
    return record;
}

std::vector<std::byte> encode(const Report& report) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u16(kReportVersion);
    out.u64(report.serial);
    out.id(report.boot);
    out.id(report.module_id);
    put(out, report.chain);
    out.u8(report.outdated ? 1 : 0);
    out.u8(report.power_lost ? 1 : 0);
    put(out, report.ceding);
    out.id(report.stopped_together);
    out.u8(static_cast<std::uint8_t>(report.activity));
    out.u8(report.data_ok ? 1 : 0);
    put(out, report.progress);
    out.id(report.term);
    out.u64(report.attempt);
    put(out, report.proposal);
    out.id(report.withdrawn);
    out.id(report.withdrawn_heard);
    out.u8(report.leaving ? 1 : 0);
    out.id(report.stopping_together);
    out.u8(report.keeps_copy ? 1 : 0);
    out.u8(report.restarts_spent ? 1 : 0);
    put(out, report.failover);
    out.u8(!report.preferred ? 0 : report.preferred == Node::First ? 1 : 2);
    out.u8(static_cast<std::uint8_t>(report.at_boot));
    out.u64(report.rules);
    out.id(report.witness);
    out.id(report.witness_configured);
    out.id(report.witness_mark);
    out.id(report.witness_heard);
    out.text(report.state);
    out.text(report.readiness);
    out.text(report.reason_code);
    out.text(report.reason);
    return bytes;
}

Result<Report> decode_report(std::span<const std::byte> bytes) {
    Checked in(bytes);
    std::uint16_t version = in.raw().u16();
    if (version != kReportVersion) {
        return fail("the peer's report has version " + std::to_string(version) +
                    ", this program knows version " + std::to_string(kReportVersion));
    }
    Report report;
    report.serial = in.raw().u64();
    report.boot = in.raw().id();
    report.module_id = in.raw().id();
    report.chain = in.chain();
    report.outdated = in.flag();
    report.power_lost = in.flag();
    report.ceding = in.maybe_decision();
    report.stopped_together = in.raw().id();
    report.activity = in.choice(Activity::Leaving);
    report.data_ok = in.flag();
    report.progress = in.maybe_progress();
    report.term = in.raw().id();
    report.attempt = in.raw().u64();
    report.proposal = in.maybe_decision();
    report.withdrawn = in.raw().id();
    report.withdrawn_heard = in.raw().id();
    report.leaving = in.flag();
    report.stopping_together = in.raw().id();
    report.keeps_copy = in.flag();
    report.restarts_spent = in.flag();
    report.failover = in.failover();
    report.preferred = in.maybe_node();
    report.at_boot = in.choice(AtBoot::Always);
    report.rules = in.raw().u64();
    report.witness = in.raw().id();
    report.witness_configured = in.raw().id();
    report.witness_mark = in.raw().id();
    report.witness_heard = in.raw().id();
    report.state = in.raw().text(kMaxText);
    report.readiness = in.raw().text(kMaxText);
    report.reason_code = in.raw().text(kMaxText);
    report.reason = in.raw().text(kMaxText);
    if (!in.done()) return fail("the peer's report is damaged: " + in.problem());
    return report;
}

std::vector<std::byte> encode(const Decision& decision) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    put(out, decision);
    return bytes;
}

Result<Decision> decode_decision(std::span<const std::byte> bytes) {
    Checked in(bytes);
    Decision decision = in.decision();
    if (!in.done()) return fail("a decision that came over the mirror stream is damaged");
    return decision;
}

}  // namespace ha::cluster
