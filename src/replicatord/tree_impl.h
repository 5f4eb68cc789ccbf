#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

#include "replicatord/descriptor_cache.h"
#include "replicatord/file_handle.h"
#include "replicatord/identity.h"
#include "replicatord/tree.h"
#include "replicatord/tree_index.h"

namespace ha::replicatord {

/// One opened root. Private to tree*.cc.
struct OpenRoot {
    std::string path;
    Fd directory;  // O_RDONLY | O_DIRECTORY; also the mount for open_by_handle_at
    Fd orphans;
    int mount_id = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t file_system = 0;
    FileHandle handle;
};

struct Tree::Impl {
    Impl(Mint mint_ids, Id128 module_id, std::size_t descriptors)
        : mint(std::move(mint_ids)), module(module_id), cache(descriptors) {}

    std::vector<OpenRoot> roots;
    Mint mint;
    Id128 module;
    TreeIndex index;
    DescriptorCache cache;
    std::atomic<std::size_t> probed{0};
    // Two lookups of one inode (hard links) must not both give it an identity.
    std::array<std::mutex, 64> adopting;

    [[nodiscard]] IdentityBinding binding(const Place& place, std::uint64_t inode) const;
    /// What is behind `fd`, taken to be in `root`. EXDEV: on another mount.
    Result<Place> place_of(int fd, std::size_t root, struct stat& attributes) const;
    Result<> store_identity(int fd, FileId id, const Place& place, std::uint64_t inode);
    /// Value 0: it takes identify() to know.
    Result<FileId> lookup_quickly(std::size_t root, int parent, const char* name,
                                  struct stat& attributes);
    Result<FileId> identify(int fd, std::size_t root, struct stat& attributes, Unknown unknown);
    /// Opens what is at `place`; never more than a path to what must not be opened.
    Result<Fd> open_place(const Place& place, int flags);
};

inline bool out_of_descriptors(const Error& error) {
    return error.code == EMFILE || error.code == ENFILE;
}

/// Opens a root, checks it and makes its orphan directory.
Result<OpenRoot> open_root(const Tree::Root& root);

/// The identity attribute of the inode behind `fd`, or of the entry `name` of the directory `fd`,
/// not followed; empty if there is none.
Result<std::string> identity_value(int fd, const char* name = "");

}  // namespace ha::replicatord
