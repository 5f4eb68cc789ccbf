"""Plays scenes: tests on real nodes that read as a play.

A scene is tests/lab/NAME/scene.py with a docstring, a function play(lab), and perhaps

    BARE = True         # nodes without hamirror (default: the built package is installed)
    NODES = ("node1",)  # who is booted, on new disks, before the play (default: the pair)
    CI = False          # on demand only: `./lab test --all` or by name
    TIMEOUT = 300       # seconds for the play (default 180)
    MONITOR = {...}     # what the monitor of forbidden patterns lets pass; see monitor.py

`lab` is a Stage: the Lab's machines and faults, with every step and event on a timeline. Scenes
wait for events with deadlines and never sleep. After a failure the journals, status and rules are
in build/lab-logs/NAME, and the end of them on the terminal.
"""
import importlib.util
import shutil
import signal
import sys
import threading
import time
import traceback

from . import build, disk, lab as labs, places, sh, switch
from .lab import audit_copies
from .monitor import Monitor
from .recorder_play import FileRecording, PingRecording, SqlRecording
from .watch import Watch

SCENES = places.TREE / "tests/lab"
DEFAULTS = {"BARE": False, "NODES": places.PAIR, "TIMEOUT": 180, "MONITOR": {}, "CI": True}


class Failed(sh.LabError):
    """The scene saw what it must not, or did not see what it must."""


class Timeline:
    """What happened when, in seconds since the scene began; on the terminal and in a file."""

    def __init__(self, folder):
        self.began = time.monotonic()
        self.file = open(folder / "timeline", "w", encoding="utf-8")
        self.lock = threading.Lock()
        self.over = False

    def tell(self, text, at=None):
        if self.over:
            return
        line = f"{(at or time.monotonic()) - self.began:8.3f}  {text}"
        with self.lock:
            print(line, flush=True)
            self.file.write(line + "\n")
            self.file.flush()


class Stage(labs.Lab):
    """The lab as a scene gets it."""

    def __init__(self, name, settings, folder):
        super().__init__()
        self.name = name
        self.settings = settings
        self.folder = folder
        self.timeline = Timeline(folder)
        self.tell = self.timeline.tell
        self.recordings = []
        for node in self.nodes.values():
            node.watch = Watch(node, folder, self.tell, product=not settings["BARE"])
            node.tell = self.tell
        self.monitor = Monitor(self, settings["MONITOR"])

    def step(self, text):
        """A line of the play, for whoever reads the timeline. Returns the time."""
        self.tell(f"* {text}")
        return time.monotonic()

    @staticmethod
    def lasts(seconds):
        """So long a fault goes on; the one thing that is waited for by the clock."""
        time.sleep(max(0.0, seconds))

    def expect(self, true, what):
        if not true:
            raise Failed(what)
        self.tell(f"  ok: {what}")

    def install(self, *nodes, packages=None):
        """For scenes with BARE = True: the packages by dpkg, now."""
        build.install_on(nodes or self.pair, packages)
        for node in nodes or self.pair:
            node.watch.product = True

    def set_stage(self):
        """New disks, installed or bare, and the nodes of the scene booted."""
        self.prepare()
        names = self.settings["NODES"]
        template = None
        if not self.settings["BARE"]:
            template = build.installed_template(self)
        for name in self.nodes:
            self.nodes[name].new_disk()
            if template and name in places.PAIR:
                disk.copy(template, disk.image(name))
        if names:
            self.boot(*(self.nodes[name] for name in names))

    def wait_pair(self, module, primary, deadline=30.0):
        """Until the module is `primary/ready` here and `secondary/ready` on the other node, each by
        its own word."""
        primary.wait_status(module, "primary", "ready", deadline)
        self.peer(primary).wait_status(module, "secondary", "ready", deadline)

    def audit(self, path, holes=True):
        """The copies below the mirror, on both nodes' disks, are the same in everything."""
        report = audit_copies(self, path, holes)
        (self.folder / "audit").write_text("\n".join([*report.lines(), report.summary(), ""]))
        if report.differences:
            raise Failed(f"{path}: {report.summary()}:\n     " + "\n     ".join(list(report.lines())[:10]))
        self.tell(f"  ok: {path} is the same on both disks: {report.summary()}")

    def recorder(self, address, clients=4, **options):
        """A recording SQL client in the client's network; see recorder.py."""
        recording = SqlRecording(self, address, clients, **options)
        self.recordings.append(recording)
        return recording

    def pinger(self, address, **options):
        """Pings an address from the client a hundred times a second; see pinger.py."""
        recording = PingRecording(self, address, **options)
        self.recordings.append(recording)
        return recording

    def file_recorder(self, node, path, **options):
        """A writer of numbered, fsynced records in a node; see recorder.py."""
        recording = FileRecording(self, node, path, **options)
        self.recordings.append(recording)
        return recording

    def finish(self):
        for recording in self.recordings:
            recording.stop()
        self.monitor.finish()


