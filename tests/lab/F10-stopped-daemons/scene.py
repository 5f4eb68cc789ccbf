"""F10: each daemon of each node stands still (SIGSTOP) for seconds and goes on, and the secondary is paused:
no confirmed row is lost, and the pair is whole by itself afterwards.

`./lab test F10-stopped --count 4` for 1, 8, 20 and 60 seconds instead of 1 and 8.
"""
import os
import time

from tools.lab import pair

CI = False
TIMEOUT = 1800
SECONDS = (1, 8, 20, 60)[:int(os.environ.get("HAMIRROR_COUNT", "2"))]
UNITS = ("ha-clusterd.service", "ha-watchdog.service", "ha-vipd.service",
         f"ha-replicatord@{pair.MODULE}.service")


def stand_still(lab, record, node, unit, seconds):
    mark = lab.step(f"{unit} on {node} stands still for {seconds} s")
    node.run(["systemctl", "kill", "-s", "STOP", "--kill-whom=main", unit])
    lab.lasts(seconds)
    node.run(["systemctl", "kill", "-s", "CONT", "--kill-whom=main", unit])
    record.wait_confirmed_after(time.monotonic(), deadline=60)
    primary = pair.settle(lab)
    pair.whole(lab, record, primary)
    lab.tell(f"  longest time without a confirmed row {record.outage(since=mark, word='confirmed'):.2f} s")
    return primary


def play(lab):
    record = pair.install_under_load(lab)
    primary = lab.node1
    for seconds in SECONDS:
        for unit in UNITS:
            for choose in (lab.peer, lambda node: node):
                primary = stand_still(lab, record, choose(primary), unit, seconds)
    for seconds in SECONDS:
        other = lab.peer(primary)
        mark = lab.step(f"the secondary, {other}, is paused for {seconds} s")
        other.pause()
        lab.lasts(seconds)
        other.pause(False)
        primary = pair.settle(lab)
        pair.whole(lab, record, primary)
        lab.expect(primary is not other and not other.journal("Taking over", since=mark),
                   f"{other} took nothing over")
    pair.ends_well(lab, record, primary)
