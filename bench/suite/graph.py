"""A daemon with the whole network in its log of gossip: its start, and what it takes in memory."""
import lzma
import os
import re
import statistics
import subprocess
import time

from harness.lampo import ROOT, Socket, normal, open_channel
from harness.process import Skip

from .machine import bench_program, build, cpu_seconds, measured, memory
from .pay import first_answer

GRAPH = "mainnet-2026-02-03.tsv.xz"
STARTS, QUICK_STARTS = 10, 3
PLANS, PAYMENTS = 100, 50
MSAT = 1_000_000
# What is aimed at: seconds until it answers, and MiB resident.
READY_S, RESIDENT_MIB = 0.5, 30


def graph_path():
    """The shared vectors lie beside the clone."""
    shared = os.environ.get("LAMPO_SHARED") or os.path.join(ROOT, "..", "shared")
    path = os.path.join(shared, "vectors", "graph", GRAPH)
    if not os.path.exists(path):
        raise Skip("no %s (LAMPO_SHARED)" % path)
    return path


def make_log(folder):
    """The log of gossip that a node of that network has, and its two nodes of most capacity."""
    capacity, tsv = {}, os.path.join(folder, "graph.tsv")
    with lzma.open(graph_path(), "rt", encoding="ascii") as source, open(tsv, "w", encoding="ascii") as out:
        for line in source:
            out.write(line)
            field = line.split()
            if re.fullmatch(r"\d+x\d+x\d+", field[0]):
                for end in field[1:3]:
                    capacity[end] = capacity.get(end, 0) + int(field[3])
    subprocess.run([bench_program("gossip"), "--log", tsv, folder], check=True)
    os.remove(tsv)
    return os.path.join(folder, "gossip.log"), sorted(capacity, key=capacity.get)[-2:]


# Memory by what it is for.

def mapping_of(name, flags):
    if name.startswith("[heap]"):
        return "heap of the main arena"
    if name.startswith("[stack]"):
        return "the main stack"
    if name.endswith("lampod-cli"):
        return "the program"
    if ".so" in name:
        return "libraries"
    if name:
        return "other files"
    return "anonymous: arenas of threads, large blocks" if "mm" not in flags else "stacks of threads"


def mappings(pid):
    """KiB resident by kind of mapping."""
    kib, name, size = {}, "", 0
    with open("/proc/%d/smaps" % pid, encoding="utf-8") as f:
        for line in f:
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)", line)
            if head:
                name = head.group(1)
            elif line.startswith("Rss:"):
                size = int(line.split()[1])
            elif line.startswith("VmFlags:"):
                kind = mapping_of(name, line.split()[1:])
                kib[kind] = kib.get(kind, 0) + size
    return kib


def resident(node):
    return {"kib": memory(node.pid)[0], "mappings": mappings(node.pid)}


def settled(node):
    """Its snapshot is built, and it has nothing to do: the same processor time twice."""
    before = -1
    while before != cpu_seconds(node.pid):
        before = cpu_seconds(node.pid)
        time.sleep(0.5)
    return node


def start(node):
    """(seconds to the first answer, processor seconds until then, MiB resident when it has come to rest)"""
    seconds = first_answer(node, node.socket)
    used = cpu_seconds(node.pid)
    return seconds, used, resident(settled(node))


def plan(node, one, other):
    """getroutes between two nodes of the network, over one connection: milliseconds each."""
    took = []
    with Socket(node.socket) as s:
        for i in range(PLANS):
            began = time.monotonic()
            s.send({"jsonrpc": "2.0", "id": i, "method": "getroutes", "params": {
                "source": one, "destination": other, "amount_msat": 1_000_000_000, "layers": [], "maxfee_msat": 5_000_000,
                "final_cltv": 18}})
            if "error" in s.receive():
                return None
            took.append((time.monotonic() - began) * 1e3)
    return statistics.median(took)


