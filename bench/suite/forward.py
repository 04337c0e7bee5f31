"""Three nodes in a row on one machine, durable, over real sockets: payments from the first to the third.

The same work for each kind: the payee's invoice paid along a route that is given (sendpay; lnd's SendToRouteV2), so
that no path finder is measured.  A last row each is `pay`, one at a time, which finds that way itself."""
import base64
import copy
import json
from concurrent.futures import ThreadPoolExecutor

from harness.lampo import open_channel, quiet
from harness.process import Failure

from . import drive
from .machine import Usage, build, lightningd, measured_kinds

MSAT = 1_000_000  # 1,000 sat
IN_FLIGHT = (1, 50, 400)
COUNTS, QUICK = (500, 5000, 8000), (100, 1000, 2000)
SIZE = 16_000_000  # sat: within what all of them open by default
FEE_BASE, FEE_PPM, DELTA = 1000, 10, 34
FINAL = 40


def route(a, b, c, channels):
    """What getroute would say."""
    fee = FEE_BASE + MSAT * FEE_PPM // 1_000_000
    return [
        {"id": b.id, "channel": channels[0], "direction": int(a.id > b.id), "amount_msat": MSAT + fee,
         "delay": FINAL + DELTA, "style": "tlv"},
        {"id": c.id, "channel": channels[1], "direction": int(b.id > c.id), "amount_msat": MSAT, "delay": FINAL,
         "style": "tlv"},
    ]


def lampo_row(net, **config):
    """alice - bob - carol, and the way from the first to the last."""
    common = {"log-level": "info", "fee-base": FEE_BASE, "fee-per-satoshi": FEE_PPM, "cltv-delta": DELTA, **config}
    a, b, c = (net.lampo(name, **common) for name in ("alice", "bob", "carol"))
    for payer, payee in ((a, b), (b, c)):
        payer.fund(SIZE + 1_000_000)
        open_channel(net.watch, payer, payee, SIZE)
    for n in (a, b, c):
        n.synced()
    return a, b, c, route(a, b, c, [a.channel(b.id)["short_channel_id"], b.channel(c.id)["short_channel_id"]])


def measure_lampo(net, counts):
    a, b, c, way = lampo_row(net)
    out = {"name": "Lampo", "rows": []}
    drive.sockets(a, c, 100, 1, MSAT, Usage((a, b, c)), route=way)
    for in_flight, count in zip(IN_FLIGHT, counts):
        out["rows"].append(drive.sockets(a, c, count, in_flight, MSAT, Usage((a, b, c)), route=way))
        quiet(net.watch, a, b, c)
    net.until("the way in the payer's graph", lambda: known(a, channels_of(way)), 60)
    out["pay"] = drive.sockets(a, c, counts[0], 1, MSAT, Usage((a, b, c)))
    return out


def channels_of(way):
    return [hop["channel"] for hop in way]


def known(node, channels):
    """With the policy of either end."""
    return all(len(node.listchannels(short_channel_id=c)["channels"]) == 2 for c in channels)


def measure_lightningd(net, counts):
    nodes = a, b, c = [lightningd(net, "cln-" + name) for name in ("alice", "bob", "carol")]
    channels = []
    for payer, payee in ((a, b), (b, c)):
        address = payer.call("newaddr", addresstype="bech32")["bech32"]
        net.bitcoind.mine_with(net.bitcoind.send(address, SIZE + 1_000_000))
        net.until("coins", lambda p=payer: any(o["status"] == "confirmed" for o in p.call("listfunds")["outputs"]), 60)
        payer.call("connect", id=payee.id, host="127.0.0.1", port=payee.port)
        net.bitcoind.mine_with(payer.call("fundchannel", id=payee.id, amount=SIZE)["txid"])
        net.bitcoind.mine(6)

        def up(payer=payer, payee=payee):
            return next((x for x in payer.call("listpeerchannels", id=payee.id)["channels"]
                         if x["state"] == "CHANNELD_NORMAL"), None)
        channels.append(net.until("an open channel", up, 60)["short_channel_id"])
    b.call("setchannel", id="all", feebase=FEE_BASE, feeppm=FEE_PPM)
    out = {"name": "lightningd", "rows": []}
    for in_flight, count in zip(IN_FLIGHT, counts):
        out["rows"].append(drive.sockets(a, c, count, in_flight, MSAT, Usage(nodes), min(in_flight, 100),
                                         route(a, b, c, channels)))
    out["pay"] = drive.sockets(a, c, counts[0], 1, MSAT, Usage(nodes))
    return out


