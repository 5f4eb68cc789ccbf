"""F15, F9: the witness's register of a module is lost, or of another time, unnoticed by any node; and the
module is deleted and made anew under the same name. `witness remove` and `witness add` mend it.
"""
from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 420
SEEN = "/var/lib/hamirror/modules/witness.seen"


def backup(lab, name):
    lab.witness.run(f"systemctl stop ha-witness; cp -a /var/lib/private/hamirror-witness /root/{name}; "
                    "systemctl start ha-witness")


def restore(lab, name):
    """As if both nodes' memory of the witness were of that time, too: else it is refused as `behind`."""
    for node in lab.pair:
        node.run("systemctl stop ha-cluster.target; systemctl stop ha-clusterd", timeout=60)
        node.run(["rm", SEEN])
    lab.witness.run("systemctl stop ha-witness; rm -r /var/lib/private/hamirror-witness/*; "
                    f"cp -a /root/{name}/. /var/lib/private/hamirror-witness/; systemctl start ha-witness")
    for node in lab.pair:
        node.run("systemctl start ha-cluster.target", timeout=60)


def useless(lab, record, primary, reason):
    """The pair goes on while the nodes see each other; cut off, nobody decides, and each says why."""
    other = lab.peer(primary)
    pair.whole(lab, record, primary)
    for node in lab.pair:
        witness.wait_says(node, "cannot decide")
    mark = lab.step("the nodes do not hear each other: nobody decides")
    lab.partition(primary, other)
    for node in lab.pair:
        pair.waits(lab, node, reason, deadline=20)
    primary.wait_journal("The control connection to the other node broke", since=mark, deadline=30)
    lab.step("they do again, and agree by themselves")
    lab.partition(primary, other, on=False)
    primary = pair.settle(lab)
    pair.whole(lab, record, primary)
    return primary


def mend(lab, record, primary):
    mark = lab.step("the witness is removed and added, under load")
    witness.remove(primary)
    witness.add(lab, node=primary)
    witness.wait_in_force(lab)
    record.wait_confirmed(100)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")
    other = lab.peer(primary)
    mark = lab.step("the nodes do not hear each other: it decides")
    lab.partition(primary, other)
    pair.serves_alone(lab, record, primary, deadline=20)
    other.wait_journal("has decided without this node", since=mark)
    lab.partition(primary, other, on=False)
    pair.whole(lab, record, primary)


def play(lab):
    one, other = lab.pair
    record = lab.recorder(pair.VIP)
    record.prepare(one)
    pair.join(lab)
    witness.add(lab)
    backup(lab, "before")
    pair.configure(lab)
    pair.begin(lab)
    witness.wait_in_force(lab)
    backup(lab, "first-module")
    record.start()
    record.wait_confirmed(100)

    lab.step("the witness holds nothing of the module any more")
    restore(lab, "before")
    primary = useless(lab, record, pair.settle(lab), "register-lost")
    mend(lab, record, primary)

    lab.step("the module is deleted on both nodes and made anew over the same directories")
    lab.node1.run(f"hamirrorctl stop {pair.MODULE} --all --wait", timeout=60)
    pair.forget(*lab.pair)
    pair.configure(lab)
    done = primary.run(f"hamirrorctl start {pair.MODULE} --as-source", check=False)
    lab.expect(not done and "already knows" in done.err, done.err)
    witness.remove(primary)
    primary.run(f"hamirrorctl start {pair.MODULE} --as-source")
    pair.whole(lab, record, primary)
    witness.add(lab, node=primary)
    witness.wait_in_force(lab)

    lab.step("the witness holds a decision of the module that is no more")
    restore(lab, "first-module")
    primary = useless(lab, record, pair.settle(lab), "register-foreign")
    mend(lab, record, primary)
    pair.ends_well(lab, record, primary)
