"""M18: both nodes lose power and only one returns, with a witness: it serves exactly if it is in the
in-sync set by the witness's register, be it the old primary or the old secondary.
"""
from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 420


def both_lose_power(lab, record):
    record.wait_confirmed(100)
    lab.step("both lose power at the same moment")
    lab.power_loss(*lab.pair)


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    witness.install(lab)

    both_lose_power(lab, record)
    mark = lab.step("only the old primary returns: it is in the in-sync set, and serves")
    one.boot()
    pair.serves_alone(lab, record, one)
    one.wait_journal("what was written since the last fsync", since=mark)
    other.boot()
    pair.whole(lab, record, one)

    both_lose_power(lab, record)
    lab.step("only the old secondary returns: it is in the in-sync set, and serves")
    other.boot()
    pair.serves_alone(lab, record, other)
    one.boot()
    pair.whole(lab, record, other)

    lab.step("node1 loses power, node2 goes on alone; then that loses power, too")
    lab.power_loss(one)
    pair.serves_alone(lab, record, other)
    lab.power_loss(other)
    lab.step("only node1 returns: by the register it is not in the in-sync set, and waits")
    one.boot()
    pair.waits(lab, one, "outdated")
    lab.step("node2 returns: resolved without a word of an operator")
    other.boot()
    pair.whole(lab, record, other)

    lab.step("all three lose power; only node2 returns: it waits for the witness")
    lab.power_loss(*lab.pair, lab.witness)
    other.boot()
    pair.waits(lab, other, "witness-unreachable")
    lab.step("the witness returns: node2 serves")
    lab.witness.boot()
    pair.serves_alone(lab, record, other)
    one.boot()
    pair.whole(lab, record, other)
    pair.ends_well(lab, record, other)
