"""M1, M7: a new module waits for a word with the command to give; the secondary is read-only."""
from tools.lab import pair

TIMEOUT = 180
NEW = "/etc/postgresql/made-on-the-primary"
COMMAND = f"hamirrorctl start {pair.MODULE} --as-source"


def first_start(lab):
    one, other = lab.pair
    pair.join(lab)
    lab.step("the module is new: both wait")
    pair.configure(lab)
    for node in lab.pair:
        seen = node.wait_status(pair.MODULE, "waiting", "blocked", deadline=20, reason="nobody-knows")
        lab.expect(COMMAND in seen.entry["reason"]["text"], f"{node}: {seen.entry['reason']['text']}")
        lab.expect(COMMAND in node.out("hamirrorctl status"), "status for people shows the command")
        node.wait_for(lambda node=node: not node.run("pgrep -x postgres", check=False), deadline=20)
        lab.expect(pair.VIP not in node.out("ip -4 addr"), "no PostgreSQL and no address here")

    mark = lab.step("node1's data is the right one")
    pair.begin(lab)
    states = [view.entry(pair.MODULE, one.name)["state"] for view in list(one.watch.views)
              if view.at > mark]
    lab.expect(states[-1] == "primary" and "alone" in states, "node1 was alone, then primary")
    lab.expect(pair.answered_by(lab, one), "the client is answered by node1's card")


def read_only(lab):
    one, other = lab.pair
    lab.step("a file made on the primary is on the secondary's disk")
    one.run(f"echo replicated > {NEW}; sync {NEW}")
    lab.expect(other.underlying(NEW).read_text() == "replicated\n", "with its content")
    lab.step("the secondary is read-only")
    for path in pair.PATHS:
        done = other.run(f"touch {path}/refused", check=False)
        lab.expect("Read-only file system" in done.err, done.err)
        lab.expect(not other.underlying(f"{path}/refused").exists(), "nothing was made")
    lab.expect(not other.run(f"systemctl start {pair.UNIT}", check=False),
               "PostgreSQL does not start there")
    other.run(f"systemctl reset-failed {pair.UNIT}", check=False)


def play(lab):
    first_start(lab)
    with lab.monitor.allowing(units=[pair.UNIT]):
        read_only(lab)
