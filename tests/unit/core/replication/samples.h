#pragma once

#include <string>
#include <vector>

#include "core/replication/copy.h"
#include "core/replication/operation.h"

namespace ha::replication::samples {

inline std::vector<std::byte> bytes(const std::string& text) {
    auto raw = std::as_bytes(std::span<const char>(text));
    return {raw.begin(), raw.end()};
}

/// One of every kind, no field at its default.
inline std::vector<Operation> operations() {
    FileTime time{-5, 999'999'999};
    Xattr xattr{"user.colour", bytes("blue")};
    Operation all[] = {
        {Write{FileId{9}, 1ULL << 40, bytes("hello"), true}, {{FileId{9}, time}}},
        {Create{FileId{1}, "new\nname", FileId{10}, 0100644, 7, 8, 0, "", {xattr, xattr}}, {}},
        {Create{FileId{1}, "", FileId{11}, 0100600, 1, 2, 0, "", {}}, {}},
        {Create{FileId{1}, "link", FileId{12}, 0120777, 1, 2, 0, "../a/b", {}}, {}},
        {Link{FileId{9}, FileId{2}, std::string(255, 'n')}, {{FileId{2}, time}}},
        {Unlink{FileId{2}, "old", FileId{9}, true}, {{FileId{2}, time}}},
        {Rename{FileId{1}, "a", FileId{2}, "b", FileId{9}, FileId{10}, true, 4, FileId{13}}, {}},
        {SetAttributes{FileId{9}, 31, 04755, 3, 4, 1ULL << 33, time, time}, {}},
        {SetXattr{FileId{9}, xattr}, {}},
        {RemoveXattr{FileId{9}, "user.colour"}, {}},
        {Allocate{FileId{9}, 3, 4096, 8192}, {}},
        {Fsync{FileId{9}, true}, {}},
        {Release{FileId{9}}, {}},
    };
    return {std::begin(all), std::end(all)};
}

inline std::vector<CopyRecord> copies() {
    FileTime time{1, 2};
    CopyEntry entry{"name", FileId{9}, 0060600, 0x801, "target"};
    CopyEntry orphan{"", FileId{9}, 0100600, 0, ""};
    Attributes attributes{0100644, 1, 2, 3, time, time, {{"user.a", bytes("b")}}};
    std::vector<TimeStamp> stamps{{FileId{1}, time}};
    CopyRecord all[] = {
        {CopyBegin{}, {}},
        {CopyList{FileId{1}, {entry, entry}}, {}},
        {CopyListed{FileId{1}, attributes}, {}},
        {CopyAttach{FileId{1}, entry}, stamps},
        {CopyAttach{FileId{1}, orphan}, {}},
        {CopyDetach{FileId{1}, "name", FileId{9}, true}, stamps},
        {CopyHashes{FileId{9}, kHashZone, 77}, {}},
        {CopyFinal{FileId{9}, attributes}, {}},
        {CopyEnd{}, {}},
        {Barrier{}, {}},
        {TellIn{"decision", Epoch{4}, Id128{5, 6}}, {}},
    };
    return {std::begin(all), std::end(all)};
}

}  // namespace ha::replication::samples
