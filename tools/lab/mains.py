"""A node's mains switch: the one process, outside the node, that gives and takes its power.

A node may end in three ways. By `cut` (power loss): cables down, processes frozen so that none
runs on to see I/O errors, disk shut down without a flush, everything killed. By itself (poweroff,
reboot, a fence that calls reboot(2), a crash of its systemd): a real machine's reset takes memory
and network away, so here too the disk is cut and the cables go; an orderly shutdown has synced
before. After a reboot the switch boots it again.

Whoever connects to its socket reads the node's state, one word a line: `booting`, `on`, `off`, and
end of file when the power stays off. Whoever writes `cut` pulls the plug; `stay-off` makes the
next reset leave the node dark.
"""
import os
import select
import signal
import socket
import subprocess
import sys
import traceback

from . import disk, places, sh, switch

REBOOT = 133                        # systemd-nspawn's status under --keep-unit


def socket_path(name):
    return places.RUN / name / "mains.sock"


class Mains:
    """Owns one node from power-on to power-off."""

    def __init__(self, node):
        self.node = node
        self.home = places.RUN / node.name
        self.cgroup = places.lab_cgroup() / node.name
        self.state = "booting"
        self.watchers = {}           # descriptor -> connection
        self.disk_fds = []          # the disk, the overlay on it
        self.stay_off = False
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def run(self):
        self.open_sockets()
        while True:
            self.announce("booting")
            status = self.live(self.switch_on())
            self.switch_off()
            self.announce("off")
            if status != REBOOT or self.stay_off:
                return

    def open_sockets(self):
        for made, name in ((self.door, "mains.sock"), (self.notify, "notify.sock")):
            path = self.home / name
            path.unlink(missing_ok=True)
            made.bind(str(path))
        self.door.listen(16)

    def announce(self, state):
        self.state = state
        for watcher in self.watchers.values():
            self.tell(watcher)

    def tell(self, watcher):
        try:
            watcher.send(f"{self.state}\n".encode())
        except OSError as error:        # it has gone; `listen` will see its end of file
            print(f"watcher: {error}", flush=True)

    def switch_on(self):
        """Network, cgroup, and the node's first process; returns when its disk is mounted."""
        self.switch_off()           # what a killed mains switch may have left running
        switch.plug(self.node)
        self.cgroup.mkdir(exist_ok=True)
        ours, theirs = socket.socketpair()
        with ours, theirs, open(self.home / "console.log", "ab") as console:
            wrapper = 'echo 0 > "$0" && exec "$@"'
            child = subprocess.Popen(
                ["sh", "-c", wrapper, self.cgroup / "cgroup.procs",
                 "unshare", "--mount", "--propagation", "private",
                 sys.executable, "-m", "tools.lab.boot", self.node.name, str(theirs.fileno())],
                cwd=places.TREE, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                pass_fds=[theirs.fileno()], start_new_session=True,
                env=dict(os.environ, NOTIFY_SOCKET=str(self.home / "notify.sock")))
            theirs.close()
            (self.home / "supervisor").write_text(f"{child.pid}\n", encoding="ascii")
            ours.settimeout(90)
            _, self.disk_fds, *_ = socket.recv_fds(ours, 16, 2)
        return child

    def live(self, child):
        """Serves watchers until the node's supervisor ends; returns its exit status."""
        gone = os.pidfd_open(child.pid)
        poll = select.poll()
        for fd in (gone, self.door.fileno(), self.notify.fileno(), *self.watchers):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == gone:
                    os.close(gone)
                    return child.wait()
                if fd == self.door.fileno():
                    poll.register(self.welcome(), select.POLLIN)
                elif fd == self.notify.fileno():
                    if b"READY=1" in self.notify.recv(4096).split(b"\n"):
                        self.announce("on")
                elif not self.listen(fd):
                    poll.unregister(fd)
                    self.watchers.pop(fd).close()

    def welcome(self):
        watcher, _ = self.door.accept()
        self.watchers[watcher.fileno()] = watcher
        self.tell(watcher)
        return watcher.fileno()

    def listen(self, fd):
        try:
            words = self.watchers[fd].recv(100).decode("ascii", "replace").split()
        except OSError:
            words = []
        if "stay-off" in words:
            self.stay_off = True
        if "cut" in words:
            self.cut()
        return bool(words)

    def cut(self):
        """Power loss. Nothing leaves the node any more before the first thing in it dies."""
        switch.cables_off(self.node)
        (self.cgroup / "cgroup.freeze").write_text("1")
        disk.cut(self.disk_fds[0])
        (self.cgroup / "cgroup.kill").write_text("1")

    def switch_off(self):
        """The rest of the node after its supervisor's end: processes, disk, network."""
        if (self.cgroup / "cgroup.procs").exists():
            if self.disk_fds:
                switch.cables_off(self.node)
            (self.cgroup / "cgroup.kill").write_text("1")
            sh.wait_unpopulated(self.cgroup, 20)
        if self.disk_fds:
            try:
                disk.cut(self.disk_fds[0])
            except OSError as error:    # EIO: it was cut before
                print(f"disk: {error}", flush=True)
        for fd in self.disk_fds:
            os.close(fd)
        self.disk_fds = []
        switch.unplug(self.node)
        disk.wait_released(self.node.name)
        if self.cgroup.exists():
            remove_cgroup(self.cgroup)


def remove_cgroup(group):
    for folder, _, _ in os.walk(group, topdown=False):
        os.rmdir(folder)


def main(name):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    mains = Mains(places.NODES[name])
    try:
        mains.run()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        socket_path(name).unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1])
