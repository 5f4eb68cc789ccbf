"""M13: automatic failover is off: the loss of the primary leaves the secondary waiting; a person
promotes it. Both nodes keep to that through a boot, and on is on again."""
import json

from tools.lab import pair

TIMEOUT = 180
CI = False
TAKEOVER = "a7c7c160c1b344e5bca315a71814e736"   # src/api/message_ids.h


def automatic(node):
    return [one["automatic_failover"] for one in
            json.loads(node.out("hamirrorctl status --json"))["modules"]] == [True]


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    lab.step("failover off, said on one node, while the application writes")
    one.run("hamirrorctl failover off", timeout=30)
    lab.expect(not automatic(one) and not automatic(other), "both nodes have it when it returns")
    lab.expect("FAILOVER   OFF" in other.out("hamirrorctl status"), "status says so")

    mark = lab.step("the primary loses power")
    lab.power_loss(one)
    seen = other.wait_status(pair.MODULE, "waiting", "blocked", deadline=15, reason="failover-off")
    lab.tell(f"  node2 waits and says why {seen.at - mark:.2f} s after")
    lab.expect(not other.journal(since=mark, MESSAGE_ID=TAKEOVER), "it did not take over")
    lab.expect(not other.run("hamirrorctl failover on", check=False),
               "on is refused while node1 has a part in decisions and is not seen")

    mark = lab.step("a person promotes it")
    other.run(f"hamirrorctl start {pair.MODULE} --force --yes --wait", timeout=60)
    other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    record.wait_confirmed_after(mark)

    lab.step("node1 boots: it is secondary, and failover is off there")
    one.boot()
    lab.wait_pair(pair.MODULE, other, deadline=60)
    lab.expect(not automatic(one), "remembered through the power loss")

    mark = lab.step("failover on; the primary is lost: the other takes over")
    one.run("hamirrorctl failover on", timeout=30)
    lab.expect(automatic(one) and automatic(other), "on again on both")
    lab.power_loss(other)
    one.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    record.wait_confirmed_after(mark + 1)
    other.boot()
    lab.wait_pair(pair.MODULE, one, deadline=60)
    record.wait_confirmed(100)
    record.stop()
    record.check(one)
    pair.audit(lab)
