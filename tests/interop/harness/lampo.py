"""A Lampo node as its users meet it: a directory, a config file, a socket."""
import json
import os
import re
import socket
import subprocess

from .process import Failure, Process, TIME_FACTOR, check, check_equal, free_port

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.environ.get("LAMPO_BUILD", "release")


def program(name):
    return os.path.join(ROOT, "build", BUILD, name)


class RpcError(Exception):
    def __init__(self, error, method):
        super().__init__("%s: %s (%s)" % (method, error.get("message"), error.get("code")))
        self.code, self.message, self.data = error.get("code"), error.get("message", ""), error.get("data")


class Socket:
    """JSON values over the unix socket, one by one, as a client of Core Lightning would."""

    def __init__(self, path, timeout=120):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(timeout * TIME_FACTOR)
        self.link.connect(path)
        self.rest, self.decoder = b"", json.JSONDecoder()

    def send_bytes(self, data):
        self.link.sendall(data)

    def send(self, value):
        self.send_bytes(json.dumps(value).encode())

    def receive(self):
        """The next JSON value; ConnectionError if the daemon hangs up first."""
        while True:
            text = self.rest.decode("utf-8", "surrogateescape").lstrip()
            if text:
                try:
                    value, end = self.decoder.raw_decode(text)
                    self.rest = text[end:].encode("utf-8", "surrogateescape")
                    return value
                except ValueError:
                    pass
            more = self.link.recv(1 << 20)
            if not more:
                raise ConnectionError("the daemon closed the socket after %r" % self.rest[:200])
            self.rest += more

    def close(self):
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def rpc(path, method, timeout=120, **params):
    with Socket(path, timeout) as s:
        s.send({"jsonrpc": "2.0", "id": "interop", "method": method, "params": params})
        reply = s.receive()
    if "error" in reply:
        raise RpcError(reply["error"], method)
    check_equal(reply.get("id"), "interop", "id of the answer to " + method)
    check_equal(reply.get("jsonrpc"), "2.0", "version of the answer to " + method)
    return reply["result"]


