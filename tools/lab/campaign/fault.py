"""What a fault is, and where it is struck. The faults themselves: power, network, processes, disks
and witness, a module a kind; `faults` is the table of all.

`passes` is what the monitor lets pass meanwhile, beyond DEFAULTS (tools/lab/monitor.py), and `bound_s` how
long the pair may take to be redundant again once it is healed (boot and comparison included).
"""
import threading
from dataclasses import dataclass, field
from typing import Callable

from .. import sh

PASSES = {"units_s": 0.5, "addresses_s": 1.0}
BOUND_S = 120.0


@dataclass(frozen=True)
class Fault:
    """Two deeds: strike, and heal, which leaves no trace of it but the machines' own memory."""
    name: str
    strike: Callable            # (field, dice); returns what heal needs
    heal: Callable              # (field, what strike returned)
    passes: dict = field(default_factory=dict)
    bound_s: float = BOUND_S
    longest_s: float = 60.0     # what happens at once need not be held for a minute


FAULTS = {}
AT_ONCE = {"longest_s": 3.0}


def nothing(*_):
    """Of faults that heal by themselves."""


def fault(name, heal=None, **bounds):
    """Registers the function below as a strike."""
    def register(strike):
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, strike, heal or nothing, **(bounds if heal else AT_ONCE | bounds))
        return strike
    return register


@dataclass
class Field:
    """The lab, and the roles of the moment a fault is struck."""
    lab: object
    primary: object
    secondary: object
    rest: Callable              # waits so many seconds

    @property
    def witness(self):
        return self.lab.witness

    def named(self, role):
        return getattr(self, role)


def at_once(deeds):
    """Does several things at the same time; raises the first error."""
    errors = []

    def do(deed):
        try:
            deed()
        except sh.LabError as error:
            errors.append(error)

    threads = [threading.Thread(target=do, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
