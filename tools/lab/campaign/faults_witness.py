"""The witness: gone with something else wrong, slow, wiped."""
from .. import pair
from .fault import fault

STATE = "/var/lib/private/hamirror-witness"
IN_FORCE_S = 30.0
CONNECTED_S = 60.0          # a node may still be on its way back from the fault before


def heal_network(field, _):
    field.lab.heal()


@fault("witness: slow", heal_network)
def slow(field, dice):
    delay = dice.choice((300, 1500, 5000))
    for net in field.witness.host.nets:
        field.lab.delay(field.witness, net, delay)


@fault("witness: slow, and the nodes do not hear each other", heal_network)
def slow_and_cut(field, dice):
    slow(field, dice)
    field.rest(1.0)
    field.lab.partition(field.primary, field.secondary)


@fault("witness: not reached by the primary", heal_network)
def cut_from_primary(field, _):
    field.lab.partition(field.primary, field.witness)


@fault("witness: not reached by the secondary", heal_network)
def cut_from_secondary(field, _):
    field.lab.partition(field.secondary, field.witness)


@fault("witness: cut off, then the nodes from each other", heal_network)
def nobody_decides(field, _):
    field.lab.isolate(field.witness)
    field.rest(2.0)
    field.lab.partition(field.primary, field.secondary)


def pair_anew(field, _):
    """What docs/witness.md tells an operator to do."""
    field.lab.node1.wait_for("hamirrorctl witness remove", deadline=CONNECTED_S, step=1)
    pair.enrol(field.lab)
    for node in field.lab.pair:
        node.wait_for(lambda node=node: pair.witness_in_force(node), deadline=IN_FORCE_S)


@fault("witness: wiped", pair_anew)
def wiped(field, _):
    field.witness.run(f"systemctl stop ha-witness; rm -rf {STATE}/*; systemctl start ha-witness")
