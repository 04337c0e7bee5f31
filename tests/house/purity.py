#!/usr/bin/env python3
"""Proves that the core is pure: what its objects ask of the world outside.

usage: purity.py [build/release]

`nm -u` over every object of the core, against a short list: memory, strings and
the two cryptographic libraries.  No clock, no descriptor, no thread, no locale,
no output.  And no object holds a writable variable, so that two nodes in one
process share nothing.  And where HMACs and secrets are compared, it is in constant
time.
"""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

ALLOWED = re.compile(r"""^(
    mem(cpy|move|set|cmp|chr|mem) | explicit_bzero |
    str(n?len|n?cmp|r?chr|n?casecmp|str|spn|cspn|pbrk) |
    v?snprintf | qsort | bsearch |
    abort |
    nettle_\w+ | _nettle_\w+ | secp256k1_\w+ |
    # the compiler's own: stack guard, checked forms of the above, wide arithmetic
    __stack_chk_fail | __(mem(cpy|move|set)|v?snprintf|explicit_bzero)_chk |
    __(u?div|u?mod|u?mul|ash[lr]|lshr)\w*[dt]i\d? | _GLOBAL_OFFSET_TABLE_
)$""", re.X)

# Where one file may do what the others may not: the heap has one door, a broken
# invariant has a last word, and inet_pton reads text (it opens nothing).
ALSO = {
    "base/mem.o": {"malloc", "calloc", "realloc", "free", "stderr", "fputs", "fwrite", "fprintf", "__fprintf_chk"},
    "peer/address.o": {"inet_pton"},
    "base/assert.o": {"stderr", "fputs", "fwrite", "fprintf", "__fprintf_chk"},
}

WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss)(\.|$)")
READ_ONLY = re.compile(r"^\.data\.rel\.ro(\.|$)")

# These files compare nothing but what strangers must not learn byte by byte (B4.onion_decryption.4).
SECRETIVE = ("core/onion/*.c", "core/noise/*.c", "core/crypto/cipher.c")
HASTY = re.compile(r"\b(memcmp|bcmp|strn?cmp|SAME|bytes_equal)\(")


def objects(out):
    found = glob.glob(os.path.join(out, "core", "*", "*.o")) + glob.glob(os.path.join(out, "gen", "*", "*.o"))
    for path in sorted(found):
        room, name = path.split(os.sep)[-2:]
        # An object whose source is gone is left over from an older build.
        source = os.path.join(ROOT, "core", room, name[:-2] + ".c")
        if "/gen/" in path or os.path.exists(source):
            yield room + "/" + name, path


def tool(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def symbols(paths):
    """What the objects define for one another, and what each still asks for."""
    defined, wanted = set(), {}
    for name, path in paths:
        wanted[name] = set()
        for line in tool("nm", "-P", path).splitlines():
            symbol, kind = line.split()[:2]
            if kind in "Uvw":
                wanted[name].add(symbol)
            elif kind.isupper() or kind in "Vu":
                defined.add(symbol)
    return defined, wanted


def judge_symbols(defined, wanted):
    wrong = []
    for name, symbols_wanted in sorted(wanted.items()):
        for symbol in sorted(symbols_wanted - defined):
            if not ALLOWED.match(symbol) and symbol not in ALSO.get(name, ()):
                wrong.append("%s asks for %s" % (name, symbol))
    return wrong


def judge_sections(name, sections):
    """sections: pairs of name and size, as size -A prints them."""
    return ["%s keeps %d writable bytes in %s" % (name, size, section) for section, size in sections
            if size and WRITABLE.match(section) and not READ_ONLY.match(section)]


def sections_of(path):
    for line in tool("size", "-A", path).splitlines():
        m = re.match(r"^(\.\S+)\s+(\d+)\s+\d+$", line)
        if m:
            yield m.group(1), int(m.group(2))


def judge_comparisons(name, source):
    return ["%s:%d compares in a time that tells: %s" % (name, number, line.strip())
            for number, line in enumerate(source.split("\n"), 1) if HASTY.search(line)]


def secretive():
    paths = sorted(p for pattern in SECRETIVE for p in glob.glob(os.path.join(ROOT, pattern)))
    for path in paths:
        with open(path, encoding="utf-8") as f:
            yield os.path.relpath(path, ROOT), f.read()


def self_test():
    assert len(judge_comparisons("a.c", "if (memcmp(a, b, 32))\nSAME(x, y)\nmem_equal_secret(a, b, 32)")) == 2
    wanted = {"channel/open.o": {"memcpy", "time", "payment_new", "malloc", "secp256k1_ecdsa_sign"},
              "base/mem.o": {"malloc", "open"}}
    assert judge_symbols({"payment_new"}, wanted) == [
        "base/mem.o asks for open", "channel/open.o asks for malloc", "channel/open.o asks for time"]
    assert judge_sections("a.o", [(".text", 9), (".bss", 0), (".data.rel.ro.local", 8), (".rodata", 4)]) == []
    assert len(judge_sections("a.o", [(".bss", 8), (".data.x", 1), (".tbss", 4)])) == 3


def main():
    self_test()
    out = os.path.join(ROOT, sys.argv[1] if len(sys.argv) > 1 else "build/release")
    paths = list(objects(out))
    if not paths:
        print("purity: no objects of the core in %s; build first: make core" % out)
        print("0 passed, 1 failed, 0 skipped")
        return 1
    results = [
        ("the core asks for memory, strings and mathematics only", judge_symbols(*symbols(paths))),
        ("the core keeps no writable variable",
         [w for name, path in paths for w in judge_sections(name, sections_of(path))]),
        ("secrets are compared in constant time", [w for name, text in secretive() for w in judge_comparisons(name, text)]),
    ]
    failed = 0
    for name, wrong in results:
        print("%s purity: %s (%d objects)" % ("FAILED" if wrong else "ok    ", name, len(paths)))
        for w in wrong:
            print("  " + w)
        failed += bool(wrong)
    print("%d passed, %d failed, 0 skipped" % (len(results) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
