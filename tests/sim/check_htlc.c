/* Every HTLC resolves the same way on both of a forwarder's edges.
 *
 *  - Nobody says two things of one HTLC: fulfilled stays fulfilled, failed stays failed, and a preimage is one of its
 *    hash.
 *  - A node that fulfils an HTLC of a payment that it forwards has had the preimage from the edge downstream.
 *  - At the end: where the preimage came to a forwarder from downstream, its upstream edge is paid too, and the other way
 *    round; the payer's user is told the same as the payee's.
 *
 * An HTLC without an output in a commitment that went on chain is nobody's any more: its amount is the miners'.  Such an
 * edge is only required not to gain. */
#include <string.h>

#include "crypto/hash.h"
#include "tests/sim/check.h"
#include "wire/message.h"

#define ADD_SIZE (2u + 32 + 8 + 8 + 32 + 4)

static struct seen_htlc *find(struct checks *k, const struct channel_id *id, int offerer, uint64_t htlc)
{
	const struct book_channel *c = book_by_id(k->b, id);

	if (!c)
		return NULL;
	for (uint32_t i = k->htlc_count; i--;)
		if (k->htlcs[i].channel == c->index && k->htlcs[i].from == offerer && k->htlcs[i].id == htlc)
			return &k->htlcs[i];
	return NULL;
}

static void add(struct checks *k, const struct seen_htlc *h)
{
	if (k->htlc_count == k->htlc_capacity) {
		k->htlc_capacity = k->htlc_capacity ? 2 * k->htlc_capacity : 64;
		k->htlcs = mem_realloc(k->htlcs, k->htlc_capacity, sizeof(*k->htlcs));
	}
	k->htlcs[k->htlc_count++] = *h;
}

/* The same id is used anew for another HTLC only if no signature covered the first: then nobody can have said anything
 * of it. */
static void offered(struct checks *k, int from, int to, const struct channel_id *id, struct bytes m)
{
	struct seen_htlc h = { .from = from, .to = to, .id = load_be64(m.data + 34), .amount = MSAT(load_be64(m.data + 42)),
			       .cltv = load_be32(m.data + 82), .at_step = k->w->steps };
	const struct book_channel *c = book_by_id(k->b, id);
	struct seen_htlc *old = find(k, id, from, h.id);

	if (!c)
		return;
	h.channel = c->index;
	memcpy(h.hash.v, m.data + 50, 32);
	if (!old) {
		add(k, &h);
		return;
	}
	if (SAME(old->hash, h.hash) && old->amount.v == h.amount.v && old->cltv == h.cltv)
		return;
	if ((old->fulfilled || old->failed) && !k->w->nodes[from].adversary)
		world_fail(k->w, "node%d offers HTLC %llu anew although it was decided", from, (unsigned long long)h.id);
	*old = h;
}

static struct seen_htlc *twin(struct checks *k, const struct sha256 *hash, int from)
{
	for (uint32_t i = 0; i < k->htlc_count; i++)
		if (k->htlcs[i].from == from && SAME(k->htlcs[i].hash, *hash))
			return &k->htlcs[i];
	return NULL;
}

static const struct wish *wish_of(const struct checks *k, const struct sha256 *hash)
{
	for (uint32_t i = 0; i < k->b->wish_count; i++)
		if (SAME(k->b->wishes[i].hash, *hash))
			return &k->b->wishes[i];
	return NULL;
}

/* Downstream must have paid before upstream is told: nobody else knows the preimage. */
static void check_source(struct checks *k, const struct seen_htlc *h)
{
	const struct wish *v = wish_of(k, &h->hash);
	const struct seen_htlc *out;

	if (!v || v->to == h->to || k->w->nodes[h->to].adversary)
		return;
	out = twin(k, &h->hash, h->to);
	if (!out)
		world_fail(k->w, "node%d fulfils an HTLC that it never forwarded", h->to);
}

static void decided(struct checks *k, int from, int to, const struct channel_id *id, struct bytes m, bool paid)
{
	uint64_t htlc = load_be64(m.data + 34);
	struct seen_htlc *h = find(k, id, to, htlc);
	struct sha256 hash;

	if (!h || k->w->nodes[from].adversary || k->w->nodes[to].adversary)
		return;
	if (paid ? h->failed : h->fulfilled)
		world_fail(k->w, "node%d says HTLC %llu is %s after it said the contrary", from, (unsigned long long)htlc,
			   paid ? "fulfilled" : "failed");
	if (!paid) {
		h->failed = true;
		return;
	}
	hash = sha256(m.data + 42, 32);
	if (!SAME(hash, h->hash))
		world_fail(k->w, "node%d fulfils HTLC %llu with a preimage of another hash", from, (unsigned long long)htlc);
	memcpy(h->preimage.v, m.data + 42, 32);
	if (!h->fulfilled)
		check_source(k, h);
	h->fulfilled = true;
}

void check_htlc_message(struct checks *k, int from, int to, struct bytes m)
{
	struct channel_id id;
	uint16_t type;

	if (!msg_type(m, &type) || m.size < 42)
		return;
	memcpy(id.v, m.data + 2, 32);
	if (type == MSG_UPDATE_ADD_HTLC && m.size >= ADD_SIZE)
		offered(k, from, to, &id, m);
	else if (type == MSG_UPDATE_FULFILL_HTLC && m.size >= 74)
		decided(k, from, to, &id, m, true);
	else if (type == MSG_UPDATE_FAIL_HTLC || type == MSG_UPDATE_FAIL_MALFORMED_HTLC)
		decided(k, from, to, &id, m, false);
}

