#include "clusterd/record_store.h"

#include <cstdlib>

#include "core/cluster/codec.h"
#include "io/durable_file.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

constexpr std::size_t kMaxRecord = 1U << 20;

}  // namespace

RecordStore::RecordStore(io::Loop& loop, std::string directory)
    : directory_(std::move(directory)), background_(loop) {}

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
    background_.run([file = path(module), bytes = cluster::encode(record),
                     saved = std::move(saved)]() -> std::function<void()> {
        auto written = io::write_durable(file, bytes);
        if (written) return saved;
        io::log(io::Level::Critical, file + " cannot be written: " + written.error().text +
                                         "; ha-clusterd ends, for it may not act on what is not "
                                         "durable.");
        std::abort();
    });
}

}  // namespace ha::clusterd
