"""M10: all links between the nodes are cut, without a witness, under `safe`: the primary goes on alone,
the secondary never takes over; healed, they are a pair again by themselves. An operator can promote.
"""
from tools.lab import pair

TIMEOUT = 240
TAKEOVER = "a7c7c160c1b344e5bca315a71814e736"   # src/api/message_ids.h


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab, "without_witness: safe")

    mark = lab.step("the nodes no longer hear each other; clients reach both")
    lab.partition(one, other)
    pair.serves_alone(lab, record, one)
    pair.waits(lab, other, "peer-needed", deadline=15)
    mark = lab.step("healed")
    lab.partition(one, other, on=False)
    pair.whole(lab, record, one)
    lab.expect(record.outage(since=mark) < 2, "the application did not notice")

    mark = lab.step("the primary loses power: the secondary waits for an operator")
    lab.power_loss(one)
    pair.waits(lab, other, "peer-needed", deadline=15)
    lab.expect(not other.journal(MESSAGE_ID=TAKEOVER, since=mark), "nothing was taken over")
    other.run(f"hamirrorctl start {pair.MODULE} --force --yes")
    pair.serves_alone(lab, record, other)
    one.boot()
    pair.whole(lab, record, other)
    pair.ends_well(lab, record, other)
