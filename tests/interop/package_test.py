"""Packages: a child that pays for its parent, as our backend offers them to a real bitcoind."""
import os
import subprocess

from harness.bitcoind import BitcoinError
from harness.lampo import program
from harness.net import ask_script, test
from harness.process import Skip, check


def backend_test(net, name, *package, **env):
    """One test of tests/unit/runtime_chain_real_test.c, with our bitcoind."""
    path = program("tests/unit/runtime_chain_real_test")
    if not os.path.exists(path):
        raise Skip("not built (make unit): " + path)
    core = net.bitcoind
    done = subprocess.run([path, name], capture_output=True, text=True, check=False, timeout=60,
                          env=dict(os.environ, LAMPO_TEST_CORE_URL=core.url, LAMPO_TEST_CORE_USER=core.USER,
                                   LAMPO_TEST_CORE_PASSWORD=core.PASSWORD, LAMPO_TEST_PACKAGE=",".join(package), **env))
    check("1 passed, 0 failed, 0 skipped" in done.stdout, name, done.stdout)


def coins(sat):
    return "%d.%08d" % divmod(sat, 100_000_000)


def spend(core, inputs, outputs, version=2, parents=()):
    """A signed transaction of the purse in hex, and its id."""
    raw = core.rpc("createrawtransaction", inputs, [{a: coins(v)} for a, v in outputs])
    raw = version.to_bytes(4, "little").hex() + raw[8:]
    signed = core.rpc("signrawtransactionwithwallet", raw, list(parents))
    check(signed["complete"], "signed", signed)
    return signed["hex"], core.rpc("decoderawtransaction", signed["hex"])["txid"]


def a_coin(core):
    coin = core.rpc("listunspent", 1)[0]
    core.rpc("lockunspent", False, [{"txid": coin["txid"], "vout": coin["vout"]}])
    whole, part = coin["amount"].split(".")
    return coin, int(whole + part.ljust(8, "0"))


def package(core, parent_fee, child_fee, version):
    """Parent and child that spends its first output."""
    coin, value = a_coin(core)
    to = core.rpc("getnewaddress")
    first = value // 2
    parent, txid = spend(core, [{"txid": coin["txid"], "vout": coin["vout"]}],
                         [(to, first), (core.rpc("getnewaddress"), value - first - parent_fee)], version)
    known = {"txid": txid, "vout": 0, "amount": coins(first),
             "scriptPubKey": core.rpc("getaddressinfo", to)["scriptPubKey"]}
    child, child_id = spend(core, [{"txid": txid, "vout": 0}], [(core.rpc("getnewaddress"), first - child_fee)], version,
                            [known])
    return parent, child, txid, child_id


def offer_twice(net, parent, child, *txids):
    backend_test(net, "a_package_is_accepted_where_its_parent_alone_is_not", parent, child)
    check(set(txids) <= set(net.bitcoind.mempool()), "both are in the mempool")
    net.bitcoind.mine_with(*txids)
    backend_test(net, "a_package_that_is_mined_is_no_failure", parent, child, LAMPO_TEST_MINED="1")


@test()
def parent_without_a_fee(net):
    words = subprocess.run([ask_script("get-bitcoind"), "--version"], capture_output=True, text=True, check=True).stdout
    # Bitcoin Knots does not have the rules of version 3 unless it is told to.
    net._bitcoind = net.start_bitcoind(["-mempooltruc=enforce"] if "Knots" in words else [])
    parent, child, txid, child_id = package(net.bitcoind, 0, 20_000, version=3)
    offer_twice(net, parent, child, txid, child_id)


def many_outputs(txid, index, value, script):
    """A transaction of nearly the standard size, as large as its fee allows."""
    count = 3000
    output = ((value - 100_000) // count).to_bytes(8, "little") + bytes([len(script)]) + script
    return (b"\x02\0\0\0\x01" + bytes.fromhex(txid)[::-1] + index.to_bytes(4, "little") + b"\0\xfd\xff\xff\xff" + b"\xfd"
            + count.to_bytes(2, "little") + count * output + b"\0\0\0\0").hex()


def fill_mempool(core):
    """Until it asks for more than the least: with one large transaction for each coin."""
    count, value = 75, 4_000_000
    coin, whole = a_coin(core)
    to = [core.rpc("getnewaddress") for _ in range(count)]
    split, txid = spend(core, [{"txid": coin["txid"], "vout": coin["vout"]}],
                        [(a, value) for a in to] + [(core.rpc("getnewaddress"), whole - count * value - 50_000)])
    core.rpc("sendrawtransaction", split)
    core.mine_with(txid)
    script = b"\0\x14" + bytes(20)  # of nobody: the purse would keep each
    for i in range(count):
        signed = core.rpc("signrawtransactionwithwallet", many_outputs(txid, i, value, script))["hex"]
        try:
            core.rpc("sendrawtransaction", signed, 0)
        except BitcoinError as e:
            check("mempool full" in str(e), "why one more is refused", e)
            break
    floor = float(core.rpc("getmempoolinfo")["mempoolminfee"])
    check(floor > 0.00002, "the floor has risen", floor)


@test()
def parent_below_a_full_mempools_floor(net):
    """What an anchor is for: the commitment's own fee was enough when it was signed, and is not now."""
    net._bitcoind = net.start_bitcoind(["-maxmempool=5"])
    core = net.bitcoind
    fill_mempool(core)
    parent, child, txid, child_id = package(core, 200, 40_000, version=2)
    offer_twice(net, parent, child, txid, child_id)
