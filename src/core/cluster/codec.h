#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "core/cluster/record.h"

// Records on disk and reports on the wire, as bytes. Both begin with a version; an unknown one is
// an error, never a guess. Integrity (checksum, authentication) is the carrier's: io/durable_file,
// TLS. The grammar is in docs/control-protocol.md.

namespace ha::cluster {

inline constexpr std::uint16_t kRecordVersion = 5;
inline constexpr std::uint16_t kReportVersion = 7;

std::vector<std::byte> encode(const Record& record);
std::vector<std::byte> encode(const Report& report);
std::vector<std::byte> encode(const Decision& decision);
Result<Record> decode_record(std::span<const std::byte> in);
Result<Report> decode_report(std::span<const std::byte> in);
Result<Decision> decode_decision(std::span<const std::byte> in);

}  // namespace ha::cluster
