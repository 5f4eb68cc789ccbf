"""The verbs of ./lab: a table, and one short function a verb."""
import os
import re
import signal
import subprocess
import sys

from . import build, deps, lab as labs, places, scene, sh, switch

VERBS = {}


def verb(usage, summary, details=""):
    """Registers a command; the function gets the words after the verb."""
    def register(function):
        name = usage.split()[0]
        VERBS[name] = (function, usage, summary, details)
        return function
    return register


class Usage(sh.LabError):
    pass


def alone(function):
    """A fault by hand in the middle of somebody's scene would only be taken for a bug."""
    def locked(words):
        with sh.machine_lock(wait_s=0):
            return function(words)
    return locked


def host_named(lab, name):
    machines = lab.nodes | {"client": lab.client}
    if name not in machines:
        raise sh.LabError(f"no host {name}; there are {', '.join(machines)}")
    return machines[name]


def node_named(lab, name):
    if name not in lab.nodes:
        raise sh.LabError(f"no node {name}; there are {', '.join(lab.nodes)}")
    return lab.nodes[name]


def up_node(lab, name):
    node = node_named(lab, name)
    if node.state() == "off":
        raise sh.LabError(f"{name} is off; boot it with: ./lab up {name}")
    return node


def net_named(name):
    if name not in places.NETS:
        raise sh.LabError(f"no net {name}; there are {', '.join(places.NETS)}")
    return name


def flag(words, name):
    """Takes an option out of the words; true if it was there."""
    if name in words:
        words.remove(name)
        return True
    return False


@verb("up [NODE...] [--bare]", "boot nodes (the pair without names) and install hamirror on new ones",
      "A node that was up before keeps its disk. --bare installs nothing; else the package is built\n"
      "if it is older than the sources. Nodes: node1, node2, witness.")
def up(words):
    bare = flag(words, "--bare")
    lab = labs.Lab()
    nodes = [node_named(lab, name) for name in words] or list(lab.pair)
    deps.install()
    if not bare:
        build.packages()
    with sh.machine_lock():
        lab.prepare()
        starting = [node for node in nodes if node.state() == "off"]
        if starting:
            lab.boot(*starting)
        if not bare:
            build.install_on(starting)
    status([])


@verb("down", "take all nodes, networks and disks away, also after a crash of the lab")
def down(words):
    sh.need_root()
    with sh.machine_lock():
        labs.down()


@verb("status", "which nodes are up, their addresses, and the faults in force")
def status(words):
    lab = labs.Lab()
    print(f"lab of {labs.owner() or 'nobody: it is down'}")
    for node in lab.nodes.values():
        state = node.state()
        where = " ".join(node.address(net) for net in node.host.nets)
        print(f"  {node.name:8} {state:8}{' frozen' if node.frozen() else ''} {where if state != 'off' else ''}")
    if switch.SWITCH_NS in switch.namespaces():
        rules = [line.strip() for line in switch.rules().splitlines() if "drop comment" in line]
        for line in [*rules, *switch.faults()]:
            print(f"  {line}")


@verb("shell NODE", "a shell in a node (or in the client's network)")
def shell(words):
    if len(words) != 1:
        raise Usage()
    machine = host_named(labs.Lab(), words[0])
    command = machine.command(["bash", "-l"], terminal=True)
    os.execvp(command[0], command)


@verb("exec NODE [--timeout S] CMD...", "run one command in a node (60 s at most, unless told)",
      "The words are passed as they are; for a pipe: ./lab exec node1 bash -c 'a | b'.\n"
      "The exit status is the command's, 124 when its time is over.")
def exec_(words):
    if len(words) < 2:
        raise Usage()
    machine, rest, limit = host_named(labs.Lab(), words[0]), words[1:], "60"
    if rest[0] == "--timeout":
        limit, rest = rest[1], rest[2:]
    if not limit.isdigit():
        raise Usage()
    inside = machine.command(["timeout", "--foreground", "--kill-after=1", limit, *rest])
    # one limit more outside: the first does not run while the node is frozen
    command = ["timeout", "--foreground", "--kill-after=1", str(int(limit) + 2), *inside]
    os.execvp(command[0], command)


