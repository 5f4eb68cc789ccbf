"""The audit compares what lies on both nodes' disks, whatever is mounted over it."""
from tools.lab import sh

BARE = True
TIMEOUT = 60


def play(lab):
    lab.step("both clusters came from one image")
    for node in lab.pair:
        node.run("systemctl stop postgresql@15-main; rm -rf /data/*; cp -a /etc/postgresql /data/copy")
    lab.audit("/data/copy")

    lab.step("one byte, below a mount")
    lab.node2.run("printf x | dd of=/data/copy/15/main/pg_ident.conf conv=notrunc bs=1 status=none;"
                  " touch -r /data/copy/15/main/pg_hba.conf /data/copy/15/main/pg_ident.conf;"
                  " mount -t tmpfs none /data/copy/15")
    lab.node1.run("touch -r /data/copy/15/main/pg_hba.conf /data/copy/15/main/pg_ident.conf")
    try:
        lab.audit("/data/copy")
        seen = "nothing"
    except sh.LabError as error:
        seen = str(error)
    lab.expect("15/main/pg_ident.conf: content at byte 0" in seen and " 1 differences" in seen, seen)
