"""F9: an operator on each node says at the same moment that its data is the right one: with a witness
exactly one is believed. Without one both may be, which both say, and neither is copied over the other
until it is given up by the commands of docs/removal.md. Then the module is deleted on both and made anew.
"""
import threading

from tools.lab import pair, sh, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 300
BEGIN = f"hamirrorctl start {pair.MODULE} --as-source"
ROUNDS = 3


def race(lab):
    """What each was told; empty: its order was taken."""
    told = {}

    def order(node):
        try:
            node.run(BEGIN)
            told[node] = ""
        except sh.LabError as error:
            told[node] = str(error).splitlines()[-1].strip()
    threads = [threading.Thread(target=order, args=(node,)) for node in lab.pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for node in lab.pair:
        lab.tell(f"  {node}: {told[node] or 'taken'}")


def both_served(lab):
    """Whether two modules of one name were born: both nodes say so, and serve each its own."""
    def states():
        own = [pair.status(node)["nodes"][number] for number, node in enumerate(lab.pair)]
        return [each["state"] for each in own]

    def decided():
        return {"alone", "primary"} & set(states())
    lab.node1.wait_for(decided, deadline=30)
    lab.lasts(3)        # a module that is copied has met the other by now
    return states() == ["alone", "alone"]


def give_up(lab, node):
    """Its data is not the module's: docs/removal.md, and the same file again."""
    lab.step(f"both are alone, each with a module of its own; {node}'s is given up")
    told = " ".join(node.out("hamirrorctl status").split())
    lab.expect("both nodes serve, each with its own data" in told, "status says so")
    node.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)
    pair.forget(node)
    node.put(f"/root/{pair.MODULE}.yaml", lab.peer(node).out(f"cat /etc/hamirror/modules/{pair.MODULE}.yaml") + "\n")
    node.run(f"hamirrorctl apply --without-peer /root/{pair.MODULE}.yaml; hamirrorctl start {pair.MODULE}")


def forget(lab):
    """The module, which the audit has stopped, is deleted on both nodes."""
    pair.forget(*lab.pair)


def made_by_one(lab):
    """One of the two is the source, the other its copy."""
    primary = pair.settle(lab)
    lab.expect(True, f"{primary}'s data is the module's")
    pair.audit(lab)


def play(lab):
    pair.join(lab)
    for number in range(ROUNDS):
        lab.step(f"without a witness, {number + 1}")
        pair.configure(lab)
        with lab.monitor.allowing(two_servers=True):
            race(lab)
            if both_served(lab):
                give_up(lab, lab.pair[number % 2])
        made_by_one(lab)
        forget(lab)

    for number in range(ROUNDS):
        lab.step(f"with a witness, {number + 1}")
        witness.add(lab)
        registers = witness.store(lab.node1)
        pair.configure(lab)
        race(lab)
        made_by_one(lab)
        forget(lab)
        witness.remove(lab.node1)
        witness.forget(lab.witness, registers)
