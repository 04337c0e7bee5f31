"""Failures between implementations: what they send is read and acted upon, what we send is understood.

    lampo1 - lnd1 - lampo2 - ldk1 - lampo1

is a ring: from each corner two ways lead to the opposite one."""
import threading

from harness.lampo import RpcError, rpc
from harness.lnd import number_of
from harness.net import test
from harness.process import TIME_FACTOR, check, check_equal
from harness.world import SIZE, World

# lampo1 has little to send on, to either side.
LITTLE = 150_000_000
RING = (("lnd1", "lampo1", {"push_msat": LITTLE}), ("lnd1", "lampo2", {"push_msat": 4_500_000_000}),
        ("lampo1", "ldk1", {"push_msat": SIZE * 1000 - LITTLE}), ("lampo2", "ldk1"))
DEAR = {"fee-base": 20_000, "fee-per-satoshi": 2000, "cltv-delta": 34}
CHEAP = {"fee-base": 100, "fee-per-satoshi": 10, "cltv-delta": 34}

FINAL_CLTV = 90  # more than any of them wants
DELTA = 150      # more than any of them asks for


def ring(net, **of_lampo2):
    world = World(net, "lnd1", "ldk1", lampo1=CHEAP, lampo2={**DEAR, **of_lampo2})
    world.join(*RING)
    return world


# --- what they say to us ---

def try_route(world, sender, names, msat=1_000_000, fee=20_000, final=FINAL_CLTV, delta=DELTA, **change):
    """sendpay of an invoice of the last of `names`; the failure as waitsendpay tells it, or None if it was paid.
    `change`: what is other than the invoice and the route say (hash, secret, scid, asked), or an invoice of before."""
    a, last = world[sender], world[names[-1]]
    asked = a.decode(string=change.get("invoice") or last.asks(change.get("asked", 1_000_000)))
    payment_hash = change.get("hash", asked["payment_hash"])
    scids = [world.scid(x, y) for x, y in zip((sender,) + names, names)]
    if "scid" in change:
        scids[-1] = change["scid"]
    way = [{"id": world[name].id, "channel": scid, "direction": 0, "amount_msat": msat + (fee if i < len(names) - 1 else 0),
            "delay": final + (delta if i < len(names) - 1 else 0), "style": "tlv"}
           for i, (name, scid) in enumerate(zip(names, scids))]
    try:
        a.sendpay(route=way, payment_hash=payment_hash, payment_secret=change.get("secret", asked["payment_secret"]))
        a.waitsendpay(payment_hash=payment_hash)
    except RpcError as e:
        return e
    return None


def says(world, sender, names, failure, erring, **how):
    """The node at index `erring` fails it, with the code of that name."""
    e = try_route(world, sender, names, **how)
    what = "%s to %s, %r" % (sender, " to ".join(names), how)
    check(e is not None, "%s: refused" % what)
    check(e.data, "%s: %s" % (what, e))
    check_equal((e.data["failcodename"], e.data["erring_index"]), (failure, erring), what)
    check_equal(e.data["erring_node"], world[names[erring - 1]].id, what)
    check_equal(e.code, 203 if erring == len(names) else 204, "%s: code" % what)


def held(call, *args, **named):
    """The call's answer, or its exception, when it comes: wait() for it."""
    out = []

    def run():
        try:
            out.append(call(*args, **named))
        except Exception as e:  # wait() raises it
            out.append(e)

    t = threading.Thread(target=run, daemon=True)
    t.start()

    def wait(seconds):
        t.join(seconds * TIME_FACTOR)
        check(out, "no answer within %d s" % seconds)
        if isinstance(out[0], Exception):
            raise out[0]
        return out[0]
    return wait


