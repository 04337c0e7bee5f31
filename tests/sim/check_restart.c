/* State after a restart equals state before: a node that is stopped at rest, its connections ended, shows its users the
 * same after it has loaded its records as before.
 *
 * Left out is what a connection or a run owns: whether the peer is there, channels whose opening was not finished, and
 * payments that still look for a way (a restart ends them, send.h). */
#include <string.h>

#include "channel/view.h"
#include "tests/sim/check.h"
#include "tests/stored_invoice.h"
#include "tests/stored_payment.h"

static void show_htlcs(const struct channel *ch, struct buf *out)
{
	const struct channel_htlc *h = NULL;
	struct buf lines[256];
	uint32_t count = 0;

	/* Their order in a list is nobody's business. */
	while ((h = channel_htlc_next(ch, h)) && count < ARRAY_COUNT(lines)) {
		struct buf line = BUF_EMPTY;
		uint32_t at = count++;

		buf_printf(&line, "  htlc %d:%llu %llu %u %s %d\n", h->owner, (unsigned long long)h->id, (unsigned long long)h->amount.v,
			   h->cltv_expiry, htlc_state_name(h->state), h->resolution);
		for (; at && bytes_compare(buf_view(&line), buf_view(&lines[at - 1])) < 0; at--)
			lines[at] = lines[at - 1];
		lines[at] = line;
	}
	for (uint32_t i = 0; i < count; i++) {
		buf_add_bytes(out, buf_view(&lines[i]));
		buf_release(&lines[i]);
	}
}

static void show_channel(const struct sim_node *n, const struct channel *ch, struct buf *out)
{
	const struct channel_record *r = channel_record_of(ch);
	const struct onchain *o = node_view_onchain(n->node, ch);

	buf_add_string(out, "channel ");
	buf_add_hex(out, BYTES_OF(r->id.v));
	buf_printf(out, " %s to us %llu numbers %llu %llu revoked %llu %llu scid %llu ready %d %d cause %d\n", channel_state_name(r->state),
		   (unsigned long long)channel_to_us(ch).v, (unsigned long long)r->local_number, (unsigned long long)r->remote_number,
		   (unsigned long long)r->local_revoked, (unsigned long long)r->remote_revoked, (unsigned long long)r->scid.v,
		   r->ready_sent, r->ready_received, r->close.cause);
	show_htlcs(ch, out);
	if (o) {
		uint32_t count;
		const struct onchain_output *v = onchain_outputs(o, &count);

		buf_printf(out, "  on chain %d at %u\n", onchain_kind(o), onchain_height(o));
		for (uint32_t i = 0; i < count; i++)
			buf_printf(out, "  output %u %llu kind %d ours %d spent %u\n", i, (unsigned long long)v[i].amount.v, v[i].what,
				   v[i].ours, v[i].spent_height);
	}
}

static void show_all_channels(const struct sim_node *n, struct buf *out)
{
	const struct channel *ch;
	uint64_t done = 0, least;

	/* In order of their keys: a table has none. */
	do {
		const struct channel *next = NULL;
		uint32_t at = 0;

		least = UINT64_MAX;
		while ((ch = node_view_channel(n->node, &at)))
			if (channel_key(ch) > done && channel_key(ch) < least && channel_state_of(ch) != OPENINGD) {
				least = channel_key(ch);
				next = ch;
			}
		if (next)
			show_channel(n, next, out);
		done = least;
	} while (least != UINT64_MAX);
}

static void count_payment(void *context, const struct sha256 *hash, uint64_t group, const struct record_payment *r)
{
	uint64_t *made = context;

	(void)hash;
	(void)group;
	if (r->state == PAYMENT_COMPLETE)
		made[0]++, made[1] += r->sent.v;
}

