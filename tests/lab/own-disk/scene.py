"""The mirrored directory is a mount of its own that the boot does not wait for (nofail): the module's
units stop before it goes when the system shuts down, and it is there before the mirror when it boots.
"""
from tools.lab import pair

TIMEOUT = 120
MODULE = "app"
TAKEOVER = "a7c7c160c1b344e5bca315a71814e736"   # src/api/message_ids.h
FSTAB = "/data/disk /srv/app none bind,nofail 0 0"
YAML = "module: app\nreplicate:\n  - path: /srv/app\nunits: [app.service]\n"
# A stop that takes longer than the unmounting of the disk would, and writes its last line at the end.
SERVICE = """[Service]
ExecStart=/bin/sh -c 'echo started on %H >> /srv/app/log; exec sleep infinity'
ExecStop=/bin/sh -c 'sleep 1; echo stopped on %H >> /srv/app/log; sync /srv/app/log'
[Install]
WantedBy=multi-user.target
"""


def play(lab):
    one, other = lab.pair
    for node in lab.pair:
        node.run(f"mkdir -p /data/disk /srv/app; echo '{FSTAB}' >> /etc/fstab")
        node.put("/etc/systemd/system/app.service", SERVICE)
        node.run("systemctl daemon-reload; systemctl start srv-app.mount; systemctl enable -q app")
    pair.join(lab)
    one.put("/root/app.yaml", YAML)
    one.run("hamirrorctl apply /root/app.yaml")
    for node in lab.pair:
        node.run("systemctl enable -q --now ha-cluster.target")
    one.run("hamirrorctl start app --as-source")
    lab.wait_pair(MODULE, one)

    mark = lab.step("the primary's system is shut down")
    one.poweroff()
    seen = other.wait_status(MODULE, "alone", "ready", deadline=30)
    lab.expect(not other.journal(since=mark, MESSAGE_ID=TAKEOVER),
               f"{other} was handed the module, {seen.at - mark:.2f} s after")
    log = other.out("cat /srv/app/log").split("\n")
    lab.expect(log == [f"started on {one}", f"stopped on {one}", f"started on {other}"],
               f"the last line of the first is there: {log}")

    lab.step("and boots again")
    one.boot()
    lab.wait_pair(MODULE, other)
    lab.expect(one.out("findmnt -rno FSTYPE /srv/app").split() == ["ext4", "fuse.hamirror"],
               "the mirror lies over the disk")
    other.run(["hamirrorctl", "stop", MODULE, "--all", "--wait"])
    lab.audit("/data/disk")
