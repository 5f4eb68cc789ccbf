"""M18, M11: both nodes lose power and only one returns, without a witness: it waits and says so, unless
it had recorded itself that the other is outdated. An operator can force it; the good node's return resolves it.
"""
from tools.lab import pair

CI = False
TIMEOUT = 420


def both_lose_power(lab, record):
    record.wait_confirmed(100)
    lab.step("both lose power at the same moment")
    lab.power_loss(*lab.pair)


def refused(lab, node, word, instead):
    done = node.run(f"hamirrorctl start {pair.MODULE} {word} < /dev/null", check=False)
    lab.expect(done.status == 1 and instead in done.err, f"{word}: {done.err.strip()}")
    lab.expect(pair.own_word(node)["state"] == "waiting", "and changed nothing")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    both_lose_power(lab, record)
    lab.step("only the old primary returns: it waits")
    one.boot()
    pair.waits(lab, one, "peer-needed")
    lab.step("the old secondary returns: they lead as before")
    other.boot()
    pair.whole(lab, record, one)

    both_lose_power(lab, record)
    mark = lab.step("only the old secondary returns: it waits")
    other.boot()
    pair.waits(lab, other, "peer-needed")
    lab.expect(not other.run(f"hamirrorctl start {pair.MODULE}", check=False),
               "a start without more is refused")
    lab.step("an operator who knows that node1 is lost forces it")
    refused(lab, other, "--as-source", "--force")
    refused(lab, other, "--force", "--yes")
    shown = other.out(f"hamirrorctl start {pair.MODULE} --force --yes")
    lab.expect("NOT SEEN" in shown and "cannot be excluded" in shown, shown)
    pair.serves_alone(lab, record, other)
    lab.step("node1 returns after all: it is rebuilt")
    one.boot()
    pair.whole(lab, record, other)
    lab.expect(not [entry for node in lab.pair for entry in node.journal("independently", since=mark)],
               "nobody speaks of a divergence")

    lab.step("node1 loses power, node2 goes on alone; then that loses power, too")
    lab.power_loss(one)
    pair.serves_alone(lab, record, other)
    lab.power_loss(other)
    lab.step("only node1 returns: its copy is old, it waits")
    one.boot()
    pair.waits(lab, one, "peer-needed")
    lab.step("node2 returns: resolved without a word of an operator")
    other.boot()
    pair.whole(lab, record, other)

    lab.step("node1 loses power, node2 goes on alone; then that loses power, too")
    lab.power_loss(one)
    pair.serves_alone(lab, record, other)
    lab.power_loss(other)
    lab.step("only node2 returns: it recorded itself that node1 is outdated, and serves")
    other.boot()
    pair.serves_alone(lab, record, other)
    changed = next(each["changed_alone"] for each in pair.status(other)["nodes"] if each["node"] == other.name)
    lab.expect(changed["at_least"] and changed["operations"] > 100 and changed["bytes"] > 8192,
               f"what it changed before the power loss is known: {changed}")
    one.boot()
    pair.whole(lab, record, other)
    pair.ends_well(lab, record, other)
