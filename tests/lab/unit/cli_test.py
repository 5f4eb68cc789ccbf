"""The lab explains itself: every verb has help, and a mistake is answered with one line."""
import subprocess
import sys
import unittest

from tools.lab import cli, places


def lab(*words):
    return subprocess.run([sys.executable, "-B", places.TREE / "lab", *words], text=True,
                          capture_output=True, check=False, timeout=60)


class CliTest(unittest.TestCase):
    def test_the_overview_lists_every_verb(self):
        text = lab("--help").stdout
        for _, usage, summary, _ in cli.VERBS.values():
            self.assertIn(usage, text)
            self.assertIn(summary, text)

    def test_every_verb_has_help(self):
        for verb, (_, usage, summary, _) in cli.VERBS.items():
            done = lab(verb, "--help")
            self.assertEqual(done.returncode, 0, verb)
            self.assertIn(f"./lab {usage}\n\n{summary}", done.stdout)

    def test_mistakes_are_one_line(self):
        for words, told in ((("fly",), "no verb fly"),
                            (("shell",), "usage: ./lab shell NODE"),
                            (("exec", "node9", "true"), "no host node9"),
                            (("scene", "no-such"), "no scene no-such"),
                            (("test", "--only", "x"), "usage: ./lab test"),
                            (("bench", "no-such"), "no benchmark no-such")):
            done = lab(*words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertTrue(told in done.stderr or "needs root" in done.stderr, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
