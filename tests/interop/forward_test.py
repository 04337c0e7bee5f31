"""Payments through a third node: three daemons in a row, alice - bob - carol."""
import os
import random
import threading
import time

from harness.lampo import RpcError, Socket, normal, open_channel, quiet
from harness.net import test
from harness.process import TIME_FACTOR, check, check_equal

BASE, PPM, DELTA = 1000, 100, 34
FINAL = 40  # more than the 36 of an invoice

FEE_INSUFFICIENT, INCORRECT_CLTV, TOO_SOON, TOO_FAR = 4108, 4109, 4110, 21
UNKNOWN_NEXT, TEMPORARY, PERMANENT, DETAILS = 16394, 4103, 16392, 16399


def row(net, size=5_000_000, push_msat=2_000_000_000):
    a = net.lampo("alice")
    b = net.lampo("bob", **{"fee-base": BASE, "fee-per-satoshi": PPM, "cltv-delta": DELTA})
    c = net.lampo("carol")
    a.fund(size + 1_000_000)
    b.fund(size + 1_000_000)
    open_channel(net.watch, a, b, size, push_msat=push_msat)
    open_channel(net.watch, b, c, size, push_msat=push_msat)
    for n in (a, b, c):
        n.synced()
    return a, b, c


def fee(msat):
    return BASE + msat * PPM // 1_000_000


def route(first, through, last, msat, extra=0):
    """What getroute would say, from `first` to `last`."""
    out = through.channel(last.id)
    into = first.channel(through.id)
    return [
        {"id": through.id, "channel": into["short_channel_id"], "direction": 0,
         "amount_msat": msat + fee(msat) + extra, "delay": FINAL + DELTA, "style": "tlv"},
        {"id": last.id, "channel": out["short_channel_id"], "direction": 0,
         "amount_msat": msat, "delay": FINAL, "style": "tlv"},
    ]


def send(first, last, way, msat, **extra):
    """sendpay and waitsendpay of an invoice of `last`."""
    label = os.urandom(8).hex()
    invoice = last.invoice(amount_msat=msat, label=label, description=label)
    sent = first.sendpay(route=way, payment_hash=invoice["payment_hash"], bolt11=invoice["bolt11"], label=label,
                         payment_secret=extra.pop("secret", invoice["payment_secret"]))
    check(sent["status"] in ("pending", "complete"), "sendpay has begun", sent)
    check_equal(sent["payment_hash"], invoice["payment_hash"], "hash of the payment")
    return first.waitsendpay(payment_hash=invoice["payment_hash"], **extra)


def wait(node, **params):
    """waitsendpay; its own `timeout` is not that of the harness."""
    with Socket(node.socket) as s:
        s.send({"jsonrpc": "2.0", "id": 1, "method": "waitsendpay", "params": params})
        reply = s.receive()
    if "error" in reply:
        raise RpcError(reply["error"], "waitsendpay")
    return reply["result"]


def refused(first, last, way, msat, code, failcode, erring, **extra):
    try:
        send(first, last, way, msat, **extra)
    except RpcError as e:
        check_equal(e.code, code, "code of %s" % e.message)
        check_equal(e.data["failcode"], failcode, "failcode of %s" % e.message)
        check_equal(e.data["erring_index"], erring, "erring_index of %s" % e.message)
        check_equal(e.data["erring_node"], way[erring - 1]["id"], "erring_node of %s" % e.message)
        check_equal(e.data["status"], "failed", "status")
        return
    check(False, "the payment was refused", failcode)


@test()
def through_the_middle(net):
    a, b, c = row(net)
    before = {n.name: sum(x["to_us_msat"] for x in n.channels()) for n in (a, b, c)}
    for msat in (1, 1000, 250_000, 1_234_567, 900_000_000):
        paid = send(a, c, route(a, b, c, msat), msat)
        check_equal(paid["status"], "complete", "status")
        check_equal(paid["amount_msat"], msat, "what arrived")
        check_equal(paid["amount_sent_msat"], msat + fee(msat), "what left")
        check_equal(paid["destination"], c.id, "destination")
        before["alice"] -= msat + fee(msat)
        before["bob"] += fee(msat)
        before["carol"] += msat
    # And the other way.
    paid = send(c, a, route(c, b, a, 77_000), 77_000)
    before["carol"] -= 77_000 + fee(77_000)
    before["bob"] += fee(77_000)
    before["alice"] += 77_000
    quiet(net.watch, a, b, c)
    for n in (a, b, c):
        check_equal(sum(x["to_us_msat"] for x in n.channels()), before[n.name], "%s's balance" % n.name)
    check_equal(len([p for p in a.listpays()["pays"] if p["status"] == "complete"]), 5, "alice's payments")
    # Again: it is paid.
    again = wait(a, payment_hash=a.listpays()["pays"][0]["payment_hash"], timeout=5)
    check_equal(again["status"], "complete", "what was paid stays so")
    code, text = a.cli("waitsendpay", "00" * 32, ok=False)
    check(code != 0 and "208" in text, "a payment that never was", code, text)


