"""M17: a witness is added under load. Lost, nothing changes; whoever is cut off gives way to the
other; with the peer and the witness both gone the primary holds, then gives up, and says why."""
from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
TIMEOUT = 420


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("a witness is added while the application writes")
    witness.install(lab)
    record.wait_confirmed(200)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")

    mark = lab.step("the witness is lost with both nodes up: nothing changes")
    lab.power_loss(lab.witness)
    for node in lab.pair:
        node.watch.wait_journal(MESSAGE_ID=witness.LOST, since=mark, deadline=10)
    record.wait_confirmed_after(mark + 5)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")
    mark = lab.step("and comes back, with what it knew")
    lab.boot(lab.witness)
    for node in lab.pair:
        node.watch.wait_journal(MESSAGE_ID=witness.REACHED, since=mark, deadline=20)

    mark = lab.step("the nodes no longer hear each other, both reach the witness: the primary stays")
    lab.partition(one, other)
    seen = one.wait_status(pair.MODULE, "alone", "ready", deadline=10)
    other.watch.wait_journal("has decided without this node", since=mark, deadline=10)
    lab.tell(f"  node1 is alone {seen.at - mark:.2f} s after")
    record.wait_confirmed_after(seen.at + 2)
    lab.expect(record.outage(since=mark) < 3, "acknowledged again as soon as that was decided")
    lab.partition(one, other, on=False)
    lab.wait_pair(pair.MODULE, one, deadline=60)

    mark = lab.step("the secondary is cut off from everything: the primary goes on")
    lab.isolate(other)
    seen = one.wait_status(pair.MODULE, "alone", "ready", deadline=10)
    other.watch.wait_journal(MESSAGE_ID=witness.LOST, since=mark, deadline=10)
    record.wait_confirmed_after(seen.at + 5)
    lab.isolate(other, on=False)
    lab.wait_pair(pair.MODULE, one, deadline=60)

    mark = lab.step("the primary is cut off from everything: the secondary takes over")
    lab.isolate(one)
    seen = other.wait_status(pair.MODULE, "alone", deadline=10)
    lab.tell(f"  node2 is alone {seen.at - mark:.2f} s after")
    seen = one.wait_status(pair.MODULE, "waiting", "blocked", deadline=10)
    lab.tell(f"  node1 has given up {seen.at - mark:.2f} s after")
    lab.expect(not pair.runs(one), "neither the application nor the address is on node1")
    record.wait_confirmed_after(mark + 3, deadline=30)
    lab.isolate(one, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(200)

    mark = lab.step("the witness, then the secondary is lost: the primary holds, gives up, says why")
    lab.power_loss(lab.witness)
    for node in lab.pair:
        node.watch.wait_journal(MESSAGE_ID=witness.LOST, since=mark, deadline=10)
    lab.power_loss(one)
    other.wait_status(pair.MODULE, "waiting", "blocked", deadline=15, reason="witness-unreachable")
    lab.expect(not pair.runs(other), "the application does not run")
    mark = lab.step("the witness is back: the primary serves again")
    lab.boot(lab.witness)
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    record.wait_confirmed_after(seen.at)

    mark = lab.step("alone by the witness's word, and the witness is lost: nothing changes")
    lab.power_loss(lab.witness)
    other.watch.wait_journal(MESSAGE_ID=witness.LOST, since=mark, deadline=10)
    record.wait_confirmed_after(mark + 5)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")

    lab.step("all are back")
    lab.boot(lab.witness, one)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(100)

    mark = lab.step("the witness is removed while the application writes")
    witness.remove(one)
    for node in lab.pair:
        witness.wait_says(node, "")
    record.wait_confirmed(100)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")
    record.stop()
    record.check(other)
    pair.audit(lab)
