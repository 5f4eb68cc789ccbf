"""M20: the nodes' wall clocks are two hours apart, the witness's is of another day, and then they jump under
load: pairing, witness, failover, swap and resync go as ever, for nothing depends on them.
"""
from tools.lab import clock, pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 240
HOUR = 3600


def play(lab):
    one, other = lab.pair
    record = lab.recorder(pair.VIP)
    record.prepare(one)
    lab.step("three machines, three clocks")
    for machine, offset in ((one, HOUR), (other, -HOUR), (lab.witness, -26 * HOUR)):
        clock.own(machine, offset)
        lab.expect(abs(clock.off_by(machine) - offset) < 5, f"{machine}'s clock is {offset // HOUR} h off")
    pair.install(lab)
    since = [pair.status(node)["since_unix_ms"] // 1000 for node in lab.pair]
    lab.expect(abs(since[0] - since[1] - 2 * HOUR) < 100, "hamirror's daemons see those clocks: in what they show")
    record.start()
    witness.install(lab)
    record.wait_confirmed(100)

    lab.step("swap, and the other way by a power loss")
    one.run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
    pair.whole(lab, record, other)
    mark = lab.step("power loss")
    lab.power_loss(other)
    seen = one.wait_status(pair.MODULE, "alone", deadline=15)
    lab.expect(seen.at - mark < 4, f"node1 is alone {seen.at - mark:.2f} s after")
    pair.serves_alone(lab, record, one)
    other.boot()
    pair.whole(lab, record, one)
    witness.wait_in_force(lab)

    mark, epoch = lab.step("the clocks jump, forwards and back, by a day"), pair.epoch(one)
    for hours in (25, -23, 1):
        for machine in (one, lab.witness, other):
            clock.shift(machine, hours * HOUR)
        lab.lasts(2)
    record.wait_confirmed(100)
    lab.expect(record.outage(since=mark, word="confirmed") < 1, "the application did not notice")
    lab.expect(pair.epoch(one) == epoch, "no decision was taken")
    lab.wait_pair(pair.MODULE, one)
    pair.ends_well(lab, record, one)
