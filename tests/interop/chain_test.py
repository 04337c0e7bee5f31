"""The node and its chain: reorgs, a bitcoind that goes away, unilateral closes."""
import os
import shutil
import time

from harness.bitcoind import sat
from harness.lampo import normal, quiet
from harness.net import test
from harness.process import Skip, check, check_equal, tail

from channel_test import FUNDS, SIZE, check_shared, pair, pay_both_ways


@test()
def bitcoind_restarts(net):
    a, b, _ = pair(net)
    a.pay_to(b, 100_000_000)
    net.bitcoind.stop()
    # Payments do not need the chain.
    a.pay_to(b, 100_000_000)
    b.pay_to(a, 1_000)
    check(a.getinfo()["id"] == a.id, "the node answers while bitcoind is away")
    net.bitcoind.start()
    net.bitcoind.mine(3)
    a.synced()
    b.synced()
    a.pay_to(b, 2_000_000)
    closed = b.close(id=a.id)
    net.bitcoind.mine_with(closed["txid"])


@test()
def start_without_bitcoind(net):
    """A node that finds no bitcoind says so and tries on, or ends with the reason."""
    a = net.lampo("alice")
    a.close_down()
    net.bitcoind.stop()
    a.write_config()
    a.spawn(a.argv())
    def outcome():
        if not a.running():
            return "ended"
        return "answers" if a.getinfo()["id"] == a.id else None
    net.watch.processes.remove(a)
    if net.until("an answer or an end", outcome, 15) == "ended":
        check_equal(a.wait_exit(), 1, "exit code")
        check(net.bitcoind.url.split("//")[1] in tail(a.log), "the reason names the address", tail(a.log))
    net.watch.add(a)
    net.bitcoind.start()
    if not a.running():
        a.start()
    net.bitcoind.mine(2)
    a.synced()


@test()
def wallet_reorg(net):
    """Coins of a block that is no longer in the chain are no longer confirmed."""
    a = net.lampo("alice")
    txid = net.bitcoind.send(a.newaddr()["bech32"], 5_000_000)
    block = net.bitcoind.mine_with(txid)
    net.bitcoind.mine(2)
    net.until("the coins", lambda: a.balance_sat() == 5_000_000)
    net.bitcoind.rpc("invalidateblock", block)
    # Replace the payment by one to bitcoind itself, so that it never comes back.
    raw = net.bitcoind.rpc("getrawtransaction", txid, 1)
    back = net.bitcoind.rpc("getnewaddress")
    value = sat(net.bitcoind.rpc("gettransaction", txid)["fee"].lstrip("-"))
    total = sum(sat(o["value"]) for o in raw["vout"])
    conflict = net.bitcoind.rpc("createrawtransaction",
                                [{"txid": i["txid"], "vout": i["vout"], "sequence": 0xfffffffd} for i in raw["vin"]],
                                {back: "%d.%08d" % divmod(total - 20 * value, 100_000_000)})
    signed = net.bitcoind.rpc("signrawtransactionwithwallet", conflict)["hex"]
    other = net.bitcoind.rpc("sendrawtransaction", signed)
    net.bitcoind.mine(5)
    check(other not in net.bitcoind.mempool(), "the conflict was mined")
    net.until("the coins are not confirmed", lambda: a.balance_sat() == 0)
    a.restart()
    check_equal(a.balance_sat(), 0, "balance after a restart")
    # Nobody can know that they will never come back; after a day of blocks they are forgotten.
    net.bitcoind.mine(150)
    net.until("the coins are gone", lambda: not a.listfunds()["outputs"])
    a.fund(7_000_000)
    check_equal(a.balance_sat(), 7_000_000, "balance")


@test(timeout=180)
def deep_reorg(net):
    """A hundred blocks at once, while the node sleeps and while it watches."""
    a = net.lampo("alice")
    base = net.bitcoind.height()
    for asleep in (False, True):
        txid = net.bitcoind.send(a.newaddr()["bech32"], 1_000_000)
        net.bitcoind.mine_with(txid)
        net.bitcoind.mine(99)
        a.synced()
        if asleep:
            a.close_down()
        net.bitcoind.rpc("invalidateblock", net.bitcoind.rpc("getblockhash", net.bitcoind.height() - 99))
        # bitcoind keeps the transactions of the last few blocks only.
        net.bitcoind.rpc("sendrawtransaction", net.bitcoind.rpc("gettransaction", txid)["hex"])
        net.bitcoind.mine_with(txid)
        net.bitcoind.mine(100)
        if asleep:
            a.start()
        a.synced()
    check(net.bitcoind.height() > base + 100, "the chain grew")
    net.until("the coins", lambda: a.balance_sat() == 2_000_000)
    outputs = a.listfunds()["outputs"]
    for o in outputs:
        where = net.bitcoind.rpc("gettransaction", o["txid"])["blockheight"]
        check_equal(o["blockheight"], where, "height of the coin's block")


@test()
def funding_reorg(net):
    """The funding transaction moves to another block: the channel goes on with its new place."""
    a, b, opened = pair(net)
    place = a.channel(b.id)["short_channel_id"]
    funding_height = int(place.split("x")[0])
    a.pay_to(b, 10_000_000)
    net.bitcoind.rpc("invalidateblock", net.bitcoind.rpc("getblockhash", funding_height))
    check(opened["txid"] in net.bitcoind.mempool(), "the funding is in the mempool again")
    # One block without it, so that it cannot get its old place again.
    net.bitcoind.rpc("generateblock", net.bitcoind.rpc("getnewaddress"), [])
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(8)
    a.synced()
    b.synced()
    normal(net.watch, a, b.id)
    normal(net.watch, b, a.id)
    net.until("the new place on both sides", lambda: all(
        n.channel(p.id)["short_channel_id"].split("x")[0] == str(funding_height + 1) for n, p in ((a, b), (b, a))))
    a.pay_to(b, 10_000_000)
    b.pay_to(a, 5_000_000)
    check_shared(a, b, SIZE * 1000 - 15_000_000)
    a.restart()
    normal(net.watch, a, b.id)
    a.pay_to(b, 1_000_000)


