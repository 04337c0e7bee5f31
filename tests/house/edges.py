#!/usr/bin/env python3
"""Holds the edges between the rooms (docs/ARCHITECTURE.md).

Reads every #include of the tree and fails on one that the table below does not
allow: a room that reaches sideways or upwards, a core file that wants a clock
or a descriptor, a public header that leaks an inner one, headers in a circle, a
file that has grown past what one can hold in the head.  Adding a line to the
table is a decision about the architecture, not a way to get past this test.
"""
import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# What a room of the core may include besides itself.
BELOW = {
    "base": "",
    "crypto": "base",
    "bitcoin": "base crypto",
    "wire": "base crypto bitcoin",
    "noise": "base crypto",
    "onion": "base crypto bitcoin wire",
    "contract": "base crypto bitcoin",
    "step": "base crypto bitcoin wire contract",
    "chain": "base crypto bitcoin step",
    "wallet": "base crypto bitcoin contract step",
    "channel": "base crypto bitcoin wire contract step",
    "onchain": "base crypto bitcoin contract step",
    "peer": "base crypto bitcoin wire noise step",
    "invoice": "base crypto bitcoin wire step",
    "gossip": "base crypto bitcoin wire step",
    "route": "base crypto bitcoin wire step",
    "payment": "base crypto bitcoin wire onion step",
}
BELOW = {room: set(rooms.split()) for room, rooms in BELOW.items()}
# node/ is the only room that knows the machines, and it knows all of them.
BELOW["node"] = set(BELOW)
CORE = set(BELOW)

# The rooms around the core.  "core" stands for any room of it.
AROUND = {
    "runtime/loop": "core:base core:step",
    "runtime/store": "core:base core:step",
    "runtime/signer": "core runtime/loop",
    "runtime/chain": "core runtime/loop",
    "runtime/peer": "core runtime/loop runtime/signer",
    "runtime/exec": "core:base core:step runtime/store runtime/signer",
    "runtime/funds": "core runtime/exec",
    # Wires all of the above to one node.
    "runtime/daemon": "core runtime",
    "runtime/sdk": "core runtime api lampo",
    "api/json": "core:base",
    "api/rpc": "core runtime api/json lampo",
    "api/plugin": "core runtime api/json api/rpc lampo",
    "api/http": "core runtime api/json api/rpc lampo",
    "api/sdk": "core runtime api/json api/rpc lampo",
    "cmd/lampod-cli": "core runtime api lampo",
    "cmd/lampo-cli": "core:base api/json lampo",
    "lampo": "",
    "examples": "lampo",
}
AROUND = {room: set(rooms.split()) for room, rooms in AROUND.items()}

