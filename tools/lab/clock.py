"""A wall clock of its own for a node: for hamirror's daemons and commands there, and for the application.

clock.cc is preloaded into them; a `date -s` would set this machine's clock.
"""
import shutil

from . import places, sh

OFFSET = "/etc/lab-clock"
LIBRARY = "/usr/lib/lab-clock.so"
UNITS = ("ha-.service", "postgresql@.service")
COMMANDS = ("/usr/bin/hamirrorctl", "/usr/sbin/hamirror-witness")


def library():
    """Compiled beside the images the first time it is wanted."""
    source, made = places.TREE / "tools/lab/clock.cc", places.STATE / "clock.so"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        sh.run("g++", "-std=c++20", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fno-exceptions",
               "-fno-threadsafe-statics", "-nodefaultlibs", "-o", made, source, "-lc", timeout=120)
    return made


def own(machine, offset_s):
    """From now on. Its daemons, if they run, are started again."""
    shutil.copyfile(library(), f"/proc/{machine.leader()}/root{LIBRARY}")
    machine.run(["sync", "-f", LIBRARY])
    shift(machine, offset_s)
    for unit in UNITS:
        machine.put(f"/etc/systemd/system/{unit}.d/clock.conf", f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY}\n")
    for program in COMMANDS:
        name = program.rpartition("/")[2]
        machine.put(f"/usr/local/sbin/{name}",
                    f'#!/bin/sh\nexec env LD_PRELOAD={LIBRARY} {program} "$@"\n', mode="755")
    machine.run("systemctl daemon-reload; systemctl try-restart 'ha-*.service'")


def shift(machine, offset_s):
    """It jumps, within a second."""
    machine.put(OFFSET, f"{offset_s}\n")


def off_by(machine):
    """How many seconds before the kernel's it is, as a program of the node sees it."""
    shown = machine.out(f"LD_PRELOAD={LIBRARY} date +%s; date +%s").split()
    return int(shown[0]) - int(shown[1])
