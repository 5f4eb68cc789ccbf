"""A process that is no part of the application writes into a mirrored directory all the time: the
roles are swapped, stopped and started under it, and neither hangs; both copies stay the same."""
from tools.lab import pair

TIMEOUT = 240
FILE = "/etc/postgresql/stray"
WRITER = f"""set -u
exec 3>> {FILE}
while :; do echo kept open >&3; echo opened >> {FILE}; done 2> /dev/null"""


def start_writer(node):
    node.run(["systemd-run", "--unit=stray", "--quiet", "-p", "Restart=always", "-p",
              "RestartSec=100ms", "-p", "StartLimitIntervalSec=0", "sh", "-c", WRITER])


def play(lab):
    one, other = lab.pair
    pair.install(lab)
    lab.step("a writer on each node: the primary's succeeds, the secondary's is refused")
    for node in lab.pair:
        start_writer(node)
    one.wait_for(f"test $(stat -c %s {FILE}) -gt 2000", deadline=20)
    roles = [one, other]
    for _ in range(4):
        roles.reverse()
        roles[1].run(f"hamirrorctl swap {pair.MODULE} --wait", timeout=60)
        lab.wait_pair(pair.MODULE, roles[0], deadline=60)
        size = int(roles[0].out(["stat", "-c", "%s", FILE]))
        roles[0].wait_for(f"test $(stat -c %s {FILE}) -gt {size}", deadline=20)
        lab.expect(True, f"{roles[0]} is primary and its writer goes on")
    lab.step("the primary is killed under it")
    lab.power_loss(one)
    other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    one.boot()
    lab.wait_pair(pair.MODULE, other, deadline=60)
    start_writer(one)
    for node in lab.pair:
        node.run("systemctl stop stray.service", timeout=30)
    pair.audit(lab)
