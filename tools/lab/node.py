"""One machine of the lab as a scene sees it: run commands in it, boot it, wait for things in it.

Commands enter by nsenter, join the node's cgroup (so that a freeze or a power loss reaches them
too) and lose the capabilities with which a node could change this machine: its clock, its modules.
"""
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from . import boot, disk, mains, places, sh, switch

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WITHHELD = "-sys_time,-sys_module,-sys_rawio"
JOIN = 'echo 0 > "$0" && exec "$@"'
# nsenter itself would stop for ever when the node's shutdown stops all processes before it kills
# them, and its dead child would keep the node from ending; a plain shell only waits and reaps.
WAIT = '"$@"; exit $?'
PUT = 'mkdir -p "$(dirname "$0")" && cat > "$0" && chmod "$1" "$0" && sync "$0" && sync -f "$0"'


@dataclass(frozen=True)
class Done:
    """A finished command. It counts as true if it succeeded."""
    status: int
    out: str
    err: str

    def __bool__(self):
        return self.status == 0


class CommandFailed(sh.LabError):
    pass


class Machine:
    """Anything commands can be run on. `words` is a shell command line or a list of words."""

    def __init__(self, host):
        self.host = host
        self.name = host.name
        self.tell = lambda text: None       # a scene's timeline listens here

    def __str__(self):
        return self.name

    def address(self, net="lan0"):
        return self.host.address(net)

    def entry(self, terminal):
        raise NotImplementedError

    def cgroup(self):
        return places.lab_cgroup() / self.name

    def command(self, words, user=None, terminal=False):
        words = ["bash", "-c", words] if isinstance(words, str) else [str(w) for w in words]
        if user:
            words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *words]
        group = self.cgroup() / "exec"
        group.mkdir(parents=True, exist_ok=True)
        return ["sh", "-c", JOIN, str(group / "cgroup.procs"), *self.entry(terminal), *words]

    def popen(self, words, user=None, **options):
        """A command that goes on; the caller ends it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.command(words, user), text=True, errors="replace", **options)

    def run(self, words, *, timeout=30, check=True, user=None, input=None):
        """Runs to the end; raises CommandFailed if it fails, unless check is False."""
        limit = ["timeout", "--kill-after=1", str(timeout)]
        words = ["bash", "-c", words] if isinstance(words, str) else words
        running = subprocess.Popen(
            self.command([*limit, *words], user), text=True, errors="replace",
            stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = running.communicate(input, timeout=timeout + 3)
        except subprocess.TimeoutExpired as late:       # frozen, or its own clock stands
            running.kill()
            running.communicate()
            raise CommandFailed(f"{self}: no end after {timeout} s: {shown(words)}") from late
        done = Done(running.returncode, out.strip(), err.strip())
        if check and not done:
            told = (done.err or done.out).splitlines()[-3:]
            why = f"no end after {timeout} s" if done.status in (124, 137) else f"exit {done.status}"
            raise CommandFailed(f"{self}: {why}: {shown(words)}"
                                + "".join(f"\n     {line}" for line in told))
        return done

    def out(self, words, **options):
        return self.run(words, **options).out

    def wait_for(self, what, deadline=10.0, step=0.05):
        """Until a command succeeds or a predicate is true. Prefer wait_journal and wait_status,
        which wait on events; this one asks again and again. Returns the last answer."""
        end = time.monotonic() + deadline
        while True:
            answer = what() if callable(what) else self.run(what, check=False, timeout=deadline)
            if answer:
                return answer
            if time.monotonic() > end:
                detail = "" if callable(what) else f" (last: {answer.err or answer.out})"
                name = what.__name__ if callable(what) else shown(what)
                raise sh.LabError(f"{self}: not within {deadline} s: {name}{detail}")
            time.sleep(step)

    def pings(self, address, wait=1):
        return bool(self.run(["ping", "-q", "-c1", f"-W{wait}", address], check=False))


def shown(words):
    text = words if isinstance(words, str) else shlex.join(str(w) for w in words)
    return text.replace("\n", "; ")[:200]


class Client(Machine):
    """A namespace on the first network, with this machine's own file system."""

    def entry(self, terminal):
        return ["nsenter", f"--net=/run/netns/{self.host.netns}", "--"]

    def neighbour(self, address):
        """The MAC it would send frames for an address to, None if it does not know."""
        found = json.loads(self.out(["ip", "-j", "neigh", "show", address]) or "[]")
        return found[0].get("lladdr") if found else None

    def plug(self):
        if self.host.netns not in switch.namespaces():
            switch.plug(self.host)


