"""Two Lampo nodes and one channel: open, pay, restart, close."""
from concurrent.futures import ThreadPoolExecutor

from harness.bitcoind import sat
from harness.lampo import RpcError, normal, open_channel, quiet
from harness.net import test
from harness.process import Failure, check, check_equal

FUNDS = 10_000_000
SIZE = 1_000_000


def pair(net, size=SIZE, **params):
    """A channel from alice to bob, who is also called back."""
    a, b = net.lampo("alice"), net.lampo("bob")
    a.fund(FUNDS)
    opened = open_channel(net.watch, a, b, size, **params)
    return a, b, opened


def check_shared(a, b, a_msat):
    """Both ends tell the same story, and it is the one that we expect."""
    ca, cb = a.channel(b.id), b.channel(a.id)
    check_equal(ca["to_us_msat"], a_msat, "%s's side of the channel" % a.name)
    check_equal(ca["to_us_msat"] + cb["to_us_msat"], ca["total_msat"], "the two sides together")
    check_equal(ca["short_channel_id"], cb["short_channel_id"], "short_channel_id")
    check_equal((ca["opener"], cb["opener"]), ("local", "remote"), "opener")


def outputs_of(net, txid):
    return {o["scriptPubKey"]["address"]: sat(o["value"]) for o in net.bitcoind.tx(txid)["vout"]
            if "address" in o["scriptPubKey"]}


