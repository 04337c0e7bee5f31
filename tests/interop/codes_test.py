"""The failure codes of BOLT 4 by implementation: who says which, and what whoever hears it does.  docs/FORWARDING.md has the
table.  Here is what needs a network of its own; failure_test has the rest."""
import os

from harness.lnd import number_of
from harness.net import test
from harness.process import check, check_equal
from harness.world import World

from failure_test import lnd_hears, refusals, says, try_route

CODES = {"temporary_channel_failure": 0x1007, "permanent_channel_failure": 0x4008, "unknown_next_peer": 0x400a,
         "amount_below_minimum": 0x100b, "fee_insufficient": 0x100c, "incorrect_cltv_expiry": 0x100d, "channel_disabled": 0x1014}
CHEAP = {"fee-base": 100, "fee-per-satoshi": 10, "cltv-delta": 40}
DEAR = {"fee-base": 20_000, "fee-per-satoshi": 500, "cltv-delta": 40}


def change(node, peer, **terms):
    """At once, and with no patience for whoever keeps to the terms of before."""
    node.setchannel(id=peer.id, enforcedelay=0, **terms)


# --- lnd has old terms of a node that is its only way ---

def far_away(net, **of_lampo2):
    """lnd1 - lampo1 - lampo2 - lampo3, and lampo4 behind a private channel of lampo2.  After its restart lnd1 asks nobody for
    news, and only lampo1 is there to bring any."""
    world = World(net, "lampo1", "lampo3", "lampo4", lnd1={"extra": ["--max-cltv-expiry=3000"]}, lampo2={"cltv-delta": 40, **of_lampo2})
    world.join(("lnd1", "lampo1"), ("lampo1", "lampo2"), ("lampo2", "lampo3"), ("lampo2", "lampo4", {"private": True}))
    world.knows("lnd1", *world.links[:3])
    d, near = world["lnd1"], world["lampo1"]
    d.extra.append("--numgraphsyncpeers=0")
    d.restart()
    d.usable(near.id)
    near.usable(d.id)
    net.until("lnd1 has no other peer", lambda: d.peers() == [near.id])
    return world


def fee_known(d, scid, node):
    """What lnd's graph says that this end of a channel asks for each HTLC, or 0."""
    edge = d.get("/v1/graph/edge/%d" % number_of(scid))
    policy = edge["node1_policy"] if edge["node1_pub"] == node.id else edge["node2_policy"]
    return int(policy["fee_base_msat"])


def paid_at_second(world, payee, failure, private, **terms):
    """lampo2 changes its terms towards payee when its invoice is out already; lnd hears of it by the failure alone."""
    d, far, last = world["lnd1"], world["lampo2"], world[payee]
    bolt11 = last.asks(2_000_000, private)
    code = CODES[failure]
    before = refusals(far, code)
    change(far, last, **terms)
    d.post("/v2/router/mc/reset")
    paid = d.pay(bolt11)
    what = "lnd1 pays %s after %r" % (payee, terms)
    check_equal(paid["status"], "SUCCEEDED", what)
    tries = [(h["status"], (h.get("failure") or {}).get("code", "")) for h in paid["htlcs"]]
    check_equal(tries, [("FAILED", failure.upper()), ("SUCCEEDED", "")], what)
    check_equal(refusals(far, code), before + 1, what + ": refusals")


@test(timeout=300)
def lnd_learns_our_terms_from_a_failure(net):
    """The only way of an lnd leads through a node whose terms it does not know any more: the failure tells them, and
    the second try arrives.  With failure-channel-update=false it does not."""
    world = far_away(net)
    d, far = world["lnd1"], world["lampo2"]
    check_equal(lnd_hears(world, ("lampo1", "lampo2"), final=2050), ("EXPIRY_TOO_FAR", 1), "lampo1's answer")
    for payee, private in (("lampo3", False), ("lampo4", True)):
        paid_at_second(world, payee, "fee_insufficient", private, feebase=30_000)
        paid_at_second(world, payee, "incorrect_cltv_expiry", private, cltvdelta=90)
        paid_at_second(world, payee, "fee_insufficient", private, feebase=50_000, feeppm=1_000, cltvdelta=120)
    # It takes over what it is told, for every payment.
    check_equal(fee_known(d, world.scid("lampo2", "lampo3"), far), 50_000, "what lnd1 has in its graph")
    far.config["failure-channel-update"] = "false"
    far.restart()
    for name in ("lampo1", "lampo3", "lampo4"):
        far.connect_to(world[name])
        far.usable(world[name].id)
        world[name].usable(far.id)
    bolt11 = world["lampo3"].asks(2_000_000)
    change(far, world["lampo3"], feebase=60_000)
    d.post("/v2/router/mc/reset")
    paid = d.pay(bolt11)
    check_equal((paid["status"], paid["failure_reason"]), ("FAILED", "FAILURE_REASON_NO_ROUTE"), "untold")
    check_equal([h["failure"]["code"] for h in paid["htlcs"]], ["UNKNOWN_FAILURE"], "what lnd made of it")


