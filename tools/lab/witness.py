"""The pair gets, changes and loses its witness, by the commands of docs/witness.md."""
import re

from . import build, pair

LOST = "cf019cfe8acd40e79982badcfe614125"       # src/api/message_ids.h
REACHED = "0df72c4e6b0c49028dd04fd0a527d6bb"


def add(lab, machine=None, node=None):
    """The machine (`witness`, unless told) becomes the pair's witness, or takes another's place."""
    machine, node = machine or lab.witness, node or lab.node1
    if not machine.run("test -e /usr/sbin/hamirror-witness", check=False):
        build.install_on([machine], build.ON_WITNESS)
        machine.run("sync -f /")        # it may lose power soon
    machine.run("systemctl enable -q --now ha-witness")
    lab.tell(f"  {pair.enrol(lab, machine, node).splitlines()[0]}")


def remove(node):
    node.run("hamirrorctl witness remove")


def store(node):
    """The pair's registers there, by the node's cluster.yaml."""
    return re.search('store: "?([0-9a-f]{32})', node.out("cat /etc/hamirror/cluster.yaml")).group(1)


def forget(machine, registers):
    """The witness forgets a pair, as `witness remove` says."""
    machine.run(f"systemctl stop ha-witness && hamirror-witness remove {registers} && systemctl start ha-witness")


def says(node):
    return pair.status(node)["witness"]


def wait_says(node, sentence, deadline=10):
    """Until status says this of the witness: pair.WITNESS_DECIDES, or a part of another sentence; "" is none."""
    def said():
        now = says(node)
        return sentence in now if sentence else not now
    node.wait_for(said, deadline)


def wait_in_force(lab, deadline=10):
    for node in lab.pair:
        wait_says(node, pair.WITNESS_DECIDES, deadline)


def install(lab):
    """add() and until it decides on both nodes."""
    add(lab)
    wait_in_force(lab)
