"""M9: the primary loses power; the other takes over, no confirmed row is lost, it returns."""
from tools.lab import pair

TIMEOUT = 240


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("power loss of the primary, under load")
    lab.power_loss(one)
    seen = other.wait_status(pair.MODULE, "alone", deadline=15)
    lab.expect(seen.at - mark < 4, f"node2 is alone {seen.at - mark:.2f} s after")
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    lab.tell(f"  and ready {seen.at - mark:.2f} s after")
    later = record.wait_confirmed_after(mark + 1)
    lab.expect(later < 25, f"rows are confirmed again {later + 1:.2f} s after")
    lab.expect(pair.answered_by(lab, other), "the client is answered by node2's card")
    record.wait_confirmed(200)

    began = lab.step("node1 boots")
    one.boot()
    lab.wait_pair(pair.MODULE, other, deadline=60)
    lab.expect(record.outage(since=began) < 2,
               f"it is secondary; longest silence meanwhile {record.outage(since=began):.2f} s")
    record.wait_confirmed(100)

    lab.step("swap back")
    other.run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
    lab.wait_pair(pair.MODULE, one)
    record.wait_confirmed(100)
    record.stop()
    record.check(one)
    pair.audit(lab)