# --- LDK has old terms, and another way ---

LDK_NAMES = {"temporary_channel_failure": "TemporaryChannelFailure", "permanent_channel_failure": "PermanentChannelFailure",
             "amount_below_minimum": "AmountBelowMinimum", "fee_insufficient": "FeeInsufficient",
             "incorrect_cltv_expiry": "IncorrectCLTVExpiry", "channel_disabled": "ChannelDisabled"}


def ldk_read(k, node, failure):
    """How often LDK's log has read this of that node."""
    with open(os.path.join(k.folder, "ldk_node.log"), encoding="utf-8", errors="replace") as f:
        return f.read().count("Onion Error[from %s: %s(0x%x)" % (node.id, LDK_NAMES[failure], CODES[failure]))


def both_ways(last):
    """An invoice that names both of its private channels, though one could carry it alone."""
    scids = [c["short_channel_id"] for c in last.channels() if c["state"] == "CHANNELD_NORMAL"]
    check_equal(len(scids), 2, "channels of %s" % last.name)
    label = os.urandom(8).hex()
    return last.invoice(amount_msat=2_000_000, label=label, description="interop", exposeprivatechannels=scids)["bolt11"]


def goes_elsewhere(world, payer, failure, refuse, restore):
    """The invoice has two ways to a hidden node, the cheap one through lampo1.  It refuses by the time that it is tried."""
    a, cheap, dear, last = world[payer], world["lampo1"], world["lampo2"], world["lampo3"]
    bolt11 = both_ways(last)
    before = refusals(cheap, CODES[failure]), dear.carried(last.id)[0]
    if a.kind == "lnd":
        a.post("/v2/router/mc/reset")
    read = ldk_read(a, cheap, failure) if a.kind == "LDK" else 0
    refuse()
    check_equal(a.pays(bolt11), None, "%s pays where lampo1 says %s" % (payer, failure))
    check(refusals(cheap, CODES[failure]) > before[0], "%s tried lampo1 first (%s)" % (payer, failure))
    world.net.until("lampo2 has carried it from %s after %s" % (payer, failure), lambda: dear.carried(last.id)[0] > before[1])
    if a.kind == "LDK":
        world.net.until("LDK's log has read %s" % failure, lambda: ldk_read(a, cheap, failure) > read)
    restore()


