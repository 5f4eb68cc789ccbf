"""Plays a campaign: strike a fault, hold it, heal it, wait until the pair is redundant, look.

A step fails if the pair does not become redundant within the fault's bound, if an application is not
served, if the books break a rule of history.py, if the monitor saw a forbidden pattern, or if a node
reports a split brain. Every AUDIT_EVERY steps, and at the end, the module is stopped on both nodes
and the copies are compared in everything.
"""
import os
import re
import shlex
import threading
import time
from dataclasses import dataclass

from .. import pair, sh
from . import appender, books, faults, report, schedule

AUDIT_EVERY = 12
STEPS_LEAST = 12                # as many longest holds have room in the time
SERVED_S = 60.0                 # an application's own recovery included
PRESSED_S = 4.0                 # a pressed step comes within so many seconds
STEADY_S = 1.0                  # redundant for so long counts
SPLIT_BRAIN = "ea38d89ce6e24c289bcd8db0fd7a1916"    # src/api/message_ids.h
UNITS = (appender.UNIT, pair.UNIT)
PATHS = (*pair.PATHS, appender.FOLDER)
YAML = f"""module: {pair.MODULE}
replicate:
{"".join(f"  - path: {path}" + chr(10) for path in PATHS)}virtual_ips:
  - {pair.VIP}/{pair.PREFIX}
units: [{", ".join(UNITS)}]
"""


@dataclass(frozen=True)
class Plan:
    """What was asked for: `./lab test campaign --minutes N --seed S --only A..B --faults REGEX`."""
    minutes: float
    seed: str
    only: str
    among: str = ""                 # a regular expression; other faults are not dealt

    @classmethod
    def from_environment(cls):
        said = os.environ.get
        return cls(float(said("HAMIRROR_MINUTES", "3")), said("HAMIRROR_SEED", "108"),
                   said("HAMIRROR_ONLY", ""), said("HAMIRROR_FAULTS", ""))

    def again(self, step):
        first = next(number for number in range(step.number, 0, -1)
                     if not schedule.step(self.seed, number, self.holds()).pressed)
        steps = f"{first}..{step.number}" if first < step.number else str(first)
        among = f" --faults {shlex.quote(self.among)}" if self.among else ""
        return f"./lab test campaign --minutes {self.minutes:g} --seed {self.seed} --only {steps}{among}"

    def holds(self):
        """{fault: its longest hold}: a short campaign spends its minutes on many faults, not on one."""
        most = self.minutes * 60 / STEPS_LEAST
        chosen = {name: min(each.longest_s, most) for name, each in faults.FAULTS.items()
                  if re.search(self.among, name)}
        if not chosen:
            raise sh.LabError(f"no fault matches {self.among}; there are: {', '.join(faults.FAULTS)}")
        return chosen


