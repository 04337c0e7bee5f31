"""Hold times that come back through LDK, and through us to it."""
from harness.net import test
from harness.process import check, check_equal
from harness.world import World


def reported(part, nodes, what):
    times = part.get("hold_times_ms", [])
    check_equal(len(times), nodes, "hold times of %s: %s" % (what, part))
    check(all(t % 100 == 0 and t < 60_000 for t in times), "hold times in tenths of a second: %s" % times)


@test(timeout=200)
def hold_times(net):
    """Each hop of lampo1 - ldk1 - lampo2 says how long it held a payment, a failure and a probe."""
    world = World(net, "lampo1", "ldk1", "lampo2")
    world.join(("lampo1", "ldk1"), ("ldk1", "lampo2"))
    payer, ldk, payee = world["lampo1"], world["ldk1"], world["lampo2"]
    world.knows("lampo1", ("lampo1", "ldk1"), ("ldk1", "lampo2"))
    payer.pays(payee.asks(1_000_000))
    (part,) = payer.listsendpays(status="complete")["payments"]
    reported(part, 2, "a payment")
    # Nobody knows the hash of a probe: the payee's failure comes back, through LDK and from LDK.
    for node, count in ((payee, 2), (ldk, 1)):
        tried = payer.probe(destination=node.id, amount_msat=2_000_000)["attempts"][-1]
        check_equal(tried["erring_index"], count, "who refused the probe: %s" % tried)
        reported(tried, count, "a failure from hop %d" % count)
