"""F10: a disk freezes and does not fail; the mirror's process stands still. The module's directory has a
disk of its own on each node; no record that was confirmed is lost, and no node is reset for it.

The primary's disk: it gives the module up, the other node goes on. The secondary's: it leaves the in-sync
set, the application goes on. The mirror's process on the primary: ended, and the other node goes on.
"""
import time

from tools.lab import disk, pair, sh

CI = False
TIMEOUT = 300
MODULE = "app"
UNIT = "app.service"
PATH = "/srv/app"
YAML = f"module: {MODULE}\nreplicate:\n  - path: {PATH}\nunits: [{UNIT}]\n"
# It waits for the disk as an application does, and holds a file of it open.
SERVICE = f"""[Service]
ExecStart=/bin/sh -c 'exec 9>>{PATH}/beat; while :; do date +%%s.%%N >&9; sync {PATH}/beat; sleep 0.05; done'
"""
OWN_SIZE = 512 << 20
MONITOR = {"units": [UNIT]}


def give_disk(node):
    image = disk.folder() / f"{node}-own.img"
    with open(image, "wb") as made:
        made.truncate(OWN_SIZE)
    sh.run("mkfs.ext4", "-q", "-F", image)
    device = sh.output("losetup", "--find", "--show", image).strip()
    minor = device.removeprefix("/dev/loop")
    node.run(f"mkdir -p {PATH}; mknod /dev/own b 7 {minor}; mount /dev/own {PATH}")
    sh.run("losetup", "-d", device)     # when it is unmounted


def freeze(node, on=True):
    node.run(["fsfreeze", "--freeze" if on else "--unfreeze", "/run/own"])
    node.tell(f"{node}: its disk {'is frozen' if on else 'answers again'}")


def install(lab):
    for node in lab.pair:
        give_disk(node)
        # fsfreeze(8) through the mirror would be a call to the mirror
        node.run(f"mkdir /run/own; mount --bind {PATH} /run/own; mount --make-private /run/own")
        node.put(f"/etc/systemd/system/{UNIT}", SERVICE)
        node.run("systemctl daemon-reload")
    pair.join(lab)
    lab.node1.put("/root/app.yaml", YAML)
    lab.node1.run("hamirrorctl apply /root/app.yaml")
    for node in lab.pair:
        node.run("systemctl enable -q --now ha-cluster.target")
    lab.node1.run(f"hamirrorctl start {MODULE} --as-source")
    lab.wait_pair(MODULE, lab.node1)


def written(lab, node, record):
    record.on(node).start().wait_confirmed(50)
    return record


def same(lab):
    """Both disks, as they are under the mirror."""
    sums = [node.out("cd /run/own && find . -path ./lost+found -prune -o -path ./.hamirror -prune -o "
                     "-printf '%p %y %s %m %T@\\n' | sort | sha256sum; cat beat records | sha256sum")
            for node in lab.pair]
    lab.expect(sums[0] == sums[1], "both disks hold the same")


def primarys_disk(lab, record, primary):
    other = lab.peer(primary)
    boot = primary.out("cat /proc/sys/kernel/random/boot_id; systemctl show -P ActiveEnterTimestampMonotonic basic.target")
    written(lab, primary, record)
    mark = lab.step(f"the disk of {primary}, which serves, freezes")
    freeze(primary)
    try:
        seen = other.wait_status(MODULE, "alone", "ready", deadline=40)
        lab.expect(seen.at - mark < 20, f"{other} serves {seen.at - mark:.2f} s after")
        lab.expect(not primary.run(f"systemctl is-active -q {UNIT}", check=False),
                   f"nothing of {UNIT} runs on {primary}")
        record.stop()
        record.check(other)
        written(lab, other, record)
    finally:
        freeze(primary, False)
    lab.wait_pair(MODULE, other, deadline=60)
    record.stop()
    record.check(other)
    lab.expect(primary.out("cat /proc/sys/kernel/random/boot_id; systemctl show -P ActiveEnterTimestampMonotonic basic.target")
               == boot, f"{primary} was not reset; redundant again {time.monotonic() - mark:.2f} s after")
    return other


def secondarys_disk(lab, record, primary):
    other = lab.peer(primary)
    written(lab, primary, record)
    mark = lab.step(f"the disk of {other}, the secondary, freezes")
    freeze(other)
    try:
        primary.wait_status(MODULE, "alone", "ready", deadline=40)
        record.wait_confirmed_after(time.monotonic())
        lab.tell(f"  longest time without a confirmed record {record.outage(since=mark, word='confirmed'):.2f} s")
        lab.expect(not primary.journal("Giving the module up", since=mark), f"{primary} goes on")
    finally:
        freeze(other, False)
    lab.wait_pair(MODULE, primary, deadline=60)
    record.stop()
    record.check(primary)


def mirrors_process(lab, record, primary):
    other = lab.peer(primary)
    written(lab, primary, record)
    mark = lab.step(f"the mirror's process on {primary} stands still")
    primary.run(f"systemctl kill -s STOP --kill-whom=main ha-replicatord@{MODULE}")
    seen = other.wait_status(MODULE, "alone", deadline=30)
    lab.expect(seen.at - mark < 8, f"{other} serves {seen.at - mark:.2f} s after")
    record.stop()
    lab.wait_pair(MODULE, other, deadline=60)
    record.check(other)


def play(lab):
    install(lab)
    record = lab.file_recorder(lab.node1, f"{PATH}/records")
    primary = primarys_disk(lab, record, lab.node1)
    secondarys_disk(lab, record, primary)
    mirrors_process(lab, record, primary)
    lab.node1.run(f"hamirrorctl stop {MODULE} --all --wait", timeout=60)
    same(lab)
