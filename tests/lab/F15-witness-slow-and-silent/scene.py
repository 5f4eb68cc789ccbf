"""F15: the witness is absent at start, slow, slower than anybody waits, and its replies are lost: while the
nodes see each other nothing changes; when they do not, never do two serve, and what was asked is settled.
"""
import time

from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 600
SILENT_S, TAKE_S = 1.0, 2.2     # silent_after and take_after


def slow(lab, milliseconds):
    lab.delay(lab.witness, "lan0", milliseconds // 2)


def reply_lost(lab, asker, meanwhile=None):
    """What is asked for now is granted or not, and the asker is not told before the replies arrive."""
    lab.drop(lab.witness, asker)
    lab.lasts(6)
    if meanwhile:
        meanwhile()
    for node in lab.pair:
        lab.tell(f"  {node}: {pair.own_word(node)}")
    lab.drop(lab.witness, asker, on=False)
    serving = lab.node1.wait_for(lambda: [node for node in lab.pair if pair.serves(node)], deadline=30)
    lab.expect(len(serving) == 1, f"replies arrive again: {serving[0]} serves, by the witness's word")


def back_to(lab, record, node):
    if not pair.serves(node):
        lab.peer(node).run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
        pair.whole(lab, record, node)
    witness.wait_in_force(lab, deadline=20)


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    witness.install(lab)

    lab.step("absent at start: both nodes lose power, and return without it; they agree by themselves")
    lab.power_loss(lab.witness, *lab.pair)
    lab.boot(*lab.pair)
    pair.whole(lab, record, one)
    lab.witness.boot()
    witness.wait_in_force(lab, deadline=30)

    mark = lab.step("slow by 0.4 s: it decides all the same, and the application waits that long")
    slow(lab, 400)
    lab.partition(one, other)
    pair.serves_alone(lab, record, one)
    other.wait_journal("has decided without this node", since=mark)
    lab.partition(one, other, on=False)
    pair.whole(lab, record, one)

    mark = lab.step("slow by 5 s: as good as lost, and nothing changes while the nodes see each other")
    slow(lab, 5000)
    for node in lab.pair:
        node.wait_journal(MESSAGE_ID=witness.LOST, since=mark, deadline=20)
    record.wait_confirmed_after(mark + 8)
    lab.wait_pair(pair.MODULE, one)
    lab.step("the secondary is lost: the primary holds, and gives up")
    lab.power_loss(other)
    pair.waits(lab, one, "witness-unreachable", deadline=20)
    lab.step("the witness is quick again: the primary serves")
    slow(lab, 0)
    pair.serves_alone(lab, record, one)
    other.boot()
    pair.whole(lab, record, one)

    for early in (0.05, 0.1, 0.2):
        lab.step(f"the nodes do not hear each other, and {early} s before the primary asks the witness, "
                 "replies to it begin to be lost")
        lab.partition(one, other)
        lab.lasts(SILENT_S - early)
        reply_lost(lab, one)
        lab.partition(one, other, on=False)
        pair.whole(lab, record, pair.settle(lab))
        back_to(lab, record, one)

    for early in (0.1, 0.3, 0.6):
        mark = lab.step(f"the primary loses power, and {early} s before the secondary asks the witness, replies to "
                        "it begin to be lost")
        lab.power_loss(one)
        lab.lasts(mark + TAKE_S - early - time.monotonic())
        reply_lost(lab, other, one.boot)
        pair.whole(lab, record, pair.settle(lab))
        back_to(lab, record, one)
    record.stop()
    record.check(one)
    pair.audit(lab)
