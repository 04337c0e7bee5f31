"""Programs and nodes of Core Lightning."""
import json
import os
import shutil
import subprocess

from harness.lampo import RpcError, normal, quiet, rpc
from harness.net import ask_script, test
from harness.process import Failure, Process, Skip, TIME_FACTOR, check, check_equal, free_port

from channel_test import FUNDS, SIZE

# A program written for Core Lightning's socket.  It knows nothing of Lampo.
PYLN = r'''
import json, subprocess, sys, time
from pyln.client import LightningRpc, RpcError
from pyln.client.lightning import UnixDomainSocketRpc

setup = json.loads(sys.stdin.readline())
a = UnixDomainSocketRpc(setup["alice"])
b = LightningRpc(setup["bob"])
A = LightningRpc(setup["alice"])

def mine(n):
    print("mine %d" % n, flush=True)
    assert sys.stdin.readline() == "ok\n"

def until(what, probe):
    end = time.time() + 60 * setup["factor"]
    while not probe():
        assert time.time() < end, what
        time.sleep(0.1)

info = a.call("getinfo")
assert info["alias"] == "alice" and info["network"] == "regtest", info
address = a.call("newaddr")["bech32"]
print("fund " + address, flush=True)
assert sys.stdin.readline() == "ok\n"
until("coins", lambda: any(o["status"] == "confirmed" for o in A.listfunds()["outputs"]))

bob = b.getinfo()
A.connect(bob["id"], "127.0.0.1", setup["port"])
opened = A.fundchannel(bob["id"], setup["size"], announce=False)
mine(6)
state = lambda n, i: [c["state"] for c in n.listpeerchannels(i)["channels"]]
until("open", lambda: state(A, bob["id"]) == ["CHANNELD_NORMAL"] and state(b, info["id"]) == ["CHANNELD_NORMAL"])
made = b.invoice(100000000, "from-pyln", "through a foreign client")
assert b.listinvoices("from-pyln")["invoices"][0]["status"] == "unpaid"
paid = A.pay(made["bolt11"])
assert paid["status"] == "complete" and int(paid["amount_msat"]) == 100000000, paid
assert b.waitinvoice("from-pyln")["status"] == "paid"
back = A.invoice(40000000, "back", "and back")
assert b.pay(back["bolt11"])["status"] == "complete"
try:
    A.pay("lnbcrt1nonsense")
    raise SystemExit("a nonsense invoice was paid")
except RpcError as e:
    assert e.error["code"] is not None and e.error["message"], e.error
print("restart", flush=True)
assert sys.stdin.readline() == "ok\n"
until("open again", lambda: A.listpeerchannels(bob["id"])["channels"][0]["peer_connected"])
channel = A.listpeerchannels(bob["id"])["channels"][0]
assert int(channel["to_us_msat"]) == setup["size"] * 1000 - 60000000, channel
pays = A.listpays(bolt11=made["bolt11"])["pays"]
assert pays[0]["status"] == "complete", pays
closed = A.close(bob["id"])
assert closed["type"] == "mutual", closed
mine(1)
print("done", flush=True)
'''


@test(timeout=150)
def pyln_client(net):
    """open, pay, restart and close through a library written for another daemon."""
    python = ask_script("get-pyln")
    a, b = net.lampo("alice"), net.lampo("bob")
    script = os.path.join(net.folder, "foreign.py")
    with open(script, "w", encoding="utf-8") as f:
        f.write(PYLN)
    client = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, bufsize=1)
    client.stdin.write(json.dumps({"alice": a.socket, "bob": b.socket, "port": b.port, "size": SIZE,
                                   "factor": TIME_FACTOR}).replace("\n", " "))
    client.stdin.write("\n")
    client.stdin.flush()
    last = ""
    for line in client.stdout:
        last = line.strip()
        word, _, rest = last.partition(" ")
        if word == "fund":
            net.bitcoind.mine_with(net.bitcoind.send(rest, FUNDS))
        elif word == "mine":
            net.until("something to mine", lambda: net.bitcoind.mempool() or rest != "1")
            net.bitcoind.mine_with(*net.bitcoind.mempool())
            net.bitcoind.mine(int(rest))
        elif word == "restart":
            a.restart()
        elif word == "done":
            break
        client.stdin.write("ok\n")
        client.stdin.flush()
    _, err = client.communicate(timeout=30)
    check(last == "done" and client.returncode == 0, "the foreign client came to its end", last, err)