class Campaign:
    """One run on a stage."""

    def __init__(self, lab, plan):
        self.lab, self.plan = lab, plan
        self.books = books.Books(lab)
        self.outcomes = []
        self.last = None                    # who was (primary, secondary) when they last were known
        self.passes = dict(faults.PASSES)
        self.moment = threading.Event()     # never set: rest() waits on it

    # the stage

    def set_up(self):
        """A pair with a witness in force, both applications, and clients that write."""
        lab = self.lab
        self.books.prepare(lab.node1)
        for node in lab.pair:
            appender.install(node)
        pair.join(lab)
        pair.configure(lab, YAML)
        pair.begin(lab)
        pair.add_witness(lab)
        for node in lab.pair:
            node.wait_for(lambda node=node: pair.witness_in_force(node), deadline=15)
        self.books.start()
        self.books.wait_served(time.monotonic(), SERVED_S)

    def rest(self, seconds):
        self.moment.wait(seconds)

    # who serves

    def serving(self):
        """(primary, secondary) if the pair is redundant now, else None."""
        words = {}
        for node in self.lab.pair:
            entry = books.status(node)
            words[(entry["state"], entry["readiness"]) if entry else None] = node
        pick = words.get(("primary", "ready")), words.get(("secondary", "ready"))
        return pick if all(pick) else None

    def wait_redundant(self, bound_s):
        """Until the pair is redundant, and still is a moment later; returns (primary, secondary)."""
        end = time.monotonic() + bound_s
        since, before = None, None
        while True:
            now, pick = time.monotonic(), self.serving()
            if pick is None or pick != before:
                since, before = now, pick
            elif now - since >= STEADY_S:
                return pick
            self.no_crime()
            if now > end:
                raise sh.LabError(f"not redundant within {bound_s:.0f} s: "
                                  + "; ".join(f"{node}: {books.status(node)}" for node in self.lab.pair))
            self.rest(0.2)

    # one step

    def step(self, step, next_pressed):
        """Strikes, holds and heals; waits for the pair and measures, unless the next step does not
        let it come to rest."""
        fault = faults.FAULTS[step.fault]
        primary, secondary = self.roles(step)
        outcome = report.Outcome(step.number, step.fault, step.hold_s)
        self.outcomes.append(outcome)
        self.lab.monitor.longest.clear()
        mark = self.lab.step(f"step {step}; {primary} is primary")
        try:
            # a pressed step inherits what its predecessor may still do to the roles
            before = self.passes if step.pressed else faults.PASSES
            self.passes = {key: max(bound, fault.passes.get(key, 0)) for key, bound in before.items()}
            with self.lab.monitor.allowing(**self.passes):
                self.play(step, fault, faults.Field(self.lab, primary, secondary, self.rest))
                self.last = primary, secondary
                if next_pressed:
                    outcome.became = "pressed"
                    self.rest(step.dice().uniform(0, PRESSED_S))
                else:
                    self.measure(outcome, fault, mark, primary)
            self.no_crime()
        except sh.LabError as error:
            outcome.became = "FAILED"
            raise sh.LabError(f"seed {self.plan.seed}, step {step}: {error}\n"
                              f"     again: {self.plan.again(step)}") from error
        self.lab.tell(f"  {outcome.line()}")

    def roles(self, step):
        """(primary, secondary) to strike: of a redundant pair, or as it was if it has no time to be one."""
        if not (step.pressed and self.last):
            self.last = self.wait_redundant(faults.BOUND_S)
            self.books.wait_served(time.monotonic(), SERVED_S)
        return self.last

    def play(self, step, fault, field):
        undo = fault.strike(field, step.dice())
        struck = time.monotonic()
        while (left := struck + step.hold_s - time.monotonic()) > 0:
            self.rest(min(left, 0.5))
            self.no_crime()
        fault.heal(field, undo)

    def measure(self, outcome, fault, mark, primary):
        healed = time.monotonic()
        now_primary, _ = self.wait_redundant(fault.bound_s)
        redundant = time.monotonic()
        self.books.wait_served(redundant, SERVED_S)
        outcome.redundant_s = redundant - healed
        outcome.silence_app_s, outcome.silence_sql_s = self.books.silences(mark, time.monotonic())
        failover = self.books.failover(mark)
        outcome.failover_s = failover and failover[0]
        outcome.became = ("moved" if now_primary is not primary else
                          "restarted" if failover else "stayed")
        outcome.overlaps = dict(self.lab.monitor.longest)

    def no_crime(self):
        """Raises as soon as something happened that must never happen."""
        crimes = [*self.books.rivals(), *self.lab.monitor.found]
        for node in self.lab.pair:
            crimes += [f"{node}: {entry.text}" for entry in node.journal(MESSAGE_ID=SPLIT_BRAIN)]
        if crimes:
            raise sh.LabError("; ".join(crimes))

    # the looks

    def look(self):
        """What is there agrees with both books."""
        primary, _ = self.wait_redundant(faults.BOUND_S)
        complaints = self.books.compare(primary)
        if complaints:
            raise sh.LabError(f"seed {self.plan.seed}: " + "; ".join(complaints))
        self.lab.tell(f"  ok: what is there agrees with the books ({self.books.totals()})")

    def audit(self):
        """Stops the module on both nodes, compares the copies, and starts it again."""
        self.look()
        self.lab.step("audit")
        primary, secondary = self.wait_redundant(faults.BOUND_S)
        primary.run(["hamirrorctl", "stop", pair.MODULE, "--all", "--wait"], timeout=60)
        for path in PATHS:
            self.lab.audit(path)
        for node in (primary, secondary):
            node.run(["hamirrorctl", "start", pair.MODULE])
        self.wait_redundant(faults.BOUND_S)
        self.books.wait_served(time.monotonic(), SERVED_S)

    def run(self):
        self.set_up()
        end = time.monotonic() + self.plan.minutes * 60
        try:
            with self.lab.monitor.allowing(units=UNITS):
                self.play_all(end, self.plan.holds())
        finally:
            self.tell_report()

    def play_all(self, end, holds):
        count, numbers = 0, schedule.numbers(self.plan.only)
        number = next(numbers, None)
        while number and (time.monotonic() < end or self.plan.only):
            step = schedule.step(self.plan.seed, number, holds)
            number = next(numbers, None)
            after = number and schedule.step(self.plan.seed, number, holds)
            self.step(step, after and after.number == step.number + 1 and after.pressed)
            count += 1
            if count >= AUDIT_EVERY and not (after and after.pressed):
                self.audit()
                count = 0
        self.audit()
        self.books.stop()
        self.look()

    def tell_report(self):
        title = f"campaign, seed {self.plan.seed}: {len(self.outcomes)} steps; {self.books.totals()}"
        for line in report.write(self.lab.folder / "report", title, self.outcomes):
            self.lab.tell(f"  {line}")
