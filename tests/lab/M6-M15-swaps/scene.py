"""M6, M15: swap there and back under load; the client is answered by the new primary, and what a
swap takes beyond the units' own stop and start is measured.

`./lab test M15 --count 50` for more than the ten swaps of CI.
"""
import os

from tools.lab import pair

TIMEOUT = 900
SWAPS = int(os.environ.get("HAMIRROR_COUNT", "10"))
SWAP_STARTED = "56f586393d8f496083963c599402dac5"   # src/api/message_ids.h
# of systemd, sd-messages(3)
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"
STOPPED = "9d1aaa27d60140bd96365438aad20286"


def at(node, message, since):
    """When systemd said that of the application's unit."""
    return node.watch.wait_journal(MESSAGE_ID=message, UNIT=pair.UNIT, since=since, deadline=20).at


def overhead(old, new, mark):
    """From the order to the application's being started, without the time its unit took."""
    begun = old.watch.wait_journal(MESSAGE_ID=SWAP_STARTED, since=mark, deadline=10).at
    stop = at(old, STOPPED, mark) - at(old, STOPPING, mark)
    start = at(new, STARTED, mark) - at(new, STARTING, mark)
    return at(new, STARTED, mark) - begun - stop - start


def play(lab):
    record = lab.recorder(pair.VIP)
    pair.install(lab, record)
    record.start()
    record.wait_confirmed(100)

    primary, took, own = lab.node1, [], []
    for number in range(1, SWAPS + 1):
        mark = lab.step(f"swap {number}")
        primary.run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
        old, primary = primary, lab.peer(primary)
        lab.wait_pair(pair.MODULE, primary)
        record.wait_confirmed_after(mark)
        record.wait_confirmed(50)
        took.append(record.outage(since=mark - 0.5))
        own.append(overhead(old, primary, mark))
        lab.expect(pair.answered_by(lab, primary),
                   f"{primary}'s card answers; longest silence {took[-1]:.2f} s, "
                   f"our own part {own[-1]:.3f} s")

    lab.expect(max(took) < 15, f"the longest silence of all swaps was {max(took):.2f} s")
    median = sorted(own)[len(own) // 2]
    lab.expect(median <= 0.5, f"our own part of a swap: median {median:.3f} s, "
                              f"worst {max(own):.3f} s of {SWAPS}")
    record.stop()
    record.check(primary)
    pair.audit(lab)
