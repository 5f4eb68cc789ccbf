"""The lab's own promise: a power loss loses what was not synced and keeps what was."""
BARE = True
NODES = ("node1",)
TIMEOUT = 60


def play(lab):
    node = lab.node1

    lab.step("synced and unsynced bytes, and a writer at work, when the plug is pulled")
    node.run("echo kept > /data/synced && sync /data/synced && sync -f /data")
    node.run("echo gone > /data/unsynced")
    lab.expect(node.out("cat /data/unsynced") == "gone", "the unsynced file is there before")
    record = lab.file_recorder(node, "/data/record").start()
    record.wait_confirmed(200)
    before = lab.step("power loss")
    lab.power_loss(node)
    lab.expect(not lab.client.pings(node.address()), "the dead node does not answer")
    record.stop()

    lab.step("it boots again")
    node.boot()
    lab.expect(node.out("cat /data/synced") == "kept", "what was synced is there")
    lab.expect(not node.run("test -s /data/unsynced", check=False), "what was not synced is lost")
    record.check(node)
    lab.expect(record.times["confirmed"][-1] < before + 1, "the writer ended with the power")

    lab.step("an orderly shutdown loses nothing, synced or not")
    node.run("echo late > /data/late")
    node.poweroff()
    node.boot()
    lab.expect(node.out("cat /data/late") == "late", "the late file is there")

    lab.step("a fence: reboot(2) without a sync is a reset; the node comes back by itself")
    node.run("echo gone > /data/at-reset")
    mark = lab.step("reset")
    node.run("setsid sh -c 'exec python3 -c \"import ctypes; ctypes.CDLL(None).reboot(0x1234567)\"'"
             " </dev/null >/dev/null 2>&1 &", check=False)
    lab.expect(node.wait_power("off", since=mark) - mark < 2, "it went dark")
    node.wait_power("on", since=mark)
    lab.expect(not node.run("test -s /data/at-reset", check=False), "the reset lost what was not synced")