class Node(Machine):
    """A machine with a systemd of its own."""

    watch = None            # a scene's eyes on it (watch.py)

    @property
    def home(self):
        return places.RUN / self.name

    def leader(self):
        """The pid of its systemd, as this machine counts; None while it is off."""
        try:
            procs = (self.cgroup() / "payload/init.scope/cgroup.procs").read_text(encoding="ascii")
        except OSError:
            return None
        return int(procs.split()[0]) if procs.split() else None

    def frozen(self):
        try:
            return (self.cgroup() / "cgroup.freeze").read_text(encoding="ascii").strip() == "1"
        except OSError:
            return False

    def entry(self, terminal):
        leader = self.leader()
        if leader is None:
            raise sh.LabError(f"{self} is off; boot it with: ./lab up {self}")
        if self.frozen():
            raise sh.LabError(f"{self} is frozen: nothing can run in it")
        term = os.environ.get("TERM", "dumb") if terminal else "dumb"
        # --root and --wd without values: the node's own, not this machine's seen from inside
        return ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "--no-fork",
                "--root", "--wd", "--", "sh", "-c", WAIT, "sh", "setpriv", f"--bounding-set={WITHHELD}", "env", "-i", f"PATH={PATH}", "HOME=/root",
                f"TERM={term}", "LANG=C.UTF-8"]

    # power

    def power_on(self):
        """Starts its mains switch; wait_on() says when it has booted. A missing disk is made."""
        if self.state() != "off":
            raise sh.LabError(f"{self} is up already")
        switch.ensure()
        for folder in (self.home, self.home / "disk", self.home / "root"):
            folder.mkdir(parents=True, exist_ok=True)
        if not disk.image(self.name).exists():
            disk.make(self.name)
        group = places.lab_cgroup() / f"mains-{self.name}"
        group.mkdir(parents=True, exist_ok=True)
        with open(self.home / "mains.log", "ab") as log:
            self.mains_process = subprocess.Popen(
                ["sh", "-c", JOIN, group / "cgroup.procs",
                 sys.executable, "-m", "tools.lab.mains", self.name],
                cwd=places.TREE, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        sh.wait_until(lambda: self.state() != "off" or self.mains_process.poll() is not None,
                      10, f"{self}'s mains switch")
        if self.watch:
            self.watch.power_on()

    def mains(self, order=None, timeout=30):
        """A connection to its mains switch, None if it is off."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(str(mains.socket_path(self.name)))
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
            return None
        line.settimeout(timeout)
        if order:
            line.sendall(order.encode() + b"\n")
        return line

    def states(self, order=None, timeout=30):
        """The words of its mains switch as they come: booting, on, off; ends when it stays off."""
        line = self.mains(order, timeout)
        if line is None:
            return
        with line, line.makefile() as words:
            try:
                for word in words:
                    yield word.strip()
            except TimeoutError as late:
                raise sh.LabError(f"{self}: its mains switch said nothing new for {timeout} s") from late
            except ConnectionResetError:
                return

    def state(self):
        return next(self.states(), "off")

    def wait_on(self, deadline=60):
        if self.state() == "off" and not (self.home / "console.log").exists():
            raise sh.LabError(f"{self} is off; boot it with: ./lab up {self}")
        for word in self.states(timeout=deadline):
            if word == "on":
                return self
        log = (self.home / "console.log").read_text(encoding="utf-8", errors="replace")
        raise sh.LabError(f"{self} did not boot:\n" + "\n".join(log.splitlines()[-15:]))

    def wait_off(self, deadline=60):
        """Until it has ended, by whatever cause; a reboot passes through `off` too."""
        for word in self.states(timeout=deadline):
            if word == "off":
                break
        return self

    def boot(self, deadline=60):
        self.power_on()
        return self.wait_on(deadline)

    def poweroff(self, deadline=60):
        """An orderly shutdown: what an administrator's `poweroff` does."""
        line = self.mains()
        if line is None:
            raise sh.LabError(f"{self} is off already")
        self.tell(f"{self}: poweroff")
        with line:
            os.kill(self.leader(), signal.SIGRTMIN + 4)
        self.drain(self.states(timeout=deadline))

    def power_loss(self):
        """The plug is pulled: whatever no fsync had made durable is lost."""
        if self.state() == "off":
            raise sh.LabError(f"{self} is off already")
        self.tell(f"{self}: power loss")
        self.drain(self.states("cut"))

    def drain(self, states):
        for _ in states:
            pass
        if self.state() != "off":
            raise sh.LabError(f"{self} is still up")

    def stay_off_after_reset(self):
        """The next reset or reboot leaves it dark until boot()."""
        with self.mains("stay-off"):
            pass

    def new_disk(self):
        if self.state() != "off":
            raise sh.LabError(f"{self} is up; its disk cannot be replaced")
        disk.image(self.name).unlink(missing_ok=True)

    def keep_disk(self):
        """Its disk as it is at this moment; put_disk_back() makes it that again."""
        mounted = os.open(self.underlying("/data"), os.O_RDONLY | os.O_DIRECTORY)
        try:
            disk.keep(self.name, mounted)
        finally:
            os.close(mounted)
        self.tell(f"{self}: its disk is kept as it is now")

    def put_disk_back(self):
        if self.state() != "off":
            raise sh.LabError(f"{self} is up; its disk cannot be put back")
        disk.put_back(self.name)
        self.tell(f"{self}: its disk is put back to that moment")

    # files, seen from outside

    def underlying(self, path):
        """Where a folder of the node's plain disk (image.ON_DISK) lies for this machine, below
        whatever the node has mounted over it. Gone when the node loses power."""
        supervisor = (self.home / "supervisor").read_text(encoding="ascii").strip()
        place = pathlib.Path(f"/proc/{supervisor}/root{self.home}/disk")
        for root in boot.image.ON_DISK:
            if path == root or path.startswith(root + "/"):
                return boot.kept(place, root) / path[len(root):].lstrip("/")
        raise sh.LabError(f"{path} is not on {self}'s plain disk; that has {boot.image.ON_DISK}")

    def put(self, path, text, mode="644"):
        """Writes a file into the node, durable at once."""
        self.run(["sh", "-c", PUT, path, mode], input=text)

    # events (in a scene): see watch.py

    def wait_power(self, word, deadline=30.0, since=0.0):
        """When it became `booting`, `on` or `off` at or after `since`: a fence, a reset, ..."""
        return self.watch.wait_power(word, deadline, since)

    def wait_journal(self, pattern=None, deadline=10.0, since=0.0, **fields):
        """The first journal entry whose text matches the regular expression and whose fields are
        as given, e.g. wait_journal(HAMIRROR_EPOCH=2), at or after `since` (time.monotonic())."""
        return self.watch.wait_journal(pattern, deadline, since, **fields)

    def wait_status(self, module, state, readiness=None, deadline=10.0, of=None, reason=None):
        """Until hamirrorctl on this node says this of the module here (or `of` another node)."""
        return self.watch.wait_status(module, state, readiness, deadline, of, reason)

    def journal(self, pattern=None, since=0.0, **fields):
        """All such entries of what has been logged until now; for that it asks a running node's
        journald and waits, so what is expected soon is better waited for with wait_journal."""
        self.watch.catch_up()
        return [entry for entry in list(self.watch.journal)
                if entry.at >= since and entry.matches(pattern, fields)]

    # faults that belong to this node alone

    def freeze(self, on=True):
        """Its processes stop; its kernel still answers ARP, ping and TCP handshakes."""
        group = self.cgroup()
        self.tell(f"{self}: {'frozen' if on else 'goes on'}")
        (group / "cgroup.freeze").write_text("1" if on else "0")
        word = f"frozen {int(on)}"
        try:
            sh.wait_until(lambda: word in (group / "cgroup.events").read_text(), 2, word)
        except sh.LabError:     # a task waits in the kernel, on FUSE say: stopped all the same
            sh.say(f"{self}: the kernel does not confirm '{word}'; carried on")

    def pause(self, on=True):
        """A paused virtual machine: frozen, and its network silent. CLOCK_MONOTONIC runs on."""
        if on:
            switch.silence(self.host)
        self.freeze(on)
        if not on:
            switch.silence(self.host, on=False)
