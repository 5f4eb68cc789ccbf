#include "core/replication/copy.h"

#include "core/replication/fields.h"

namespace ha::replication {
namespace {

/// The numbers on the wire (docs/protocol.md). Never reused for another meaning.
enum class Type : std::uint8_t {
    Begin = 1,
    List = 2,
    Listed = 3,
    Attach = 4,
    Detach = 5,
    Hashes = 6,
    Final = 7,
    End = 8,
    Barrier = 9,
    TellIn = 10
};

constexpr std::size_t kMaxDecision = 1U << 20;

void put(ByteWriter& to, const Attributes& attributes) {
    to.u32(attributes.mode);
    to.u32(attributes.uid);
    to.u32(attributes.gid);
    to.u64(attributes.size);
    replication::put(to, attributes.atime);
    replication::put(to, attributes.mtime);
    replication::put(to, attributes.xattrs);
}

void put(ByteWriter& to, const CopyEntry& entry) {
    to.text(entry.name);
    replication::put(to, entry.id);
    to.u32(entry.mode);
    to.u64(entry.device);
    to.text(entry.target);
}

class Encoder {
  public:
    explicit Encoder(std::vector<std::byte>& out) : to(out) {}

    void operator()(const CopyBegin&) { type(Type::Begin); }
    void operator()(const CopyList& list) {
        type(Type::List);
        replication::put(to, list.directory);
        to.u32(static_cast<std::uint32_t>(list.entries.size()));
        for (const auto& entry : list.entries) put(to, entry);
    }
    void operator()(const CopyListed& listed) {
        type(Type::Listed);
        replication::put(to, listed.directory);
        put(to, listed.attributes);
    }
    void operator()(const CopyAttach& attach) {
        type(Type::Attach);
        replication::put(to, attach.parent);
        put(to, attach.entry);
    }
    void operator()(const CopyDetach& detach) {
        type(Type::Detach);
        replication::put(to, detach.parent);
        to.text(detach.name);
        replication::put(to, detach.id);
        to.u8(detach.kept ? 1 : 0);
    }
    void operator()(const CopyHashes& hashes) {
        type(Type::Hashes);
        replication::put(to, hashes.id);
        to.u64(hashes.offset);
        to.u64(hashes.token);
    }
    void operator()(const CopyFinal& final) {
        type(Type::Final);
        replication::put(to, final.id);
        put(to, final.attributes);
    }
    void operator()(const CopyEnd&) { type(Type::End); }
    void operator()(const Barrier&) { type(Type::Barrier); }
    void operator()(const TellIn& tell) {
        type(Type::TellIn);
        to.text(tell.decision);
        to.u64(tell.epoch.value);
        to.id(tell.decision_id);
    }

    ByteWriter to;

  private:
    void type(Type value) { to.u8(static_cast<std::uint8_t>(value)); }
};

Attributes read_attributes(FieldReader& from) {
    Attributes attributes;
    attributes.mode = from.number.u32();
    attributes.uid = from.number.u32();
    attributes.gid = from.number.u32();
    attributes.size = from.number.u64();
    attributes.atime = from.time();
    attributes.mtime = from.time();
    attributes.xattrs = from.xattrs();
    from.check(attributes.size <= INT64_MAX);
    return attributes;
}

CopyEntry read_entry(FieldReader& from, bool named) {
    CopyEntry entry;
    entry.name = from.number.text(kMaxName);
    from.check(valid_name(entry.name) || (entry.name.empty() && !named));
    entry.id = from.id();
    entry.mode = from.number.u32();
    entry.device = from.number.u64();
    entry.target = from.target();
    return entry;
}

CopyList read_list(FieldReader& from) {
    CopyList list;
    list.directory = from.id();
    std::size_t count = from.number.u32();
    from.check(count <= kMaxListed);
    for (std::size_t i = 0; i < count && from.ok(); ++i) {
        list.entries.push_back(read_entry(from, true));
    }
    return list;
}

CopyAttach read_attach(FieldReader& from) {
    FileId parent = from.id();
    return {parent, read_entry(from, false)};
}

CopyDetach read_detach(FieldReader& from) {
    CopyDetach detach;
    detach.parent = from.id();
    detach.name = from.number.text(kMaxName);
    from.check(detach.name.empty() || valid_name(detach.name));
    detach.id = from.id();
    detach.kept = from.flag();
    return detach;
}

CopyHashes read_hashes(FieldReader& from) {
    CopyHashes hashes;
    hashes.id = from.id();
    hashes.offset = from.number.u64();
    hashes.token = from.number.u64();
    from.check(hashes.offset % kHashBlock == 0 && hashes.offset <= INT64_MAX);
    return hashes;
}

TellIn read_tell(FieldReader& from) {
    TellIn tell;
    tell.decision = from.number.text(kMaxDecision);
    tell.epoch = Epoch{from.number.u64()};
    tell.decision_id = from.number.id();
    return tell;
}

CopyBody read_body(FieldReader& from) {
    auto type = static_cast<Type>(from.number.u8());
    switch (type) {
        case Type::Begin:
            return CopyBegin{};
        case Type::List:
            return read_list(from);
        case Type::Listed: {
            FileId directory = from.id();
            return CopyListed{directory, read_attributes(from)};
        }
        case Type::Attach:
            return read_attach(from);
        case Type::Detach:
            return read_detach(from);
        case Type::Hashes:
            return read_hashes(from);
        case Type::Final: {
            FileId id = from.id();
            return CopyFinal{id, read_attributes(from)};
        }
        case Type::End:
            return CopyEnd{};
        case Type::Barrier:
            return Barrier{};
        case Type::TellIn:
            return read_tell(from);
    }
    from.check(false);
    return CopyEnd{};
}

}  // namespace

void encode(const CopyRecord& record, std::vector<std::byte>& out) {
    Encoder encoder(out);
    std::visit(encoder, record.body);
    put(encoder.to, record.stamps);
}

Result<CopyRecord> decode_copy(std::span<const std::byte> in) {
    FieldReader from(in);
    CopyRecord record;
    record.body = read_body(from);
    record.stamps = from.stamps();
    if (!from.done()) return fail("The peer sent a copy record that cannot be read.");
    return record;
}

void encode(const HashAnswer& answer, std::vector<std::byte>& out) {
    ByteWriter to(out);
    put(to, answer.id);
    to.u64(answer.offset);
    to.u64(answer.token);
    to.u64(answer.size);
    to.u32(static_cast<std::uint32_t>(answer.blocks.size()));
    for (const auto& block : answer.blocks) out.insert(out.end(), block.begin(), block.end());
}

Result<HashAnswer> decode_answer(std::span<const std::byte> in) {
    FieldReader from(in);
    HashAnswer answer;
    answer.id = from.id();
    answer.offset = from.number.u64();
    answer.token = from.number.u64();
    answer.size = from.number.u64();
    std::size_t count = from.number.u32();
    from.check(count <= kHashZone / kHashBlock);
    from.check(from.number.remaining() == count * sizeof(BlockHash));
    if (!from.ok()) return fail("The peer sent block hashes that cannot be read.");
    auto raw = in.last(count * sizeof(BlockHash));
    answer.blocks.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        auto block = raw.subspan(i * sizeof(BlockHash), sizeof(BlockHash));
        std::copy(block.begin(), block.end(), answer.blocks[i].begin());
    }
    return answer;
}

}  // namespace ha::replication