@verb("poweroff NODE", "shut a node down in order")
@alone
def poweroff(words):
    one_node(words).poweroff()


@verb("wait NODE [on|off]", "wait until a node has booted, or is off")
def wait(words):
    lab = labs.Lab()
    if not words or words[1:] not in ([], ["on"], ["off"]):
        raise Usage()
    node = node_named(lab, words[0])
    (node.wait_off if words[1:] == ["off"] else node.wait_on)()


@verb("power-loss NODE", "pull its plug: everything not yet fsynced is lost; `up` boots it again")
@alone
def power_loss(words):
    one_node(words).power_loss()


@verb("freeze NODE [off]", "stop all its processes; its kernel still answers ARP and ping")
@alone
def freeze(words):
    node, on = switched(words)
    node.freeze(on)


@verb("pause NODE [off]", "like freeze, and its network is silent too: a paused virtual machine")
@alone
def pause(words):
    node, on = switched(words)
    node.pause(on)


@verb("cable HOST NET off|on", "pull a cable (the host loses its carrier) or put it back")
@alone
def cable(words):
    if len(words) != 3 or words[2] not in ("on", "off"):
        raise Usage()
    lab = labs.Lab()
    lab.cable(host_named(lab, words[0]), net_named(words[1]), words[2] == "on")


@verb("drop FROM TO NET [off]", "lose all frames from one host to another, in this direction only")
@alone
def drop(words):
    if len(words) not in (3, 4) or words[3:] not in ([], ["off"]):
        raise Usage()
    lab = labs.Lab()
    lab.drop(host_named(lab, words[0]), host_named(lab, words[1]), net_named(words[2]), not words[3:])


@verb("delay NODE NET MS [JITTER_MS [LOSS%]]", "a slow cable, each way; 0 makes it plain again")
@alone
def delay(words):
    if not 3 <= len(words) <= 5:
        raise Usage()
    lab = labs.Lab()
    try:
        numbers = [float(word.rstrip("%")) for word in words[2:]]
    except ValueError as wrong:
        raise sh.LabError(f"{wrong}: expected milliseconds") from wrong
    lab.delay(host_named(lab, words[0]), net_named(words[1]), *numbers)


@verb("heal", "every network fault ends: rules, delays, pulled cables")
@alone
def heal(words):
    switch.heal()


@verb("logs [NODE] [JOURNALCTL OPTIONS]", "the journal of a node, or where the scenes' logs are")
def logs(words):
    if not words:
        for folder in sorted(places.LOGS.glob("*")):
            result = folder / "result"
            print(folder, result.read_text().strip() if result.exists() else "")
        return
    command = up_node(labs.Lab(), words[0]).command(["journalctl", "--no-pager", *words[1:]])
    os.execvp(command[0], command)


@verb("deps", "install what the build and the lab need (Debian 12, apt-get)")
def dependencies(words):
    deps.install()


@verb("build", "build the release and its Debian packages into build/deb")
def build_(words):
    deps.install()
    build.packages()


# Options of scenes that repeat something: the word, the setting a scene reads, what it must look like.
REPEATED = {"--count": ("HAMIRROR_COUNT", r"\d+"), "--minutes": ("HAMIRROR_MINUTES", r"\d+(\.\d+)?"),
            "--seed": ("HAMIRROR_SEED", r"\w+"), "--only": ("HAMIRROR_ONLY", r"\d+(\.\.\d+)?(,\d+(\.\.\d+)?)*"),
            "--faults": ("HAMIRROR_FAULTS", r".+")}


def take_repeated(words):
    """Moves these options from the words into the environment."""
    for option, (setting, pattern) in REPEATED.items():
        if option in words:
            at = words.index(option)
            if len(words) < at + 2 or not re.fullmatch(pattern, words[at + 1]):
                raise Usage()
            os.environ[setting] = words[at + 1]
            del words[at:at + 2]


