"""A module whose application starts and stops in milliseconds and writes down each start, for scenes
in which PostgreSQL's seconds would hide what is looked for. For a pair that is joined (pair.py).
"""
MODULE = "app"
UNIT = "app.service"
PATH = "/data/app"                  # on the node's plain ext4
YAML = f"module: {MODULE}\nreplicate:\n  - path: {PATH}\nunits: [{UNIT}]\n"
LOG = f"{PATH}/log"
# Started only once its line is on both disks.
SERVICE = f"""[Service]
ExecStartPre=/bin/sh -c 'echo started on %H >> {LOG} && sync {LOG}'
ExecStart=sleep infinity
"""


def install(lab, *settings):
    """Configured and served by node1."""
    for node in lab.pair:
        node.run(["mkdir", "-p", PATH])
        node.put(f"/etc/systemd/system/{UNIT}", SERVICE)
        node.run("systemctl daemon-reload")
    lab.node1.put(f"/root/{MODULE}.yaml", YAML + "".join(f"{line}\n" for line in settings))
    lab.node1.run(f"hamirrorctl apply /root/{MODULE}.yaml")
    for node in lab.pair:
        node.run("systemctl enable -q --now ha-cluster.target")
    lab.node1.run(f"hamirrorctl start {MODULE} --as-source")
    lab.wait_pair(MODULE, lab.node1)


def starts(node):
    """How often it was started here, by systemd's word; a start that is reported is on both disks."""
    return len(node.journal(f"Started {UNIT}"))


def written(node):
    """The lines as the node that serves it reads them."""
    return node.out(["cat", LOG]).splitlines()
