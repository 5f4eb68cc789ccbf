"""Each line of the second table of docs/safety.md on real nodes: how a pair ended, and what each of the two does
that is started alone. Then the other one is started: they are a pair again, and no confirmed row is lost.
"""
from tools.lab import pair, safety_table as table

CI = False
NODES = ("node1", "node2", "witness")
TIMEOUT = 7200
BOOT_WAIT_S = 30
FORCE = f"hamirrorctl start {pair.MODULE} --force --yes"


def stop(node):
    node.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)


def end(lab, before, primary, away):
    """The pair ends as the line says; away: what the witness is then."""
    other = lab.peer(primary)
    if before.startswith("the secondary was stopped"):
        stop(other)
        primary.wait_status(pair.MODULE, "alone", "ready", 30)
    elif before.startswith("cut from each other"):
        if away:        # one that reaches it could decide
            table.cut_witness(lab)
        lab.partition(primary, other)
        lab.lasts(10)
    elif before == "stopped together":
        pair.stop_all(lab)
    elif before.startswith("the primary was stopped"):
        stop(primary)
        other.wait_status(pair.MODULE, "alone", "ready", 30)
    else:
        lab.expect(before == "both lost power, in sync", before)
    if away:
        table.cut_witness(lab)
    lab.power_loss(primary, other)


def start(lab, node):
    """It boots; where an operator stopped the module, one starts it."""
    node.boot()
    state = node.wait_for(lambda: pair.own_word(node).get("state"), 30)
    if state == "stopped":
        node.run(f"hamirrorctl start {pair.MODULE}")


def play_line(lab, cells, primary, starts):
    """Returns who is primary in the end."""
    before, decider, *does = cells
    lab.step(f"{before}; {decider}; {starts}, who was {'primary' if starts is primary else 'secondary'}, starts alone")
    end(lab, before, primary, decider == table.AWAY)
    start(lab, starts)
    expected = does[0] if starts is primary else does[1]
    table.wait_doing(lab, starts, expected, BOOT_WAIT_S + 30)
    lab.lasts(5)
    lab.expect(table.does(starts, expected), "and still does")
    lab.step("the other one starts, too")
    lab.heal()
    start(lab, lab.peer(starts))
    if does == ["alone", "alone"] and before.startswith("cut") and decider in table.NO_WITNESS.values():
        pair.waits(lab, lab.peer(starts), "diverged")
        starts.run(FORCE)
    return pair.settle(lab, 120)


def lines_of(lab, record, lines, primary):
    for cells in lines:
        for role in ("primary", "secondary"):
            if record:
                record.wait_confirmed(50)
            primary = play_line(lab, cells, primary, primary if role == "primary" else lab.peer(primary))
    return primary


def play(lab):
    record = lab.recorder(pair.VIP)
    pair.install(lab, record)
    lines = table.rows("--boot")
    lab.expect(len(lines) == 20, "20 lines")
    lossy = [cells for cells in lines if cells[0].startswith("cut") and cells[1] == table.NO_WITNESS["available"]]
    with lab.monitor.allowing(two_servers=True):
        primary = lines_of(lab, None, lossy, lab.node1)

    record.start()
    for decider in table.DECIDERS:
        primary = table.set_decider(lab, decider)
        mine = [cells for cells in lines if cells[1] == decider and cells not in lossy]
        primary = lines_of(lab, record, mine, primary)
    pair.ends_well(lab, record, primary)
