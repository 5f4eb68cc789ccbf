#include "witness/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "io/durable_file.h"

namespace ha::witness {
namespace {

namespace fs = std::filesystem;

Result<Cluster> load_cluster(const std::string& path, const Id128& store) {
    auto content = io::read_durable(path, kMaxClusterFile);
    if (!content) return tl::unexpected(content.error());
    if (!*content) return fail(path + " vanished");
    auto cluster = decode_cluster(**content);
    if (!cluster) return fail(path + ": " + cluster.error().text);
    if (cluster->store != store) return fail(path + " is the file of " + cluster->store.text());
    if (auto settled = io::settle_durable(path); !settled) return tl::unexpected(settled.error());
    return cluster;
}

/// The old file is in place, untouched: the new one never got its name and never will.
bool unchanged(const std::string& path, const std::optional<std::vector<std::byte>>& before) {
    auto found = io::read_durable(path, kMaxClusterFile);
    return found && *found == before;
}

std::string file_of(const std::string& directory, const Id128& store) {
    return directory + "/clusters/" + store.text();
}

}  // namespace

Result<io::Fd> lock_store(const std::string& directory) {
    io::Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail("cannot open " + directory + ": " + std::strerror(errno), errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno == EWOULDBLOCK) {
        return fail("a witness is running on " + directory +
                        "; systemctl stop ha-witness, and start it again afterwards",
                    EWOULDBLOCK);
    }
    return fail("cannot lock " + directory + ": " + std::strerror(errno), errno);
}

Result<io::Identity> witness_identity(const std::string& directory) {
    auto loaded = io::Identity::load(directory);
    if (loaded || loaded.error().code != ENOENT) return loaded;
    std::error_code failed;
    if (fs::exists(directory + "/clusters", failed) || failed) {
        return fail("the key of this witness, " + directory +
                    "/node.pem, is gone, but its clusters are there: restore the key, or remove "
                    "both and pair every cluster anew");
    }
    auto made = io::Identity::generate("hamirror-witness");
    if (!made) return made;
    if (auto saved = made->save(directory); !saved) return tl::unexpected(saved.error());
    return made;
}

Result<Loaded> load_clusters(const std::string& directory) {
    const std::string clusters = directory + "/clusters";
    std::error_code failed;
    Loaded out;
    for (fs::directory_iterator each(clusters, failed), end; !failed && each != end;
         each.increment(failed)) {
        auto store = Id128::parse(each->path().filename().string());
        if (store) out.emplace(*store, load_cluster(each->path().string(), *store));
    }
    if (failed) return fail("cannot read " + clusters + ": " + failed.message(), failed.value());
    return out;
}

Result<> remove_cluster(const std::string& directory, const Id128& store) {
    const std::string file = file_of(directory, store);
    if (::unlink(file.c_str()) != 0) {
        return fail("cannot remove " + file + ": " + std::strerror(errno), errno);
    }
    return io::sync_directory(directory + "/clusters");
}

Store::Store(io::Loop& loop, std::string directory) : directory_(std::move(directory)) {
    for (auto& each : lanes_) each = std::make_unique<io::Background>(loop);
}

void Store::write(const std::optional<Cluster>& before, const Cluster& next, Done done) {
    auto old = before ? std::optional(encode(*before)) : std::nullopt;
    auto& lane = *lanes_[next.store.low % lanes_.size()];
    lane.run([file = file_of(directory_, next.store), old = std::move(old), bytes = encode(next),
              done = std::move(done)]() -> std::function<void()> {
        auto written = io::write_durable(file, bytes);
        if (written) return [done] { done(Outcome::Written, ""); };
        const auto outcome = unchanged(file, old) ? Outcome::NotWritten : Outcome::Unknown;
        return [done, outcome, why = written.error().text] { done(outcome, why); };
    });
}

}  // namespace ha::witness
