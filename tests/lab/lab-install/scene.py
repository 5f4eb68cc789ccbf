"""The built package installs on a bare node, and scenes start from nodes that have it."""
NODES = ("node1",)
TIMEOUT = 60


def play(lab):
    lab.expect("install ok installed" in lab.node1.out("dpkg-query -Wf '${Status}' hamirror"), "installed")
    lab.expect("disabled" in lab.node1.run("systemctl is-enabled ha-cluster.target", check=False).out,
               "nothing is enabled by installing")
    lab.expect(not lab.node1.run("dpkg --audit | grep .", check=False), "dpkg has no complaint")
