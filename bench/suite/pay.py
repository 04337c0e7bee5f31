"""Two nodes and a channel: payments, start and memory."""
import socket
import statistics
import threading
import time

from harness.lampo import normal, open_channel, quiet

from . import drive
from .machine import Usage, build, lightningd, measured_kinds, memory

MSAT = 1_000_000  # above every dust limit: each payment is an output with a signature
IN_FLIGHT = (1, 50, 400)
COUNTS, QUICK = (1000, 10000, 20000), (100, 1000, 2000)


def first_answer(node, path):
    """Seconds from the start of a daemon to its first answer on its socket."""
    call = b'{"jsonrpc":"2.0","id":1,"method":"getinfo","params":{}}\n\n'
    began = time.monotonic()
    node.spawn(node.argv())
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(call)
                if s.recv(65536):
                    return time.monotonic() - began
        except OSError:
            node.must_run()
            time.sleep(0.0002)


def measure_lampo(net, counts):
    quieter = {"log-level": "info"}
    a, b = net.lampo("alice", **quieter), net.lampo("bob", **quieter)
    out = {"name": "Lampo", "idle": memory(b.pid), "rows": []}
    a.fund(60_000_000)
    open_channel(net.watch, a, b, 50_000_000)
    out["channel"] = memory(b.pid)
    for in_flight, count in zip(IN_FLIGHT, counts):
        out["rows"].append(drive.sockets(a, b, count, in_flight, MSAT, Usage((a, b))))
        quiet(net.watch, a, b)
    out["after"] = memory(b.pid)
    starts = []
    for _ in range(10):
        b.close_down()
        starts.append(first_answer(b, b.socket))
    out["start"] = statistics.median(starts)
    normal(net.watch, a, b.id)
    return out


# As people run it: without the tests' short intervals of the database.
LND_BENCH = ("--debuglevel=error",)


def measure_lnd(net, counts):
    a, b = net.lnd("lnd-alice", LND_BENCH), net.lnd("lnd-bob", LND_BENCH)
    out = {"name": "lnd", "idle": memory(b.pid), "rows": []}
    a.fund(60_000_000)
    a.connect_to(b)
    net.bitcoind.mine_with(a.open(b, 16_000_000))
    net.bitcoind.mine(6)
    a.normal(b.id)
    b.normal(a.id)
    out["channel"] = memory(b.pid)
    for in_flight, count in zip(IN_FLIGHT, counts):
        out["rows"].append(drive.lnd(a, b, count, in_flight, MSAT, Usage((a, b))))
    out["after"] = memory(b.pid)
    starts = []
    for _ in range(3):
        b.terminate(60)
        b.local = threading.local()
        began = time.monotonic()
        b.start()
        starts.append(time.monotonic() - began)
    out["start"] = statistics.median(starts)
    return out


def measure_lightningd(net, counts):
    a, b = lightningd(net, "cln-alice"), lightningd(net, "cln-bob")
    out = {"name": "lightningd", "idle": memory(b.pid), "rows": []}
    address = a.call("newaddr", addresstype="bech32")["bech32"]
    net.bitcoind.mine_with(net.bitcoind.send(address, 60_000_000))
    net.until("coins", lambda: any(o["status"] == "confirmed" for o in a.call("listfunds")["outputs"]), 60)
    a.call("connect", id=b.id, host="127.0.0.1", port=b.port)
    net.bitcoind.mine_with(a.call("fundchannel", id=b.id, amount=16_000_000)["txid"])
    net.bitcoind.mine(6)
    for n in (a, b):
        net.until("an open channel", lambda n=n: n.call("listpeerchannels")["channels"][0]["state"] == "CHANNELD_NORMAL", 60)
    out["channel"] = memory(b.pid)
    for in_flight, count in zip(IN_FLIGHT, counts):
        out["rows"].append(drive.sockets(a, b, count, in_flight, MSAT, Usage((a, b)), min(in_flight, 100)))
    out["after"] = memory(b.pid)
    return out


def show(results):
    print("| node | in flight | payments | payments/s | p50 ms | p99 ms | CPU-ms each, payer + payee "
          "| wchar bytes each, payer + payee | data bytes each, payer + payee |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for r in results:
        for row in r["rows"]:
            print("| %s | %d | %d | %.0f | %.2f | %.2f | %.3f + %.3f | %.0f + %.0f | %.0f + %.0f |" % (
                r["name"], row["in_flight"], row["count"], row["per_second"], row["p50_ms"], row["p99_ms"],
                *row["cpu_ms"], *row["wchar"], *row["data"]))
    print("\n| node | start to first answer, s | memory KiB (RSS / PSS / USS): idle | with a channel | after the payments |")
    print("|---|---:|---:|---:|---:|")
    for r in results:
        start = "%.4f" % r["start"] if "start" in r else "-"
        print("| %s | %s | %s | %s | %s |" % (r["name"], start, *("%d / %d / %d" % r[k] for k in ("idle", "channel", "after"))))


def prepare():
    build("pay")


def run(base, args):
    counts = args.count or (QUICK if args.quick else COUNTS)
    # The others need a fraction of the payments for a steady number.
    fewer = [max(50, n // 10) for n in counts]
    results, code = measured_kinds(
        base, args.only, lampo=(measure_lampo, counts), lnd=(measure_lnd, fewer), lightningd=(measure_lightningd, fewer))
    show(results)
    return results, code