def load(name):
    path = SCENES / name / "scene.py"
    if not path.exists():
        known = ", ".join(sorted(p.parent.name for p in SCENES.glob("*/scene.py")))
        raise sh.LabError(f"no scene {name}; there are {known}")
    spec = importlib.util.spec_from_file_location("scene", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def out_of_time(*_):
    raise Failed("the scene's time is over (TIMEOUT)")


def play(name, keep=False, module=None):
    """Plays one scene, or what a benchmark gives as such; 0 if it went as written."""
    module = module or load(name)
    settings = {key: getattr(module, key, value) for key, value in DEFAULTS.items()}
    folder = places.LOGS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if not settings["BARE"]:
        build.packages()
    with sh.machine_lock():
        labs.refuse_if_foreign()
        labs.down()
        stage = Stage(name, settings, folder)
        stage.tell((module.__doc__ or name).strip().splitlines()[0])
        verdict = perform(stage, module)
        (folder / "result").write_text(verdict + "\n", encoding="utf-8")
        stage.tell(verdict)
        stage.timeline.over = True
        if verdict != "passed":
            dump(stage)
        if not keep:
            labs.down()
    return 0 if verdict == "passed" else 1


def perform(stage, module):
    signal.signal(signal.SIGALRM, out_of_time)
    try:
        stage.set_stage()
        stage.monitor.start()
        stage.timeline.tell("the stage is set")
        signal.alarm(stage.settings["TIMEOUT"])
        module.play(stage)
        stage.finish()
        return "passed"
    except (sh.LabError, AssertionError) as error:
        where = traceback.extract_tb(error.__traceback__)
        line = next((f"line {f.lineno}: " for f in reversed(where) if f.filename == module.__file__), "")
        return f"failed: {line}{error or 'assertion'}"
    except Exception as error:          # a fault in the scene itself is a failure with a traceback
        stage.tell(traceback.format_exc())
        return f"failed: {type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        stage.monitor.stop()


# after a failure

def dump(stage):
    """Everything one would ask for, into the scene's folder, and the end of it on the terminal."""
    for node in stage.nodes.values():
        if node.state() == "off":
            continue
        if node.frozen():
            node.freeze(False)
        for file, words in (("status", "hamirrorctl status --json"), ("addresses", "ip addr"),
                            ("rules", "nft list ruleset"), ("mounts", "findmnt"),
                            ("units", "systemctl --no-pager --all list-units 'ha-*' 'postgresql*'"),
                            ("full-journal", "journalctl --no-pager -o short-monotonic")):
            collect(stage.folder / f"{node.name}.{file}", node, words)
    (stage.folder / "switch").write_text(switch.rules() + "\n" + "\n".join(switch.faults()) + "\n")
    for node in stage.nodes.values():
        for log in ("console.log", "mains.log"):
            if (node.home / log).exists():
                shutil.copy(node.home / log, stage.folder / f"{node.name}.{log}")
    tail(stage)


def collect(path, node, words):
    with open(path, "w", encoding="utf-8") as out:
        try:
            done = node.run(words, timeout=20, check=False)
            out.write(done.out + "\n" + done.err + "\n")
        except sh.LabError as error:
            out.write(f"{error}\n")


def tail(stage):
    lines = []
    for node in stage.nodes.values():
        lines += [f"{entry.at - stage.timeline.began:8.3f}  {node} "
                  f"{entry.fields.get('SYSLOG_IDENTIFIER') or entry.unit}: {entry.text}"
                  for entry in node.watch.journal[-40:]]
    print("\n--- the journals' last lines")
    print("\n".join(sorted(lines)[-60:]))
    print(f"--- the rest: {stage.folder}", flush=True)
