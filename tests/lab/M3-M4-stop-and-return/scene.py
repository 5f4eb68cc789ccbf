"""M3, M4, M7: the primary is stopped, the other serves alone; it returns as secondary, unnoticed."""
from tools.lab import pair

TIMEOUT = 180
MADE_ALONE = "/etc/postgresql/made-alone"


def main_pid(node):
    return node.out(["systemctl", "show", "-P", "MainPID", pair.UNIT])


def resync(node):
    modules = node.watch.views[-1].status["modules"]
    return next(one["resync"] for one in modules if one["module"] == pair.MODULE)


def play(lab):
    record = lab.recorder(pair.VIP)
    pair.install(lab, record)
    with lab.monitor.allowing(units=[pair.UNIT]):
        stop_and_return(lab, record)


def stop_and_return(lab, record):
    one, other = lab.pair
    record.start()
    record.wait_confirmed(200)

    mark = lab.step("the primary is stopped")
    one.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)
    one.wait_status(pair.MODULE, "stopped")
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    lab.tell(f"  node2 is alone/ready {seen.at - mark:.2f} s after the command")
    record.wait_confirmed_after(seen.at)
    record.wait_confirmed(100)
    lab.tell(f"  longest silence {record.outage(since=mark - 1):.2f} s")
    lab.expect(pair.answered_by(lab, other), "the client is answered by node2's card")
    other.run(f"echo while node1 was away > {MADE_ALONE}")
    before = main_pid(other)

    mark = lab.step("it is started again")
    one.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(100)
    silence = record.outage(since=mark)
    lab.expect(silence < 2, f"node1 is secondary; longest silence meanwhile {silence:.2f} s")
    lab.expect(main_pid(other) == before, "the application's process is the same")
    copied = resync(other)
    lab.expect(copied["bytes_sent"] < copied["bytes_examined"] / 2,
               f"only changes were copied: {copied['bytes_sent']} of {copied['bytes_examined']} bytes")
    lab.expect(one.underlying(MADE_ALONE).read_text() == "while node1 was away\n",
               "the file made meanwhile is on node1's disk")

    record.stop()
    record.check(other)
    pair.audit(lab)
