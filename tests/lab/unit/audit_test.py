"""The audit sees every single change: two equal trees, one thing altered at a time."""
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

from tools.lab import audit

HOLE = 1 << 20
ACL_READ_BY_1000 = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
    (0x01, 6, 0xffffffff), (0x02, 4, 1000), (0x04, 4, 0xffffffff), (0x10, 4, 0xffffffff),
    (0x20, 4, 0xffffffff)))


def grow(root):
    """A tree with one of everything."""
    (root / "folder").mkdir()
    (root / "folder/plain").write_bytes(b"some content\n" * 1000)
    (root / "folder" / os.fsdecode(b"odd \xff\n name")).write_bytes(b"x")
    (root / "empty").write_bytes(b"")
    with open(root / "sparse", "wb") as file:
        file.seek(HOLE)
        file.write(b"after the hole")
    os.link(root / "folder/plain", root / "linked")
    (root / "twin").write_bytes(b"some content\n" * 1000)
    os.symlink("folder/plain", root / "symlink")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(root / "socket"))
    os.setxattr(root / "empty", "user.colour", b"red")
    os.setxattr(root / "empty", "system.posix_acl_access", ACL_READ_BY_1000)
    if os.geteuid() == 0:
        os.mknod(root / "device", 0o20600, os.makedev(1, 3))
        os.setxattr(root / "symlink", "trusted.mark", b"1", follow_symlinks=False)
    now = 1_700_000_000_123_456_789
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(now, now), follow_symlinks=False)


class AuditTest(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("HAMIRROR_TEST_DIR")))
        self.addCleanup(shutil.rmtree, self.home)
        self.a, self.b = self.home / "a", self.home / "b"
        for root in (self.a, self.b):
            root.mkdir()
            grow(root)

    def found(self):
        return [(name, what.split(" at ")[0]) for name, what, *_ in audit.compare(self.a, self.b).differences]

    def alter(self, action, *expected):
        """Does something to b whose only visible trace shall be what is expected."""
        stamps = {path: os.lstat(path).st_mtime_ns for path in [*self.b.rglob("*"), self.b]}
        action()
        for path, stamp in stamps.items():
            if os.path.lexists(path):
                os.utime(path, ns=(stamp, stamp), follow_symlinks=False)
        self.assertEqual(sorted(self.found()), sorted(expected))

    def test_equal_trees_are_equal_and_were_read(self):
        report = audit.compare(self.a, self.b)
        self.assertEqual(report.differences, [])
        self.assertGreaterEqual(report.files, 11)
        self.assertGreater(report.bytes, HOLE + 39_000)

    def test_content(self):
        def flip():
            with open(self.b / "twin", "r+b") as file:
                file.seek(7000)
                file.write(b"!")
        self.alter(flip, ("twin", "content"))

    def test_size(self):
        self.alter(lambda: os.truncate(self.b / "twin", 12_999), ("twin", "size"))

    def test_missing_and_surplus_names(self):
        self.alter(lambda: (self.b / "empty").rename(self.b / "other"),
                   ("empty", "name"), ("other", "name"))

    def test_type(self):
        def replace():
            (self.b / "fifo").unlink()
            (self.b / "fifo").write_bytes(b"")
        self.alter(replace, ("fifo", "type"))

    def test_mode(self):
        self.alter(lambda: os.chmod(self.b / "twin", 0o4755), ("twin", "mode"))

    def test_mtime_by_one_nanosecond(self):
        now = os.lstat(self.b / "symlink").st_mtime_ns + 1
        os.utime(self.b / "symlink", ns=(now, now), follow_symlinks=False)
        self.assertEqual(self.found(), [("symlink", "mtime")])

    def test_xattr_changed_missing_and_surplus(self):
        self.alter(lambda: os.setxattr(self.b / "empty", "user.colour", b"blue"),
                   ("empty", "xattr user.colour"))
        self.alter(lambda: os.removexattr(self.b / "empty", "user.colour"), ("empty", "xattr user.colour"))
        self.alter(lambda: os.setxattr(self.b / "twin", "user.new", b""),
                   ("empty", "xattr user.colour"), ("twin", "xattr user.new"))

    def test_acl(self):
        self.alter(lambda: os.removexattr(self.b / "empty", "system.posix_acl_access"),
                   ("empty", "xattr system.posix_acl_access"))

    def test_symlink_target(self):
        def point_elsewhere():
            (self.b / "symlink").unlink()
            os.symlink("folder/plaim", self.b / "symlink")
            if os.geteuid() == 0:
                os.setxattr(self.b / "symlink", "trusted.mark", b"1", follow_symlinks=False)
        self.alter(point_elsewhere, ("symlink", "symlink target"))

    def test_hard_link_broken(self):
        def copy():
            (self.b / "linked").unlink()
            shutil.copy2(self.b / "folder/plain", self.b / "linked")
        self.alter(copy, ("linked", "hard links"), ("folder/plain", "hard links"))

    def test_hard_link_to_the_wrong_twin(self):
        def relink():
            (self.b / "linked").unlink()
            os.link(self.b / "twin", self.b / "linked")
        self.alter(relink, *((name, "hard links") for name in ("linked", "folder/plain", "twin")))

    def test_hole_filled_with_zeros(self):
        def fill():
            with open(self.b / "sparse", "r+b") as file:
                file.write(bytes(HOLE))
                os.fsync(file.fileno())
        self.alter(fill, ("sparse", "data and holes"))
        self.assertEqual(audit.compare(self.a, self.b, holes=False).differences, [])

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_owner_group_and_device(self):
        self.alter(lambda: os.lchown(self.b / "symlink", 1000, -1), ("symlink", "owner"))
        self.alter(lambda: os.lchown(self.b / "symlink", 0, 1000), ("symlink", "group"))
        os.lchown(self.b / "symlink", 0, 0)

        def other_device():
            (self.b / "device").unlink()
            os.mknod(self.b / "device", 0o20600, os.makedev(1, 5))
        self.alter(other_device, ("device", "device"))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_own_traces_are_not_seen(self):
        def leave_traces():
            (self.b / ".hamirror").mkdir()
            (self.b / ".hamirror/orphan").write_bytes(b"kept for an open file")
            os.setxattr(self.b / "twin", "trusted.hamirror.id", b"17")
        self.alter(leave_traces)
        os.setxattr(self.b / "twin", "trusted.other", b"17")
        self.assertEqual(self.found(), [("twin", "xattr trusted.other")])

    def test_a_folder_of_that_name_further_down_is_data(self):
        self.alter(lambda: (self.b / "folder/.hamirror").mkdir(), ("folder/.hamirror", "name"))

    def test_command_line(self):
        words = [sys.executable, "-B", "-m", "tools.lab.audit", self.a, self.b]
        same = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(same.returncode, 0, same.stderr)
        (self.b / "twin").unlink()
        other = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(other.returncode, 1)
        self.assertIn("twin: name: there | missing", other.stdout)


if __name__ == "__main__":
    unittest.main()
