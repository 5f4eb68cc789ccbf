"""2-safety, "Boot": without a witness, under `available`, a node that is alone by its own decision boots
and does not hear the other. Somebody answers for the virtual IP: it waits, and says who; when nobody does
any more, it serves.
"""
from tools.lab import pair

CI = False
TIMEOUT = 300
DECIDES_WITHIN = 16     # three unanswered probes of 1.5 s, and 3 s before each


def told(node):
    """Its status, as a person reads it."""
    return " ".join(node.out("hamirrorctl status").split())


def diverge(lab):
    """Both are alone by a decision of their own, and node2 has lost power since."""
    one, other = lab.pair
    lab.step("a firewall comes between the nodes: ARP passes, nothing else")
    with lab.monitor.allowing(two_servers=True):
        lab.firewall(one, other)
        for node in lab.pair:
            node.wait_status(pair.MODULE, "alone", "ready", deadline=30)
        lab.power_loss(other)


def waits_for_the_holder(lab):
    one, other = lab.pair
    lab.step("node2 boots beside node1, which it does not hear")
    other.boot()
    seen = pair.waits(lab, other, "address-in-use")
    text = seen.entry["reason"]["text"]
    lab.expect(pair.VIP in text and one.host.mac("lan0") in text, "it names the address and node1's MAC")
    status = told(other)
    lab.expect("--force" in status and one.host.mac("lan0") in status, f"status says what to do: {status}")
    other.wait_journal("is in use by the machine with the MAC address", since=0)
    lab.expect(not other.run(f"hamirrorctl start {pair.MODULE}", check=False), "a start without more is refused")


def keeps_waiting(lab):
    one, other = lab.pair
    lab.step("ha-vipd is killed, then stands still for longer than anybody waits for it")
    main_pid = ["systemctl", "show", "-P", "MainPID", "ha-vipd"]
    killed = other.out(main_pid)
    other.run("systemctl kill -s KILL ha-vipd")
    other.wait_for(lambda: other.out(main_pid) not in ("0", killed), deadline=20)
    other.run("systemctl kill -s STOP ha-vipd")
    lab.lasts(8)
    lab.expect(not pair.runs(other), "node2 waits")
    lab.step("its own cable is out: what it does not see it does not take for free")
    lab.cable(other, "lan0", False)
    other.wait_for(lambda: "no carrier" in told(other), deadline=20)
    lab.lasts(20)
    lab.expect(not pair.runs(other) and pair.own_word(other)["reason"]["code"] == "address-in-use", "node2 waits")
    lab.cable(other, "lan0", True)
    other.wait_for(lambda: "no carrier" not in told(other), deadline=20)
    lab.expect(not pair.runs(other) and pair.serves(one), "and asks again; node1 serves all the while")


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    record.stop()
    diverge(lab)
    waits_for_the_holder(lab)
    keeps_waiting(lab)

    mark = lab.step("node1 loses power")
    lab.power_loss(one)
    said = other.wait_journal(f"had {pair.VIP} does not answer for it any more", deadline=30, since=mark)
    lab.expect(said.at - mark < DECIDES_WITHIN, f"node2 goes on {said.at - mark:.1f} s after")
    seen = other.wait_status(pair.MODULE, "alone", "ready", deadline=30)
    lab.tell(f"  and serves {seen.at - mark:.1f} s after")

    lab.step("node2 loses power and boots alone: nobody answers, it serves")
    lab.power_loss(other)
    mark = lab.step("it boots")
    other.boot()
    other.wait_status(pair.MODULE, "alone", "ready", deadline=60)
    other.wait_journal("No other machine answers for the addresses", since=mark)

    lab.step("the firewall is gone, node1 boots: both had gone on alone, the operator chooses node2")
    lab.firewall(one, other, on=False)
    one.boot()
    pair.waits(lab, one, "diverged")
    other.run(f"hamirrorctl start {pair.MODULE} --force --yes")
    lab.wait_pair(pair.MODULE, other, deadline=60)
    record.check(other)
    pair.audit(lab)
