/* Every HTLC resolves the same way on both of a forwarder's edges.
 *
 *  - Nobody says two things of one HTLC: fulfilled stays fulfilled, failed stays failed, and a preimage is one of its
 *    hash.
 *  - A node that fulfils HTLCs of a payment that it forwards has had the preimage from as many downstream.
 *  - At the end: a forwarder is paid as many parts of a payment as it pays, and no less than it pays; the payer's user is
 *    told the same as the payee's, has paid no more fees than it allowed, and exactly the amount arrived.
 *
 * An HTLC without an output in a commitment that went on chain is nobody's any more: its amount is the miners'.  Such an
 * edge is only required not to gain. */
#include <string.h>

#include "crypto/hash.h"
#include "tests/sim/check.h"
#include "tests/stored_invoice.h"
#include "wire/message.h"

#define ADD_SIZE (2u + 32 + 8 + 8 + 32 + 4)
#define FEE_LIMIT_USUAL_MIN 5000u /* payment/send.h: send_request.has_fee_limit */

static uint32_t list_of_id(uint32_t channel, int offerer, uint64_t id)
{
	return (uint32_t)((channel * 31 + (uint32_t)offerer) * 2654435761u + id) % CHECK_LISTS;
}

static uint32_t list_of_hash(const struct sha256 *hash)
{
	return load_be32(hash->v) % CHECK_LISTS;
}

static struct seen_htlc *find(struct checks *k, const struct channel_id *id, int offerer, uint64_t htlc)
{
	const struct book_channel *c = book_by_id(k->b, id);

	if (!c)
		return NULL;
	for (uint32_t i = k->of_id[list_of_id(c->index, offerer, htlc)]; i; i = k->htlcs[i - 1].next_of_id)
		if (k->htlcs[i - 1].channel == c->index && k->htlcs[i - 1].from == offerer && k->htlcs[i - 1].id == htlc)
			return &k->htlcs[i - 1];
	return NULL;
}

struct seen_htlc *check_htlc_of_hash(const struct checks *k, const struct sha256 *hash, const struct seen_htlc *after)
{
	uint32_t i = after ? after->next_of_hash : k->of_hash[list_of_hash(hash)];

	while (i && !SAME(k->htlcs[i - 1].hash, *hash))
		i = k->htlcs[i - 1].next_of_hash;
	return i ? &k->htlcs[i - 1] : NULL;
}

/* Under its hash; an id that is used anew may come under another. */
static void unlist_hash(struct checks *k, const struct seen_htlc *h)
{
	uint32_t *at = &k->of_hash[list_of_hash(&h->hash)], index = (uint32_t)(h - k->htlcs) + 1;

	while (*at != index)
		at = &k->htlcs[*at - 1].next_of_hash;
	*at = h->next_of_hash;
}

static void list_hash(struct checks *k, struct seen_htlc *h)
{
	uint32_t *list = &k->of_hash[list_of_hash(&h->hash)];

	h->next_of_hash = *list;
	*list = (uint32_t)(h - k->htlcs) + 1;
}

static void add(struct checks *k, const struct seen_htlc *h)
{
	uint32_t *list = &k->of_id[list_of_id(h->channel, h->from, h->id)];

	if (k->htlc_count == k->htlc_capacity) {
		k->htlc_capacity = k->htlc_capacity ? 2 * k->htlc_capacity : 64;
		k->htlcs = mem_realloc(k->htlcs, k->htlc_capacity, sizeof(*k->htlcs));
	}
	k->htlcs[k->htlc_count] = *h;
	k->htlcs[k->htlc_count].next_of_id = *list;
	*list = ++k->htlc_count;
	list_hash(k, &k->htlcs[k->htlc_count - 1]);
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
	unlist_hash(k, old);
	h.next_of_id = old->next_of_id;
	*old = h;
	list_hash(k, old);
}

/* Its channel has ended: what it knows it may know from the chain. */
static bool ended(const struct checks *k, const struct seen_htlc *h)
{
	return sim_chain_spender(k->w->chain, &k->b->channels[h->channel].funding) != NULL;
}

/* Downstream must have paid before upstream is told: nobody else knows the preimage. */
static void check_source(struct checks *k, const struct seen_htlc *told)
{
	const struct wish *v = wish_of_hash(k->b, &told->hash);
	uint32_t in = 0, out = 0;
	int node = told->to;

	if (!v || v->to == node || k->w->nodes[node].adversary)
		return;
	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(k, &told->hash, h));) {
		in += h->to == node && h->fulfilled;
		/* What an adversary says is not written down. */
		out += h->from == node && (seen_paid(h) || ended(k, h) || k->w->nodes[h->to].adversary);
	}
	if (in > out)
		world_fail(k->w, "node%d fulfils %u HTLCs of payment %u, and %u that it forwarded are paid", node, in, v->index, out);
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
	if (h->fulfilled)
		return;
	h->fulfilled = true;
	check_source(k, h);
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

/* Of the HTLCs of a hash in a channel the output that it claims is that of one: of those of this amount that were not
 * failed before, rather one that was told to be fulfilled. */
