#include "witness/daemon.h"

#include <algorithm>

#include "base/overloaded.h"
#include "io/boot_id.h"
#include "io/clock.h"
#include "io/durable_file.h"
#include "io/log.h"
#include "io/pairing_wire.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

constexpr const char* kAgain = "run `hamirror-witness token` there";

RegisterAnswer shown(const Cluster& cluster) {
    RegisterAnswer out;
    out.outcome = RegisterOutcome::Shown;
    out.stamp = {cluster.store, cluster.counter};
    return out;
}

RegisterAnswer uncertain(const std::string& why) {
    RegisterAnswer out;
    out.text = why;
    return out;
}

std::string damaged_text(const std::string& why) {
    return "the witness's store of this cluster cannot be used: " + why;
}

}  // namespace

Daemon::Daemon(io::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      tokens_(options_.run),
      store_(loop, options_.state) {}

Daemon::~Daemon() = default;

Result<> Daemon::start() {
    auto lock = lock_store(options_.state);
    if (!lock) return tl::unexpected(lock.error());
    lock_ = std::move(*lock);
    auto identity = witness_identity(options_.state);
    if (!identity) return tl::unexpected(identity.error());
    identity_ = std::move(*identity);
    if (auto loaded = load(); !loaded) return loaded;
    if (auto listening = listen(); !listening) return listening;
    show_status();
    return {};
}

Result<> Daemon::load() {
    auto made = io::make_directories_durable(options_.state + "/clusters", 0700);
    if (!made) return made;
    auto loaded = load_clusters(options_.state);
    if (!loaded) return tl::unexpected(loaded.error());
    for (auto& [store, cluster] : *loaded) {
        Entry& entry = entries_[store];
        if (cluster) {
            entry.cluster = std::move(*cluster);
        } else {
            entry.cluster.store = store;
            damaged(entry, cluster.error().text);
        }
    }
    return {};
}

Result<> Daemon::listen() {
    auto context = io::TlsContext::create(*identity_);
    if (!context) return tl::unexpected(context.error());
    io::TlsListener::Callbacks callbacks;
    callbacks.on_stream = [this](std::unique_ptr<io::TlsStream> stream) {
        adopt(std::move(stream));
    };
    callbacks.on_failed = [](const std::string& why) {
        io::log(io::Level::Debug, "A connection failed: " + why);
    };
    listener_ = std::make_unique<io::TlsListener>(loop_, *context, std::move(callbacks));
    if (options_.addresses.empty()) {
        // "::" takes IPv4, too; a kernel without IPv6 has only that.
        if (listener_->listen("::", options_.port)) return {};
        options_.addresses = {"0.0.0.0"};
    }
    for (const auto& address : options_.addresses) {
        auto bound = listener_->listen(address, options_.port);
        if (!bound) return tl::unexpected(bound.error());
    }
    return {};
}

// ---- connections

bool Daemon::knows(const Key& key) const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](const auto& each) { return each.second.cluster.has(key); });
}

std::size_t Daemon::strangers() const {
    return static_cast<std::size_t>(
        std::count_if(sessions_.begin(), sessions_.end(), [this](const auto& each) {
            return !each.second.store && !knows(each.second.stream->peer().bytes);
        }));
}

void Daemon::adopt(std::unique_ptr<io::TlsStream> stream) {
    const bool known = knows(stream->peer().bytes);
    if (stream->protocol() != io::kWitnessProtocol ||
        sessions_.size() >= 2 * kMaxClusters + kMaxStrangers ||
        (!known && strangers() >= kMaxStrangers)) {
        return;
    }
    const SessionId id = ++last_session_;
    stream->set_frame_limit(io::kMaxWitnessFrame);
    stream->set_unsent_limit(kMaxAnswersUnsent);
    io::TlsStream::Callbacks callbacks;
    callbacks.on_frame = [this, id](std::span<const std::byte> frame) { received(id, frame); };
    callbacks.on_closed = [this, id](const std::string&) { close(id); };
    stream->set_callbacks(std::move(callbacks));
    Session& session = sessions_[id];
    session.stream = std::move(stream);
    session.limit = std::make_unique<io::Timer>(loop_);
    session.limit->arm(io::boot_now() + kHelloTimeout, [this, id] { close(id); });
}

void Daemon::close(SessionId id) {
    sessions_.erase(id);
    show_status();
}

