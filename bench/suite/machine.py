"""The machine's limits, what the kernel says of processes, and the three kinds of node that are compared."""
import json
import os
import shutil
import subprocess
import sys

from harness.lampo import BUILD, ROOT
from harness.lnd import LndError
from harness.net import Net
from harness.process import Failure, Skip

TICK = os.sysconf("SC_CLK_TCK")


def bench_program(name):
    return os.path.join(ROOT, "build", BUILD, "bench", name)


def build(*programs):
    targets = ["build/%s/bench/%s" % (BUILD, p) for p in ("limits",) + programs]
    subprocess.run(["make", "-s", "-C", ROOT, "programs", *targets], check=True)


# What the kernel says of a process.

def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        field = f.read().rpartition(")")[2].split()
    return (int(field[11]) + int(field[12])) / TICK


def io_bytes(pid):
    """(wchar, write_bytes): what the program wrote, and what the kernel sends to the disk for it: whole folios of the
    page cache.  Sockets are in the first as well."""
    with open("/proc/%d/io" % pid, encoding="ascii") as f:
        said = {line.split(":")[0]: int(line.split()[1]) for line in f}
    return said["wchar"], said["write_bytes"]


def read_bytes(pid):
    """Of files and sockets."""
    with open("/proc/%d/io" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("rchar"))


def memory(pid):
    """RSS, PSS and USS in KiB."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in f if line.rstrip().endswith("kB")}
    return kib["Rss"], kib["Pss"], kib["Private_Clean"] + kib["Private_Dirty"]


def data_bytes(node):
    """The files of a node, but for its log."""
    total = 0
    for folder, _, names in os.walk(node.folder):
        if "logs" in folder.split(os.sep):
            continue
        total += sum(os.path.getsize(os.path.join(folder, n)) for n in names if not n.endswith(".log"))
    return total


class Usage:
    """What nodes use between begin() and end()."""

    def __init__(self, nodes):
        self.nodes = nodes

    def look(self):
        return [(cpu_seconds(n.pid), *io_bytes(n.pid), data_bytes(n)) for n in self.nodes]

    def begin(self):
        self.before = self.look()

    def end(self, count):
        per = [[(y - x) / count for x, y in zip(b, a)] for b, a in zip(self.before, self.look())]
        return {"cpu_ms": [p[0] * 1e3 for p in per], "wchar": [p[1] for p in per], "disk": [p[2] for p in per],
                "data": [p[3] for p in per]}


# The machine itself.

def limits(folder):
    done = subprocess.run([bench_program("limits"), folder], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown processor")


def show_limits(said, folder):
    print("Machine: %d cores, %s; data in %s; load average %s\n"
          % (os.cpu_count(), cpu_name(), folder, "%.1f" % os.getloadavg()[0]))
    print("| limit of the machine | a second |\n|---|---:|")
    print("| durable appends of a page (write, fdatasync) | %d |" % said["fsyncs_per_second"])
    print("| ECDSA signatures, one core | %d |" % said["signs_per_second"])
    print("| ECDSA verifications, one core | %d |" % said["verifies_per_second"])
    print("| ECDSA verifications, two threads | %d |\n" % said["verifies_on_two"], flush=True)


# Nodes.

def lightningd_program():
    path = os.environ.get("LAMPO_LIGHTNINGD") or shutil.which("lightningd")
    if not path:
        raise Skip("no lightningd on PATH nor in LAMPO_LIGHTNINGD")
    return path


def lightningd(net, name):
    from foreign_test import Lightningd
    node = Lightningd(net, name, lightningd_program()).start()
    node.socket = os.path.join(node.folder, "regtest", "lightning-rpc")
    return node


def measured(base, kinds, only):
    """Runs measure(net) of each (name, measure) in a network of its own.  (results, exit code)"""
    results, code = [], 0
    for name, measure in kinds:
        if only not in (None, name):
            continue
        net = Net(os.path.join(base, name))
        os.makedirs(net.folder)
        try:
            results.append(measure(net))
        except Skip as e:
            print("NOT MEASURED: %s: %s\n" % (name, e), flush=True)
        except (Failure, LndError) as e:
            print("FAILED %s: %s\n%s\n" % (name, e, net.watch.logs()), flush=True)
            code = 1
        finally:
            net.discard()
            sys.stdout.flush()
    return results, code


def measured_kinds(base, only, **kinds):
    """measured() of each kind=(measure, counts), by measure(net, counts)."""
    return measured(base, [(kind, lambda net, measure=measure, counts=counts: measure(net, counts))
                           for kind, (measure, counts) in kinds.items()], only)
