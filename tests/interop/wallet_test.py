"""The wallet: addresses, spending, restoring."""
from concurrent.futures import ThreadPoolExecutor

from harness.bitcoind import sat
from harness.lampo import RpcError
from harness.net import test
from harness.process import Failure, check, check_equal


@test()
def addresses(net):
    a = net.lampo("alice")
    seen = set()
    for kind, prefix in (("bech32", "bcrt1q"), ("p2tr", "bcrt1p")):
        for _ in range(3):
            address = a.newaddr(addresstype=kind)[kind]
            check(address.startswith(prefix), "kind of the address", kind, address)
            check(address not in seen, "an address was given twice", address)
            seen.add(address)
            known = net.bitcoind.rpc("validateaddress", address)
            check(known["isvalid"], "bitcoind knows the address", address)
    txids = [net.bitcoind.send(address, 100_000) for address in seen]
    net.bitcoind.mine_with(*txids)
    net.until("the coins", lambda: a.balance_sat() == 600_000)
    check_equal({o["address"] for o in a.listfunds()["outputs"]}, seen, "addresses of the coins")


@test()
def withdraw(net):
    a = net.lampo("alice")
    for part in (300_000, 400_000, 500_000):
        kind = "p2tr" if part == 400_000 else "bech32"
        net.bitcoind.mine_with(net.bitcoind.send(a.newaddr(addresstype=kind)[kind], part))
    net.until("the coins", lambda: a.balance_sat() == 1_200_000)
    home = net.bitcoind.rpc("getnewaddress")
    sent = a.withdraw(destination=home, satoshi=650_000)
    # The coins are taken at once, not when the block comes.
    net.until("the coins are reserved", lambda: a.balance_sat() <= 550_000)
    entry = net.until("in the mempool", lambda: net.bitcoind.rpc("getmempoolentry", sent["txid"]))
    net.bitcoind.mine_with(sent["txid"])
    check_equal(sat(net.bitcoind.rpc("getreceivedbyaddress", home)), 650_000, "what arrived")
    fee = sat(entry["fees"]["base"])
    check(entry["vsize"] <= fee <= 50 * entry["vsize"], "a sane fee", fee, entry["vsize"])
    net.until("the change", lambda: a.balance_sat() == 1_200_000 - 650_000 - fee)
    try:
        a.withdraw(destination=home, satoshi=10_000_000)
        raise Failure("spent more than there is")
    except RpcError as e:
        check_equal(e.code, 301, "code for too few coins")
    for wrong in ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", home[:-1] + ("q" if home[-1] != "q" else "p"), "tea"):
        try:
            a.withdraw(destination=wrong, satoshi=1000)
            raise Failure("paid to a wrong address: " + wrong)
        except RpcError as e:
            check_equal(e.code, -32602, "code for a wrong address")
    rest = a.balance_sat()
    sent = a.withdraw(destination=home, satoshi="all")
    net.bitcoind.mine_with(sent["txid"])
    net.until("an empty wallet", lambda: a.balance_sat() == 0)
    arrived = sat(net.bitcoind.rpc("getreceivedbyaddress", home)) - 650_000
    check(rest - 20_000 < arrived < rest, "all but the fee arrived", arrived, rest)


@test()
def feerate_is_obeyed(net):
    a = net.lampo("alice")
    a.fund(1_000_000)
    sent = a.withdraw(destination=net.bitcoind.rpc("getnewaddress"), satoshi=100_000, feerate="10000perkb")
    entry = net.until("in the mempool", lambda: net.bitcoind.rpc("getmempoolentry", sent["txid"]))
    rate = sat(entry["fees"]["base"]) / entry["vsize"]
    check(9.9 <= rate <= 10.6, "ten sat a vbyte", rate)


@test(timeout=180)
def restore(net):
    """The words alone bring every coin back, of both kinds, also those behind gaps."""
    a = net.lampo("alice")
    words = a.words()
    check(len(words.split()) in (12, 24), "twelve or twenty-four words", len(words.split()))
    a.restart()
    with open(a.log, encoding="utf-8") as f:
        check_equal(f.read().count(words), 1, "the words are shown at the first start and never again")
    due = 0
    for i in range(12):
        for kind in ("bech32", "p2tr"):
            address = a.newaddr(addresstype=kind)[kind]
            if i in (0, 5, 11):
                net.bitcoind.send(address, 100_000 + i)
                due += 100_000 + i
    net.bitcoind.mine(1)
    net.until("the coins", lambda: a.balance_sat() == due)
    # Spend, so that change is among what must be found.
    sent = a.withdraw(destination=net.bitcoind.rpc("getnewaddress"), satoshi=150_000)
    net.bitcoind.mine_with(sent["txid"])
    net.until("the change", lambda: a.balance_sat() > due - 170_000 and not any(
        o["status"] != "confirmed" for o in a.listfunds()["outputs"]))
    left = a.balance_sat()
    a.close_down()
    b = net.new_lampo("restored")
    b.start("--restore-wallet", words)
    net.until("the coins in the restored wallet", lambda: b.balance_sat() == left, 60)
    check_equal(b.id, a.id, "the words give the node its key again")
    with open(b.log, encoding="utf-8") as f:
        check(words not in f.read(), "words that the user typed are not shown")
    spent = b.withdraw(destination=net.bitcoind.rpc("getnewaddress"), satoshi="all")
    net.bitcoind.mine_with(spent["txid"])


@test()
def restore_refusals(net):
    a = net.new_lampo("alice")
    a.write_config()
    net.watch.processes.remove(a)
    good = "abandon " * 11 + "about"
    for words, reason in (("abandon " * 12, "checksum"), ("abandon " * 10 + "about", "12"), (good.replace("about", "abuot"), "word 12")):
        a.spawn(a.argv("--restore-wallet", words.strip()))
        check_equal(a.wait_exit(), 1, "exit code for wrong words")
        with open(a.log, encoding="utf-8") as f:
            last = f.read().strip().splitlines()[-1]
        check(reason in last, "the reason is told", reason, last)
    a.start("--restore-wallet", good)
    first = a.id
    a.close_down()
    a.spawn(a.argv("--restore-wallet", "legal winner thank year wave sausage worth useful legal winner thank yellow"))
    check_equal(a.wait_exit(), 1, "a wallet that exists is not written over")
    a.start()
    check_equal(a.id, first, "the wallet is as it was")


@test()
def reservation(net):
    """Two channels at the same moment do not spend one coin twice."""
    a, b, c = net.lampo("alice"), net.lampo("bob"), net.lampo("carol")
    a.fund(3_000_000)
    a.fund(3_000_000)
    a.connect_to(b)
    a.connect_to(c)
    with ThreadPoolExecutor(2) as pool:
        opened = [pool.submit(a.fundchannel, id=p.id, amount=2_000_000) for p in (b, c)]
        txids = [o.result()["txid"] for o in opened]
    net.bitcoind.mine_with(*txids)


@test()
def fund_all(net):
    a, b = net.lampo("alice"), net.lampo("bob")
    a.fund(2_000_000)
    a.connect_to(b)
    opened = a.fundchannel(id=b.id, amount="all")
    net.bitcoind.mine_with(opened["txid"])
    c = a.channel(b.id)
    # An anchor channel keeps coins back for the day when a fee must be raised.
    kept = 2_000_000 - c["total_msat"] // 1000
    check(0 < kept <= 60_000, "what stays in the wallet or went to fees", kept)
