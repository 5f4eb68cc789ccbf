"""F21: the secondary loses power and is back before anyone noticed. What only its kernel held is gone, so
it leaves the in-sync set before the next acknowledgement, and is rebuilt.
"""
from tools.lab import pair

TIMEOUT = 180
# A node takes a second to boot: nobody is to be silent before it is back.
PATIENT = "timing: {silent_after: 30s, demote_after: 31s, take_after: 40s}"


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab, PATIENT)
    mark = lab.step("node2 loses power and boots at once")
    lab.power_loss(other)
    other.boot()
    shrunk = one.wait_journal("Decision .*shrink", since=mark, deadline=15)
    lab.tell(f"  node1 {shrunk.at - mark:.2f} s after: {shrunk.text}")
    early = [at for at in record.times["confirmed"] if mark + 0.5 < at < shrunk.at]
    lab.expect(not early, "nothing was confirmed before that decision")
    record.wait_confirmed_after(shrunk.at)
    pair.whole(lab, record, one)
    lab.expect(not [node for node in lab.pair if node.journal("is silent", since=mark)],
               "nobody was silent for so long")
    pair.ends_well(lab, record, one)
