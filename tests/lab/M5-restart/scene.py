"""M5: the application is restarted on the primary, by an order given on the other node: that one
stays secondary, the address stays, nobody takes over and nothing is lost."""
from tools.lab import pair

TIMEOUT = 120


def main_pid(node):
    return node.out(["systemctl", "show", "-P", "MainPID", pair.UNIT])


def epochs(node):
    return {one["epoch"] for one in node.watch.views[-1].status["modules"][0]["nodes"]}


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    before, epoch = main_pid(one), epochs(one)

    mark = lab.step("hamirrorctl restart, on the secondary")
    other.run(f"hamirrorctl restart {pair.MODULE} --wait", timeout=60)
    lab.wait_pair(pair.MODULE, one)
    record.wait_confirmed_after(mark)
    record.wait_confirmed(100)
    lab.expect(main_pid(one) != before, "the application's process is another one")
    lab.expect(epochs(one) == epoch, "nothing was decided")
    lab.expect(not any(view.entry(pair.MODULE, other.name)["state"] != "secondary"
                       for view in other.watch.views if view.at > mark and view.status),
               "node2 was secondary all the while")
    lab.expect(not one.journal("removed|gives up", since=mark, SYSLOG_IDENTIFIER="ha-vipd"),
               "the address stayed")
    lab.tell(f"  longest silence {record.outage(since=mark - 0.5):.2f} s")

    lab.step("where nobody serves it is refused")
    one.run(f"hamirrorctl stop {pair.MODULE} --all --wait", timeout=60)
    lab.expect(not other.run(f"hamirrorctl restart {pair.MODULE}", check=False), "refused")
    for node in lab.pair:
        node.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, one, deadline=30)
    record.stop()
    record.check(one)
    pair.audit(lab)
