"""F11: the disk is full, to the last block, on the secondary: it leaves the in-sync set and the application
goes on; on the primary: nothing confirmed is lost; on both: stop still works. With room again all is well.
"""
import time

from tools.lab import pair

CI = False
TIMEOUT = 420
BALLAST = "/data/ballast"
# The nodes keep everything on one disk: the copy, hamirror's own records, the journal.
FILL = f"""
import os
fd = os.open('{BALLAST}', os.O_WRONLY | os.O_CREAT, 0o600)
size = 0
for step in (1 << 30, 1 << 20, 1 << 12):
    while True:
        try:
            os.posix_fallocate(fd, size, step)
        except OSError:
            break
        size += step
os.fsync(fd)
"""


def fill(lab, node):
    node.run(["python3", "-c", FILL], timeout=60)
    lab.tell(f"  {node}: {node.out('df --output=avail -B1 /data | tail -1').strip()} bytes are free")


def make_room(node):
    node.run(f"rm {BALLAST}; sync -f /data")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("the secondary's disk is full: it leaves the in-sync set, the application goes on")
    fill(lab, other)
    one.wait_status(pair.MODULE, "alone", "ready", deadline=60)
    record.wait_confirmed_after(time.monotonic() + 5)
    silence = record.outage(since=mark, word="confirmed")
    lab.expect(silence < 10, f"longest time without a confirmed row {silence:.2f} s")
    mark = lab.step("there is room again: rebuilt by itself")
    make_room(other)
    pair.whole(lab, record, one, deadline=90)

    mark = lab.step("the primary's disk is full")
    fill(lab, one)
    record.wait_refused_or_lost(mark)
    lab.lasts(10)
    for node in lab.pair:
        lab.tell(f"  {node}: {pair.own_word(node)}")
    lab.step("there is room again")
    make_room(one)
    primary = pair.settle(lab, deadline=90)
    pair.whole(lab, record, primary)

    lab.step("both disks are full: stop still works")
    record.stop()
    for node in lab.pair:
        fill(lab, node)
    mark = lab.step("stop --all")
    primary.run(f"hamirrorctl stop {pair.MODULE} --all --wait", timeout=60)
    for node in lab.pair:
        node.wait_status(pair.MODULE, "stopped", deadline=30)
        lab.expect(not pair.runs(node), f"{node}: stopped {time.monotonic() - mark:.2f} s after")
    lab.step("there is room again: started")
    for node in lab.pair:
        make_room(node)
    for node in (primary, lab.peer(primary)):
        node.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, primary, deadline=60)
    for node in lab.pair:
        lab.expect(not node.journal("ha-clusterd ends"), f"{node}: ha-clusterd never ended")
    pair.ends_well(lab, record, primary)
