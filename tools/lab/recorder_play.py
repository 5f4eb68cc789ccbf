"""Recordings as a scene uses them: start, wait for progress, stop, and compare with what is there.

    record = lab.recorder("10.77.0.50", clients=4)
    record.prepare(lab.node1)           # table and access, on the node that has the database
    record.start()
    record.wait_confirmed(200)
    ...
    record.stop()
    record.check(lab.node2)             # raises if a confirmed row is missing, or one came from nowhere
    record.outage()                     # seconds without an answer, as new connections saw it

The book is kept by this machine, so no power loss of a node can lose it.
"""
import collections
import os
import subprocess
import sys
import threading
import time

from . import places, sh
from .recorder import TABLE

PREPARE_SQL = f"""
    DO $$ BEGIN CREATE ROLE recorder LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    CREATE TABLE IF NOT EXISTS {TABLE} (client int NOT NULL, n int NOT NULL);
    GRANT SELECT, INSERT ON {TABLE} TO recorder;
    GRANT pg_read_server_files TO recorder;
    GRANT EXECUTE ON FUNCTION pg_read_file(text) TO recorder;
"""
PREPARE_SHELL = """
    set -e; cd /etc/postgresql/15/main
    grep -q '^host all recorder' pg_hba.conf ||
        sed -i '1i host all recorder 10.77.0.0/16 trust' pg_hba.conf
    echo "listen_addresses = '*'" > conf.d/lab.conf
    sync pg_hba.conf conf.d/lab.conf conf.d; systemctl restart postgresql@15-main
"""
SHOWN_MAX = 10


class Wrong(sh.LabError):
    """The book and what is there do not agree."""


class Recording:
    """A running process whose lines are events; kept in order and in a file."""

    def __init__(self, stage, name):
        self.stage = stage
        self.file = open(stage.folder / f"{name}.record", "a", encoding="utf-8")
        self.changed = threading.Condition()
        self.words = collections.defaultdict(set)       # word -> {(client, n)}
        self.times = collections.defaultdict(list)      # word -> [at]
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.process = self.command()
        self.reader = threading.Thread(target=self.read, args=(self.process,), daemon=True)
        self.reader.start()
        return self

    def read(self, process):
        for line in process.stdout:
            self.file.write(line)
            at, client, word, *rest = line.split()
            self.note(float(at), client, word, rest)
        process.wait()

    def note(self, at, client, word, rest):
        """One line of the book; `rest` is the record's number and what is told about it."""
        with self.changed:
            self.times[word].append(at)
            if rest:
                self.words[word].add((client, int(rest[0])))
            self.changed.notify_all()

    def confirmed(self):
        return len(self.words["confirmed"])

    def wait_confirmed(self, more, deadline=30.0):
        """Until so many more than now are confirmed."""
        with self.changed:
            goal = self.confirmed() + more
            if not self.changed.wait_for(lambda: self.confirmed() >= goal, deadline):
                raise Wrong(f"only {self.confirmed()} of {goal} records confirmed within {deadline} s")

    def wait_alive_after(self, at, deadline=30.0):
        """Until something answers after this time; returns how many seconds after."""
        def late():
            return next((t for t in self.times["alive"][-1:] if t > at), None)
        with self.changed:
            if not self.changed.wait_for(late, deadline):
                raise Wrong(f"no answer within {deadline} s")
        return next(t for t in self.times["alive"] if t > at) - at

    def wait_confirmed_after(self, at, deadline=30.0):
        """Until a record is confirmed after this time; returns how many seconds after."""
        def late():
            return next((t for t in self.times["confirmed"][-1:] if t > at), None)
        with self.changed:
            if not self.changed.wait_for(late, deadline):
                raise Wrong(f"no record confirmed within {deadline} s")
        return next(t for t in self.times["confirmed"] if t > at) - at

    def wait_refused_or_lost(self, at, deadline=60.0):
        """Until a client is told no, or loses its connection, after this time."""
        def told():
            return any(t > at for word in ("refused", "lost") for t in self.times[word][-1:])
        with self.changed:
            if not self.changed.wait_for(told, deadline):
                raise Wrong(f"nothing was refused within {deadline} s")

    def stop(self):
        """Lets it finish what is under way, and returns when the book is complete."""
        if self.process is None:
            return
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reader.join(5)
        self.process = None
        self.file.flush()

    def outage(self, since=0.0, word=None):
        """The longest time between two answers: of the prober if there is one, else of writers."""
        word = word or ("alive" if self.times["alive"] else "confirmed")
        times = [at for at in sorted(self.times[word]) if at >= since]
        if self.process is not None:
            times.append(time.monotonic())
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)

    def summary(self):
        return ", ".join(f"{len(self.words[word])} {word}"
                         for word in ("confirmed", "in-doubt", "refused"))


