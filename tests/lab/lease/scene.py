"""A primary that cannot know whether the other node has taken over lets go by itself: one that was
paused, when it wakes; one that hears and is not heard, before the other serves. What cannot be
killed is ended by a reset of the node."""
import time

from tools.lab import monitor, pair

TIMEOUT = 300
EXPIRED = "962301e5a7db4c34b428810cfdd5d0f7"    # src/api/message_ids.h
# From when the application is the module's. By the rules it lets go 0.2 s and 1 s after it runs again;
# this machine may be busy.
WATCHED = {"units": [pair.UNIT]}


def let_go(lab, node, since):
    """When the address and the application's processes had left the node, in seconds."""
    def address_gone():
        return next((at for at, what, address in list(node.watch.addresses.history)
                     if what == "removed" and address == pair.VIP and at >= since), None)

    node.wait_for(lambda: not monitor.runs(node, pair.UNIT), deadline=5)
    killed = time.monotonic() - since
    node.wait_for(address_gone, deadline=5)
    gone = address_gone() - since
    lab.tell(f"  {node}: address gone after {gone:.3f} s, application dead after {killed:.2f} s")
    return gone, killed


def play(lab):
    record = pair.install_under_load(lab)
    with lab.monitor.allowing(**WATCHED):
        let_go_three_times(lab, record)
    record.stop()
    record.check(lab.node2)
    pair.audit(lab)


def let_go_three_times(lab, record):
    one, other = lab.pair
    lab.step("the primary is paused until the secondary serves")
    one.pause()
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    record.wait_confirmed_after(seen.at, deadline=30)
    mark = lab.step("and wakes, still cut off: it asks nobody and lets go")
    lab.isolate(one)
    woke = time.monotonic()
    one.pause(False)
    gone, killed = let_go(lab, one, woke)
    lab.expect(gone < 0.5, "the address left at once")
    lab.expect(killed < 1.5, "the application was killed at once")
    one.wait_journal(MESSAGE_ID=EXPIRED, since=mark)
    lab.isolate(one, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(200)

    mark = lab.step("the primary hears and is not heard: it lets go before the other one serves")
    lab.drop(other, one)
    gone, killed = let_go(lab, other, mark)
    seen = one.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    held = [at for at, what, address in one.watch.addresses.history
            if what == "added" and address == pair.VIP and at >= mark]
    lab.tell(f"  node1 has the address {held[-1] - mark:.2f} s after")
    lab.expect(mark + max(gone, killed) < held[-1], "nothing was held twice")
    record.wait_confirmed_after(seen.at, deadline=30)
    lab.drop(other, one, on=False)
    lab.wait_pair(pair.MODULE, one, deadline=60)
    record.wait_confirmed(200)

    mark = lab.step("it is not heard, and its mirror hangs with what it held: nothing can be killed, a reset")
    lab.drop(one, other)
    lab.lasts(0.5)      # the application's writes are with the mirror, which has nobody to send them to
    one.run(f"systemctl kill --signal=STOP ha-replicatord@{pair.MODULE}")
    one.wait_power("booting", deadline=10, since=mark)
    lab.tell(f"  node1 resets {time.monotonic() - mark:.2f} s after")
    lab.drop(one, other, on=False)
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    record.wait_confirmed_after(seen.at, deadline=30)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(100)
