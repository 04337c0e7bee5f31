"""The simulator's blocks before Bitcoin Core: it must take each of them, with every witness, and come to the same tip."""
import hashlib
import os
import subprocess

from harness.lampo import program
from harness.net import test
from harness.process import Skip, check, check_equal

SPENDS = "tests/unit/sim_spend_test"
SEEDS = (3, 4, 5, 7)
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
