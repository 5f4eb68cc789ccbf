"""I1, I2: two commands make a pair; what goes wrong is told in one clear error, and changes nothing."""
from tools.lab import pair

TIMEOUT = 120
FILES = "find /etc/hamirror -type f -exec sha256sum {} + | sort"
BAD = {"malformed": "module: [postgresql\n", "an unknown key": pair.YAML + "colour: blue\n",
       "no path": "module: postgresql\nreplicate: []\n",
       "a missing directory": pair.YAML.replace(pair.PATHS[1], "/srv/nothing/here"),
       "an unknown unit": pair.YAML.replace(pair.UNIT, "no-such-thing.service")}


def refused(lab, node, what, act, must_say):
    """act() fails with a message that says this, and /etc/hamirror is as it was."""
    before = node.out(FILES)
    done = act()
    told = done.err
    lab.expect(done.status not in (0, 124, 137) and must_say in told.lower(),
               f"{what}: exit {done.status}: {told}")
    lab.expect("terminate" not in told and len(told.splitlines()) < 8, "it is short")
    lab.expect(node.out(FILES) == before, "nothing was changed")


def wrong_ways(lab, one, other, old, token):
    def try_pair(address, word):
        return lambda: pair.pair(other, address, word, check=False)
    refused(lab, other, "mistyped token", try_pair(one.address(), "ABCD-EFGH"), "token")
    refused(lab, other, "token of before", try_pair(one.address(), old), "token")
    refused(lab, other, "no daemon there", try_pair(lab.client.address(), token), "cannot reach")
    refused(lab, other, "no server there", try_pair("10.77.0.77", token), "no answer from")


def wrong_files(lab, one):
    for what, text in BAD.items():
        one.put("/root/bad.yaml", text)
        refused(lab, one, what, lambda: one.run("hamirrorctl apply /root/bad.yaml", check=False),
                "bad.yaml")
    for what, name in (("a missing directory", "/srv/nothing/here"),
                       ("an unknown unit", "no-such-thing.service")):
        one.put("/root/bad.yaml", BAD[what])
        refused(lab, one, f"{what} is named",
                lambda: one.run("hamirrorctl apply /root/bad.yaml", check=False), name)
    refused(lab, one, "no such file",
            lambda: one.run("hamirrorctl apply /root/none.yaml", check=False), "none.yaml")
    lab.expect(one.watch.views[-1].status["modules"] == [], "there is still no module")


def play(lab):
    one, other = lab.pair
    lab.step("before: every command explains itself")
    for words in ("status", "start x", "stop x", "swap x"):
        refused(lab, one, words, lambda words=words: one.run(f"hamirrorctl {words}", check=False),
                "cluster init")

    lab.step("the first server")
    old = pair.init(one)
    token = pair.token_in(one.out("hamirrorctl cluster token"))
    lab.step("the second server, wrongly")
    wrong_ways(lab, one, other, old, token)
    lab.step("and rightly")
    pair.pair(other, one.address(), token)
    for node in lab.pair:
        node.wait_for(pair.CONNECTED, deadline=20)
        text = node.out("hamirrorctl status")
        lab.expect("node1" in text and "node2" in text, f"{node}: status shows both nodes")
    refused(lab, other, "and again", lambda: pair.pair(other, one.address(), token, check=False),
            "already paired with node1")
    refused(lab, one, "a third server", lambda: one.run("hamirrorctl cluster token", check=False),
            "already paired with node2")

    lab.step("configurations that cannot be")
    wrong_files(lab, one)

    lab.step("a good one, and the peer cannot be asked")
    one.put("/root/good.yaml", pair.YAML)
    other.run("systemctl stop ha-clusterd.service")
    one.wait_for("! " + pair.CONNECTED, deadline=10)
    refused(lab, one, "peer unreachable",
            lambda: one.run("hamirrorctl apply /root/good.yaml", check=False),
            "not connected")
    lab.expect(one.watch.views[-1].status["modules"] == [], "there is still no module")
