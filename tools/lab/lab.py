"""All the machines of the lab together: what scenes get as `lab`, and what the commands use."""
import os
import shutil
import threading

from . import audit, disk, image, places, sh, switch
from .mains import remove_cgroup
from .node import Client, Node

CONTROL_PORT = 7400             # docs/configuration.md: heartbeats and control
MIRROR_PORTS = (7410, 7499)     # from 7410 on, one a module


class Lab:
    """The pair, the witness's machine, the client and the faults between them."""

    def __init__(self):
        self.tell = lambda text: None       # a scene's timeline listens here
        self.node1, self.node2, self.witness, self.witness2 = (
            Node(places.NODES[n]) for n in places.NODES)
        self.client = Client(places.CLIENTS["client"])
        self.pair = (self.node1, self.node2)
        self.nodes = {node.name: node for node in
                      (*self.pair, self.witness, self.witness2)}

    def peer(self, node):
        return self.node2 if node is self.node1 else self.node1

    def prepare(self):
        """What every node stands on: image, disks' folder, switch, client."""
        claim()
        image.ensure()
        disk.ensure_folder()
        places.lab_cgroup().mkdir(exist_ok=True)
        switch.ensure()
        self.client.plug()

    def boot(self, *nodes):
        """Boots several at once; without names the pair."""
        for node in nodes or self.pair:
            node.power_on()
        for node in nodes or self.pair:
            node.wait_on()

    def up(self):
        return [node for node in self.nodes.values() if node.state() != "off"]

    # faults

    def power_loss(self, *nodes):
        """Several lose it at the same moment."""
        if len(nodes) == 1:
            return nodes[0].power_loss()
        threads = [threading.Thread(target=node.power_loss) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return None

    def cable(self, node, net, on):
        self.tell(f"{node} {net}: cable {'on' if on else 'off'}")
        switch.cable(node.host, net, on)

    def drop(self, sender, receiver, net=None, on=True):
        """Silent loss in one direction, on one net or on all both have."""
        self.tell(f"{sender} -> {receiver} {net or 'all nets'}: {'dropped' if on else 'through'}")
        for each in [net] if net else [n for n in sender.host.nets if n in receiver.host.nets]:
            switch.drop(sender.host, receiver.host, each, on)

    def partition(self, one, other, on=True):
        """The two no longer hear each other on any net; clients still reach both."""
        self.drop(one, other, on=on)
        self.drop(other, one, on=on)

    def firewall(self, one, other, on=True):
        """By IP the two no longer hear each other on any net; ARP passes."""
        self.tell(f"{one} - {other}: {'a firewall' if on else 'no firewall'}")
        for sender, receiver in (one, other), (other, one):
            for net in [n for n in sender.host.nets if n in receiver.host.nets]:
                switch.drop(sender.host, receiver.host, net, on, only="ether type ip")

    def cut_heartbeats(self, *directions):
        """What the cluster daemons say is lost in each direction (sender, receiver), the mirror's stream is not."""
        self.cut_ports("heartbeats", directions, CONTROL_PORT, CONTROL_PORT)

    def cut_mirror(self, *directions):
        """And the other way round."""
        self.cut_ports("mirror", directions, *MIRROR_PORTS)

    def cut_ports(self, what, directions, first, last):
        self.tell(f"{what} lost: " + ", ".join(f"{one} -> {other}" for one, other in directions))
        switch.cut_ports([(one.host, other.host) for one, other in directions], first, last)

    def lose(self, sender, receiver, percent):
        """Random loss in one direction, on all nets both have; 0 ends it."""
        self.tell(f"{sender} -> {receiver}: {percent} % of the frames lost")
        for net in [n for n in sender.host.nets if n in receiver.host.nets]:
            switch.lose(sender.host, receiver.host, net, percent)

    def isolate(self, node, on=True):
        """All its cables out, or in again."""
        for net in node.host.nets:
            self.cable(node, net, not on)

    def silence(self, node, on=True):
        """Nothing passes to or from it, though its carrier stays: also before it boots."""
        self.tell(f"{node}: {'nothing passes' if on else 'all passes'}")
        switch.silence(node.host, on)

    def delay(self, node, net, delay_ms, jitter_ms=0, loss_percent=0):
        self.tell(f"{node} {net}: {delay_ms} ms slow")
        switch.delay(node.host, net, delay_ms, jitter_ms, loss_percent)

    def slow(self, node, net, mbit):
        """So many Mbit/s towards the node; 0: as fast as ever."""
        self.tell(f"{node} {net}: {mbit or 'any'} Mbit/s")
        switch.slow(node.host, net, mbit)

    def heal(self):
        self.tell("the network is healed")
        switch.heal()


def audit_copies(lab, path, holes=True):
    """The audit of a folder on both nodes' plain disks (audit.py says what is compared)."""
    for node in lab.pair:
        node.run(["sync", "-f", path])
    return audit.compare(*(node.underlying(path) for node in lab.pair), holes)


def owner():
    """The tree whose nodes are up, None when none is."""
    if not any(Node(host).leader() for host in places.NODES.values()):
        return None
    try:
        return places.OWNER.read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"


def refuse_if_foreign():
    whose = owner()
    if whose not in (None, str(places.TREE)):
        raise sh.LabError(f"the lab is up from {whose}; there, or here: ./lab down")


def claim():
    """Marks the nodes as this tree's; refuses to touch those another tree has up."""
    refuse_if_foreign()
    places.RUN.mkdir(parents=True, exist_ok=True)
    places.OWNER.write_text(f"{places.TREE}\n", encoding="utf-8")


def down():
    """Takes everything away, whatever state a crash left it in, and nothing that is not ours."""
    group = places.lab_cgroup()
    if group.exists():
        (group / "cgroup.kill").write_text("1")
        sh.wait_unpopulated(group, 30)
        sh.wait_until(lambda: gone(group), 5, "the lab's cgroups removed")
    switch.down()
    disk.remove_all()
    shutil.rmtree(places.RUN, ignore_errors=True)


def gone(group):
    """Removes the tree of empty cgroups; a task may need a moment to leave the last."""
    try:
        remove_cgroup(group)
    except OSError as error:
        if not os.path.exists(group):
            return True
        if error.errno != 16:
            raise
    return not os.path.exists(group)
