#include "replicatord/apply.h"

#include <fcntl.h>
#include <sys/inotify.h>

#include <set>

#include "temporary_tree.h"

// What the secondary does with single operations.

namespace ha::replicatord {
namespace {

using namespace replication;

class ApplyTest : public TemporaryTree {
  protected:
    void SetUp() override {
        TemporaryTree::SetUp();
        if (IsSkipped()) return;
        tree_ = open();
        orphans_ = std::make_unique<Orphans>(*tree_);
        apply_ = std::make_unique<Apply>(*tree_, *orphans_);
    }
    FileId create(const std::string& name, std::uint32_t mode = S_IFREG | 0644) {
        Create body{};
        body.parent = Tree::root_id(0);
        body.name = name;
        body.id = *tree_->mint();
        body.mode = mode;
        EXPECT_TRUE(apply_->apply({body, {}}));
        return body.id;
    }
    [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

    std::unique_ptr<Tree> tree_;
    std::unique_ptr<Orphans> orphans_;
    std::unique_ptr<Apply> apply_;
};

/// Names that went away from a directory.
std::set<std::string> names_gone(int events) {
    alignas(inotify_event) char buffer[65536];
    std::set<std::string> gone;
    const ssize_t size = ::read(events, buffer, sizeof(buffer));
    for (ssize_t used = 0; used < size;) {
        const auto& event = *reinterpret_cast<const inotify_event*>(buffer + used);
        if ((event.mask & (IN_MOVED_FROM | IN_DELETE)) != 0) gone.insert(event.name);
        used += static_cast<ssize_t>(sizeof(event) + event.len);
    }
    return gone;
}

TEST_F(ApplyTest, ARenameOverAnOpenFileLeavesNoMomentWithoutTheName) {
    const FileId old_file = create("conf");
    const FileId new_file = create("conf.new");
    io::Fd events(::inotify_init1(IN_CLOEXEC));
    ASSERT_GE(::inotify_add_watch(events.get(), path_.c_str(), IN_MOVE | IN_DELETE), 0);
    const FileId root = Tree::root_id(0);
    ASSERT_TRUE(apply_->apply(
        {Rename{root, "conf.new", root, "conf", new_file, old_file, true, 0, {}}, {}}));
    EXPECT_EQ(names_gone(events.get()), std::set<std::string>{"conf.new"});
    EXPECT_EQ(::access(at(".hamirror/" + Tree::orphan_name(old_file)).c_str(), F_OK), 0);
    ASSERT_TRUE(apply_->apply({Release{old_file}, {}}));
    EXPECT_FALSE(tree_->known(old_file));
    EXPECT_TRUE(std::filesystem::is_empty(at(".hamirror")));
}

TEST_F(ApplyTest, ASyncOfWhatIsGoneIsNoFailure) {
    const FileId directory = create("d", S_IFDIR | 0755);
    ASSERT_TRUE(apply_->apply({Unlink{Tree::root_id(0), "d", directory, false}, {}}));
    EXPECT_TRUE(apply_->apply({Fsync{directory, false}, {}}));
    EXPECT_TRUE(Apply::sync(*tree_, directory, false));
}

}  // namespace
}  // namespace ha::replicatord
