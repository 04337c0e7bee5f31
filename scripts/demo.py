#!/usr/bin/env python3
"""The part of ./demo that happens once everything is built."""
import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "interop"))
from harness.bitcoind import COIN, sat  # noqa: E402
from harness.lampo import ROOT, normal, quiet  # noqa: E402
from harness.net import Net  # noqa: E402
from harness.process import Failure, Skip, check, check_equal  # noqa: E402

FUNDS, CHANNEL, PAY_MSAT, BACK_MSAT = 10_000_000, 5_000_000, 1_234_567_000, 234_567_000

BOLD, DIM, GREEN, RED, PLAIN = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 5


class Steps:
    """Shows what happens, with the time that it took."""

    def __init__(self):
        self.number, self.began = 0, time.monotonic()

    def done(self, text, detail=""):
        now = time.monotonic()
        self.number += 1
        print("%s%2d%s  %s  %s%s%s" % (BOLD, self.number, PLAIN, text, DIM, "%.2f s" % (now - self.began), PLAIN))
        if detail:
            print("      %s%s%s" % (DIM, detail, PLAIN))
        sys.stdout.flush()
        self.began = time.monotonic()


def grouped(number):
    return "{:,}".format(number).replace(",", " ")


def open_channel(net, steps, a, b):
    a.connect_to(b)
    steps.done("alice connects to bob")
    opened = a.fundchannel(id=b.id, amount=CHANNEL)
    fee = sat(net.bitcoind.rpc("getmempoolentry", opened["txid"])["fees"]["base"])
    steps.done("alice opens a channel of %s sat" % grouped(CHANNEL), "funding " + opened["txid"])
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(5)
    normal(net.watch, a, b.id)
    normal(net.watch, b, a.id)
    steps.done("six blocks later the channel is open", "short channel id " + a.channel(b.id)["short_channel_id"])
    return fee


def pay(steps, payer, payee, msat, what):
    invoice = payee.invoice(amount_msat=msat, label=what, description=what)
    steps.done("%s asks for %s sat: %s" % (payee.name, grouped(msat // 1000), what), invoice["bolt11"][:64] + "...")
    paid = payer.pay(bolt11=invoice["bolt11"])
    check_equal(paid["status"], "complete", "status of the payment")
    steps.done("%s pays" % payer.name, "preimage " + paid["payment_preimage"])


def close(net, steps, a, b):
    closed = a.close(id=b.id)
    fee = CHANNEL - sum(sat(o["value"]) for o in net.bitcoind.tx(closed["txid"])["vout"])
    net.bitcoind.mine_with(closed["txid"])
    net.until("the coins of the close", lambda: b.balance_sat() > 0 and a.balance_sat() > FUNDS - CHANNEL)
    steps.done("alice closes, both agree, a block confirms", "closing " + closed["txid"])
    return fee


def prove(a, b, fees):
    """The balances must be what the payments and the chain's own fees say."""
    moved = (PAY_MSAT - BACK_MSAT) // 1000
    rows = [("alice", FUNDS, -moved - fees, a.balance_sat()), ("bob", 0, moved, b.balance_sat())]
    print("\n        %14s %14s %14s" % ("began with", "change", "has now (sat)"))
    for name, began, change, now in rows:
        print("  %-6s%14s %14s %s%14s%s" % (name, grouped(began), grouped(change), BOLD, grouped(now), PLAIN))
    print("  %-6s%14s %14s" % ("miners", "", grouped(fees)))
    for name, began, change, now in rows:
        check_equal(now, began + change, "%s's balance" % name)


def keep(net, a, b):
    cli = os.path.join(os.path.relpath(ROOT), "build", "release", "lampo-cli")
    bitcoin_cli = os.path.join(os.path.dirname(net.bitcoind.program), "bitcoin-cli")
    bitcoin = "%s -regtest -datadir=%s -rpcport=%d -rpcuser=%s -rpcpassword=%s" % (
        bitcoin_cli, net.bitcoind.folder, net.bitcoind.port, net.bitcoind.USER, net.bitcoind.PASSWORD)
    alice, bob = "%s --socket %s" % (cli, a.socket), "%s --socket %s" % (cli, b.socket)
    print("\nEverything goes on in %s.  Try:\n" % net.folder)
    for line in (alice + " getinfo", alice + " help",
                 alice + " fundchannel %s 1000000" % b.id,
                 bitcoin + " -generate 6",
                 alice + " listpeerchannels",
                 bob + " invoice 50000000 coffee 'two coffees'",
                 alice + " pay BOLT11",
                 alice + " close %s" % b.id):
        print("  " + line)
    print("\nTo end it:\n")
    for line in (alice + " stop", bob + " stop", bitcoin + " stop", "rm -r " + net.folder):
        print("  " + line)


def run(net, steps, keep_running):
    daemon = net.bitcoind
    steps.done("bitcoind on regtest", daemon.program)
    a, b = net.lampo("alice"), net.lampo("bob")
    steps.done("two Lampo nodes", "alice %s\n      bob   %s" % (a.id, b.id))
    a.fund(FUNDS)
    steps.done("alice gets %s sat (%s BTC)" % (grouped(FUNDS), FUNDS / COIN))
    fees = open_channel(net, steps, a, b)
    pay(steps, a, b, PAY_MSAT, "a used bicycle")
    pay(steps, b, a, BACK_MSAT, "the bell was broken")
    quiet(net.watch, a, b)
    fees += close(net, steps, a, b)
    prove(a, b, fees)
    print("\n%sThe balances prove it.%s" % (GREEN, PLAIN))
    if keep_running:
        keep(net, a, b)
    else:
        net.finish()


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    keep_running = "--keep" in sys.argv[1:]
    signal.signal(signal.SIGTERM, interrupted)
    net = Net(tempfile.mkdtemp(prefix="lampo-demo."), detach=keep_running)
    good = False
    try:
        run(net, Steps(), keep_running)
        good = True
    except (Failure, Skip) as e:
        print("\n%s%s%s" % (RED, e, PLAIN), file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    except Exception as e:  # whatever it was, the logs tell more than a trace
        print("\n%s%s: %s%s" % (RED, type(e).__name__, e, PLAIN), file=sys.stderr)
    finally:
        if not good:
            print(net.watch.logs(), file=sys.stderr)
            print("demo: failed; everything is kept in " + net.folder, file=sys.stderr)
        if not (good and keep_running):
            net.discard()
        if good and not keep_running:
            net.remove()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
