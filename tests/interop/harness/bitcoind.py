"""A bitcoind of our own on regtest, with a purse."""
import base64
import http.client
import json
import os
import threading

from .process import Failure, Process, check, free_port

COIN = 100_000_000


class BitcoinError(Exception):
    def __init__(self, error):
        super().__init__("bitcoind: %s (%s)" % (error.get("message"), error.get("code")))
        self.code = error.get("code")


class Bitcoind(Process):
    """rpc(method, ...) speaks to it; mine() and pay() are what tests want most."""

    USER, PASSWORD = "interop", "interop-password"

    def __init__(self, folder, program, watch, extra=(), name="bitcoind"):
        super().__init__(name, os.path.join(folder, name + ".log"))
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.program, self.watch, self.extra = program, watch, list(extra)
        self.port = free_port()
        self.local = threading.local()
        watch.add(self)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def cookie(self):
        return os.path.join(self.folder, "regtest", ".cookie")

    def start(self, password=True, purse=True):
        argv = [self.program, "-regtest", "-server", "-datadir=" + self.folder, "-rpcport=%d" % self.port,
                "-listen=0", "-connect=0", "-fallbackfee=0.00002", "-addresstype=bech32", "-changetype=bech32",
                "-rpcthreads=8", "-rpcworkqueue=256",
                "-dbcache=16", "-printtoconsole=1", "-debuglogfile=0"] + self.extra
        if password:
            argv += ["-rpcuser=" + self.USER, "-rpcpassword=" + self.PASSWORD]
        self.password = password
        self.spawn(argv)
        self.watch.until("bitcoind's first answer", lambda: self.rpc("getblockchaininfo"), 60)
        if purse and "purse" not in self.rpc("listwallets"):
            try:
                self.rpc("loadwallet", "purse")
            except BitcoinError:
                self.rpc("createwallet", "purse")
        return self

    def authorization(self):
        word = self.USER + ":" + self.PASSWORD
        if not self.password:
            with open(self.cookie, encoding="ascii") as f:
                word = f.read().strip()
        return "Basic " + base64.b64encode(word.encode()).decode()

    def rpc(self, method, *params, **named):
        body = json.dumps({"id": 1, "method": method, "params": named or list(params)})
        headers = {"Authorization": self.authorization(), "Content-Type": "application/json"}
        for attempt in (1, 2):
            link = getattr(self.local, "link", None)
            if link is None:
                link = self.local.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            try:
                link.request("POST", "/", body, headers)
                answer = link.getresponse()
                raw = answer.read()
                break
            except (http.client.HTTPException, OSError):
                link.close()
                self.local.link = None
                if attempt == 2:
                    raise
        try:
            reply = json.loads(raw, parse_float=str)
        except ValueError:
            raise Failure("bitcoind answered %s: %.200r" % (answer.status, raw)) from None
        if reply.get("error"):
            raise BitcoinError(reply["error"])
        return reply["result"]

    def mine(self, blocks=1):
        """Mines to the purse; the new block hashes."""
        return self.rpc("generatetoaddress", blocks, self.rpc("getnewaddress"))

    def mine_with(self, *txids):
        """Waits for these in the mempool, then mines one block that holds them."""
        for txid in txids:
            self.watch.until("%s in the mempool" % txid, lambda t=txid: self.rpc("getmempoolentry", t), 60)
        block = self.mine(1)[0]
        inside = self.rpc("getblock", block)["tx"]
        for txid in txids:
            check(txid in inside, "mined without it", txid)
        return block

    def endow(self):
        """Coins that can be spent.  Once, at the beginning of a test."""
        self.mine(101)
        return self

    def height(self):
        return self.rpc("getblockcount")

    def send(self, address, sat):
        """Pays to an address, unconfirmed; the txid.  The purse draws lock times of the last hundred blocks, and Knots
        takes no transaction with a lock time of 21: that one is made anew."""
        while True:
            txid = self.rpc("sendtoaddress", address, "%d.%08d" % divmod(sat, COIN))
            if txid in self.mempool():
                return txid
            check(self.rpc("decoderawtransaction", self.rpc("gettransaction", txid)["hex"])["locktime"] == 21,
                  "the purse's payment is in the mempool", txid)
            self.rpc("abandontransaction", txid)

    def mempool(self):
        return self.rpc("getrawmempool")

    def tx(self, txid, block=None):
        return self.rpc("getrawtransaction", txid, 1, *([block] if block else []))

    def stop(self):
        self.rpc("stop")
        check(self.wait_exit(60) == 0, "bitcoind's exit code")
        self.local = threading.local()


def sat(text):
    """bitcoind's decimal coins, which rpc() keeps as text, as an integer of sat."""
    whole, _, part = str(text).partition(".")
    return int(whole) * COIN + int((part + "00000000")[:8])
