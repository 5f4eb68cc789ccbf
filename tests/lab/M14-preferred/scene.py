"""M14: the preferred node leads again once its copy is in sync; not after an operator swapped away
from it, and disable keeps a module down through a boot."""
from tools.lab import pair

TIMEOUT = 240
CI = False
SWAP_STARTED = "56f586393d8f496083963c599402dac5"   # src/api/message_ids.h
PREFERRED = "failover: {preferred: node1}\n"


def play(lab):
    one, other = lab.pair
    record = lab.recorder(pair.VIP)
    record.prepare(one)
    pair.join(lab)
    pair.configure(lab, pair.YAML + PREFERRED)
    pair.begin(lab)
    record.start()
    record.wait_confirmed(200)

    lab.step("the preferred node loses power and comes back")
    lab.power_loss(one)
    other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    one.boot()
    lab.wait_pair(pair.MODULE, other, deadline=60)
    redundant = lab.step("both are in sync; it leads again by itself")
    swap = other.wait_journal(MESSAGE_ID=SWAP_STARTED, since=redundant, deadline=30)
    lab.tell(f"  {swap.at - redundant:.2f} s after")
    lab.expect(swap.at - redundant > 8, "not straight away")
    lab.wait_pair(pair.MODULE, one, deadline=30)
    record.wait_confirmed(100)

    mark = lab.step("an operator swaps away: it stays")
    one.run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
    lab.wait_pair(pair.MODULE, other)
    lab.expect("an operator swapped away" in other.out("hamirrorctl status"), "status says why")
    record.wait_confirmed_after(mark + 20, deadline=40)
    lab.wait_pair(pair.MODULE, other)
    lab.expect(len(other.journal(since=mark, MESSAGE_ID=SWAP_STARTED)) == 0, "no swap back")

    lab.step("and back; node2 is disabled, runs on, and does not start it at boot")
    other.run(f"hamirrorctl swap {pair.MODULE} --to node1 --wait", timeout=60)
    lab.wait_pair(pair.MODULE, one)
    other.run(f"hamirrorctl disable {pair.MODULE}")
    lab.wait_pair(pair.MODULE, one)
    other.poweroff()
    other.boot()
    other.wait_status(pair.MODULE, "stopped", "ready", deadline=30, reason="not-at-boot")
    one.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    other.run(f"hamirrorctl enable {pair.MODULE}")
    other.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, one, deadline=60)
    record.wait_confirmed(100)
    record.stop()
    record.check(one)
    pair.audit(lab)
