"""M17 with an etcd: added under load where both nodes have its files, lost with both up, removed;
whoever is cut off gives way to the other."""
import json
import pathlib
import shutil

from tools.lab import pair

NODES = ("node1", "node2", "witness")
CI = False          # the machine's behaviour is M17-witness's; here it is who answers
TIMEOUT = 300
LOST = "cf019cfe8acd40e79982badcfe614125"       # src/api/message_ids.h
REACHED = "0df72c4e6b0c49028dd04fd0a527d6bb"
FILES = "/etc/hamirror/etcd"
UNIT = """[Unit]
After=network.target
[Service]
Type=notify
ExecStart=/usr/local/bin/etcd --name m0 --data-dir /data/etcd --client-cert-auth
    --listen-client-urls https://0.0.0.0:2379 --advertise-client-urls https://etcd.test:2379
    --cert-file /data/tls/server.pem --key-file /data/tls/server.key --trusted-ca-file /data/tls/ca.pem
Restart=always
[Install]
WantedBy=multi-user.target
""".replace("\n    ", " \\\n    ")
CERTIFICATES = """set -e; mkdir -p /data/tls; cd /data/tls
new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
$new -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
echo subjectAltName=DNS:etcd.test,IP:127.0.0.1 > server.ext
echo extendedKeyUsage=serverAuth,clientAuth >> server.ext
echo extendedKeyUsage=clientAuth > client.ext
for one in server client; do
    $new -subj /O=$one -keyout $one.key -out $one.csr
    openssl x509 -req -days 2 -in $one.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile $one.ext \\
        -out $one.pem
done 2>&1"""
USERS = """set -e
ctl="env ETCDCTL_API=3 etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/data/tls/ca.pem \\
    --cert=/data/tls/client.pem --key=/data/tls/client.key"
$ctl user add root:of-etcd; $ctl user grant-role root root
$ctl role add hamirror; $ctl role grant-permission hamirror --prefix=true readwrite /hamirror/
$ctl user add hamirror:of-the-pair; $ctl user grant-role hamirror hamirror
$ctl auth enable"""
ADD = ["hamirrorctl", "witness", "add", "--etcd", "etcd.test:2379", "--ca", f"{FILES}/ca.pem",
       "--cert", f"{FILES}/client.pem", "--key", f"{FILES}/client.key", "--user", "hamirror",
       "--password-file", f"{FILES}/password"]


def run_etcd(lab):
    """As docs/etcd.md says, on the third machine; the programs are this machine's."""
    inside = pathlib.Path(f"/proc/{lab.witness.leader()}/root/usr/local/bin")
    for program in ("etcd", "etcdctl"):
        shutil.copy(shutil.which(program), inside / program)
    lab.witness.run(CERTIFICATES)
    lab.witness.put("/etc/systemd/system/etcd.service", UNIT)
    lab.witness.run("systemctl enable -q --now etcd")
    lab.witness.run(USERS)


def hand_files(lab, node):
    node.run(f"mkdir -p {FILES}")
    for name in ("ca.pem", "client.pem", "client.key"):
        node.put(f"{FILES}/{name}", lab.witness.out(["cat", f"/data/tls/{name}"]) + "\n", mode="600")
    node.put(f"{FILES}/password", "of-the-pair\n", mode="600")


def modules(node):
    return json.loads(node.out("hamirrorctl status --json"))["modules"]


def in_force(node):
    return all(one["witness"] == "decides when the nodes do not see each other; it answers"
               for one in modules(node))


def application_runs(node):
    return node.run(f"systemctl is-active -q {pair.UNIT}", check=False)


def add(lab, one, other):
    """Refused while the other node has not got the files; then in force on both."""
    run_etcd(lab)
    one.run(f"echo {lab.witness.address()} etcd.test >> /etc/hosts")
    hand_files(lab, one)
    refused = one.run(ADD, check=False)
    lab.expect(not refused and f"On {other}: {FILES}/ca.pem: No such file" in refused.err,
               f"{other} lacks a file: {refused.err.strip()}")
    for node in lab.pair:
        lab.expect("witness" not in node.out("cat /etc/hamirror/cluster.yaml"), f"{node} is as it was")
    hand_files(lab, other)
    lab.tell("  " + one.run(ADD).out.splitlines()[0])
    for node in lab.pair:
        node.wait_for(lambda node=node: in_force(node), deadline=10)
    lab.expect("of-the-pair" not in "".join(
        node.out("cat /etc/hamirror/cluster.yaml; journalctl -u 'ha-*' -o cat") for node in lab.pair),
        "the password is in no file of ours and in no log")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)

    mark = lab.step("an etcd is added while the application writes")
    add(lab, one, other)
    record.wait_confirmed(200)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")

    mark = lab.step("the etcd is lost with both nodes up: nothing changes")
    lab.power_loss(lab.witness)
    for node in lab.pair:
        node.watch.wait_journal(MESSAGE_ID=LOST, since=mark, deadline=10)
    record.wait_confirmed_after(mark + 5)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")
    mark = lab.step("and comes back, with what it knew")
    lab.boot(lab.witness)
    for node in lab.pair:
        node.watch.wait_journal(MESSAGE_ID=REACHED, since=mark, deadline=20)

    mark = lab.step("the primary is cut off from everything: the secondary takes over")
    lab.isolate(one)
    seen = other.wait_status(pair.MODULE, "alone", deadline=10)
    lab.tell(f"  node2 is alone {seen.at - mark:.2f} s after")
    seen = one.wait_status(pair.MODULE, "waiting", "blocked", deadline=10)
    lab.tell(f"  node1 has given up {seen.at - mark:.2f} s after")
    lab.expect(not application_runs(one), "the application runs on node1 no more")
    lab.expect(pair.VIP not in one.out("ip -br address"), "nor has it the address")
    record.wait_confirmed_after(mark + 3, deadline=30)
    lab.isolate(one, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.wait_confirmed(200)

    mark = lab.step("the secondary is cut off from everything: the primary goes on")
    lab.isolate(one)
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=10)
    one.watch.wait_journal(MESSAGE_ID=LOST, since=mark, deadline=10)
    record.wait_confirmed_after(seen.at + 3)
    lab.isolate(one, on=False)
    lab.wait_pair(pair.MODULE, other, deadline=60)

    mark = lab.step("the etcd is removed while the application writes")
    lab.tell("  " + other.run("hamirrorctl witness remove").out.splitlines()[-1].strip())
    for node in lab.pair:
        node.wait_for(lambda node=node: not any(one["witness"] for one in modules(node)), deadline=10)
    record.wait_confirmed(100)
    lab.expect(record.outage(since=mark) < 1, "the application did not notice")
    record.stop()
    record.check(other)
    pair.audit(lab)
