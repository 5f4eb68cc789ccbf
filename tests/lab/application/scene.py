"""ha-watchdog: a real PostgreSQL started, watched, adopted, stopped and killed by orders."""
from tests.lab.tools import console

NODES = ("node1",)
TIMEOUT = 120
MODULE = "postgresql"
UNIT = "postgresql@15-main.service"
UNITS = {"module": MODULE, "units": [UNIT]}


def main_pid(node):
    return node.out(["systemctl", "show", "-P", "MainPID", UNIT])


def serves(node):
    return node.run("psql -qAtc 'select 1'", user="postgres", check=False).out == "1"


def no_process(node):
    return not node.run("pgrep -x postgres", check=False)


def dies(lab, node, desk, how):
    mark = desk.mark()
    killed = float(node.out(f"cut -d' ' -f1 /proc/uptime; kill -9 {main_pid(node)}"))
    at, fact = desk.wait("UnitFailed", mark)
    lab.expect(fact["unit"] == UNIT, f"UnitFailed ({fact['result']}) {how}, "
               f"{(at - killed) * 1000:.0f} ms after the kill (to 10 ms)")
    lab.expect(at - killed < 0.5, "in time")


def start(lab, desk, what="UnitsStarted"):
    took, _ = desk.ask("StartUnits", "UnitsStarted", **UNITS)
    lab.expect(True, f"{what} after {took * 1000:.0f} ms")
    return took


def kill(lab, node, desk, how):
    took, _ = desk.ask("KillUnits", "UnitsGone", **UNITS)
    lab.expect(took < 0.5, f"UnitsGone {how} after {took * 1000:.0f} ms")
    lab.expect(no_process(node), "no process is left")
    lab.expect(not node.run(f"test -e /run/hamirror/primary/{MODULE}", check=False), "nor the marker")


def play(lab):
    node = lab.node1
    console.install(node)
    node.run([console.INSIDE, "gate", MODULE, UNIT])
    node.run("systemctl daemon-reload; systemctl stop ha-clusterd; systemctl start ha-watchdog")
    desk = console.Console(node)
    desk.wait("WorkerHello", deadline=5)

    lab.step("start")
    start(lab, desk)
    lab.expect(serves(node), "PostgreSQL answers")
    lab.expect(start(lab, desk, "given twice it is answered") < 0.1, "at once")

    lab.step("it dies; it is started again")
    dies(lab, node, desk, "by a signal of systemd")
    start(lab, desk)

    lab.step("an administrator's restart is no failure")
    mark = desk.mark()
    node.run(f"systemctl restart {UNIT}", timeout=30)
    lab.expect(start(lab, desk, "still up:") < 0.5, "nothing to do")
    lab.expect(not [fact for _, fact in desk.lines[mark:] if fact["type"] == "UnitFailed"],
               "no UnitFailed")

    lab.step("ha-watchdog is killed: the application does not notice, the next one adopts it")
    before, mark = main_pid(node), desk.mark()
    node.run("systemctl kill -s KILL ha-watchdog")
    desk.wait("WorkerHello", mark, deadline=5)
    start(lab, desk, "adopted")
    lab.expect(main_pid(node) == before, "the same process")

    lab.step("systemd executes itself anew, dbus is restarted: deaths are still seen")
    node.run("systemctl daemon-reexec")
    dies(lab, node, desk, "after a daemon-reexec")
    start(lab, desk)
    node.run("systemctl restart dbus")
    dies(lab, node, desk, "after a restart of dbus")
    start(lab, desk)

    lab.step("stop")
    took, _ = desk.ask("StopUnits", "UnitsStopped", **UNITS)
    lab.expect(no_process(node), f"UnitsStopped after {took * 1000:.0f} ms, no process is left")
    lab.expect(node.out("systemctl is-active ha-primary@postgresql.target", check=False)
               == "inactive", "the target is down")

    lab.step("kill")
    start(lab, desk)
    kill(lab, node, desk, "with everything healthy")
    start(lab, desk)
    node.run("mkdir -p /run/systemd/system/postgresql@15-main.service.d; printf "
             "'[Service]\\nRestart=always\\nRestartSec=0\\n' > "
             "/run/systemd/system/postgresql@15-main.service.d/restart.conf; systemctl daemon-reload")
    kill(lab, node, desk, "of a unit with Restart=always")
    start(lab, desk)
    node.run("systemctl stop dbus.socket dbus.service", check=False)
    kill(lab, node, desk, "without dbus")
    node.run("systemctl start dbus", check=False)
    desk.close()
