"""The monitor sees two servers and an address held twice, and lets pass what a scene allows."""
import time

BARE = True
TIMEOUT = 90

# Stands in for hamirrorctl: prints each line written to a file as one status.
STATUS = """#!/bin/sh
touch /run/status
exec tail -n +1 -F /run/status
"""


def say(node, state, readiness="ready"):
    line = ('{"node":"%s","modules":[{"module":"m","nodes":[{"node":"%s","state":"%s","readiness":"%s",'
            '"reason":{"code":"","text":""},"epoch":1}]}]}' % (node, node, state, readiness))
    node.run(["sh", "-c", 'echo "$0" >> /run/status', line])
    node.wait_status("m", state, readiness, deadline=3)


def play(lab):
    one, two = lab.pair
    for node in lab.pair:
        node.put("/usr/bin/hamirrorctl", STATUS, mode="755")
        node.watch.product = True
        node.watch.start(node.watch.follow_status)
    found = lab.monitor.found

    lab.step("a swap: the reports of two nodes may overlap for a moment")
    say(one, "primary")
    say(two, "secondary")
    say(two, "primary")
    say(one, "secondary")
    lab.expect(not found, "a short overlap is no complaint")

    lab.step("a frozen primary does not count, nor does a dead one")
    two.freeze()
    say(one, "alone")
    one.wait_for(lambda: not found, deadline=1)
    two.freeze(False)
    say(two, "waiting", "blocked")

    lab.step("two servers")
    with lab.monitor.allowing(two_servers=True):
        say(two, "alone")
        quiet_until = lab.step("allowed") + 0.8
        one.wait_for(lambda: time.monotonic() > quiet_until, deadline=2)
        lab.expect(not found, "no complaint while it is allowed")
    one.wait_for(lambda: found, deadline=3)
    lab.expect("m served by node1 and node2" in found[0], found[0])
    say(two, "secondary")
    found.clear()

    lab.step("an application on both")
    with lab.monitor.allowing(units=["postgresql@15-main.service"]):
        one.wait_for(lambda: found, deadline=3)
        lab.expect("postgresql@15-main.service runs on node1 and node2" in found[0], found[0])
        one.run("systemctl stop postgresql@15-main")
    found.clear()

    lab.step("an address on both")
    one.run("ip addr add 10.77.0.50/24 dev eth0")
    two.run("ip addr add 10.77.0.50/24 dev eth0")
    one.wait_for(lambda: found, deadline=3)
    lab.expect("10.77.0.50 held by node1 and node2" in found[0], found[0])
    found.clear()
    one.run("ip addr del 10.77.0.50/24 dev eth0")
    two.wait_for(lambda: "10.77.0.50" not in one.watch.addresses.held, deadline=2)
    lab.power_loss(two)
    lab.expect("10.77.0.50" not in two.watch.addresses.held, "a dead node holds none")
    history = [what for _, what, address in two.watch.addresses.history if address == "10.77.0.50"]
    lab.expect(history == ["added", "removed"], "both changes were seen")
