"""Payments through nodes: many at a time, with little work of our own."""
import json
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness.process import Failure

from .machine import bench_program


def sockets(payer, payee, count, in_flight, msat, usage, connections=1, route=None):
    """bench/pay over two unix sockets; with a route by sendpay."""
    argv = [bench_program("pay"), payer.socket, payee.socket, str(count), str(in_flight), str(msat), str(connections)]
    if route:
        argv.append(json.dumps(route))
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "PAY_WAIT": "1"})
    if child.stdout.readline() != "ready\n":
        raise Failure("bench/pay could not make its invoices")
    usage.begin()
    child.stdin.write("\n")
    child.stdin.flush()
    result = json.loads(child.stdout.readline() or "{}")
    child.wait()
    if not result or result["failed"]:
        raise Failure("bench/pay: payments failed: %s" % result)
    result.update(usage.end(count))
    return result


def threads(pay, work, in_flight, usage):
    """pay(item) for each of `work` on in_flight threads.  Python's own share is a fraction of what an lnd needs a
    payment."""
    took, lock = [], threading.Lock()

    def one(item):
        began = time.monotonic()
        pay(item)
        spent = time.monotonic() - began
        with lock:
            took.append(spent)

    usage.begin()
    began = time.monotonic()
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(one, work))
    seconds, count = time.monotonic() - began, len(work)
    took.sort()
    result = {"count": count, "in_flight": in_flight, "seconds": seconds, "per_second": count / seconds,
              "p50_ms": took[count // 2] * 1e3, "p99_ms": took[count * 99 // 100] * 1e3}
    result.update(usage.end(count))
    return result


def lnd(payer, payee, count, in_flight, msat, usage):
    """Invoices paid over REST."""
    with ThreadPoolExecutor(8) as pool:
        invoices = list(pool.map(lambda _: payee.invoice(msat), range(count)))

    def pay(bolt11):
        status = payer.pay(bolt11)["status"]
        if status != "SUCCEEDED":
            raise Failure("a payment of lnd: " + status)

    return threads(pay, invoices, in_flight, usage)
