// mount_tree DIRECTORY: mounts the file system of ha-replicatord over a directory with a journal
// that has no peer, until SIGINT or SIGTERM. For trying real programs and measuring by hand.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "replicatord/fake_journal.h"
#include "replicatord/filesystem.h"
#include "replicatord/store.h"

int main(int argc, char** argv) {
    using namespace ha;
    using namespace ha::replicatord;
    if (argc < 3) {
        std::fprintf(stderr, "usage: mount_tree DIRECTORY STATE-DIRECTORY [later]\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    auto store = Store::open(argv[2]);
    if (!store) return std::fprintf(stderr, "%s\n", store.error().text.c_str()), 1;
    (*store)->set_minting(Epoch{1}, 0);
    const bool later = argc > 3 && std::strcmp(argv[3], "later") == 0;
    FakeJournal journal(later ? FakeJournal::Completes::kLater : FakeJournal::Completes::kAtOnce,
                        false);
    FileSystemOptions options;
    options.module = "try";
    options.module_id = {1, 1};
    options.roots = {{argv[1], {}}};
    auto made = FileSystem::open(
        options, [&] { return (*store)->mint(); }, journal);
    if (!made) return std::fprintf(stderr, "%s\n", made.error().text.c_str()), 1;
    (*made)->set_role(Role::kServing);
    if (auto mounted = (*made)->mount(); !mounted)
        return std::fprintf(stderr, "%s\n", mounted.error().text.c_str()), 1;
    std::printf("mounted\n");
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    auto holders = (*made)->unmount(std::chrono::seconds(10));
    if (!holders) return std::fprintf(stderr, "%s\n", holders.error().text.c_str()), 1;
    for (const auto& holder : *holders)
        std::printf("was busy: %d %s (%s)\n", holder.pid, holder.command.c_str(),
                    holder.what.c_str());
    return 0;
}
