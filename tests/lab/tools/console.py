"""A scene's hand on worker-console, which stands in for ha-clusterd in a node (worker_console.cc)."""
import json
import pathlib
import shutil
import subprocess
import threading
import time

from tools.lab import places, sh

PROGRAM = places.TREE / "build/dev/tests/lab/worker-console"
INSIDE = "/usr/local/bin/worker-console"


def install(node):
    if not PROGRAM.exists():
        raise sh.LabError(f"{PROGRAM} is not built; run: ./lab build")
    target = pathlib.Path(f"/proc/{node.leader()}/root{INSIDE}")
    shutil.copy(PROGRAM, target)
    node.run(["sync", INSIDE])


class Console:
    """Orders go in, facts come out with the node's own times (CLOCK_BOOTTIME, seconds)."""

    def __init__(self, node):
        self.node = node
        self.lines = []
        self.changed = threading.Condition()
        self.process = node.popen([INSIDE, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            at, _, text = line.strip().partition(" ")
            kind = text.split()[0] if not text.startswith("{") else ""
            fact = json.loads(text) if text.startswith("{") else {"type": kind, "text": text}
            self.node.tell(f"{self.node}: {text}")
            with self.changed:
                self.lines.append((float(at), fact))
                self.changed.notify_all()

    def order(self, kind, **fields):
        """Sends an order; returns a mark from which answers can be waited for."""
        mark = len(self.lines)
        self.process.stdin.write(json.dumps({"type": kind, **fields}) + "\n")
        self.process.stdin.flush()
        return mark

    def wait(self, kind, since=0, deadline=10.0, **fields):
        """The first such fact at or after a mark: (its time, the fact)."""
        end = time.monotonic() + deadline
        with self.changed:
            while True:
                for at, fact in self.lines[since:]:
                    if fact["type"] == kind and all(fact.get(k) == v for k, v in fields.items()):
                        return at, fact
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise sh.LabError(f"{self.node}: no {kind} {fields or ''} within {deadline} s")

    def ask(self, kind, answer, deadline=20.0, **fields):
        """An order and its answer: (seconds between them, the fact)."""
        mark = self.order(kind, **fields)
        ordered, _ = self.wait("order", mark)
        at, fact = self.wait(answer, mark, deadline)
        return at - ordered, fact

    def mark(self):
        return len(self.lines)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
