"""M6, M15: swap there and back, ten times, under load; the client is answered by the new primary."""
from tools.lab import pair

TIMEOUT = 300
SWAPS = 10


def play(lab):
    record = lab.recorder(pair.VIP)
    pair.install(lab, record)
    record.start()
    record.wait_confirmed(100)

    primary, took = lab.node1, []
    for number in range(1, SWAPS + 1):
        mark = lab.step(f"swap {number}")
        primary.run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
        primary = lab.peer(primary)
        lab.wait_pair(pair.MODULE, primary)
        record.wait_confirmed_after(mark)
        record.wait_confirmed(50)
        took.append(record.outage(since=mark - 0.5))
        lab.expect(pair.answered_by(lab, primary),
                   f"{primary}'s card answers; longest silence {took[-1]:.2f} s")

    lab.expect(max(took) < 15, f"the longest silence of all swaps was {max(took):.2f} s")
    record.stop()
    record.check(primary)
    pair.audit(lab)
