"""An lnd node, driven over its REST interface."""
import base64
import hashlib
import http.client
import json
import os
import threading

from .process import Failure, Process, TIME_FACTOR, check, free_port


class LndError(Exception):
    pass


def b64(hexadecimal):
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def b64url(hexadecimal):
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode()


def number_of(scid):
    """1x2x3 as lnd's interface says it."""
    block, tx, out = (int(n) for n in scid.split("x"))
    return block << 40 | tx << 16 | out


def scid_of(number):
    return "%dx%dx%d" % (number >> 40, number >> 16 & 0xffffff, number & 0xffff)


class Lnd(Process):
    def __init__(self, folder, name, program, watch, bitcoind, extra=()):
        super().__init__(name, os.path.join(folder, name + ".log"))
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.program, self.watch, self.bitcoind, self.extra = program, watch, bitcoind, list(extra)
        self.port, self.rest_port, self.rpc_port = free_port(), free_port(), free_port()
        watch.add(self)

    def start(self):
        # Links to the process before this one.
        self.local = threading.local()
        self.spawn([
            self.program, "--lnddir=" + self.folder, "--alias=" + self.name, "--noseedbackup", "--nobootstrap",
            "--listen=127.0.0.1:%d" % self.port, "--rpclisten=127.0.0.1:%d" % self.rpc_port,
            "--restlisten=127.0.0.1:%d" % self.rest_port, "--no-macaroons", "--no-rest-tls",
            "--bitcoin.regtest", "--bitcoin.node=bitcoind", "--bitcoind.rpchost=127.0.0.1:%d" % self.bitcoind.port,
            "--bitcoind.rpcuser=" + self.bitcoind.USER, "--bitcoind.rpcpass=" + self.bitcoind.PASSWORD,
            "--bitcoind.rpcpolling", "--bitcoind.blockpollinginterval=200ms", "--bitcoind.txpollinginterval=200ms",
            "--trickledelay=50", "--bitcoin.defaultchanconfs=1", "--bitcoin.defaultremotedelay=4",
            "--gossip.sub-batch-delay=5ms", "--db.batch-commit-interval=10ms", "--accept-keysend",
            "--minbackoff=1s", "--maxbackoff=2s", "--maxlogfiles=1"] + self.extra)
        self.ready()
        return self

    def ready(self):
        def probe():
            info = self.get("/v1/getinfo")
            return info if info["synced_to_chain"] else None
        self.id = self.watch.until("%s's first answer" % self.name, probe, 90)["identity_pubkey"]

    def restart(self):
        self.terminate(60)
        return self.start()

    def request(self, verb, path, body=None, timeout=120):
        """One call; the lines of its answer as JSON values."""
        text = json.dumps(body) if body is not None else None
        link = getattr(self.local, "link", None)
        for attempt in (1, 2):
            if link is None:
                link = self.local.link = http.client.HTTPConnection("127.0.0.1", self.rest_port,
                                                                    timeout=timeout * TIME_FACTOR)
            try:
                link.request(verb, path, text, {"Content-Type": "application/json"})
                answer = link.getresponse()
                raw = answer.read()
                break
            except (http.client.HTTPException, OSError):
                link.close()
                link = self.local.link = None
                # A call that pays is never sent twice: lnd may have taken it.
                if attempt == 2 or verb == "POST":
                    raise
        lines = [json.loads(line) for line in raw.decode().splitlines() if line.strip()]
        if answer.status != 200:
            raise LndError("%s: %s" % (path, raw.decode()[:400]))
        return lines

    def get(self, path):
        return self.request("GET", path)[0]

    def post(self, path, **body):
        return self.request("POST", path, body)[0]

    def synced(self):
        def probe():
            info = self.get("/v1/getinfo")
            return info["synced_to_chain"] and info["block_height"] == self.bitcoind.height()
        self.watch.until("%s at bitcoind's height" % self.name, probe, 60)
        return self

    def balance_sat(self):
        return int(self.get("/v1/balance/blockchain")["confirmed_balance"])

    def fund(self, sat):
        before = self.balance_sat()
        address = self.get("/v1/newaddress")["address"]
        self.bitcoind.mine_with(self.bitcoind.send(address, sat))
        self.watch.until("%s's coins" % self.name, lambda: self.balance_sat() == before + sat, 60)

    def connect_to(self, other):
        try:
            self.post("/v1/peers", addr={"pubkey": other.id, "host": "127.0.0.1:%d" % other.port}, timeout="10")
        except LndError as e:
            if "already connected" not in str(e):
                raise

    def peers(self):
        return [p["pub_key"] for p in self.get("/v1/peers")["peers"]]

    def open(self, other, sat, push_sat=0, private=False):
        """Begins a channel; the funding txid, in the order people write it."""
        answer = self.post("/v1/channels", node_pubkey=b64(other.id), local_funding_amount=str(sat),
                           push_sat=str(push_sat), private=private, sat_per_vbyte="2",
                           spend_unconfirmed=True)
        raw = answer.get("funding_txid_str")
        return raw or base64.b64decode(answer["funding_txid_bytes"])[::-1].hex()

    def channels(self):
        return self.get("/v1/channels")["channels"]

    def channel(self, peer_id):
        found = [c for c in self.channels() if c["remote_pubkey"] == peer_id]
        check(len(found) < 2, "more than one channel", found)
        return found[0] if found else None

    def normal(self, peer_id, timeout=60):
        """The channel, once lnd would pay through it: active, and in its own graph."""
        def probe():
            c = self.channel(peer_id)
            if not c or not c["active"]:
                return None
            self.get("/v1/graph/edge/" + c["chan_id"])
            return c
        return self.watch.until("%s's channel active and in its graph" % self.name, probe, timeout)

    def pending(self):
        return self.get("/v1/channels/pending")

    def invoice(self, msat, memo="interop", private=False):
        return self.post("/v1/invoices", value_msat=str(msat), memo=memo, private=private)["payment_request"]

    def pay(self, bolt11=None, keysend_to=None, msat=None, to=None, payment_hash=None, secret=None, timeout=60,
            **more):
        """Pays an invoice, spontaneously, or with every number given (to, payment_hash,
        secret, msat).  The final status of lnd's stream, with its failure reason."""
        body = {"timeout_seconds": int(timeout * TIME_FACTOR), "fee_limit_sat": "1000", "no_inflight_updates": True,
                **more}
        if bolt11:
            body["payment_request"] = bolt11
        if keysend_to:
            preimage = os.urandom(32)
            # The feature says that the other end reads TLV onions: without its
            # node_announcement lnd cannot know.
            body.update(dest=b64(keysend_to), amt_msat=str(msat), final_cltv_delta=40, dest_features=[9],
                        dest_custom_records={"5482373484": base64.b64encode(preimage).decode()},
                        payment_hash=base64.b64encode(hashlib.sha256(preimage).digest()).decode())
        if to:
            body.update(dest=b64(to), amt_msat=str(msat), final_cltv_delta=40, dest_features=[9, 15],
                        payment_hash=b64(payment_hash), payment_addr=b64(secret))
        last = self.request("POST", "/v2/router/send", body, timeout + 30)[-1]
        if "error" in last:
            raise LndError("pay: %s" % last["error"].get("message"))
        return last["result"]

    def payments(self):
        return self.get("/v1/payments?include_incomplete=true&max_payments=100000")["payments"]

    def settled_msat(self):
        """The invoices that were paid, by payment hash, with what came in."""
        answer = self.get("/v1/invoices?num_max_invoices=100000")
        return {base64.b64decode(i["r_hash"]).hex(): int(i["amt_paid_msat"]) for i in answer["invoices"]
                if i["state"] == "SETTLED"}

    def close(self, channel_point, force=False):
        """Begins a close; does not wait for the chain."""
        txid, out = channel_point.split(":")
        path = "/v1/channels/%s/%s?%s&no_wait=true" % (txid, out, "force=true" if force else "sat_per_vbyte=2")
        link = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=60 * TIME_FACTOR)
        try:
            link.request("DELETE", path)
            answer = link.getresponse()
            line = answer.readline()
            if answer.status != 200 or b'"error"' in line[:10]:
                raise Failure("lnd would not close: %r" % line[:400])
            return json.loads(line)
        finally:
            link.close()

    # The same words as of the other implementations, for networks of all of them.

    kind = "lnd"

    def opens(self, other, sat, push_msat=0, private=False):
        self.synced()  # it takes no order while it reads a block
        return self.open(other, sat, push_msat // 1000, private)

    def usable(self, peer_id, timeout=60):
        return self.normal(peer_id, timeout)

    def asks(self, msat, private=False):
        return self.invoice(msat, private=private)

    def pays(self, bolt11):
        """None when it is paid, or why it was not."""
        try:
            paid = self.pay(bolt11, max_parts=16)
        except LndError as e:
            return str(e)
        return None if paid["status"] == "SUCCEEDED" else paid["failure_reason"]

    def paid_out(self):
        return {p["payment_hash"]: int(p["value_msat"]) for p in self.payments() if p["status"] == "SUCCEEDED"}

    def paid_in(self):
        return self.settled_msat()

    def edges(self):
        """Short channel ids of which both directions are known."""
        return {scid_of(int(e["channel_id"])) for e in self.get("/v1/graph")["edges"] if e["node1_policy"] and e["node2_policy"]}

    def number(self, peer_id):
        return scid_of(int(self.channel(peer_id)["chan_id"]))

    def spendable(self, peer_id):
        c = self.channel(peer_id)
        left = int(c["local_balance"]) - int(c["local_constraints"]["chan_reserve_sat"]) - 5_000 * c["initiator"]
        return max(left, 0) * 1000

    def carried(self, peer_id):
        """(how many, msat) of what it forwarded to this peer."""
        events = self.post("/v1/switch", start_time="1", num_max_events=50000)["forwarding_events"]
        ours = {c["chan_id"] for c in self.channels() if c["remote_pubkey"] == peer_id}
        sent = [int(e["amt_out_msat"]) for e in events if e["chan_id_out"] in ours]
        return len(sent), sum(sent)

    def ends(self, peer_id):
        """Begins to close the channel with this peer; the closing txid."""
        self.synced()
        point = self.channel(peer_id)["channel_point"]
        self.close(point)
        return self.watch.until("%s's closing transaction" % self.name, lambda: next(
            (c["closing_txid"] for c in self.pending()["waiting_close_channels"]
             if c["channel"]["channel_point"] == point and c["closing_txid"]), None), 60)

    def in_flight(self):
        return any(c["pending_htlcs"] for c in self.channels())

    # Invoices that lnd holds until it is told what to do with them.

    def hold_invoice(self, msat, preimage, cltv=40):
        answer = self.post("/v2/invoices/hodl", hash=b64(hashlib.sha256(preimage).hexdigest()), value_msat=str(msat),
                           cltv_expiry=str(cltv), expiry="86400")
        return answer["payment_request"]

    def settle(self, preimage):
        self.post("/v2/invoices/settle", preimage=b64(preimage.hex()))

    def cancel(self, payment_hash):
        self.post("/v2/invoices/cancel", payment_hash=b64(payment_hash))

    def invoice_state(self, payment_hash):
        return self.get("/v1/invoice/" + payment_hash)["state"]

    def decode(self, bolt11):
        """Hash and payment secret of an invoice, in hex."""
        found = self.get("/v1/payreq/" + bolt11)
        secret = found["payment_addr"]
        if not all(c in "0123456789abcdef" for c in secret):
            secret = base64.b64decode(secret).hex()
        return found["payment_hash"], secret

    def send_route(self, payment_hash, hops, secret, timeout=600, total=None, lock=None):
        """One HTLC along a route of our own making.  hops: (peer id, channel number, what it forwards in msat,
        the fee that it takes, the expiry of what it sends on), the last one for the payee itself, with the expiry
        that it gets.  total: of the set, if this is but a part; lock: the expiry of the HTLC that lnd itself offers.
        Answers when the HTLC is resolved."""
        route = []
        for i, (peer, channel, msat, fee, expiry) in enumerate(hops):
            hop = {"chan_id": str(channel), "pub_key": peer, "amt_to_forward_msat": str(msat), "fee_msat": str(fee),
                   "expiry": expiry, "tlv_payload": True}
            if i == len(hops) - 1:
                hop["mpp_record"] = {"payment_addr": b64(secret), "total_amt_msat": str(total or msat)}
            route.append(hop)
        fees = sum(h[3] for h in hops)
        body = {"payment_hash": b64(payment_hash), "route": {
            "total_time_lock": lock or self.first_expiry(hops), "total_amt_msat": str(hops[-1][2] + fees),
            "total_fees_msat": str(fees), "hops": route}}
        return self.request("POST", "/v2/router/route/send", body, timeout)[0]

    @staticmethod
    def first_expiry(hops):
        """Of the HTLC that lnd itself offers: as much more as the first hop leaves the second, and half of that again."""
        return hops[0][4] + (144 if len(hops) > 1 else 0)
