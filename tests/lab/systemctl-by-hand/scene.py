"""An administrator uses systemctl where hamirrorctl was meant: the mirror is restarted and stopped on
the primary, and ha-cluster.target is stopped there while ha-clusterd is down. Each costs a takeover
at most; no confirmed row is lost and nothing has to be repaired by hand.
"""
import time

from tools.lab import pair

TIMEOUT = 300
MIRROR = f"ha-replicatord@{pair.MODULE}.service"
MARKER = f"/run/hamirror/primary/{pair.MODULE}"
CLUSTERD = "ha-clusterd.service"


def served_by(lab, record, node, mark):
    lab.wait_pair(pair.MODULE, node, deadline=60)
    record.wait_confirmed_after(time.monotonic())
    record.wait_confirmed(100)
    lab.tell(f"  {node} serves; longest silence {record.outage(since=mark):.2f} s")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("systemctl restart of the mirror, on the primary")
    one.run(["systemctl", "restart", MIRROR], timeout=60)
    served_by(lab, record, other, mark)

    mark = lab.step("systemctl stop of the mirror, on the primary")
    other.run(["systemctl", "stop", MIRROR], timeout=60)
    served_by(lab, record, one, mark)

    mark = lab.step("ha-cluster.target is stopped on the primary while ha-clusterd is down")
    one.run(f"systemctl mask --runtime {CLUSTERD}; systemctl daemon-reload; "
            f"systemctl kill -s KILL {CLUSTERD}")
    one.wait_for(f"test $(systemctl show -P ActiveState {CLUSTERD}) = failed", deadline=10)
    one.run("systemctl stop ha-cluster.target", timeout=60)
    one.wait_for(f"! pgrep -x postgres && ! test -e {MARKER}", deadline=30)
    lab.expect(not one.run(f"systemctl start {pair.UNIT}", check=False),
               "PostgreSQL is stopped, the gate is closed: it does not start by hand")
    with lab.monitor.allowing(servers_s=60):      # the last word of node1's ha-clusterd stands
        seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
        record.wait_confirmed_after(seen.at)
        lab.tell(f"  {other} serves; longest silence {record.outage(since=mark):.2f} s")

        mark = lab.step("ha-clusterd and the target are started again")
        one.run(f"systemctl unmask --runtime {CLUSTERD}; systemctl daemon-reload; "
                "systemctl start ha-cluster.target", timeout=60)
        served_by(lab, record, other, mark)
    record.stop()
    record.check(other)
    pair.audit(lab)
