"""What LDK and lnd do not do, shown without any Lampo: where another test leaves a pair out, this is why.  If one of these
fails, they have learned it, and nothing need be left out any more."""
import os
import time

from harness.net import test
from harness.process import TIME_FACTOR, check, check_equal
from harness.world import World

PATIENCE = 45  # a Lampo learns as much of the same LDK in a few seconds


def ldk_log(k, *words):
    with open(os.path.join(k.folder, "ldk_node.log"), encoding="utf-8", errors="replace") as f:
        return sum(all(w in line for w in words) for line in f)


def of_ldks(net):
    """ldk1 - ldk2, and ldk3 that has heard of it."""
    world = World(net, "ldk2", "ldk3", ldk1={"extra": ["--log", "gossip"]})
    world.join(("ldk1", "ldk2"))
    for name in ("ldk1", "ldk3"):
        world.knows(name)
    return world


@test(timeout=200)
def lnd_learns_nothing_from_ldk(net):
    """lnd asks LDK for its channels, is told their numbers, asks for the channels themselves, and is not answered: LDK sends
    them to whoever sends a gossip_timestamp_filter, which lnd does only once that question is answered."""
    world = of_ldks(net)
    k, scid = world["ldk1"], world.scid("ldk1", "ldk2")
    d = net.lnd("lnd1", extra=["--debuglevel=info,DISC=debug"]).synced()
    d.connect_to(k)
    net.until("lnd asks for the channel", lambda: ldk_log(k, "Received message QueryShortChannelIds"), 60)
    end = time.monotonic() + PATIENCE * TIME_FACTOR
    while time.monotonic() < end:
        check_equal(d.edges(), set(), "lnd learns from LDK now: take it into network.each_syncs_from_each")
        time.sleep(1)
    check_equal(ldk_log(k, d.id, "ReplyShortChannelIdsEnd"), 0, "LDK answers it now")
    # The same LDK, asked by a Lampo: it notices the silence and sends a filter.
    learner = net.lampo("learner").synced()
    learner.connect_to(k)
    net.until("a Lampo learns the same from LDK", lambda: scid in learner.edges(), 60)
    print("THEIRS: lnd %s learned nothing from LDK in %d s, without any Lampo near: LDK leaves query_short_channel_ids unanswered "
          "and lnd sends no filter before; a Lampo learned it from the same LDK" % (d.get("/v1/getinfo")["version"], PATIENCE))


@test(timeout=200)
def ldk_forgets_no_closed_channel(net):
    """A hundred blocks after its end LDKs speak of a channel still, its own ends as well as a third: they look at an output
    when they hear of the channel and never again."""
    world = of_ldks(net)
    k, scid = world["ldk1"], world.scid("ldk1", "ldk2")
    world.quiet()
    k.close(world["ldk2"].id)
    txids = net.until("the closing transaction", net.bitcoind.mempool, 60)
    net.bitcoind.mine_with(*txids)
    net.bitcoind.mine(100)
    for n in world.nodes.values():
        n.synced()
    net.until("the channel's end", lambda: not k.channels(), 60)
    time.sleep(5 * TIME_FACTOR)
    kept = [name for name in world.nodes if scid in {c["scid"] for c in world[name].call("graph")["channels"]}]
    check(kept, "LDK forgets closed channels now: take it into network.close_all")
    print("THEIRS: 101 blocks after a channel's end %s of three LDKs still have it, without any Lampo near" % ", ".join(kept))