static void see_preimage(struct checks *k, const struct book_channel *c, struct bytes item, struct amount_sat amount)
{
	struct seen_htlc *claimed = NULL;
	struct sha256 hash;

	if (item.size != 32)
		return;
	hash = sha256(item.data, 32);
	for (struct seen_htlc *h = NULL; (h = check_htlc_of_hash(k, &hash, h));)
		if (h->channel == c->index && !h->failed && !h->on_chain && h->amount.v / 1000 == amount.v &&
		    (!claimed || h->fulfilled))
			claimed = h;
	if (!claimed)
		return;
	claimed->on_chain = true;
	memcpy(claimed->preimage.v, item.data, 32);
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
			see_preimage(k, c, t->inputs[i].witness[j], parent->tx->outputs[t->inputs[i].prev.index].amount);
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

/* What one node carried of a payment of others. */
struct carried {
	uint32_t in, out;
	uint64_t in_msat, out_msat;
	bool in_ended, out_ended;
};

/* An edge that was trimmed, or that timed out while the other side was already paid, shows in the money. */
static void check_carried(struct checks *k, const struct wish *v, int node)
{
	struct carried c = { 0 };

	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(k, &v->hash, h));) {
		if (h->to == node) {
			c.in += seen_paid(h);
			c.in_msat += seen_paid(h) ? h->amount.v : 0;
			c.in_ended |= went_on_chain(k, h->channel);
		} else if (h->from == node) {
			c.out += seen_paid(h);
			c.out_msat += seen_paid(h) ? h->amount.v : 0;
			c.out_ended |= went_on_chain(k, h->channel);
		}
	}
	if ((c.out > c.in && !c.in_ended) || (c.in > c.out && !c.out_ended))
		world_fail(k->w, "payment %u: node%d is paid %u times and pays %u times", v->index, node, c.in, c.out);
	if (c.in_msat < c.out_msat && !c.in_ended)
		world_fail(k->w, "payment %u: node%d is paid %llu msat and pays %llu", v->index, node, (unsigned long long)c.in_msat,
			   (unsigned long long)c.out_msat);
}

static void check_forwards(struct checks *k, const struct wish *v)
{
	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(k, &v->hash, h));)
		if (k->w->nodes[h->from].adversary || k->w->nodes[h->to].adversary)
			return;
	for (int i = 0; i < k->w->node_count; i++)
		if (i != v->from && i != v->to)
			check_carried(k, v, i);
}

static struct amount_msat fee_limit(const struct wish *v)
{
	uint64_t usual = v->amount.v / 200;

	if (v->has_fee_limit)
		return v->fee_limit;
	return MSAT(usual > FEE_LIMIT_USUAL_MIN ? usual : FEE_LIMIT_USUAL_MIN);
}

static bool some_hop_on_chain(const struct checks *k, const struct wish *v)
{
	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(k, &v->hash, h));)
		if (went_on_chain(k, h->channel))
			return true;
	return false;
}

/* No payment costs more than its user allowed, and what arrives is what was ordered. */
static void check_price(struct checks *k, const struct wish *v)
{
	uint64_t paid = 0, arrived = 0;

	if (v->kind == WISH_ROUTE)
		return;
	for (const struct seen_htlc *h = NULL; (h = check_htlc_of_hash(k, &v->hash, h));) {
		paid += h->from == v->from && seen_paid(h) ? h->amount.v : 0;
		arrived += h->to == v->to && seen_paid(h) ? h->amount.v : 0;
	}
	if (paid > v->amount.v + fee_limit(v).v)
		world_fail(k->w, "payment %u of %llu msat costs %llu, and its fees were to be no more than %llu", v->index,
			   (unsigned long long)v->amount.v, (unsigned long long)paid, (unsigned long long)fee_limit(v).v);
	if (v->paid && arrived != v->amount.v && !some_hop_on_chain(k, v))
		world_fail(k->w, "payment %u of %llu msat: %llu arrived", v->index, (unsigned long long)v->amount.v,
			   (unsigned long long)arrived);
}

static void check_users(struct checks *k, const struct wish *v)
{
	struct record_invoice got;
	bool paid;

	if (v->kind == WISH_KEYSEND || !v->has_invoice)
		return;
	if (!stored_invoice(k->w->nodes[v->to].store, &v->hash, &got))
		world_fail(k->w, "payment %u: an invoice that was told to its user is gone", v->index);
	paid = got.state == INVOICE_PAID;
	if (paid != v->paid && !some_hop_on_chain(k, v))
		world_fail(k->w, "payment %u: the payer says %s, the payee %s", v->index, v->paid ? "paid" : "not paid",
			   paid ? "paid" : "not paid");
	if (v->paid && !paid)
		world_fail(k->w, "payment %u: the payer has a preimage of an invoice that is not paid", v->index);
	if (paid && got.received.v < v->amount.v)
		world_fail(k->w, "payment %u: too little arrived", v->index);
}

void check_htlc_end(struct checks *k)
{
	see_blocks(k);
	for (uint32_t i = 0; i < k->b->wish_count; i++) {
		const struct wish *v = &k->b->wishes[i];

		if (!honest_wish(k, v))
			continue;
		check_forwards(k, v);
		check_price(k, v);
		check_users(k, v);
	}
}
