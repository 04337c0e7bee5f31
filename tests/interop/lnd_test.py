"""lnd as a peer."""
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness.bitcoind import sat
from harness.lampo import RpcError, normal, quiet
from harness.lnd import LndError
from harness.net import test
from harness.process import TIME_FACTOR, check, check_equal

from channel_test import FUNDS

SIZE = 5_000_000


def lampo_opens(net, push_msat=2_000_000_000, **params):
    l, d = net.lampo("lampo"), net.lnd("lnd")
    l.fund(FUNDS)
    # lnd takes no channel while it reads a block, and calls that an internal error.
    d.synced()
    l.connect_to(d)
    opened = l.fundchannel(id=d.id, amount=SIZE, push_msat=push_msat, **params)
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(5)
    normal(net.watch, l, d.id, 60)
    d.normal(l.id)
    return l, d


def lnd_opens(net, push_sat=2_000_000):
    l, d = net.lampo("lampo"), net.lnd("lnd")
    d.fund(FUNDS)
    d.connect_to(l)
    txid = d.open(l, SIZE, push_sat)
    net.bitcoind.mine_with(txid)
    net.bitcoind.mine(5)
    normal(net.watch, l, d.id, 60)
    d.normal(l.id)
    return l, d


def both_up(net, l, d):
    normal(net.watch, l, d.id, 60)
    d.normal(l.id)


def no_htlcs(net, l, d):
    quiet(net.watch, l, timeout=60)
    net.until("lnd has no HTLC in flight", lambda: not d.channel(l.id)["pending_htlcs"], 60)


def come_to_rest(net, l, d, seconds=3):
    """lnd goes on with payments whose callers were cut off by its restart.  One whose HTLC was
    still in its own queue when it went down stays IN_FLIGHT in its books for ever (lnd 0.21): so
    we wait until none comes to the channel any more, instead of for the last of them to end."""
    def offered():
        c = l.channel(d.id)
        return c["in_payments_offered"], c["out_payments_offered"]

    seen, since = offered(), time.monotonic()

    def still():
        nonlocal seen, since
        now = offered()
        if now != seen or d.channel(l.id)["pending_htlcs"]:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > seconds * TIME_FACTOR

    net.until("no HTLC comes any more", still, 120)


def lnd_pays(l, d, msat):
    """lnd pays an invoice of ours.  True if lnd says that it was paid."""
    invoice = l.invoice(amount_msat=msat, label="lnd-%x" % random.getrandbits(64), description="from lnd")
    return d.pay(invoice["bolt11"])["status"] == "SUCCEEDED"


def lampo_pays(l, d, msat):
    return l.pay(bolt11=d.invoice(msat))["status"] == "complete"


