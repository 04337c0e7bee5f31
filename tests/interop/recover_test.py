"""A node that has lost everything but its words, and what it gets back."""
import glob
import os
import shutil
import stat

from harness.lampo import normal, quiet
from harness.net import test
from harness.process import check, check_equal

from channel_test import FUNDS, SIZE, pair


def lose_database(net, a, keep_backup):
    """alice's process dies, and her database with her wallet's file goes.  The words are left."""
    words = a.words()
    a.kill9()
    net.watch.processes.remove(a)
    # The same place on the network: peers call there.
    back = net.new_lampo("alice2", port=a.port)
    back.port = a.port
    if keep_backup:
        shutil.copy(os.path.join(a.folder, "emergency.recover"), back.folder)
    back.start("--restore-wallet", words)
    check_equal(back.id, a.id, "the id from the words")
    return back


def money_comes_back(net, a, b, share_sat):
    """bob publishes, alice takes her side of it and nothing else."""
    a.synced()
    check(a.balance_sat() > FUNDS - SIZE - 10_000, "the coins of her wallet were found")
    before = a.balance_sat()
    channel = a.channels()[0]
    funding = channel["funding_txid"]
    net.until("bob's commitment in the mempool", lambda: [
        t for t in net.bitcoind.mempool() if any(i["txid"] == funding for i in net.bitcoind.tx(t)["vin"])], 60)
    commitment = [t for t in net.bitcoind.mempool() if any(i["txid"] == funding for i in net.bitcoind.tx(t)["vin"])]
    check_equal(len(commitment), 1, "one transaction spends the channel")
    outputs = net.bitcoind.tx(commitment[0])["vout"]
    net.bitcoind.mine_with(commitment[0])
    net.until("her output is listed", lambda: [s["amount_msat"] for s in a.listsweeps()["sweeps"] if s["kind"] == "to_us"])
    def claim():
        net.bitcoind.mine(1)
        return a.balance_sat() > before
    net.until("alice's share in her wallet", claim, 60, pause=0.3)
    got = a.balance_sat() - before
    check(share_sat - 5000 < got < share_sat, "her share, less fees", got, share_sat, outputs)
    net.bitcoind.mine(101)
    net.until("no channel is left", lambda: not a.channels(), 30)
    closed = a.listclosedchannels()["closedchannels"][0]
    check_equal((closed["close_cause"], closed["close_evidence"]["cause"]), ("local", "data_lost"), "why it ended")
    check_equal(a.listsweeps()["sweeps"], [], "nothing is pending")


def a_pair_with_payments(net):
    a, b, _ = pair(net)
    a.pay_to(b, 300_000_000)
    b.pay_to(a, 50_000_000)
    quiet(net.watch, a, b)
    return a, b


@test()
def from_words_and_file(net):
    a, b = a_pair_with_payments(net)
    path = os.path.join(a.folder, "emergency.recover")
    check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode of the backup")
    check_equal(a.staticbackup()["file"], path, "where it is")
    with open(path, "rb") as f:
        sealed = f.read()
    check(bytes.fromhex(b.id) not in sealed, "it is encrypted")
    back = lose_database(net, a, keep_backup=True)
    check_equal([c["state"] for c in back.channels()], ["AWAITING_UNILATERAL"], "the channel is back by itself")
    check_equal(back.emergencyrecover()["stubs"], [], "there is nothing else to bring back")
    money_comes_back(net, back, b, SIZE - 250_000)
    check(not glob.glob(os.path.join(back.folder, "*.new")), "nothing half-written is left")


@test()
def from_words_and_a_peer(net):
    """Without any file: bob kept a copy."""
    a, b = a_pair_with_payments(net)
    net.until("bob has stored alice's backup", lambda: "keeps a backup for us" in open(a.log, encoding="utf-8").read(), 90)
    back = lose_database(net, a, keep_backup=False)
    check_equal(back.channels(), [], "what she knows")
    # bob never knew an address of hers: she has to remember one peer.
    back.synced().connect_to(b)
    net.until("the channel is back", lambda: [c["state"] for c in back.channels()] == ["AWAITING_UNILATERAL"], 20)
    money_comes_back(net, back, b, SIZE - 250_000)


@test()
def single_channels_by_order(net):
    a, b = a_pair_with_payments(net)
    scb = a.staticbackup()["scb"]
    check_equal(len(scb), 1, "one text a channel")
    check_equal(a.recoverchannel(scb=scb)["stubs"], [], "a channel that is here is left alone")
    check_equal(a.channels()[0]["state"], "CHANNELD_NORMAL", "its state")
    b.kill9()
    back = lose_database(net, a, keep_backup=False)
    stubs = back.recoverchannel(scb=scb)
    check_equal(len(stubs["stubs"]), 1, "channels that are back")
    check("warning_rescan" in stubs, "what to do if it was closed before", stubs)
    b.start()
    money_comes_back(net, back, b, SIZE - 250_000)


@test(timeout=240)
def with_lnd(net):
    """lnd force closes too, and pays us by our key alone."""
    l = net.lnd("lnd")
    a = net.lampo("alice")
    a.fund(FUNDS)
    a.connect(id=l.id, host="127.0.0.1", port=l.port)
    opened = a.fundchannel(id=l.id, amount=SIZE, push_msat=200_000_000)
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(5)
    normal(net.watch, a, l.id, 60)
    back = lose_database(net, a, keep_backup=True)
    check_equal([c["state"] for c in back.channels()], ["AWAITING_UNILATERAL"], "the channel is back by itself")
    money_comes_back(net, back, l, SIZE - 200_000)
