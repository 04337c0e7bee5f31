"""The simulator's chain before Bitcoin Core.

It must take every block, with every witness, and come to the same tip; and its mempool must say of every transaction that
was offered what the simulator's said, for the same reason, and hold the same ones after each event."""
import hashlib
import os
import subprocess

from harness.bitcoind import BitcoinError
from harness.lampo import program
from harness.net import ask_script, test
from harness.process import Skip, check, check_equal

SPENDS = "tests/unit/sim_spend_test"
# The rules as the simulator has them, where a release has others by default.
RULES = ["-minrelaytxfee=0.00001", "-incrementalrelayfee=0.00001", "-datacarriersize=83", "-permitbaremultisig=1",
         "-persistmempool=0", "-checkmempool=0", "-checkblockindex=0"]
KNOTS_RULES = ["-mempooltruc=enforce", "-permitbarepubkey=1", "-acceptnonstddatacarrier=1", "-permitbaredatacarrier=1",
               "-maxscriptsize=400000", "-rejectparasites=0", "-rejecttokens=0", "-rejectdeadbranches=0", "-rejectbpub=0"]
# Knots is more exact, and takes no bare multisig of whatever count.
ALSO = {"bad-witness-nonstandard": "bad-witness-", "TRUC-violation": "truc-",
        "bad-txns-too-many-sigops": "bad-txns-vout-script-toolarge"}
# What Bitcoin Core answers to a transaction that is mined already: no refusal to us.
THERE = ("txn-already-known", "txn-already-in-mempool", "Transaction outputs already in utxo set")
SEEDS = (1, 2, 3, 4)
STEPS = 600
GENESIS_HEIGHT = 0


def run(net, name, *args, **environment):
    path = program(name)
    if not os.path.exists(path):
        raise Skip("not built: %s" % path)
    done = subprocess.run([path, *args], env={**os.environ, **environment}, cwd=net.folder,
                          capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, "%s ends well: %s" % (name, done.stdout[-2000:] + done.stderr[-2000:]))


def header_hash(block):
    """As RPC shows it."""
    once = hashlib.sha256(bytes.fromhex(block[:160])).digest()
    return hashlib.sha256(once).digest()[::-1].hex()


def header_time(block):
    return int.from_bytes(bytes.fromhex(block[136:144]), "little")


def replay(net, name, path):
    """Every block in the order of mining, also those that a reorganization took."""
    with open(path, encoding="ascii") as f:
        blocks = f.read().split()
    check(len(blocks) > 100, "a chain was written", len(blocks))
    core = net.start_bitcoind(name=name, endow=False)
    core.rpc("setmocktime", max(header_time(b) for b in blocks))
    side, most = 0, 0
    for number, block in enumerate(blocks):
        answer = core.rpc("submitblock", block)
        # A block of a branch that is not the longest yet is kept for later, and judged then.
        check(answer in (None, "inconclusive"), "Bitcoin Core takes block %d of %s" % (number, name), answer)
        side += answer == "inconclusive"
        most = max(most, core.height())
    check_equal(core.rpc("getbestblockhash"), header_hash(blocks[-1]), "the tip")
    spent = sum(core.rpc("getblock", core.rpc("getblockhash", h))["nTx"] - 1 for h in range(GENESIS_HEIGHT, core.height() + 1))
    check(spent > 0, "the chain has transactions beside its coinbases", spent)
    core.stop()
    return {"blocks": len(blocks), "side": side, "transactions": spent}


def rules(net):
    path = ask_script("get-bitcoind")
    words = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return RULES + (KNOTS_RULES if "Knots" in words else [])


def offer(core, transactions):
    """None if it is taken, or why not: the reason alone, without what stands in brackets and after commas."""
    if len(transactions) == 1:
        try:
            core.rpc("sendrawtransaction", transactions[0], 0, 21_000_000)
        except BitcoinError as e:
            words = str(e).removeprefix("bitcoind: ").rsplit(" (", 1)[0]
            return None if words.startswith(THERE) else words
        return None
    try:
        done = core.rpc("submitpackage", transactions, 0, 21_000_000)
    except BitcoinError as e:
        return str(e)
    if done["package_msg"] == "success":
        return None
    errors = [r["error"] for r in done["tx-results"].values() if "error" in r]
    if all(e in THERE for e in errors) and errors and done["package_msg"] == "transaction failed":
        return None
    return " | ".join([done["package_msg"]] + errors)


