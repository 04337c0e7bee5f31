"""The chain as judge between Lampo and lnd: penalties both ways, HTLCs resolved on chain both ways,
and a force close whose fees turn out ten times too low.

Cheating is done as a thief would: a node's directory is copied, the node goes on, and is put back."""
import hashlib
import os
import shutil
import threading
import time

from harness.bitcoind import sat
from harness.fees import FeeDesk, miners_want
from harness.lampo import normal, quiet
from harness.lnd import number_of
from harness.net import test
from harness.process import check, check_equal

from channel_test import FUNDS

SIZE = 5_000_000
# What a fee may cost at most in these tests: a few sat/vB for some transactions.
FEES = 60_000


class Table:
    """Balances before and after, as a reader wants them."""

    def __init__(self, title):
        self.title, self.rows = title, []

    def add(self, what, *values):
        self.rows.append((what,) + values)

    def show(self, *columns):
        print("| %s | %s |" % (self.title, " | ".join(columns)))
        print("|---|%s" % ("---:|" * len(columns)))
        for row in self.rows:
            print("| %s | %s |" % (row[0], " | ".join("{:,}".format(v) if isinstance(v, int) else str(v) for v in row[1:])))


def lampo_and_lnd(net, push_sat=2_000_000, **config):
    """lnd opens; both have coins on chain for anchors."""
    l, d = net.lampo("lampo", **config), net.lnd("lnd")
    l.fund(FUNDS)
    d.fund(FUNDS)
    d.synced()
    d.connect_to(l)
    net.bitcoind.mine_with(d.open(l, SIZE, push_sat))
    net.bitcoind.mine(5)
    normal(net.watch, l, d.id, 60)
    d.normal(l.id)
    return l, d


def spends_of(net, txid, out):
    """Transactions in the mempool that spend this output."""
    return [t for t in net.bitcoind.mempool()
            if any(i["txid"] == txid and i["vout"] == out for i in net.bitcoind.tx(t)["vin"])]


def funding_of(l, peer):
    c = l.channels(peer.id)[0]
    return c["funding_txid"], c["funding_outnum"]


class Past:
    """A node's directory as it is now, to be put back later: how a thief would cheat.  The node is down both times."""

    def __init__(self, node):
        self.node, self.kept = node, node.folder + ".old"
        shutil.copytree(node.folder, self.kept)

    def put_back(self):
        shutil.rmtree(self.node.folder)
        os.rename(self.kept, self.node.folder)


def in_mempool(net, what, funding, timeout=60):
    return net.until(what, lambda: spends_of(net, *funding), timeout)[0]


def mine_slowly(net, blocks, *nodes):
    """Block by block, each seen by everybody: both sides act as they would with ten minutes between."""
    for _ in range(blocks):
        net.bitcoind.mine(1)
        for n in nodes:
            n.synced()


def wallet_sat(n):
    return n.balance_sat()


