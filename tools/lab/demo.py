"""The story of the product, told on two fresh nodes. Each act is a function; main() is the play.

So far only the lab itself can be shown; the product's own acts go between `boot` and `strike`.
"""
import time

from . import build, deps, lab as labs, sh


def act(text):
    print(f"\n== {text}", flush=True)


def boot(lab):
    act("Two servers boot, each with its own systemd, disk and network")
    began = time.monotonic()
    build.packages()
    lab.prepare()
    for node in lab.pair:
        node.new_disk()
    lab.boot()
    build.install_on(lab.pair)
    for node in lab.pair:
        print(f"{node}: {node.out('systemctl is-system-running', check=False)},"
              f" {node.address('lan0')} and {node.address('lan1')}")
    print(f"up after {time.monotonic() - began:.1f} s")


def power_loss(lab):
    act("node1 loses power: what was fsynced survives, what was not is lost")
    node = lab.node1
    node.run("echo kept > /data/synced; sync /data/synced; sync -f /data; echo gone > /data/unsynced")
    node.power_loss()
    print(f"node1 answers: {lab.client.pings(node.address())}")
    node.boot()
    print(f"after its next boot: synced: {node.out('cat /data/synced')!r},"
          f" unsynced: {node.out('cat /data/unsynced', check=False)!r}")


def strike():
    act("The lab is taken down")
    labs.down()


def main():
    deps.install()
    with sh.machine_lock():
        labs.refuse_if_foreign()
        labs.down()
        lab = labs.Lab()
        try:
            boot(lab)
            power_loss(lab)
        finally:
            strike()
    return 0
