"""Processes: all of a machine's frozen or paused, one daemon stopped or killed, dbus and systemd."""
from .. import pair, sh
from .fault import fault

DAEMONS = {"ha-clusterd": "ha-clusterd.service", "ha-vipd": "ha-vipd.service",
           "ha-watchdog": "ha-watchdog.service",
           "ha-replicatord": f"ha-replicatord@{pair.MODULE}.service"}
# docs/safety.md: until systemd has replaced it (WatchdogSec=) one that stands still lets go of nothing.
HANGS_S = 5.5
PASSES = {"ha-watchdog": {"units_s": HANGS_S}, "ha-vipd": {"addresses_s": HANGS_S}}


# all processes of a machine

def thaw(field, node):
    node.freeze(False)


def go_on(field, node):
    node.pause(False)


def freeze(field, role):
    node = field.named(role)
    node.freeze()
    return node


def pause(field, role):
    node = field.named(role)
    node.pause()
    return node


for _role in ("primary", "secondary", "witness"):
    fault(f"frozen: {_role}", thaw)(lambda field, _, role=_role: freeze(field, role))
    fault(f"paused: {_role}", go_on)(lambda field, _, role=_role: pause(field, role))


# one daemon

STARTED_S = 60.0        # a node may still be on its way back from the fault before


def main_pid(node, unit):
    """Of a daemon that runs, or is about to."""
    def running():
        pid = node.run(["systemctl", "show", "-P", "MainPID", unit], check=False).out
        return pid if pid not in ("", "0") else None
    return node.wait_for(running, deadline=STARTED_S)


def kill(field, role, unit):
    node = field.named(role)
    node.run(["kill", "-KILL", main_pid(node, unit)])


def stop(field, role, unit):
    """SIGSTOP of the daemon. systemd's watchdog may end it before it is told to go on."""
    node = field.named(role)
    pid = main_pid(node, unit)
    node.run(["kill", "-STOP", pid])
    return node, pid


def go_on_daemon(field, stopped):
    node, pid = stopped
    node.run(["kill", "-CONT", pid], check=False)       # gone if the watchdog was sooner


for _role in ("primary", "secondary"):
    for _name, _unit in DAEMONS.items():
        fault(f"killed: {_name} of the {_role}")(
            lambda field, _, role=_role, unit=_unit: kill(field, role, unit))
        fault(f"stopped: {_name} of the {_role}", go_on_daemon, passes=PASSES.get(_name, {}))(
            lambda field, _, role=_role, unit=_unit: stop(field, role, unit))
fault("killed: hamirror-witness")(lambda field, _: kill(field, "witness", "ha-witness.service"))
fault("stopped: hamirror-witness", go_on_daemon)(
    lambda field, _: stop(field, "witness", "ha-witness.service"))


# what they stand on

SYSTEM = {"dbus restarted": "systemctl restart dbus", "daemon-reexec": "systemctl daemon-reexec",
          "daemon-reload": "systemctl daemon-reload"}


def shake(field, role, command):
    node = field.named(role)
    node.run(command, timeout=60)
    if not node.run("systemctl is-system-running --wait", check=False, timeout=60).out:
        raise sh.LabError(f"{node}: systemd does not answer after {command}")


for _role in ("primary", "secondary"):
    for _name, _command in SYSTEM.items():
        fault(f"system: {_name} on the {_role}")(
            lambda field, _, role=_role, command=_command: shake(field, role, command))
