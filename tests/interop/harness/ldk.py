"""An LDK node: a program that speaks JSON lines over a unix socket.  LAMPO_LDK_PEER names it.

Asked is `{"id":1,"method":"getinfo","params":{}}`, answered `{"id":1,"result":{..}}` or `{"id":1,"error":".."}`, each
on a line; amounts are in `msat` and `sat`, channels are called by channel id or `1x2x3`."""
import json
import os
import shutil
import socket
import subprocess
import threading

from .process import Process, Skip, TIME_FACTOR, check, free_port


class LdkError(Exception):
    pass


def find_ldk():
    """Its path, or a Skip."""
    path = os.environ.get("LAMPO_LDK_PEER")
    if not path:
        raise Skip("no LDK node: LAMPO_LDK_PEER names none")
    if not os.access(path, os.X_OK):
        raise Skip("LAMPO_LDK_PEER=%s is no program" % path)
    return path


class Ldk(Process):
    def __init__(self, folder, name, program, watch, bitcoind, extra=()):
        super().__init__(name, os.path.join(folder, name + ".log"))
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.program, self.watch, self.bitcoind, self.extra = program, watch, bitcoind, list(extra)
        self.port, self.env = free_port(), {}
        watch.add(self)

    @property
    def socket(self):
        return os.path.join(self.folder, "api")

    def start(self):
        # Links to the process before this one.
        self.local = threading.local()
        b = self.bitcoind
        self.spawn([self.program, "--dir", self.folder, "--rpc", "127.0.0.1:%d" % b.port, "--rpc-user", b.USER,
                    "--rpc-pass", b.PASSWORD, "--listen", "127.0.0.1:%d" % self.port, "--alias", self.name,
                    "--api", self.socket, "--anchor-reserve", "0", "--log", "debug"] + self.extra, self.env)
        self.id = self.watch.until("%s's first answer" % self.name, lambda: self.call("getinfo"), 60)["node_id"]
        return self

    def restart(self):
        self.call("stop")
        self.wait_exit(60)
        return self.start()

    def hurry(self, factor):
        """Restarts it with a clock that runs so many times as fast, or a Skip where there is no compiler."""
        fast, source = os.path.join(self.folder, "fast_clock.so"), os.path.join(os.path.dirname(__file__), "fast_clock.c")
        compiler = shutil.which("cc")
        if not compiler:
            raise Skip("no C compiler, to make LDK's clock run faster")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", fast, source, "-ldl"], check=True)
        self.env = {"LD_PRELOAD": fast, "FAST_CLOCK": str(factor)}
        return self.restart()

    def link(self):
        found = getattr(self.local, "link", None)
        if found is None:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(120 * TIME_FACTOR)
            s.connect(self.socket)
            found = self.local.link = s.makefile("rw", encoding="utf-8", newline="\n")
            s.close()  # the file keeps it open
        return found

    def call(self, method, **params):
        """One answer; each thread has a link of its own, so that none waits for another's."""
        try:
            link = self.link()
            link.write(json.dumps({"id": 1, "method": method, "params": params}) + "\n")
            link.flush()
            line = link.readline()
        except OSError:
            self.local.link = None
            raise
        if not line:
            self.local.link = None
            raise ConnectionError("%s hung up on %s" % (self.name, method))
        reply = json.loads(line)
        if "error" in reply:
            raise LdkError("%s: %s" % (method, reply["error"]))
        return reply["result"]

    def synced(self):
        def probe():
            self.call("sync")
            return self.call("getinfo")["height"] == self.bitcoind.height()
        self.watch.until("%s at bitcoind's height" % self.name, probe, 60)
        return self

    def balance_sat(self):
        return self.call("balance")["onchain_sat"]

    def fund(self, sat):
        before = self.balance_sat()
        self.bitcoind.mine_with(self.bitcoind.send(self.call("newaddr")["address"], sat))
        self.synced()
        self.watch.until("%s's coins" % self.name, lambda: self.balance_sat() == before + sat, 60)

    def connect_to(self, other):
        self.call("connect", node_id=other.id, addr="127.0.0.1:%d" % other.port, persist=True)

    def peers(self):
        return [p["node_id"] for p in self.call("peers") if p["connected"]]

    def channels(self):
        return self.call("channels")

    def channel(self, peer_id):
        found = [c for c in self.channels() if c["peer"] == peer_id]
        check(len(found) < 2, "more than one channel", found)
        return found[0] if found else None

    def events(self, *kinds, since=0):
        return [e for e in self.call("events", since=since) if not kinds or e["event"] in kinds]

    def hold_invoice(self, msat, preimage_hash):
        return self.call("invoice", msat=msat, description="held", hash=preimage_hash)["invoice"]

    def pay(self, bolt11, **limits):
        """The payment as it ended: `status` succeeded or failed, and why."""
        return self.call("pay", invoice=bolt11, wait=True, **limits)

    def close(self, peer_id, force=False):
        self.call("forceclose" if force else "close", channel=self.channel(peer_id)["channel"])

    # The same words as of the other implementations, for networks of all of them.

    kind = "LDK"

    def opens(self, other, sat, push_msat=0, private=False):
        """Begins a channel; the funding txid."""
        ours = self.call("open", node_id=other.id, addr="127.0.0.1:%d" % other.port, sat=sat, push_msat=push_msat,
                         announce=not private)["user_channel_id"]

        def funding():
            found = [c for c in self.channels() if c["user_channel_id"] == ours]
            check(found, "%s's channel is gone" % self.name, self.events("channel_closed"))
            return found[0]["funding"]
        return self.watch.until("%s's funding transaction" % self.name, funding, 60).split(":")[0]

    def usable(self, peer_id, timeout=60):
        def probe():
            c = self.channel(peer_id)
            return c if c and c["usable"] else None
        return self.watch.until("%s's channel usable" % self.name, probe, timeout)

    def asks(self, msat, private=False):
        """With ways over private channels whenever it has no other."""
        return self.call("invoice", msat=msat, description="interop")["invoice"]

    def pays(self, bolt11):
        """None when it is paid, or why it was not."""
        try:
            paid = self.pay(bolt11)
        except LdkError as e:
            return str(e)
        return None if paid["status"] == "succeeded" else paid["reason"]

    def payments(self, direction):
        return {p["hash"]: p["msat"] for p in self.call("payments")
                if p["kind"] != "onchain" and p["direction"] == direction and p["status"] == "succeeded"}

    def paid_out(self):
        return self.payments("out")

    def paid_in(self):
        return self.payments("in")

    def edges(self):
        """Short channel ids of which both directions are known."""
        return {c["scid"] for c in self.call("graph")["channels"] if c["one_to_two"] and c["two_to_one"]}

    def number(self, peer_id):
        return self.channel(peer_id)["scid"]

    def spendable(self, peer_id):
        return self.channel(peer_id)["outbound_msat"]

    def carried(self, peer_id):
        """(how many, msat) of what it forwarded to this peer."""
        ours = {c["channel"] for c in self.channels() if c["peer"] == peer_id}
        sent = [e["msat"] for e in self.events("payment_forwarded") if e["to"] in ours]
        return len(sent), sum(sent)

    def in_flight(self):
        return any(p["status"] == "pending" for p in self.call("payments") if p["direction"] == "out" and p["kind"] != "onchain")
