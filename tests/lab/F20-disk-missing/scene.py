"""F20: the mirrored directory's own disk is not mounted at boot: nothing is served from the empty
directory, nothing is deleted on the peer; mounted again, the node is rebuilt.
"""
from tools.lab import pair

TIMEOUT = 120
MODULE = "app"
FSTAB = "/data/disk /data/app none bind,nofail 0 0"     # as in own-disk
YAML = "module: app\nreplicate:\n  - path: /data/app\nunits: [app.service]\n"
SERVICE = """[Service]
ExecStart=sleep infinity
"""


def play(lab):
    one, other = lab.pair
    for node in lab.pair:
        node.run(f"mkdir -p /data/disk /data/app; echo '{FSTAB}' >> /etc/fstab")
        node.put("/etc/systemd/system/app.service", SERVICE)
        node.run("systemctl daemon-reload; systemctl start data-app.mount")
    pair.join(lab)
    one.put("/root/app.yaml", YAML)
    one.run("hamirrorctl apply /root/app.yaml")
    for node in lab.pair:
        node.run("systemctl enable -q --now ha-cluster.target")
    one.run("hamirrorctl start app --as-source")
    lab.wait_pair(MODULE, one)
    record = lab.file_recorder(one, "/data/app/records").start()
    record.wait_confirmed(50)
    record.stop()

    lab.step("node1 loses power; its disk is not mounted when it boots")
    one.run("sed -i s,^/data/disk,#/data/disk, /etc/fstab; sync /etc/fstab")
    lab.power_loss(one)
    other.wait_status(MODULE, "alone", "ready", deadline=30)
    one.boot()
    seen = one.wait_status(MODULE, "waiting", "blocked", deadline=30, reason="data-missing")
    lab.expect(True, seen.entry["reason"]["text"])
    record.on(other).start().wait_confirmed(50)
    record.stop()
    record.check(other)
    lab.expect(not one.run("test -e /data/app/records", check=False), "nothing was copied over it")

    lab.step("node2 is stopped: node1 serves nothing all the same")
    other.run(f"hamirrorctl stop {MODULE} --wait", timeout=60)
    lab.expect(one.wait_status(MODULE, "waiting", "blocked", reason="data-missing"), "it waits")
    other.run(f"hamirrorctl start {MODULE}")
    other.wait_status(MODULE, "alone", "ready", deadline=30)
    record.check(other)

    lab.step("the disk is mounted, and the module started again")
    one.run(f"hamirrorctl stop {MODULE} --wait && sed -i s,^#/data/disk,/data/disk, /etc/fstab && "
            f"systemctl daemon-reload && systemctl start data-app.mount && hamirrorctl start {MODULE}", timeout=60)
    lab.wait_pair(MODULE, other, deadline=60)
    record.check(other)
    other.run(["hamirrorctl", "stop", MODULE, "--all", "--wait"], timeout=60)
    lab.audit("/data/disk")
