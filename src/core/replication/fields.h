#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "core/replication/operation.h"

// The fields that operations and copy records are made of (docs/protocol.md, "Fields").

namespace ha::replication {

/// 1..255 bytes, no '/', no NUL, neither "." nor "..": what a directory entry can be called.
bool valid_name(std::string_view name);

void put(ByteWriter& to, FileId id);
void put(ByteWriter& to, const FileTime& time);
void put(ByteWriter& to, const Xattr& xattr);
void put(ByteWriter& to, const std::vector<Xattr>& xattrs);
void put(ByteWriter& to, const std::vector<TimeStamp>& stamps);

/// Reads fields from bytes nobody has checked. As with ByteReader: read all, then ask done() once.
class FieldReader {
  public:
    explicit FieldReader(std::span<const std::byte> in) : number(in) {}

    /// Not 0.
    FileId id();
    FileId any_id() { return FileId{number.u64()}; }
    bool flag();
    std::string name();
    std::string target();
    std::string xattr_name();
    FileTime time();
    Xattr xattr();
    std::vector<Xattr> xattrs();
    std::vector<TimeStamp> stamps();

    void check(bool condition) { valid_ = valid_ && condition; }
    [[nodiscard]] bool ok() const { return valid_ && number.ok(); }
    [[nodiscard]] bool done() const { return valid_ && number.done(); }

    ByteReader number;

  private:
    bool valid_ = true;
};

}  // namespace ha::replication
