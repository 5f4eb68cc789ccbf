"""Runs as the first process of a node, in a mount namespace of its own, and becomes systemd-nspawn.

The node's mounts are made here and nowhere else. One made in the machine's own namespace would be
copied into every namespace made meanwhile and stay pinned there: after a power loss the next boot
would find the dead disk, not the one whose journal has to be replayed.
"""
import os
import pathlib
import shutil
import socket
import sys

from . import disk, image, places, sh

CAPABILITIES_WITHHELD = "CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO"


def mount_disk(node):
    """The node's disk, its journal replayed, and the overlay of the base image on it."""
    home = places.RUN / node.name
    place, root = home / "disk", home / "root"
    sh.run("mount", "-o", "loop", disk.image(node.name), place, timeout=60)
    first_boot = not (place / "upper").exists()
    for name in ("upper", "work", "kept"):
        (place / name).mkdir(exist_ok=True)
    base = image.folder()
    sh.run("mount", "-t", "overlay", f"hamirror-{node.name}", "-o",
           f"lowerdir={base},upperdir={place}/upper,workdir={place}/work", root)
    if first_boot:
        fill(base, place)
    (root / "etc/hostname").write_text(node.name + "\n", encoding="ascii")
    return place, root


def fill(base, place):
    """What lives on the plain disk starts as the image has it; then all of it is durable."""
    for path in image.ON_DISK:
        source, target = base / path[1:], kept(place, path)
        sh.run("cp", "-a", source, target, timeout=120)
    sh.run("sync", "-f", place, timeout=60)


def kept(place, path):
    """/var/lib/postgresql -> DISK/kept/var-lib-postgresql"""
    return place / "kept" / path[1:].replace("/", "-")


def hand_over_disk(place, root, mains_fd):
    """The mains switch gets descriptors of the mounted disk, to cut it whatever happens, and of the
    overlay: the last unmount of an overlay syncs the disk below it, which no reset does."""
    with socket.socket(fileno=mains_fd) as mains:
        fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (place, root)]
        socket.send_fds(mains, [b"disk"], fds)
        for fd in fds:
            os.close(fd)


def show_pure_v2():
    """nspawn and the node's systemd see this machine's cgroup v2 tree alone, whatever the host."""
    if places.cgroup_root() != pathlib.Path("/sys/fs/cgroup"):
        sh.run("umount", "-l", "/sys/fs/cgroup")
        sh.run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")


def main(name, mains_fd):
    node = places.NODES[name]
    place, root = mount_disk(node)
    hand_over_disk(place, root, mains_fd)
    show_pure_v2()
    binds = [f"--bind={kept(place, path)}:{path}" for path in image.ON_DISK]
    nspawn = shutil.which("systemd-nspawn") or "systemd-nspawn"
    os.environ |= {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                   "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
    os.execv(nspawn, [
        "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--notify-ready=yes",
        f"--machine={node.netns}", f"--hostname={name}", f"--directory={root}",
        f"--network-namespace-path=/run/netns/{node.netns}",
        "--capability=all", f"--drop-capability={CAPABILITIES_WITHHELD}",
        "--system-call-filter=@keyring bpf perf_event_open open_by_handle_at",
        "--rlimit=NOFILE=1024:524288", "--bind=/dev/fuse", *binds, "--resolv-conf=off",
        "--timezone=off", "--link-journal=no",
        "--console=pipe"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
