"""Two fresh nodes become a pair with its first module, by the commands an administrator types.

For scenes and the demo: install(lab) does it all; join(), configure() and begin() are its steps.
"""
import json
import re

from . import build

MODULE = "postgresql"
UNIT = "postgresql@15-main.service"
VIP = "10.77.0.50"
PATHS = ("/var/lib/postgresql", "/etc/postgresql")
PREFIX = 24
YAML = f"""module: {MODULE}
replicate:
{"".join(f"  - path: {path}" + chr(10) for path in PATHS)}virtual_ips:
  - {VIP}/{PREFIX}
units: [{UNIT}]
"""
TOKEN = re.compile(r"^ +([A-Z0-9]{4}(?:-[A-Z0-9]{4})+)", re.MULTILINE)
WITNESS_DECIDES = "decides when the nodes do not see each other; it answers"
# docs/removal.md
FORGET = f"""set -e
rm -f /etc/hamirror/modules/{MODULE}.yaml /etc/hamirror/gate.d/{MODULE}.*
systemctl daemon-reload
rm -rf /var/lib/hamirror/modules/{MODULE}.record* /var/lib/hamirror/replicatord/{MODULE}
for path in {' '.join(PATHS)}; do setfattr -x trusted.hamirror.marker $path; done"""
CONNECTED = "hamirrorctl status --json | grep -q '\"control_connected\":true'"


def node_words(node):
    return ["--name", node.name, *(f"--address={node.address(net)}" for net in node.host.nets)]


def token_in(text):
    return TOKEN.search(text).group(1)


def init(node):
    """The first server's command; returns the token it shows."""
    return token_in(node.out(["hamirrorctl", "cluster", "init", *node_words(node)]))


def pair(node, first, token, **options):
    """The second server's command, the token given on its standard input."""
    return node.run(["hamirrorctl", "cluster", "pair", first, *node_words(node)],
                    input=f"{token}\n", **options)


def join(lab):
    """init on node1, pair on node2, until the two daemons talk."""
    pair(lab.node2, lab.node1.address(), init(lab.node1))
    for node in lab.pair:
        node.wait_for(CONNECTED, deadline=20)


def configure(lab, yaml=YAML):
    """The module's configuration, and the cluster enabled on both. Nobody serves yet."""
    lab.node1.put(f"/root/{MODULE}.yaml", yaml)
    lab.node1.run(f"hamirrorctl apply /root/{MODULE}.yaml")
    for node in lab.pair:
        node.run("systemctl enable -q --now ha-cluster.target")


def begin(lab, deadline=60.0):
    """node1's data is the right one. Until the other has a full copy."""
    lab.node1.run(f"hamirrorctl start {MODULE} --as-source")
    lab.wait_pair(MODULE, lab.node1, deadline)


def add_witness(lab):
    """The third machine, booted and bare, becomes the pair's witness, as docs/witness.md says.
    Returns what the command said."""
    build.install_on([lab.witness])
    lab.witness.run("systemctl enable -q --now ha-witness")
    return enrol(lab)


def enrol(lab, machine=None, node=None):
    """A node (node1) is told of the witness that runs on a machine (`witness`)."""
    machine, node = machine or lab.witness, node or lab.node1
    token = token_in(machine.out("hamirror-witness token"))
    return node.out(["hamirrorctl", "witness", "add", machine.address()], input=f"{token}\n")


def witness_in_force(node):
    """Whether every module of the node goes by the witness, and reaches it."""
    modules = json.loads(node.out("hamirrorctl status --json"))["modules"]
    return all(one["witness"] == WITNESS_DECIDES for one in modules)


def install(lab, record=None, *settings):
    """All of it, with more lines of YAML. A recorder's table and access are made first, by the
    PostgreSQL as it came."""
    if record:
        record.prepare(lab.node1)
    join(lab)
    configure(lab, YAML + "".join(f"{line}\n" for line in settings))
    begin(lab)


def install_under_load(lab, *settings):
    """All of it, and clients that write through the virtual IP; returns their recorder."""
    record = lab.recorder(VIP)
    install(lab, record, *settings)
    record.start()
    record.wait_confirmed(200)
    return record


def stop_all(lab):
    lab.node1.run(f"hamirrorctl stop {MODULE} --all --wait", timeout=60)


def forget(*nodes):
    """The stopped module is deleted there, as docs/removal.md says."""
    for node in nodes:
        node.run(FORGET)
    for node in nodes:
        node.run("systemctl restart ha-clusterd", timeout=60)
        node.wait_for(CONNECTED, deadline=20)


def audit(lab):
    """Stops the module on both nodes and compares what lies on their disks."""
    stop_all(lab)
    for path in PATHS:
        lab.audit(path)


def status(node):
    """What the node's own daemon says of the module."""
    found = json.loads(node.out("hamirrorctl status --json"))["modules"]
    return next(one for one in found if one["module"] == MODULE)


def epoch(node):
    """The number of the newest decision it knows."""
    return next(each["epoch"] for each in status(node)["nodes"] if each["node"] == node.name)


def own_word(node):
    """What its daemon said last of the module here: {"state": ..., ...}; {} while it says nothing."""
    view = node.watch.views[-1] if node.watch.views else None
    return (view and view.entry(MODULE, node.name)) or {}


def serves(node):
    return own_word(node).get("state") in ("alone", "primary")


def networks(node):
    """Over which networks it hears the other node."""
    return json.loads(node.out("hamirrorctl status --json"))["networks"]


def runs(node):
    """Whether the application has a process here, or the address is here."""
    return (bool(node.run("pgrep -x postgres", check=False))
            or VIP in node.out("ip -br -4 address"))


def waits(lab, node, reason, deadline=60):
    """Until the node is blocked for this reason; nothing of the application is on it. Longer than
    boot_wait, unless it is told otherwise."""
    seen = node.wait_status(MODULE, "waiting", "blocked", deadline, reason=reason)
    lab.expect(not runs(node), f"{node} waits, without application and address: "
               f"{seen.entry['reason']['text']}")
    return seen


def serves_alone(lab, record, node, deadline=60):
    """Until the node serves alone and clients' records are confirmed there."""
    seen = node.wait_status(MODULE, "alone", "ready", deadline)
    record.wait_confirmed_after(seen.at)
    record.wait_confirmed(50)
    lab.expect(answered_by(lab, node), f"{node} serves alone, and the client is answered by it")
    return seen


def settle(lab, deadline=60, module=MODULE):
    """Until both nodes say that they are a pair, whoever is primary; returns that node."""
    def found():
        views = [node.watch.views[-1] if node.watch.views else None for node in lab.pair]
        says = [view and view.entry(module, node.name) for view, node in zip(views, lab.pair)]
        ready = all(each and each["readiness"] == "ready" for each in says)
        roles = [each["state"] for each in says] if ready else []
        return lab.pair[roles.index("primary")] if sorted(roles) == ["primary", "secondary"] else None
    return lab.node1.wait_for(found, deadline)


def whole(lab, record, primary, deadline=60):
    """Until both are in sync again with this primary, and records are confirmed."""
    lab.wait_pair(MODULE, primary, deadline)
    record.wait_confirmed(50)
    lab.expect(answered_by(lab, primary), f"{primary} is primary, the other secondary")


def ends_well(lab, record, primary):
    """The end of a play: every confirmed record is there, and both disks are the same."""
    record.stop()
    record.check(primary)
    audit(lab)


def answered_by(lab, node):
    """Whether the client, asking for the address now, is answered by this node's card."""
    return lab.client.pings(VIP) and lab.client.neighbour(VIP) == node.host.mac("lan0")