def half_a_set(world, sender, payee):
    """One part of two, which the payee gives back when the other does not come."""
    a = world[sender]
    asked = a.decode(string=world[payee].asks(2_000_000))
    way = [{"id": world[payee].id, "channel": world.scid(sender, payee), "direction": 0, "amount_msat": 1_000_000,
            "delay": FINAL_CLTV, "style": "tlv"}]
    a.sendpay(route=way, payment_hash=asked["payment_hash"], payment_secret=asked["payment_secret"],
              amount_msat=2_000_000, partid=1)

    def end():
        try:
            rpc(a.socket, "waitsendpay", 300, payment_hash=asked["payment_hash"], partid=1)
        except RpcError as e:
            return e.data["failcodename"], e.data["erring_index"]
        return "paid"
    return held(end)


TEMPORARY = 4103
DETAILS = "incorrect_or_unknown_payment_details"


def each_code_of(world, through):
    """Of a forwarder, and of the same node as the last."""
    way = (through, "lampo2")
    says(world, "lampo1", way, "fee_insufficient", 1, fee=0)
    says(world, "lampo1", way, "incorrect_cltv_expiry", 1, delta=10)
    says(world, "lampo1", way, "expiry_too_soon", 1, final=2)
    says(world, "lampo1", way, "expiry_too_far", 1, final=2050)
    says(world, "lampo1", way, "unknown_next_peer", 1, scid="1x2x3")
    says(world, "lampo1", way, DETAILS, 2, hash="33" * 32)
    check(try_route(world, "lampo1", way) is None, "paid through %s" % through)
    last = (through,)
    says(world, "lampo1", last, DETAILS, 1, hash="44" * 32)
    says(world, "lampo1", last, DETAILS, 1, secret="55" * 32)
    says(world, "lampo1", last, DETAILS, 1, msat=900_000)
    says(world, "lampo1", last, DETAILS, 1, final=5)
    check(try_route(world, "lampo1", last) is None, "paid to %s" % through)


def only_lnd(net, world):
    """What LDK cannot be made to say."""
    d, way = world["lnd1"], ("lnd1", "lampo2")
    d.post("/v1/chanpolicy", **{"global": True, "base_fee_msat": "1000", "fee_rate": 0.000001, "time_lock_delta": 80,
                                "min_htlc_msat": "5000", "min_htlc_msat_specified": True})
    says(world, "lampo1", way, "amount_below_minimum", 1, msat=4_999, asked=4_999)
    check(try_route(world, "lampo1", way, msat=5_000, asked=5_000) is None, "paid through lnd1")
    # It has less than half a million to send to lampo2.
    check_equal(d.pays(world["lampo1"].asks(1_000_000_000)), None, "lnd1 pays lampo1")
    says(world, "lampo1", way, "temporary_channel_failure", 1, msat=600_000_000, asked=600_000_000)


# --- what we say to them ---

def lnd_hears(world, names, msat=1_000_000, fee=20_000, final=FINAL_CLTV, delta=DELTA, **change):
    """lnd's own reading of the failure of an HTLC to the last of `names`: (code, index of who said it), or None."""
    d, last = world["lnd1"], world[names[-1]]
    payment_hash, secret = d.decode(change.get("invoice") or last.asks(1_000_000))
    height, scids = world.net.bitcoind.height(), [world.scid(x, y) for x, y in zip(("lnd1",) + names, names)]
    if "scid" in change:
        scids[-1] = change["scid"]
    ends = [height + final] * len(names)
    hops = [(world[name].id, number_of(scid), msat, fee if i < len(names) - 1 else 0, end)
            for i, (name, scid, end) in enumerate(zip(names, scids, ends))]
    answer = d.send_route(change.get("hash", payment_hash), hops, change.get("secret", secret), total=change.get("total"),
                          lock=height + final + (delta if len(names) > 1 else 0))
    if answer["status"] == "SUCCEEDED":
        return None
    return answer["failure"]["code"], answer["failure"]["failure_source_index"]


