/* Everything ends in a quiet state: no transaction waits for a block, no payment is under way, no channel holds an HTLC,
 * every channel is open and idle or on its way into history, nothing is under way in an executor, and every call was
 * answered by the life of the node that took it. */
#include "channel/view.h"
#include "tests/sim/check.h"

static void check_channels(struct checks *k, const struct sim_node *n, bool buried)
{
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(n->node, &at))) {
		enum channel_state state = channel_state_of(ch);
		const struct book_channel *c = book_by_id(k->b, channel_id_of(ch));
		/* Its funding never comes: one side forgot it before anything was sent. */
		bool unborn = !sim_chain_find(k->w->chain, &channel_funding(ch)->txid);

		if (unborn)
			continue;
		if (buried)
			world_fail(k->w, "%s still has a channel: %s", n->name, channel_state_name(state));
		if (channel_htlc_count(ch) && !node_view_onchain(n->node, ch))
			world_fail(k->w, "%s still has HTLCs in a channel", n->name);
		if (state == CHANNELD_NORMAL && (!c || !channel_is_connected(ch) || channel_is_busy(ch)))
			world_fail(k->w, "%s has a channel that is not at rest", n->name);
	}
}

void check_quiet_end(struct checks *k, bool buried)
{
	const struct sim_call *open;

	if (buried && sim_chain_mempool(k->w->chain))
		world_fail(k->w, "%u transactions wait for a block", sim_chain_mempool(k->w->chain));
	for (int i = 0; i < k->w->node_count; i++) {
		const struct sim_node *n = &k->w->nodes[i];

		if (n->adversary)
			continue;
		if (!n->alive || !exec_quiet(n->exec))
			world_fail(k->w, "%s is not at rest", n->name);
		if (send_pending_count(node_view_payments(n->node)))
			world_fail(k->w, "%s still has payments under way", n->name);
		check_channels(k, n, buried);
	}
	open = world_open_call(k->w);
	if (open)
		world_fail(k->w, "node%d never answered call %llu, a command of kind %d", open->node, (unsigned long long)open->call,
			   open->kind);
}
