// hamirror-witness(8)

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string_view>

#include "io/log.h"
#include "io/text_file.h"
#include "witness/daemon.h"

namespace {

using namespace ha;
using Words = std::vector<std::string>;

constexpr const char* kUsage =
    "usage: hamirror-witness serve [--listen ADDRESS]... [--port PORT]\n"
    "       hamirror-witness token      a token for `hamirrorctl witness add`, good for 15 "
    "minutes\n"
    "       hamirror-witness clusters   the clusters this witness serves\n"
    "       hamirror-witness remove ID  forget a cluster and its registers (while stopped)\n"
    "\n"
    "  --state DIRECTORY   instead of /var/lib/hamirror-witness\n"
    "  --run DIRECTORY     instead of /run/hamirror-witness\n";

Result<> serve(const witness::Options& options) {
    io::Loop::hold_termination();
    io::Loop loop;
    if (auto made = io::make_directory(options.run, 0700); !made) return made;
    witness::Daemon daemon(loop, options);
    if (auto started = daemon.start(); !started) return started;
    loop.on_terminate([&loop] {
        io::notify_stopping();
        loop.stop();
    });
    loop.enable_watchdog();
    io::log(io::Level::Info, "hamirror-witness is ready.");
    io::notify_ready();
    return loop.run();
}

/// What is written there has to be the daemon's, whatever user systemd gave it: from here on we are
/// that user, in its directory.
Result<> become_owner(const std::string& directory) {
    struct stat owner {};
    if (::stat(directory.c_str(), &owner) != 0 || ::chdir(directory.c_str()) != 0) {
        return fail("the witness does not run here, or you are not root (" + directory + ": " +
                    std::strerror(errno) + "); systemctl status ha-witness");
    }
    if (owner.st_uid == ::geteuid()) return {};
    if (::setgroups(0, nullptr) == 0 &&
        ::setresgid(owner.st_gid, owner.st_gid, owner.st_gid) == 0 &&
        ::setresuid(owner.st_uid, owner.st_uid, owner.st_uid) == 0) {
        return {};
    }
    return fail("only root may do this: repeat it with sudo");
}

Result<> show_token(const witness::Options& options) {
    auto identity = io::Identity::load(options.state);
    if (!identity) return tl::unexpected(identity.error());
    if (auto owner = become_owner(options.run); !owner) return owner;
    auto token = io::TokenStore(".").issue(identity->fingerprint());
    if (!token) return tl::unexpected(token.error());
    std::cout << "On one node of the pair run, within 15 minutes:\n"
                 "    hamirrorctl witness add ADDRESS-OF-THIS-MACHINE\n"
                 "It asks for this token, which is good for one pair:\n    "
              << token->text() << "\n";
    return {};
}

Result<> show_clusters(const witness::Options& options) {
    auto loaded = witness::load_clusters(options.state);
    if (!loaded) return tl::unexpected(loaded.error());
    for (const auto& [store, cluster] : *loaded) {
        std::cout << store.text() << "  ";
        if (!cluster) {
            std::cout << "cannot be used: " << cluster.error().text << "\n";
            continue;
        }
        std::cout << cluster->name << "  " << cluster->registers.size() << " modules, "
                  << cluster->counter << " exchanges"
                  << (cluster->behind == 0 ? "" : "; refused: restored from a backup") << "\n";
    }
    return {};
}

Result<> remove(const witness::Options& options, const std::string& word) {
    const auto store = Id128::parse(word);
    if (!store) return fail(word + " is no identifier; hamirror-witness clusters");
    auto lock = witness::lock_store(options.state);
    if (!lock) return tl::unexpected(lock.error());
    return witness::remove_cluster(options.state, *store);
}

int outcome(const Result<>& done) {
    if (done) return 0;
    std::cerr << "hamirror-witness: " << done.error().text << "\n";
    return 1;
}

/// The words that are no options, or nothing if an option is wrong.
std::optional<Words> read_options(int argc, char** argv, witness::Options& options) {
    Words words;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word.rfind("--", 0) != 0) {
            words.push_back(word);
            continue;
        }
        if (++i == argc) return std::nullopt;
        const std::string_view value = argv[i];
        if (word == "--listen") {
            options.addresses.emplace_back(value);
        } else if (word == "--port") {
            auto [end, error] =
                std::from_chars(value.data(), value.data() + value.size(), options.port);
            if (error != std::errc() || *end != '\0' || options.port == 0) return std::nullopt;
        } else if (word == "--state") {
            options.state = value;
        } else if (word == "--run") {
            options.run = value;
        } else {
            return std::nullopt;
        }
    }
    return words;
}

int run(int argc, char** argv) {
    witness::Options options;
    auto words = read_options(argc, argv, options);
    if (words && *words == Words{"serve"}) {
        auto served = serve(options);
        if (served) return 0;
        io::log(io::Level::Critical, served.error().text);
        return 1;
    }
    if (words && *words == Words{"token"}) return outcome(show_token(options));
    if (words && *words == Words{"clusters"}) return outcome(show_clusters(options));
    if (words && words->size() == 2 && words->front() == "remove") {
        return outcome(remove(options, words->back()));
    }
    std::fputs(kUsage, stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) try {
    return run(argc, argv);
} catch (const std::exception& error) {
    ha::io::log(ha::io::Level::Critical, error.what());
    return 1;
}
