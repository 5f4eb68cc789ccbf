"""M8: ha-cluster.target is stopped on the primary, later its system is shut down: clean hand-overs."""
from tools.lab import pair

TIMEOUT = 240
TAKEOVER = "a7c7c160c1b344e5bca315a71814e736"   # src/api/message_ids.h
STATE = "systemctl list-units --no-legend --plain 'ha-*'"


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("systemctl stop ha-cluster.target on the primary")
    one.run("systemctl stop ha-cluster.target", timeout=60)
    handed_over(lab, record, other, mark)
    lab.expect("ha-" not in one.out(STATE).replace("ha-cluster.slice", ""),
               "no daemon of ours is left on node1")
    lab.expect(not one.run("pgrep -x postgres", check=False), "no PostgreSQL on node1")

    mark = lab.step("systemctl start ha-cluster.target")
    one.run("systemctl start ha-cluster.target", timeout=60)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(100)
    lab.expect(record.outage(since=mark) < 2, "node1 is secondary; nobody noticed")

    mark = lab.step("the primary's system is shut down")
    other.poweroff()
    handed_over(lab, record, one, mark)
    lab.step("and boots again")
    other.boot()
    lab.wait_pair(pair.MODULE, one, deadline=60)
    record.wait_confirmed(100)
    record.stop()
    record.check(one)
    pair.audit(lab)


def handed_over(lab, record, node, mark):
    """The clients' wait is what an orderly stop and start take: nothing was detected."""
    seen = node.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    record.wait_confirmed_after(seen.at)
    record.wait_confirmed(100)
    lab.expect(not node.journal(since=mark, MESSAGE_ID=TAKEOVER),
               "handed over, not taken from a node that had fallen silent")
    lab.tell(f"  {node} is alone/ready {seen.at - mark:.2f} s after; "
             f"longest silence {record.outage(since=mark - 1):.2f} s")
