"""The table at a campaign's end: faults, how often, what came of them, and how long it took."""
import statistics
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What one step came to. Times in seconds; None where it does not apply."""
    number: int
    fault: str
    hold_s: float
    became: str = "cut short"       # stayed, moved, restarted, pressed (by the next), FAILED
    failover_s: float = None        # the strike to the first ack by another reign
    silence_app_s: float = None     # the longest time without an ack through the address
    silence_sql_s: float = None
    redundant_s: float = None       # the healing to a redundant pair
    overlaps: dict = field(default_factory=dict)    # forbidden pattern -> how long it was seen

    def line(self):
        overlap = max(self.overlaps.values(), default=0.0)
        return (f"{self.number:4} {self.fault:50} {self.hold_s:5.1f} {self.became:10}"
                f" {shown(self.failover_s)} {shown(self.silence_app_s)} {shown(self.silence_sql_s)}"
                f" {shown(self.redundant_s)} {shown(overlap)}")


HEAD = (f"{'step':>4} {'fault':50} {'held':>5} {'outcome':10} {'failover':>8} {'app':>8} {'sql':>8}"
        f" {'whole':>8} {'overlap':>8}")
LEGEND = """held: from the strike to the healing. failover: from the strike to the first acknowledgement by
another life of the application. app, sql: the longest time without an acknowledgement through the
virtual IP. whole: from the healing to a redundant pair. overlap: the longest time the application or the
address was seen on both nodes. All in seconds.
stayed: the same life of the application goes on; moved: it is on the other node; restarted: another life
on the same node; pressed: the next fault came before the pair was whole."""


def shown(seconds):
    return f"{'-':>8}" if seconds is None else f"{seconds:8.2f}"


def spread(values):
    """median / maximum of the values there are."""
    there = [value for value in values if value is not None]
    return f"{'-':>13}" if not there else f"{statistics.median(there):6.2f}/{max(there):6.2f}"


def table(outcomes):
    """One line a fault: how often, outcomes, median/maximum of each time."""
    lines = [f"{'fault':50} {'n':>3} {'stayed':>6} {'moved':>6} {'rest.':>6} {'press.':>6} {'failed':>6}"
             f" {'failover':>13} {'app':>13} {'sql':>13} {'whole':>13} {'overlap':>7}"]
    for name in sorted({each.fault for each in outcomes}):
        mine = [each for each in outcomes if each.fault == name]
        became = [each.became for each in mine]
        known = [became.count(word) for word in ("stayed", "moved", "restarted", "pressed")]
        overlap = max((max(each.overlaps.values(), default=0.0) for each in mine), default=0.0)
        lines.append(f"{name:50} {len(mine):3} {known[0]:6} {known[1]:6} {known[2]:6}"
                     f" {known[3]:6} {len(mine) - sum(known):6} {spread(e.failover_s for e in mine)}"
                     f" {spread(e.silence_app_s for e in mine)} {spread(e.silence_sql_s for e in mine)}"
                     f" {spread(e.redundant_s for e in mine)} {overlap:7.2f}")
    return lines


def write(path, title, outcomes, notes=()):
    """The whole report into a file; returns its lines."""
    lines = [title, "", *table(outcomes), "", HEAD, *(each.line() for each in outcomes), "", LEGEND, *notes]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines
