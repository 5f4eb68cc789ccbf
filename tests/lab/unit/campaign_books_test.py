"""What the campaign reads: the appender's file, and the silences in a book."""
import unittest

from tools.lab.campaign import appender, books, report


def record(client, n, node="node1"):
    return f"{client} {n} {node} ".ljust(appender.SIZE - 1, ".") + "\n"


class BooksTest(unittest.TestCase):
    def test_the_appenders_file(self):
        text = record("vip", 1) + record("node1", 1000) + record("vip", 2) + record("vip", 2)
        self.assertEqual(appender.counts(text), {("vip", 1): 1, ("node1", 1000): 1, ("vip", 2): 2})
        self.assertEqual(appender.counts(""), {})

    def test_a_torn_record_is_noticed(self):
        for torn in (record("vip", 1)[:-9], record("vip", 1)[9:], "\0" * appender.SIZE,
                     record("vip", 1)[:20] + record("vip", 2)):
            with self.assertRaises(ValueError):
                appender.counts(record("vip", 1) + torn)

    def test_the_longest_gap_reaches_into_the_time_asked_for(self):
        times = [1, 2, 3, 9, 10, 30]
        self.assertEqual(books.longest_gap(times, 4, 11), 6)
        self.assertEqual(books.longest_gap(times, 2.5, 3.5), 1)
        self.assertEqual(books.longest_gap([], 2, 5), 3)

    def test_the_table_counts_outcomes(self):
        lines = report.table([report.Outcome(1, "f", 1, "moved", 2.0), report.Outcome(2, "f", 1, "stayed"),
                              report.Outcome(3, "f", 1, "FAILED"), report.Outcome(4, "f", 1)])
        self.assertEqual(lines[1].split()[:7], ["f", "4", "1", "1", "0", "0", "2"])


if __name__ == "__main__":
    unittest.main()
