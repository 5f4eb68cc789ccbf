"""Everything the build and the lab need, from Debian 12's own archive, installed once.

When all is there this asks dpkg once and downloads nothing.
"""
import os
import subprocess
from pathlib import Path

from . import sh

BUILD = """
    g++ cmake ninja-build ccache pkg-config libsystemd-dev libmnl-dev libyaml-cpp-dev libcli11-dev
    nlohmann-json3-dev libexpected-dev libxxhash-dev libssl-dev libzstd-dev libboost-dev libgtest-dev
    libgmock-dev libbenchmark-dev libcurl4-openssl-dev etcd-server etcd-client debhelper dpkg-dev
    fakeroot systemd clang clang-format attr acl git
""".split()
LAB = """
    mmdebstrap systemd-container nftables iproute2 e2fsprogs xfsprogs util-linux iputils-ping
    iputils-arping procps zstd ca-certificates
""".split()


def missing(packages):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *packages],
                          text=True, capture_output=True, check=False, timeout=60)
    there = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("installed ")}
    return [name for name in packages if name not in there]


def mask(unit):
    """Its package would start it and enable it; the tests start members of their own."""
    if not unit.exists() and not unit.is_symlink():
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.symlink_to("/dev/null")


def install():
    """Installs what is missing; several may run at once, apt's lock sorts them."""
    wanted = missing(BUILD + LAB)
    if not wanted:
        return
    sh.need_root()
    if "etcd-server" in wanted:
        mask(Path("/etc/systemd/system/etcd.service"))
    sh.say(f"installing {' '.join(wanted)}")
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=600", "-q", "-y"]
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    sh.run(*apt, "update", timeout=600, env=quiet)
    sh.run(*apt, "install", "--no-install-recommends", *wanted, timeout=1800, env=quiet)
    left = missing(wanted)
    if left:
        raise sh.LabError(f"apt-get did not install {' '.join(left)}")