def collect(net, nodes):
    """Mines through every delay until each channel of these is wholly settled."""
    def settled():
        return all(c["state"] == "CLOSED" for n in nodes for c in n.channels())

    # A commitment and its delay; the sweeps; their burial.
    for blocks in (6, 150, 6, 6, 100, 100):
        net.bitcoind.mine(blocks)
        for n in nodes:
            n.synced()
        if settled():
            return
        time.sleep(0.1)
    net.until("every channel is settled", settled)


def force_close(net, a, b, a_msat):
    """a goes to the chain while b is away.  Both get what is theirs, less fees."""
    before = {n.name: n.balance_sat() for n in (a, b)}
    b.close_down()
    net.until("the peer is away", lambda: not a.channel(b.id)["peer_connected"])
    closed = a.close(id=b.id, unilateraltimeout=1)
    check_equal(closed["type"], "unilateral", "type of the close")
    net.bitcoind.mine_with(closed["txid"])
    b.start()
    total_msat = SIZE * 1000
    collect(net, (a, b))
    for n, msat in ((a, a_msat), (b, total_msat - a_msat)):
        net.until("%s's coins" % n.name, lambda n=n: n.balance_sat() > before[n.name])
        got = n.balance_sat() - before[n.name]
        # The opener pays for the commitment and its anchors, each for its sweep.
        check(msat // 1000 - 15_000 < got <= msat // 1000, "%s's share" % n.name, got, msat // 1000)


@test(timeout=180)
def force_close_anchors(net):
    a, b, _ = pair(net)
    a_msat = pay_both_ways(net, a, b, SIZE * 1000)
    force_close(net, a, b, a_msat)


@test(timeout=180)
def force_close_static_remotekey_by_acceptor(net):
    a, b, _ = pair(net, channel_type=[12])
    a_msat = pay_both_ways(net, a, b, SIZE * 1000)
    force_close(net, b, a, SIZE * 1000 - a_msat)


@test(timeout=180)
def old_backup_is_no_loss(net):
    """bob comes back with a state from before: he must not publish it, and gets his money."""
    a, b, _ = pair(net, push_msat=100_000_000)
    a.pay_to(b, 50_000_000)
    quiet(net.watch, a, b)
    b.close_down()
    shutil.copytree(b.folder, b.folder + ".old")
    b.start()
    normal(net.watch, b, a.id)
    for _ in range(5):
        a.pay_to(b, 20_000_000)
    quiet(net.watch, a, b)
    b.close_down()
    shutil.rmtree(b.folder)
    os.rename(b.folder + ".old", b.folder)
    b.start()
    funding = a.channels()[0]["funding_txid"]

    def spends():
        return [t for t in net.bitcoind.mempool() if net.bitcoind.tx(t)["vin"][0]["txid"] == funding]

    # What spends the funding must be alice's commitment: bob's old one would
    # hand alice a penalty, and bob's balance below would show it.
    published = net.until("alice goes to the chain", spends, 60)
    net.bitcoind.mine_with(*published)
    b.synced()
    collect(net, (a, b))
    net.until("bob's coins", lambda: b.balance_sat() > 0)
    got = b.balance_sat()
    check(235_000 < got <= 250_000, "bob gets his last balance, not his old one", got)


@test()
def pruned_bitcoind(net):
    daemon = net.start_bitcoind(extra=["-prune=1", "-fastprune"], name="pruned")
    net._bitcoind = daemon
    daemon.mine(500)
    daemon.rpc("pruneblockchain", 300)
    check(daemon.rpc("getblockchaininfo")["pruneheight"] > 1, "blocks are gone")
    a, b, _ = pair(net)
    pay_both_ways(net, a, b, SIZE * 1000)
    closed = a.close(id=b.id)
    daemon.mine_with(closed["txid"])


@test()
def cookie(net):
    """No password in the file: bitcoind's cookie, which changes with each of its starts."""
    daemon = net.start_bitcoind(password=False, name="with-cookie")
    net._bitcoind = daemon
    a = net.lampo("alice", **{"core-user": None, "core-pass": None, "core-cookie": daemon.cookie})
    a.fund(1_000_000)
    daemon.stop()
    daemon.start(password=False)
    daemon.mine(3)
    a.synced()
    check_equal(a.balance_sat(), 1_000_000, "balance")


@test()
def bitcoin_core(net):
    """The same over Bitcoin Core proper, where its path is given."""
    path = os.environ.get("LAMPO_BITCOIN_CORE")
    if not path:
        raise Skip("LAMPO_BITCOIN_CORE does not name a bitcoind of Bitcoin Core")
    net._bitcoind = net.start_bitcoind(program_path=path, name="bitcoin-core")
    a, b, _ = pair(net)
    pay_both_ways(net, a, b, SIZE * 1000)
    closed = a.close(id=b.id)
    net.bitcoind.mine_with(closed["txid"])
    net.until("the close in the wallet", lambda: a.balance_sat() > 0)
