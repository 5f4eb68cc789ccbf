#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/worker.h"
#include "base/result.h"
#include "core/vip/address.h"
#include "io/lease_page.h"
#include "io/netlink.h"

namespace ha::vipd {

inline constexpr const char* kRecordDirectory = "/run/hamirror/vip";

/// Where the daemon meets the rest of the system; tests give other places.
struct Places {
    std::string socket = api::kWorkerSocket;
    std::string records = kRecordDirectory;
    std::string leases = io::kLeaseDirectory;
    std::function<Result<>(io::Netlink&, const io::OnNetworkChange&)> dump = &io::Netlink::dump;
};

/// An address this daemon has added and not yet removed, in a file of its own, written before the
/// kernel is asked: after a crash it says what is ours. In /run, because a reboot removes both.
struct Record {
    std::string module;
    vip::Vip vip;  // with the interface it was added to
};

Result<> remember(const Record& record, const std::string& directory);
void forget(vip::Ipv4 address, const std::string& directory);
/// A file whose content cannot be read still names its address.
std::vector<Record> recall(const std::string& directory);

}  // namespace ha::vipd
