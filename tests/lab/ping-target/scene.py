"""Without a witness, with a ping target: a node that is cut off from both lets go or waits, and the
other goes on; the address is never on two nodes. Only a cut between the nodes alone divides them."""
import time

from tools.lab import pair

CI = False
TIMEOUT = 300
EXPIRED = "962301e5a7db4c34b428810cfdd5d0f7"    # src/api/message_ids.h


def play(lab):
    one, other = lab.pair
    target = lab.client.address()
    record = pair.install_under_load(lab, f"ping_targets: [{target}]")
    for node in lab.pair:
        node.wait_for(lambda node=node: pair.status(node)["ping_targets"] == f"{target} answers", deadline=10)

    mark = lab.step("the primary is cut off: it lets go, the other takes over")
    lab.isolate(one)
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=10)
    gone = one.wait_status(pair.MODULE, "waiting", deadline=10)
    lab.tell(f"  {one} has given up {gone.at - mark:.2f} s, {other} is alone {seen.at - mark:.2f} s after")
    one.wait_journal(MESSAGE_ID=EXPIRED, since=mark)
    record.wait_confirmed_after(seen.at, deadline=30)
    lab.expect("does NOT answer" in pair.status(one)["ping_targets"], f"{one} says that nobody answers")
    lab.isolate(one, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(200)

    mark = lab.step("the secondary is cut off: it waits, the primary goes on")
    lab.isolate(one)
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=10)
    pair.waits(lab, one, "peer-needed")
    lab.tell(f"  {other} is alone {seen.at - mark:.2f} s after")
    record.wait_confirmed_after(time.monotonic(), deadline=30)
    lab.isolate(one, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(200)

    lab.step("everything is dark for a while: nobody serves, then the same one does")
    for node in lab.pair:
        lab.isolate(node)
    for node in lab.pair:
        pair.waits(lab, node, "peer-needed")
    for node in lab.pair:
        lab.isolate(node, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(200)

    lab.step("the primary loses power while the target does not answer: nobody takes over, until it is back")
    lab.drop(lab.client, one)
    lab.power_loss(other)
    pair.waits(lab, one, "peer-needed")
    lab.drop(lab.client, one, on=False)
    other.boot()
    lab.wait_pair(pair.MODULE, one, deadline=90)
    record.wait_confirmed(200)
    record.stop()
    record.check(one)
    pair.audit(lab)
