#!/usr/bin/env python3
"""Holds docs/INVARIANTS.md and the code together.

usage: invariants.py

Every invariant that a file states (a comment line that begins with its name)
is stated once and has one line of the table, and the other way round.  The
files of a line are there and name the invariant, its test exists, and nothing
in the tree names an invariant that nobody states.
"""
import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TABLE = "docs/INVARIANTS.md"
NAME = r"(?:INV-[A-Z]\d+|(?<![\w-])P-\d+)\b"
MENTION = re.compile(NAME)
# INV-1 and the like, without the letter of a room, would be another room's too.
LOOSE = re.compile(r"\bINV-(?:\d+|[A-Z]{2,}\d*)\b")
STATED = re.compile(r"^[ \t]*\*[ \t]+(%s)[ \t]+\S" % NAME, re.M)
ROW = re.compile(r"^\| (\S+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)


def read_tree():
    texts = {}
    for top in ("core", "runtime", "api", "cmd", "include", "tests"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as f:
                        texts[os.path.relpath(path, ROOT)] = f.read()
    return texts


def statements(texts):
    """Which file states each invariant: name -> list of files."""
    stated = {}
    for path, text in sorted(texts.items()):
        if not path.startswith("tests/"):
            for m in STATED.finditer(text):
                stated.setdefault(m.group(1), []).append(path)
    return stated


def judge_names(texts, stated):
    wrong = ["%s is stated in %s" % (name, " and ".join(paths)) for name, paths in sorted(stated.items()) if len(paths) > 1]
    for path, text in sorted(texts.items()):
        wrong += ["%s names %s, which nobody states" % (path, name)
                  for name in sorted(set(MENTION.findall(text)) - set(stated))]
        wrong += ["%s names %s without the letter of its room" % (path, name) for name in sorted(set(LOOSE.findall(text)))]
    return wrong


def judge_row(row, texts, stated):
    name, what, where, kept, test = (cell.strip() for cell in row)
    wrong = []
    if stated.get(name) != [where]:
        wrong.append("%s is not stated in %s" % (name, where))
    if not re.search(r"(?<![\w-])%s\b" % re.escape(name), texts.get(kept, "")):
        wrong.append("%s: %s does not name it" % (name, kept))
    path, _, case = test.partition(": ")
    if "TEST(%s)" % case not in texts.get(path, ""):
        wrong.append("%s: there is no test %s in %s" % (name, case, path))
    if not what:
        wrong.append("%s says nothing" % name)
    return wrong


def judge_table(table, texts, stated):
    rows = [r for r in ROW.findall(table) if r[0] != "name" and not r[0].startswith("---")]
    names = [r[0] for r in rows]
    wrong = ["%s has no line" % name for name in sorted(set(stated) - set(names))]
    wrong += ["%s has %d lines" % (name, names.count(name)) for name in sorted(set(names)) if names.count(name) > 1]
    for row in rows:
        wrong += judge_row(row, texts, stated)
    return wrong


def self_test():
    """Each rule must catch what it is for."""
    texts = {
        "core/a/a.h": "/* Text.\n *\n * INV-A1  One.\n *         More.\n *  P-7  Seven. */",
        "core/a/a.c": "/* INV-A1 */ ASSERT(x); /* P-7 */",
        "tests/unit/a_test.c": "TEST(one)\n{\n\tCHECK(x); /* INV-A1 */\n}",
    }
    stated = statements(texts)
    assert stated == {"INV-A1": ["core/a/a.h"], "P-7": ["core/a/a.h"]}, stated
    assert judge_names(texts, stated) == []
    assert len(judge_names({**texts, "core/b.c": "/* INV-A2, see INV-3 */"}, stated)) == 2
    twice = {**texts, "core/b/b.h": " * INV-A1  Another.\n"}
    assert len(judge_names(twice, statements(twice))) == 1
    row = ("INV-A1", "one", "core/a/a.h", "core/a/a.c", "tests/unit/a_test.c: one")
    assert judge_row(row, texts, stated) == []
    for at, other in ((2, "core/a/a.c"), (3, "core/a/b.c"), (4, "tests/unit/a_test.c: two"), (4, "one")):
        bad = row[:at] + (other,) + row[at + 1:]
        assert len(judge_row(bad, texts, stated)) == 1, bad
    line = "| " + " | ".join(row) + " |\n"
    seven = line.replace("INV-A1", "P-7").replace("one |", "seven |", 1)
    assert judge_table(line + seven, texts, stated) == []
    assert len(judge_table(line, texts, stated)) == 1
    assert len(judge_table(line + line + seven, texts, stated)) == 1


def main():
    self_test()
    texts = read_tree()
    stated = statements(texts)
    with open(os.path.join(ROOT, TABLE), encoding="utf-8") as f:
        table = f.read()
    results = [
        ("each is stated once, and none is named that is not", judge_names(texts, stated)),
        ("the table says where each is kept and tested", judge_table(table, texts, stated)),
    ]
    failed = 0
    for name, wrong in results:
        print("%s invariants: %s (%d)" % ("FAILED" if wrong else "ok    ", name, len(stated)))
        for w in wrong:
            print("  " + w)
        failed += bool(wrong)
    print("%d passed, %d failed, 0 skipped" % (len(results) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