# The core computes.  It reads no clock, opens nothing, starts nothing.
CORE_SYSTEM = {
    "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdnoreturn.h",
    "inttypes.h", "limits.h", "string.h", "stdlib.h", "stdio.h",
    "secp256k1.h", "secp256k1_ecdh.h", "secp256k1_extrakeys.h", "secp256k1_recovery.h",
    "secp256k1_schnorrsig.h",
}
CORE_SYSTEM_PREFIX = ("nettle/",)
# stdio.h gives snprintf and, to these two, a last word on stderr.
LINES_MAX = 1000
NAMES_BANNED = re.compile(r"^(utils?|common|misc|manager|helpers?)$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


def room_of(path):
    """The room that a file of the tree belongs to; None for what no rule governs."""
    part = path.split("/")
    if part[0] == "core" and len(part) > 2:
        return part[1]
    if part[0] in ("runtime", "api", "cmd") and len(part) > 2:
        return part[0] + "/" + part[1]
    if path.startswith("include/lampo/"):
        return "lampo"
    if part[0] == "examples":
        return "examples"
    return None


def target_of(name, files):
    """The tree's path that a quoted include names, found as the compiler finds it."""
    for prefix in ("core/", "build/gen/", "include/", ""):
        if prefix + name in files:
            return prefix + name
    # Generated before the first build.
    return "core/" + name if name.startswith("wire/") else None


def room_of_target(path):
    return "wire" if path.startswith("build/gen/wire/") else room_of(path)


def allowed(room, other):
    if room == other:
        return True
    if room in CORE:
        return other in BELOW[room]
    may = AROUND.get(room)
    if may is None:
        return False
    if other in CORE:
        return "core" in may or "core:" + other in may
    return other in may or other.split("/")[0] in may


def judge_file(path, text, files):
    """What is wrong with the includes of one file, as sentences."""
    room, wrong = room_of(path), []
    if room is None:
        return wrong
    if room not in CORE and room not in AROUND:
        return ["%s: room %s is not in the table of %s" % (path, room, os.path.basename(__file__))]
    for m in INCLUDE.finditer(text):
        where = "%s:%d" % (path, text.count("\n", 0, m.start()) + 1)
        quoted, system = m.group(1), m.group(2)
        if system and system.startswith("lampo/"):
            quoted, system = system, None
        if system:
            if room in CORE and system not in CORE_SYSTEM and not system.startswith(CORE_SYSTEM_PREFIX):
                wrong.append("%s: the core may not include <%s>" % (where, system))
            continue
        target = target_of(quoted, files)
        if target is None:
            wrong.append("%s: \"%s\" is not named from a root of the tree" % (where, quoted))
            continue
        other = room_of_target(target)
        if other is None or not allowed(room, other):
            wrong.append("%s: %s may not include %s (\"%s\")" % (where, room, other or target, quoted))
    return wrong


def judge_cycles(texts):
    """Headers that include one another in a circle."""
    graph = {}
    for path, text in texts.items():
        if path.endswith(".h"):
            to = (target_of(m.group(1) or "", texts) for m in INCLUDE.finditer(text) if m.group(1))
            graph[path] = sorted(t for t in to if t in texts)
    state, wrong = {}, []

    def visit(start):
        stack = [(start, iter(graph[start]))]
        state[start] = "open"
        while stack:
            node, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                state[node] = "done"
                stack.pop()
            elif state.get(step) == "open":
                names = [n for n, _ in stack]
                wrong.append("circle: " + " -> ".join(names[names.index(step):] + [step]))
            elif step in graph and step not in state:
                state[step] = "open"
                stack.append((step, iter(graph[step])))

    for path in sorted(graph):
        if path not in state:
            visit(path)
    return wrong


def judge_own_header_first(path, text, files):
    own = path[:-2] + ".h"
    if not path.endswith(".c") or own not in files or room_of(path) is None:
        return []
    m = INCLUDE.search(text)
    if m and m.group(1) and target_of(m.group(1), files) == own:
        return []
    return ["%s: does not include its own header first, which proves that one self-contained" % path]


def judge_shape(path, text):
    wrong = []
    lines = text.count("\n")
    if lines > LINES_MAX:
        wrong.append("%s: %d lines; a file has %d at the most" % (path, lines, LINES_MAX))
    if NAMES_BANNED.match(os.path.splitext(os.path.basename(path))[0]):
        wrong.append("%s: a name that says nothing" % path)
    return wrong


def read_tree():
    texts = {}
    for top in ("core", "runtime", "api", "cmd", "include", "examples", "tests", "bench", "build/gen"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as f:
                        texts[os.path.relpath(path, ROOT)] = f.read()
    return texts


def self_test():
    """Each rule must catch what it is for."""
    files = {p: "" for p in (
        "core/base/a.h", "core/wire/w.h", "core/channel/c.h", "core/payment/p.h", "core/onion/o.h",
        "core/node/n.h", "runtime/exec/exec.h", "api/json/j.h", "include/lampo/lampo.h")}
    caught = [
        ("core/channel/x.c", '#include "payment/p.h"'),       # machine to machine
        ("core/base/x.c", '#include "wire/w.h"'),             # upwards
        ("core/channel/x.c", '#include "onion/o.h"'),         # the channel opens no onion
        ("core/node/x.c", '#include "runtime/exec/exec.h"'),  # the core to the runtime
        ("core/base/x.c", "#include <time.h>"),               # a clock
        ("core/base/x.c", '# include "a.h"'),                 # not from a root
        ("runtime/exec/x.c", '#include "api/json/j.h"'),      # the runtime to the API
        ("include/lampo/x.h", '#include "node/n.h"'),         # a leak from the public header
        ("examples/x.c", '#include "core/node/n.h"'),         # an embedder has the SDK alone
        ("core/parlour/x.c", '#include "base/a.h"'),          # a room nobody planned
    ]
    passes = [
        ("core/channel/x.c", '#include "wire/w.h"\n#include <string.h>\n#include "channel/c.h"'),
        ("core/node/x.c", '#include "payment/p.h"\n#include "channel/c.h"'),
        ("runtime/exec/x.c", '#include "node/n.h"\n#include <unistd.h>'),
        ("examples/x.c", "#include <lampo/lampo.h>"),
        ("tests/unit/x.c", '#include "channel/c.h"\n#include "payment/p.h"'),
    ]
    for path, text in caught:
        assert len(judge_file(path, text, files)) == 1, (path, text)
    for path, text in passes:
        assert judge_file(path, text, files) == [], (path, text)
    circle = {"core/base/a.h": '#include "base/b.h"', "core/base/b.h": '#include "base/c.h"',
              "core/base/c.h": '#include "base/a.h"'}
    assert len(judge_cycles(circle)) == 1
    circle["core/base/c.h"] = ""
    assert judge_cycles(circle) == []
    own = {"core/base/a.h": "", "core/base/b.h": ""}
    assert judge_own_header_first("core/base/a.c", '#include "base/b.h"\n#include "base/a.h"', own)
    assert not judge_own_header_first("core/base/a.c", '#include "base/a.h"', own)
    assert judge_shape("core/base/util.c", "") and judge_shape("core/base/a.c", "\n" * 1001)


def main():
    self_test()
    texts = read_tree()
    results = [
        ("the table catches what it is for", []),
        ("rooms include only what lies below them",
         [w for p, t in sorted(texts.items()) for w in judge_file(p, t, texts)]),
        ("no circle of headers", judge_cycles(texts)),
        ("own header first", [w for p, t in sorted(texts.items()) for w in judge_own_header_first(p, t, texts)]),
        ("files have a size and a name", [w for p, t in sorted(texts.items())
                                          if not p.startswith("build/") for w in judge_shape(p, t)]),
    ]
    failed = 0
    for name, wrong in results:
        print("%s edges: %s" % ("FAILED" if wrong else "ok    ", name))
        for w in wrong:
            print("  " + w)
        failed += bool(wrong)
    print("%d passed, %d failed, 0 skipped" % (len(results) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
