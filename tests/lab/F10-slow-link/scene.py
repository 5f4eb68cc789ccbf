"""F10: the nodes are connected by 10 Mbit/s and the application writes more than that: it becomes slow, and
nothing else: nobody is taken for dead, and nothing confirmed is lost.
"""
import time

from tools.lab import pair

CI = False
TIMEOUT = 300
MBIT = 10
FILE = "/var/lib/postgresql/large"
MEGABYTES = 24
# Pending all the time: four writers of whole megabytes, each synced, beside the database.
WRITE = f"""for n in 1 2 3 4; do
    dd if=/dev/urandom of={FILE}.$n bs=1M count={MEGABYTES // 4} oflag=dsync status=none &
done; wait"""


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    epoch = pair.epoch(one)
    mark = lab.step(f"both networks have {MBIT} Mbit/s, and {MEGABYTES} MB are written")
    for net in one.host.nets:
        for node in lab.pair:
            lab.slow(node, net, MBIT)
    writer = one.popen(WRITE)
    while writer.poll() is None:
        record.wait_confirmed(1, deadline=30)
    took = time.monotonic() - mark
    lab.expect(writer.returncode == 0 and took > MEGABYTES * 8 / MBIT / 2,
               f"written in {took:.1f} s: the link was the limit")
    lab.tell(f"  longest time without a confirmed row {record.outage(since=mark, word='confirmed'):.2f} s")
    lab.expect(pair.epoch(one) == epoch, "no decision was taken")
    lab.wait_pair(pair.MODULE, one)

    lab.step("the primary loses power in the middle of that")
    writer = one.popen(WRITE)
    record.wait_confirmed(5)
    lab.power_loss(one)
    writer.wait(10)
    pair.serves_alone(lab, record, other, deadline=30)
    for net in one.host.nets:
        for node in lab.pair:
            lab.slow(node, net, 0)
    one.boot()
    pair.whole(lab, record, other)
    pair.ends_well(lab, record, other)
