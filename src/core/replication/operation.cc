#include "core/replication/operation.h"

#include "core/replication/fields.h"

namespace ha::replication {
namespace {

/// The numbers on the wire (docs/protocol.md). Never reused for another meaning.
enum class Type : std::uint8_t {
    Write = 1,
    Create = 2,
    Link = 3,
    Unlink = 4,
    Rename = 5,
    SetAttributes = 6,
    SetXattr = 7,
    RemoveXattr = 8,
    Allocate = 9,
    Fsync = 10,
    Release = 11
};

constexpr std::uint32_t kAllAttributes = 31;
constexpr std::uint32_t kAllRenameFlags = 7;  // NOREPLACE, EXCHANGE, WHITEOUT (linux/fs.h)
constexpr std::uint64_t kMaxOffset = INT64_MAX;

class Encoder {
  public:
    explicit Encoder(std::vector<std::byte>& out) : to(out) {}

    void operator()(const Write& write) {
        type(Type::Write);
        put(to, write.id);
        to.u64(write.offset);
        to.u8(write.durable ? 1 : 0);
        to.bytes(write.data);
    }
    void operator()(const Create& create) {
        type(Type::Create);
        put(to, create.parent);
        to.text(create.name);
        put(to, create.id);
        to.u32(create.mode);
        to.u32(create.uid);
        to.u32(create.gid);
        to.u64(create.device);
        to.text(create.target);
        put(to, create.xattrs);
    }
    void operator()(const Link& link) {
        type(Type::Link);
        put(to, link.id);
        put(to, link.parent);
        to.text(link.name);
    }
    void operator()(const Unlink& unlink) {
        type(Type::Unlink);
        put(to, unlink.parent);
        to.text(unlink.name);
        put(to, unlink.id);
        to.u8(unlink.kept ? 1 : 0);
    }
    void operator()(const Rename& rename) {
        type(Type::Rename);
        put(to, rename.old_parent);
        to.text(rename.old_name);
        put(to, rename.new_parent);
        to.text(rename.new_name);
        put(to, rename.id);
        put(to, rename.replaced);
        to.u8(rename.kept ? 1 : 0);
        to.u32(rename.flags);
        put(to, rename.whiteout);
    }
    void operator()(const SetAttributes& set) {
        type(Type::SetAttributes);
        put(to, set.id);
        to.u32(set.mask);
        to.u32(set.mode);
        to.u32(set.uid);
        to.u32(set.gid);
        to.u64(set.size);
        put(to, set.atime);
        put(to, set.mtime);
    }
    void operator()(const SetXattr& set) {
        type(Type::SetXattr);
        put(to, set.id);
        put(to, set.xattr);
    }
    void operator()(const RemoveXattr& remove) {
        type(Type::RemoveXattr);
        put(to, remove.id);
        to.text(remove.name);
    }
    void operator()(const Allocate& allocate) {
        type(Type::Allocate);
        put(to, allocate.id);
        to.u32(allocate.mode);
        to.u64(allocate.offset);
        to.u64(allocate.length);
    }
    void operator()(const Fsync& fsync) {
        type(Type::Fsync);
        put(to, fsync.id);
        to.u8(fsync.data_only ? 1 : 0);
    }
    void operator()(const Release& release) {
        type(Type::Release);
        put(to, release.id);
    }

    ByteWriter to;

  private:
    void type(Type value) { to.u8(static_cast<std::uint8_t>(value)); }
};

Write read_write(FieldReader& from) {
    Write write;
    write.id = from.id();
    write.offset = from.number.u64();
    write.durable = from.flag();
    auto data = from.number.bytes(kMaxData);
    write.data.assign(data.begin(), data.end());
    from.check(write.offset <= kMaxOffset - write.data.size());
    return write;
}

Create read_create(FieldReader& from) {
    Create create;
    create.parent = from.id();
    create.name = from.number.text(kMaxName);
    from.check(create.name.empty() || valid_name(create.name));
    create.id = from.id();
    create.mode = from.number.u32();
    create.uid = from.number.u32();
    create.gid = from.number.u32();
    create.device = from.number.u64();
    create.target = from.target();
    create.xattrs = from.xattrs();
    return create;
}

Link read_link(FieldReader& from) {
    Link link;
    link.id = from.id();
    link.parent = from.id();
    link.name = from.name();
    return link;
}

Unlink read_unlink(FieldReader& from) {
    Unlink unlink;
    unlink.parent = from.id();
    unlink.name = from.name();
    unlink.id = from.id();
    unlink.kept = from.flag();
    return unlink;
}

Rename read_rename(FieldReader& from) {
    Rename rename;
    rename.old_parent = from.id();
    rename.old_name = from.name();
    rename.new_parent = from.id();
    rename.new_name = from.name();
    rename.id = from.id();
    rename.replaced = from.any_id();
    rename.kept = from.flag();
    rename.flags = from.number.u32();
    rename.whiteout = from.any_id();
    from.check((rename.flags & ~kAllRenameFlags) == 0);
    return rename;
}

SetAttributes read_attributes(FieldReader& from) {
    SetAttributes set;
    set.id = from.id();
    set.mask = from.number.u32();
    set.mode = from.number.u32();
    set.uid = from.number.u32();
    set.gid = from.number.u32();
    set.size = from.number.u64();
    set.atime = from.time();
    set.mtime = from.time();
    from.check((set.mask & ~kAllAttributes) == 0 && set.size <= kMaxOffset);
    return set;
}

Allocate read_allocate(FieldReader& from) {
    Allocate allocate;
    allocate.id = from.id();
    allocate.mode = from.number.u32();
    allocate.offset = from.number.u64();
    allocate.length = from.number.u64();
    from.check(allocate.length <= kMaxOffset && allocate.offset <= kMaxOffset - allocate.length);
    return allocate;
}

Body read_small(Type type, FieldReader& from) {
    FileId id = from.id();
    if (type == Type::SetXattr) return SetXattr{id, from.xattr()};
    if (type == Type::RemoveXattr) return RemoveXattr{id, from.xattr_name()};
    if (type == Type::Fsync) return Fsync{id, from.flag()};
    return Release{id};
}

Body read_body(FieldReader& from) {
    auto type = static_cast<Type>(from.number.u8());
    switch (type) {
        case Type::Write:
            return read_write(from);
        case Type::Create:
            return read_create(from);
        case Type::Link:
            return read_link(from);
        case Type::Unlink:
            return read_unlink(from);
        case Type::Rename:
            return read_rename(from);
        case Type::SetAttributes:
            return read_attributes(from);
        case Type::Allocate:
            return read_allocate(from);
        case Type::SetXattr:
        case Type::RemoveXattr:
        case Type::Fsync:
        case Type::Release:
            return read_small(type, from);
    }
    from.check(false);
    return Release{};
}

}  // namespace

void encode(const Operation& operation, std::vector<std::byte>& out) {
    Encoder encoder(out);
    std::visit(encoder, operation.body);
    put(encoder.to, operation.stamps);
}

Result<Operation> decode(std::span<const std::byte> in) {
    FieldReader from(in);
    Operation operation;
    operation.body = read_body(from);
    operation.stamps = from.stamps();
    if (!from.done()) return fail("The peer sent an operation that cannot be read.");
    return operation;
}

}  // namespace ha::replication