static void show_counts(const struct sim_node *n, struct buf *out)
{
	struct stored_invoices all;
	struct record_invoice r;
	struct sha256 hash;
	struct wallet_balance b;
	uint64_t paid = 0, received = 0, made[2] = { 0, 0 };

	stored_invoices_begin(&all, n->store);
	while (stored_invoices_next(&all, &hash, &r))
		if (r.state == INVOICE_PAID)
			paid++, received += r.received.v;
	stored_invoices_end(&all);
	stored_payments(n->store, count_payment, made);
	buf_printf(out, "paid %llu %llu, sent %llu %llu\n", (unsigned long long)paid, (unsigned long long)received,
		   (unsigned long long)made[0], (unsigned long long)made[1]);
	wallet_view_balance(hot_funds_wallet(n->funds), &b);
	buf_printf(out, "coins %llu %llu %llu\n", (unsigned long long)b.confirmed.v, (unsigned long long)b.unconfirmed.v,
		   (unsigned long long)b.reserved.v);
	buf_printf(out, "follows %u, wallet %u\n", n->follow.height, wallet_height(hot_funds_wallet(n->funds)));
}

static void show_policy(const struct graph_policy *p, struct buf *out)
{
	buf_printf(out, " at %u says %08x flags %u", p->timestamp, p->checksum, p->flags);
}

/* What it knows of the network is in the log of gossip, all of it after an orderly stop. */
static void show_graph(const struct sim_node *n, struct buf *out)
{
	const struct gossip *g = node_view_gossip(n->node);
	uint64_t done = 0, least;

	do {
		const struct graph_channel *next = NULL;

		least = UINT64_MAX;
		for (uint32_t i = 0; g && i < graph_channel_limit(gossip_graph(g)); i++) {
			const struct graph_channel *c = graph_channel_at(gossip_graph(g), i);

			if (c && c->scid.v > done && c->scid.v < least) {
				least = c->scid.v;
				next = c;
			}
		}
		if (next) {
			buf_printf(out, "knows %llu spent %u", (unsigned long long)next->scid.v, next->spent_height);
			for (int side = 0; side < 2; side++) {
				show_policy(&next->policy[side], out);
				buf_printf(out, " node %u", graph_node_at(gossip_graph(g), next->node[side])->timestamp);
			}
			buf_add_u8(out, '\n');
		}
		done = least;
	} while (least != UINT64_MAX);
}

static void show(const struct sim_node *n, struct buf *out)
{
	show_all_channels(n, out);
	show_counts(n, out);
	show_graph(n, out);
	buf_add_u8(out, 0);
}

static bool at_rest(const struct sim_node *n)
{
	return n->alive && exec_quiet(n->exec) && !n->writing && !(n->slow && delayed_signer_waiting(n->slow)) && !n->block_batch;
}

/* A link of its broke, and it has not heard of that yet: what it proposed there is not taken back. */
static bool hears_of_a_cut_yet(const struct sim_node *n)
{
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(n->node, &at)))
		if (channel_is_connected(ch))
			return true;
	return false;
}

/* The first line that differs. */
static void differ(const char *a, const char *b, const char **was, const char **is)
{
	while (*a && *a == *b) {
		if (*a == '\n')
			*was = a + 1, *is = b + 1;
		a++, b++;
	}
}

struct after {
	struct buf text;
	int node;
	bool taken;
};

static void on_started(void *context, struct sim_node *n)
{
	struct after *a = context;

	if (n->index == a->node && !a->taken) {
		show(n, &a->text);
		a->taken = true;
	}
}

void check_restart(struct checks *k, int node)
{
	struct world *w = k->w;
	struct sim_node *n = &w->nodes[node];
	struct after after = { .text = BUF_EMPTY, .node = node };
	const struct sim_hook hook = { .context = &after, .started = on_started };
	struct buf before = BUF_EMPTY;
	const char *was, *is;

	if (!at_rest(n))
		return;
	world_disconnect_now(w, node);
	if (!at_rest(n) || hears_of_a_cut_yet(n))
		return;
	show(n, &before);
	world_stop(w, node);
	world_hook(w, &hook);
	world_start(w, node);
	w->hook_count--;
	was = (const char *)before.data;
	is = (const char *)after.text.data;
	differ(was, is, &was, &is);
	if (strcmp((const char *)before.data, (const char *)after.text.data) != 0)
		world_fail(w, "%s was restarted: \"%.*s\" became \"%.*s\"", n->name, (int)strcspn(was, "\n"), was, (int)strcspn(is, "\n"), is);
	world_say(w, "%s was restarted and is the same", n->name);
	buf_release(&before);
	buf_release(&after.text);
}
