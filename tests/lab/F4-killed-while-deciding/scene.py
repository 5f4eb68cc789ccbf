"""F4: ha-clusterd is killed between deciding and having it on disk, on each node, and so is the witness;
ha-replicatord between the decision and the stamp on the tree: nothing half decided is acted upon.
"""
import subprocess

from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 900
RECORDS = "/var/lib/hamirror/modules"
STORES = "/var/lib/hamirror/replicatord"
# A durable file is written, synced, renamed, and its directory synced (io/durable_file): before each.
POINTS = (("fsync", 1), ("rename", 1), ("fsync", 2), ("fsync", 3))
MIRROR = f"ha-replicatord@{pair.MODULE}.service"
CLUSTERD = "ha-clusterd.service"


class Killer:
    """strace at a daemon: SIGKILL as it enters a system call, for the nth time, below a path."""

    def __init__(self, lab, machine, unit, call, nth, *paths):
        self.lab, self.machine, self.unit = lab, machine, unit
        self.pid = machine.out(["systemctl", "show", "-P", "MainPID", unit])
        lab.step(f"{unit} on {machine} is to die before its {call} number {nth}")
        self.strace = machine.popen(
            ["strace", "-f", "-p", self.pid, "-o", "/dev/null", *(f"-P{path}" for path in paths),
             "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"],
            stderr=subprocess.PIPE)
        while "attached" not in self.strace.stderr.readline():
            assert self.strace.poll() is None, "strace did not attach"

    def wait(self, deadline=20):
        """Until it has died by that, and was started again."""
        self.strace.wait(deadline)
        self.machine.wait_for(f"test $(systemctl show -P ActiveState {self.unit}) = active && "
                              f"test $(systemctl show -P MainPID {self.unit}) != {self.pid}", deadline=20)


def swap(lab, record, primary, killer):
    """A swap in which somebody dies: it is done or not done, and the pair is whole."""
    primary.run(["hamirrorctl", "swap", pair.MODULE], check=False)
    killer.wait()
    now = pair.settle(lab)
    lab.tell(f"  the swap was {'done' if now is not primary else 'not done'}")
    pair.whole(lab, record, now)
    return now


def records(node):
    return [f"{RECORDS}/{pair.MODULE}.record{end}" for end in ("", ".new")] + [RECORDS]


def swaps(lab, record, primary):
    for call, nth in POINTS:
        for choose in (lambda: primary, lambda: lab.peer(primary)):
            victim = choose()
            primary = swap(lab, record, primary,
                           Killer(lab, victim, CLUSTERD, call, nth, *records(victim)))
    for call, nth in POINTS[:3]:
        primary = swap(lab, record, primary,
                       Killer(lab, lab.witness, "ha-witness.service", call, nth))
    return primary


def stamps(lab, record, primary):
    """The node that is about to serve writes the next stamp to its store, then to the tree."""
    below = [f"{STORES}/{pair.MODULE}/state{end}" for end in ("", ".new")]
    for call, nth, paths in (("rename", 1, below), ("fsetxattr", 1, pair.PATHS[:1]),
                             ("fsetxattr", 1, pair.PATHS[1:])):
        primary = swap(lab, record, primary, Killer(lab, lab.peer(primary), MIRROR, call, nth, *paths))
    return primary


def losses(lab, record, primary, decider=True):
    """Of the decisions that follow a power loss: to go on alone, and to take over.

    Without a witness a primary whose ha-clusterd dies as it would go on alone is not sure of anything
    when its lease ends: the new process has to listen for silent_after first. It gives the module up.
    """
    for call, nth in POINTS[:3]:
        for lost in (lab.peer(primary), primary):
            left = lab.peer(lost)
            killer = Killer(lab, left, CLUSTERD, call, nth, *records(left))
            lab.power_loss(lost)
            killer.wait()
            decided = (call, nth) == ("fsync", 2)   # renamed: the new process reads it
            if decider or decided or lost is primary:
                pair.serves_alone(lab, record, left, deadline=45)
            else:
                pair.waits(lab, left, "peer-needed")
            lost.boot()
            primary = pair.settle(lab)
            lab.expect(primary is left, f"{left} is the primary")
            pair.whole(lab, record, primary)
    return primary


def play(lab):
    record = pair.install_under_load(lab)
    witness.install(lab)
    primary = swaps(lab, record, lab.node1)
    primary = stamps(lab, record, primary)
    primary = losses(lab, record, primary)
    lab.step("the same without a witness")
    witness.remove(primary)
    for node in lab.pair:
        witness.wait_says(node, "")
    primary = losses(lab, record, primary, decider=False)
    pair.ends_well(lab, record, primary)
