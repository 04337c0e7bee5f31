#!/usr/bin/env python3
"""The part of ./demo that happens once everything is built."""
import itertools
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

# The network, and on what terms each of the three in the middle forwards.
PICTURE = ("          .-- bob ---.", "  alice --+          +-- dave ---- erin", "          '-- carol -'")
MILLION = 1_000_000
CHANNELS = (("alice", "bob", 5 * MILLION), ("alice", "carol", 5 * MILLION), ("bob", "dave", 5 * MILLION),
            ("carol", "dave", 5 * MILLION), ("dave", "erin", 10 * MILLION))
TERMS = {"bob": {"fee-base": 1000, "fee-per-satoshi": 100}, "carol": {"fee-base": 500, "fee-per-satoshi": 120},
         "dave": {"fee-base": 0, "fee-per-satoshi": 50}}
SPARE = 100_000
BICYCLE_MSAT, BELL_MSAT, BOAT_MSAT = 1_234_567_000, 234_567_000, 6_000_000_000

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


def sats(msat):
    """Satoshis of msat, to the last of them."""
    return "%s.%03d" % (grouped(msat // 1000), msat % 1000)


def fund(steps, nodes):
    """One output for each channel that somebody opens, so that none waits for another's change."""
    daemon, want = nodes["alice"].bitcoind, {}
    for opener, _, size in CHANNELS:
        daemon.send(nodes[opener].newaddr()["bech32"], size + SPARE)
        want[opener] = want.get(opener, 0) + size + SPARE
    daemon.mine(1)
    for name, amount in want.items():
        nodes[name].watch.until("%s's coins" % name, lambda n=name: nodes[n].balance_sat() == want[n])
    steps.done("coins for the four who open channels", ", ".join("%s %s sat" % (n, grouped(v)) for n, v in want.items()))
    return {name: want.get(name, 0) for name in nodes}


def open_channels(net, steps, nodes):
    """The miners' fee that each opener paid, in sat."""
    opened, paid = [], dict.fromkeys(nodes, 0)
    # All to all: what a node says of its own channels is passed on by others once a minute, but told to its peers at once.
    for a, b in itertools.combinations(nodes.values(), 2):
        a.connect_to(b)
    for a, b, size in CHANNELS:
        opened.append(nodes[a].fundchannel(id=nodes[b].id, amount=size)["txid"])
        paid[a] += sat(net.bitcoind.rpc("getmempoolentry", opened[-1])["fees"]["base"])
    steps.done("they connect to each other, and open five channels", "\n      ".join(
        "%-5s -> %-5s %10s sat, funding %s..." % (a, b, grouped(size), txid[:16]) for (a, b, size), txid in zip(CHANNELS, opened)))
    net.bitcoind.mine_with(*opened)
    net.bitcoind.mine(5)
    for a, b, _ in CHANNELS:
        normal(net.watch, nodes[a], nodes[b].id)
        normal(net.watch, nodes[b], nodes[a].id)
    steps.done("six blocks later all are open", "\n      ".join(PICTURE))
    return paid


def learn(net, steps, nodes):
    public = {nodes[a].number(nodes[b].id) for a, b, _ in CHANNELS}
    for n in nodes.values():
        net.watch.until_empty("%s to know every channel" % n.name, lambda n=n: sorted(public - n.edges()))
    steps.done("gossip: each of the five knows every channel, with both ends' terms")


def pay(steps, payer, payee, msat, what):
    invoice = payee.invoice(amount_msat=msat, label=what, description=what)
    steps.done("%s asks for %s sat: %s" % (payee.name, grouped(msat // 1000), what), invoice["bolt11"][:64] + "...")
    paid = payer.pay(bolt11=invoice["bolt11"])
    check_equal(paid["status"], "complete", "status of the payment")
    steps.done("%s pays" % payer.name, "preimage " + paid["payment_preimage"])
    return paid


def ways(nodes, payer):
    """The hops of each part as the books of those in the middle tell them: [(from, channel, to, msat, fee of from)].
    What left one over a channel came to the next over the same one."""
    ends = {nodes[a].number(nodes[b].id): (a, b) for a, b, _ in CHANNELS}
    books = [(name, f) for name, n in nodes.items() for f in n.listforwards(status="settled")["forwards"]]
    found = []
    for name, f in list(books):
        if payer not in ends[f["in_channel"]]:
            continue
        way = [(payer, f["in_channel"], name, f["in_msat"], 0)]
        while f:
            books.remove((name, f))
            to = next(e for e in ends[f["out_channel"]] if e != name)
            way.append((name, f["out_channel"], to, f["out_msat"], f["fee_msat"]))
            name, f = next(((n, g) for n, g in books if (n, g["in_channel"], g["in_msat"]) == (to, f["out_channel"], f["out_msat"])),
                           (to, None))
        found.append(way)
    check(not books, "every forward belongs to the payment", books)
    return found


def show_ways(nodes, paid, payee, msat):
    found = ways(nodes, "alice")
    print("\n      Hop by hop, as listforwards of bob, carol and dave has it:\n\n"
          "      %-5s %-6s %-10s %-6s %17s %14s" % ("part", "from", "channel", "to", "carries (sat)", "sender keeps"))
    for number, way in enumerate(found, 1):
        for i, (a, channel, b, amount, fee) in enumerate(way):
            print("      %-5s %-6s %-10s %-6s %17s %14s" % (number if i == 0 else "", a, channel, b, sats(amount), sats(fee) if i else ""))
    print()
    check(len(found) > 1, "it took more than one part", found)
    listed = nodes["alice"].listpays(payment_hash=paid["payment_hash"])["pays"][0]
    check_equal((listed["status"], listed["amount_sent_msat"], listed["number_of_parts"]),
                ("complete", sum(way[0][3] for way in found), len(found)), "the payment in alice's listpays")
    check(all(way[-1][2] == payee for way in found), "each part came to its end", found)
    check_equal(sum(way[-1][3] for way in found), msat, "what arrived")
    check_equal(sum(way[0][3] for way in found), paid["amount_sent_msat"], "what left")
    check_equal(len({way[0][1] for way in found}), 2, "channels that alice used")
    return {name: sum(fee for way in found for a, _, _, _, fee in way if a == name) for name in nodes}


def close(net, steps, nodes):
    """The miners' fee of each close, as its opener paid it, in sat."""
    paid, closing, due = dict.fromkeys(nodes, 0), [], dict.fromkeys(nodes, 0)
    before = {name: n.balance_sat() for name, n in nodes.items()}
    for a, b, size in CHANNELS:
        share = nodes[a].channel(nodes[b].id)["to_us_msat"]
        closing.append(nodes[a].close(id=nodes[b].id)["txid"])
        fee = size - sum(sat(o["value"]) for o in net.bitcoind.tx(closing[-1])["vout"])
        # A part of a satoshi on both sides makes a whole one, which no output can hold.
        paid[a] += fee
        due[a] += -(-share // 1000) - fee
        due[b] += (size * 1000 - share) // 1000
    net.bitcoind.mine_with(*closing)
    for name, n in nodes.items():
        net.until("%s's coins of the closes" % name, lambda name=name, n=n: n.balance_sat() == before[name] + due[name])
    steps.done("five closes in agreement, and a block", "\n      ".join(
        "%-5s -- %-5s closing %s..." % (a, b, txid[:16]) for (a, b, _), txid in zip(CHANNELS, closing)))
    return paid


def prove(nodes, began, moved, earned, chain):
    """The balances must be what the payments and the chain's own fees say."""
    print("\n  %-7s %13s %17s %11s %9s %15s" % ("", "began with", "paid, received", "fees earned", "miners", "has now (sat)"))
    total = 0
    for name, n in nodes.items():
        now = n.balance_sat()
        print("  %-7s %13s %17s %11s %9s %s%15s%s" % (name, grouped(began[name]), sats(moved[name]), sats(earned[name]), grouped(-chain[name]),
                                                     BOLD, grouped(now), PLAIN))
        # Outputs have whole satoshis: what is below one goes to whoever opened the channel, then to the miners.
        off = began[name] * 1000 + moved[name] + earned[name] - chain[name] * 1000 - now * 1000
        check(abs(off) < 1000 * sum(name in c[:2] for c in CHANNELS), "%s's balance, off by msat" % name, off)
        total += now
    check_equal(total, sum(began.values()) - sum(chain.values()), "all coins together")


def keep(net, nodes):
    cli = os.path.join(os.path.relpath(ROOT), "build", "release", "lampo-cli")
    bitcoin_cli = os.path.join(os.path.dirname(net.bitcoind.program), "bitcoin-cli")
    bitcoin = "%s -regtest -datadir=%s -rpcport=%d -rpcuser=%s -rpcpassword=%s" % (
        bitcoin_cli, net.bitcoind.folder, net.bitcoind.port, net.bitcoind.USER, net.bitcoind.PASSWORD)
    word = {name: "%s --socket %s" % (cli, n.socket) for name, n in nodes.items()}
    print("\nEverything goes on in %s.  Try:\n" % net.folder)
    for line in (word["alice"] + " getinfo", word["alice"] + " help",
                 word["alice"] + " listchannels",
                 word["dave"] + " listforwards",
                 word["alice"] + " fundchannel %s 1000000" % nodes["bob"].id,
                 bitcoin + " -generate 6",
                 word["alice"] + " listpeerchannels",
                 word["bob"] + " invoice 50000000 coffee 'two coffees'",
                 word["alice"] + " pay BOLT11",
                 word["alice"] + " close %s" % nodes["bob"].id):
        print("  " + line)
    print("\nTo end it:\n")
    for line in [w + " stop" for w in word.values()] + [bitcoin + " stop", "rm -r " + net.folder]:
        print("  " + line)


def run(net, steps, keep_running):
    daemon = net.bitcoind
    steps.done("bitcoind on regtest", daemon.program)
    nodes = {name: net.lampo(name, **TERMS.get(name, {})) for name in ("alice", "bob", "carol", "dave", "erin")}
    steps.done("five Lampo nodes", "\n      ".join("%-5s %s" % (n, node.id) for n, node in nodes.items()))
    began = fund(steps, nodes)
    chain = open_channels(net, steps, nodes)
    learn(net, steps, nodes)
    a, b, e = nodes["alice"], nodes["bob"], nodes["erin"]
    pay(steps, a, b, BICYCLE_MSAT, "a used bicycle")
    pay(steps, b, a, BELL_MSAT, "the bell was broken")
    boat = pay(steps, a, e, BOAT_MSAT, "a boat, more than one channel can carry")
    earned = show_ways(nodes, boat, "erin", BOAT_MSAT)
    moved = dict.fromkeys(nodes, 0)
    moved["alice"] = BELL_MSAT - BICYCLE_MSAT - boat["amount_sent_msat"]
    moved["bob"] = BICYCLE_MSAT - BELL_MSAT
    moved["erin"] = BOAT_MSAT
    quiet(net.watch, *nodes.values())
    for name, fee in close(net, steps, nodes).items():
        chain[name] += fee
    prove(nodes, began, moved, earned, chain)
    print("\n%sThe balances prove it.%s" % (GREEN, PLAIN))
    if keep_running:
        keep(net, nodes)
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
