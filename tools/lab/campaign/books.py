"""The books of a campaign's clients: two applications, each with clients that never stop asking.

* SQL: recorder.py through the virtual IP.
* appender: one client through the virtual IP, and one inside each node that asks its own node, as
  a cron job there would; it starts again with its node.

`SqlBook` and `AppenderBook` know what was confirmed, by whom, and read what is there.
"""
import json
import subprocess
import sys
import threading

from .. import pair, places, sh
from ..recorder import TABLE
from ..recorder_play import Recording, SqlRecording
from . import appender, history

CLIENT_TEXT = (places.TREE / "tools/lab/campaign/appender.py").read_text(encoding="utf-8")
SKIPPED = 1000          # numbers left out when a client in a node starts anew


class Acks:
    """Mixed into a Recording: keeps who confirmed what and when (`confirmed N NODE REIGN BEGIN END`)."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.acks = []
        self.reigns = history.Reigns()

    def note(self, at, client, word, rest):
        super().note(at, client, word, rest)
        if word == "confirmed":
            number, node, reign, begin, end = rest
            ack = history.Ack(client, int(number), node, reign, float(begin), float(end))
            self.reigns.take(ack)
            self.acks.append(ack)


class SqlBook(Acks, SqlRecording):
    """recorder.py with --who, through the virtual IP."""

    def __init__(self, stage, clients=2):
        super().__init__(stage, pair.VIP, clients, who=1, probe_s=0, pause_ms=20)

    def counts(self, node):
        out = node.out(["psql", "-qAt", "-F", " ", "-d", "postgres", "-c",
                        f"SELECT client, n, count(*) FROM {TABLE} GROUP BY 1, 2"],
                       user="postgres", timeout=60)
        return {(client, int(n)): int(count) for client, n, count in map(str.split, out.splitlines())}


class ViaAddress(Acks, Recording):
    """The appender's client in the client's network."""

    def __init__(self, stage):
        super().__init__(stage, "appender-vip")

    def command(self):
        words = ["env", f"PYTHONPATH={places.TREE}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m",
                 "tools.lab.campaign.appender", pair.VIP, appender.PORT, "vip", 1]
        return self.stage.client.popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class InNode(Acks, Recording):
    """The appender's client in a node, which asks its own node whoever serves; again at each boot."""

    def __init__(self, stage, node):
        super().__init__(stage, f"appender-{node}")
        self.node = node
        self.ending = threading.Event()

    def command(self):
        used = max((n for _, n in self.words["begin"]), default=0)
        return self.node.popen(["python3", "-c", CLIENT_TEXT, "127.0.0.1", appender.PORT, self.node,
                                used + SKIPPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self):
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()
        return self

    def keep(self):
        """A client as long as the node is on; another after each boot."""
        while not self.ending.is_set():
            try:
                if self.node.watch.power == "on" and not self.node.frozen():
                    super().start()
                    self.reader.join()
            except sh.LabError:
                pass                    # it went off meanwhile
            self.ending.wait(0.5)

    def stop(self):
        self.ending.set()
        super().stop()


class AppenderBook:
    """All clients of the appender together, as one book."""

    def __init__(self, stage):
        self.via = ViaAddress(stage)
        self.parts = [self.via, *(InNode(stage, node) for node in stage.pair)]
        self.reigns = self.via.reigns
        for part in self.parts:
            part.reigns = self.reigns

    def start(self):
        for part in self.parts:
            part.start()

    @property
    def acks(self):
        return [ack for part in self.parts for ack in list(part.acks)]

    @property
    def words(self):
        return {word: set().union(*(set(part.words[word]) for part in self.parts))
                for word in ("confirmed", "begin", "refused")}

    def counts(self, node):
        text = node.out(["cat", appender.FILE], timeout=60)     # without its last line end
        return appender.counts(text + "\n" if text else "")


class Books:
    """Both applications' books, and what is asked of them."""

    def __init__(self, stage):
        self.sql, self.app = SqlBook(stage), AppenderBook(stage)
        self.recordings = [self.sql, *self.app.parts]
        stage.recordings += self.recordings

    def prepare(self, node):
        self.sql.prepare(node)

    def start(self):
        self.sql.start()
        self.app.start()

    def stop(self):
        for recording in self.recordings:
            recording.stop()

    def wait_served(self, at, deadline):
        """Until both applications have confirmed something after `at` through the address."""
        for book in (self.app.via, self.sql):
            book.wait_confirmed_after(at, deadline)

    def rivals(self):
        """What the books alone show, without looking at what is there."""
        return [*self.app.reigns.rivals(), *self.sql.reigns.rivals()]

    def compare(self, node):
        """All complaints, with what is there as a node that serves shows it. Records that are under
        way meanwhile are begun and not yet there: the confirmed ones are read first, the begun ones
        last."""
        found = []
        for name, book in (("appender", self.app), ("sql", self.sql)):
            acks, confirmed = book.acks, set(book.words["confirmed"])
            counts = book.counts(node)
            words = book.words
            found += [f"{name}: {text}" for text in history.check(
                acks, confirmed, words["begin"], words["refused"], counts)]
        return found

    def failover(self, mark):
        """(seconds from `mark` to the appender's first ack of another reign, its node); None if none."""
        acks = sorted(self.app.acks, key=lambda ack: ack.end)
        before = next((ack for ack in reversed(acks) if ack.end < mark), None)
        after = next((ack for ack in acks if before and ack.begin >= mark
                      and (ack.node, ack.reign) != (before.node, before.reign)), None)
        return (after.end - mark, after.node) if after else None

    def silences(self, since, until):
        """The longest times without an acknowledgement through the address: (appender, SQL)."""
        return tuple(longest_gap(book.times["confirmed"], since, until) for book in (self.app.via, self.sql))

    def totals(self):
        return f"{len(self.app.acks)} records of the appender, {len(self.sql.acks)} rows acknowledged"


def longest_gap(times, since, until):
    """Of the moments between two acknowledgements, the longest that reaches into [since, until]."""
    times = sorted(times)
    inside = [at for at in times if since <= at <= until]
    before = [at for at in times if at < since][-1:] or [since]
    points = [*before, *inside, until]
    return max(b - a for a, b in zip(points, points[1:]))


def status(node):
    """hamirrorctl's view of the module on this node, asked now: its entry, or None."""
    done = node.run(["hamirrorctl", "status", "--json"], check=False, timeout=5)
    for one in json.loads(done.out).get("modules", []) if done else ():
        for entry in one["nodes"]:
            if one["module"] == pair.MODULE and entry["node"] == str(node):
                return entry
    return None

