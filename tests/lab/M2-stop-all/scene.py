"""M2: the module is stopped on both nodes and started on both; the roles return, nothing is copied."""
from tools.lab import pair

TIMEOUT = 150
EDITED = "/etc/postgresql/edited"


def play(lab):
    pair.install(lab)
    with lab.monitor.allowing(units=[pair.UNIT]):
        stop_and_start(lab)


def stop_and_start(lab):
    one, other = lab.pair
    lab.step("both are stopped together")
    pair.stop_all(lab)
    for node in lab.pair:
        node.wait_status(pair.MODULE, "stopped")
        lab.expect(not node.run("pgrep -x postgres", check=False), f"{node}: no PostgreSQL")
        lab.expect(pair.VIP not in node.out("ip -4 addr"), f"{node}: no address")
    for path in pair.PATHS:
        lab.audit(path)

    lab.step("node2 is started first: it waits for the primary of before")
    other.run(f"hamirrorctl start {pair.MODULE}")
    seen = other.wait_status(pair.MODULE, "waiting", "blocked", reason="peer-first")
    lab.expect(True, seen.entry["reason"]["text"])
    mark = lab.step("then node1: the roles return, nothing is copied")
    one.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, one)
    copies = [view for view in list(one.watch.views) if view.at > mark
              for each in view.status.get("modules", []) if each["resync"]["running"]]
    lab.expect(not copies, "no resync ran")
    lab.expect(pair.answered_by(lab, one), "all is as before")

    lab.step("stopped together again, and a file is edited meanwhile: the copies are compared")
    pair.stop_all(lab)
    one.run(f"echo by hand > {EDITED}")
    for node in (other, one):
        node.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, one, deadline=60)
    lab.expect(other.underlying(EDITED).read_text() == "by hand\n", "the edit is on both disks")
    pair.audit(lab)
