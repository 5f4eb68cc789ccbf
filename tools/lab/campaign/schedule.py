"""Which fault is struck when: from a seed, and from nothing else.

Faults are dealt from decks: each deck holds every fault once, shuffled, so a run of an hour meets all
of them many times in ever other orders. Some steps are *pressed*: struck a moment after the last one was
healed, in the middle of a resync, a boot, a join. A step's own random choices come from (seed, number), so one
step can be played without those before it.
"""
import random
from dataclasses import dataclass

HOLD_S = (1.0, 60.0)
PRESSED = 0.25              # of the steps


@dataclass(frozen=True)
class Step:
    """One fault with everything that was left to chance."""
    number: int
    fault: str
    hold_s: float           # from the strike to the healing
    seed: str               # of the fault's own choices: dice()
    pressed: bool = False   # struck while the pair still mends what the step before did

    def dice(self):
        return random.Random(self.seed)

    def __str__(self):
        when = ", at once after the last" if self.pressed else ""
        return f"{self.number}: {self.fault} for {self.hold_s:.1f} s{when}"


def deck(seed, number, faults):
    cards = sorted(faults)
    random.Random(f"{seed}/deck/{number}").shuffle(cards)
    return cards


def step(seed, number, faults):
    """Step `number`, from 1 on; `faults` gives each its longest hold. Holds are spread evenly over
    the orders of magnitude."""
    which, card = divmod(number - 1, len(faults))
    own = f"{seed}/step/{number}"
    low, high = HOLD_S
    hold = low * (high / low) ** random.Random(f"{own}/hold").random()
    name = deck(seed, which, faults)[card]
    pressed = number > 1 and random.Random(f"{own}/pressed").random() < PRESSED
    return Step(number, name, round(min(hold, faults[name]), 1), own, pressed)


def numbers(only):
    """The step numbers of `--only`: "17", "17..23", "3,17..23"; endless from 1 on without."""
    if not only:
        number = 0
        while True:
            number += 1
            yield number
    for part in only.split(","):
        first, _, last = part.partition("..")
        yield from range(int(first), int(last or first) + 1)
