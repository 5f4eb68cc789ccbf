"""A node's disk: an ext4 (or xfs) image on a tmpfs, mounted by loop in the node's own namespaces.

Power loss is FS_IOC_SHUTDOWN without a log flush: what no fsync had reached the image never does,
exactly as if the machine's memory had gone. That holds on a tmpfs as well as on a real disk, and
the tmpfs is five times faster; $HAMIRROR_LAB_DISKS names a folder on a real one.
"""
import fcntl
import os
import pathlib
import shutil

from . import places, sh

SIZE = os.environ.get("HAMIRROR_LAB_DISK_SIZE", "4G")
FILE_SYSTEM = os.environ.get("HAMIRROR_LAB_FS", "ext4")
FS_IOC_SHUTDOWN = 0x8004587D        # ext4's and xfs's number and argument are the same
NO_LOG_FLUSH = (2).to_bytes(4, "little")
FIFREEZE, FITHAW = 0xc0045877, 0xc0045878


NAMED = places.RUN / "disks-folder"     # what an earlier command of this lab was told


def folder():
    named = os.environ.get("HAMIRROR_LAB_DISKS")
    if not named and NAMED.exists():
        named = NAMED.read_text(encoding="utf-8")
    return pathlib.Path(named).resolve() if named else places.DISKS


def image(name):
    return folder() / f"{name}.img"


def ensure_folder():
    folder().mkdir(parents=True, exist_ok=True)
    NAMED.write_text(str(folder()), encoding="utf-8")
    if folder() == places.DISKS and not os.path.ismount(places.DISKS):
        sh.run("mount", "-t", "tmpfs", "-o", "size=70%,mode=700", "hamirror-disks", places.DISKS)


def make(name):
    """A new, empty disk; what was on an old one is forgotten."""
    ensure_folder()
    path = image(name)
    path.unlink(missing_ok=True)
    with open(path, "wb") as made:
        os.truncate(made.fileno(), parse_size(SIZE))
    if FILE_SYSTEM == "xfs":
        sh.run("mkfs.xfs", "-q", "-K", path)
    else:
        sh.run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", path)


def parse_size(text):
    unit = {"M": 1 << 20, "G": 1 << 30}.get(text[-1:].upper())
    if unit is None or not text[:-1].isdigit():
        raise sh.LabError(f"HAMIRROR_LAB_DISK_SIZE={text}: expected a number with M or G")
    return int(text[:-1]) * unit


def loops():
    """(device, image) of every loop device that stands on one of our images."""
    found = []
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            path = backing.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue                # it was let go between listing and reading
        if path.removesuffix(" (deleted)").startswith(f"{folder()}/"):
            found.append((f"/dev/{backing.parts[3]}", path))
    return found


def attached(name):
    return any(path.removesuffix(" (deleted)") == str(image(name)) for _, path in loops())


def wait_released(name, deadline_s=10):
    """The kernel lets a loop device go some time after the last unmount, and tells nobody."""
    sh.wait_until(lambda: not attached(name), deadline_s, f"{name}'s disk let go by the kernel")


def cut(mounted_fd):
    """Nothing more reaches the disk, not even what was written and not yet synced."""
    fcntl.ioctl(mounted_fd, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)


def kept(name):
    return image(f"{name}-kept")


def keep(name, mounted_fd):
    """A copy of what a running node has on its disk at this moment, as a snapshot of the disk is."""
    fcntl.ioctl(mounted_fd, FIFREEZE, 0)
    try:
        copy(image(name), kept(name))
    finally:
        fcntl.ioctl(mounted_fd, FITHAW, 0)


def put_back(name):
    os.replace(kept(name), image(name))


def copy(source, target):
    """Copies a released or frozen disk, with its holes."""
    sh.run("cp", "--sparse=always", source, target, timeout=120)


def remove_all():
    """After every process has gone. Loop devices let themselves go; one left by a crash between
    its making and its mounting is let go here."""
    try:
        sh.wait_until(lambda: not loops(), 10, "disks let go by the kernel")
    except sh.LabError:
        for device, _ in loops():
            sh.run("losetup", "-d", device)
        sh.wait_until(lambda: not loops(), 5, "disks let go by the kernel")
    for path in folder().glob("*.img"):
        path.unlink()
    if os.path.ismount(places.DISKS):
        sh.run("umount", places.DISKS)
        shutil.rmtree(places.DISKS, ignore_errors=True)
