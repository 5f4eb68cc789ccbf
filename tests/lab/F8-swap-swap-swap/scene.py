"""F8: swaps are ordered every 100 ms, on this node, on that one, on both: each is done, or refused with a
reason; one node serves all the while, nothing written is lost, and the pair is whole afterwards.

First with PostgreSQL, which takes seconds to start, then with an application that takes none.
"""
import subprocess
import time

from tools.lab import app, pair

TIMEOUT = 240
ORDERS = 30
EVERY_S = 0.1


def order_swaps(lab, module):
    """One after the other at its time, whether the one before has been answered or not."""
    began, running = lab.step(f"{ORDERS} swaps of {module}, one every {EVERY_S * 1000:.0f} ms"), []
    for number in range(ORDERS):
        node = lab.pair[number % 3 % 2]
        running.append(node.popen(["hamirrorctl", "swap", module],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        lab.lasts(began + (number + 1) * EVERY_S - time.monotonic())
    answers = [process.communicate(timeout=30) + (process.returncode,) for process in running]
    refused = [err.strip() for _, err, status in answers if status != 0]
    lab.expect(all(refused), f"{ORDERS - len(refused)} of {ORDERS} orders were taken, "
               f"{len(refused)} refused, each with a reason")
    for reason in sorted(set(refused)):
        lab.tell(f"  {refused.count(reason)} times: {reason.splitlines()[0]}")
    primary = pair.settle(lab, module=module)
    begun = sum(len(node.journal(f"{module}: Exchanging the roles", since=began)) for node in lab.pair)
    done = sum(len(node.journal(f"{module}: .* has taken the module", since=began)) for node in lab.pair)
    lab.expect(done > 0, f"{begun} began, {done} were completed; whole {time.monotonic() - began:.2f} s "
               "after the first order")
    return primary


def play(lab):
    record = pair.install_under_load(lab)
    primary = order_swaps(lab, pair.MODULE)
    pair.whole(lab, record, primary)
    pair.ends_well(lab, record, primary)

    app.install(lab)
    primary = order_swaps(lab, app.MODULE)
    started, written = sum(app.starts(node) for node in lab.pair), app.written(primary)
    lab.expect(started <= len(written) <= started + 1, f"{started} starts, {len(written)} lines")
    primary.run(f"hamirrorctl stop {app.MODULE} --all --wait", timeout=60)
    lab.audit(app.PATH)
