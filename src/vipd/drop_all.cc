#include "vipd/drop_all.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "io/log.h"
#include "io/netlink.h"
#include "io/systemd.h"

namespace ha::vipd {
namespace {

using namespace std::chrono_literals;

bool being_restarted() {
    const char* result = std::getenv("SERVICE_RESULT");
    if (result == nullptr || std::string_view(result) != "success") return false;
    auto bus = io::open_systemd(1s);
    if (!bus) return false;
    auto job = io::job_of(bus->get(), "ha-vipd.service");
    return job && (*job == "restart" || *job == "try-restart" || *job == "start");
}

}  // namespace

int drop_all(const Places& places) {
    const auto records = recall(places.records);
    if (records.empty() || being_restarted()) return 0;
    auto netlink = io::Netlink::open();
    if (!netlink) {
        io::log(io::Level::Error, netlink.error().text);
        return 1;
    }
    std::vector<io::AddressChange> found;
    auto done = netlink->dump([&](const io::NetworkChange& change) {
        if (const auto* it = std::get_if<io::AddressChange>(&change)) found.push_back(*it);
    });
    for (const auto& record : records) {
        for (const auto& it : found) {
            if (it.address != record.vip.address.number) continue;
            if (auto gone = netlink->remove_address(it.index, it.address, it.prefix); !gone)
                done = gone;
        }
        if (done) forget(record.vip.address, places.records);
    }
    if (!done) io::log(io::Level::Error, "A virtual address was left behind: " + done.error().text);
    return done ? 0 : 1;
}

}  // namespace ha::vipd
