"""M10: all links between the nodes are cut, without a witness. Under `available` both serve and say so;
healed, the one that was primary stays, the other stops and asks, and an operator's word makes them a pair.
"""
from tools.lab import pair

CI = False
TIMEOUT = 300
SPLIT_BRAIN = "ea38d89ce6e24c289bcd8db0fd7a1916"    # src/api/message_ids.h
CHOOSE = f"hamirrorctl start {pair.MODULE} --force"


def diverge(lab, record):
    """Both serve, and on each a client of its own writes. Returns the two recorders."""
    one, other = lab.pair
    record.stop()       # the virtual IP is on both nodes soon: what it confirms would be on either
    mark = lab.step("the nodes no longer hear each other; clients reach both")
    lab.partition(one, other)
    for node in lab.pair:
        seen = node.wait_status(pair.MODULE, "alone", "ready", deadline=30)
        lab.tell(f"  {node} is alone {seen.at - mark:.2f} s after")
    books = []
    for number, node in enumerate(lab.pair):
        books.append(lab.recorder(node.address(), clients=2, first=100 + 10 * number + len(lab.recordings)))
        books[-1].start()
        books[-1].wait_confirmed(100)
    return books


def changed(node, of):
    """What that node changed alone, as this one says."""
    return next(each["changed_alone"] for each in pair.status(node)["nodes"] if each["node"] == of.name)


def figures(lab, books):
    """Both nodes say of both what they changed alone: two clients share a write at most."""
    for book, of in zip(books, lab.pair):
        for node in lab.pair:
            node.wait_for(lambda node=node, of=of: changed(node, of), deadline=10)
            found = changed(node, of)
            lab.expect(found["operations"] >= book.confirmed() / 2 and found["bytes"] > 8192
                       and not found["at_least"], f"{node} says that {of} changed {found}")
    for node in lab.pair:
        told = " ".join(node.out("hamirrorctl status").split())
        lab.expect(all(f"{each}: {changed(node, each)['operations']} operations" in told for each in lab.pair[1:]),
                   f"{node}'s status shows both: {told[told.find('Changed alone'):][:120]}")


def given_up(lab, node, mark):
    """It was written down before it went."""
    lab.expect(node.journal("Given up: what this node changed alone", since=mark),
               f"{node}'s journal says what was given up")
    for each in lab.pair:
        each.wait_for(lambda each=each: changed(each, node) is None, deadline=5)
        lab.tell(f"  {each}: {node} has nothing of its own any more")


def heal(lab, books):
    """The old primary goes on, the other stops, and both ask."""
    one, other = lab.pair
    mark = lab.step("healed")
    lab.partition(one, other, on=False)
    pair.waits(lab, other, "diverged")
    other.wait_journal(MESSAGE_ID=SPLIT_BRAIN, since=mark)
    books[0].wait_confirmed_after(mark + 3)
    for node in lab.pair:
        told = " ".join(node.out("hamirrorctl status").split())
        lab.expect("served independently" in told and CHOOSE in told,
                   f"{node}'s status says what happened, and what to do: {CHOOSE}")
    for book in books:
        book.stop()
    figures(lab, books)


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    with lab.monitor.allowing(two_servers=True):
        books = diverge(lab, record)
        heal(lab, books)
    mark = lab.step("the operator chooses node1, which serves")
    shown = " ".join(one.out(f"{CHOOSE} --yes").split())
    lab.expect(f"{other} changed alone" in shown and "GIVEN UP" in shown, shown)
    lab.wait_pair(pair.MODULE, one, deadline=60)
    given_up(lab, other, mark)
    record.check(one)
    books[0].check(one)
    pair.audit(lab)

    lab.step("and again")
    for node in lab.pair:
        node.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, one)
    with lab.monitor.allowing(two_servers=True):
        books = diverge(lab, record)
        heal(lab, books)
    lab.step("the operator chooses node2, whose copy has to win over the one that serves")
    lab.expect(not other.run(f"{CHOOSE} --yes", check=False), "refused while node1 serves")
    one.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)
    mark = lab.step("node1 is stopped: node2 is forced")
    other.run(f"{CHOOSE} --yes")
    other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    one.run(f"hamirrorctl start {pair.MODULE}")
    lab.wait_pair(pair.MODULE, other, deadline=60)
    given_up(lab, one, mark)
    record.check(other)
    books[1].check(other)
    pair.audit(lab)