@test(timeout=300)
def ldk_and_lnd_hear_us_and_go_elsewhere(net):
    """Each code of ours that their own path finder can run into."""
    world = World(net, "ldk1", "lnd1", "lampo3", lampo1=CHEAP, lampo2=DEAR)
    world.join(("lampo1", "ldk1"), ("lampo2", "ldk1"), ("lnd1", "lampo1"), ("lnd1", "lampo2"))
    for name in world.nodes:
        world.knows(name)
    world.join(("lampo1", "lampo3", {"private": True}), ("lampo2", "lampo3", {"private": True}))
    cheap, last = world["lampo1"], world["lampo3"]
    net.until("lampo3 knows the terms of both", lambda: all("remote" in c["updates"] for c in last.channels()))
    back = {"feebase": 100, "feeppm": 10, "cltvdelta": 40, "htlcmin": 0, "htlcmax": 4_000_000_000}
    for payer in ("ldk1", "lnd1"):
        for failure, terms in (("fee_insufficient", {"feebase": 900_000}), ("incorrect_cltv_expiry", {"cltvdelta": 2000}),
                               ("amount_below_minimum", {"htlcmin": 3_000_000}), ("temporary_channel_failure", {"htlcmax": 1_000_000})):
            goes_elsewhere(world, payer, failure, lambda t=terms: change(cheap, last, **t), lambda: change(cheap, last, **back))
            net.until("lampo3 knows the cheap terms again", lambda: last.channel(cheap.id)["updates"]["remote"]["fee_base_msat"] == 100
                      and last.channel(cheap.id)["updates"]["remote"]["cltv_expiry_delta"] == 40)

    for payer, why in (("ldk1", "RecipientRejected"), ("lnd1", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS")):
        label = os.urandom(8).hex()
        bolt11 = cheap.invoice(amount_msat=2_000_000, label=label, description="interop")["bolt11"]
        cheap.delinvoice(label=label, status="unpaid")
        check_equal(world[payer].pays(bolt11), why, "%s pays what lampo1 does not ask for any more" % payer)
    invoices = {payer: both_ways(last) for payer in ("ldk1", "lnd1")}
    cheap.ends(last.id)
    for payer, invoice in invoices.items():
        before = refusals(cheap, CODES["permanent_channel_failure"])
        if payer == "lnd1":
            world[payer].post("/v2/router/mc/reset")
        check_equal(world[payer].pays(invoice), None, "%s pays though lampo1's channel is gone" % payer)
        check(refusals(cheap, CODES["permanent_channel_failure"]) > before, "%s tried it" % payer)
    check(ldk_read(world["ldk1"], cheap, "permanent_channel_failure"), "LDK has read permanent_channel_failure")


@test(timeout=200)
def a_disabled_channel(net):
    """lampo3 leaves and lampo2 says so.  LDK does not know it yet, as lampo1, its only peer, passes news on once a minute: it
    tries, and hears channel_disabled.  lnd is told to try."""
    world = World(net, "ldk1", "lnd1", "lampo1", "lampo3", lampo2={"disable-after": 1})
    world.join(("lampo1", "ldk1"), ("lampo1", "lampo2"), ("lnd1", "lampo2"), ("lampo2", "lampo3"))
    k, far, last = world["ldk1"], world["lampo2"], world["lampo3"]
    world.knows("ldk1")
    for name in ("lnd1", "lampo2", "lampo3"):
        k.call("disconnect", node_id=world[name].id)
    net.until("LDK has one peer", lambda: k.peers() == [world["lampo1"].id])
    scid, invoices = world.scid("lampo2", "lampo3"), [last.asks(1_000_000) for _ in range(2)]
    last.close_down()
    net.until("lampo2 calls the channel disabled", lambda: not any(
        c["active"] for c in far.listchannels(short_channel_id=scid)["channels"] if c["source"] == far.id))
    check_equal(k.pays(invoices[0]), "RouteNotFound", "LDK pays on a way that there is not")
    check_equal(refusals(far, CODES["channel_disabled"]), 1, "LDK tried it")
    net.until("LDK's log has read it", lambda: ldk_read(k, far, "channel_disabled"))
    check_equal(lnd_hears(world, ("lampo2", "lampo3"), invoice=invoices[1], scid=scid), ("CHANNEL_DISABLED", 1), "lnd")


# --- what LDK can be made to say ---

@test(timeout=200)
def what_ldk_says(net):
    """A least amount of the node behind it, a channel that has run dry, a peer that is not there."""
    world = World(net, "lampo1", "ldk1", lnd1={"extra": ["--bitcoin.minhtlc=5000"]})
    world.join(("lampo1", "ldk1"), ("lnd1", "ldk1", {"push_msat": 200_000_000}))
    way = ("ldk1", "lnd1")
    says(world, "lampo1", way, "amount_below_minimum", 1, msat=4_999, asked=4_999)
    check(try_route(world, "lampo1", way, msat=5_000, asked=5_000) is None, "paid through ldk1")
    says(world, "lampo1", way, "temporary_channel_failure", 1, msat=300_000_000, asked=300_000_000)
    # It goes on with less: the payment engine learns from the failure.
    world.knows("lampo1")
    check_equal(world["lampo1"].pays(world["lnd1"].asks(100_000_000)), None, "lampo1 pays lnd1")
    invoice = world["lnd1"].asks(1_000_000)
    world["lnd1"].terminate()
    net.until("LDK has noticed", lambda: world["lnd1"].id not in world["ldk1"].peers())
    says(world, "lampo1", way, "temporary_channel_failure", 1, invoice=invoice)


@test(timeout=240)
def ldk_disables_a_channel(net):
    """LDK calls a channel disabled after ten of its minutes; here they are short ones."""
    world = World(net, "lampo1", "ldk1", "lnd1")
    world.join(("lampo1", "ldk1"), ("lnd1", "ldk1"))
    l, k = world["lampo1"], world["ldk1"]
    world.knows("lampo1")
    invoice, scid = world["lnd1"].asks(1_000_000), world.scid("ldk1", "lnd1")
    world["lnd1"].terminate()
    k.hurry(20)
    k.usable(l.id)
    l.usable(k.id)
    net.until("LDK has told lampo1 that the channel is disabled", lambda: not any(
        c["active"] for c in l.listchannels(short_channel_id=scid)["channels"] if c["source"] == k.id), 150)
    says(world, "lampo1", ("ldk1", "lnd1"), "channel_disabled", 1, invoice=invoice)
