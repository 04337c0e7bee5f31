"""Payments over a channel while fifty peers flood the payer with gossip: valid announcements and updates."""
import time

from harness.lampo import open_channel
from harness.process import Failure

from . import drive
from .crowd import Crowd, fund
from .machine import Usage, build, measured, read_bytes

MSAT = 1_000_000
PEERS, CHANNELS, NODES = 50, 2000, 700
UPDATES, QUICK_UPDATES = 150_000, 40_000
ROUNDS, PAYMENTS = 6, 400
SIZE = 16_000_000


def way(a, b):
    return [{"id": b.id, "channel": a.channel(b.id)["short_channel_id"], "direction": int(a.id > b.id), "amount_msat": MSAT,
             "delay": 40, "style": "tlv"}]


def measure(net, updates, payments, rounds):
    quieter = {"log-level": "info"}
    a, b = net.lampo("alice", **quieter), net.lampo("bob", **quieter)
    a.fund(SIZE + 1_000_000)
    open_channel(net.watch, a, b, SIZE)
    height, index = fund(net.bitcoind, CHANNELS, NODES)
    a.synced()
    b.synced()
    route = way(a, b)
    rows = {"none": [], "flood": []}
    with Crowd("flood", CHANNELS, NODES, height, index, "127.0.0.1", a.port, a.id, PEERS, updates) as crowd:
        crowd.say("a")
        net.until("the announced channels", lambda: a.getinfo()["gossip"]["channels"] >= CHANNELS, 60)
        drive.sockets(a, b, payments, 1, MSAT, Usage((a, b)), route=route)
        before = a.getinfo()["gossip"]["accepted"]
        seconds, read = 0.0, 0
        for _ in range(rounds):
            rows["none"].append(drive.sockets(a, b, payments, 1, MSAT, Usage((a, b)), route=route))
            crowd.say("g")
            time.sleep(0.5)
            began, read_before = time.monotonic(), read_bytes(a.pid)
            rows["flood"].append(drive.sockets(a, b, payments, 1, MSAT, Usage((a, b)), route=route))
            read += read_bytes(a.pid) - read_before
            seconds += time.monotonic() - began
            crowd.say("s")
            # What the sockets hold is read to its end before payments without a flood are measured.
            net.until("the flood's end", lambda: quiet_for(a, 0.3), 120)
        accepted = a.getinfo()["gossip"]["accepted"] - before
    if not accepted:
        raise Failure("nothing of the flood was believed")
    return {"name": "Lampo", "rows": rows, "accepted": accepted, "read_per_second": read / seconds}


def quiet_for(node, seconds):
    before = read_bytes(node.pid)
    time.sleep(seconds)
    return read_bytes(node.pid) - before < 100_000 * seconds and not node.getinfo()["gossip"]["verifying"]


def middle(rows, key):
    return sorted(r[key] for r in rows)[len(rows) // 2]


def show(results):
    for r in results:
        print("| gossip | payments | p50 ms | p99 ms | worst ms | CPU-ms each: payer, payee |\n|---|---:|---:|---:|---:|---:|")
        for name, rows in r["rows"].items():
            print("| %s | %d | %.2f | %.2f | %.2f | %s |" % (
                {"none": "none", "flood": "%d peers" % PEERS}[name], sum(x["count"] for x in rows), middle(rows, "p50_ms"),
                middle(rows, "p99_ms"), max(x["max_ms"] for x in rows),
                " + ".join("%.2f" % (sum(x["cpu_ms"][i] for x in rows) / len(rows)) for i in range(2))))
        none, flood = (middle(r["rows"][k], "p99_ms") for k in ("none", "flood"))
        print("\np99 with the flood: %+.0f %% (medians of %d rounds each, in turn). Read by the payer meanwhile: "
              "%.1f MB/s; believed in all: %d messages." % (100 * (flood / none - 1), len(r["rows"]["none"]),
                                                            r["read_per_second"] / 1e6, r["accepted"]))


def prepare():
    build("pay", "crowd")


def run(base, args):
    updates = QUICK_UPDATES if args.quick else UPDATES
    results, code = measured(base, (("lampo", lambda net: measure(net, updates, PAYMENTS, 2 if args.quick else ROUNDS)),), "lampo")
    show(results)
    return results, code
