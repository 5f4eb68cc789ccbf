"""M11: both were stopped one after the other; the outdated node is started first: it waits and says why.
Then the good node is started: it serves, and the first is rebuilt, without a word of an operator.
"""
from tools.lab import pair

TIMEOUT = 180


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    lab.step("node1 is stopped; node2 serves alone; then that is stopped, too")
    one.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)
    pair.serves_alone(lab, record, other, deadline=30)
    other.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)

    lab.step("node1 is started: it waits")
    one.run(f"hamirrorctl start {pair.MODULE}")
    pair.waits(lab, one, "outdated", deadline=15)
    lab.step("node2 is started: it serves, node1 is rebuilt")
    other.run(f"hamirrorctl start {pair.MODULE}")
    pair.whole(lab, record, other)
    pair.ends_well(lab, record, other)
