"""The history checker finds each made-up crime, and nothing in a lawful history."""
import unittest

from tools.lab.campaign import history
from tools.lab.campaign.history import Ack


def reign(node, name, begin, end, client="a", first=1, every=0.1):
    """Acknowledgements of one reign, one after the other."""
    acks, n, at = [], first, begin
    while at + every <= end + 1e-9:
        acks.append(Ack(client, n, node, name, at, at + every / 2))
        n, at = n + 1, at + every
    return acks


def book(acks, **changes):
    """check()'s arguments for a history in which everything acknowledged is there once."""
    confirmed = {(ack.client, ack.n) for ack in acks}
    given = {"acks": acks, "confirmed": confirmed, "begun": set(confirmed), "refused": set(),
             "counts": {key: 1 for key in confirmed}}
    return given | changes


# node1 serves from 0 to 10, node2 from 13 on, node1 again from 20
LAWFUL = [*reign("node1", "r1", 0, 10), *reign("node2", "r2", 13, 18, first=1000),
          *reign("node1", "r3", 20, 22, first=2000)]


class HistoryTest(unittest.TestCase):
    def complaints(self, given, *expected):
        found = history.check(**given)
        self.assertEqual(len(found), len(expected), found)
        for text, words in zip(found, expected):
            self.assertIn(words, text)

    def test_a_lawful_history(self):
        self.complaints(book(LAWFUL))

    def test_a_lost_record(self):
        given = book(LAWFUL)
        del given["counts"]["a", 7]
        self.complaints(given, "1 acknowledged and lost: a/7")

    def test_a_lost_record_of_a_client_that_has_no_other(self):
        given = book(LAWFUL + [Ack("z", 1, "node2", "r2", 14, 14.01)])
        del given["counts"]["z", 1]
        self.complaints(given, "1 acknowledged and lost: z/1")

    def test_a_doubled_record(self):
        given = book(LAWFUL)
        given["counts"]["a", 1003] = 2
        self.complaints(given, "1 there more than once: a/1003")

    def test_a_record_from_nowhere(self):
        given = book(LAWFUL)
        given["counts"]["a", 99999] = 1
        self.complaints(given, "never begun, or refused: a/99999")

    def test_a_refused_record_is_not_there(self):
        given = book(LAWFUL)
        given["begun"].add(("a", 5000))
        given["refused"].add(("a", 5000))
        self.complaints(given)
        given["counts"]["a", 5000] = 1
        self.complaints(given, "never begun, or refused: a/5000")

    def test_a_doubtful_record_may_be_there_or_not(self):
        given = book(LAWFUL)
        given["begun"] |= {("a", 5000), ("a", 5001)}
        given["counts"]["a", 5000] = 1
        self.complaints(given)

    def test_two_nodes_acknowledge_at_once(self):
        late = [Ack("b", 1, "node1", "r1", 13.5, 13.51)]    # node1 went on after node2 began
        self.complaints(book(LAWFUL + late), "two acknowledged in turns: node1 (reign r1)")

    def test_two_lives_on_one_node_count_as_well(self):
        self.complaints(book(LAWFUL + [Ack("b", 1, "node1", "r1", 21, 21.01)]),
                        "node1 (reign r1)", "node1 (reign r1)")

    def test_an_ack_stretched_by_a_freeze_is_none_of_the_time_after(self):
        frozen = [Ack("b", 1, "node1", "r1", 9.9, 15.0)]    # begun before, its end seen after the thaw
        self.complaints(book(LAWFUL + frozen))

    def test_one_ack_in_the_middle_of_anothers_reign(self):
        self.complaints(book(LAWFUL + [Ack("b", 1, "node2", "rx", 5.0, 5.01),
                                       Ack("b", 2, "node2", "rx", 5.1, 5.11)]),
                        "two acknowledged in turns: node1 (reign r1)")

    def test_a_single_ack_at_the_edge_is_no_proof(self):
        self.complaints(book(LAWFUL + [Ack("b", 1, "node2", "rx", 9.95, 10.5)]))


if __name__ == "__main__":
    unittest.main()