class SqlRecording(Recording):
    """recorder.py in the client's network."""

    def __init__(self, stage, address, clients=4, **options):
        super().__init__(stage, f"sql-{address}")
        self.address = address
        self.options = {"clients": clients, "first": 1} | options

    def prepare(self, node):
        """The recorder's table and its access; restarts PostgreSQL on that node."""
        node.run(PREPARE_SHELL, timeout=60)
        node.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"], user="postgres",
                 input=PREPARE_SQL)

    def command(self):
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.options.items()]
        words = ["env", f"PYTHONPATH={places.TREE}", "PYTHONDONTWRITEBYTECODE=1",
                 sys.executable, "-m", "tools.lab.recorder", self.address, *options]
        return self.stage.client.popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def check(self, node):
        """Compares its clients' rows both ways with the database that runs on a node."""
        first, clients = self.options["first"], self.options["clients"]
        out = node.out(["psql", "-qAt", "-F", " ", "-d", "postgres", "-c",
                        f"SELECT client, n, count(*) FROM {TABLE} "
                        f"WHERE client BETWEEN {first} AND {first + clients - 1} GROUP BY 1, 2"],
                       user="postgres", timeout=60)
        rows = {}
        for line in out.splitlines():
            client, number, count = line.split()
            rows[client, int(number)] = int(count)
        confirmed = self.words["confirmed"]
        doubtful = self.words["begin"] - confirmed - self.words["refused"]
        complaints = [("confirmed, but not there", confirmed - set(rows)),
                      ("there, but neither confirmed nor in doubt", set(rows) - confirmed - doubtful),
                      ("there more than once", {key for key, count in rows.items() if count > 1})]
        judge(complaints)
        self.stage.tell(f"  ok: {len(rows)} rows agree with the book ({self.summary()},"
                        f" {len(doubtful & set(rows))} of those in doubt are there)")


class PingRecording(Recording):
    """pinger.py in the client's network: outage() is the longest silence of an address."""

    def __init__(self, stage, address, every_s=0.01):
        super().__init__(stage, f"ping-{address}")
        self.address, self.every_s = address, every_s

    def command(self):
        return self.stage.client.popen(
            [sys.executable, "-B", places.TREE / "tools/lab/pinger.py", self.address, self.every_s],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def judge(complaints):
    told = [f"{len(keys)} {what}: " + ", ".join(f"{c}/{n}" for c, n in sorted(keys)[:SHOWN_MAX])
            for what, keys in complaints if keys]
    if told:
        raise Wrong("; ".join(told))


# Runs in the node: appends records of one size to a file, each followed by fsync, and says so.
WRITER = """
import os, select, sys, time
path, number, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
parent = os.open(os.path.dirname(path), os.O_RDONLY)
os.fsync(parent)
def say(word):
    os.write(1, b'%.6f file %s %d\\n' % (time.monotonic(), word, number))
while not select.select([0], [], [], 0)[0]:
    number += 1
    say(b'begin')
    record = (b'%d ' % number).ljust(size - 1, b'.') + b'\\n'
    assert os.write(fd, record) == size
    os.fsync(fd)
    say(b'confirmed')
"""


class FileRecording(Recording):
    """Numbered records, one after the other in one file of a node, each durable when confirmed."""

    def __init__(self, stage, node, path, size=128):
        super().__init__(stage, f"file-{os.path.basename(path)}")
        self.node, self.path, self.size = node, path, size

    def on(self, node):
        """Goes on in another node after a failover, with numbers not used before."""
        self.node = node
        return self

    def command(self):
        used = max((n for _, n in self.words["begin"]), default=0)
        return self.node.popen(["python3", "-c", WRITER, self.path, str(used), str(self.size)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def check(self, node):
        """Each confirmed record is in the node's file, once, whole and in order; any other one
        there was at least begun."""
        text = node.run(["cat", self.path], timeout=60).out
        seen, last = [], 0
        for line in text.splitlines():
            number = int(line.split(" ")[0]) if line[:1].isdigit() else -1
            if len(line) != self.size - 1 or number <= last:
                raise Wrong(f"{self.path} on {node}: a bad record after {last}: {line[:60]!r}")
            last = number
            seen.append(("file", number))
        judge([("confirmed, but not there", self.words["confirmed"] - set(seen)),
               ("there, but never begun", set(seen) - self.words["begin"])])
        self.stage.tell(f"  ok: {len(seen)} records on {node} agree with the book ({self.summary()})")
