"""A network of several implementations: nodes by name, and what joins them."""
import itertools
from concurrent.futures import ThreadPoolExecutor

from .process import check, check_equal

SIZE = 5_000_000


class World:
    """Nodes by name, and what joins them."""

    def __init__(self, net, *names, **special):
        """lnd1, ldk1, lampo1 and so on; `special`: those with a configuration of their own."""
        self.net, self.nodes, self.links = net, {}, []
        # LDK first: it is the one that may be missing, and then nothing need be started.
        for name in sorted([*names, *special], key=lambda n: ("ldk" not in n, "lnd" not in n)):
            self.nodes[name] = getattr(net, name.rstrip("0123456789"))(name, **special.get(name, {}))

    def __getitem__(self, name):
        return self.nodes[name]

    def join(self, *links):
        """Each link: (opener, acceptor, options of `opens`).  All together in one block, half of each at the other end."""
        net = self.net
        # An output for each channel, so that none waits for the change of another.
        for opener, *_ in links:
            self[opener].fund(SIZE + 500_000)
        for n in self.nodes.values():
            n.synced()
        # All to all: what a node says of its own channels it tells its peers at once, and others pass it on once a minute.
        for a, b in itertools.combinations(self.nodes.values(), 2):
            if b.id not in a.peers():
                a.connect_to(b)
        txids = set()
        for opener, acceptor, *options in links:
            a, b = self[opener], self[acceptor]
            more = {"sat": SIZE, "push_msat": SIZE * 500, **(options[0] if options else {})}
            txids.add(a.opens(b, **more))
        net.bitcoind.mine_with(*txids)
        net.bitcoind.mine(5)
        for n in self.nodes.values():
            n.synced()
        for opener, acceptor, *options in links:
            a, b = self[opener], self[acceptor]
            a.usable(b.id, 90)
            b.usable(a.id, 90)
            self.links.append((opener, acceptor))

    def scid(self, one, two):
        """As it is on the chain."""
        return self[one].number(self[two].id)

    def knows(self, name, *links, timeout=120):
        """Both directions of these channels, or of all."""
        want = {self.scid(*link) for link in links or self.links}
        self.net.watch.until_empty("%s to know the network" % name, lambda: sorted(want - self[name].edges()), timeout)

    def quiet(self):
        for one, two in self.links:
            for n, peer in ((self[one], self[two]), (self[two], self[one])):
                self.net.until("no HTLC in flight at %s" % n.name, lambda n=n: not n.in_flight(), 60)


def pay_many(payer, payee, amounts, threads, private=False):
    """Pays each amount; what was paid, by payment hash.  Not one may fail."""
    before_out, before_in = payer.paid_out(), payee.paid_in()

    def one(msat):
        return payer.pays(payee.asks(msat, private))

    with ThreadPoolExecutor(threads) as pool:
        failed = [why for why in pool.map(one, amounts) if why is not None]
    check(not failed, "%s pays %s: %d of %d failed" % (payer.name, payee.name, len(failed), len(amounts)), failed[:3])
    sent = {h: m for h, m in payer.paid_out().items() if h not in before_out}
    came = {h: m for h, m in payee.paid_in().items() if h not in before_in}
    check_equal(sent, came, "what %s says it paid and what %s got" % (payer.name, payee.name))
    check_equal(sorted(sent.values()), sorted(amounts), "what %s paid" % payer.name)
    return sent