/* --- what blocks say --- */

static void see_preimage(struct checks *k, const struct book_channel *c, struct bytes item)
{
	struct sha256 hash;

	if (item.size != 32)
		return;
	hash = sha256(item.data, 32);
	for (uint32_t i = 0; i < k->htlc_count; i++)
		if (k->htlcs[i].channel == c->index && SAME(k->htlcs[i].hash, hash)) {
			k->htlcs[i].on_chain = true;
			memcpy(k->htlcs[i].preimage.v, item.data, 32);
		}
}

/* A spend of a commitment of the book: its inputs' witnesses. */
static void see_spend(struct checks *k, const struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct sim_tx *parent = sim_chain_find(k->w->chain, &t->inputs[i].prev.txid);
		struct book_channel *c;
		uint64_t number;

		if (!parent || !check_commitment(k, parent->tx, &c, &number))
			continue;
		for (uint32_t j = 0; j < t->inputs[i].witness_count; j++)
			see_preimage(k, c, t->inputs[i].witness[j]);
	}
}

static void see_blocks(struct checks *k)
{
	for (uint32_t h = SIM_FIRST_HEIGHT; h <= sim_chain_height(k->w->chain); h++) {
		const struct sim_block *b = sim_chain_block(k->w->chain, h);

		for (uint32_t i = 1; i < b->count; i++)
			see_spend(k, b->list[i]->tx);
	}
}

/* --- the end --- */

/* The forwarder is free to choose among its channels to the next node. */
static const struct seen_htlc *hop_htlc(const struct checks *k, const struct wish *v, uint32_t hop)
{
	int from = hop ? v->hops[hop - 1].node : v->from;

	for (uint32_t i = k->htlc_count; i--;)
		if (k->htlcs[i].from == from && k->htlcs[i].to == v->hops[hop].node && SAME(k->htlcs[i].hash, v->hash))
			return &k->htlcs[i];
	return NULL;
}

/* It ended by a commitment, where an HTLC may have had no output. */
static bool went_on_chain(const struct checks *k, uint32_t channel)
{
	const struct sim_tx *spend = sim_chain_spender(k->w->chain, &k->b->channels[channel].funding);
	struct book_channel *c;
	uint64_t number;

	return spend && check_commitment((struct checks *)(uintptr_t)k, spend->tx, &c, &number);
}

static bool honest_wish(const struct checks *k, const struct wish *v)
{
	if (k->w->nodes[v->from].adversary || k->w->nodes[v->to].adversary)
		return false;
	for (uint32_t i = 0; i < v->hop_count; i++)
		if (k->w->nodes[v->hops[i].node].adversary)
			return false;
	return true;
}

static void check_route(struct checks *k, const struct wish *v)
{
	for (uint32_t i = 0; i + 1 < v->hop_count; i++) {
		const struct seen_htlc *in = hop_htlc(k, v, i), *out = hop_htlc(k, v, i + 1);
		bool paid_in = in && seen_paid(in), paid_out = out && seen_paid(out);

		if (paid_in == paid_out)
			continue;
		/* An edge that was trimmed, or that timed out while the other side was already paid, shows in the money. */
		if (paid_out ? in && went_on_chain(k, in->channel) : out && went_on_chain(k, out->channel))
			continue;
		world_fail(k->w, "payment %u: node%d was %s downstream and %s upstream", v->index, v->hops[i].node,
			   paid_out ? "asked for the money" : "not asked for the money", paid_in ? "is paid" : "is not");
	}
}

static bool some_hop_on_chain(const struct checks *k, const struct wish *v)
{
	for (uint32_t i = 0; i < k->htlc_count; i++)
		if (SAME(k->htlcs[i].hash, v->hash) && went_on_chain(k, k->htlcs[i].channel))
			return true;
	return false;
}

static void check_users(struct checks *k, const struct wish *v)
{
	const struct received_invoice *got;
	bool paid;

	if (v->kind == WISH_KEYSEND || !v->has_invoice)
		return;
	got = receive_by_hash(node_view_invoices(k->w->nodes[v->to].node), &v->hash);
	if (!got)
		world_fail(k->w, "payment %u: an invoice that was told to its user is gone", v->index);
	paid = got->r.state == INVOICE_PAID;
	if (paid != v->paid && !some_hop_on_chain(k, v))
		world_fail(k->w, "payment %u: the payer says %s, the payee %s", v->index, v->paid ? "paid" : "not paid",
			   paid ? "paid" : "not paid");
	if (v->paid && !paid)
		world_fail(k->w, "payment %u: the payer has a preimage of an invoice that is not paid", v->index);
	if (paid && got->r.received.v < v->amount.v)
		world_fail(k->w, "payment %u: too little arrived", v->index);
}

void check_htlc_end(struct checks *k)
{
	see_blocks(k);
	for (uint32_t i = 0; i < k->b->wish_count; i++) {
		const struct wish *v = &k->b->wishes[i];

		if (!honest_wish(k, v))
			continue;
		check_route(k, v);
		check_users(k, v);
	}
}
