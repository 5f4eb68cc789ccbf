"""The switch: a namespace with one bridge a network, and a cable from it to every host.

Faults live here and nowhere in the hosts: a port taken down is a pulled cable (the host loses its
carrier), a bridge rule is a silent drop in one direction, a `wire` process between port and bridge
is a slow cable. With cold ARP caches a one-way drop looks like a two-way one: let both sides talk
before dropping.
"""
import json
import subprocess

from . import places, sh
from .places import SWITCH_NS

TABLE = """table bridge lab {
    chain faults { type filter hook forward priority 0; policy accept; }
}
"""


def batch(netns, *lines):
    """Several `ip` commands in one process."""
    sh.run("ip", "-n", netns, "-batch", "-", input="\n".join(lines) + "\n")


def namespaces():
    done = sh.output("ip", "-j", "netns", "list")
    return {entry["name"] for entry in json.loads(done or "[]")}


def nft(*words, **options):
    return sh.output("nsenter", f"--net=/run/netns/{SWITCH_NS}", "nft", *words, **options)


def ensure():
    """Makes the switch. Its rule table comes last: without one a crash left it half made."""
    if SWITCH_NS in namespaces():
        if nft("list", "tables", "bridge"):
            return
        sh.run("ip", "netns", "del", SWITCH_NS)
    sh.run("ip", "netns", "add", SWITCH_NS)
    batch(SWITCH_NS, "link set lo up", *(
        line for net in places.NETS for line in (
            f"link add {net} type bridge forward_delay 0 stp_state 0 mcast_snooping 0",
            f"link set {net} up")))
    nft("-f", "-", input=TABLE)


def plug(host):
    """Gives a host its namespace, interfaces (same MACs as ever) and cables."""
    sh.run("ip", "netns", "add", host.netns)
    batch(SWITCH_NS, *(
        line for net in host.nets for line in (
            f"link add {host.port(net)} type veth peer name {host.interface(net)}"
            f" netns {host.netns} address {host.mac(net)}",
            f"link set {host.port(net)} master {net} up")))
    batch(host.netns, "link set lo up", *(
        line for net in host.nets for line in (
            f"addr add {host.address(net)}/24 brd + dev {host.interface(net)}",
            f"link set {host.interface(net)} up")))


def unplug(host):
    """Takes cables and namespace away. The pair dies with either end, so the switch's end goes
    first: the host's may live on as long as a stray process holds its namespace."""
    for net in host.nets:
        unwire(host, net)
        sh.run("ip", "-n", SWITCH_NS, "link", "del", host.port(net), check=False)
    if host.netns in namespaces():
        sh.run("ip", "netns", "del", host.netns)


def cable(host, net, on):
    sh.run("ip", "-n", SWITCH_NS, "link", "set", host.port(net), "up" if on else "down")


def cables_off(host):
    batch(SWITCH_NS, *(f"link set {host.port(net)} down" for net in host.nets))


def port_set(host, net):
    """Its port's name in the bridge: its own, or the far end of a slow cable."""
    return f'{{ "{host.port(net)}", "{host.port(net)}x" }}'


def add_rule(name, match):
    nft("add", "rule", "bridge", "lab", "faults", f'{match} counter drop comment "{name}"')


def remove_rules(name):
    listing = json.loads(nft("-j", "-a", "list", "chain", "bridge", "lab", "faults"))
    for entry in listing["nftables"]:
        rule = entry.get("rule", {})
        if rule.get("comment") == name:
            nft("delete", "rule", "bridge", "lab", "faults", "handle", str(rule["handle"]))


def drop(sender, receiver, net, on=True, only=""):
    """Frames from sender to receiver vanish on this net; the other direction still works. `only`: of
    these, as nft matches them."""
    name = f"drop-{sender.name}-{receiver.name}-{net}"
    remove_rules(name)
    if on:
        add_rule(name, f"iifname {port_set(sender, net)} oifname {port_set(receiver, net)} {only}")


def cut_ports(directions, first, last):
    """Frames of TCP and UDP from or to these ports vanish, on all nets at the same moment, in each direction
    (sender, receiver) of `directions`, until heal()."""
    nft("; ".join(
        f"add rule bridge lab faults iifname {port_set(sender, net)} oifname {port_set(receiver, net)}"
        f' meta l4proto {{ tcp, udp }} th {end} {first}-{last} counter drop comment "cut-ports"'
        for sender, receiver in directions for net in sender.nets if net in receiver.nets
        for end in ("sport", "dport")))


