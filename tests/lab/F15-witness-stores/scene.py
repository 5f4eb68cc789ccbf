"""F15: the witness is wiped, restored from an old backup, and replaced by another, in a partition too: with
both nodes up nothing changes, what is wrong is told, and the commands that mend it make it decide again.
"""
import threading

from tools.lab import pair, sh, witness

NODES = ("node1", "node2", "witness", "witness2")
CI = False
TIMEOUT = 600
ROUNDS = 6


def decides(lab, record, primary):
    """Exactly one serves in a partition: the register was asked."""
    other = lab.peer(primary)
    mark = lab.step("the nodes do not hear each other: the witness decides")
    lab.partition(primary, other)
    pair.serves_alone(lab, record, primary, deadline=20)
    other.wait_journal("has decided without this node", since=mark)
    lab.partition(primary, other, on=False)
    pair.whole(lab, record, primary)


def stop_store(lab, machine, what):
    machine.run(f"systemctl stop ha-witness; cd /var/lib/private && {what} && sync -f .; systemctl start ha-witness")


def refusal(lab, machine):
    """What the command says that does not make this machine the witness; empty if it does."""
    try:
        witness.add(lab, machine)
        return ""
    except sh.LabError as error:
        return " ".join(line.strip() for line in str(error).splitlines()[1:])


def unnoticed(lab, record, mark):
    record.wait_confirmed_after(mark + 4)
    lab.wait_pair(pair.MODULE, lab.node1)
    lab.expect(record.outage(since=mark, word="confirmed") < 1, "the application did not notice")


def replaced_in_partition(lab, record):
    """The command and the cut at about the same time, each a little later than the last. Whichever
    witness is in force then, one node serves or none; together they change over or stay."""
    one, other = lab.pair
    machines = [lab.witness, lab.witness2]
    for number in range(ROUNDS):
        machine = machines[number % 2]
        lab.step(f"round {number + 1}: {machine} takes the other's place while the nodes are cut off")
        said = []
        thread = threading.Thread(target=lambda machine=machine: said.append(refusal(lab, machine)))
        thread.start()
        lab.lasts(0.05 * number)
        lab.partition(one, other)
        thread.join()
        lab.tell(f"  {said[0] or 'the command succeeded'}")
        lab.lasts(5)                        # longer than any decision takes
        lab.partition(one, other, on=False)
        primary = pair.settle(lab)
        witness.add(lab, machine)           # what was cut off is completed by the same command
        witness.wait_in_force(lab, deadline=30)
        pair.whole(lab, record, primary)
    return primary


def play(lab):
    one, other = lab.pair
    record = pair.install_under_load(lab)
    witness.install(lab)

    mark = lab.step("the witness is wiped")
    stop_store(lab, lab.witness, "rm -r hamirror-witness/*")
    for node in lab.pair:
        node.wait_journal(MESSAGE_ID=witness.LOST, since=mark, deadline=20)
        witness.wait_says(node, "NOT reached")
    unnoticed(lab, record, mark)
    lab.step("and given to the pair again")
    witness.install(lab)
    decides(lab, record, one)

    stop_store(lab, lab.witness, "cp -a hamirror-witness backup")
    decides(lab, record, one)
    mark = lab.step("the witness is restored from a backup of before the last decisions")
    stop_store(lab, lab.witness, "rm -r hamirror-witness/* && cp -a backup/* hamirror-witness/")
    for node in lab.pair:
        witness.wait_says(node, "NOT reached", deadline=20)
        lab.tell(f"  {node}: {witness.says(node)}")
    unnoticed(lab, record, mark)
    lab.step("removed there, and given to the pair again")
    witness.forget(lab.witness, witness.store(one))
    witness.install(lab)
    decides(lab, record, one)

    lab.step("another machine takes its place while both nodes are up")
    witness.add(lab, lab.witness2)
    witness.wait_in_force(lab)
    lab.power_loss(lab.witness)
    decides(lab, record, one)
    lab.witness.boot()

    lab.step("in a partition the command is refused and changes nothing")
    lab.partition(one, other)
    pair.serves_alone(lab, record, one, deadline=20)
    before = [node.out("cat /etc/hamirror/cluster.yaml") for node in lab.pair]
    said = refusal(lab, lab.witness)
    lab.expect(said, said)
    lab.expect([node.out("cat /etc/hamirror/cluster.yaml") for node in lab.pair] == before,
               "neither node has recorded it")
    lab.partition(one, other, on=False)
    pair.whole(lab, record, one)
    witness.wait_in_force(lab)

    primary = replaced_in_partition(lab, record)
    decides(lab, record, primary)
    pair.ends_well(lab, record, primary)
