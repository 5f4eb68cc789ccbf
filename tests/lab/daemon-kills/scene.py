"""Each daemon is killed on each node, under load: no confirmed row is lost, the pair is whole again.

Without ha-clusterd, ha-watchdog or ha-vipd the application goes on; an address may be away for a
moment. A killed ha-replicatord on the primary costs a hand-over.
"""
import time

from tools.lab import pair

TIMEOUT = 420
HARMLESS = ("ha-clusterd.service", "ha-watchdog.service", "ha-vipd.service")
SILENCE_S = 3.0     # the machine may be busy; what is meant is that nothing was restarted
MIRROR = f"ha-replicatord@{pair.MODULE}.service"


def kill(lab, node, unit):
    mark = lab.step(f"kill -9 {unit} on {node}")
    before = node.out(["systemctl", "show", "-P", "MainPID", unit]).strip()
    node.run(["kill", "-9", before])
    node.wait_for(f"test $(systemctl show -P ActiveState {unit}) = active && "
                  f"test $(systemctl show -P MainPID {unit}) != {before}", deadline=20)
    return mark


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    primary = main_pid(one)
    for node in lab.pair:
        for unit in HARMLESS:
            mark = kill(lab, node, unit)
            lab.wait_pair(pair.MODULE, one, deadline=60)
            record.wait_confirmed_after(time.monotonic())
            record.wait_confirmed(100)
            lost = record.outage(since=mark)
            lab.expect(lost < SILENCE_S, f"longest silence {lost:.2f} s")
            lab.expect(main_pid(one) == primary, "the application's process is the same")
    kill(lab, other, MIRROR)
    lab.wait_pair(pair.MODULE, one, deadline=60)
    lab.expect(main_pid(one) == primary, "the application's process is the same")

    mark = kill(lab, one, MIRROR)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed_after(time.monotonic())
    record.wait_confirmed(100)
    lab.tell(f"  handed over; longest silence {record.outage(since=mark):.2f} s")
    record.stop()
    record.check(other)
    pair.audit(lab)


def main_pid(node):
    return node.out(["systemctl", "show", "-P", "MainPID", pair.UNIT])