def lose(sender, receiver, net, percent):
    """Random loss in one direction; 0 ends it."""
    name = f"lose-{sender.name}-{receiver.name}-{net}"
    remove_rules(name)
    if percent:
        add_rule(name, f"iifname {port_set(sender, net)} oifname {port_set(receiver, net)}"
                       f" numgen random mod 100 < {percent}")


def silence(host, on=True):
    """All frames from and to a host vanish while its carrier stays: a paused machine."""
    name = f"silence-{host.name}"
    remove_rules(name)
    if on:
        for net in host.nets:
            add_rule(name, f"iifname {port_set(host, net)}")
            add_rule(name, f"oifname {port_set(host, net)}")


def rules():
    return nft("list", "chain", "bridge", "lab", "faults")


def heal():
    """No rules, no slow cables, every cable in. Freezes are not the switch's business."""
    nft("flush", "chain", "bridge", "lab", "faults")
    there = namespaces()
    for host in places.HOSTS.values():
        for net in host.nets if host.netns in there else ():
            unwire(host, net)
            cable(host, net, on=True)


def wire_cgroup(host, net):
    return places.lab_cgroup() / f"wire-{host.port(net)}"


def wire_program():
    """Compiled beside its images the first time a slow cable is wanted."""
    source = places.TREE / "tools/lab/wire.cc"
    program = places.STATE / "wire"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        sh.run("g++", "-std=c++20", "-O2", "-Wall", "-Wextra", "-o", program, source, timeout=120)
    return program


def unwire(host, net):
    """Back to a plain cable: the wire process ends, the port returns to its bridge."""
    group = wire_cgroup(host, net)
    if not group.exists():
        return
    (group / "cgroup.kill").write_text("1")
    sh.wait_unpopulated(group, 5)
    group.rmdir()
    port = host.port(net)
    sh.run("ip", "-n", SWITCH_NS, "link", "del", f"{port}w", check=False)
    sh.run("ip", "-n", SWITCH_NS, "link", "set", port, "master", net, check=False)


def delay(host, net, delay_ms, jitter_ms=0, loss_percent=0):
    """A slow cable, each way; order is kept. 0 makes it plain again."""
    unwire(host, net)
    if not delay_ms and not jitter_ms and not loss_percent:
        return
    port, program, group = host.port(net), wire_program(), wire_cgroup(host, net)
    batch(SWITCH_NS, f"link add {port}w type veth peer name {port}x",
          f"link set {port} nomaster", f"link set {port}x master {net} up", f"link set {port}w up")
    group.mkdir()
    join = 'echo 0 > "$0" && exec "$@"'
    with open(places.RUN / f"wire-{port}.log", "w", encoding="utf-8") as log:
        wire = subprocess.Popen(
            ["sh", "-c", join, group / "cgroup.procs", "nsenter", f"--net=/run/netns/{SWITCH_NS}",
             program, port, f"{port}w", str(delay_ms), str(jitter_ms), str(loss_percent)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    if wire.stdout.readline() != b"ready\n":
        raise sh.LabError(f"the slow cable did not start; see {log.name}")


def slow(host, net, mbit):
    """A cable of so many Mbit/s towards the host, with a switch's few milliseconds of buffer; the other
    direction is as before. 0 makes it plain again."""
    sh.run("tc", "-n", SWITCH_NS, "qdisc", "del", "dev", host.port(net), "root", check=False)
    if mbit:
        sh.run("tc", "-n", SWITCH_NS, "qdisc", "add", "dev", host.port(net), "root", "tbf",
               "rate", f"{mbit}mbit", "burst", "32kb", "latency", "50ms")


def down():
    there = namespaces()
    for host in places.HOSTS.values():
        if host.netns in there:
            unplug(host)
    if SWITCH_NS in there:
        sh.run("ip", "netns", "del", SWITCH_NS)


def faults():
    """Pulled and slow cables, in words."""
    links = json.loads(sh.output("ip", "-j", "-n", SWITCH_NS, "link", "show"))
    up = {link["ifname"]: "UP" in link["flags"] for link in links}
    found = []
    for host in places.HOSTS.values():
        for net in host.nets:
            if up.get(host.port(net)) is False:
                found.append(f"{host.name} {net}: cable off")
            if wire_cgroup(host, net).exists():
                found.append(f"{host.name} {net}: slow cable")
    return found
