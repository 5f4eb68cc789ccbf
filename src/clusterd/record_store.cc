#include "clusterd/record_store.h"

#include <cerrno>
#include <cstdlib>

#include "base/bytes.h"
#include "core/cluster/codec.h"
#include "io/durable_file.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

constexpr std::size_t kMaxRecord = 1U << 20;
constexpr off_t kReserve = 1 << 20;
constexpr const char* kReserveFile = "/reserve";
constexpr const char* kSeenFile = "/witness.seen";
constexpr std::uint16_t kSeenVersion = 1;

}  // namespace

RecordStore::RecordStore(io::Loop& loop, std::string directory)
    : directory_(std::move(directory)),
      reserve_(directory_ + kReserveFile, kReserve),
      background_(loop) {}

std::string RecordStore::path(const std::string& module) const {
    return directory_ + "/" + module + ".record";
}

Result<cluster::Record> RecordStore::load(const std::string& module) const {
    auto content = io::read_durable(path(module), kMaxRecord);
    if (!content) return tl::unexpected(content.error());
    if (!*content) {
        cluster::Record fresh;
        fresh.wanted = true;
        return fresh;
    }
    auto record = cluster::decode_record(**content);
    if (!record) return fail(path(module) + ": " + record.error().text);
    auto settled = io::settle_durable(path(module));
    if (!settled) return tl::unexpected(settled.error());
    return record;
}

void RecordStore::save(const std::string& module, const cluster::Record& record,
                       std::function<void()> saved) {
    write(path(module), cluster::encode(record), std::move(saved));
}

Result<ports::RegisterStamp> RecordStore::load_seen() const {
    const std::string file = directory_ + kSeenFile;
    auto content = io::read_durable(file, kMaxRecord);
    if (!content) return tl::unexpected(content.error());
    ports::RegisterStamp stamp;
    if (!*content) return stamp;
    ByteReader in(**content);
    const bool known = in.u16() == kSeenVersion;
    stamp.store = in.id();
    stamp.counter = in.u64();
    if (!known || !in.done()) return fail(file + " is damaged or of another version");
    if (auto settled = io::settle_durable(file); !settled) return tl::unexpected(settled.error());
    return stamp;
}

void RecordStore::save_seen(const ports::RegisterStamp& stamp, std::function<void()> saved) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u16(kSeenVersion);
    out.id(stamp.store);
    out.u64(stamp.counter);
    write(directory_ + kSeenFile, std::move(bytes), std::move(saved));
}

void RecordStore::write(const std::string& path, std::vector<std::byte> content,
                        std::function<void()> saved) {
    background_.run([this, file = path, bytes = std::move(content),
                     saved = std::move(saved)]() -> std::function<void()> {
        auto written = io::write_durable(file, bytes);
        if (written) {
            reserve_.keep();
            return saved;
        }
        if (written.error().code == ENOSPC && reserve_.give_up()) {
            written = io::write_durable(file, bytes);
            if (written) return saved;
        }
        io::log(io::Level::Critical, file + " cannot be written: " + written.error().text +
                                         "; ha-clusterd ends, for it may not act on what is not "
                                         "durable.");
        std::abort();
    });
}

}  // namespace ha::clusterd
