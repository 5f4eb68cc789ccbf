"""M19: one of the two networks between the nodes is cut, then the other one: no role changes, whichever
of them the mirror went over, and no confirmed row is lost.
"""
import time

from tools.lab import pair

CI = False
TIMEOUT = 240
SECONDS = 8     # more than take_after, mirror_dead and a redial together


def cut(lab, record, net, how):
    one, other = lab.pair
    epoch = pair.epoch(one)
    mark = lab.step(f"{net} is cut")
    how(True)
    record.wait_confirmed_after(mark + SECONDS)
    changed = pair.epoch(one) - epoch
    silence = record.outage(since=mark, word="confirmed")
    lab.tell(f"  {changed} decisions; longest time without a confirmed row {silence:.2f} s")
    for node, state in ((one, ("primary", "alone")), (other, ("secondary", "waiting"))):
        seen = [view.entry(pair.MODULE, node.name) for view in list(node.watch.views) if view.at > mark]
        lab.expect(all(each["state"] in state for each in seen if each), f"{node} is what it was")
    lab.wait_pair(pair.MODULE, one, deadline=30)
    mark = lab.step(f"{net} is there again")
    how(False)
    heard = one.wait_for(lambda: all(net["heard"] for net in pair.networks(one)), deadline=15)
    lab.expect(heard, "both are heard on both networks")
    record.wait_confirmed_after(time.monotonic())
    lab.wait_pair(pair.MODULE, one, deadline=30)


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    cut(lab, record, "lan1", lambda on: lab.cable(one, "lan1", not on))
    cut(lab, record, "lan1", lambda on: lab.cable(other, "lan1", not on))

    def between(on):        # the clients' network, so its cables stay
        lab.drop(one, other, "lan0", on)
        lab.drop(other, one, "lan0", on)
    cut(lab, record, "lan0", between)
    pair.ends_well(lab, record, one)
