"""Each fault of the network does what its name says, and heals."""
BARE = True
TIMEOUT = 90


def rtt_ms(machine, address):
    return float(machine.out(f"ping -q -c3 -i.1 {address} | awk -F/ '/^rtt/{{print $5}}'"))


def play(lab):
    one, two, client = lab.node1, lab.node2, lab.client

    lab.step("all is well")
    for net in ("lan0", "lan1"):
        lab.expect(one.pings(two.address(net)) and two.pings(one.address(net)), f"{net} both ways")
    lab.expect(client.pings(one.address()) and client.pings(two.address()), "the client reaches both")

    lab.step("a one-way drop on one net")
    lab.drop(one, two, "lan0")
    lab.expect(not one.pings(two.address("lan0")), "lan0 is dead for a ping")
    lab.expect(one.pings(two.address("lan1")), "lan1 is not")
    lab.expect(client.pings(two.address()), "the client still reaches node2")
    received = "cat /sys/class/net/eth0/statistics/rx_packets"
    before = int(one.out(received))
    two.run(f"ping -q -c3 -i.1 -W1 {one.address()}", check=False)
    lab.expect(int(one.out(received)) >= before + 3, "the other direction passes")
    lab.drop(one, two, "lan0", on=False)
    lab.expect(one.pings(two.address("lan0")), "and it ends")

    lab.step("a partition")
    lab.partition(one, two)
    lab.expect(not any(one.pings(two.address(net)) for net in ("lan0", "lan1")), "no way between the nodes")
    lab.heal()
    lab.expect(one.pings(two.address("lan1")), "healed")

    lab.step("a pulled cable")
    lab.cable(one, "lan1", on=False)
    lab.expect("NO-CARRIER" in one.out("ip link show eth1"), "the node sees no carrier")
    lab.cable(one, "lan1", on=True)
    one.wait_for(lambda: one.pings(two.address("lan1")), deadline=5)

    lab.step("a slow cable")
    lab.delay(two, "lan0", 20)
    rtt = rtt_ms(one, two.address())
    lab.expect(38 < rtt < 60, f"a round trip takes {rtt} ms")
    lab.expect(rtt_ms(one, two.address("lan1")) < 5, "the other net is quick")
    two.popen("socat -u TCP-LISTEN:7777,reuseaddr OPEN:/data/sent,creat,trunc")
    two.wait_for("ss -tln | grep -q :7777")
    one.run(f"head -c 3000000 /dev/zero | socat -u - TCP:{two.address()}:7777")
    two.wait_for("test $(stat -c %s /data/sent) = 3000000")
    lab.drop(one, two, "lan0")
    lab.expect(not one.pings(two.address("lan0")), "drops work on a slow cable")
    lab.heal()
    lab.expect(rtt_ms(one, two.address()) < 5, "healed")

    lab.step("frozen and paused")
    one.freeze()
    lab.expect(client.pings(one.address()), "a frozen node's kernel answers")
    one.freeze(False)
    one.pause()
    lab.expect(not client.pings(one.address()), "a paused node is silent")
    one.pause(False)
    lab.expect(client.pings(one.address()), "it goes on")
    lab.expect(one.out("echo alive") == "alive", "and so do its processes")

    lab.step("an address moves: the client's ARP cache is stale until it is announced")
    one.run("ip addr add 10.77.0.50/24 dev eth0")
    meter = lab.pinger("10.77.0.50").start()
    meter.wait_alive_after(0)
    mark = lab.step("moved")
    one.run("ip addr del 10.77.0.50/24 dev eth0")
    two.run("ip addr add 10.77.0.50/24 dev eth0")
    lab.expect(client.neighbour("10.77.0.50") == one.host.mac("lan0"), "the client still asks node1")
    two.run("arping -q -U -c1 -I eth0 10.77.0.50")
    meter.wait_alive_after(mark + 0.01)
    client.wait_for(lambda: client.neighbour("10.77.0.50") == two.host.mac("lan0"), deadline=5)
    meter.stop()
    lab.expect(meter.outage() < 2, f"the address was away for {meter.outage():.3f} s")

    lab.step("MAC addresses survive a power loss")
    def mac():
        return one.out("cat /sys/class/net/eth0/address")
    before = mac()
    lab.power_loss(one)
    one.boot()
    lab.expect(mac() == before, before)