def check_books(net, l, d, start_msat):
    """The same three sums on both sides: sent, received, and what the channel moved."""
    come_to_rest(net, l, d)
    net.until("no payment of ours is pending", lambda: all(p["status"] != "pending" for p in l.listpays()["pays"]), 60)
    no_htlcs(net, l, d)
    sent = {p["payment_hash"]: p["amount_sent_msat"] for p in l.listpays()["pays"] if p["status"] == "complete"}
    came = {i["payment_hash"]: i["amount_received_msat"] for i in l.listinvoices()["invoices"] if i["status"] == "paid"}
    lnd_came = d.settled_msat()
    lnd_sent = {p["payment_hash"]: int(p["value_msat"]) for p in d.payments() if p["status"] == "SUCCEEDED"}
    check_equal(sent, lnd_came, "our complete payments and lnd's settled invoices")
    check_equal(came, lnd_sent, "our paid invoices and lnd's succeeded payments")
    want = start_msat - sum(sent.values()) + sum(came.values())
    check_equal(l.channel(d.id)["to_us_msat"], want, "our side of the channel")
    # lnd tells whole satoshis and takes the commitment's fee and the anchors
    # from the opener's side.
    c = d.channel(l.id)
    theirs = int(c["remote_balance"])
    if not c["initiator"]:
        theirs += int(c["commit_fee"]) + 660
    check(abs(theirs - want // 1000) <= 1, "lnd's view of our side, in sat", theirs, want)
    return len(sent), len(came)


def close_from(net, l, d, closer):
    """A mutual close; each side's coins arrive."""
    no_htlcs(net, l, d)
    ours = l.channel(d.id)["to_us_msat"] // 1000
    opener = l.channel(d.id)["opener"]
    funding = l.channel(d.id)["funding_txid"]
    l_before, d_before = l.balance_sat(), d.balance_sat()
    if closer is l:
        check_equal(l.close(id=d.id)["type"], "mutual", "type of the close")
    else:
        d.close(d.channel(l.id)["channel_point"])
    txid = net.until("the close in the mempool", lambda: [
        t for t in net.bitcoind.mempool() if net.bitcoind.tx(t)["vin"][0]["txid"] == funding], 60)[0]
    tx = net.bitcoind.tx(txid)
    check_equal(len(tx["vin"]), 1, "inputs of the close")
    fee = SIZE - sum(sat(o["value"]) for o in tx["vout"])
    check(0 < fee < 20_000, "the closing fee is sane", fee)
    check_equal(tx["locktime"], 0, "a mutual close has no obscured number in its locktime")
    net.bitcoind.mine_with(txid)
    net.bitcoind.mine(6)
    ours -= fee if opener == "local" else 0
    net.until("our share", lambda: l.balance_sat() != l_before)
    check(abs(l.balance_sat() - l_before - ours) <= 1, "our share", l.balance_sat() - l_before, ours)
    theirs = SIZE - fee - ours
    net.until("lnd's share", lambda: d.balance_sat() != d_before, 60)
    check(abs(d.balance_sat() - d_before - theirs) <= 1, "lnd's share", d.balance_sat() - d_before, theirs)
    net.until("lnd forgets the channel", lambda: d.channel(l.id) is None, 60)
    net.until("so do we", lambda: l.channel(d.id) is None)


@test(timeout=200)
def connects_both_ways(net):
    l, d = net.lampo("lampo"), net.lnd("lnd")
    l.connect_to(d)
    net.until("lnd sees us", lambda: l.id in d.peers())
    l.disconnect(id=d.id)
    net.until("lnd sees us go", lambda: l.id not in d.peers())
    d.connect_to(l)
    net.until("we see lnd", lambda: any(p["id"] == d.id and p["connected"] for p in l.listpeers()["peers"]))
    net.until("lnd sees us", lambda: l.id in d.peers())
    # lnd's pings are answered: it hangs up on a silent peer.
    time.sleep(2)
    check(l.id in d.peers(), "still connected")


@test(timeout=300)
def lnd_opens_two_hundred_payments_each_way(net):
    l, d = lnd_opens(net)
    check(22 in l.channel(d.id)["channel_type"]["bits"], "lnd opens with anchors", l.channel(d.id)["channel_type"])
    start = l.channel(d.id)["to_us_msat"]
    check_equal(start, 2_000_000_000, "what lnd pushed")
    # One by one, then all together in both directions.
    for i in range(20):
        check(lnd_pays(l, d, 10_000 + i), "lnd pays")
        check(lampo_pays(l, d, 20_000 + i), "we pay")
    with ThreadPoolExecutor(60) as pool:
        jobs = [pool.submit(lnd_pays, l, d, 1_000_000 + i) for i in range(180)]
        jobs += [pool.submit(lampo_pays, l, d, 2_000_000 + i) for i in range(180)]
        check(all(j.result() for j in jobs), "every payment succeeds")
    sent, came = check_books(net, l, d, start)
    check_equal((sent, came), (200, 200), "payments each way")
    close_from(net, l, d, d)


@test(timeout=300)
def lampo_opens_two_hundred_payments_each_way(net):
    l, d = lampo_opens(net)
    check_equal(d.channel(l.id)["commitment_type"], "ANCHORS", "what lnd calls the channel")
    start = l.channel(d.id)["to_us_msat"]
    check_equal(start, SIZE * 1000 - 2_000_000_000, "what we did not push")
    for i in range(20):
        check(lnd_pays(l, d, 10_000 + i), "lnd pays")
        check(lampo_pays(l, d, 20_000 + i), "we pay")
    with ThreadPoolExecutor(60) as pool:
        jobs = [pool.submit(lnd_pays, l, d, 1_000_000 + i) for i in range(180)]
        jobs += [pool.submit(lampo_pays, l, d, 2_000_000 + i) for i in range(180)]
        check(all(j.result() for j in jobs), "every payment succeeds")
    sent, came = check_books(net, l, d, start)
    check_equal((sent, came), (200, 200), "payments each way")
    close_from(net, l, d, l)


@test(timeout=200)
def static_remotekey_and_keysend(net):
    l, d = lampo_opens(net, channel_type=[12])
    check_equal(d.channel(l.id)["commitment_type"], "STATIC_REMOTE_KEY", "what lnd calls the channel")
    start = l.channel(d.id)["to_us_msat"]
    check_equal(l.keysend(destination=d.id, amount_msat=5_000_000)["status"], "complete", "our keysend")
    net.until("lnd got it", lambda: sum(d.settled_msat().values()) == 5_000_000)
    got = d.pay(keysend_to=l.id, msat=3_000_000)
    check_equal(got["status"], "SUCCEEDED", "lnd's keysend: " + str(got.get("failure_reason")))
    no_htlcs(net, l, d)
    check_equal(l.channel(d.id)["to_us_msat"], start - 2_000_000, "our side")
    # A failure comes back as one that lnd understands and believes.
    unknown = d.pay(to=l.id, payment_hash=os.urandom(32).hex(), secret=os.urandom(32).hex(), msat=1_000_000)
    check_equal((unknown["status"], unknown["failure_reason"]),
                ("FAILED", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"), "a hash that we do not know")
    made = l.invoice(amount_msat=1_000_000, label="guarded", description="guarded by its secret")
    guess = d.pay(to=l.id, payment_hash=made["payment_hash"], secret=os.urandom(32).hex(), msat=1_000_000)
    check_equal((guess["status"], guess["failure_reason"]),
                ("FAILED", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"), "a hash that we know, without its secret")
    less = d.pay(to=l.id, payment_hash=made["payment_hash"], secret=made["payment_secret"], msat=999_999)
    check_equal(less["status"], "FAILED", "less than was asked for")
    check_equal(l.listinvoices(label="guarded")["invoices"][0]["status"], "unpaid", "the guarded invoice")
    check_equal(d.pay(made["bolt11"])["status"], "SUCCEEDED", "the guarded invoice, paid as it should be")
    close_from(net, l, d, d)


class Mix:
    """Payments in both directions that go on through restarts."""

    def __init__(self, l, d, threads=6):
        self.l, self.d, self.halt, self.done = l, d, threading.Event(), [0, 0]
        self.threads = [threading.Thread(target=self.run, args=(i % 2,)) for i in range(2 * threads)]
        for t in self.threads:
            t.start()

    def run(self, way):
        while not self.halt.is_set():
            try:
                msat = random.randint(1000, 2_000_000)
                if lampo_pays(self.l, self.d, msat) if way else lnd_pays(self.l, self.d, msat):
                    self.done[way] += 1
            except (RpcError, LndError, OSError, KeyError, ValueError):
                time.sleep(0.1)
            except Exception as e:  # http.client's, when lnd dies in an answer
                if type(e).__module__ != "http.client":
                    raise
                time.sleep(0.1)

    def wait_for(self, net, more):
        goal = [n + more for n in self.done]
        net.until("traffic both ways", lambda: all(n >= g for n, g in zip(self.done, goal)), 90)

    def stop(self):
        self.halt.set()
        for t in self.threads:
            t.join(120 * TIME_FACTOR)
            check(not t.is_alive(), "a payment never got its answer")


def through_traffic(net, l, d, start, blow, times):
    """`start`: our msat before the first payment of the test."""
    funding = l.channel(d.id)["funding_txid"]
    mix = Mix(l, d)
    try:
        for _ in range(times):
            mix.wait_for(net, 5)
            time.sleep(random.uniform(0, 0.3))
            blow()
            both_up(net, l, d)
        mix.wait_for(net, 5)
    finally:
        mix.halt.set()
    mix.stop()
    both_up(net, l, d)
    check_books(net, l, d, start)
    check_equal(net.bitcoind.mempool(), [], "nobody went to the chain")
    waiting = d.pending()
    check(not waiting["pending_force_closing_channels"] and not waiting["waiting_close_channels"],
          "lnd is not closing", waiting)
    check_equal(l.channel(d.id)["funding_txid"], funding, "the channel is the one of the beginning")


@test(timeout=300)
def restart_of_each_in_traffic(net):
    l, d = lampo_opens(net)
    start = l.channel(d.id)["to_us_msat"]
    through_traffic(net, l, d, start, l.restart, 2)
    through_traffic(net, l, d, start, d.restart, 2)
    close_from(net, l, d, l)


@test(timeout=400)
def kill9_in_traffic(net):
    l, d = lnd_opens(net)

    def blow():
        l.kill9()
        l.start()

    through_traffic(net, l, d, l.channel(d.id)["to_us_msat"], blow, 10)
    close_from(net, l, d, d)


@test(timeout=200)
def lnd_force_closes(net):
    """lnd goes to the chain: we take our side of its commitment."""
    l, d = lnd_opens(net)
    check(lampo_pays(l, d, 100_000_000), "we pay")
    no_htlcs(net, l, d)
    ours = l.channel(d.id)["to_us_msat"] // 1000
    funding = l.channel(d.id)["funding_txid"]
    d.close(d.channel(l.id)["channel_point"], force=True)
    txid = net.until("lnd's commitment in the mempool", lambda: [
        t for t in net.bitcoind.mempool() if net.bitcoind.tx(t)["vin"][0]["txid"] == funding], 60)[0]
    net.bitcoind.mine_with(txid)
    for _ in range(3):
        net.bitcoind.mine(5)
        l.synced()
    net.until("our side in the wallet", lambda: l.balance_sat() > 0, 60)
    check(ours - 5_000 < l.balance_sat() <= ours, "our side, less the fee of its sweep", l.balance_sat(), ours)
