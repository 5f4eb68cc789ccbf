#pragma once

#include <string>

#include "base/result.h"
#include "core/config/config.h"
#include "io/etcd_register.h"

namespace ha::io {

/// The same etcd as cluster.yaml has it and as io/etcd_register uses it; `store` may be none yet.
/// Of one that check() found nothing wrong with.
EtcdRecord etcd_record_of(const config::WitnessConfig& witness);
/// As cluster.yaml has the id of an etcd.
std::string etcd_cluster_text(std::uint64_t cluster);

/// Whether this node can use the files this etcd is reached with: each is there, is what it is said
/// to be, and what is secret is not for everybody to read. An error names the file. Blocks.
Result<> check_etcd_files(const config::EtcdConfig& etcd);

/// The one line of a password file, at most kMaxEtcdPassword bytes. Blocks for no longer than a
/// plain file takes.
inline constexpr std::size_t kMaxEtcdPassword = 1024;
Result<std::string> read_password(const std::string& file);

}  // namespace ha::io
