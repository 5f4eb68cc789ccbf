#include "replicatord/applier.h"

#include <cerrno>

namespace ha::replicatord {

using namespace replication;

namespace {

const char* failure_code(int error) {
    if (error == ENOSPC || error == EDQUOT) return "disk-full";
    if (error == EIO || error == EROFS) return "io-error";
    return "copy-mismatch";
}

std::string describe(const Applier::Item& item) {
    static constexpr const char* kOperations[] = {
        "write",     "create",       "link",     "unlink", "rename", "attributes",
        "set xattr", "remove xattr", "allocate", "fsync",  "release"};
    static constexpr const char* kCopies[] = {"begin",  "list",  "listed", "attach",  "detach",
                                              "hashes", "final", "end",    "barrier", "tell in"};
    static_assert(std::size(kOperations) == std::variant_size_v<Body>);
    static_assert(std::size(kCopies) == std::variant_size_v<CopyBody>);
    std::string text = "record " + std::to_string(item.sequence.value) + ", ";
    if (const auto* copy = std::get_if<CopyRecord>(&item.record)) {
        return text + "copy " + kCopies[copy->body.index()];
    }
    const auto& body = std::get<Operation>(item.record).body;
    auto id = std::visit([](const auto& operation) { return operation.id; }, body);
    return text + kOperations[body.index()] + " of file " + std::to_string(id.value);
}

}  // namespace

Applier::Applier(Tree& tree, std::function<Result<>()> sync_all, Listener listener)
    : tree_(tree),
      sync_all_(std::move(sync_all)),
      listener_(std::move(listener)),
      orphans_(tree),
      apply_(tree, orphans_),
      target_(tree, orphans_, apply_) {
    threads_.emplace_back([this] { apply_loop(); });
    for (std::size_t i = 0; i < kSyncThreads; ++i) {
        threads_.emplace_back([this] { sync_loop(); });
    }
}

Applier::~Applier() {
    {
        std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    sync_changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void Applier::enqueue(Item item) {
    std::unique_lock lock(mutex_);
    const auto dropped = [&] { return failed_ || stopping_ || item.role != role_; };
    changed_.wait(lock, [&] { return queued_bytes_ < kMaxQueuedBytes || dropped(); });
    if (dropped()) return;
    queued_bytes_ += item.bytes;
    queue_.push_back(std::move(item));
    changed_.notify_all();
}

std::optional<Sequence> Applier::begin_role(std::uint64_t role) {
    std::scoped_lock lock(mutex_);
    role_ = role;
    queue_.clear();
    queued_bytes_ = 0;
    changed_.notify_all();
    return applying_;
}

bool Applier::wait_until_idle(Duration patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return !applying_; });
}

void Applier::settle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return (queue_.empty() && !applying_) || failed_ || stopping_; });
}

void Applier::restart() {
    settle();
    std::unique_lock lock(mutex_);
    ++generation_;
    syncs_.clear();
    changed_.wait(lock, [&] { return !applying_ && reporting_ == 0; });
    queue_.clear();
    queued_bytes_ = 0;
    failed_ = false;
}

void Applier::apply_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return stopping_ || (!queue_.empty() && !failed_); });
        if (stopping_) return;
        Item item = std::move(queue_.front());
        queue_.pop_front();
        queued_bytes_ -= item.bytes;
        applying_ = item.sequence;
        lock.unlock();
        auto done = apply(item);
        if (done) {
            listener_.applied(item.sequence);
        } else {
            Error error = done.error();
            error.text += " (" + describe(item) + ")";
            fail_copy(error, item.role);
        }
        lock.lock();
        applying_.reset();
        changed_.notify_all();
    }
}

Result<> Applier::apply(const Item& item) {
    if (const auto* operation = std::get_if<Operation>(&item.record)) {
        if (auto done = apply_.apply(*operation); !done) return done;
        const auto* fsync = std::get_if<Fsync>(&operation->body);
        const auto* write = std::get_if<Write>(&operation->body);
        if (fsync == nullptr && (write == nullptr || !write->durable)) return {};
        FileId id = fsync != nullptr ? fsync->id : write->id;
        bool data_only = fsync == nullptr || fsync->data_only;
        sync_later(item.sequence,
                   [this, id, data_only] { return Apply::sync(tree_, id, data_only); });
        return {};
    }
    const auto& record = std::get<CopyRecord>(item.record);
    if (std::holds_alternative<Barrier>(record.body)) {
        sync_later(item.sequence, sync_all_);
        return {};
    }
    if (const auto* tell = std::get_if<TellIn>(&record.body)) {
        listener_.told(*tell, item.role);
        return {};
    }
    return target_.apply(record, listener_.answered);
}

void Applier::sync_later(Sequence sequence, std::function<Result<>()> call) {
    std::scoped_lock lock(mutex_);
    syncs_.push_back({generation_, sequence, std::move(call)});
    sync_changed_.notify_one();
}

void Applier::sync_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        sync_changed_.wait(lock, [&] { return stopping_ || !syncs_.empty(); });
        if (stopping_) return;
        Sync sync = std::move(syncs_.front());
        syncs_.pop_front();
        lock.unlock();
        auto done = sync.call();
        lock.lock();
        if (sync.generation != generation_) continue;
        ++reporting_;
        lock.unlock();
        report(sync.sequence, done);
        lock.lock();
        --reporting_;
        changed_.notify_all();
    }
}

void Applier::report(Sequence sequence, const Result<>& done) {
    listener_.durable({sequence, done ? 0 : static_cast<std::uint32_t>(done.error().code)});
    if (!done) fail_copy(done.error(), std::nullopt);
}

void Applier::fail_copy(const Error& error, std::optional<std::uint64_t> role) {
    {
        std::scoped_lock lock(mutex_);
        if (failed_) return;
        failed_ = true;
        changed_.notify_all();
    }
    listener_.failed({failure_code(error.code), error.text}, role);
}

}  // namespace ha::replicatord
