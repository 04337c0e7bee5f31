"""A thousand peers of one node, each asking for all of its gossip at once; the second time with payments meanwhile.

The network that the node knows is a part of today's: a thousand times all of it are 42 GB."""
import os
import select
import subprocess
import threading
import time

from harness.lampo import open_channel
from harness.process import Failure

from . import drive
from .crowd import Crowd
from .flood import MSAT, SIZE, way
from .machine import Usage, bench_program, build, cpu_seconds, measured, memory

PEERS = 1000
GRAPH, QUICK_GRAPH = (1000, 350), (300, 100)
PAYMENTS = 200


def give_graph(node, channels, nodes):
    """A log of gossip, in place of the node's own."""
    node.close_down()
    path = next(os.path.join(folder, n) for folder, _, names in os.walk(node.folder) for n in names if n == "gossip.log")
    subprocess.run([bench_program("crowd"), "log", str(channels), str(nodes), path], check=True)
    node.start()
    known = node.getinfo()["gossip"]["channels"]
    if known < channels:
        raise Failure("the node read %d of %d channels" % (known, channels))


class Peak(threading.Thread):
    """The most memory that a process was seen with."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.halt, self.most = pid, threading.Event(), 0
        self.start()

    def run(self):
        while not self.halt.wait(0.1):
            self.most = max(self.most, memory(self.pid)[2])

    def stop(self):
        self.halt.set()
        self.join()
        return self.most


def measure(net, channels, nodes, peers):
    config = {"log-level": "info", "peers-max": peers + 10}
    a, b = net.lampo("alice", **config), net.lampo("bob", **config)
    give_graph(a, channels, nodes)
    a.fund(SIZE + 1_000_000)
    open_channel(net.watch, a, b, SIZE)
    route = way(a, b)

    def pay():
        return drive.sockets(a, b, PAYMENTS, 1, MSAT, Usage((a, b)), route=route)

    def crowd():
        return Crowd("sync", peers, "127.0.0.1", a.port, a.id)

    def connected():
        net.until("all peers", lambda: a.getinfo()["num_peers"] >= peers + 1, 60)
        time.sleep(1)

    out = {"name": "Lampo", "alone": memory(a.pid)[2], "peers": peers, "channels": channels, "nodes": nodes}
    with crowd() as all_of_them:
        connected()
        out["connected"] = memory(a.pid)[2]
        peak, cpu = Peak(a.pid), cpu_seconds(a.pid)
        out["first"] = all_of_them.say("g")
        out["cpu"] = cpu_seconds(a.pid) - cpu
        out["peak"] = peak.stop()
        time.sleep(1)
        out["after"] = memory(a.pid)[2]
    net.until("none of them", lambda: a.getinfo()["num_peers"] == 1, 60)
    out["none"] = [pay() for _ in range(5)][2:]
    with crowd() as all_of_them:
        connected()
        out["idle"] = [pay() for _ in range(3)]
        out["syncing"] = []
        all_of_them.order("g")
        while not select.select([all_of_them.child.stdout], [], [], 0)[0]:
            out["syncing"].append(pay())
        out["second"] = all_of_them.answer()
    for sync in (out["first"], out["second"]):
        if sync["lost"] or sync["messages"] < peers * 3 * channels:
            raise Failure("not every peer got everything: %s" % sync)
    return out


def middle(rows, key):
    return sorted(r[key] for r in rows)[len(rows) // 2]


def show(results):
    for r in results:
        first, second = r["first"], r["second"]
        print("%d peers of one node, which knows %d channels of %d nodes; each peer asks for all of it.\n" % (
            r["peers"], r["channels"], r["nodes"]))
        print("| | |\n|---|---:|")
        print("| the node before them, KiB (USS) | %d |" % r["alone"])
        for key, words in (("connected", "each connected peer"), ("peak", "each while all are served, at most"),
                           ("after", "each afterwards")):
            print("| %s, KiB | %.1f |" % (words, (r[key] - r["alone"]) / r["peers"]))
        print("| all served, s | %.1f |" % first["seconds"])
        print("| half of them served, s | %.1f |" % first["median_s"])
        print("| messages a second | %.0f |" % (first["messages"] / first["seconds"]))
        print("| MB a second | %.1f |" % (first["bytes"] / first["seconds"] / 1e6))
        print("| CPU-microseconds of the node a message | %.2f |" % (1e6 * r["cpu"] / first["messages"]))
        print("| all served while it pays, s | %.1f |" % second["seconds"])
        print("\n| payments | count | p50 ms | p99 ms | worst ms |\n|---|---:|---:|---:|---:|")
        for key, words in (("none", "without them"), ("idle", "peers connected"), ("syncing", "all being served")):
            rows = r[key]
            if rows:
                print("| %s | %d | %.2f | %.2f | %.2f |" % (words, sum(x["count"] for x in rows), middle(rows, "p50_ms"),
                                                          middle(rows, "p99_ms"), max(x["max_ms"] for x in rows)))


def prepare():
    build("pay", "crowd")


def run(base, args):
    graph = QUICK_GRAPH if args.quick else GRAPH
    peers = args.count[0] if args.count else PEERS
    results, code = measured(base, (("lampo", lambda net: measure(net, *graph, peers)),), "lampo")
    show(results)
    return results, code