def mempool_sum(core):
    ids = core.mempool()
    total = 0
    for txid in ids:
        total ^= int(txid, 16)
    return len(ids), "%064x" % total


def ask_again(core, lines):
    """Plays the trace of one chain to a mempool; how many offers it was asked about."""
    asked = 0
    for number, line in enumerate(lines):
        kind, count, total, *rest = line.split()
        if kind == "limit":
            return asked
        if kind == "block":
            core.rpc("setmocktime", max(core.mock, header_time(rest[0])))
            core.mock = max(core.mock, header_time(rest[0]))
            check(core.rpc("submitblock", rest[0]) in (None, "inconclusive"), "block of line %d is taken" % number)
        elif kind == "reorg":
            core.rpc("invalidateblock", rest[0])
        else:
            expect = rest[0].replace("_", " ").split(" (")[0]
            got = offer(core, rest[1].split(","))
            asked += 1
            check((got is None) == (expect == "ok"), "line %d: the simulator says %s" % (number, rest[0]), got)
            check(got is None or expect in got or ALSO.get(expect, expect) in got, "line %d: the simulator refuses for %s" % (number, rest[0]), got)
        check_equal(mempool_sum(core), (int(count), total), "the mempool after line %d, %s %s" % (number, kind, rest[0][:80]))
    return asked


def play_traces(net, path):
    with open(path, encoding="ascii") as f:
        chains = [c.splitlines() for c in f.read().split("begin\n") if c]
    asked, extra = 0, rules(net)
    for number, lines in enumerate(chains):
        core = net.start_bitcoind(extra, name="mempool%d" % number, endow=False)
        core.mock = 0
        asked += ask_again(core, lines)
        core.stop()
    return asked


@test(timeout=240)
def every_kind_of_spend(net):
    """One of each kind of output, signed for, with a reorganization."""
    path = os.path.join(net.folder, "blocks")
    run(net, SPENDS, "every_kind_is_spent_by_its_signatures", LAMPO_SIM_BLOCKS=path)
    done = replay(net, "kinds", path)
    check(done["side"] > 0, "a reorganization was replayed", done)
    check(done["transactions"] >= 11, "all of them are in the chain", done)


@test(timeout=600)
def runs_of_the_simulator(net):
    """Whole random runs of nodes: openings, closes, commitments, claims and penalties."""
    for seed in SEEDS:
        path = os.path.join(net.folder, "blocks-%d" % seed)
        run(net, "sim", "--seed", str(seed), "--steps", str(STEPS), "--dump-blocks", path)
        replay(net, "seed%d" % seed, path)


def play_unit_test(net, name, least):
    path = os.path.join(net.folder, "trace")
    run(net, name, LAMPO_SIM_TRACE=path)
    asked = play_traces(net, path)
    check(asked >= least, "offers were compared", asked)


@test(timeout=300)
def rules_of_the_mempool(net):
    play_unit_test(net, "tests/unit/sim_mempool_test", 250)


@test(timeout=300)
def rules_of_the_chain(net):
    play_unit_test(net, "tests/unit/sim_chain_test", 100)


@test(timeout=300)
def anything_at_all(net):
    """Random families, conflicts, packages and reorganizations."""
    play_unit_test(net, "tests/unit/sim_random_test", 1000)


@test(timeout=300)
def what_nodes_offered(net):
    """In whole runs of the simulator."""
    path = os.path.join(net.folder, "trace")
    for seed in SEEDS:
        run(net, "sim", "--seed", str(seed), "--steps", str(STEPS), "--dump-trace", path)
    check(play_traces(net, path) > 20, "offers were compared")
