"""The tables of docs/safety.md, which `sim --matrix` and `sim --boot` print and compare: what each node does.
Scenes play them on real nodes.
"""
from . import pair, places, sh, witness

PAGE = places.TREE / "docs/safety.md"
NO_WITNESS = {"available": "no witness, `available`", "safe": "no witness, `safe`"}
REACHED, AWAY = "witness reachable", "witness unreachable"
DECIDERS = (*NO_WITNESS.values(), REACHED, AWAY)


def rows(flag):
    """The cells of each line, without the two lines of the head; in the order of DECIDERS."""
    text = PAGE.read_text(encoding="utf-8").split(f"<!-- sim {flag} -->\n")[1].split("<!-- end -->")[0]
    found = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines()[2:]]
    return sorted(found, key=lambda cells: DECIDERS.index(cells[-3]))


def set_decider(lab, decider):
    """A pair that has been set up by pair.install() goes by this from now on; whoever is primary then."""
    if decider == NO_WITNESS["safe"]:
        pair.stop_all(lab)
        lab.node1.put(f"/root/{pair.MODULE}.yaml", pair.YAML + "without_witness: safe\n")
        lab.node1.run(f"hamirrorctl apply /root/{pair.MODULE}.yaml")
        for node in lab.pair:
            node.run(f"hamirrorctl start {pair.MODULE}")
            node.wait_for(lambda node=node: pair.status(node)["policy"] == "safe", deadline=10)
    elif decider == REACHED:
        witness.install(lab)
    return pair.settle(lab)


def doing(node):
    """What it does by its own word, as the tables put it."""
    entry = pair.own_word(node)
    code = entry.get("reason", {}).get("code")
    well = not code or entry["readiness"] == "ready"
    return entry.get("state", "nothing") if well else f"{entry['state']}: {code}"


def does(node, expected):
    """A node knows that it is outdated if the other one's last report still came; else it needs that one to know."""
    return doing(node) in (expected, expected.replace("peer-needed", "outdated"))


def wait_doing(lab, node, expected, deadline):
    """Until the node does this."""
    try:
        node.wait_for(lambda: does(node, expected), deadline)
    except sh.LabError as late:
        raise sh.LabError(f"{node}: expected '{expected}', it is '{doing(node)}'") from late
    lab.expect(pair.runs(node) == (expected in ("alone", "primary")), f"{node}: {doing(node)}")


def cut_witness(lab):
    """Neither node reaches it, nor is reached."""
    for node in lab.pair:
        lab.partition(node, lab.witness)
