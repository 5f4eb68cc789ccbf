"""What a scene sees happen in a node: its power, its journal, hamirror's status, its addresses.

All of it arrives as events, is kept with its time, and can be waited for. Nodes share this
machine's kernel, so the journal's monotonic stamps and our time.monotonic() are one clock and
times of different nodes can be subtracted.
"""
import json
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field

from . import sh
from .addresses import Addresses

STATUS = ["hamirrorctl", "status", "--json", "--watch"]


@dataclass(frozen=True)
class Entry:
    """One line of the journal. `at` is in seconds of CLOCK_MONOTONIC."""
    at: float
    unit: str
    text: str
    fields: dict = field(repr=False)

    def matches(self, pattern, wanted):
        return ((pattern is None or re.search(pattern, self.text) is not None)
                and all(str(self.fields.get(name)) == str(value) for name, value in wanted.items()))


@dataclass(frozen=True)
class View:
    """One line of `hamirrorctl status --json --watch`, and when it came."""
    at: float
    status: dict = field(repr=False)

    def entry(self, module, node):
        """What it says of a module on a node: {"state": ..., "readiness": ..., ...}, or None."""
        for one in self.status.get("modules", []):
            if one["module"] == module:
                for other in one["nodes"]:
                    if other["node"] == node:
                        return other
        return None


class Watch:
    """Watches one node from its power-on to its power-off, and again after the next power-on."""

    def __init__(self, node, folder, tell, product):
        self.node = node
        self.tell = tell
        self.product = product
        self.changed = threading.Condition()
        self.power = "off"
        self.powers = []            # (at, "booting" | "on" | "off")
        self.journal = []
        self.views = []
        self.addresses = Addresses(node.host.netns)
        self.log = open(folder / f"{node.name}.journal", "a", encoding="utf-8")
        self.off = threading.Event()
        self.off.set()
        self.boots = 0

    def power_on(self):
        """Called when the node's mains switch is on."""
        self.off.clear()
        threading.Thread(target=self.follow_power, daemon=True).start()

    def follow_power(self):
        try:
            for word in self.node.states(timeout=None):
                self.set_power(word)
        finally:
            self.set_power("off")

    def set_power(self, word):
        if word == self.power:
            return
        self.power = word
        self.powers.append((time.monotonic(), word))
        self.tell(f"{self.node} is {word}")
        if word == "off":
            self.off.set()
            self.addresses.close()
            self.keep(View(time.monotonic(), {}), self.views)
        elif word == "booting":
            self.off.clear()
        elif word == "on":
            self.boots += 1
            self.addresses.open()
            self.start(self.follow_journal)
            if self.product:
                self.start(self.follow_status)
        with self.changed:
            self.changed.notify_all()

    def start(self, follow):
        threading.Thread(target=follow, args=(self.boots,), daemon=True).start()

    def alive(self, boot):
        return self.boots == boot and not self.off.is_set()

    def keep(self, item, where):
        with self.changed:
            where.append(item)
            self.changed.notify_all()

    def lines(self, words):
        process = self.node.popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with process.stdout as lines:
            yield from lines
        process.wait()

    def follow_journal(self, boot):
        for line in self.lines(["journalctl", "-b", "--no-tail", "-f", "-o", "json"]):
            fields = json.loads(line)
            text = fields.get("MESSAGE") or ""
            if isinstance(text, list):      # bytes that are no UTF-8
                text = bytes(text).decode("utf-8", "replace")
            entry = Entry(int(fields["__MONOTONIC_TIMESTAMP"]) / 1e6,
                          fields.get("_SYSTEMD_UNIT") or fields.get("SYSLOG_IDENTIFIER") or "",
                          text, fields)
            who = fields.get("SYSLOG_IDENTIFIER") or entry.unit
            self.log.write(f"{entry.at:.6f} {self.node} {who}: {text}\n")
            self.log.flush()
            self.keep(entry, self.journal)

    def follow_status(self, boot):
        """The command ends when the daemon does; it is started again as long as the node is up."""
        while self.alive(boot):
            began = time.monotonic()
            if self.installed() and not self.node.frozen():
                self.read_status()
            # at once after a good while; slowly if it cannot run, for each try costs the node time
            self.off.wait(0.1 if time.monotonic() - began > 1 else 0.5)

    def installed(self):
        return os.path.exists(f"/proc/{self.node.leader()}/root/usr/bin/hamirrorctl")

    def read_status(self):
        try:
            for line in self.lines(STATUS):
                self.keep(View(time.monotonic(), json.loads(line)), self.views)
        except (sh.LabError, json.JSONDecodeError) as error:
            self.tell(f"{self.node}: status: {error}")

    def wait(self, found, deadline, what):
        """Until found() returns something true; asked again after each event."""
        end = time.monotonic() + deadline
        with self.changed:
            while not (result := found()):
                left = end - time.monotonic()
                if left <= 0:
                    raise sh.LabError(f"{self.node}: not within {deadline} s: {what}")
                self.changed.wait(left)
        return result

    def wait_power(self, word, deadline=30.0, since=0.0):
        def found():
            return next((at for at, each in self.powers if each == word and at >= since), None)
        return self.wait(found, deadline, f"power {word}")

    def wait_journal(self, pattern=None, deadline=10.0, since=0.0, **fields):
        def found():
            return next((entry for entry in self.journal
                         if entry.at >= since and entry.matches(pattern, fields)), None)
        return self.wait(found, deadline, f"journal {pattern or ''} {fields or ''}")

    def catch_up(self):
        """Returns when everything the node logged so far has been read here. Of a node that is off,
        or frozen, all that ever will be is here, or nothing more can be had."""
        boot, word = self.boots, f"caught up {time.monotonic():.9f}"
        if self.power != "on" or self.node.frozen():
            return
        try:    # journald answers after the messages that wait in its sockets; the mark comes after them
            self.node.run(f"journalctl --sync && logger -t lab '{word}'")
            self.wait_journal(re.escape(word), deadline=10)
        except sh.LabError:
            if self.alive(boot):
                raise

    def wait_status(self, module, state, readiness=None, deadline=10.0, of=None, reason=None):
        name = str(of or self.node)

        def found():
            entry = self.views[-1].entry(module, name) if self.views else None
            if (entry and entry["state"] == state and readiness in (None, entry["readiness"])
                    and reason in (None, entry["reason"]["code"])):
                return Seen(self.views[-1].at, entry)
            return None
        try:
            return self.wait(found, deadline, f"{module} {state}/{readiness or '*'} of {name}")
        except sh.LabError as late:
            seen = self.views[-1].entry(module, name) if self.views else "no status at all"
            raise sh.LabError(f"{late} (last seen: {seen})") from late


@dataclass(frozen=True)
class Seen:
    """A status that was waited for, and when it arrived."""
    at: float
    entry: dict