void Daemon::received(SessionId id, std::span<const std::byte> frame) {
    auto message = io::decode_witness_message(frame);
    if (!message) return close(id);
    const bool greeted = sessions_.at(id).store.has_value();
    std::visit(
        Overloaded{[&](const io::WitnessHello& one) { greeted ? close(id) : hello(id, one); },
                   [&](const io::WitnessEnrol& one) { greeted ? close(id) : enrol(id, one); },
                   [&](const io::WitnessAsk& one) { greeted ? ask(id, one) : close(id); }},
        *message);
}

void Daemon::answer(SessionId id, std::uint64_t number, const RegisterAnswer& answer) {
    auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    found->second.stream->send(io::encode(io::WitnessAnswer{number, answer}));
}

void Daemon::refuse(SessionId id, RegisterRefusal why, const std::string& text) {
    answer(id, 0, refusal({}, why, text));
    if (auto found = sessions_.find(id); found != sessions_.end()) found->second.stream->finish();
}

void Daemon::hello(SessionId id, const io::WitnessHello& message) {
    if (message.version != io::kWitnessVersion) {
        return refuse(id, RegisterRefusal::Version,
                      "this witness speaks version " + std::to_string(io::kWitnessVersion) +
                          " of its protocol; install the same release");
    }
    Session& session = sessions_.at(id);
    const Key& key = session.stream->peer().bytes;
    auto found = entries_.find(message.store);
    if (found != entries_.end() && !found->second.damage.empty()) {
        return refuse(id, RegisterRefusal::Damaged, damaged_text(found->second.damage));
    }
    if (found == entries_.end() || !found->second.cluster.has(key)) {
        const bool known = knows(key);
        return refuse(id, known ? RegisterRefusal::Foreign : RegisterRefusal::NotPaired,
                      known ? "this is not the store the witness has for this pair; it was paired "
                              "anew since"
                            : "the witness does not know this pair; pair it there");
    }
    // A node that comes again has given up its connection before.
    std::erase_if(sessions_, [&](const auto& each) {
        return each.second.store == message.store && each.second.stream->peer().bytes == key;
    });
    session.limit->cancel();
    session.store = message.store;
    answer(id, 0, shown(found->second.cluster));
    show_status();
}

// ---- pairing

void Daemon::enrol(SessionId id, const io::WitnessEnrol& message) {
    io::TlsStream& stream = *sessions_.at(id).stream;
    Cluster fresh;
    fresh.name = message.name;
    fresh.keys = {stream.peer().bytes, message.peer.bytes};
    if (!good_name(fresh.name) || fresh.keys[0] == fresh.keys[1]) {
        return refuse(id, RegisterRefusal::Invalid, "a name or key of the pair cannot be");
    }
    for (const auto& [store, entry] : entries_) {
        if (!entry.busy && entry.cluster.has(fresh.keys[0]) && entry.cluster.has(fresh.keys[1])) {
            return answer(id, 0, shown(entry.cluster));  // it missed our last word
        }
    }
    if (entries_.size() >= kMaxClusters) {
        return refuse(id, RegisterRefusal::Full, "the witness has no room for another cluster");
    }
    auto channel = io::pairing::channel_of(stream, identity_->fingerprint(), stream.peer());
    auto checked = channel.and_then([&](const io::PairingChannel& one) {
        return io::pairing::check_token(tokens_, one, message.proof, kAgain);
    });
    if (checked) checked = tokens_.use_up();  // first, so that it can never be used twice
    if (!checked) {
        io::log(
            io::Level::Warning, api::message::kWitnessPairingRefused, {},
            "Somebody tried to pair with this witness and was refused: " + checked.error().text);
        return refuse(id, RegisterRefusal::NotPaired, checked.error().text);
    }
    fresh.store = io::random_id();
    Entry& entry = entries_[fresh.store];
    entry.cluster = fresh;
    entry.busy = true;
    store_.write(std::nullopt, fresh,
                 [this, id, store = fresh.store](Store::Outcome outcome, const std::string& why) {
                     enrolled(id, store, outcome, why);
                 });
}

