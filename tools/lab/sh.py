"""Runs commands, always with a time limit, and turns failures into one clear line."""
import contextlib
import errno
import fcntl
import os
import select
import shlex
import subprocess
import sys
import time

from . import places


class LabError(Exception):
    """Something the user of the lab should read as one line, without a traceback."""


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def run(*argv, timeout=30, check=True, quiet=True, **options):
    """Runs a command; with `quiet` its output is kept and shown only if it fails."""
    if quiet:
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, timeout=timeout, text=True, errors="replace", **options)
    except subprocess.TimeoutExpired as late:
        raise LabError(f"no end after {timeout} s: {shlex.join(words)}") from late
    except FileNotFoundError as missing:
        raise LabError(f"{words[0]} is not installed; run: ./lab deps") from missing
    if check and done.returncode != 0:
        last = (done.stdout or "").strip().splitlines()[-3:]
        raise LabError(f"exit {done.returncode}: {shlex.join(words)}"
                       + "".join(f"\n     {line}" for line in last))
    return done


def output(*argv, **options):
    return run(*argv, **options).stdout.strip()


def need_root():
    if os.geteuid() != 0:
        raise LabError("this needs root (namespaces, loop disks, cgroups); try: sudo ./lab ...")


def wait_until(true, deadline_s, what, step_s=0.005):
    """For the few kernel states that announce nothing (a loop device let go, ...)."""
    end = time.monotonic() + deadline_s
    while not true():
        if time.monotonic() > end:
            raise LabError(f"not within {deadline_s} s: {what}")
        time.sleep(step_s)


def wait_unpopulated(cgroup, deadline_s):
    """Waits until no process is left in a cgroup; the kernel reports the change by POLLPRI."""
    end = time.monotonic() + deadline_s
    try:
        with open(cgroup / "cgroup.events", "rb", buffering=0) as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI | select.POLLERR)
            while b"populated 1" in os.pread(events.fileno(), 200, 0):
                left = end - time.monotonic()
                if left <= 0:
                    raise LabError(f"processes survive in {cgroup}")
                poll.poll(min(left, 0.5) * 1000)
    except OSError as gone:
        if gone.errno not in (errno.ENOENT, errno.ENODEV):
            raise


def held_by():
    try:
        return places.LOCK.read_text(encoding="utf-8").strip() or "another process"
    except OSError:
        return "another process"


@contextlib.contextmanager
def machine_lock(wait_s=2400):
    """One lab at a time on a machine: held by a scene to its end, by a command while it acts."""
    places.LOCK.parent.mkdir(parents=True, exist_ok=True)
    with open(places.LOCK, "a+", encoding="utf-8") as lock:
        end, told = time.monotonic() + wait_s, False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as busy:
                if time.monotonic() >= end:
                    raise LabError(f"the lab is in use by {held_by()}") from busy
                if not told:
                    say(f"waiting for the lab, in use by {held_by()}")
                told = True
                time.sleep(0.2)
        lock.truncate(0)
        lock.write(f"pid {os.getpid()} of {places.TREE}\n")
        lock.flush()
        yield
