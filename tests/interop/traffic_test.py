"""Live traffic and kill -9: nothing lost, nothing twice."""
import random
import threading
import time

from harness.lampo import RpcError, normal, quiet
from harness.net import test
from harness.process import TIME_FACTOR, check, check_equal

from channel_test import pair


class Traffic:
    """Threads that pay until told to stop.  A call that breaks off says nothing
    about the payment: that is what the books at the end are for."""

    def __init__(self, payer, payee, threads, seed):
        self.payer, self.payee, self.seed = payer, payee, seed
        self.halt = threading.Event()
        self.told = {}  # hash -> msat that the payer's daemon called complete
        self.errors = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]
        for t in self.threads:
            t.start()

    def run(self, number):
        rng = random.Random("%s %d" % (self.seed, number))
        count = 0
        while not self.halt.is_set():
            count += 1
            msat = rng.choice((rng.randint(1, 2000), rng.randint(1000, 3_000_000)))
            label = "%s-%d-%d" % (self.payer.name, number, count)
            try:
                invoice = self.payee.invoice(amount_msat=msat, label=label, description=label)
                paid = self.payer.pay(bolt11=invoice["bolt11"], retry_for=10)
                with self.lock:
                    self.told[paid["payment_hash"]] = msat
            except RpcError as e:
                with self.lock:
                    self.errors[e.message] = self.errors.get(e.message, 0) + 1
                time.sleep(0.02)
            except OSError:  # the daemon is down, or died while we waited
                time.sleep(0.02)

    def stop(self):
        self.halt.set()
        for t in self.threads:
            t.join(120 * TIME_FACTOR)
            check(not t.is_alive(), "a payment never got its answer")


def settle(net, a, b):
    normal(net.watch, a, b.id, 60)
    normal(net.watch, b, a.id, 60)
    net.until("no payment is pending", lambda: all(
        p["status"] != "pending" for n in (a, b) for p in n.listpays()["pays"]), 60)
    quiet(net.watch, a, b)


def check_books(a, b, a_start_msat, traffics):
    """What the payers call complete is what the payees call paid, is what the channel moved."""
    flow = {}
    for payer, payee in ((a, b), (b, a)):
        sent = {p["payment_hash"]: p["amount_sent_msat"] for p in payer.listpays()["pays"] if p["status"] == "complete"}
        came = {i["payment_hash"]: i["amount_received_msat"] for i in payee.listinvoices()["invoices"]
                if i["status"] == "paid"}
        check_equal(sent, came, "complete payments of %s and paid invoices of %s" % (payer.name, payee.name))
        flow[payer.name] = sum(sent.values())
        for t in traffics:
            if t.payer is payer:
                for key, msat in t.told.items():
                    check_equal(sent.get(key), msat, "a payment that was called complete")
    ca, cb = a.channel(b.id), b.channel(a.id)
    check_equal(ca["to_us_msat"], a_start_msat - flow[a.name] + flow[b.name], "%s's balance" % a.name)
    check_equal(ca["to_us_msat"] + cb["to_us_msat"], ca["total_msat"], "the two sides together")
    return flow


def kill_in_traffic(net, kills, seed, threads=8):
    a, b, opened = pair(net, size=9_000_000, push_msat=4_500_000_000)
    start = a.channel(b.id)["to_us_msat"]
    traffics = [Traffic(a, b, threads, seed), Traffic(b, a, threads, seed)]
    rng = random.Random(seed)
    moved = 0
    try:
        for _ in range(kills):
            victim = rng.choice((a, b))
            normal(net.watch, a, b.id, 60)
            time.sleep(rng.uniform(0.0, 0.4))
            now = sum(len(t.told) for t in traffics)
            moved += now > 0
            victim.kill9()
            victim.start()
    finally:
        for t in traffics:
            t.halt.set()
    for t in traffics:
        t.stop()
    settle(net, a, b)
    check_books(a, b, start, traffics)
    done = sum(len(t.told) for t in traffics)
    check(done >= kills, "there was traffic to interrupt", done, [t.errors for t in traffics])
    check_equal(net.bitcoind.mempool(), [], "nobody went to the chain")
    check_equal(a.channel(b.id)["funding_txid"], opened["txid"], "the channel is the one of the beginning")
    a.pay_to(b, 1000)
    b.pay_to(a, 1000)


@test(timeout=400)
def kill9_fifty_times(net):
    kill_in_traffic(net, 50, seed="fifty")


@test(timeout=120)
def cut_connections(net):
    """The link breaks again and again under load; the programs live on."""
    a, b, _ = pair(net, size=9_000_000, push_msat=4_500_000_000)
    start = a.channel(b.id)["to_us_msat"]
    traffics = [Traffic(a, b, 8, "cut"), Traffic(b, a, 8, "cut")]
    rng = random.Random("cut")
    try:
        for _ in range(25):
            time.sleep(rng.uniform(0.0, 0.2))
            cut(rng, a, b)
            normal(net.watch, a, b.id)
            normal(net.watch, b, a.id)
    finally:
        for t in traffics:
            t.halt.set()
    for t in traffics:
        t.stop()
    settle(net, a, b)
    check_books(a, b, start, traffics)
    check(sum(len(t.told) for t in traffics) > 50, "there was traffic", [t.errors for t in traffics])


def cut(rng, a, b):
    one, other = rng.choice(((a, b), (b, a)))
    try:
        one.disconnect(id=other.id, force=True)
        one.connect_to(other)
    except RpcError:
        pass  # the other end was quicker
