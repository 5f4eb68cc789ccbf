"""The network: cuts in both directions or one, of all links or some, loss, delay."""
from .fault import fault

FLAPS_S = (0.002, 0.01, 0.1, 0.5, 1.2)


def heal_network(field, _):
    field.lab.heal()


@fault("net: the nodes do not hear each other", heal_network)
def partition(field, _):
    field.lab.partition(field.primary, field.secondary)


@fault("net: primary -> secondary lost", heal_network)
def mute_primary(field, _):
    field.lab.drop(field.primary, field.secondary)


@fault("net: secondary -> primary lost", heal_network)
def mute_secondary(field, _):
    field.lab.drop(field.secondary, field.primary)


@fault("net: one of two links cut", heal_network)
def one_link(field, dice):
    net = dice.choice(field.primary.host.nets)
    field.lab.drop(field.primary, field.secondary, net)
    field.lab.drop(field.secondary, field.primary, net)


@fault("net: primary isolated", heal_network)
def isolate_primary(field, _):
    field.lab.isolate(field.primary)


@fault("net: secondary isolated", heal_network)
def isolate_secondary(field, _):
    field.lab.isolate(field.secondary)


@fault("net: primary reaches only clients", heal_network)
def primary_alone(field, _):
    field.lab.partition(field.primary, field.secondary)
    field.lab.partition(field.primary, field.witness)


@fault("net: secondary reaches only clients", heal_network)
def secondary_alone(field, _):
    field.lab.partition(field.secondary, field.primary)
    field.lab.partition(field.secondary, field.witness)


@fault("net: primary hears nobody", heal_network)
def deaf_primary(field, _):
    field.lab.drop(field.secondary, field.primary)
    field.lab.drop(field.witness, field.primary)


@fault("net: frames lost at random", heal_network)
def lossy(field, dice):
    percent = dice.choice((2, 10, 30))
    field.lab.lose(field.primary, field.secondary, percent)
    field.lab.lose(field.secondary, field.primary, percent)


@fault("net: slow cables of the primary", heal_network)
def slow(field, dice):
    delay, jitter = dice.choice(((5, 2), (30, 20), (150, 100)))
    for net in field.primary.host.nets:
        field.lab.delay(field.primary, net, delay, jitter)


@fault("net: the cut comes and goes", heal_network)
def flapping(field, dice):
    for _ in range(dice.randint(2, 12)):
        field.lab.partition(field.primary, field.secondary)
        field.rest(dice.choice(FLAPS_S))
        field.lab.partition(field.primary, field.secondary, on=False)
        field.rest(dice.choice(FLAPS_S))