@test()
def each_failure(net):
    a, b, c = row(net)
    msat = 1_000_000

    refused(a, c, route(a, b, c, msat, extra=-1), msat, 204, FEE_INSUFFICIENT, 1)
    way = route(a, b, c, msat)
    way[0]["delay"] -= 1
    refused(a, c, way, msat, 204, INCORRECT_CLTV, 1)
    way = route(a, b, c, msat)
    way[0]["delay"], way[1]["delay"] = 1 + DELTA, 1
    refused(a, c, way, msat, 204, TOO_SOON, 1)
    way = route(a, b, c, msat)
    way[0]["delay"] = 2100
    refused(a, c, way, msat, 204, TOO_FAR, 1)
    way = route(a, b, c, msat)
    way[1]["channel"] = "1x2x3"
    refused(a, c, way, msat, 204, UNKNOWN_NEXT, 1)
    # Said by carol, and wrapped by bob.
    refused(a, c, route(a, b, c, msat), msat, 203, DETAILS, 2, secret="11" * 32)
    # And after all of that:
    send(a, c, route(a, b, c, msat), msat)
    quiet(net.watch, a, b, c)

    way = route(a, b, c, msat)
    invoice = c.invoice(amount_msat=msat, label="later", description="later")
    c.close_down()
    net.until("bob sees carol gone", lambda: not b.channel(c.id)["peer_connected"])
    a.sendpay(route=way, payment_hash=invoice["payment_hash"], payment_secret=invoice["payment_secret"])
    try:
        a.waitsendpay(payment_hash=invoice["payment_hash"])
        check(False, "carol is away")
    except RpcError as e:
        check_equal((e.code, e.data["failcode"]), (204, TEMPORARY), "carol is away: %s" % e.message)
    c.start()
    normal(net.watch, b, c.id, 60)
    b.call("close", id=c.id, unilateraltimeout=1)
    net.until("bob's channel is closing", lambda: b.channel(c.id) is None or b.channel(c.id)["state"] != "CHANNELD_NORMAL")
    refused(a, c, way, msat, 204, PERMANENT, 1)


@test()
def held_and_timed_out(net):
    """A part that waits for the rest of its set: waitsendpay gives up waiting, and the payee gives up the part."""
    a, b, c = row(net)
    msat = 2_000_000
    invoice = c.invoice(amount_msat=2 * msat, label="half", description="half")
    a.sendpay(route=route(a, b, c, msat), payment_hash=invoice["payment_hash"], payment_secret=invoice["payment_secret"],
              amount_msat=2 * msat, partid=1)
    try:
        wait(a, payment_hash=invoice["payment_hash"], partid=1, timeout=1)
        check(False, "there is nothing to tell yet")
    except RpcError as e:
        check_equal(e.code, 200, "code of a wait that ended")
    a.sendpay(route=route(a, b, c, msat), payment_hash=invoice["payment_hash"], payment_secret=invoice["payment_secret"],
              amount_msat=2 * msat, partid=2)
    for part in (1, 2):
        done = a.waitsendpay(payment_hash=invoice["payment_hash"], partid=part)
        check_equal(done["status"], "complete", "part %d" % part)
    check_equal(c.listinvoices(label="half")["invoices"][0]["amount_received_msat"], 2 * msat, "what carol got")
    quiet(net.watch, a, b, c)


class Traffic:
    """Threads that pay through bob until told to stop."""

    def __init__(self, first, through, last, threads, seed):
        self.first, self.through, self.last = first, through, last
        self.halt, self.lock = threading.Event(), threading.Lock()
        self.told, self.errors = {}, {}
        self.way = route(first, through, last, 0)
        self.threads = [threading.Thread(target=self.run, args=(random.Random("%s %d" % (seed, i)), i)) for i in range(threads)]
        for t in self.threads:
            t.start()

    def run(self, rng, number):
        count = 0
        while not self.halt.is_set():
            count += 1
            msat = rng.choice((rng.randint(1, 2000), rng.randint(1000, 3_000_000)))
            label = "%s-%d-%d" % (self.first.name, number, count)
            way = [dict(h) for h in self.way]
            way[0]["amount_msat"], way[1]["amount_msat"] = msat + fee(msat), msat
            try:
                invoice = self.last.invoice(amount_msat=msat, label=label, description=label)
                self.first.sendpay(route=way, payment_hash=invoice["payment_hash"], payment_secret=invoice["payment_secret"],
                                   label=label)
                self.first.waitsendpay(payment_hash=invoice["payment_hash"])
                with self.lock:
                    self.told[invoice["payment_hash"]] = msat
            except RpcError as e:
                with self.lock:
                    self.errors[e.message] = self.errors.get(e.message, 0) + 1
                time.sleep(0.02)
            except OSError:
                time.sleep(0.02)

    def stop(self):
        self.halt.set()
        for t in self.threads:
            t.join(120 * TIME_FACTOR)
            check(not t.is_alive(), "a payment never got its answer")


