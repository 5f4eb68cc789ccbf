#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "../fake_journal.h"
#include "../temporary_tree.h"
#include "mount_guard.h"
#include "replicatord/filesystem.h"

namespace ha::replicatord {

/// A mounted file system with a journal that has no peer. The test makes real system calls on the
/// mount, from the very process that serves it. That works as long as no worker does, and as long
/// as no dirty shared mapping is unmapped here: that waits for the workers with the lock of their
/// address space held.
class MountTest : public TemporaryTree {
  protected:
    void SetUp() override {
        TemporaryTree::SetUp();
        if (IsSkipped()) return;
        ::chmod(path_.c_str(), 0755);
        ::alarm(120);  // a test that hangs must not hang whoever runs it
        remount();
    }
    void TearDown() override {
        if (filesystem_) {
            auto holders = filesystem_->unmount(std::chrono::seconds(10));
            EXPECT_TRUE(holders) << holders.error().text;
        }
        filesystem_.reset();
        guard_.reset();
        ::alarm(0);
        TemporaryTree::TearDown();
    }
    void remount() {
        filesystem_.reset();
        guard_.reset();
        mount_unguarded();
        if (filesystem_ && filesystem_->session(0) != nullptr)
            guard_ = std::make_unique<MountGuard>(filesystem_->session(0)->connection(), path_);
    }
    void mount_unguarded() {
        FileSystemOptions options;
        options.module = "test";
        options.module_id = {1, 1};
        options.roots = {{path_, {}}};
        auto made = FileSystem::open(options, mint(), used_journal());
        ASSERT_TRUE(made) << made.error().text;
        filesystem_ = std::move(*made);
        filesystem_->set_role(Role::kServing);
        auto mounted = filesystem_->mount();
        ASSERT_TRUE(mounted) << mounted.error().text;
    }
    virtual FakeJournal& journal() { return journal_; }
    virtual Journal& used_journal() { return journal(); }

    [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }
    /// A file below the mount, in the real directory.
    [[nodiscard]] std::string below(const std::string& name) const {
        return "/proc/self/fd/" + std::to_string(filesystem_->tree().root_fd(0)) + "/" + name;
    }
    io::Fd make(const std::string& name, int flags = O_RDWR, mode_t mode = 0644) {
        io::Fd fd(::open(at(name).c_str(), O_CREAT | O_EXCL | flags, mode));
        EXPECT_TRUE(fd) << name << ": " << std::strerror(errno);
        return fd;
    }
    void put(const std::string& name, const std::string& content, mode_t mode = 0644) {
        io::Fd fd = make(name, O_RDWR, mode);
        EXPECT_EQ(::write(fd.get(), content.data(), content.size()),
                  static_cast<ssize_t>(content.size()));
    }
    static std::string get(const std::string& path) {
        io::Fd fd(::open(path.c_str(), O_RDONLY));
        std::string out(1 << 16, '\0');
        ssize_t size = fd ? ::read(fd.get(), out.data(), out.size()) : -1;
        if (size < 0) return "error: " + std::string(std::strerror(errno));
        out.resize(static_cast<std::size_t>(size));
        return out;
    }
    static struct stat status(const std::string& path) {
        struct stat out {};
        EXPECT_EQ(::lstat(path.c_str(), &out), 0) << path << ": " << std::strerror(errno);
        return out;
    }
    FileId id_at(const std::string& name) const { return FileId{status(at(name)).st_ino}; }

    /// Runs `deed` as an ordinary user in another process; its result, 0..255.
    static int as_user(uid_t uid, const std::function<int()>& deed) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (::setgid(uid) != 0 || ::setuid(uid) != 0) ::_exit(254);
            ::_exit(deed());
        }
        int state = 0;
        ::waitpid(child, &state, 0);
        return WIFEXITED(state) ? WEXITSTATUS(state) : 255;
    }
    /// The recorded operations of one type since the last take().
    template <typename Body>
    std::vector<Body> recorded() {
        std::vector<Body> out;
        for (auto& operation : journal().take())
            if (auto* body = std::get_if<Body>(&operation.body)) out.push_back(std::move(*body));
        return out;
    }

    FakeJournal journal_;
    std::unique_ptr<FileSystem> filesystem_;
    std::unique_ptr<MountGuard> guard_;
};

}  // namespace ha::replicatord
