#!/usr/bin/env python3
"""What scripts/wiregen must refuse: a slip in spec/ stops the build.

usage: wiregen.py
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

GOOD = "record,a,2\nrecorddata,a,x,u8\nrecorddata,a,y,u8,2\nmsgtype,m,9\nmsgdata,m,l,u16,\nmsgdata,m,d,byte,l\n"
BAD = {
    "a field of version 1 behind one of version 2": "record,a,2\nrecorddata,a,x,u8,2\nrecorddata,a,y,u8,1\n",
    "a field newer than its record": "record,a,1\nrecorddata,a,x,u8,2\n",
    "a type that does not exist": "msgtype,m,9\nmsgdata,m,x,u24,\n",
    "a count that is no field": "msgtype,m,9\nmsgdata,m,x,byte,len\n",
    "a length that is no integer": "msgtype,m,9\nmsgdata,m,len,sha256,\nmsgdata,m,x,byte,len\n",
    "a message twice": "msgtype,m,9\nmsgtype,m,10\n",
    "a field of a message that does not exist": "msgdata,m,x,u8,\n",
    "an unknown line": "message,m,9\n",
    "an open array of items of variable size": "tlvtype,s,a,1\ntlvdata,s,a,x,bigsize,...\n",
}


def wiregen(text):
    with tempfile.TemporaryDirectory() as d:
        spec = os.path.join(d, "x.csv")
        with open(spec, "w") as f:
            f.write(text)
        done = subprocess.run([os.path.join(ROOT, "scripts", "wiregen"), spec, os.path.join(d, "x")],
                              capture_output=True, text=True)
        # A traceback is not a refusal.
        return done.returncode == 0, "Traceback" in done.stderr, os.path.exists(os.path.join(d, "x.c"))


def main():
    failed = 0
    if wiregen(GOOD) != (True, False, True):
        print("FAILED wiregen: takes a good spec")
        failed += 1
    for name, text in BAD.items():
        if wiregen(text) != (False, False, False):
            print("FAILED wiregen: refuses %s" % name)
            failed += 1
    print("%d passed, %d failed, 0 skipped" % (1 + len(BAD) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
