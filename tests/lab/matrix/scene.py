"""Each line of the first table of docs/safety.md on real nodes: heartbeats and mirror cut apart, in one direction
or both, with each decider, under load. Never do two serve but where the table says so, and no confirmed row is lost.
"""
from tools.lab import pair, safety_table as table

CI = False
NODES = ("node1", "node2", "witness")
TIMEOUT = 3600
LATER_S = 12            # the table's "12 s later"
REASON_S = 40           # why a node waits is said when boot_wait (30 s) is over
HEARD = {"up": (), "only the secondary hears": ("to primary",), "only the primary hears": ("to secondary",),
         "down": ("to primary", "to secondary")}


def cut(lab, cells, primary):
    heartbeats, mirror, decider = cells[:3]
    ways = {"to primary": (lab.peer(primary), primary), "to secondary": (primary, lab.peer(primary))}
    if decider == table.AWAY:
        table.cut_witness(lab)
    if lost := HEARD[heartbeats]:
        lab.cut_heartbeats(*(ways[way] for way in lost))
    if mirror == "down":
        lab.cut_mirror(*ways.values())


def play_line(lab, cells, primary):
    """What the nodes come to do, and that they do it for as long as it lasts."""
    mark = lab.step("heartbeats {}, mirror {}, {}".format(*cells))
    cut(lab, cells, primary)
    expected = ((primary, cells[3]), (lab.peer(primary), cells[4]))
    lab.lasts(LATER_S)
    for node, does in expected:
        table.wait_doing(lab, node, does, REASON_S)
    lab.expect(all(table.does(node, does) for node, does in expected), "and both still do")
    return mark


def heal(lab):
    lab.step("healed")
    lab.heal()
    return pair.settle(lab, 90)


def divergence(lab, cells):
    """The one line in which both serve: without clients, and an operator chooses."""
    with lab.monitor.allowing(two_servers=True):
        play_line(lab, cells, lab.node1)
        lab.heal()
        pair.waits(lab, lab.node2, "diverged")
    lab.node1.run(f"hamirrorctl start {pair.MODULE} --force --yes")
    lab.wait_pair(pair.MODULE, lab.node1, 60)


def play(lab):
    record = lab.recorder(pair.VIP)
    pair.install(lab, record)
    lines = table.rows("--matrix")
    twice = [cells for cells in lines if cells[3] == cells[4] == "alone"]
    lab.expect(len(lines) == 32 and len(twice) == 1, "32 lines, in one of which both serve")
    divergence(lab, twice[0])

    record.start()
    primary, decider = lab.node1, twice[0][2]
    for cells in lines:
        if cells[2] != decider:
            decider = cells[2]
            primary = table.set_decider(lab, decider)
        if cells not in twice:
            record.wait_confirmed(50)
            mark = play_line(lab, cells, primary)
            if "alone" in cells or "primary" in cells:
                record.wait_confirmed_after(mark + LATER_S)
            primary = heal(lab)
            record.wait_confirmed(50)
    pair.ends_well(lab, record, primary)
