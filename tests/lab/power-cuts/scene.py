"""The primary loses power under load, again and again; nothing confirmed is lost (M9).

`./lab test power-cuts --count 20` for more than the three cuts of CI.
"""
import os
import time

from tools.lab import pair

TIMEOUT = 900
CUTS = int(os.environ.get("HAMIRROR_COUNT", "3"))


def play(lab):
    book = lab.recorder(pair.VIP)
    pair.install(lab, book)
    book.start()
    starts = []
    for number in range(1, CUTS + 1):
        primary = lab.node1 if number % 2 else lab.node2
        other = lab.peer(primary)
        book.wait_confirmed(100)
        lab.step(f"power cut {number} of {CUTS}, of {primary}")
        mark = time.monotonic()
        lab.power_loss(primary)
        starts.append(other.wait_journal("Reached target ha-primary@", deadline=30, since=mark).at - mark)
        other.wait_status(pair.MODULE, "alone", "ready", deadline=60)
        primary.boot()
        lab.wait_pair(pair.MODULE, other, 120)
    book.wait_confirmed(100)
    book.stop()
    book.check(lab.node2 if CUTS % 2 else lab.node1)
    lab.tell(f"  power loss to application start issued: worst {max(starts):.3f} s,"
             f" median {sorted(starts)[len(starts) // 2]:.3f} s of {CUTS}")
    pair.audit(lab)
