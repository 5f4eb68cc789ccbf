"""F22: switch and primary lose power together; the secondary serves for days; then switch and old
primary return. Nothing of those days is lost: with a witness, without one, and under `safe`.
"""
from tools.lab import pair, witness

NODES = ("node1", "node2", "witness")
CI = False
TIMEOUT = 300


def switch_and_primary(lab, primary, other):
    """The switch goes with all its cables: the other node sees nobody, nor does any client reach it."""
    lab.step(f"the switch and {primary} lose power together")
    for node in (primary, other):
        lab.isolate(node)
    lab.power_loss(primary)


def only_the_switch(lab, other):
    lab.step(f"the switch returns; {other} serves for days")
    lab.isolate(other, on=False)


def days(lab, record, other):
    """Days are decisions here: it is restarted, stopped and started, and rows are written in between."""
    pair.serves_alone(lab, record, other)
    record.wait_confirmed(200)
    lab.step(f"{other} is rebooted meanwhile")
    other.poweroff()
    other.boot()
    pair.serves_alone(lab, record, other)
    record.wait_confirmed(200)


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    switch_and_primary(lab, one, other)
    only_the_switch(lab, other)
    days(lab, record, other)
    lab.step("node1 returns")
    one.boot()
    pair.whole(lab, record, other)

    lab.step("with a witness")
    witness.install(lab)
    switch_and_primary(lab, other, one)
    only_the_switch(lab, one)
    days(lab, record, one)
    lab.step("node2 returns, first without its network: it serves nothing")
    lab.silence(other)
    other.boot()
    pair.waits(lab, other, "witness-unreachable")
    lab.step("then with it")
    lab.silence(other, on=False)
    pair.whole(lab, record, one)
    pair.ends_well(lab, record, one)
