"""The gate: units of a module start where it is served, and nowhere else, whatever is tried."""
from tests.lab.tools import console

NODES = ("node1",)
TIMEOUT = 120
MODULE = "postgresql"
UNITS = ["postgresql@15-main.service", "lab.socket", "lab.timer", "lab.path"]
OWN = {
    "lab.socket": "[Socket]\nListenStream=/run/lab.sock\n[Install]\nWantedBy=sockets.target\n",
    "lab.timer": "[Timer]\nOnBootSec=1h\n[Install]\nWantedBy=timers.target\n",
    "lab.path": "[Path]\nPathExists=/never\n[Install]\nWantedBy=paths.target\n",
    "lab.service": "[Service]\nExecStart=sleep infinity\n",
}


def states(node):
    return {unit: node.out(["systemctl", "is-active", unit], check=False) for unit in UNITS}


def nothing_runs(node):
    return set(states(node).values()) <= {"inactive"}


def gated(node):
    shown = node.out("systemctl show -p DropInPaths " + " ".join(UNITS))
    return shown.count("50-hamirror.conf") == len(UNITS)


def refused_by_hand(lab, node):
    lab.step("started by hand on the wrong node: a service fails and says why, others stay off")
    node.run("mkdir -p /run/hamirror/status && echo node2 serves it since noon. "
             f"> /run/hamirror/status/{MODULE}")
    began = lab.step("systemctl start postgresql@15-main")
    lab.expect(not node.run("systemctl start postgresql@15-main", check=False), "the start fails")
    node.wait_journal("does not serve: node2 serves it since noon", since=began)
    node.run("systemctl reset-failed postgresql@15-main")
    node.run("systemctl start lab.socket lab.timer lab.path", check=False)
    lab.expect(nothing_runs(node), "nothing runs")
    node.wait_journal(r"lab.timer.*(skipped|unmet).*primary/postgresql", since=began)
    node.run("rm /run/hamirror/status/postgresql")


def quiet_boot(lab, node):
    lab.step("at boot, all of them enabled: nothing starts and nothing is red")
    node.poweroff()
    node.boot()
    lab.expect(nothing_runs(node), "nothing runs")
    failed = node.out("systemctl --failed --plain --no-legend")
    lab.expect(not failed, f"nothing failed ({failed})")
    lab.expect(not node.run("pgrep -x postgres", check=False), "no process of postgresql")


def damaged_file(lab, node):
    lab.step("a damaged gate file opens nothing")
    folder = "/etc/hamirror/gate.d"
    for damage in (f"printf x | dd of={folder}/{MODULE}.gate bs=1 seek=3 conv=notrunc",
                   f": > {folder}/{MODULE}.gate", f"rm {folder}/{MODULE}.gate",
                   f"rm {folder}/{MODULE}.gate.last"):
        node.run(damage + " 2>/dev/null; systemctl daemon-reload")
        lab.expect(gated(node), "every unit is gated after: " + damage.split(" of=")[0])
    node.run([console.INSIDE, "gate", MODULE, *UNITS])
    node.run("systemctl daemon-reload")


def opened(lab, node):
    lab.step("with the marker and the target the same units start; without the target they stop")
    node.run(f"mkdir -p /run/hamirror/primary && touch /run/hamirror/primary/{MODULE}"
             f" && systemctl start ha-primary@{MODULE}.target " + " ".join(UNITS))
    lab.expect(set(states(node).values()) == {"active"}, "all run")
    node.run(f"rm /run/hamirror/primary/{MODULE}; systemctl stop ha-primary@{MODULE}.target")
    lab.expect(nothing_runs(node), "all stopped with the target")
    lab.expect(not node.run(f"systemctl start ha-primary@{MODULE}.target", check=False),
               "the target does not start by hand")


def play(lab):
    node = lab.node1
    console.install(node)
    for unit, text in OWN.items():
        node.put(f"/etc/systemd/system/{unit}", text)
    node.run([console.INSIDE, "gate", MODULE, *UNITS])
    node.run("systemctl stop postgresql@15-main postgresql; systemctl daemon-reload; systemctl enable -q postgresql.service lab.socket lab.timer"
             " lab.path")
    lab.expect(gated(node), "every unit carries the gate")
    refused_by_hand(lab, node)
    quiet_boot(lab, node)
    refused_by_hand(lab, node)
    damaged_file(lab, node)
    opened(lab, node)

    lab.step("the package cannot be removed from under the gate")
    lab.expect(not node.run("dpkg -r hamirror", check=False), "dpkg -r is refused")
    lab.expect(gated(node), "the units are still gated")
    node.run([console.INSIDE, "ungate", MODULE])
    node.run("dpkg -r hamirror", timeout=60)
    node.run("systemctl daemon-reload")
    lab.expect("50-hamirror" not in node.out("systemctl show -p DropInPaths lab.timer"),
               "after the module is deleted the package goes, and the gate with it")
