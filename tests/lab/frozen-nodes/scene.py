"""A frozen node that goes on listens first: the secondary takes nothing over from a living primary,
the primary yields to the one that took over, and no confirmed row is lost."""
from tools.lab import pair

TIMEOUT = 240
SPLIT_BRAIN = "ea38d89ce6e24c289bcd8db0fd7a1916"    # src/api/message_ids.h


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    lab.step("the secondary is frozen until the primary goes on alone")
    other.freeze()
    seen = one.wait_status(pair.MODULE, "alone", "ready", deadline=15)
    record.wait_confirmed_after(seen.at + 3)
    mark = lab.step("and goes on: nothing is taken over")
    other.freeze(False)
    lab.wait_pair(pair.MODULE, one, deadline=60)
    record.wait_confirmed(100)
    lab.expect(not other.journal("Taking over", since=mark), "node2 took nothing over")
    lab.expect(record.outage(since=mark) < 2, "the application did not notice")

    mark = lab.step("the primary is frozen until the secondary serves")
    one.freeze()
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    lab.tell(f"  node2 is alone/ready {seen.at - mark:.2f} s after")
    record.wait_confirmed_after(seen.at, deadline=30)
    record.wait_confirmed(200)
    mark = lab.step("and goes on: it yields")
    one.freeze(False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(100)
    for node in lab.pair:
        lab.expect(not node.journal(MESSAGE_ID=SPLIT_BRAIN), f"{node}: no divergence")
    record.stop()
    record.check(other)
    pair.audit(lab)
