"""The recording client keeps true book of a real PostgreSQL, through a crash and a power loss."""
from tools.lab import sh

BARE = True
NODES = ("node1",)
TIMEOUT = 120


def play(lab):
    node = lab.node1
    record = lab.recorder(node.address(), clients=3, answer_s=2)
    record.prepare(node)
    record.start()
    record.wait_confirmed(100)

    mark = lab.step("the server is killed under load")
    node.run("systemctl kill -s KILL postgresql@15-main")
    node.run("systemctl reset-failed postgresql@15-main; systemctl restart postgresql@15-main")
    later = record.wait_confirmed_after(mark + 0.5)
    lab.tell(f"  confirmed again {later + 0.5:.2f} s after the kill")
    record.wait_confirmed(50)

    mark = lab.step("power loss under load")
    lab.power_loss(node)
    node.boot()
    record.wait_confirmed_after(mark + 1)
    record.wait_confirmed(50)
    record.stop()
    record.check(node)
    outage = record.outage(since=mark - 1)
    lab.expect(0.3 < outage < 20, f"the outage was {outage:.2f} s")

    lab.step("the check itself sees a lost, a doubled and an invented row")
    for change, complaint in (
            ("DELETE FROM hamirror_record WHERE (client, n) = (1, 5)", "1 confirmed, but not there: 1/5"),
            ("INSERT INTO hamirror_record VALUES (1, 5), (1, 5)", "1 there more than once: 1/5"),
            ("INSERT INTO hamirror_record VALUES (2, 999999)", "neither confirmed nor in doubt: 2/999999")):
        node.run(["psql", "-qc", change, "postgres"], user="postgres")
        try:
            record.check(node)
            seen = "nothing"
        except sh.LabError as error:
            seen = str(error)
        lab.expect(complaint in seen, seen)