class Lampo(Process):
    """Methods of the daemon are methods of this object: node.getinfo(), node.pay(bolt11=...)."""

    def __init__(self, folder, name, watch, bitcoind, **config):
        super().__init__(name, os.path.join(folder, name + ".log"))
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.watch, self.bitcoind = watch, bitcoind
        self.port = free_port()
        self.config = {"backend": "core", "core-url": bitcoind.url, "core-user": bitcoind.USER,
                       "core-pass": bitcoind.PASSWORD, "network": "regtest", "port": self.port,
                       "alias": name, "log-level": "debug", "bind-addr": "127.0.0.1", "dev-sync": "true"}
        self.config.update(config)
        watch.add(self)

    @property
    def socket(self):
        return os.path.join(self.folder, "lampod.socket")

    def write_config(self):
        path = os.path.join(self.folder, "lampo.conf")
        with open(path, "w", encoding="utf-8") as f:
            for key, value in self.config.items():
                if value is not None:
                    f.write("%s=%s\n" % (key, value))
        return path

    def argv(self, *flags):
        return [program("lampod-cli"), "--config", self.folder, *flags]

    def start(self, *flags):
        self.write_config()
        self.spawn(self.argv(*flags))
        self.ready()
        return self

    def ready(self, timeout=30):
        info = self.watch.until("%s's first answer" % self.name, self.getinfo, timeout, pause=0.005)
        self.id = info["id"]
        return info

    def synced(self):
        """The node has seen the tip of the chain."""
        self.watch.until("%s at bitcoind's height" % self.name,
                         lambda: self.getinfo()["blockheight"] == self.bitcoind.height())
        return self

    def call(self, method, **params):
        return rpc(self.socket, method, **params)

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda **params: self.call(method, **params)

    def cli(self, *words, ok=True):
        """lampo-cli: the JSON it prints, or with ok=False its exit code and text."""
        done = subprocess.run([program("lampo-cli"), "--socket", self.socket, *words], capture_output=True,
                              text=True, timeout=60 * TIME_FACTOR, check=False)
        if not ok:
            return done.returncode, done.stdout + done.stderr
        if done.returncode != 0:
            raise Failure("lampo-cli %s: exit code %d: %s" % (" ".join(words), done.returncode, done.stderr))
        return json.loads(done.stdout)

    def close_down(self):
        """Through its own method, and it must take leave in good order."""
        self.call("stop")
        check_equal(self.wait_exit(), 0, "%s's exit code after stop" % self.name)

    def restart(self, *flags):
        self.close_down()
        return self.start(*flags)

    def words(self):
        """The BIP 39 words that the first start showed."""
        with open(self.log, encoding="utf-8") as f:
            text = f.read()
        lines = [m.group(0).strip() for m in re.finditer(r"^[^:\n]*?((?:\b[a-z]{3,8}\b[ ]+){11,23}[a-z]{3,8})\s*$", text, re.M)]
        found = [m for line in lines for m in [re.search(r"(?:[a-z]{3,8} +){11,23}[a-z]{3,8}$", line)] if m]
        check(len(found) == 1, "the log of the first start holds one line of words", self.log, lines)
        return " ".join(found[0].group(0).split())

    # What tests say again and again.

    def balance_sat(self):
        """Confirmed coins of the wallet."""
        return sum(o["amount_msat"] for o in self.listfunds()["outputs"] if o["status"] == "confirmed") // 1000

    def fund(self, sat, confirm=True):
        before = self.balance_sat()
        txid = self.bitcoind.send(self.newaddr()["bech32"], sat)
        if confirm:
            self.bitcoind.mine_with(txid)
            self.watch.until("%s's coins" % self.name, lambda: self.balance_sat() == before + sat)
        return txid

    def channels(self, peer=None):
        return self.listpeerchannels(**({"id": peer} if peer else {}))["channels"]

    def channel(self, peer=None):
        """Its only channel that is not history, or None."""
        live = [c for c in self.channels(peer) if c["state"] not in ("ONCHAIN", "CLOSED")]
        check(len(live) < 2, "more than one channel", live)
        return live[0] if live else None

    def connect_to(self, other):
        return self.connect(id=other.id, host="127.0.0.1", port=other.port)

    def pay_to(self, other, msat, label=None):
        label = label or os.urandom(8).hex()
        invoice = other.invoice(amount_msat=msat, label=label, description="interop " + label)
        paid = self.pay(bolt11=invoice["bolt11"])
        check_equal(paid["status"], "complete", "status of the payment")
        check_equal(paid["payment_hash"], invoice["payment_hash"], "hash of the payment")
        return paid

    def peers(self):
        return [p["id"] for p in self.listpeers()["peers"] if p["connected"]]

    # The same words as of the other implementations, for networks of all of them.

    kind = "Lampo"

    def opens(self, other, sat, push_msat=0, private=False):
        """Begins a channel; the funding txid."""
        return self.fundchannel(id=other.id, amount=sat, push_msat=push_msat, announce=not private)["txid"]

    def usable(self, peer_id, timeout=60):
        return normal(self.watch, self, peer_id, timeout)

    def asks(self, msat, private=False):
        """An invoice, with the ways over private channels if `private`."""
        more = {"exposeprivatechannels": True} if private else {}
        label = os.urandom(8).hex()
        return self.invoice(amount_msat=msat, label=label, description="interop " + label, **more)["bolt11"]

    def pays(self, bolt11):
        """None when it is paid, or why it was not."""
        try:
            paid = self.pay(bolt11=bolt11)
            return None if paid["status"] == "complete" else str(paid)
        except RpcError as e:
            return str(e)

    def paid_out(self):
        return {p["payment_hash"]: p["amount_msat"] for p in self.listpays()["pays"] if p["status"] == "complete"}

    def paid_in(self):
        return {i["payment_hash"]: i["amount_received_msat"] for i in self.listinvoices()["invoices"]
                if i["status"] == "paid"}

    def edges(self):
        """Short channel ids of which both directions are known."""
        halves = [c["short_channel_id"] for c in self.listchannels()["channels"]]
        return {scid for scid in halves if halves.count(scid) == 2}

    def number(self, peer_id):
        return self.channel(peer_id)["short_channel_id"]

    def spendable(self, peer_id):
        """About the msat that it could send over its channel with this peer at once."""
        return self.channel(peer_id)["spendable_msat"]

    def carried(self, peer_id):
        """(how many, msat) of what went to this peer."""
        mine = self.channels(peer_id)
        return sum(c["out_payments_fulfilled"] for c in mine), sum(c["out_fulfilled_msat"] for c in mine)

    def ends(self, peer_id):
        """Begins to close the channel with this peer; the closing txid."""
        return self.close(id=peer_id)["txid"]

    def in_flight(self):
        return any(c["htlcs"] for c in self.channels())


def normal(watch, node, peer_id, timeout=30):
    """The channel with this peer, once it is up."""
    def probe():
        c = node.channel(peer_id)
        return c if c and c["state"] == "CHANNELD_NORMAL" and c["peer_connected"] else None
    return watch.until("%s's channel in CHANNELD_NORMAL" % node.name, probe, timeout)


def quiet(watch, *nodes, timeout=30):
    """No HTLC is on its way in any channel of these."""
    watch.until("no HTLC in flight", lambda: all(not c["htlcs"] for n in nodes for c in n.channels()), timeout)


def open_channel(watch, opener, acceptor, sat, **params):
    """Connects, funds, mines; both ends are up.  Returns fundchannel's answer."""
    opener.connect_to(acceptor)
    opened = opener.fundchannel(id=acceptor.id, amount=sat, **params)
    opener.bitcoind.mine_with(opened["txid"])
    opener.bitcoind.mine(5)
    normal(watch, opener, acceptor.id)
    normal(watch, acceptor, opener.id)
    return opened
