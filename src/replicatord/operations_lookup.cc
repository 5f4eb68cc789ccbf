#include <sys/vfs.h>
#include <unistd.h>

#include <climits>

#include "replicatord/operations_impl.h"

namespace ha::replicatord {
namespace {

constexpr std::uint64_t kForEver_s = 1U << 30U;

}  // namespace

std::uint64_t Operations::attribute_timeout_s() const {
    return serving() ? kForEver_s : 0;
}

std::uint64_t Operations::entry_timeout_s() const {
    if (!serving()) return 0;
    return short_entries_ ? kShortTimeout_s : kForEver_s;
}

void Operations::fill(fuse_attr& out, FileId id, const struct stat& attributes) {
    out.ino = id.value;
    out.size = static_cast<std::uint64_t>(attributes.st_size);
    out.blocks = static_cast<std::uint64_t>(attributes.st_blocks);
    out.atime = static_cast<std::uint64_t>(attributes.st_atim.tv_sec);
    out.mtime = static_cast<std::uint64_t>(attributes.st_mtim.tv_sec);
    out.ctime = static_cast<std::uint64_t>(attributes.st_ctim.tv_sec);
    out.atimensec = static_cast<std::uint32_t>(attributes.st_atim.tv_nsec);
    out.mtimensec = static_cast<std::uint32_t>(attributes.st_mtim.tv_nsec);
    out.ctimensec = static_cast<std::uint32_t>(attributes.st_ctim.tv_nsec);
    out.mode = attributes.st_mode;
    out.nlink = static_cast<std::uint32_t>(attributes.st_nlink);
    out.uid = attributes.st_uid;
    out.gid = attributes.st_gid;
    out.rdev = static_cast<std::uint32_t>(attributes.st_rdev);
    out.blksize = static_cast<std::uint32_t>(attributes.st_blksize);
    // Nobody may count the orphan directory (some file systems count subdirectories, some do not).
    if (id == Tree::root_id(root_) && out.nlink > 2) --out.nlink;
    // The name of an orphan is none that anybody else may know of.
    shared_.inodes->visit(id, [&](const fuse::InodeEntry& entry) {
        if ((entry.flags & fuse::InodeEntry::kOrphan) != 0 && out.nlink > 0) --out.nlink;
    });
}

void Operations::fill(fuse_attr_out& out, FileId id, const struct stat& attributes) {
    out.attr_valid = attribute_timeout_s();
    fill(out.attr, id, attributes);
}

void Operations::fill(fuse_entry_out& out, FileId id, const struct stat& attributes) {
    out.nodeid = node_of(id);
    out.entry_valid = entry_timeout_s();
    out.attr_valid = attribute_timeout_s();
    fill(out.attr, id, attributes);
}

void Operations::prepare_entry(Request& request, FileId id, const struct stat& attributes) {
    request.undo_lookup(id);
    fuse_entry_out out{};
    fill(out, id, attributes);
    request.prepare(out);
}

Operations::Outcome Operations::lookup(Request& request) {
    std::size_t at = 0;
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    struct stat attributes {};
    auto id = shared_.tree.lookup(id_of(request), *name, &attributes, unknown());
    if (id) {
        if (!refer(*id)) return failed(ENFILE);
        prepare_entry(request, *id, attributes);
        return done();
    }
    if (id.error().code != ENOENT || !serving()) return failed(id.error());
    fuse_entry_out nothing{};  // node 0: the kernel remembers that there is nothing
    nothing.entry_valid = entry_timeout_s();
    request.prepare(nothing);
    return done();
}

Operations::Outcome Operations::forget(Request& request) {
    forget(id_of(request), request.argument<fuse_forget_in>().nlookup);
    request.no_reply();
    return replied();
}

Operations::Outcome Operations::batch_forget(Request& request) {
    const std::uint32_t count = request.argument<fuse_batch_forget_in>().count;
    auto list = request.rest(sizeof(fuse_batch_forget_in));
    for (std::uint32_t i = 0; i < count && list.size() >= sizeof(fuse_forget_one); ++i) {
        fuse_forget_one one{};
        std::memcpy(&one, list.data(), sizeof(one));
        list = list.subspan(sizeof(one));
        forget(id_of(one.nodeid), one.nlookup);
    }
    request.no_reply();
    return replied();
}

Result<struct stat> Operations::attributes_of(FileId id) {
    struct stat out {};
    auto fd = shared_.tree.cached(id, O_PATH);
    if (fd) {
        if (::fstat((*fd)->get(), &out) != 0) return fail("cannot stat", errno);
        return out;
    }
    std::scoped_lock lock(shared_.ghosts_mutex);
    auto ghost = shared_.ghosts.find(id);
    if (ghost == shared_.ghosts.end()) return tl::unexpected(fd.error());
    return ghost->second;
}

bool Operations::is_ghost(FileId id) {
    std::scoped_lock lock(shared_.ghosts_mutex);
    return shared_.ghosts.contains(id);
}

Operations::Outcome Operations::getattr(Request& request) {
    const FileId id = id_of(request);
    auto attributes = attributes_of(id);
    if (!attributes) return failed(attributes.error());
    fuse_attr_out out{};
    fill(out, id, *attributes);
    request.prepare(out);
    return done();
}

Operations::Outcome Operations::readlink(Request& request) {
    auto fd = shared_.tree.cached(id_of(request), O_PATH);
    if (!fd) return failed(fd.error());
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat((*fd)->get(), "", target, sizeof(target));
    if (size < 0) return failed(errno);
    request.finish_with(std::as_bytes(std::span(target, static_cast<std::size_t>(size))));
    return replied();
}

Operations::Outcome Operations::statfs(Request& request) {
    struct statfs now {};
    if (::fstatfs(shared_.tree.root_fd(root_), &now) != 0) return failed(errno);
    fuse_statfs_out out{};
    out.st.blocks = now.f_blocks;
    out.st.bfree = now.f_bfree;
    out.st.bavail = now.f_bavail;
    out.st.files = now.f_files;
    out.st.ffree = now.f_ffree;
    out.st.bsize = static_cast<std::uint32_t>(now.f_bsize);
    out.st.namelen = static_cast<std::uint32_t>(now.f_namelen);
    out.st.frsize = static_cast<std::uint32_t>(now.f_frsize);
    request.prepare(out);
    return done();
}

}  // namespace ha::replicatord