def books(payer, payee):
    sent = {p["payment_hash"]: p["amount_msat"] for p in payer.listpays()["pays"] if p["status"] == "complete"}
    came = {i["payment_hash"]: i["amount_received_msat"] for i in payee.listinvoices()["invoices"] if i["status"] == "paid"}
    check_equal(sent, came, "complete payments of %s and paid invoices of %s" % (payer.name, payee.name))
    return sum(sent.values()), sum(fee(m) for m in sent.values())


def kill_in_traffic(net, victims, kills, seed, payments):
    """`payments` of them at least, both ways; one of the victims dies each time that its share of them is made."""
    a, b, c = row(net)
    nodes = {"alice": a, "bob": b, "carol": c}
    start = {n.name: sum(x["to_us_msat"] for x in n.channels()) for n in (a, b, c)}
    traffics = [Traffic(a, b, c, 6, seed), Traffic(c, b, a, 6, seed)]
    rng = random.Random(seed)
    try:
        for kill in range(1, kills + 1):
            net.until("payments between deaths", lambda n=kill: sum(len(t.told) for t in traffics) >= payments * n // (kills + 1), 60)
            victim = nodes[rng.choice(victims)]
            normal(net.watch, b, a.id, 60)
            normal(net.watch, b, c.id, 60)
            time.sleep(rng.uniform(0.05, 0.5))
            victim.kill9()
            victim.start()
        net.until("the last payments", lambda: sum(len(t.told) for t in traffics) >= payments, 60)
    finally:
        for t in traffics:
            t.halt.set()
    for t in traffics:
        t.stop()
    for x, y in ((a, b), (b, a), (b, c), (c, b)):
        normal(net.watch, x, y.id, 60)
    net.until("no payment is pending", lambda: all(
        p["status"] != "pending" for n in (a, c) for p in n.listpays()["pays"]), 60)
    quiet(net.watch, a, b, c)
    # Every payment has one end, the same for both; bob has its fees and not a millisatoshi less.
    there, fees_there = books(a, c)
    back, fees_back = books(c, a)
    for t in traffics:
        for h in t.told:
            check(any(p["payment_hash"] == h and p["status"] == "complete" for p in t.first.listpays()["pays"]), "told is stored")
    end = {n.name: sum(x["to_us_msat"] for x in n.channels()) for n in (a, b, c)}
    check_equal(end["alice"], start["alice"] - there - fees_there + back, "alice's balance")
    check_equal(end["carol"], start["carol"] - back - fees_back + there, "carol's balance")
    check_equal(end["bob"], start["bob"] + fees_there + fees_back, "bob's balance")
    check_equal(net.bitcoind.mempool(), [], "nobody went to the chain")


@test(timeout=300)
def kill9_of_the_forwarder(net):
    kill_in_traffic(net, ["bob"], 10, "forwarder", 1000)


@test(timeout=300)
def kill9_of_anybody(net):
    kill_in_traffic(net, ["alice", "bob", "carol"], 10, "anybody", 300)


@test(timeout=90)
def terms_and_history(net):
    """setchannel, its grace, and listforwards over a restart."""
    a, b, c = row(net)
    msat = 1_000_000
    way = route(a, b, c, msat)
    out = way[1]["channel"]
    send(a, c, way, msat)
    done = b.setchannel(id=c.id, feebase=7000, htlcmax=2_000_000)["channels"]
    check_equal([(x["short_channel_id"], x["fee_base_msat"], x["fee_proportional_millionths"], x["maximum_htlc_out_msat"])
                 for x in done], [(out, 7000, PPM, 2_000_000)], "what was set")
    send(a, c, way, msat)  # what was asked before is enough for ten minutes
    b.setchannel(id=out, enforcedelay=0, feebase=8000)
    refused(a, c, way, msat, 204, FEE_INSUFFICIENT, 1)
    b.restart()
    for n in (a, b, c):
        n.synced()
    net.until("both channels are usable again", lambda: all(x["ready"] for x in b.channels()))
    check_equal(b.channel(c.id)["fee_base_msat"], 8000, "the fee after a restart")
    dear = route(a, b, c, msat, extra=7000)
    send(a, c, dear, msat)
    refused(a, c, route(a, b, c, 2_000_001, extra=7000), 2_000_001, 204, TEMPORARY, 1)
    forwards = b.listforwards()["forwards"]
    check_equal([x["status"] for x in forwards], ["settled", "settled", "local_failed", "settled", "local_failed"], "the history")
    check_equal([x["created_index"] for x in forwards], [1, 2, 3, 4, 5], "its numbers")
    check_equal(forwards[2]["failreason"], "WIRE_FEE_INSUFFICIENT", "why one was refused")
    check_equal(forwards[3]["fee_msat"], fee(msat) + 7000, "what was earned")
    check_equal(forwards[3]["out_channel"], out, "where it went out")
    check_equal([x["created_index"] for x in b.listforwards(status="settled", start=2, limit=1, index="created")["forwards"]],
                [2], "a piece of it")
    b.delforward(in_channel=forwards[0]["in_channel"], in_htlc_id=forwards[0]["in_htlc_id"], status="settled")
    check_equal([x["created_index"] for x in b.listforwards()["forwards"]], [2, 3, 4, 5], "the rest")
