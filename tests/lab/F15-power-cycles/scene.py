"""F15: node1, node2 and the witness lose power one after the other, in every order, and return in every
order: never do two serve, the pair becomes whole by itself, and no confirmed row is lost.

`./lab test F15-power --count 36` for all pairs of orders.
"""
import itertools
import os

from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 1800
COUNT = int(os.environ.get("HAMIRROR_COUNT", "6"))


def names(machines):
    return ", ".join(str(machine) for machine in machines)


def rounds(lab):
    """Each order of loss with another order of return, then with the next one, and so on."""
    orders = list(itertools.permutations((*lab.pair, lab.witness)))
    return [(orders[number % 6], orders[(number * 5 + number // 6 + 1) % 6]) for number in range(COUNT)]


def cycle(lab, record, lost, back):
    lab.step(f"lost: {names(lost)}; back: {names(back)}")
    for machine in lost:
        lab.power_loss(machine)
        if machine is not lost[-1]:
            lab.lasts(3)        # longer than it takes to decide a takeover
    for machine in back:
        machine.boot()
    primary = pair.settle(lab)
    pair.whole(lab, record, primary)
    witness.wait_in_force(lab, deadline=30)
    return primary


def play(lab):
    record = pair.install_under_load(lab)
    witness.install(lab)
    for lost, back in rounds(lab):
        primary = cycle(lab, record, lost, back)
    lab.step("all three at the same moment")
    lab.power_loss(*lab.pair, lab.witness)
    lab.boot(*lab.pair, lab.witness)
    primary = pair.settle(lab)
    pair.whole(lab, record, primary)
    pair.ends_well(lab, record, primary)
