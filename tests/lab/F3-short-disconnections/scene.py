"""F3: the nodes lose each other for milliseconds, twice in a row, then for about as long as it takes to
decide, then a cable flaps for seconds: no decision is swallowed, no confirmed row is lost, the pair is whole
by itself afterwards.
"""
import itertools
import time

from tools.lab import pair, switch

CI = False
TIMEOUT = 420
GAPS_MS = (1, 5, 30, 150, 400)
# silent_after is 1000 ms, take_after 2200 ms: around the first only the primary decides
EDGES_MS = (900, 1000, 1050, 1100, 1200, 1500)


def lose(lab, node, milliseconds):
    """Both cables of a node out for so long."""
    for on in (False, True):
        for net in node.host.nets:
            switch.cable(node.host, net, on)
        if not on:
            lab.lasts(milliseconds / 1000)


def short(lab, record, one, other):
    epoch, mark = pair.epoch(one), lab.step("two disconnections within milliseconds, of each length after each")
    for first, second in itertools.product(GAPS_MS, GAPS_MS):
        lose(lab, other, first)
        lose(lab, other, second)
        record.wait_confirmed_after(time.monotonic())
    lab.wait_pair(pair.MODULE, one, deadline=60)
    lab.tell(f"  {2 * len(GAPS_MS) ** 2} disconnections, {pair.epoch(one) - epoch} decisions, longest time "
             f"without a confirmed row {record.outage(since=mark, word='confirmed'):.2f} s")


def edge(lab, record, one, other, milliseconds):
    epoch = pair.epoch(one)
    lab.step(f"cut for {milliseconds} ms, and again at once")
    lose(lab, other, milliseconds)
    lose(lab, other, 5)
    record.wait_confirmed_after(time.monotonic())
    lab.wait_pair(pair.MODULE, one, deadline=60)
    lab.expect(pair.epoch(one) == pair.epoch(other),
               f"{pair.epoch(one) - epoch} decisions, and both nodes know them")


def flapping(lab, record, primary):
    """Between the cuts a beat may pass one way and none the other: each of the two may end as primary."""
    lab.step("a cable flaps for seconds")
    for _ in range(3):
        for first in GAPS_MS:
            lose(lab, lab.peer(primary), first)
    now = pair.settle(lab)
    pair.whole(lab, record, now)
    lab.expect(pair.epoch(now) == pair.epoch(lab.peer(now)), "both know the newest decision")
    return now


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    short(lab, record, one, other)
    for milliseconds in EDGES_MS:
        edge(lab, record, one, other, milliseconds)
    primary = one
    for _ in range(3):
        primary = flapping(lab, record, primary)
    pair.ends_well(lab, record, primary)
