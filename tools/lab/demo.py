"""The story of the product, told on two fresh nodes. Each act is a function; play() is the order.

Every figure comes from an event that was recorded: a line of a node's journal, a confirmed
transaction in the client's book, a byte counter of the product. A step that does not happen in
its time ends the demo with a failure.
"""
import shutil
import sys
import time

from . import build, deps, lab as labs, pair, places, scene, sh

NAME = "demo"
LOAD = ["pgbench", "-q", "-i", "-s", "5", "postgres"]


def act(text):
    print(f"\n== {text}", flush=True)


def say(text):
    print(f"   {text}", flush=True)


def show_status(node):
    for line in node.out("hamirrorctl status").splitlines():
        say(line)


def build_pair(lab, book):
    act("Two servers become a pair by the commands an administrator types")
    book.prepare(lab.node1)
    say("node1# hamirrorctl cluster init")
    say("node2# hamirrorctl cluster pair " + lab.node1.address())
    pair.join(lab)
    say("node1# hamirrorctl apply postgresql.yaml")
    say("both#  systemctl enable --now ha-cluster.target")
    pair.configure(lab)
    say("node1# hamirrorctl start postgresql --as-source")
    began = time.monotonic()
    pair.begin(lab)
    say(f"primary and secondary {time.monotonic() - began:.1f} s later")
    show_status(lab.node1)


def load(lab, book):
    act("A database is loaded through the mirror, and four clients write through the virtual IP")
    began = time.monotonic()
    lab.node1.run(LOAD, user="postgres", timeout=120)
    say(f"pgbench -i -s 5 in {time.monotonic() - began:.1f} s")
    book.start()
    book.wait_confirmed(300)
    say(f"{book.summary()}")


def cut(lab, book):
    act("node1, the primary, loses power in mid-load")
    old, new = lab.node1, lab.node2
    mark = time.monotonic()
    old.power_loss()
    seen = [("silence noticed", "is silent"), ("takeover begins", "Taking over"),
            ("decision recorded", "Decision .*takeover"), ("virtual IP taken", "is on this node"),
            ("application start issued", "Reached target ha-primary@"),
            ("unit reported started", "its units run")]
    events = [(new.wait_journal(words, deadline=60, since=mark).at, what) for what, words in seen]
    decided = dict((what, at) for at, what in events)["decision recorded"]
    events.append((decided + book.wait_confirmed_after(decided, 60), "first confirmed commit"))
    last = mark
    for at, what in sorted(events):
        say(f"{what:26} {at - mark:6.3f} s after the cut  (+{at - last:.3f} s)")
        last = at
    book.wait_confirmed(200)
    say(f"longest time without a confirmed commit: {book.outage(mark - 1, 'confirmed'):.3f} s")


def judge(lab, book):
    act("Every confirmed transaction is there")
    book.stop()
    book.check(lab.node2)
    say(f"{book.summary()}; each confirmed one is present exactly once, none invented")


def come_back(lab):
    act("node1 gets power again")
    mark = time.monotonic()
    lab.node1.boot()
    lab.wait_pair(pair.MODULE, lab.node2, 120)
    say(f"redundant again {time.monotonic() - mark:.1f} s after power came back, boot included")
    line = lab.node2.wait_journal("both copies are identical", deadline=5, since=mark)
    say(line.text)


def swap_back(lab):
    act("The roles are swapped back")
    began = time.monotonic()
    lab.node2.run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=90)
    lab.wait_pair(pair.MODULE, lab.node1, 60)
    say(f"done in {time.monotonic() - began:.1f} s, application stop and start included")
    lab.expect(pair.answered_by(lab, lab.node1), "the virtual IP is answered by node1's card")
    show_status(lab.node1)


def compare(lab):
    act("Both nodes are stopped together, and what lies on their disks is compared")
    pair.audit(lab)


def play(lab):
    book = lab.recorder(pair.VIP)
    build_pair(lab, book)
    load(lab, book)
    cut(lab, book)
    judge(lab, book)
    come_back(lab)
    swap_back(lab)
    compare(lab)


def main(keep):
    deps.install()
    folder = places.LOGS / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    build.packages()
    say(f"built in {time.monotonic() - began:.0f} s")
    with sh.machine_lock():
        labs.refuse_if_foreign()
        labs.down()
        act("Two servers are switched on")
        stage = scene.Stage(NAME, scene.DEFAULTS | {"TIMEOUT": 400}, folder)
        verdict = scene.perform(stage, sys.modules[__name__])
        stage.tell(verdict)
        stage.timeline.over = True
        if verdict != "passed":
            scene.dump(stage)
        if keep:
            stay(stage)
        else:
            labs.down()
    print(f"\nThe demo {verdict} after {time.monotonic() - began:.0f} s; the recorded events are in {folder}")
    return 0 if verdict == "passed" else 1


def stay(lab):
    lab.node1.run(f"hamirrorctl start {pair.MODULE}", check=False)
    say("The nodes stay up: './lab shell node1' goes into one, './lab down' takes them away.")