# As people run it: without the tests' short intervals of the database.
LND_BENCH = ("--debuglevel=error",)


def lnd_way(net, a, b, c):
    """A route of lnd's own making, without the secret of an invoice."""
    return net.until("lnd's route", lambda: a.post(
        "/v2/router/route", amt_msat=str(MSAT), final_cltv_delta=FINAL + 40,
        hop_pubkeys=[base64.b64encode(bytes.fromhex(n.id)).decode() for n in (b, c)],
        payment_addr=base64.b64encode(bytes(32)).decode())["route"], 60)


def measure_lnd(net, counts):
    nodes = a, b, c = [net.lnd("lnd-" + name, LND_BENCH) for name in ("alice", "bob", "carol")]
    for payer, payee in ((a, b), (b, c)):
        payer.fund(SIZE + 1_000_000)
        payer.connect_to(payee)
        # On a busy machine lnd's peer may not be ready for it yet.
        net.bitcoind.mine_with(net.until("lnd's channel", lambda p=payer, q=payee: p.open(q, SIZE), 60))
        net.bitcoind.mine(6)
        for n in nodes:
            n.synced()
        payer.normal(payee.id)
        payee.normal(payer.id)
    way = lnd_way(net, a, b, c)

    def pay(invoice):
        mine = copy.deepcopy(way)
        mine["hops"][-1]["mpp_record"] = {"payment_addr": invoice["payment_addr"], "total_amt_msat": str(MSAT)}
        said = a.post("/v2/router/route/send", payment_hash=invoice["r_hash"], route=mine)
        if said["status"] != "SUCCEEDED":
            raise Failure("a payment of lnd: %s" % json.dumps(said.get("failure")))

    out = {"name": "lnd", "rows": []}
    for in_flight, count in zip(IN_FLIGHT, counts):
        with ThreadPoolExecutor(8) as pool:
            invoices = list(pool.map(lambda _: c.post("/v1/invoices", value_msat=str(MSAT), memo="bench"), range(count)))
        out["rows"].append(drive.threads(pay, invoices, in_flight, Usage(nodes)))
    out["pay"] = drive.lnd(a, c, counts[0], 1, MSAT, Usage(nodes))
    return out


def show(results):
    print("| node | in flight | payments | payments/s | p50 ms | p99 ms | CPU-ms each: payer, middle, payee "
          "| bytes written each (wchar) | to the disk |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for r in results:
        for row in r["rows"] + [r["pay"]]:
            print("| %s | %s | %d | %.1f | %.2f | %.2f | %s | %s | %s |" % (
                r["name"], "1, `pay`" if row is r["pay"] else row["in_flight"], row["count"], row["per_second"], row["p50_ms"], row["p99_ms"],
                " + ".join("%.3f" % v for v in row["cpu_ms"]), " + ".join("%.0f" % v for v in row["wchar"]),
                " + ".join("%.0f" % v for v in row["disk"])))
    lampo = next((r for r in results if r["name"] == "Lampo"), None)
    others = [r for r in results if r is not lampo]
    if not lampo or not others:
        return
    print("\n| in flight | Lampo's payments/s over the best other's |\n|---:|---:|")
    for i, in_flight in enumerate(IN_FLIGHT):
        best = max(others, key=lambda r: r["rows"][i]["per_second"])
        print("| %d | %.1f (%s) |" % (in_flight, lampo["rows"][i]["per_second"] / best["rows"][i]["per_second"], best["name"]))


def prepare():
    build("pay")


def run(base, args):
    counts = args.count or (QUICK if args.quick else COUNTS)
    # The others need a fraction of the payments for a steady number.
    fewer = [max(30, n // 20) for n in counts]
    results, code = measured_kinds(
        base, args.only, lampo=(measure_lampo, counts), lnd=(measure_lnd, fewer), lightningd=(measure_lightningd, fewer))
    show(results)
    return results, code
