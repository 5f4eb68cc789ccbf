"""The base image: the root file system every node's overlay stands on.

Built by mmdebstrap once and kept under a name made from everything that shapes it, so a change of
the package list or of the preparation builds a new one. PostgreSQL's packages have made their
cluster and enabled its units, as on a customer's server. Nothing of hamirror is in it.
"""
import hashlib
import inspect
import os
import shutil
import time

from . import places, sh

PACKAGES = """
    systemd systemd-sysv dbus udev libpam-systemd polkitd apt iproute2 iputils-ping iputils-arping
    nftables procps psmisc less socat curl strace attr acl e2fsprogs openssl ca-certificates python3
    sqlite3 rsync xxd libsystemd0 libmnl0 libyaml-cpp0.7 libssl3 libxxhash0 libzstd1 libboost-system1.74.0
    postgresql-15 postgresql-client-15 nginx-light
""".split()

# Each costs boot time, needs a console or reaches for the network; no test wants them.
MASKED = """
    systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer
    e2scrub_reap.service fstrim.timer dpkg-db-backup.timer getty.target console-getty.service
    systemd-timesyncd.service
""".split()

KEPT_S = 24 * 3600                  # an unused image is removed when another is built after this

# What the lab keeps on the node's plain disk instead of on the overlay (see mains.py).
ON_DISK = ("/data", "/var/lib/postgresql", "/etc/postgresql")

MANAGER_CONF = "[Manager]\nDefaultTimeoutStopSec=20s\n"
JOURNAL_CONF = "[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRateLimitIntervalSec=0\n"
# An orderly shutdown leaves nothing unwritten; the mains switch then cuts without mercy.
SHUTDOWN_SYNC = "#!/bin/sh\nsync -f /\nsync -f /data\n"

# Commands the lab entered from outside are nobody's children in the node: systemd-shutdown would
# wait ten seconds for a SIGCHLD of each. So they end as the node's services do, and last of all.
GUESTS_UNIT = """[Unit]
Description=Ends the commands entered from outside, late in the shutdown
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/usr/lib/lab-guests-end
[Install]
WantedBy=sysinit.target
"""
GUESTS_END = """#!/bin/sh
for process in /proc/[0-9]*; do
    grep -qs '^0::/\\.\\./' "$process/cgroup" && kill -KILL "${process#/proc/}"
done
exit 0
"""


def folder():
    text = " ".join([*PACKAGES, *MASKED, *ON_DISK, MANAGER_CONF, JOURNAL_CONF, SHUTDOWN_SYNC,
                     GUESTS_UNIT, GUESTS_END, inspect.getsource(prepare), inspect.getsource(bootstrap)])
    return places.STATE / ("image-" + hashlib.sha256(text.encode()).hexdigest()[:12])


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def prepare(root):
    """Makes a fresh Debian root fit for a node: anonymous, quiet, quick to boot."""
    write(root / "etc/machine-id", "")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    write(root / "etc/fstab", "")
    write(root / "etc/hosts", "127.0.0.1 localhost\n" + "".join(
        f"{host.address('lan0')} {host.name}\n" for host in places.HOSTS.values()))
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (root / "etc/systemd/system/multi-user.target.wants/nginx.service").unlink(missing_ok=True)
    write(root / "etc/systemd/system.conf.d/lab.conf", MANAGER_CONF)
    write(root / "etc/systemd/journald.conf.d/lab.conf", JOURNAL_CONF)
    write(root / "usr/lib/systemd/system-shutdown/lab-sync", SHUTDOWN_SYNC, 0o755)
    write(root / "usr/lib/lab-guests-end", GUESTS_END, 0o755)
    write(root / "etc/systemd/system/lab-guests.service", GUESTS_UNIT)
    wanted = root / "etc/systemd/system/sysinit.target.wants/lab-guests.service"
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to("../lab-guests.service")
    (root / "data").mkdir(exist_ok=True)


def bootstrap(root):
    sh.run("mmdebstrap", "--variant=apt", "--components=main",
           "--aptopt=Acquire::Languages \"none\"",
           # a mirror may be a snapshot older than its own expiry; this root serves tests only
           "--aptopt=Acquire::Check-Valid-Until \"false\"", "--aptopt=Acquire::Check-Date \"false\"",
           "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
           f"--include={','.join(PACKAGES)}", "bookworm", root, timeout=900,
           env=dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive"))


def ensure():
    """Returns the base image's folder, built now if it has to be. Call under the machine lock."""
    root = folder()
    if (root / "etc/debian_version").exists():
        os.utime(root)
        return root
    for old in places.STATE.glob("image-*"):    # other branches may still use a recent one
        if old.name == "image-building" or time.time() - old.stat().st_mtime > KEPT_S:
            shutil.rmtree(old)
    sh.say(f"building the base image {root} (a minute or two, once)")
    building = root.with_name("image-building")
    building.parent.mkdir(parents=True, exist_ok=True)
    bootstrap(building)
    prepare(building)
    building.rename(root)
    return root
