"""F10: frames between the nodes vanish in one direction, for a while, then in the other: never do both
serve, no confirmed row is lost, and once the way is free again they are a pair by themselves.
"""
from tools.lab import pair

CI = False
TIMEOUT = 300


def steps_back(lab, node):
    """Why is said only when boot_wait is over: it may be heard again before."""
    node.wait_status(pair.MODULE, "waiting", deadline=15)
    lab.expect(not pair.runs(node), f"{node} waits, without application and address")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("node2 hears node1 and is not heard by it")
    lab.drop(other, one)
    pair.serves_alone(lab, record, one, deadline=20)
    steps_back(lab, other)
    record.wait_confirmed_after(mark + 6)
    lab.step("healed")
    lab.drop(other, one, on=False)
    pair.whole(lab, record, one)

    mark = lab.step("node1 hears node2 and is not heard by it: it gives way to node2, and nothing it "
                    "confirmed is lost")
    lab.drop(one, other)
    pair.serves_alone(lab, record, other, deadline=20)
    steps_back(lab, one)
    lab.step("healed")
    lab.drop(one, other, on=False)
    pair.whole(lab, record, other)

    mark = lab.step("the same on the first network alone: nothing changes")
    lab.drop(one, other, "lan1")
    record.wait_confirmed_after(mark + 5)
    lab.wait_pair(pair.MODULE, other)
    lab.drop(one, other, "lan1", on=False)
    lab.drop(other, one, "lan1")
    record.wait_confirmed_after(mark + 10)
    lab.wait_pair(pair.MODULE, other)
    lab.heal()
    pair.whole(lab, record, other)
    pair.ends_well(lab, record, other)