def close_and_check(net, closer, other, opener, opener_msat, total_sat):
    """A close that both agreed on pays each its side; the opener pays the fee."""
    peer = other.channel(closer.id)
    check(peer is not None, "%s has the channel" % other.name)
    before = {n.name: n.balance_sat() for n in (closer, other)}
    closed = closer.close(id=other.id)
    check_equal(closed["type"], "mutual", "type of the close")
    net.bitcoind.mine_with(closed["txid"])
    tx = net.bitcoind.tx(closed["txid"], net.bitcoind.rpc("getbestblockhash"))
    paid = sum(sat(o["value"]) for o in tx["vout"])
    fee = total_sat - paid
    check(0 < fee < 5000, "the closing fee is sane", fee)
    due = {opener.name: opener_msat // 1000 - fee}
    second = other if opener is closer else closer
    due[second.name] = (total_sat * 1000 - opener_msat) // 1000
    # Parts of a satoshi go to the fee.
    for n in (closer, other):
        net.until("%s's share of the close in its wallet" % n.name, lambda n=n: n.balance_sat() != before[n.name])
        got = n.balance_sat() - before[n.name]
        check(due[n.name] <= got <= due[n.name] + 1, "%s's share" % n.name, got, due[n.name])
    net.bitcoind.mine(100)
    for n in (closer, other):
        net.until("%s has no live channel" % n.name, lambda n=n: n.channel() is None)


def pay_both_ways(net, a, b, a_msat):
    """A few payments, odd amounts included; what a has at the end."""
    for payer, payee, msat in ((a, b, 100_000_000), (b, a, 30_000_001), (a, b, 1), (b, a, 999), (a, b, 12_345_678)):
        payer.pay_to(payee, msat)
        a_msat += -msat if payer is a else msat
    quiet(net.watch, a, b)
    check_shared(a, b, a_msat)
    return a_msat


@test()
def open_pay_close_anchors(net):
    a, b, opened = pair(net)
    c = a.channel(b.id)
    check_equal(c["funding_txid"], opened["txid"], "funding txid")
    check_equal(c["channel_id"], opened["channel_id"], "channel id")
    check_equal(c["total_msat"], SIZE * 1000, "size of the channel")
    check("anchors/even" in c["channel_type"]["names"] or 22 in c["channel_type"]["bits"],
          "anchors is the type that two Lampo nodes choose", c["channel_type"])
    a_msat = pay_both_ways(net, a, b, SIZE * 1000)
    close_and_check(net, a, b, a, a_msat, SIZE)


@test()
def open_pay_close_static_remotekey(net):
    a, b, _ = pair(net, channel_type=[12])
    check_equal(a.channel(b.id)["channel_type"]["bits"], [12], "type of the channel")
    check_equal(b.channel(a.id)["channel_type"]["bits"], [12], "type of the channel")
    a_msat = pay_both_ways(net, a, b, SIZE * 1000)
    close_and_check(net, b, a, a, a_msat, SIZE)


@test()
def push_and_private(net):
    a, b, _ = pair(net, push_msat=250_000_123, announce=False)
    check_shared(a, b, SIZE * 1000 - 250_000_123)
    check(a.channel(b.id)["private"] and b.channel(a.id)["private"], "a private channel says so")
    b.pay_to(a, 200_000_000)
    quiet(net.watch, a, b)
    check_shared(a, b, SIZE * 1000 - 50_000_123)
    close_and_check(net, b, a, a, SIZE * 1000 - 50_000_123, SIZE)


@test()
def public_says_so(net):
    a, b, _ = pair(net, announce=True)
    check(not a.channel(b.id)["private"] and not b.channel(a.id)["private"], "a public channel says so")
    a.pay_to(b, 5_000_000)


@test()
def states(net):
    a, b = net.lampo("alice"), net.lampo("bob")
    a.fund(FUNDS)
    a.connect_to(b)
    opened = a.fundchannel(id=b.id, amount=SIZE)
    for n, peer in ((a, b), (b, a)):
        net.until("%s awaits the lock-in" % n.name,
                  lambda n=n, peer=peer: n.channel(peer.id)["state"] == "CHANNELD_AWAITING_LOCKIN")
    try:
        a.pay(bolt11=b.invoice(amount_msat=1000, label="early", description="early")["bolt11"])
        raise Failure("a payment went through a channel that is not open")
    except RpcError as e:
        check(e.message, "the refusal says why")
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(5)
    normal(net.watch, a, b.id)
    normal(net.watch, b, a.id)
    a.disconnect(id=b.id, force=True)
    net.until("the peer is away", lambda: not a.channel(b.id)["peer_connected"] or None, 10)
    # The back-off brings it back without being told.
    normal(net.watch, a, b.id)
    closed = a.close(id=b.id)
    net.bitcoind.rpc("getmempoolentry", closed["txid"])
    net.until("the close is known on both sides", lambda: all(
        n.channel(p.id)["state"] in ("CLOSINGD_COMPLETE", "CLOSINGD_SIGEXCHANGE", "FUNDING_SPEND_SEEN")
        for n, p in ((a, b), (b, a))))
    net.bitcoind.mine(1)
    net.until("the close is on the chain", lambda: all(
        c["state"] in ("ONCHAIN", "CLOSED") for n in (a, b) for c in n.channels()))


@test()
def invoice_and_listpays(net):
    a, b, _ = pair(net)
    invoice = b.invoice(amount_msat=1_000_000, label="tea", description="a cup of tea")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(b.waitinvoice, label="tea")
        paid = a.pay(bolt11=invoice["bolt11"])
        got = waiting.result()
    check_equal(got["status"], "paid", "status of the invoice")
    check_equal(got["amount_received_msat"], 1_000_000, "what came in")
    check_equal(got["payment_preimage"], paid["payment_preimage"], "preimage")
    check_equal(b.listinvoices(label="tea")["invoices"][0]["status"], "paid", "status in the list")
    sent = a.listpays(bolt11=invoice["bolt11"])["pays"]
    check_equal([(p["status"], p["amount_sent_msat"], p["preimage"]) for p in sent],
                [("complete", 1_000_000, paid["payment_preimage"])], "listpays")
    # To pay again what is paid costs nothing and gives the same answer.
    again = a.pay(bolt11=invoice["bolt11"])
    check_equal(again["payment_preimage"], paid["payment_preimage"], "preimage of the second answer")
    check_shared(a, b, SIZE * 1000 - 1_000_000)
    decoded = a.decode(string=invoice["bolt11"])
    check_equal((decoded["amount_msat"], decoded["description"], decoded["payee"]),
                (1_000_000, "a cup of tea", b.id), "decode")
    try:
        b.invoice(amount_msat=5, label="tea", description="twice")
        raise Failure("a label was given twice")
    except RpcError as e:
        check_equal(e.code, 900, "code for a label that exists")


@test()
def payments_that_fail(net):
    a, b, _ = pair(net)

    def refused(what, **params):
        before = a.channel(b.id)["to_us_msat"]
        try:
            a.pay(**params)
            raise Failure("paid %s" % what)
        except RpcError as e:
            check(e.message, "the refusal of %s says why" % what)
        quiet(net.watch, a, b)
        check_equal(a.channel(b.id)["to_us_msat"], before, "balance after %s" % what)

    dear = b.invoice(amount_msat=SIZE * 1000 + 1, label="dear", description="more than there is")
    refused("more than the channel holds", bolt11=dear["bolt11"])
    reserve = b.invoice(amount_msat=SIZE * 1000 - 1000, label="reserve", description="the reserve")
    refused("the reserve", bolt11=reserve["bolt11"])
    brief = b.invoice(amount_msat=1000, label="brief", description="gone at once", expiry=1)
    net.until("the invoice is too old", lambda: b.listinvoices(label="brief")["invoices"][0]["status"] == "expired")
    refused("an expired invoice", bolt11=brief["bolt11"])
    refused("an invoice with a typing error", bolt11=dear["bolt11"][:-1] + ("q" if dear["bolt11"][-1] != "q" else "p"))
    anything = b.invoice(amount_msat="any", label="any", description="any amount")
    refused("any amount without saying how much", bolt11=anything["bolt11"])
    a.pay(bolt11=anything["bolt11"], amount_msat=4321)
    check_equal(b.listinvoices(label="any")["invoices"][0]["amount_received_msat"], 4321, "what came in")
    # One's own invoice is settled at home: the channel does not move.
    before = a.channel(b.id)["to_us_msat"]
    own = a.invoice(amount_msat=1000, label="own", description="one's own")
    check_equal(a.pay(bolt11=own["bolt11"])["status"], "complete", "payment to oneself")
    check_equal(a.listinvoices(label="own")["invoices"][0]["status"], "paid", "the invoice paid by oneself")
    check_equal(a.channel(b.id)["to_us_msat"], before, "balance after it")
    stranger = net.lampo("carol")
    lost = stranger.invoice(amount_msat=1000, label="lost", description="no way there")
    refused("someone without a channel", bolt11=lost["bolt11"])


@test()
def keysend(net):
    a, b, _ = pair(net, push_msat=100_000_000)
    paid = a.keysend(destination=b.id, amount_msat=77_000)
    check_equal(paid["status"], "complete", "status")
    b.keysend(destination=a.id, amount_msat=7_000)
    quiet(net.watch, a, b)
    check_shared(a, b, SIZE * 1000 - 100_000_000 - 77_000 + 7_000)


@test()
def many_at_once(net):
    """Both ways together, more than the channel has places for."""
    a, b, _ = pair(net, size=10_000_000 - 100_000, push_msat=4_000_000_000)
    start = a.channel(b.id)["to_us_msat"]
    count = 300
    jobs = [(a, b, 10_000 + i) for i in range(count)] + [(b, a, 20_000 + i) for i in range(count)]
    with ThreadPoolExecutor(120) as pool:
        for done in [pool.submit(payer.pay_to, payee, msat) for payer, payee, msat in jobs]:
            done.result()
    quiet(net.watch, a, b)
    check_shared(a, b, start + sum(20_000 + i for i in range(count)) - sum(10_000 + i for i in range(count)))


@test()
def restart_of_each(net):
    a, b, _ = pair(net)
    a_msat = SIZE * 1000
    for again in (a, b, a):
        a_msat = pay_both_ways(net, a, b, a_msat)
        again.restart()
        normal(net.watch, a, b.id)
        normal(net.watch, b, a.id)
        check_shared(a, b, a_msat)
    a.close_down()
    b.restart()
    a.start()
    normal(net.watch, a, b.id)
    a_msat = pay_both_ways(net, a, b, a_msat)
    close_and_check(net, b, a, a, a_msat, SIZE)


@test()
def restart_while_opening(net):
    """The acceptor dies before the funding is buried, the opener after."""
    a, b = net.lampo("alice"), net.lampo("bob")
    a.fund(FUNDS)
    a.connect_to(b)
    opened = a.fundchannel(id=b.id, amount=SIZE)
    b.kill9()
    net.bitcoind.mine_with(opened["txid"])
    b.start()
    a.kill9()
    net.bitcoind.mine(6)
    a.start()
    normal(net.watch, a, b.id)
    normal(net.watch, b, a.id)
    pay_both_ways(net, a, b, SIZE * 1000)


@test()
def two_channels_and_both_directions(net):
    """Each opens one to the other, and payments find the one that can carry them."""
    a, b, _ = pair(net)
    b.fund(FUNDS)
    opened = b.fundchannel(id=a.id, amount=SIZE)
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(5)
    net.until("both channels", lambda: all(
        [c["state"] for c in n.channels()] == ["CHANNELD_NORMAL"] * 2 for n in (a, b)))

    def total(n):
        return sum(c["to_us_msat"] for c in n.channels())

    a.pay_to(b, 400_000_000)
    b.pay_to(a, 900_000_000)
    quiet(net.watch, a, b)
    check_equal(total(a), SIZE * 1000 + 500_000_000, "alice's two sides")
    check_equal(total(a) + total(b), 2 * SIZE * 1000, "all sides together")


@test()
def upfront_shutdown_script(net):
    a, b = net.lampo("alice"), net.lampo("bob")
    a.fund(FUNDS)
    a.connect_to(b)
    home = net.bitcoind.rpc("getnewaddress")
    opened = a.fundchannel(id=b.id, amount=SIZE, close_to=home)
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(5)
    normal(net.watch, a, b.id)
    a.pay_to(b, 100_000_000)
    closed = a.close(id=b.id)
    net.bitcoind.mine_with(closed["txid"])
    tx = net.bitcoind.rpc("getblock", net.bitcoind.rpc("getbestblockhash"), 2)["tx"]
    paid = [sat(o["value"]) for t in tx if t["txid"] == closed["txid"] for o in t["vout"]
            if o["scriptPubKey"].get("address") == home]
    check(len(paid) == 1 and 890_000 < paid[0] < 900_000, "the close pays the script given at the opening", paid)
