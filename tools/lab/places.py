"""Where everything is: the hosts of the lab, their addresses, and the folders and names it owns.

Whatever the lab makes outside $HAMIRROR_LAB_DIR (network namespaces, cgroups) carries the prefix
`hamirror-`, and the lab's name if $HAMIRROR_LAB_NAME gives it one, so that cleaning up can never
reach anything else, another lab on this machine among it.
"""
import os
import pathlib
from dataclasses import dataclass

TREE = pathlib.Path(__file__).resolve().parents[2]
NAME = os.environ.get("HAMIRROR_LAB_NAME", "")
LAB = f"hamirror-lab-{NAME}" if NAME else "hamirror-lab"
PREFIX = f"hamirror-{NAME}-" if NAME else "hamirror-"
STATE = pathlib.Path(os.environ.get("HAMIRROR_LAB_DIR", f"/var/cache/{LAB}"))
RUN = STATE / "run"                 # what belongs to booted nodes
DISKS = STATE / "disks"             # a tmpfs, unless $HAMIRROR_LAB_DISKS names a real folder
LOGS = TREE / "build" / "lab-logs"
OWNER = RUN / "owner"               # the tree whose nodes are up
LOCK = pathlib.Path(f"/run/lock/{LAB}.lock")   # one lab of a name on a machine, whatever its folder

NETS = ("lan0", "lan1")
SWITCH_NS = f"{PREFIX}switch"
CLIENT_NETS = ("lan0",)


@dataclass(frozen=True)
class Host:
    """A machine on the switch. A node runs a systemd of its own, a client is a namespace."""
    name: str
    number: int                     # last octet of its addresses and of its MACs
    nets: tuple

    @property
    def netns(self):
        return f"{PREFIX}{self.name}"

    def address(self, net):
        return f"10.77.{NETS.index(net)}.{self.number}"

    def mac(self, net):
        return f"02:77:00:00:{NETS.index(net):02x}:{self.number:02x}"

    def port(self, net):
        """The end of its cable at the switch."""
        return f"{self.name}-{net}"

    def interface(self, net):
        """The end of its cable in the host."""
        return f"eth{NETS.index(net)}"


NODES = {n.name: n for n in (Host("node1", 1, NETS), Host("node2", 2, NETS),
                             Host("witness", 3, NETS), Host("witness2", 4, NETS))}
CLIENTS = {"client": Host("client", 100, CLIENT_NETS)}
HOSTS = NODES | CLIENTS
PAIR = ("node1", "node2")


def cgroup_root():
    """The cgroup v2 tree: the whole of it, or the `unified` branch of a hybrid host."""
    with open("/proc/mounts", encoding="ascii", errors="replace") as mounts:
        for line in mounts:
            _, where, kind, *_ = line.split()
            if kind == "cgroup2" and not where.startswith("/proc/"):
                return pathlib.Path(where)
    raise RuntimeError("no cgroup2 is mounted on this machine")


def lab_cgroup():
    return cgroup_root() / LAB
