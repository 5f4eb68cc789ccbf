"""Debian's keepalived on the same two machines: how long its address goes unanswered at a power loss.

The nodes are bare, the package and what it needs are fetched by apt-get on this machine. Its address
is its own and nothing of hamirror runs.
"""
import shutil
import time

from tools.lab import image, places, sh

ADDRESS = "10.77.0.60"
CACHE = places.STATE / "keepalived"
SETTINGS = {"keepalived, default": "", "keepalived, 0.1 s adverts": "    advert_int 0.1\n"}
CONFIGURATION = """global_defs {{
    vrrp_version 3
}}
vrrp_instance bench {{
    state BACKUP
    interface eth0
    virtual_router_id 60
    priority {priority}
{advert}    virtual_ipaddress {{ {address}/24 }}
}}
"""


def fetch():
    """The package with its dependencies that the nodes' image lacks; kept for the next time."""
    (CACHE / "partial").mkdir(parents=True, exist_ok=True)
    if not list(CACHE.glob("keepalived_*.deb")):
        status = image.folder() / "var/lib/dpkg/status"
        sh.run("apt-get", "-q", "-y", "-o", f"Dir::State::status={status}",
               "-o", f"Dir::Cache::archives={CACHE}", "-o", "Debug::NoLocking=1", "--download-only",
               "--no-install-recommends", "install", "keepalived", timeout=300)
    return sorted(CACHE.glob("*.deb"))


def install(lab):
    files = fetch()
    for node in lab.pair:
        for path in files:
            shutil.copyfile(path, f"/proc/{node.leader()}/root/var/tmp/{path.name}")
        node.run("DEBIAN_FRONTEND=noninteractive dpkg -i "
                 + " ".join(f"/var/tmp/{path.name}" for path in files), timeout=120)


def configure(lab, advert):
    for node, priority in zip(lab.pair, (100, 90)):
        node.put("/etc/keepalived/keepalived.conf",
                 CONFIGURATION.format(priority=priority, advert=advert, address=ADDRESS))
        node.run("systemctl enable -q keepalived; systemctl restart keepalived")
    lab.node1.wait_for(lambda: ADDRESS in lab.node1.watch.addresses.held, deadline=20)


def gaps(lab, name, advert, count):
    configure(lab, advert)
    ping = lab.pinger(ADDRESS)
    rows = []
    ping.start()
    try:
        for number in range(1, count + 1):
            ping.wait_alive_after(time.monotonic())
            lab.node1.wait_for(lambda: ADDRESS in lab.node1.watch.addresses.held, deadline=20)
            mark = lab.step(f"{name}: power loss {number} of {count}")
            lab.power_loss(lab.node1)
            ping.wait_alive_after(mark + 0.2)
            lab.node2.wait_for(lambda: ADDRESS in lab.node2.watch.addresses.held, deadline=20)
            rows.append({name: ping.outage(since=mark - 0.1)})
            lab.node1.boot()        # takes the address back: its priority is the higher one
    finally:
        ping.stop()
    return rows


def measure(lab, count):
    """{setting: [{setting: seconds unanswered}]}"""
    lab.step("keepalived on the same nodes, hamirror off")
    for node in lab.pair:
        node.run("systemctl disable -q --now ha-cluster.target; systemctl disable -q postgresql", timeout=60)
    install(lab)
    return {name: gaps(lab, name, advert, count) for name, advert in SETTINGS.items()}
