"""Gossip between real nodes: announced, learned, forgotten."""
from harness.lampo import normal, open_channel
from harness.lnd import LndError, number_of
from harness.net import test
from harness.process import check, check_equal

from channel_test import FUNDS
from lnd_test import SIZE, lampo_opens, lnd_opens

DEPTH = 6


def edge(d, channel):
    """What lnd's graph says of a channel of ours, once both ends have spoken."""
    found = d.get("/v1/graph/edge/%d" % number_of(channel["short_channel_id"]))
    return found if found.get("node1_policy") and found.get("node2_policy") else None


@test(timeout=180)
def lnd_learns_of_our_channel(net):
    """A public channel between the two: lnd takes our signatures, and both policies are in its graph."""
    l, d = lampo_opens(net)
    net.bitcoind.mine(DEPTH)
    c = l.channel(d.id)
    found = net.until("both policies in lnd's graph", lambda: edge(d, c), 60)
    check_equal({found["node1_pub"], found["node2_pub"]}, {l.id, d.id}, "the ends")
    check_equal(int(found["capacity"]), 5_000_000, "capacity")
    ours = found["node1_policy"] if found["node1_pub"] == l.id else found["node2_policy"]
    check_equal((ours["disabled"], ours["fee_rate_milli_msat"]), (False, "10"), "our policy")
    info = net.until("our node in lnd's graph",
                     lambda: [n for n in d.get("/v1/graph")["nodes"] if n["pub_key"] == l.id and n["alias"] == "lampo"], 90)
    check_equal(len(info), 1, "announcements of us")


def known(node, channel):
    """Both directions of a channel, as a lampo knows them from gossip."""
    found = node.listchannels(short_channel_id=channel["short_channel_id"])["channels"]
    return found if len(found) == 2 else None


def announced(net, a, b):
    """A public channel of two lampos, deep enough."""
    a.fund(FUNDS)
    opened = open_channel(net.watch, a, b, SIZE)
    net.bitcoind.mine(DEPTH)
    c = a.channel(b.id)
    for node in (a, b):
        net.until("%s knows both directions" % node.name, lambda node=node: known(node, c), 60)
    return c, opened


@test(timeout=180)
def a_stranger_learns_the_network_and_keeps_it(net):
    """Somebody who connects to one end alone: every field, the nodes, a restart after kill -9, and the end of the channel."""
    a, b, c = net.lampo("alice"), net.lampo("bob"), net.lampo("carol")
    channel, _ = announced(net, a, b)
    c.connect_to(a)
    halves = net.until("carol knows both directions", lambda: known(c, channel), 60)
    check_equal({h["source"] for h in halves}, {a.id, b.id}, "the ends")
    for h in halves:
        check_equal((h["amount_msat"], h["active"], h["fee_per_millionth"], h["base_fee_millisatoshi"]),
                    (SIZE * 1000, True, 10, 1), "a direction")
        check(h["htlc_maximum_msat"] <= SIZE * 1000, "no more than the capacity", h)
    said = a.channel(b.id)["updates"]
    check_equal((said["local"]["fee_proportional_millionths"], said["remote"]["fee_base_msat"]), (10, 1), "updates of listpeerchannels")
    names = net.until("carol has heard both nodes", lambda: [n for n in c.listnodes()["nodes"] if "alias" in n][1:], 90)
    check(names, "names")
    check_equal({n["alias"] for n in c.listnodes()["nodes"]}, {"alice", "bob"}, "aliases")
    net.until("carol is synced", lambda: c.getinfo()["gossip"]["synced"], 60)
    # What it knows it knows after a crash too, alone and at once.
    c.kill9()
    for node in (a, b):
        node.close_down()
    c.start()
    check_equal(known(c, channel), halves, "after kill -9")
    for node in (a, b):
        node.start()
    normal(net.watch, a, b.id)
    c.connect_to(a)
    # Closed: forgotten 72 blocks after the spend, and not before.
    closing = a.close(id=b.id)
    net.bitcoind.mine_with(closing["txid"])
    net.bitcoind.mine(71)
    c.synced()
    check(c.listchannels()["channels"], "71 blocks later carol still knows it")
    check(not any(h["active"] for h in c.listchannels()["channels"]), "but does not use it")
    net.bitcoind.mine(1)
    c.synced()
    net.until("carol has forgotten it", lambda: not c.listchannels()["channels"] and not c.listnodes()["nodes"])


