"""Where the time of a failover or of a swap went, from what the nodes' journals say when.

    taken = stages.failover(lab.node2, mark, record)      # after it is over
    stages.swap_overhead(lab, mark)

All times are of one clock (watch.py), so those of different nodes may be subtracted.
"""
from . import pair, sh

SILENT = "75b83359dfa04f9c9e5604eb666f6cff"     # src/api/message_ids.h
DECIDED = "43a3920a43b04774b8422213c1cc2a24"
ADDRESS = "1afe4c51b33c4156962b119bd86bdaaf"
DEMOTION = "3990fe07fa5b4ab8b6814d1b39762d88"
# systemd's own, see `journalctl --catalog`
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"
STOPPED = "9d1aaa27d60140bd96365438aad20286"
STAGES = ("silence", "decision", "VIP", "start issued", "first commit")


def first(node, since, message, **fields):
    """When the node's journal first said this at or after `since`; raises if it does not."""
    return node.wait_journal(since=since, MESSAGE_ID=message, **fields).at


def failover(node, mark, record):
    """{stage: seconds from `mark` until the node that took over had come so far}. Decision, address
    and start may be on their way at the same time. Call it when a commit was confirmed again."""
    at = {"silence": first(node, mark, SILENT), "decision": first(node, mark, DECIDED),
          "VIP": first(node, mark, ADDRESS), "start issued": first(node, mark, STARTING, UNIT=pair.UNIT)}
    at["first commit"] = at["start issued"] + record.wait_confirmed_after(at["start issued"])
    return {stage: at[stage] - mark for stage in STAGES}


def swap_overhead(lab, mark, giver):
    """What a planned swap ordered at `mark` cost besides the application's own stop (on `giver`) and
    start: seconds until the start was issued on the other node, less the stop's duration."""
    stop = first(giver, mark, STOPPED, UNIT=pair.UNIT) - first(giver, mark, STOPPING, UNIT=pair.UNIT)
    return first(lab.peer(giver), mark, STARTING, UNIT=pair.UNIT) - mark - stop


def percentile(values, percent):
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def table(rows, columns):
    """One line a column: p50, p95 and maximum of the rows ({column: seconds})."""
    yield f"{'':26} {'p50':>7} {'p95':>7} {'max':>7}   (s, of {len(rows)})"
    for column in columns:
        values = [row[column] for row in rows]
        yield (f"{column:26} {percentile(values, 50):7.3f} {percentile(values, 95):7.3f}"
               f" {max(values):7.3f}")
