"""Both nodes lose power right after commits were confirmed; nothing confirmed is lost (M18, both back).

`./lab test power-cuts-both --count 10` for more than the one of CI.
"""
import os

from tools.lab import pair

TIMEOUT = 900
CUTS = int(os.environ.get("HAMIRROR_COUNT", "1"))


def play(lab):
    book = lab.recorder(pair.VIP)
    pair.install(lab, book)
    book.start()
    for number in range(1, CUTS + 1):
        book.wait_confirmed(100)
        lab.step(f"power cut {number} of {CUTS}, of both nodes")
        lab.power_loss(*lab.pair)
        lab.boot(*lab.pair)
        lab.wait_pair(pair.MODULE, lab.node1, 120)
    book.wait_confirmed(100)
    book.stop()
    book.check(lab.node1)
    pair.audit(lab)
