#!/usr/bin/env python3
"""The numbers that spec/ gives to messages and TLV records are those of the BOLTs.

usage: numbers.py

Whatever leaves this node is made by a codec that scripts/wiregen made of spec/, so
a number that is not there is never sent.  Even numbers matter: who does not know one
has to hang up.  And no number is our own invention: what is not the BOLTs' or a
bLIP's stands in the lists below, which is nowhere.
"""
import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FILES = ("bolt1.csv", "bolt2.csv", "bolt4.csv", "bolt7.csv")

# B1.lightning_message_format.1: the even types of BOLT 1, 2 and 7.
EVEN_MESSAGES = {2, 16, 18, 32, 34, 36, 38, 40, 64, 66, 68, 70, 72, 74, 80, 128, 130, 132, 134, 136, 256, 258, 262, 264}
# Types from here on are for messages that somebody makes up (B1.lightning_message_format.4,
# B1.lightning_message_format.5, B1.lightning_message_format.6, B1.lightning_message_format.7): there are none of ours.
CUSTOM_MESSAGE = 32768

# B1.lightning_message_format.2: the even records of extensions that the BOLTs define.
EVEN_RECORDS = {
    ("tx_add_input_tlvs", 0), ("tx_signatures_tlvs", 0), ("tx_init_rbf_tlvs", 0), ("tx_init_rbf_tlvs", 2),
    ("tx_ack_rbf_tlvs", 0), ("tx_ack_rbf_tlvs", 2), ("open_channel_tlvs", 0), ("accept_channel_tlvs", 0),
    ("opening_tlvs", 0), ("opening_tlvs", 2), ("accept_tlvs", 0), ("accept_tlvs", 2), ("splice_init_tlvs", 2),
    ("splice_ack_tlvs", 2), ("closing_tlvs", 2), ("update_add_htlc_tlvs", 0),
}
# From here on record types are for anybody (B1.type_length_value_format.3, B1.type_length_value_format.4,
# B1.type_length_value_format.5); bLIP 3 has taken one.
CUSTOM_RECORD = 65536
BLIPS = {("onion_payload", 5482373484)}


def lines():
    for name in FILES:
        with open(os.path.join(ROOT, "spec", name), encoding="utf-8") as f:
            yield from (line.strip().split(",") for line in f)


def judge(rows):
    rows = list(rows)
    extensions = {r[3] for r in rows if r[0] == "msgdata" and r[2] == "tlvs"}
    messages = {int(r[2]) for r in rows if r[0] == "msgtype"}
    records = {(r[1], int(r[3])) for r in rows if r[0] == "tlvtype"}
    even = {r for r in records if r[0] in extensions and r[1] % 2 == 0}
    return [
        ("even messages are those of the BOLTs", ["%d" % t for t in sorted(t for t in messages if t % 2 == 0) if t not in EVEN_MESSAGES]),
        ("no message is our own", ["%d" % t for t in sorted(messages) if t >= CUSTOM_MESSAGE]),
        ("even records of extensions are those of the BOLTs", ["%s %d" % r for r in sorted(even - EVEN_RECORDS)]),
        ("no record is our own", ["%s %d" % r for r in sorted(records - BLIPS) if r[1] >= CUSTOM_RECORD]),
    ]


def self_test():
    wrong = judge([r.split(",") for r in ("msgtype,a,20", "msgtype,b,32769", "msgdata,a,tlvs,x,", "tlvtype,x,y,6",
                                          "tlvtype,z,y,6", "tlvtype,z,v,65537")])
    assert [len(w) for _, w in wrong] == [1, 1, 1, 1]


def main():
    self_test()
    rows = list(lines())
    failed = 0
    results = judge(rows)
    for name, wrong in results:
        print("%s numbers: %s" % ("FAILED" if wrong else "ok    ", name))
        for w in wrong:
            print("  " + w)
        failed += bool(wrong)
    if sum(r[0] == "msgtype" for r in rows) < 40:
        print("FAILED numbers: spec/ has messages")
        failed += 1
    print("%d passed, %d failed, 0 skipped" % (len(results) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