def each_code_of_ours(world):
    """lnd reads what we say, as a forwarder and as a payee.  Without a channel_update lnd 0.21 would take four of them for
    an unknown failure, as it takes LDK's."""
    way = ("lampo1", "ldk1")
    check_equal(lnd_hears(world, way, fee=0), ("FEE_INSUFFICIENT", 1), "fee_insufficient")
    check_equal(lnd_hears(world, way, delta=5), ("INCORRECT_CLTV_EXPIRY", 1), "incorrect_cltv_expiry")
    check_equal(lnd_hears(world, way, final=2), ("EXPIRY_TOO_SOON", 1), "expiry_too_soon")
    check_equal(lnd_hears(world, way, msat=300_000_000, fee=1_000_000), ("TEMPORARY_CHANNEL_FAILURE", 1), "more than we have")
    check_equal(lnd_hears(world, way, scid="1x2x3"), ("UNKNOWN_NEXT_PEER", 1), "nobody's channel")
    check_equal(lnd_hears(world, way, hash="66" * 32), ("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", 2), "LDK's, wrapped by us")
    check_equal(lnd_hears(world, way), None, "paid through us")
    last = ("lampo1",)
    for how in ({"hash": "77" * 32}, {"secret": "88" * 32}, {"msat": 900_000}, {"final": 5}):
        check_equal(lnd_hears(world, last, **how), ("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", 1), "we as payee, %r" % how)
    check_equal(lnd_hears(world, last), None, "paid to us")


def refusals(node, code):
    return sum(f.get("failcode") == code for f in node.listforwards(status="local_failed")["forwards"])


def they_try_elsewhere(net, world):
    """lampo1 is cheap and has nothing to send on: whoever hears so from it goes through lampo2."""
    for sender, receiver in (("lnd1", "ldk1"), ("ldk1", "lnd1")):
        before = refusals(world["lampo1"], TEMPORARY), world["lampo2"].carried(world[receiver].id)[0]
        if sender == "lnd1":
            world["lnd1"].post("/v2/router/mc/reset")
        check_equal(world[sender].pays(world[receiver].asks(300_000_000)), None, "%s pays %s" % (sender, receiver))
        net.until("lampo2 has carried it from %s" % sender,
                  lambda r=receiver, b=before: world["lampo2"].carried(world[r].id)[0] > b[1])
        check(refusals(world["lampo1"], TEMPORARY) > before[0], "%s tried lampo1 first" % sender)


def we_try_elsewhere(net, world):
    """lnd forwards nothing any more and says so: we go through LDK, which wants more for it."""
    d, k, l1, l2 = (world[n] for n in ("lnd1", "ldk1", "lampo1", "lampo2"))
    k.call("setfees", channel=k.channel(l1.id)["channel"], fee_base_msat=5000)
    scid = world.scid("ldk1", "lampo1")
    net.until("lampo2 knows LDK's new fee", lambda: any(
        c["source"] == k.id and c["base_fee_millisatoshi"] == 5000 for c in l2.listchannels(short_channel_id=scid)["channels"]), 60)
    d.extra.append("--rejecthtlc")
    d.restart()
    for n in (l1, l2):
        d.usable(n.id)
        n.usable(d.id)
    says(world, "lampo2", ("lnd1", "lampo1"), "channel_disabled", 1)
    before = k.carried(l1.id)[0]
    check_equal(l2.pays(l1.asks(50_000_000)), None, "lampo2 pays lampo1")
    net.until("LDK has carried it", lambda: k.carried(l1.id)[0] > before)


@test(timeout=500)
def each_is_understood(net):
    """lnd and LDK fail what we send and we what they send, each in every way that it can be made to; whoever is refused
    on one way takes the other."""
    world = ring(net)
    for name in world.nodes:
        world.knows(name)
    halves = {name: half_a_set(world, "lampo1", name) for name in ("lnd1", "ldk1")}
    ours = held(lnd_hears, world, ("lampo1",), total=2_000_000)
    they_try_elsewhere(net, world)
    for through in ("lnd1", "ldk1"):
        each_code_of(world, through)
    only_lnd(net, world)
    each_code_of_ours(world)
    check_equal(ours(120), ("MPP_TIMEOUT", 1), "our end of half a set")
    check_equal(halves["lnd1"](240), ("mpp_timeout", 1), "lnd's end of half a set")
    we_try_elsewhere(net, world)
    check_equal(halves["ldk1"](240), ("mpp_timeout", 1), "LDK's end of half a set")
