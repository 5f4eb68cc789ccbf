"""The monitor: patterns that must never be seen, watched for during every scene.

* Two nodes serve the same module (`primary` or `alone`) by their own word.
* An address that clients use is on both nodes.
* A unit of the application has processes on both nodes, if the scene names its units.

Both are judged on what events report, and only if they last longer than a bound, for the reports
of two nodes are not one picture. A node that is off counts for nothing; one that is frozen or
paused cannot speak nor act, so it counts again only a while after it goes on. A scene says what it
lets pass, by MONITOR = {...} or for a part of the play by `with lab.monitor.allowing(...)`:

    two_servers   True where the policy `available` lets both serve (no witness, all links cut)
    servers_s     how long two servers may be seen, default 0.5
    units         application units that may run on one node only, e.g. ["nginx.service"]
    units_s       how long one may run on both, default 0.5
    addresses_s   how long an address may be on both, default 1.0
    thaw_s        how long a frozen node may take to step back once it goes on, default 1.0
"""
import contextlib
import threading
import time

from . import sh

SERVING = ("primary", "alone")
DEFAULTS = {"two_servers": False, "servers_s": 0.5, "units": (), "units_s": 0.5,
            "addresses_s": 1.0, "thaw_s": 1.0}
STEP_S = 0.05


def runs(node, unit):
    """Whether a service of a node has processes, by its cgroup: nothing has to run in the node."""
    above = node.cgroup() / "payload/system.slice"
    if "@" in unit:
        above /= "system-" + unit.split("@")[0].replace("-", "\\x2d") + ".slice"
    try:
        return "populated 1" in (above / unit / "cgroup.events").read_text(encoding="ascii")
    except OSError:
        return False


class Monitor:
    """Looks at both nodes' watches all the time, in a thread of its own."""

    def __init__(self, stage, settings):
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise sh.LabError(f"MONITOR: unknown {', '.join(sorted(unknown))}")
        self.stage = stage
        self.settings = DEFAULTS | settings
        self.since = {}             # pattern -> when it began
        self.reported = set()
        self.found = []
        self.longest = {}           # pattern -> the longest it was seen, within bounds or not
        self.still_until = {}       # node name -> until when its word does not count
        self.ending = threading.Event()

    def start(self):
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def stop(self):
        self.ending.set()

    def watch(self):
        while not self.ending.wait(STEP_S):
            self.look(time.monotonic())

    def look(self, now):
        counted = [node for node in self.stage.pair if self.counts(node, now)]
        seen = {} if len(counted) < 2 else {
            **self.two_servers(counted), **self.two_holders(counted), **self.two_runs(counted)}
        for pattern in set(self.since) - set(seen):
            del self.since[pattern]
        for pattern, bound in seen.items():
            lasted = now - self.since.setdefault(pattern, now)
            self.longest[pattern] = max(lasted, self.longest.get(pattern, 0))
            if lasted > bound and pattern not in self.reported:
                self.reported.add(pattern)
                self.found.append(f"{pattern} for more than {bound} s")
                self.stage.tell(f"! forbidden: {self.found[-1]}")

    def counts(self, node, now):
        if node.watch.power != "on":
            return False
        if node.frozen():
            self.still_until[node.name] = now + self.settings["thaw_s"]
        return now >= self.still_until.get(node.name, 0)

    def two_servers(self, nodes):
        if self.settings["two_servers"]:
            return {}
        serving = [self.serves(node) for node in nodes]
        return {f"{module} served by {' and '.join(str(node) for node in nodes)}":
                self.settings["servers_s"] for module in set.intersection(*serving)}

    @staticmethod
    def serves(node):
        view = node.watch.views[-1] if node.watch.views else None
        names = [one["module"] for one in view.status.get("modules", [])] if view else []
        entries = {name: view.entry(name, node.name) for name in names}
        return {name for name, entry in entries.items() if entry and entry["state"] in SERVING}

    def two_holders(self, nodes):
        if self.settings["two_servers"]:
            return {}
        held = [{a for a in list(node.watch.addresses.held) if not a.startswith(("127.", "::1", "fe80:"))}
                for node in nodes]
        return {f"address {address} held by {' and '.join(str(node) for node in nodes)}":
                self.settings["addresses_s"] for address in set.intersection(*held)}

    def two_runs(self, nodes):
        if self.settings["two_servers"]:
            return {}
        return {f"{unit} runs on {' and '.join(str(node) for node in nodes)}": self.settings["units_s"]
                for unit in self.settings["units"] if all(runs(node, unit) for node in nodes)}

    @contextlib.contextmanager
    def allowing(self, **settings):
        before, self.settings = self.settings, self.settings | settings
        try:
            yield
        finally:
            self.settings = before

    def finish(self):
        """At the scene's end: raises if anything forbidden was seen."""
        for pattern, lasted in self.longest.items():
            self.stage.tell(f"monitor: {pattern}: {lasted:.2f} s at most")
        if self.found:
            raise sh.LabError("the monitor saw: " + "; ".join(self.found))
