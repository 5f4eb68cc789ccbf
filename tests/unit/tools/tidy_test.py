"""tools/tidy finds what it is for."""
import importlib.machinery
import importlib.util
import unittest
from pathlib import Path

TREE = Path(__file__).resolve().parents[3]


def load():
    loader = importlib.machinery.SourceFileLoader("tidy", str(TREE / "tools/tidy"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", loader))
    loader.exec_module(module)
    return module


tidy = load()


class Recorder:
    def __init__(self):
        self.texts = []

    def add(self, _, line, text):
        self.texts.append(f"{line}: {text}")


def includes(path, *lines):
    found = Recorder()
    tidy.check_includes(TREE / path, lines, found)
    return found.texts


class Functions(unittest.TestCase):
    def test_each_is_found_once_with_its_lines(self):
        source = """namespace a {
struct S {
    int f() const { return 1; }
    int values[2] = {1, 2};
};
int g(int x) {
    // a comment with a { in it
    auto lambda = [x] {
        return "}" + x;
    };
    if (x) {
        return 'x';
    }
    return lambda();
}
S::S() : one_(1), two_{2} {
}
}
"""
        heads = [(first, last) for first, last, _ in tidy.functions(source)]
        self.assertEqual(heads[:2], [(3, 3), (6, 15)])

    def test_a_long_one_is_complained_of(self):
        source = "void f() {\n" + "    g();\n" * 70 + "}\n"
        found = Recorder()
        tidy.check_sizes(TREE / "src/x.cc", source, found)
        self.assertEqual(found.texts, ["1: f has 72 lines, more than 70"])


class Includes(unittest.TestCase):
    def test_who_may_include_what(self):
        self.assertEqual(includes("src/core/a.cc", '#include "base/a.h"', "#include <vector>"), [])
        self.assertEqual(includes("src/core/a.cc", '#include "io/a.h"'), ["1: core may not include io/a.h"])
        self.assertEqual(includes("src/core/a.cc", "#include <unistd.h>"),
                         ["1: pure code may not include unistd.h"])
        self.assertEqual(includes("src/vipd/a.cc", '#include "clusterd/a.h"'),
                         ["1: vipd may not include clusterd/a.h"])
        self.assertEqual(includes("src/io/a.cc", '#include "core/cluster/a.h"'),
                         ["1: io may not include core/cluster/a.h"])
        self.assertEqual(includes("src/ctl/a.cc", "#include <CLI/CLI.hpp>"),
                         ["1: CLI/CLI.hpp may not be included here"])
        self.assertEqual(includes("src/ctl/main.cc", "#include <CLI/CLI.hpp>"), [])


class Words(unittest.TestCase):
    def test_words_and_places(self):
        found = Recorder()
        tidy.check_words(TREE / "docs/x.md", ["the " + "ma" + "ster node", "in /" + "work/x", "/srv/" + "work/"], found)
        self.assertEqual(len(found.texts), 2)


if __name__ == "__main__":
    unittest.main()
