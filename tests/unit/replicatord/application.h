#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "replicatord/inode_calls.h"
#include "replicatord/journal.h"
#include "replicatord/order_locks.h"
#include "replicatord/tree.h"

namespace ha::replicatord::testing_pair {

/// A random application: does what the file system's operations do, in the order journal.h says,
/// from any number of threads. What fails locally is not replicated, as in life.
class Application {
  public:
    Application(Tree& tree, OrderLocks& locks, Journal& journal)
        : tree_(tree), locks_(locks), journal_(journal) {
        directories_.push_back(Tree::root_id(0));
    }
    void run(std::uint64_t seed, int operations);
    /// Releases what is open, then waits for every completion. The number of those with an error.
    int finish();
    std::atomic<int> done = 0;

  private:
    using Random = std::mt19937_64;
    struct Target {
        FileId parent;
        std::string name;
        FileId id;  // value 0: no such entry
        struct stat attributes {};
    };

    void one(Random& random);
    void create(Random& random);
    void link(Random& random);
    void unlink(Random& random);
    void rename(Random& random);
    void write(Random& random);
    void resize(Random& random);
    void allocate(Random& random);
    void attributes(Random& random);
    void xattr(Random& random);
    void sync(Random& random);
    void open_or_close(Random& random);

    FileId directory(Random& random);
    Target find(Random& random);
    Target look(FileId parent, const std::string& name);
    FileId file(Random& random);
    bool keeps(const Target& target);
    bool move_to_orphans(int parent, const Target& target);
    std::vector<replication::TimeStamp> stamps(std::initializer_list<FileId> ids);
    void append(replication::Body body, std::vector<replication::TimeStamp> stamps,
                bool durable = false);
    void touched(std::initializer_list<FileId> ids);
    void release(FileId id);

    Tree& tree_;
    OrderLocks& locks_;
    Journal& journal_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<FileId> directories_;
    std::vector<FileId> files_;
    std::set<FileId> open_;
    int waiting_ = 0;
    int errors_ = 0;
};

/// Every difference between two directories, one a line; empty: they are equal.
std::string difference(const std::string& one, const std::string& two);

}  // namespace ha::replicatord::testing_pair