def settled_on_chain(net, l, peer, blocks=400):
    """Mines until Lampo's channels with that peer are history; nobody else may hold it up."""
    def settled():
        return all(c["state"] == "CLOSED" for c in l.channels(peer.id))

    for _ in range(blocks // 20):
        if settled():
            return
        net.bitcoind.mine(20)
        l.synced()
    net.until("every channel with that peer is settled", settled)


def in_background(call, *args, **named):
    """The call's answer, or its exception, in a list once it is there."""
    out = []

    def run():
        try:
            out.append(call(*args, **named))
        except Exception as e:  # the test looks at it
            out.append(e)
    t = threading.Thread(target=run, daemon=True)
    t.start()
    return out


def hold_at(net, payer, payee, msat):
    """A payment of ours that the payee holds: (preimage, its answer to come)."""
    preimage = os.urandom(32)
    invoice = payee.hold_invoice(msat, preimage)
    answer = in_background(payer.pay, bolt11=invoice, retry_for=600)
    net.until("lnd holds it", lambda: payee.invoice_state(hashlib.sha256(preimage).hexdigest()) == "ACCEPTED", 60)
    return preimage, answer


@test(timeout=400)
def lampo_cheats_and_is_punished(net):
    """The test of the test: what our commitments look like to another implementation's justice."""
    l, d = lampo_and_lnd(net)
    table = Table("lampo cheats, sat")
    before = wallet_sat(l), wallet_sat(d)
    l.close_down()
    past = Past(l)
    l.start()
    normal(net.watch, l, d.id, 60)
    for _ in range(3):
        l.pay(bolt11=d.invoice(500_000_000))
    quiet(net.watch, l)
    true_share = l.channel(d.id)["to_us_msat"] // 1000
    l.close_down()
    d.terminate(60)
    past.put_back()
    l.start()
    funding = funding_of(l, d)
    l.close(id=d.id, unilateraltimeout=1)
    revoked = in_mempool(net, "our old commitment", funding)
    net.bitcoind.mine_with(revoked)
    d.start()
    for _ in range(30):
        if wallet_sat(d) > before[1] + SIZE - true_share:
            break
        mine_slowly(net, 1, l, d)
    after = wallet_sat(l), wallet_sat(d)
    table.add("lampo", before[0], true_share, after[0])
    table.add("lnd", before[1], SIZE - true_share, after[1])
    check(after[1] - before[1] > SIZE - FEES, "lnd took the whole channel", after[1] - before[1])
    check(after[0] <= before[0], "the cheater has nothing of it", after[0], before[0])
    table.show("wallet before", "true share of channel", "wallet after")


@test(timeout=500)
def lnd_cheats_and_is_punished(net):
    l, d = lampo_and_lnd(net)
    table = Table("lnd cheats, sat")
    d.terminate(60)
    past = Past(d)
    d.start()
    normal(net.watch, l, d.id, 60)
    d.normal(l.id)
    for i in range(3):
        invoice = l.invoice(amount_msat=500_000_000, label="honest-%d" % i, description="honest")
        check_equal(d.pay(invoice["bolt11"])["status"], "SUCCEEDED", "lnd pays")
    quiet(net.watch, l)
    before = wallet_sat(l), wallet_sat(d)
    true_share = l.channel(d.id)["to_us_msat"] // 1000
    funding = funding_of(l, d)
    d.terminate(60)
    l.close_down()
    past.put_back()
    d.start()
    d.close("%s:%d" % funding, force=True)
    revoked = in_mempool(net, "lnd's old commitment", funding)
    net.bitcoind.mine_with(revoked)
    l.start()
    l.synced()
    net.until("the penalty in the mempool", lambda: spends_from(net, revoked), 60)
    mine_slowly(net, 8, l)
    net.until("the channel's coins", lambda: wallet_sat(l) > before[0] + SIZE - FEES)
    settled_on_chain(net, l, d)
    d.synced()
    after = wallet_sat(l), wallet_sat(d)
    table.add("lampo", before[0], true_share, after[0])
    table.add("lnd", before[1], SIZE - true_share, after[1])
    check(after[0] - before[0] > SIZE - FEES, "we took the whole channel", after[0] - before[0])
    check(after[1] <= before[1], "the cheater has nothing of it", after[1], before[1])
    table.show("wallet before", "true share of channel", "wallet after")


def spends_from(net, txid):
    return [t for t in net.bitcoind.mempool() if any(i["txid"] == txid for i in net.bitcoind.tx(t)["vin"])]


def has_htlc_witness(net, txid, parent):
    """It spends an output of `parent` as an HTLC transaction does: the witness has a preimage of 32 bytes."""
    return any(i["txid"] == parent and any(len(w) == 64 for w in i.get("txinwitness", []))
               for i in net.bitcoind.tx(txid)["vin"])


@test(timeout=500)
def lnd_cheats_with_htlcs_and_second_stages(net):
    """The old state has HTLCs both ways; lnd takes what it can of them to its second stage first."""
    up, l, down = relay(net)
    table = Table("lnd cheats with HTLCs, sat")
    ours, paid = hold_at(net, l, up, 300_000_000)
    through, answer = hold_through(net, up, l, down, 400_000_000)
    up.terminate(60)
    past = Past(up)
    up.start()
    normal(net.watch, l, up.id, 60)
    up.normal(l.id)
    down.settle(through)
    up.settle(ours)
    net.until("we have paid", lambda: paid and paid[0]["status"] == "complete", 60)
    quiet(net.watch, l, timeout=60)
    true_share = l.channel(up.id)["to_us_msat"] // 1000
    funding = funding_of(l, up)
    before = wallet_sat(l), wallet_sat(up)
    up.terminate(60)
    l.close_down()
    past.put_back()
    up.start()
    up.close("%s:%d" % funding, force=True)
    revoked = in_mempool(net, "lnd's old commitment", funding)
    net.bitcoind.mine_with(revoked)
    # It claims the HTLC that it can with the preimage that it knows.
    up.synced()
    up.settle(ours)
    second = []
    for _ in range(8):
        # lnd's sweeper acts with a block.
        second = [t for t in spends_from(net, revoked) if has_htlc_witness(net, t, revoked)]
        net.bitcoind.mine(1)
        up.synced()
        if second:
            break
        time.sleep(1)
    check(second, "lnd took an HTLC of the revoked state to its second stage")
    table.add("second stages of lnd mined", len(second), "", "")
    l.start()
    l.synced()
    mine_slowly(net, 10, l)
    net.until("the channel's coins", lambda: wallet_sat(l) > before[0] + SIZE - FEES)
    after = wallet_sat(l), wallet_sat(up)
    table.add("lampo", before[0], true_share, after[0])
    table.add("lnd", before[1], SIZE - true_share, after[1])
    table.show("wallet before", "true share of channel", "wallet after")


# --- HTLCs in both directions, resolved on chain both ways ---

def relay(net, **config):
    """up --channel--> lampo --channel--> down: two lnds that know nothing of each other."""
    l, up, down = net.lampo("lampo", **config), net.lnd("up"), net.lnd("down")
    l.fund(FUNDS)
    l.fund(FUNDS)
    up.fund(FUNDS)
    down.fund(FUNDS)
    up.synced()
    up.connect_to(l)
    net.bitcoind.mine_with(up.open(l, SIZE, 2_000_000))
    net.bitcoind.mine(5)
    normal(net.watch, l, up.id, 60)
    up.normal(l.id)
    down.synced()
    l.connect_to(down)
    net.bitcoind.mine_with(l.fundchannel(id=down.id, amount=SIZE)["txid"])
    net.bitcoind.mine(5)
    normal(net.watch, l, down.id, 60)
    down.normal(l.id)
    return up, l, down


def hold_through(net, up, l, down, msat):
    """up pays down through us, and down holds it: (preimage, up's answer to come)."""
    preimage = os.urandom(32)
    payment_hash = hashlib.sha256(preimage).hexdigest()
    _, secret = down.decode(down.hold_invoice(msat, preimage))
    height = net.bitcoind.height()
    first = number_of(l.channel(up.id)["short_channel_id"])
    second = number_of(l.channel(down.id)["short_channel_id"])
    fee = 10_000 + msat // 100
    hops = [(l.id, first, msat, fee, height + 60), (down.id, second, msat, 0, height + 60)]
    answer = in_background(up.send_route, payment_hash, hops, secret)
    net.until("down holds it (%r)" % answer, lambda: down.invoice_state(payment_hash) == "ACCEPTED", 60)
    return preimage, answer


def htlc(l, peer):
    return next((h for c in l.channels(peer.id) for h in c["htlcs"]), None)


@test(timeout=500)
def our_htlc_times_out_on_our_commitment(net):
    """lnd is gone with a payment of ours: we go to the chain, and take it back after its time."""
    l, d = lampo_and_lnd(net)
    table = Table("our HTLC times out, sat")
    _, answer = hold_at(net, l, d, 400_000_000)
    before = wallet_sat(l)
    share = l.channel(d.id)["to_us_msat"] // 1000 + 400_000
    funding, expiry = funding_of(l, d), htlc(l, d)["expiry"]
    d.terminate(60)
    l.close(id=d.id, unilateraltimeout=1)
    net.bitcoind.mine_with(in_mempool(net, "our commitment", funding))
    mine_slowly(net, expiry - net.bitcoind.height() + 1, l)
    check(not answer, "a payment has no end before its HTLC has", answer)
    settled_on_chain(net, l, d)
    check(answer and "complete" not in str(answer[0]), "the payment failed", answer)
    after = wallet_sat(l)
    table.add("lampo", before, share, after)
    check(share - FEES < after - before <= share, "our share with the HTLC, less fees", after - before, share)
    table.show("wallet before", "channel, HTLC included", "wallet after")


@test(timeout=500)
def lnd_claims_on_our_commitment(net):
    """lnd comes back with the preimage when our commitment is on chain: the payment is complete."""
    l, d = lampo_and_lnd(net)
    preimage, answer = hold_at(net, l, d, 400_000_000)
    before = wallet_sat(l)
    share = l.channel(d.id)["to_us_msat"] // 1000
    funding = funding_of(l, d)
    d.terminate(60)
    l.close(id=d.id, unilateraltimeout=1)
    net.bitcoind.mine_with(in_mempool(net, "our commitment", funding))
    d.start()
    d.settle(preimage)
    for _ in range(20):
        if answer:
            break
        mine_slowly(net, 1, l, d)
    check(answer and answer[0]["status"] == "complete", "the preimage came from the chain", answer)
    check_equal(answer[0]["payment_preimage"], preimage.hex(), "it is the one")
    settled_on_chain(net, l, d)
    got = wallet_sat(l) - before
    check(share - FEES < got <= share, "our share without the HTLC", got, share)


@test(timeout=500)
def our_htlc_times_out_on_lnds_commitment(net):
    l, d = lampo_and_lnd(net)
    _, answer = hold_at(net, l, d, 400_000_000)
    before = wallet_sat(l)
    share = l.channel(d.id)["to_us_msat"] // 1000 + 400_000
    funding, expiry = funding_of(l, d), htlc(l, d)["expiry"]
    d.close("%s:%d" % funding, force=True)
    net.bitcoind.mine_with(in_mempool(net, "lnd's commitment", funding))
    d.terminate(60)
    mine_slowly(net, expiry - net.bitcoind.height() + 1, l)
    settled_on_chain(net, l, d)
    check(answer and "complete" not in str(answer[0]), "the payment failed", answer)
    got = wallet_sat(l) - before
    check(share - FEES < got <= share, "our share with the HTLC", got, share)


@test(timeout=500)
def forward_claimed_on_lnds_commitment(net):
    """The way in is closed by lnd while the HTLC is held; then the way out gives the preimage."""
    up, l, down = relay(net)
    table = Table("forward, lnd closes the way in, sat")
    preimage, answer = hold_through(net, up, l, down, 400_000_000)
    before = wallet_sat(l)
    share = l.channel(up.id)["to_us_msat"] // 1000
    incoming = htlc(l, up)["amount_msat"] // 1000
    funding = funding_of(l, up)
    up.close("%s:%d" % funding, force=True)
    net.bitcoind.mine_with(in_mempool(net, "lnd's commitment", funding))
    l.synced()
    down.settle(preimage)
    net.until("we have the preimage", lambda: not htlc(l, down), 60)
    mine_slowly(net, 12, l, up)
    net.until("our coins", lambda: wallet_sat(l) - before > share + incoming - FEES, 60)
    got = wallet_sat(l) - before
    table.add("lampo", before, share, incoming, wallet_sat(l))
    check(got <= share + incoming, "our share and the HTLC", got, share + incoming)
    net.until("up has its answer", lambda: answer, 90)
    check_equal(answer[0].get("status"), "SUCCEEDED", "lnd learns the preimage from the chain")
    table.show("wallet before", "channel", "HTLC", "wallet after")


@test(timeout=500)
def forward_claimed_on_our_commitment(net):
    """We close the way in, and claim with the preimage that comes afterwards: HTLC-success with coins of the wallet."""
    up, l, down = relay(net)
    preimage, answer = hold_through(net, up, l, down, 400_000_000)
    before = wallet_sat(l)
    share = l.channel(up.id)["to_us_msat"] // 1000
    incoming = htlc(l, up)["amount_msat"] // 1000
    funding = funding_of(l, up)
    up.terminate(60)
    l.close(id=up.id, unilateraltimeout=1)
    net.bitcoind.mine_with(in_mempool(net, "our commitment", funding))
    l.synced()
    down.settle(preimage)
    net.until("we have the preimage", lambda: not htlc(l, down), 60)
    mine_slowly(net, 12, l)
    up.start()
    net.until("up has its answer from the chain or from its books",
              lambda: any(p["status"] == "SUCCEEDED" for p in up.payments()), 90)
    settled_on_chain(net, l, up)
    got = wallet_sat(l) - before
    check(share + incoming - FEES < got <= share + incoming, "our share and the HTLC", got, share + incoming)


@test(timeout=500)
def forward_preimage_seen_on_chain(net):
    """The way out is closed by down, which claims on chain: we are paid by the way in, off chain."""
    up, l, down = relay(net)
    preimage, answer = hold_through(net, up, l, down, 400_000_000)
    funding = funding_of(l, down)
    incoming = htlc(l, up)["amount_msat"]
    share = l.channel(up.id)["to_us_msat"]
    down.close("%s:%d" % funding, force=True)
    net.bitcoind.mine_with(in_mempool(net, "down's commitment", funding))
    down.synced()
    down.settle(preimage)
    for _ in range(20):
        if answer:
            break
        mine_slowly(net, 1, l, up, down)
    check_equal(answer[0].get("status") if answer else None, "SUCCEEDED", "up is answered: %r" % answer)
    quiet_with(net, l, up)
    check_equal(l.channel(up.id)["to_us_msat"], share + incoming, "the way in has paid us")
    check(l.channel(up.id)["state"] == "CHANNELD_NORMAL", "and is open", l.channel(up.id)["state"])


def quiet_with(net, l, peer):
    net.until("no HTLC with that peer", lambda: not htlc(l, peer), 60)


# --- fees that rise ---

def fees_rise_tenfold(net, estimates_follow):
    """We carry a payment from up to down, which holds it and goes away: we close the way out.  A minute later miners
    take nothing below ten times the estimate.  Commitment and HTLC-timeout confirm before the HTLC of the way in
    expires, so up takes its HTLC back and keeps its channel with us."""
    desk = FeeDesk(net.bitcoind, 3)
    up, l, down = relay(net, **{"core-url": desk.url})
    _, answer = hold_through(net, up, l, down, 400_000_000)
    before = wallet_sat(l)
    share = l.channel(down.id)["to_us_msat"] // 1000 + 400_000
    deadline, timeout = htlc(l, up)["expiry"], htlc(l, down)["expiry"]
    funding = funding_of(l, down)
    down.terminate(60)
    l.close(id=down.id, unilateraltimeout=1)
    commitment = in_mempool(net, "our commitment", funding)
    entry = net.bitcoind.rpc("getmempoolentry", commitment)
    miners_want(net.bitcoind, 30)
    if estimates_follow:
        desk.sat_per_vb = 30
    start = net.bitcoind.height()
    table = Table("fees tenfold, estimates %s" % ("follow" if estimates_follow else "do not"))
    first = wait_confirmed(net, commitment, deadline, l, up)
    table.add("estimate at the close, sat/vB", 3)
    table.add("what miners take from then on, sat/vB", 30)
    table.add("commitment with its child at the close, sat/vB", package_rate(entry))
    table.add("the same when it confirmed, sat/vB", rate_in_block(net, commitment))
    table.add("blocks until the commitment confirmed", first - start)
    timed_out = wait_spent(net, commitment, 400_000, max(timeout, first), deadline, l, up)
    table.add("blocks until the HTLC expires", timeout - start)
    table.add("blocks until its HTLC-timeout confirmed", timed_out - start)
    table.add("blocks until the deadline, the way in's expiry", deadline - start)
    for _ in range(12):
        if answer:
            break
        mine_slowly(net, 1, l, up)
    check_equal(answer and answer[0].get("status"), "FAILED", "up has its HTLC back: %r" % answer)
    check_equal(l.channel(up.id)["state"], "CHANNELD_NORMAL", "the way in is open")
    # What has no deadline may wait for better times, and does.
    miners_want(net.bitcoind, 1)
    settled_on_chain(net, l, down)
    got = wallet_sat(l) - before
    check(share - 8 * FEES < got <= share, "our share with the HTLC, less fees", got, share)
    table.add("our share of the closed channel, sat", share)
    table.add("of it in the wallet at the end, sat", got)
    table.show("figure")


def package_rate(entry):
    """In sat/vB, of a transaction and all that hangs on it."""
    return round(sat(entry["fees"]["descendant"]) / int(entry["descendantsize"]), 1)


def rate_in_block(net, txid):
    """In sat/vB, of a transaction and its children in the block at the tip."""
    block = net.bitcoind.rpc("getblock", net.bitcoind.rpc("getbestblockhash"), 2)["tx"]
    family = [t for t in block if t["txid"] == txid or any(i.get("txid") == txid for i in t["vin"])]
    return round(sum(sat(t["fee"]) for t in family) / sum(int(t["vsize"]) for t in family), 1)


def wait_confirmed(net, txid, deadline, *nodes):
    """Mines block by block until it is in one; the height."""
    while txid in net.bitcoind.mempool():
        check(net.bitcoind.height() < deadline, "confirmed before the deadline", txid)
        mine_slowly(net, 1, *nodes)
    return net.bitcoind.height()


def wait_spent(net, txid, amount_sat, from_height, deadline, *nodes):
    """The height of the block with the spend of the output of that amount."""
    out = next(o["n"] for o in net.bitcoind.rpc("getblock", net.bitcoind.rpc("getbestblockhash"), 2)["tx"]
               if o["txid"] == txid for o in o["vout"] if sat(o["value"]) == amount_sat)
    while net.bitcoind.rpc("gettxout", txid, out, False) is not None:
        check(net.bitcoind.height() < deadline, "spent before the deadline", net.bitcoind.height())
        mine_slowly(net, 1, *nodes)
    check(net.bitcoind.height() > from_height, "not before its time")
    return net.bitcoind.height()


@test(timeout=600)
def fees_rise_tenfold_after_a_force_close(net):
    fees_rise_tenfold(net, True)


@test(timeout=600)
def fees_rise_tenfold_unseen_by_the_estimates(net):
    fees_rise_tenfold(net, False)
