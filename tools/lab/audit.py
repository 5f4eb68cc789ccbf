"""The audit: are two directory trees the same, in everything an application could tell?

Compared are names, types, content, size, mode, owner, group, mtime to the nanosecond, extended
attributes (ACLs and capabilities are some), hard-link groups, symlink targets, device numbers, and
where files have holes. Not compared: atime, ctime, birth time, inode numbers, and what is
hamirror's own (trusted.hamirror.* attributes, the folder .hamirror at the top). Both trees must
be at rest. Run on the folders below the mirror, one of each node; reads both once.
"""
import argparse
import os
import stat
import sys
from dataclasses import dataclass, field

OWN_XATTR = "trusted.hamirror."
OWN_FOLDER = b".hamirror"
CHUNK = 1 << 20
SHOWN_MAX = 50

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink",
         stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFCHR: "character device",
         stat.S_IFBLK: "block device"}


@dataclass
class Report:
    """What was compared and what differs."""
    files: int = 0
    bytes: int = 0
    differences: list = field(default_factory=list)     # (name, what, in a, in b)

    def add(self, name, what, a, b):
        self.differences.append((name.decode("utf-8", "backslashreplace") or ".", what, a, b))

    def lines(self):
        for name, what, a, b in self.differences[:SHOWN_MAX]:
            yield f"{name}: {what}: {a} | {b}"
        if len(self.differences) > SHOWN_MAX:
            yield f"... and {len(self.differences) - SHOWN_MAX} more differences"

    def summary(self):
        return (f"{self.files} names and {self.bytes} bytes compared,"
                f" {len(self.differences)} differences")


def kind(info):
    return TYPES.get(stat.S_IFMT(info.st_mode), "unknown type")


def xattrs(path):
    return {name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
            if not name.startswith(OWN_XATTR)}


def data_map(fd, size):
    """[(start, end)] of the file's data; the rest are holes."""
    found, at = [], 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:             # ENXIO: only a hole up to the end
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found.append((start, at))
    return found


def differing_byte(one, other, size):
    """Offset of the first byte that differs, or None."""
    for at in range(0, size, CHUNK):
        x, y = os.pread(one, CHUNK, at), os.pread(other, CHUNK, at)
        if x != y:
            return at + next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
    return None


class Audit:
    """Walks two trees side by side."""

    def __init__(self, a, b, holes=True):
        self.roots = (os.fsencode(a), os.fsencode(b))
        self.holes = holes
        self.report = Report()
        self.links = ({}, {})       # inode -> names, of files with more than one

    def run(self):
        self.compare(b"")
        self.compare_links()
        return self.report

    def compare(self, name):
        paths = [os.path.join(root, name) if name else root for root in self.roots]
        infos = [os.lstat(path) for path in paths]
        self.report.files += 1
        if kind(infos[0]) != kind(infos[1]):
            self.report.add(name, "type", kind(infos[0]), kind(infos[1]))
            return
        self.compare_attributes(name, paths, infos)
        for links, info in zip(self.links, infos):
            if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
                links.setdefault(info.st_ino, []).append(name)
        if stat.S_ISDIR(infos[0].st_mode):
            self.compare_names(name, paths)
        elif stat.S_ISREG(infos[0].st_mode):
            self.compare_content(name, paths, infos)
        elif stat.S_ISLNK(infos[0].st_mode):
            self.check(name, "symlink target", *(os.readlink(path) for path in paths))

    def check(self, name, what, a, b):
        if a != b:
            self.report.add(name, what, a, b)

    def compare_attributes(self, name, paths, infos):
        a, b = infos
        self.check(name, "mode", oct(stat.S_IMODE(a.st_mode)), oct(stat.S_IMODE(b.st_mode)))
        self.check(name, "owner", a.st_uid, b.st_uid)
        self.check(name, "group", a.st_gid, b.st_gid)
        if name or not any(os.path.lexists(os.path.join(path, OWN_FOLDER)) for path in paths):
            self.check(name, "mtime", a.st_mtime_ns, b.st_mtime_ns)
        if stat.S_ISCHR(a.st_mode) or stat.S_ISBLK(a.st_mode):
            self.check(name, "device", a.st_rdev, b.st_rdev)
        one, other = xattrs(paths[0]), xattrs(paths[1])
        for key in sorted(one.keys() | other.keys()):
            self.check(name, f"xattr {key}", one.get(key, "absent"), other.get(key, "absent"))

    def compare_names(self, name, paths):
        listed = [set(os.listdir(path)) for path in paths]
        if not name:
            listed = [names - {OWN_FOLDER} for names in listed]
        for entry in sorted(listed[0] | listed[1]):
            below = os.path.join(name, entry) if name else entry
            there = ["there" if entry in names else "missing" for names in listed]
            if there == ["there", "there"]:
                self.compare(below)
            else:
                self.report.files += 1
                self.report.add(below, "name", *there)

    def compare_content(self, name, paths, infos):
        if infos[0].st_size != infos[1].st_size:
            self.report.add(name, "size", infos[0].st_size, infos[1].st_size)
            return
        size = infos[0].st_size
        one, other = (os.open(path, os.O_RDONLY | os.O_NOFOLLOW) for path in paths)
        try:
            self.report.bytes += size
            at = differing_byte(one, other, size)
            if at is not None:
                self.report.add(name, f"content at byte {at}", os.pread(one, 16, at), os.pread(other, 16, at))
            elif self.holes:
                self.check(name, "data and holes", data_map(one, size), data_map(other, size))
        finally:
            os.close(one)
            os.close(other)

    def compare_links(self):
        groups = [{name: sorted(names) for names in links.values() if len(names) > 1 for name in names}
                  for links in self.links]
        for name in sorted(groups[0].keys() | groups[1].keys()):
            a, b = (group.get(name, [name]) for group in groups)
            if a != b:
                self.report.add(name, "hard links", a, b)


def compare(a, b, holes=True):
    return Audit(a, b, holes).run()


def main():
    parser = argparse.ArgumentParser(description="compare two directory trees in everything")
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--no-holes", action="store_true", help="do not compare where files have holes")
    options = parser.parse_args()
    report = compare(options.a, options.b, not options.no_holes)
    for line in report.lines():
        print(line)
    print(report.summary())
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