class Lightningd(Process):
    """Core Lightning, where it is found.  It speaks as Lampo does."""

    def __init__(self, net, name, path):
        super().__init__(name, os.path.join(net.folder, name + ".log"))
        self.folder = os.path.join(net.folder, name)
        os.makedirs(self.folder)
        self.net, self.port = net, free_port()
        self.path = path
        net.watch.add(self)

    def start(self):
        b = self.net.bitcoind
        self.spawn([self.path, "--lightning-dir=" + self.folder, "--network=regtest", "--addr=127.0.0.1:%d" % self.port,
                    "--bitcoin-rpcconnect=127.0.0.1", "--bitcoin-rpcport=%d" % b.port, "--bitcoin-rpcuser=" + b.USER,
                    "--bitcoin-rpcpassword=" + b.PASSWORD, "--alias=" + self.name, "--log-level=debug",
                    "--disable-plugin=clnrest", "--allow-deprecated-apis=false",
                    "--bitcoin-cli=" + os.path.join(os.path.dirname(b.program), "bitcoin-cli"), "--ignore-fee-limits=true"])
        self.id = self.net.until("%s's first answer" % self.name, lambda: self.call("getinfo"), 60)["id"]
        return self

    def call(self, method, **params):
        return rpc(os.path.join(self.folder, "regtest", "lightning-rpc"), method, **params)


@test(timeout=300)
def lightningd(net):
    """Core Lightning opens to us, pays both ways, is restarted, and closes."""
    path = os.environ.get("LAMPO_LIGHTNINGD") or shutil.which("lightningd")
    if not path:
        raise Skip("no lightningd on PATH nor in LAMPO_LIGHTNINGD")
    l, c = net.lampo("lampo"), Lightningd(net, "lightningd", path).start()
    l.fund(FUNDS)
    l.connect_to(c)
    opened = l.fundchannel(id=c.id, amount=SIZE, push_msat=400_000_000)
    net.bitcoind.mine_with(opened["txid"])
    net.bitcoind.mine(6)

    def up():
        normal(net.watch, l, c.id, 60)
        net.until("lightningd's channel", lambda: [
            x["state"] for x in c.call("listpeerchannels", id=l.id)["channels"]] == ["CHANNELD_NORMAL"], 60)

    for again in range(2):
        up()
        for i in range(20):
            theirs = c.call("invoice", amount_msat=1_000_000 + i, label="%d-%d" % (again, i), description="to them")
            check_equal(l.pay(bolt11=theirs["bolt11"])["status"], "complete", "we pay")
            ours = l.invoice(amount_msat=2_000_000 + i, label="%d-%d" % (again, i), description="to us")
            check_equal(c.call("pay", bolt11=ours["bolt11"])["status"], "complete", "lightningd pays")
        if not again:
            c.terminate()
            c.start()
    quiet(net.watch, l)
    check_equal(l.channel(c.id)["to_us_msat"], SIZE * 1000 - 400_000_000 + 40 * 1_000_000, "our side")
    try:
        closed = c.call("close", id=l.id, unilateraltimeout=60)
    except RpcError as e:
        raise Failure("lightningd would not close: %s" % e) from None
    check_equal(closed["type"], "mutual", "type of the close")
    net.bitcoind.mine_with(closed["txid"])
    net.until("our share", lambda: l.balance_sat() > FUNDS - SIZE)
