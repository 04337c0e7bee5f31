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
    `change`: what is other than the invoice and the route say (hash, secret, scid, asked)."""
    a, last = world[sender], world[names[-1]]
    asked = a.decode(string=last.asks(change.get("asked", 1_000_000)))
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


@test(timeout=400)
def what_they_say_we_understand(net):
    """lnd and LDK as forwarders and as payees fail what we send, each in every way that they can be made to."""
    world = ring(net)
    for through in ("lnd1", "ldk1"):
        world.knows("lampo1", (through, "lampo2"))
    halves = {name: half_a_set(world, "lampo1", name) for name in ("lnd1", "ldk1")}
    for through in ("lnd1", "ldk1"):
        each_code_of(world, through)
    only_lnd(world)
    gone(net, world)
    for name, wait in halves.items():
        check_equal(wait(240), ("mpp_timeout", 1), "%s's end of half a set" % name)


def only_lnd(world):
    """What LDK cannot be made to say."""
    d, way = world["lnd1"], ("lnd1", "lampo2")
    d.post("/v1/chanpolicy", **{"global": True, "base_fee_msat": "1000", "fee_rate": 0.000001, "time_lock_delta": 80,
                                "min_htlc_msat": "5000", "min_htlc_msat_specified": True})
    says(world, "lampo1", way, "amount_below_minimum", 1, msat=4_999, asked=4_999)
    check(try_route(world, "lampo1", way, msat=5_000, asked=5_000) is None, "paid through lnd1")


def gone(net, world):
    """The next node is away, and then the channel to it is closed."""
    world["lampo2"].close_down()
    net.until("lnd1 sees lampo2 gone", lambda: not world["lnd1"].channel(world["lampo2"].id)["active"])
    net.until("ldk1 sees lampo2 gone", lambda: not world["ldk1"].channel(world["lampo2"].id)["usable"])
