"""Each line of the second table of docs/safety.md on real nodes: how a pair ended, and what each of the two does
that is started alone. Then the other one is started: they are a pair again, and no confirmed row is lost.
"""
from tools.lab import pair, safety_table as table

CI = False
NODES = ("node1", "node2", "witness")
TIMEOUT = 7200
BOOT_WAIT_S = 30
FORCE = f"hamirrorctl start {pair.MODULE} --force --yes"
OTHER_SERVES = "cut from each other for long, then only this node lost power"
OTHER_SERVES_AWAY = "the same, and the network of the virtual addresses is cut, too"
CUT = ("cut from each other", OTHER_SERVES_AWAY)
BESIDE = (OTHER_SERVES, OTHER_SERVES_AWAY)


def stop(node):
    node.run(f"hamirrorctl stop {pair.MODULE} --wait", timeout=60)


def leave_a_mark(node):
    """What it decided alone is used."""
    node.wait_for(lambda: pair.serves(node), 30)
    node.run(f"touch {pair.PATHS[0]}/of-{node}")


def end(lab, cells, primary, starts):
    """The pair ends as the line says."""
    before, decider = cells[:2]
    other = lab.peer(primary)
    away = decider == table.AWAY
    if before.startswith("the secondary was stopped"):
        stop(other)
        primary.wait_status(pair.MODULE, "alone", "ready", 30)
    elif before in BESIDE:
        (lab.firewall if before == OTHER_SERVES else lab.partition)(primary, other)
        lab.lasts(10)
        for node in lab.pair if decider == table.NO_WITNESS["available"] else ():
            leave_a_mark(node)
        return lab.power_loss(starts)
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
    return lab.power_loss(primary, other)


def reunite(lab, cells, primary, starts):
    """They see each other again; where both went on alone one of them gives up, and the other is chosen."""
    before, decider = cells[:2]
    other = lab.peer(starts)
    lab.heal()
    if before not in BESIDE:
        lab.step("the other one starts, too")
        start(lab, other)
    if not before.startswith(CUT) or decider != table.NO_WITNESS["available"]:
        return
    if before == OTHER_SERVES:
        stays = other
    else:
        stays = primary if before == OTHER_SERVES_AWAY else starts
    pair.waits(lab, lab.peer(stays), "diverged")
    stays.run(FORCE)


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
    end(lab, cells, primary, starts)
    start(lab, starts)
    expected = does[0] if starts is primary else does[1]
    table.wait_doing(lab, starts, expected, BOOT_WAIT_S + 30)
    lab.lasts(5)
    lab.expect(table.does(starts, expected), "and still does")
    reunite(lab, cells, primary, starts)
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
    lab.expect(len(lines) == 23, "23 lines")
    lossy = [cells for cells in lines if cells[0].startswith(CUT) and cells[1] == table.NO_WITNESS["available"]]
    with lab.monitor.allowing(two_servers=True):
        primary = lines_of(lab, None, lossy, lab.node1)

    record.start()
    for decider in table.DECIDERS:
        primary = table.set_decider(lab, decider)
        mine = [cells for cells in lines if cells[1] == decider and cells not in lossy]
        primary = lines_of(lab, record, mine, primary)
    pair.ends_well(lab, record, primary)
