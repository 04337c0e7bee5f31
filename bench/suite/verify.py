"""The signatures of a network of today's size through the ingest: bench/verify."""
import json
import os
import subprocess

from .machine import bench_program, build

QUICK = ("10000", "3500")


def prepare():
    build("verify")


def run(base, args):
    folder = os.path.join(base, "verify")
    os.mkdir(folder)
    done = subprocess.run([bench_program("verify"), folder, *(QUICK if args.quick else ())], check=True,
                          capture_output=True, text=True)
    r = json.loads(done.stdout)
    print("| channels | nodes | signatures | seconds | verified/s | bare, two threads | of it | per CPU-second | bare | of it |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    print("| %d | %d | %d | %.1f | %.0f | %.0f | %.0f %% | %.0f | %.0f | %.0f %% |" % (
        r["channels"], r["nodes"], r["signatures"], r["seconds"], r["per_second"], r["bare_per_second"],
        100 * r["per_second"] / r["bare_per_second"], r["per_cpu_second"], r["bare_per_cpu_second"],
        100 * r["per_cpu_second"] / r["bare_per_cpu_second"]))
    complete = r["accepted"] == r["messages"] and not r["over_bound"]
    if not complete:
        print("\nFAILED: %d of %d messages were taken, %d were over a bound" % (r["accepted"], r["messages"], r["over_bound"]))
    return [r], 0 if complete else 1
