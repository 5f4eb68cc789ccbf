#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "application.h"
#include "replicatord/block_hash.h"

// Two trees compared in everything the mirror promises (mirror_test.cc).

namespace ha::replicatord::testing_pair {
namespace {

class Comparison {
  public:
    std::ostringstream out;

    void directories(int one, int two, const std::string& path) {
        auto ours = names(one, path);
        auto theirs = names(two, path);
        if (ours != theirs) {
            out << path << ": other names:";
            for (const auto& name : ours) out << " " << name;
            out << " |";
            for (const auto& name : theirs) out << " " << name;
            out << "\n";
        }
        for (const auto& name : ours) {
            if (!std::binary_search(theirs.begin(), theirs.end(), name)) continue;
            auto a = open_entry_path(one, name);
            auto b = open_entry_path(two, name);
            inodes(a->get(), b->get(), path + "/" + name);
        }
    }

    void inodes(int one, int two, const std::string& path) {
        auto a = *status(one);
        auto b = *status(two);
        differ(path, "mode", a.st_mode, b.st_mode);
        if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT)) return;
        differ(path, "uid", a.st_uid, b.st_uid);
        differ(path, "gid", a.st_gid, b.st_gid);
        differ(path, "rdev", a.st_rdev, b.st_rdev);
        differ(path, "nlink", a.st_nlink, b.st_nlink);
        differ(path, "mtime", a.st_mtim.tv_sec, b.st_mtim.tv_sec);
        differ(path, "mtime ns", a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
        auto first = links_.emplace(a.st_ino, b.st_ino).first;
        differ(path, "hard links", first->second, b.st_ino);
        if (xattrs(one) != xattrs(two)) out << path << ": other extended attributes\n";
        if (S_ISLNK(a.st_mode) && *read_target(one) != *read_target(two)) {
            out << path << ": other target\n";
        }
        if (S_ISDIR(a.st_mode)) {
            Fd left(::openat(one, ".", O_RDONLY | O_DIRECTORY));
            Fd right(::openat(two, ".", O_RDONLY | O_DIRECTORY));
            directories(left.get(), right.get(), path);
        }
        if (!S_ISREG(a.st_mode)) return;
        differ(path, "size", a.st_size, b.st_size);
        if (a.st_size == b.st_size) contents(one, two, path, static_cast<std::uint64_t>(a.st_size));
    }

  private:
    template <typename Value>
    void differ(const std::string& path, const char* what, Value a, Value b) {
        if (a != b) out << path << ": " << what << " " << a << " | " << b << "\n";
    }

    static std::vector<std::string> names(int fd, const std::string& path) {
        auto all = *entry_names(fd);
        if (path.empty()) std::erase(all, Tree::kOrphanDirectory);
        std::sort(all.begin(), all.end());
        return all;
    }

    static std::map<std::string, std::vector<std::byte>> xattrs(int fd) {
        std::map<std::string, std::vector<std::byte>> all;
        auto list = read_xattrs(fd);
        for (auto& xattr : *list) all[xattr.name] = xattr.value;
        return all;
    }

    void contents(int one, int two, const std::string& path, std::uint64_t size) {
        Fd a(::open(("/proc/self/fd/" + std::to_string(one)).c_str(), O_RDONLY));
        Fd b(::open(("/proc/self/fd/" + std::to_string(two)).c_str(), O_RDONLY));
        auto left = whole(a.get(), size);
        auto right = whole(b.get(), size);
        if (left != right) {
            auto at = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
            out << path << ": other content at " << (at.first - left.begin()) << "\n";
        }
        // ext4 writes small unwritten extents out as zeros when it likes to, so that even equal
        // calls do not give equal holes, and a resync carries no preallocation: the copy may be
        // smaller; a hole that was filled by us would make it larger.
        auto ours = *status(one);
        auto theirs = *status(two);
        if (theirs.st_blocks > ours.st_blocks + kBlocksSlack) {
            differ(path, "allocated blocks", ours.st_blocks, theirs.st_blocks);
        }
    }

    static std::vector<std::byte> whole(int fd, std::uint64_t size) {
        std::vector<std::byte> content(size);
        auto block = *read_block(fd, 0, size);
        std::size_t used = 0;
        for (const auto& extent : block.extents) {
            if (!extent.data) continue;
            std::copy_n(block.content.begin() + static_cast<std::ptrdiff_t>(used), extent.length,
                        content.begin() + static_cast<std::ptrdiff_t>(extent.offset));
            used += extent.length;
        }
        return content;
    }

    static constexpr blkcnt_t kBlocksSlack = 512;  // of 512 bytes

    std::map<ino_t, ino_t> links_;
};

}  // namespace

std::string difference(const std::string& one, const std::string& two) {
    Comparison comparison;
    Fd a(::open(one.c_str(), O_RDONLY | O_DIRECTORY));
    Fd b(::open(two.c_str(), O_RDONLY | O_DIRECTORY));
    comparison.inodes(a.get(), b.get(), "");
    return comparison.out.str();
}

}  // namespace ha::replicatord::testing_pair
