"""What was acknowledged, checked against what is there and against itself.

A *record* is (client, n); clients use each number once. An `Ack` is one acknowledgement: who gave it
(node and *reign*: one life of the application there) and the interval in which it was given, on the
one clock all nodes share. Rules, each a function that returns complaints:

* lost(): a record was acknowledged and is not there.
* invented(): a record is there that no client began, or that was refused.
* doubled(): a record is there more than once.
* Reigns.rivals(): two reigns acknowledged in turns. Of two reigns one has ended before the other begins to
  acknowledge, whatever happens to clocks, cables and processes; an interval may have been stretched
  by a freeze, so only what was begun after the other's ack was complete counts.
"""
import threading
from dataclasses import dataclass

SHOWN_MAX = 8


@dataclass(frozen=True)
class Ack:
    """One acknowledged record. `begin` is before the write was issued, `end` when it was durable."""
    client: str
    n: int
    node: str
    reign: str
    begin: float
    end: float


def shown(keys):
    listed = sorted(keys)
    text = ", ".join(f"{client}/{n}" for client, n in listed[:SHOWN_MAX])
    return text + (f" and {len(listed) - SHOWN_MAX} more" if len(listed) > SHOWN_MAX else "")


def complaint(what, keys):
    return [f"{len(keys)} {what}: {shown(keys)}"] if keys else []


def lost(confirmed, counts):
    """`counts`: {(client, n): how often it is there}."""
    return complaint("acknowledged and lost", {key for key in confirmed if not counts.get(key)})


def invented(begun, refused, counts):
    return complaint("there and never begun, or refused", set(counts) - (set(begun) - set(refused)))


def doubled(counts):
    return complaint("there more than once", {key for key, count in counts.items() if count > 1})


@dataclass
class Span:
    """All acknowledgements of one reign: the narrowest (first complete, last begun) and its words."""
    node: str
    reign: str
    first_end: float
    last_begin: float
    acks: int = 1

    def take(self, ack):
        self.first_end = min(self.first_end, ack.end)
        self.last_begin = max(self.last_begin, ack.begin)
        self.acks += 1


class Reigns:
    """All reigns of one application, told ack by ack; any thread may tell."""

    def __init__(self, acks=()):
        self.lock = threading.Lock()
        self.found = {}
        for ack in acks:
            self.take(ack)

    def take(self, ack):
        key = ack.node, ack.reign
        with self.lock:
            if key in self.found:
                self.found[key].take(ack)
            else:
                self.found[key] = Span(*key, ack.end, ack.begin)

    def spans(self):
        """In order of their first acknowledgement."""
        with self.lock:
            return sorted(self.found.values(), key=lambda span: span.first_end)

    def rivals(self):
        """Pairs of reigns of which each acknowledged something begun after the other's first ack."""
        ordered, found = self.spans(), []
        for at, one in enumerate(ordered):
            for other in ordered[at + 1:]:
                if one.last_begin > other.first_end and other.last_begin > one.first_end:
                    found.append(
                        f"two acknowledged in turns: {one.node} (reign {one.reign}) something begun "
                        f"{one.last_begin - other.first_end:.3f} s after the first ack of "
                        f"{other.node} (reign {other.reign})")
        return found


def check(acks, confirmed, begun, refused, counts):
    """All complaints about one application's book, in order of gravity."""
    return [*lost(confirmed, counts), *doubled(counts), *Reigns(acks).rivals(), *invented(begun, refused, counts)]