@test(timeout=240)
def everybody_syncs_from_everybody(net):
    """lnd from us, we from lnd, each with nothing before."""
    l, d = lampo_opens(net)
    net.bitcoind.mine(DEPTH)
    channel = l.channel(d.id)
    net.until("both policies in lnd's graph", lambda: edge(d, channel), 60)
    net.until("and in ours", lambda: known(l, channel), 60)
    from_lnd = net.lampo("learner")
    d.synced()
    from_lnd.connect_to(d)
    net.until("a lampo learns from lnd", lambda: known(from_lnd, channel), 90)
    from_us = net.lnd("lnd2")
    from_us.synced()
    from_us.connect_to(l)
    found = net.until("an lnd learns from us", lambda: edge_or_none(from_us, channel), 120)
    check_equal({found["node1_pub"], found["node2_pub"]}, {l.id, d.id}, "the ends")


def edge_or_none(d, channel):
    try:
        return edge(d, channel)
    except LndError:
        return None


@test(timeout=180)
def lnd_opens_and_we_announce(net):
    l, d = lnd_opens(net)
    net.bitcoind.mine(DEPTH)
    c = l.channel(d.id)
    net.until("both policies in lnd's graph", lambda: edge(d, c), 60)
    net.until("and in ours", lambda: known(l, c), 60)


@test(timeout=120)
def a_private_channel_stays_private(net):
    a, b, c = net.lampo("alice"), net.lampo("bob"), net.lampo("carol")
    a.fund(FUNDS)
    open_channel(net.watch, a, b, SIZE, announce=False)
    c.connect_to(a)
    net.bitcoind.mine(DEPTH)
    for node in (a, b, c):
        node.synced()
    net.until("carol is synced", lambda: c.getinfo()["gossip"]["synced"], 60)
    for node in (a, b, c):
        check_equal(node.listchannels()["channels"], [], "public channels of %s" % node.name)
    # Both ends know what the other asks for, all the same, and after a restart too.
    net.until("alice has bob's update", lambda: "remote" in a.channel(b.id)["updates"])
    b.restart()
    a.restart()
    normal(net.watch, a, b.id)
    net.until("alice has bob's update again", lambda: "remote" in a.channel(b.id)["updates"])


@test(timeout=240)
def a_pruned_bitcoind_defers_what_it_cannot_show(net):
    """Who starts later than the block of a channel was pruned: neither believes nor refuses it, and says why."""
    daemon = net.start_bitcoind(extra=["-prune=1", "-fastprune"], name="pruned")
    net._bitcoind = daemon
    a, b = net.lampo("alice"), net.lampo("bob")
    channel, _ = announced(net, a, b)
    daemon.mine(500)
    daemon.rpc("pruneblockchain", 320)
    check(daemon.rpc("getblockchaininfo")["pruneheight"] > int(channel["short_channel_id"].split("x")[0]), "the channel's block is gone")
    c = net.lampo("carol")
    c.connect_to(a)
    info = net.until("carol has asked the chain for the channel", lambda: [g for g in [c.getinfo()["gossip"]] if g["deferred"]], 60)[0]
    check_equal((info["deferred"], info["channels"], info["synced"]), (1, 0, True), "what carol knows")

    def said(words):
        with open(c.log, encoding="utf-8") as f:
            return words in f.read()

    check(said("asking for all it knows: " + a.id), "the log says who is asked")
    net.until("the log says what is left out, and why", lambda: said("1 channels are left out"), 30)
    # Those who saw the block know the channel; so they do after a restart.
    for node in (a, b):
        check(known(node, channel), "%s knows it" % node.name)
    a.restart()
    check(known(a, channel), "alice knows it after a restart")