@verb("test [NAME...] [--all] [OPTIONS]", "build everything and run ctest: units, simulator, scenes",
      "NAME is a regular expression for ctest -R, e.g. `./lab test M9`. Without names the scenes\n"
      "marked CI = False are left out; --all runs them too.\n"
      "--count N: how often scenes that repeat something (power-cuts) do it. Of the campaign:\n"
      "--minutes N, --seed S, --only 17 or 17..23 for these steps of the seed's schedule, --faults REGEX\n"
      "for these faults alone.")
def test(words):
    everything = flag(words, "--all")
    take_repeated(words)
    return build.test(words, everything)


@verb("scene NAME [--keep] [OPTIONS]", "play one scene alone, as ctest does; --keep leaves its nodes up",
      "Its timeline and, after a failure, journals and status are in build/lab-logs/NAME.\n"
      "Options as of `./lab test`.")
def scene_(words):
    keep = flag(words, "--keep")
    take_repeated(words)
    if len(words) != 1:
        raise Usage()
    return scene.play(words[0], keep)


@verb("audit PATH", "compare a folder below the mirror on both nodes' disks, in everything",
      "Exit status 0: the same. PATH is under /data, /var/lib/postgresql or /etc/postgresql.")
def audit(words):
    if len(words) != 1:
        raise Usage()
    lab = labs.Lab()
    for node in lab.pair:
        up_node(lab, node.name)
    report = labs.audit_copies(lab, words[0])
    for line in [*report.lines(), report.summary()]:
        print(line)
    return 1 if report.differences else 0


@verb("demo [--keep]", "the story of the product, told on two fresh nodes in under a minute",
      "--keep leaves the nodes up, with the module served, to look around in.")
def demo(words):
    from . import demo as story    # the only verb that needs it
    return story.main(flag(words, "--keep"))


@verb("bench [NAME [OPTIONS]]", "run a benchmark of tests/bench, or list them",
      "`./lab bench NAME --help` names its options.")
def bench(words):
    found = {path.stem: path for path in sorted((places.TREE / "tests/bench").glob("*.py"))
             if '__name__ == "__main__"' in path.read_text(encoding="utf-8")}
    if not words:
        print("\n".join(found) or "there are no benchmarks in tests/bench yet")
        return 0
    name, *rest = words
    if name not in found:
        raise sh.LabError(f"no benchmark {name}; there are {', '.join(found) or 'none'}")
    return subprocess.run([sys.executable, "-B", "-m", f"tests.bench.{name}", *rest], cwd=places.TREE,
                          check=False, timeout=86400).returncode


def one_node(words):
    if len(words) != 1:
        raise Usage()
    return up_node(labs.Lab(), words[0])


def switched(words):
    if len(words) not in (1, 2) or words[1:] not in ([], ["off"]):
        raise Usage()
    return up_node(labs.Lab(), words[0]), not words[1:]


def overview():
    print("./lab VERB ... - two real nodes on this machine\n")
    for _, usage, summary, _ in VERBS.values():
        print(f"  {usage:40} {summary}")
    print("\n./lab VERB --help says more. Settings: HAMIRROR_LAB_DIR (images and state, now\n"
          f"{places.STATE}), HAMIRROR_LAB_DISKS (a folder on a real disk\n"
          "for the nodes' disks instead of a tmpfs), HAMIRROR_LAB_DISK_SIZE, HAMIRROR_LAB_FS (ext4, xfs),\n"
          "HAMIRROR_LAB_NAME (a lab of that name, beside others).")


ROOTLESS = ("bench", "status")


def main(words):
    if not words or words[0] in ("-h", "--help", "help"):
        overview()
        return 0
    name, rest = words[0], list(words[1:])
    if name not in VERBS:
        print(f"lab: no verb {name}; ./lab --help lists them", file=sys.stderr)
        return 2
    function, usage, summary, details = VERBS[name]
    if rest[:1] in (["-h"], ["--help"]):
        print(f"./lab {usage}\n\n{summary}" + (f"\n\n{details}" if details else ""))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if name not in ROOTLESS:
            sh.need_root()
        return function(rest) or 0
    except Usage:
        print(f"lab: usage: ./lab {usage}", file=sys.stderr)
        return 2
    except sh.LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
