"""F6: the primary loses power while changes it has sent wait at the secondary, received and not applied:
the secondary serves only after they are settled; what was confirmed is there, and nothing has gaps.
"""
from tools.lab import pair

CI = False
TIMEOUT = 240
MIRROR = f"ha-replicatord@{pair.MODULE}.service"
FILE = "/var/lib/postgresql/numbers"
ROUNDS = 3
# Changes that no fsync waits for: as many as fit between the nodes are on their way.
WRITER = f"""
import os
fd = os.open('{FILE}', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
os.mkdir('{FILE}.d')
number = 0
while True:
    number += 1
    os.write(fd, b'%d\\n' % number)
    if number % 50 == 0:
        os.close(os.open('{FILE}.d/%d' % number, os.O_CREAT | os.O_WRONLY, 0o644))
"""


def prefix_of_numbers(lab, node):
    """No hole, no torn end: the numbers are there from 1 on, as far as they came."""
    text = node.run(["cat", FILE], timeout=60).out
    found = [int(line) for line in text.split("\n") if line]
    lab.expect(found == list(range(1, len(found) + 1)), f"{len(found)} numbers without a gap on {node}")


def play(lab):
    record = pair.install_under_load(lab)
    primary, other = lab.pair
    for number in range(ROUNDS):
        primary.run(["rm", "-rf", FILE, f"{FILE}.d"])
        writer = primary.popen(["python3", "-c", WRITER])
        primary.wait_for(f"test -s {FILE}")
        record.wait_confirmed(50)
        mark = lab.step(f"{other}'s mirror stands still, {0.2 * (number + 1):.1f} s later {primary} loses power")
        other.run(["systemctl", "kill", "-s", "STOP", MIRROR])
        lab.lasts(0.2 * (number + 1))
        lab.power_loss(primary)
        writer.wait(10)
        other.run(["systemctl", "kill", "-s", "CONT", MIRROR])
        seen = pair.serves_alone(lab, record, other, deadline=30)
        lab.tell(f"  {other} serves {seen.at - mark:.2f} s after")
        prefix_of_numbers(lab, other)
        primary.boot()
        pair.whole(lab, record, other)
        primary, other = other, primary
    pair.ends_well(lab, record, primary)
