"""ha-vipd: an address taken, lost, defended and never left behind, by orders on two real nodes."""
from tests.lab.tools import console

TIMEOUT = 120
MONITOR = {"addresses_s": 20.0}     # two holders are part of this play
VIP = "10.77.0.50"
HOLD = {"module": "db", "addresses": [f"{VIP}/24"]}


def here(node):
    return VIP in node.out("ip -4 -br addr show dev eth0")


def holder(lab):
    """The MAC the client knows the address by."""
    return lab.client.out(["ip", "neigh", "show", VIP, "dev", "eth0"]).partition("lladdr ")[2][:17]


def mac(node):
    return node.host.mac("lan0")


def open_desk(node):
    console.install(node)
    node.run("systemctl stop ha-clusterd; systemctl start ha-vipd")
    desk = console.Console(node)
    desk.wait("WorkerHello", deadline=5)
    return desk


def crash_and_restart(lab, node, desk):
    lab.step("ha-vipd is killed: nothing stays behind; the repeated order brings the address back")
    mark = desk.mark()
    node.run("systemctl kill -s KILL ha-vipd")
    desk.wait("WorkerHello", mark, deadline=5)
    lab.expect(not here(node), "the address is gone when the next ha-vipd says hello")
    took, _ = desk.ask("HoldAddresses", "AddressesHeld", **HOLD)
    lab.expect(here(node), f"back {took * 1000:.1f} ms after the order")

    lab.step("ha-vipd is restarted by hand: the address stays, for the next one to adopt")
    mark = desk.mark()
    node.run("systemctl restart ha-vipd")
    lab.expect(here(node), "still there")
    desk.wait("WorkerHello", mark, deadline=5)
    desk.ask("HoldAddresses", "AddressesHeld", **HOLD)

    lab.step("ha-vipd is stopped: nothing stays behind")
    node.run("systemctl stop ha-vipd")
    lab.expect(not here(node), "gone")
    mark = desk.mark()
    node.run("systemctl start ha-vipd")
    desk.wait("WorkerHello", mark, deadline=5)
    desk.ask("HoldAddresses", "AddressesHeld", **HOLD)


def takeover_from_a_frozen_node(lab, one, other, desk):
    lab.step("node1 is frozen, its kernel answers ARP; node2 takes the address")
    lab.expect(lab.client.pings(VIP) and holder(lab) == mac(one), "the client talks to node1")
    one.freeze()
    began = lab.step("node2 takes it")
    desk.ask("HoldAddresses", "AddressesHeld", **HOLD)
    lab.client.wait_for(lambda: holder(lab) == mac(other), deadline=2.0, step=0.01)
    lab.expect(lab.client.pings(VIP), "the client is answered")
    other.wait_journal(rf"another machine \({mac(one)}\) uses {VIP}", since=began)
    lab.expect(holder(lab) == mac(other), "by node2, which tells of the conflict")
    one.freeze(False)


def play(lab):
    one, other = lab.pair
    first, second = open_desk(one), open_desk(other)

    lab.step("node1 takes the address")
    took, _ = first.ask("HoldAddresses", "AddressesHeld", **HOLD)
    lab.expect(took < 0.1, f"AddressesHeld after {took * 1000:.1f} ms")
    lab.expect(lab.client.pings(VIP) and holder(lab) == mac(one), "the client reaches node1")

    lab.step("somebody takes it away")
    one.run(f"ip addr del {VIP}/24 dev eth0")
    one.wait_for(f"ip -4 addr show dev eth0 | grep -q {VIP}", deadline=0.5, step=0.01)

    crash_and_restart(lab, one, first)
    takeover_from_a_frozen_node(lab, one, other, second)

    lab.step("node1 is told to drop it")
    took, _ = first.ask("DropAddresses", "AddressesDropped", module="db")
    lab.expect(not here(one), f"gone after {took * 1000:.1f} ms")
    lab.client.wait_for(lambda: lab.client.pings(VIP) and holder(lab) == mac(other), deadline=2.0)
    first.close()
    second.close()
