"""Power: which machines lose it, in which order they go, and in which they come back."""
from .fault import at_once, fault

POWERED = {"primary": ("primary",), "secondary": ("secondary",), "witness": ("witness",),
           "both nodes": ("primary", "secondary"), "primary and witness": ("primary", "witness"),
           "secondary and witness": ("secondary", "witness"),
           "all three": ("primary", "secondary", "witness")}
GAPS_S = (0.0, 0.0, 0.3, 1.0, 2.5, 5.0)


def pull_plugs(roles):
    def strike(field, dice):
        nodes = [field.named(role) for role in roles]
        dice.shuffle(nodes)
        if dice.random() < 0.4:
            at_once([node.power_loss for node in nodes])
        else:
            for at, node in enumerate(nodes):
                field.rest(dice.choice(GAPS_S) if at else 0)
                node.power_loss()
        dice.shuffle(nodes)
        return [(node, dice.choice(GAPS_S) if at else 0) for at, node in enumerate(nodes)]
    return strike


def boot_again(field, order):
    for node, gap in order:
        field.rest(gap)
        node.power_on()
    for node, _ in order:
        node.wait_on()


for _name, _roles in POWERED.items():
    fault(f"power: {_name}", boot_again)(pull_plugs(_roles))
