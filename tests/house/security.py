#!/usr/bin/env python3
"""Holds the table of attacks in docs/ATTACKS.md and the tests together.

usage: security.py

Every test that the table names exists, every file of a defence is there, and
every test of a file named attack_* stands in the table.
"""
import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DOCUMENT = "docs/ATTACKS.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
PATH = re.compile(r"\b(?:core|runtime|api|cmd|spec)/[\w/-]+\.(?:c|h|csv)\b")
UNIT = re.compile(r"^TEST\((\w+)\)", re.M)
ATTACKS = re.compile(r"^tests/unit/(\w+_)?attack_\w+_test\.c$")
SCENARIO = re.compile(r'^const struct scenario \w+ = \{ "([\w-]+)"', re.M)


# A year, a BOLT, or that there is none.
KNOWN = re.compile(r"\b20[0-9]{2}\b|\bBOLT [0-9]|^our own review$")


def read_tests():
    """Path -> names of its tests."""
    tests = {}
    folder = os.path.join(ROOT, "tests", "unit")
    for name in sorted(os.listdir(folder)):
        if name.endswith("_test.c"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                tests["tests/unit/" + name] = UNIT.findall(f.read())
    return tests


def read_scenarios():
    """Names that `sim --scenario` takes: they stand in the simulator's table."""
    names = set()
    folder = os.path.join(ROOT, "tests", "sim")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".c"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                names |= set(SCENARIO.findall(f.read()))
    return names


def rows_of(document):
    """Of the table with five columns: attack, where it was disclosed, how, why it fails here, tests."""
    rows = [tuple(cell.strip() for cell in r) for r in ROW.findall(document)]
    return [r for r in rows if r[0] != "attack" and not r[0].startswith("---")]


def judge_tests(rows, tests, scenarios):
    wrong = []
    for attack, disclosed, how, _, named in rows:
        if not how.endswith("."):
            wrong.append("%s: how it works is a sentence" % attack)
        if not KNOWN.search(disclosed):
            wrong.append("%s: it does not say where it was disclosed" % attack)
        for test in named.split(", "):
            where, _, name = test.partition(": ")
            if where == "sim":
                if name not in scenarios:
                    wrong.append("%s: the simulator has no scenario %s" % (attack, name))
            elif name not in tests.get(where, []):
                wrong.append("%s: there is no test %s in %s" % (attack, name, where))
    return wrong


def judge_defences(rows):
    wrong = []
    for attack, _, _, why, _ in rows:
        if not PATH.search(why):
            wrong.append("%s: no file is named that stands against it" % attack)
        wrong += ["%s: there is no %s" % (attack, path) for path in PATH.findall(why)
                  if not os.path.isfile(os.path.join(ROOT, path))]
    return wrong


def judge_names(rows, tests):
    """A test that is named for an attack is told of."""
    told = {test for row in rows for test in row[4].split(", ")}
    return ["%s: %s stands in no row" % (path, name) for path, names in tests.items() if ATTACKS.match(path)
            for name in names if "%s: %s" % (path, name) not in told]


def self_test():
    """Each rule must catch what it is for."""
    document = ("| attack | disclosed | how | why | test |\n|---|---|---|---|---|\n"
                "| A | N. N., 2026 | It works. | So. core/base/log.c | tests/unit/attack_a_test.c: a, sim: s |\n")
    rows = rows_of(document)
    tests = {"tests/unit/attack_a_test.c": ["a"], "tests/unit/b_test.c": ["b"]}
    assert len(rows) == 1
    assert judge_tests(rows, tests, {"s"}) == []
    assert len(judge_tests(rows, {}, {"s"})) == 1
    assert len(judge_tests(rows, tests, set())) == 1
    assert len(judge_tests([("A", "2026", "No sentence", "core/base/log.c", "sim: s")], tests, {"s"})) == 1
    assert len(judge_tests([("A", "somewhere", "It.", "core/base/log.c", "sim: s")], tests, {"s"})) == 1
    assert judge_defences(rows) == []
    assert len(judge_defences([("A", "2026", "It.", "So. core/no.c", "")])) == 1
    assert len(judge_defences([("A", "2026", "It.", "So.", "")])) == 1
    assert judge_names(rows, tests) == []
    assert len(judge_names(rows, {**tests, "tests/unit/channel_attack_b_test.c": ["c"]})) == 1
    assert SCENARIO.findall('const struct scenario scenario_a = { "a-b", "what", 2, run };') == ["a-b"]
    assert UNIT.findall("TEST(a)\n{\n\tTEST(b)\n}") == ["a"]


def main():
    self_test()
    with open(os.path.join(ROOT, DOCUMENT), encoding="utf-8") as f:
        rows = rows_of(f.read())
    tests = read_tests()
    results = [
        ("every test of the table is there", judge_tests(rows, tests, read_scenarios())),
        ("every file of a defence is there", judge_defences(rows)),
        ("every test of an attack is told of", judge_names(rows, tests)),
    ]
    failed = 0
    for name, wrong in results:
        print("%s security: %s (%d)" % ("FAILED" if wrong else "ok    ", name, len(rows)))
        for w in wrong:
            print("  " + w)
        failed += bool(wrong)
    if len(rows) < 15:
        print("FAILED security: %s has a table of attacks" % DOCUMENT)
        failed += 1
    print("%d passed, %d failed, 0 skipped" % (len(results) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
