"""A node's disk is put back to an earlier moment of the same decision (a snapshot): the other one leads,
no confirmed row is lost, and the journal says why.
"""
import os

from tools.lab import pair

CI = False
TIMEOUT = 420
PATH = "/var/lib/postgresql"
ROLLED_BACK = "8bd7f71d5ab2d637adcdb673ea3d3326"    # src/api/message_ids.h


def power_goes_and_returns(lab, *put_back):
    lab.power_loss(*lab.pair)
    for node in put_back:
        node.put_disk_back()
    lab.boot(*lab.pair)


def noted(node, which):
    """How far its copy has come (0), or the other node's as this one noted it (1)."""
    value = os.getxattr(node.underlying(PATH) / ".hamirror", "trusted.hamirror.progress")
    return int.from_bytes(value[16 + 8 * which:24 + 8 * which], "little")


def keep_and_go_on(lab, record, node):
    """Its disk is kept; rows are confirmed, and the other node notes that this one has come further."""
    node.keep_disk()
    before, kept = pair.epoch(node), noted(node, 0)
    other = next(one for one in lab.pair if one != node)
    record.wait_confirmed(200)
    other.wait_for(lambda: noted(other, 1) > kept + 1, deadline=30)
    record.wait_confirmed(200)
    lab.expect(pair.epoch(node) == before, "under the same decision")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    lab.step("node1's disk is kept; rows are confirmed after that")
    keep_and_go_on(lab, record, one)
    mark = lab.step("both lose power; node1 gets its old disk")
    power_goes_and_returns(lab, one)
    lab.wait_pair(pair.MODULE, other, deadline=90)
    lab.expect(one.journal(since=mark, MESSAGE_ID=ROLLED_BACK), "node1's journal says why")
    lab.expect(other.journal(since=mark, MESSAGE_ID=ROLLED_BACK), "so does node2's")
    pair.whole(lab, record, other)

    lab.step("the secondary's disk is put back: the primary leads again")
    keep_and_go_on(lab, record, one)
    power_goes_and_returns(lab, one)
    pair.whole(lab, record, other, deadline=90)

    lab.step("a power loss without any of this: the primary leads again")
    record.wait_confirmed(200)
    mark = lab.step("both lose power")
    power_goes_and_returns(lab)
    pair.whole(lab, record, other, deadline=90)
    for node in lab.pair:
        lab.expect(not node.journal(since=mark, MESSAGE_ID=ROLLED_BACK), f"{node} says nothing of it")
    pair.ends_well(lab, record, other)
