#include "core/replication/fields.h"

namespace ha::replication {

bool valid_name(std::string_view name) {
    if (name.empty() || name.size() > kMaxName || name == "." || name == "..") return false;
    return name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

void put(ByteWriter& to, FileId id) {
    to.u64(id.value);
}

void put(ByteWriter& to, const FileTime& time) {
    to.i64(time.seconds);
    to.u32(time.nanoseconds);
}

void put(ByteWriter& to, const Xattr& xattr) {
    to.text(xattr.name);
    to.bytes(xattr.value);
}

void put(ByteWriter& to, const std::vector<Xattr>& xattrs) {
    to.u16(static_cast<std::uint16_t>(xattrs.size()));
    for (const auto& xattr : xattrs) put(to, xattr);
}

void put(ByteWriter& to, const std::vector<TimeStamp>& stamps) {
    to.u8(static_cast<std::uint8_t>(stamps.size()));
    for (const auto& stamp : stamps) {
        put(to, stamp.id);
        put(to, stamp.mtime);
    }
}

FileId FieldReader::id() {
    FileId id{number.u64()};
    check(id.value != 0);
    return id;
}

bool FieldReader::flag() {
    auto value = number.u8();
    check(value <= 1);
    return value == 1;
}

std::string FieldReader::name() {
    auto name = number.text(kMaxName);
    check(valid_name(name));
    return name;
}

std::string FieldReader::target() {
    auto target = number.text(kMaxTarget);
    check(target.find('\0') == std::string::npos);
    return target;
}

std::string FieldReader::xattr_name() {
    auto name = number.text(kMaxName);
    check(!name.empty() && name.find('\0') == std::string::npos);
    return name;
}

FileTime FieldReader::time() {
    FileTime time;
    time.seconds = number.i64();
    time.nanoseconds = number.u32();
    check(time.nanoseconds < 1'000'000'000);
    return time;
}

Xattr FieldReader::xattr() {
    Xattr xattr;
    xattr.name = xattr_name();
    auto value = number.bytes(kMaxXattrValue);
    xattr.value.assign(value.begin(), value.end());
    return xattr;
}

std::vector<Xattr> FieldReader::xattrs() {
    std::size_t count = number.u16();
    check(count <= kMaxXattrs);
    std::vector<Xattr> xattrs;
    for (std::size_t i = 0; i < count && ok(); ++i) xattrs.push_back(xattr());
    return xattrs;
}

std::vector<TimeStamp> FieldReader::stamps() {
    std::size_t count = number.u8();
    check(count <= kMaxStamps);
    std::vector<TimeStamp> stamps;
    for (std::size_t i = 0; i < count && ok(); ++i) {
        TimeStamp stamp;
        stamp.id = id();
        stamp.mtime = time();
        stamps.push_back(stamp);
    }
    return stamps;
}

}  // namespace ha::replication
