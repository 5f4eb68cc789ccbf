"""A node is a real machine where it matters: systemd, file handles, xattrs, FUSE, PostgreSQL."""
BARE = True
TIMEOUT = 60

FILE_HANDLE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
path, handle, mount = sys.argv[1].encode(), Handle(bytes=128), ctypes.c_int()
assert libc.name_to_handle_at(-100, path, ctypes.byref(handle), ctypes.byref(mount), 0) == 0
os.rename(path, path + b".moved")
folder = os.open(os.path.dirname(path), os.O_RDONLY)
fd = libc.open_by_handle_at(folder, ctypes.byref(handle), os.O_RDONLY)
assert fd >= 0, os.strerror(ctypes.get_errno())
print(os.read(fd, 100).decode(), end="")
"""

FUSE_MOUNT = """
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("/data/mounted", exist_ok=True)
fd = os.open("/dev/fuse", os.O_RDWR)
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
assert libc.mount(b"lab", b"/data/mounted", b"fuse.lab", 0, options) == 0, os.strerror(ctypes.get_errno())
length, opcode = struct.unpack_from("=II", os.read(fd, 1 << 20))
assert libc.umount2(b"/data/mounted", 2) == 0
print(opcode)
"""


def play(lab):
    node = lab.node1

    lab.step("systemd")
    for each in lab.pair:
        each.run("systemctl is-system-running --wait", timeout=20)
        lab.expect(each.out("hostname") == each.name, f"{each} knows its name")
    lab.expect(node.out("systemd-run --quiet --pipe --wait echo from a unit") == "from a unit",
               "a transient unit runs")
    lab.expect("active" == node.out("busctl get-property org.freedesktop.systemd1"
               " /org/freedesktop/systemd1/unit/postgresql_4015_2dmain_2eservice"
               " org.freedesktop.systemd1.Unit ActiveState | cut -d'\"' -f2"), "D-Bus answers")
    lab.expect(node.out("cat /etc/machine-id") != lab.node2.out("cat /etc/machine-id"), "machine ids differ")

    lab.step("the plain disk")
    for path in ("/data", "/var/lib/postgresql", "/etc/postgresql"):
        lab.expect(node.out(["findmnt", "-no", "FSTYPE", path]) == "ext4", f"{path} is on ext4")
    node.run("echo held > /data/file; setfattr -n trusted.mark -v 1 /data/file")
    lab.expect('trusted.mark="1"' in node.out("getfattr -d -m - /data/file 2>&1"), "trusted.* xattrs work")
    lab.expect(node.out(["python3", "-c", FILE_HANDLE, "/data/file"]) == "held", "file handles work")
    lab.expect((node.underlying("/data") / "file.moved").read_text() == "held\n", "seen from outside")

    lab.step("FUSE")
    lab.expect(node.out(["python3", "-c", FUSE_MOUNT]) == "26", "a FUSE mount asks for INIT")
    (node.underlying("/data/mounted")).stat()

    lab.step("PostgreSQL as its package left it")
    lab.expect(node.out("systemctl is-enabled postgresql@15-main") == "enabled-runtime", "its unit is enabled")
    lab.expect(node.out("psql -Atc 'select 6*7' postgres", user="postgres") == "42", "it answers")

    lab.step("what a node must not be able to do to this machine")
    lab.expect(not node.run("date -s @0", check=False), "set the clock")
    lab.expect(not node.run("systemd-run -q --wait date -s @0", check=False), "set the clock from a unit")
    lab.expect(not node.run("modprobe loop", check=False), "load modules")

    lab.step("a command that hangs is ended")
    try:
        node.run("sleep 30", timeout=1)
        lab.expect(False, "the command was ended")
    except Exception as error:
        lab.expect("no end after 1 s" in str(error), str(error))

    lab.step("the journal is an event source")
    mark = lab.step("log a line")
    node.run("logger -t lab --journald", input="MESSAGE=hello there\nHAMIRROR_EPOCH=7\n")
    entry = node.wait_journal("^hello", HAMIRROR_EPOCH=7, since=mark, deadline=5)
    lab.expect(mark < entry.at < mark + 1, "its time is on our clock")