void Daemon::enrolled(SessionId id, const Id128& store, Store::Outcome outcome,
                      const std::string& why) {
    Entry& entry = entries_.at(store);
    entry.busy = false;
    if (outcome == Store::Outcome::Written) {
        io::log(io::Level::Notice, api::message::kWitnessPaired, {},
                "The cluster " + entry.cluster.name + " is paired with this witness.");
        answer(id, 0, shown(entry.cluster));
    } else {
        io::log(io::Level::Error, api::message::kRegisterNotWritten, {},
                "A cluster could not be paired with this witness: " + why);
        if (outcome == Store::Outcome::Unknown) damaged(entry, why);
        if (outcome == Store::Outcome::NotWritten) entries_.erase(store);
        refuse(id, RegisterRefusal::Unwritable, "the witness cannot write its store: " + why);
    }
    show_status();
}

// ---- requests

void Daemon::ask(SessionId id, const io::WitnessAsk& message) {
    const Id128 store = *sessions_.at(id).store;
    Entry& entry = entries_.at(store);
    if (entry.waiting.size() >= kMaxWaiting) {
        return answer(id, message.number,
                      refusal(entry.cluster, RegisterRefusal::Unreachable,
                              "too many requests of this pair wait for the witness"));
    }
    entry.waiting.push_back({id, message.number, message.request});
    serve(store);
}

void Daemon::serve(const Id128& store) {
    Entry& entry = entries_.at(store);
    while (!entry.busy && !entry.waiting.empty()) {
        Job job = std::move(entry.waiting.front());
        entry.waiting.pop_front();
        if (sessions_.count(job.session) == 0) continue;  // its node has given it up
        if (!entry.damage.empty()) {
            answer(job.session, job.number,
                   refusal(entry.cluster, RegisterRefusal::Damaged, damaged_text(entry.damage)));
            continue;
        }
        Step taken = step(entry.cluster, job.request);
        if (taken.next) {
            begin(entry, std::move(job), std::move(taken));
        } else {
            answer(job.session, job.number, taken.answer);
        }
    }
}

void Daemon::begin(Entry& entry, Job job, Step step) {
    entry.busy = true;
    const Cluster next = *step.next;
    store_.write(entry.cluster, next,
                 [this, store = next.store, job = std::move(job), step = std::move(step)](
                     Store::Outcome outcome, const std::string& why) {
                     finish(store, job, step, outcome, why);
                 });
}

void Daemon::finish(const Id128& store, const Job& job, Step step, Store::Outcome outcome,
                    const std::string& why) {
    Entry& entry = entries_.at(store);
    entry.busy = false;
    switch (outcome) {
        case Store::Outcome::Written:
            if (step.next->behind != 0) {
                io::log(io::Level::Error, api::message::kRegisterBehind, {},
                        "The registers of cluster " + entry.cluster.name + " (" + store.text() +
                            ") are refused: " + step.answer.text + ".");
            }
            entry.cluster = std::move(*step.next);
            if (entry.cluster.behind != 0) show_status();
            break;
        case Store::Outcome::NotWritten:
            io::log(io::Level::Error, api::message::kRegisterNotWritten, {},
                    "A register of cluster " + entry.cluster.name + " was not changed: " + why);
            step.answer = refusal(entry.cluster, RegisterRefusal::Unwritable,
                                  "the witness cannot write its store: " + why);
            break;
        case Store::Outcome::Unknown:
            damaged(entry, why);
            step.answer = uncertain(damaged_text(why));
            break;
    }
    answer(job.session, job.number, step.answer);
    serve(store);
}

void Daemon::damaged(Entry& entry, const std::string& why) {
    entry.damage = why;
    show_status();
    io::log(io::Level::Error, api::message::kRegisterDamaged, {},
            "The registers of cluster " + entry.cluster.store.text() + " cannot be used: " + why);
}

void Daemon::show_status() const {
    std::size_t bad = 0;
    std::size_t nodes = 0;
    for (const auto& [store, entry] : entries_) {
        if (!entry.damage.empty() || entry.cluster.behind != 0) ++bad;
    }
    for (const auto& [id, session] : sessions_) nodes += session.store ? 1 : 0;
    std::string text = std::to_string(entries_.size()) + " clusters, " + std::to_string(nodes) +
                       " nodes connected";
    if (bad > 0) {
        text += "; " + std::to_string(bad) + " clusters refused, see: hamirror-witness clusters";
    }
    io::notify_status(text);
}

}  // namespace ha::witness
