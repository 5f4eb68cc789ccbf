#include "replicatord/fuse/session.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <new>

namespace ha::replicatord::fuse {
namespace {

constexpr unsigned kReservedWorkers = 2;  // for requests that never wait

unsigned worker_count(unsigned wanted) {
    if (wanted != 0) return std::max(wanted, kReservedWorkers + 1);
    return std::clamp(2 * std::thread::hardware_concurrency(), 4U, 16U);
}

std::span<const std::byte> bytes_of(const auto& value) {
    return std::as_bytes(std::span(&value, 1));
}

/// The request was given up by its caller; or the mount is gone, and everything with it.
bool given_up(int error) {
    return error == ENOENT || error == ENODEV || error == ECONNABORTED;
}

}  // namespace

Session::Session(const SessionOptions& options, Handler& handler, io::Fd fd, SharedMemory memory)
    : options_(options), handler_(handler), fd_(std::move(fd)), memory_(std::move(memory)) {
    for (unsigned i = 0; i < options.slots; ++i) {
        std::byte* slot = memory_.data() + i * Request::kSlot;
        auto request = std::make_unique<Request>();
        request->session_ = this;
        request->head_ = new (slot) SlotHead{};
        request->buffer_ = slot + kHeaderRoom;
        free_slots_.push_back(request.get());
        requests_.push_back(std::move(request));
    }
}

Result<std::unique_ptr<Session>> Session::mount(const SessionOptions& options, Handler& handler) {
    auto memory = SharedMemory::create("hamirror-requests", options.slots * Request::kSlot);
    if (!memory) return tl::unexpected(memory.error());
    io::Fd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (!fd) return fail(std::string("cannot open /dev/fuse: ") + std::strerror(errno), errno);
    char data[256];
    std::snprintf(data, sizeof(data),
                  "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other,default_permissions,"
                  "max_read=%zu",
                  fd.get(), options.root_mode, kMaxWrite);
    if (::mount(options.source.c_str(), options.point.c_str(), kMountType, options.mount_flags,
                data) != 0)
        return fail("cannot mount on " + options.point + ": " + std::strerror(errno), errno);
    std::unique_ptr<Session> session(
        new Session(options, handler, std::move(fd), std::move(*memory)));
    if (auto found = session->find_connection(); !found) return tl::unexpected(found.error());
    if (auto agreed = session->negotiate(); !agreed) return tl::unexpected(agreed.error());
    return session;
}

Session::~Session() {
    if (mounted_) {
        // Errors leave nothing to try: closing the descriptor ends the connection as well.
        static_cast<void>(abort());
        if (uppermost(options_.point, connection_))
            ::umount2(options_.point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    }
    join();
}

Result<> Session::find_connection() {
    auto mounts = read_mounts();
    auto mine = std::find_if(mounts.rbegin(), mounts.rend(), [this](const Mount& mount) {
        return mount.point == options_.point && mount.type == kMountType;
    });
    if (mine == mounts.rend()) return fail("the new mount on " + options_.point + " is not there");
    connection_ = mine->minor;
    auto aborter = Aborter::open(options_.point, connection_);
    if (!aborter) return tl::unexpected(aborter.error());
    aborter_ = std::move(*aborter);
    return {};
}

void Session::start() {
    for (unsigned i = 0; i < worker_count(options_.workers); ++i)
        workers_.emplace_back([this] { work(); });
}

void Session::join() {
    {
        std::scoped_lock lock(slots_mutex_);
        stopping_ = true;
    }
    slot_free_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
}

Request* Session::take_slot() {
    std::unique_lock lock(slots_mutex_);
    slot_free_.wait(lock, [this] { return stopping_ || !free_slots_.empty(); });
    if (stopping_) return nullptr;
    Request* request = free_slots_.back();
    free_slots_.pop_back();
    request->head_->state.store(SlotState::kReading, std::memory_order_release);
    return request;
}

void Session::give_slot(Request& request) {
    request.head_->state.store(SlotState::kFree, std::memory_order_release);
    {
        std::scoped_lock lock(slots_mutex_);
        free_slots_.push_back(&request);
    }
    slot_free_.notify_one();
}

/// false: the mount is gone.
bool Session::receive(Request& request) {
    for (;;) {
        ssize_t size = ::read(fd_.get(), request.buffer_, Request::kBuffer);
        if (size < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
        if (size < 0) return false;
        HA_ASSERT(static_cast<std::size_t>(size) >= sizeof(fuse_in_header));
        HA_ASSERT(request.header().len == static_cast<std::uint32_t>(size));
        SlotHead& head = *request.head_;
        head.reply_size = 0;
        head.unique = request.header().unique;
        head.sequence = head.undo_lookup = head.undo_open = 0;
        head.state.store(SlotState::kReceived, std::memory_order_release);
        return true;
    }
}

void Session::work() {
    handler_.worker_started();
    while (Request* request = take_slot()) {
        if (!receive(*request)) {
            give_slot(*request);
            return;
        }
        dispatch(*request);
    }
}

void Session::dispatch(Request& request) {
    if (!handler_.may_wait(request.header().opcode)) return handler_.handle(request);
    Request* next = &request;
    {
        std::scoped_lock lock(waiting_mutex_);
        if (may_be_waiting_ + kReservedWorkers >= worker_count(options_.workers)) {
            waiting_.push_back(next);
            return;
        }
        ++may_be_waiting_;
    }
    while (next != nullptr) {
        handler_.handle(*next);
        std::scoped_lock lock(waiting_mutex_);
        next = waiting_.empty() ? nullptr : waiting_.front();
        if (next != nullptr)
            waiting_.pop_front();
        else
            --may_be_waiting_;
    }
}

int Session::write_message(std::uint64_t unique, int error, std::span<const std::byte> body) const {
    fuse_out_header head{};
    head.len = static_cast<std::uint32_t>(sizeof(head) + body.size());
    head.error = error;
    head.unique = unique;
    iovec parts[2] = {{&head, sizeof(head)}, {const_cast<std::byte*>(body.data()), body.size()}};
    for (;;) {
        ssize_t written = ::writev(fd_.get(), parts, body.empty() ? 1 : 2);
        if (written >= 0) return 0;
        if (errno != EINTR && errno != EAGAIN) return errno;
    }
}

bool Session::answer(Request& request, int error, std::span<const std::byte> body) {
    SlotHead& head = *request.head_;
    head.state.store(SlotState::kAnswered, std::memory_order_release);
    const FileId referred{head.undo_lookup};
    const std::uint64_t opened = head.undo_open;
    int failed = write_message(head.unique, -error, body);
    // The kernel refused the form of the reply. That is our mistake; the caller must not hang.
    if (failed != 0 && !given_up(failed)) failed = write_message(head.unique, -EIO, {});
    give_slot(request);
    if (failed == 0 && error == 0) return true;
    if (referred.value != 0 || opened != 0) handler_.reply_lost(referred, opened);
    return failed == 0;
}

void Session::invalidate_inode(std::uint64_t node) {
    fuse_notify_inval_inode_out out{};
    out.ino = node;  // offset 0, length 0: everything
    write_message(0, kNotifyInvalInode, bytes_of(out));
}

bool Session::invalidate_inodes(const std::vector<std::uint64_t>& nodes, Duration patience) {
    std::mutex mutex;
    std::condition_variable told;
    std::size_t done = 0;
    std::thread telling([&] {
        for (std::uint64_t node : nodes) {
            invalidate_inode(node);
            std::scoped_lock lock(mutex);
            ++done;
            told.notify_one();
        }
    });
    bool in_time = true;
    std::unique_lock lock(mutex);
    while (in_time && done < nodes.size())
        in_time = told.wait_for(lock, patience, [&, before = done] { return done > before; });
    lock.unlock();
    if (!in_time) static_cast<void>(abort());
    telling.join();
    return in_time;
}

void Session::invalidate_entry(std::uint64_t parent, const std::string& name) {
    fuse_notify_inval_entry_out out{};
    out.parent = parent;
    out.namelen = static_cast<std::uint32_t>(name.size());
    std::vector<std::byte> body(sizeof(out) + name.size() + 1);
    std::memcpy(body.data(), &out, sizeof(out));
    std::memcpy(body.data() + sizeof(out), name.data(), name.size());
    write_message(0, kNotifyInvalEntry, body);
}

bool Session::invalidate_all_entries() {
    return can_invalidate_entries() && write_message(0, kNotifyIncEpoch, {}) == 0;
}

// umount(2) writes dirty pages back, through us, and so may take as long as a write may. When the
// bound is over the connection is aborted, which ends every wait in it.
bool Session::unmount_within(Duration bound) {
    std::promise<int> done;
    auto result = done.get_future();
    std::thread unmounting([this, &done] {
        done.set_value(::umount2(options_.point.c_str(), UMOUNT_NOFOLLOW) == 0 ? 0 : errno);
    });
    if (result.wait_for(bound) != std::future_status::ready) static_cast<void>(abort());
    unmounting.join();
    return result.get() == 0;
}

Result<std::vector<Holder>> Session::unmount(Duration bound) {
    std::vector<Holder> holders;
    if (!mounted_) return holders;
    // Somebody may have unmounted ours behind our back; what is there then is not ours to remove.
    if (uppermost(options_.point, connection_) && !unmount_within(bound)) {
        holders = find_holders(options_.point);
        if (::umount2(options_.point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL)
            return fail("cannot unmount " + options_.point + ": " + std::strerror(errno), errno);
    }
    // Also after a clean unmount: another mount namespace may have a copy of the mount.
    if (auto aborted = abort(); !aborted) return tl::unexpected(aborted.error());
    mounted_ = false;
    join();
    return holders;
}

Result<> Session::leave() {
    if (!mounted_) return {};
    auto aborted = abort();
    if (!aborted) return aborted;
    mounted_ = false;
    join();
    return {};
}

}  // namespace ha::replicatord::fuse