def measure(net, starts):
    log, (one, other) = make_log(net.folder)
    a, b = net.lampo("alice", **{"log-level": "info"}), net.lampo("bob", **{"log-level": "info"})
    a.fund(20_000_000)
    open_channel(net.watch, a, b, 10_000_000)
    out = {"name": "Lampo", "without": resident(settled(a)), "starts": []}
    # Both know the same, so neither asks the other for it: nothing of it is signed.
    for node in (a, b):
        node.close_down()
        with open(log, "rb") as f, open(os.path.join(node.folder, "gossip.log"), "wb") as copy:
            copy.write(f.read())
    b.start()
    out["starts"].append(start(a))
    while len(out["starts"]) < starts:
        a.close_down()
        out["starts"].append(start(a))
    out["graph"] = a.getinfo()["gossip"]
    normal(net.watch, a, b.id)
    out["connected"] = resident(settled(a))
    out["plan_ms"] = plan(a, one, other)
    out["planned"] = resident(settled(a))
    a.pay_to(b, MSAT)
    out["paid"] = resident(settled(a))
    for _ in range(PAYMENTS - 1):
        a.pay_to(b, MSAT)
    out["paid_more"] = resident(settled(a))
    return out


def spread(figures):
    return min(figures), statistics.median(figures), max(figures)


def show(r):
    mib = lambda figure: "%.1f" % (figure["kib"] / 1024)
    seconds, used, memories = zip(*r["starts"])
    print("%d channels of %d nodes in the log; %d starts.\n" % (r["graph"]["channels"], r["graph"]["nodes"], len(seconds)))
    print("| | best | median | worst | bound |\n|---|---:|---:|---:|---:|")
    print("| start to the first answer, s | %.3f | %.3f | %.3f | %.1f |" % (*spread(seconds), READY_S))
    print("| processor time until then, s | %.2f | %.2f | %.2f | |" % spread(used))
    kib = [m["kib"] / 1024 for m in memories]
    print("| resident after the start, MiB | %.1f | %.1f | %.1f | %d |" % (*spread(kib), RESIDENT_MIB))
    print("| resident, its peer connected, MiB | | %s | | %d |" % (mib(r["connected"]), RESIDENT_MIB))
    print("| after %d plans of 1,000,000 sat, MiB | | %s | | %d |" % (PLANS, mib(r["planned"]), RESIDENT_MIB))
    print("| after a payment, MiB | | %s | | %d |" % (mib(r["paid"]), RESIDENT_MIB))
    print("| after %d payments, MiB | | %s | | %d |" % (PAYMENTS, mib(r["paid_more"]), RESIDENT_MIB))
    print("| without the network, MiB | | %s | | |" % mib(r["without"]))
    if r["plan_ms"]:
        print("| getroutes of 1,000,000 sat between the two largest nodes, ms | | %.1f | | |" % r["plan_ms"])
    kinds = sorted({k for figure in (memories[-1], r["paid_more"]) for k in figure["mappings"]})
    print("\n| KiB resident | after the start | planned | after %d payments | without the network |" % PAYMENTS)
    print("|---|---:|---:|---:|---:|")
    for kind in kinds:
        print("| %s | %s |" % (kind, " | ".join(str(f["mappings"].get(kind, 0)) for f in (memories[-1], r["planned"], r["paid_more"], r["without"]))))


def prepare():
    build("gossip")


def run(base, args):
    results, code = measured(base, [("lampo", lambda net: measure(net, QUICK_STARTS if args.quick else STARTS))], args.only)
    for r in results:
        show(r)
        kept = [r["paid_more"]["kib"], r["planned"]["kib"], *(m["kib"] for _, _, m in r["starts"])]
        # What else runs on the machine makes a start slower, and never faster.
        if max(kept) > RESIDENT_MIB * 1024 or min(s for s, _, _ in r["starts"]) > READY_S:
            print("\nFAILED: beyond a bound")
            code = 1
    return results, code
