"""One network of Lampo, lnd and LDK: who pays whom through whom."""
import itertools
import random

from harness.net import test
from harness.process import check
from harness.world import SIZE, World, pay_many

# All six orders of sender, forwarder and receiver in one row.
#
#     lnd1 - lampo1 - ldk1 - lnd2 - lampo2
LINE = (("lnd1", "lampo1"), ("ldk1", "lampo1"), ("lnd2", "ldk1"), ("lampo2", "lnd2"))
ORDERS = (("lnd1", "lampo1", "ldk1"), ("ldk1", "lampo1", "lnd1"), ("lampo1", "ldk1", "lnd2"),
          ("lnd2", "ldk1", "lampo1"), ("ldk1", "lnd2", "lampo2"), ("lampo2", "lnd2", "ldk1"))


def pay_in_order(world, sender, through, receiver, count, private=False):
    """`count` payments of all sizes; the one in the middle must have carried each of them."""
    rng = random.Random("%s %s %s" % (sender, through, receiver))
    amounts = [rng.choice((rng.randint(1_000, 50_000), rng.randint(50_000, 20_000_000))) for _ in range(count)]
    middle, last = world[through], world[receiver]
    carried, msat = middle.carried(last.id)
    pay_many(world[sender], last, amounts, 10, private)
    want = carried + count, msat + sum(amounts)
    world.net.until("%s's books of what it carried from %s to %s" % (through, sender, receiver),
                    lambda: middle.carried(last.id) == want)


@test(timeout=400)
def six_orders(net):
    """Fifty payments in each order of sender, forwarder and receiver."""
    world = World(net, "lnd1", "lampo1", "ldk1", "lnd2", "lampo2")
    world.join(*LINE)
    for sender, through, receiver in ORDERS:
        world.knows(sender, (sender, through), (through, receiver))
        pay_in_order(world, sender, through, receiver, 50)
    world.quiet()


# --- in parts ---

FORWARDERS = ("lampo2", "lnd2")
LEAVES = ("lampo1", "lnd1", "ldk1")
# LDK lets 10 % of an announced channel be in flight towards itself.
LDK_MOST = SIZE * 100


def pay_in_parts(world, sender, receiver):
    """More than either forwarder could carry alone."""
    a, b = world[sender], world[receiver]
    ways = [world[f] for f in FORWARDERS]
    most = [min(a.spendable(f.id), f.spendable(b.id), LDK_MOST if b.kind == "LDK" else SIZE * 1000) for f in ways]
    check(min(most) > 100_000_000, "both ways from %s to %s are worth a part" % (sender, receiver), most)
    before = [f.carried(b.id) for f in ways]
    pay_many(a, b, [max(most) + min(most) * 2 // 5], 1)
    world.quiet()
    for f, (count, msat) in zip(ways, before):
        world.net.until("%s has carried a part from %s to %s" % (f.name, sender, receiver), lambda f=f: f.carried(b.id)[0] > count)


@test(timeout=400)
def parts_across_two_forwarders(net):
    """Each of Lampo, lnd and LDK pays each other through a Lampo and an lnd, which must share the payment."""
    world = World(net, *FORWARDERS, *LEAVES)
    world.join(*((f, leaf) for f in FORWARDERS for leaf in LEAVES))
    for leaf in LEAVES:
        world.knows(leaf)
    for _ in range(2):
        for one, other in itertools.combinations(LEAVES, 2):
            pay_in_parts(world, one, other)
            pay_in_parts(world, other, one)


# --- the graph ---

@test(timeout=400)
def each_syncs_from_each(net):
    """Those who know nothing learn the network of three, each from one of another kind; then its channels are closed.
    An lnd gets nothing out of LDK, which answers no query for channels: it would need a third."""
    kinds = ("lampo", "lnd", "ldk")
    world = World(net, *(k + "1" for k in kinds))
    world.join(("lnd1", "lampo1"), ("lampo1", "ldk1"), ("lnd1", "ldk1"))
    every = {world.scid(*link) for link in world.links}
    for name in world.nodes:
        world.knows(name)
    learners = []
    for teacher, kind in itertools.permutations(kinds, 2):
        if (teacher, kind) == ("ldk", "lnd"):
            continue
        learner = getattr(net, kind)("%s_of_%s" % (kind, teacher)).synced()
        learner.connect_to(world[teacher + "1"])
        learners.append(learner)
    for learner in learners:
        net.watch.until_empty("%s to know it all" % learner.name, lambda n=learner: sorted(every - n.edges()), 120)
    close_all(net, world, learners)


def close_all(net, world, learners):
    """In agreement, and the chain goes on: 72 blocks later nobody speaks of them any more.  But for LDK, which looks at
    no output again once it knows the channel: it forgets when nobody has renewed it for two weeks."""
    world.quiet()
    net.bitcoind.mine_with(*(world[a].ends(world[b].id) for a, b in world.links))
    everybody = [n for n in (*world.nodes.values(), *learners) if n.kind != "LDK"]
    for _ in range(2):
        net.bitcoind.mine(40)
        for n in everybody:
            n.synced()
    for n in everybody:
        net.watch.until_empty("%s to forget it all" % n.name, lambda n=n: sorted(n.edges()), 60)
