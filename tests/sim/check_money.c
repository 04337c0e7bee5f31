/* Money is conserved: at rest each node has what its completed payments say, less the fees that it paid and what it
 * agreed to lose.
 *
 *   has      its wallet's coins, and its balances in channels that are open
 *   should   the coins it was given by the faucet and by other wallets, less those that it gave, what was pushed to it less what it pushed, what it received less what it sent, and
 *            what it earned by forwarding: of each HTLC whose preimage came to who offered it the amount in, less the
 *            amount out
 *   may lose the fees of transactions with coins of its wallet; of each of its channels that is closed the fees of
 *            all that followed from its funding output, what nobody spent there (anchors, dust) and one satoshi an
 *            output and HTLC for rounding; of a close by agreement the opener alone pays the fee
 *
 * A node never has more than it should: somebody else would have less.  Amounts of HTLCs come from the wire and from
 * blocks, not from what nodes keep; that both say the same is checked too.
 *
 * Where there are adversaries the wire proves nothing.  Then an honest node should have what its own user was told: what
 * its invoices received, less what its payments cost.  It may have more: penalties, fees for forwarding. */
#include <string.h>

#include "bitcoin/tx.h"
#include "channel/view.h"
#include "tests/sim/check.h"
#include "tests/sim/funds.h"
#include "tests/stored_invoice.h"
#include "tests/stored_payment.h"

struct account {
	int64_t has, should, may_lose; /* msat */
};

struct books {
	struct checks *k;
	struct account of[SIM_NODES_MAX];
};

#define DUST_SAT 1000u /* an output that a close by agreement leaves out is smaller */

static bool owned(const struct sim_node *n, struct bytes script)
{
	return !n->raw && n->funds && wallet_owns(hot_funds_wallet(n->funds), script);
}

static bool owned_by_any(const struct world *w, struct bytes script)
{
	for (int i = 0; i < w->node_count; i++)
		if (owned(&w->nodes[i], script))
			return true;
	return false;
}

/* --- what it has --- */

static int64_t coins_of(const struct sim_node *n)
{
	struct wallet_coin c;
	uint32_t at = 0;
	int64_t sum = 0;

	while (wallet_view_coin(hot_funds_wallet(n->funds), &at, &c))
		if (!c.spent && c.chain != WALLET_FOREIGN)
			sum += (int64_t)c.amount.v * 1000;
	return sum;
}

static int64_t balances_of(struct checks *k, const struct sim_node *n)
{
	const struct channel *ch;
	uint32_t at = 0;
	int64_t sum = 0;

	while ((ch = node_view_channel(n->node, &at)))
		if (!node_view_onchain(n->node, ch) && channel_state_of(ch) != OPENINGD &&
		    sim_chain_find(k->w->chain, &channel_funding(ch)->txid))
			sum += (int64_t)channel_to_us(ch).v;
	return sum;
}

/* --- what it should have --- */

static void count_pushes(struct books *s)
{
	for (uint32_t i = 0; i < s->k->b->channel_count; i++) {
		const struct book_channel *c = &s->k->b->channels[i];

		if (!sim_chain_find(s->k->w->chain, &c->funding.txid) || c->end[0] < 0 || c->end[1] < 0)
			continue;
		s->of[c->end[0]].should -= (int64_t)c->pushed.v;
		s->of[c->end[1]].should += (int64_t)c->pushed.v;
	}
}

static void count_htlcs(struct books *s)
{
	for (uint32_t i = 0; i < s->k->htlc_count; i++) {
		const struct seen_htlc *h = &s->k->htlcs[i];

		if (!seen_paid(h))
			continue;
		s->of[h->from].should -= (int64_t)h->amount.v;
		s->of[h->to].should += (int64_t)h->amount.v;
	}
}

/* --- what it may lose --- */

static int64_t fee_of(const struct sim_tx *t)
{
	return (int64_t)t->fee.v * 1000;
}

/* Coins that one node's wallet paid to another's. */
static void count_gifts(struct books *s, const struct sim_tx *t, int payer)
{
	struct world *w = s->k->w;

	for (uint32_t j = 0; j < t->tx->output_count; j++)
		for (int i = 0; i < w->node_count; i++)
			if (i != payer && owned(&w->nodes[i], t->tx->outputs[j].script)) {
				s->of[payer].should -= (int64_t)t->tx->outputs[j].amount.v * 1000;
				s->of[i].should += (int64_t)t->tx->outputs[j].amount.v * 1000;
			}
}

/* Whose coins it spends: fees of wallets' own transactions. */
static void count_wallet_fees(struct books *s, const struct sim_tx *t)
{
	struct world *w = s->k->w;

	for (int i = 0; i < w->node_count; i++)
		for (uint32_t j = 0; j < t->tx->input_count; j++) {
			const struct tx_output *spent = sim_chain_output(w->chain, &t->tx->inputs[j].prev);

			if (spent && owned(&w->nodes[i], spent->script)) {
				s->of[i].may_lose += fee_of(t);
				count_gifts(s, t, i);
				break;
			}
		}
}

#define TREE_MAX 512u

/* All that follows from a transaction until it pays a wallet: its fees, and what nobody spent. */
static int64_t tree_loss(struct checks *k, const struct sim_tx *root)
{
	const struct sim_tx *todo[TREE_MAX];
	uint32_t count = 0;
	int64_t loss = 0;

	todo[count++] = root;
	for (uint32_t at = 0; at < count; at++) {
		const struct sim_tx *t = todo[at];

		loss += fee_of(t);
		for (uint32_t i = 0; i < t->tx->output_count; i++) {
			const struct outpoint o = { t->id, i };
			const struct sim_tx *next = sim_chain_spender(k->w->chain, &o);
			bool known = false;

			loss += 1000; /* rounding */
			/* What waits for a block is no coin of the wallet's yet. */
			if (owned_by_any(k->w, t->tx->outputs[i].script)) {
				loss += t->height ? 0 : (int64_t)t->tx->outputs[i].amount.v * 1000;
				continue;
			}
			if (!next)
				loss += (int64_t)t->tx->outputs[i].amount.v * 1000;
			for (uint32_t j = 0; j < count && next; j++)
				known |= todo[j] == next;
			if (next && !known) {
				ASSERT(count < TREE_MAX);
				todo[count++] = next;
			}
		}
	}
	return loss;
}

static void count_close(struct books *s, const struct book_channel *c)
{
	const struct sim_tx *spend = sim_chain_spender(s->k->w->chain, &c->funding);
	struct book_channel *same;
	uint64_t number;
	int64_t loss;

	if (!spend || c->end[0] < 0 || c->end[1] < 0)
		return;
	if (!check_commitment(s->k, spend->tx, &same, &number)) {
		s->of[c->end[0]].may_lose += fee_of(spend) + DUST_SAT * 1000;
		s->of[c->end[1]].may_lose += DUST_SAT * 1000;
		return;
	}
	loss = tree_loss(s->k, spend);
	/* One satoshi an HTLC that the commitment rounded. */
	for (uint32_t i = 0; i < s->k->htlc_count; i++)
		loss += s->k->htlcs[i].channel == c->index ? 1000 : 0;
	s->of[c->end[0]].may_lose += loss;
	s->of[c->end[1]].may_lose += loss;
}

static void count_losses(struct books *s)
{
	const struct sim_chain *chain = s->k->w->chain;

	for (uint32_t h = SIM_FIRST_HEIGHT + 1; h <= sim_chain_height(chain); h++) {
		const struct sim_block *b = sim_chain_block(chain, h);

		for (uint32_t i = 1; i < b->count; i++)
			if (b->list[i]->from != SIM_FROM_FAUCET)
				count_wallet_fees(s, b->list[i]);
	}
	for (uint32_t i = 0; i < s->k->b->channel_count; i++)
		count_close(s, &s->k->b->channels[i]);
}

/* --- what its users were told --- */

static int64_t received_by(const struct sim_node *n)
{
	struct stored_invoices all;
	struct record_invoice r;
	struct sha256 hash;
	int64_t sum = 0;

	stored_invoices_begin(&all, n->store);
	while (stored_invoices_next(&all, &hash, &r))
		if (r.state == INVOICE_PAID)
			sum += (int64_t)r.received.v;
	stored_invoices_end(&all);
	return sum;
}

static void add_sent(void *context, const struct sha256 *hash, uint64_t group, const struct record_payment *r)
{
	int64_t *sum = context;

	(void)hash;
	(void)group;
	if (r->state == PAYMENT_COMPLETE)
		*sum += (int64_t)r->sent.v;
}

static int64_t sent_by(const struct sim_node *n)
{
	int64_t sum = 0;

	stored_payments(n->store, add_sent, &sum);
	return sum;
}

static bool is_payment_of(const struct sim_node *n, const struct sha256 *hash)
{
	enum payment_state state;

	return stored_payment_state(n->store, hash, &state);
}

/* Of payments that are its own, both ways, by the wire. */
static void check_statement(struct checks *k, const struct sim_node *n)
{
	int64_t received = 0, sent = 0, unsure = 0;
	struct record_invoice invoice;

	for (uint32_t i = 0; i < k->htlc_count; i++) {
		const struct seen_htlc *h = &k->htlcs[i];

		if (h->to == n->index && stored_invoice(n->store, &h->hash, &invoice)) {
			received += seen_paid(h) ? (int64_t)h->amount.v : 0;
			/* Fulfilled by a decision that never got onto the wire before the channel ended. */
			unsure += seen_paid(h) ? 0 : (int64_t)h->amount.v;
		}
		if (h->from == n->index && is_payment_of(n, &h->hash))
			sent += seen_paid(h) ? (int64_t)h->amount.v : 0;
	}
	if (received_by(n) < received || received_by(n) > received + unsure)
		world_fail(k->w, "%s says it received %lld msat, and it was paid %lld", n->name, (long long)received_by(n),
			   (long long)received);
	if (sent_by(n) > sent)
		world_fail(k->w, "%s says it sent %lld msat, and it paid %lld", n->name, (long long)sent_by(n), (long long)sent);
}

static void count_statements(struct books *s)
{
	for (int i = 0; i < s->k->w->node_count; i++)
		if (!s->k->w->nodes[i].adversary)
			s->of[i].should += received_by(&s->k->w->nodes[i]) - sent_by(&s->k->w->nodes[i]);
}

void check_money_end(struct checks *k)
{
	struct books s = { .k = k };

	for (int i = 0; i < k->w->node_count; i++)
		s.of[i].should = (int64_t)(SIM_COINS_EACH * SIM_COIN_SAT) * 1000;
	count_pushes(&s);
	if (k->adversaries)
		count_statements(&s);
	else
		count_htlcs(&s);
	count_losses(&s);
	for (int i = 0; i < k->w->node_count; i++) {
		const struct sim_node *n = &k->w->nodes[i];
		int64_t lost;

		if (n->adversary)
			continue;
		if (!k->adversaries)
			check_statement(k, n);
		s.of[i].has = coins_of(n) + balances_of(k, n);
		lost = s.of[i].should - s.of[i].has;
		world_say(k->w, "%s has %lld msat, should have %lld, may lose %lld", n->name, (long long)s.of[i].has,
			  (long long)s.of[i].should, (long long)s.of[i].may_lose);
		if (lost > s.of[i].may_lose)
			world_fail(k->w, "%s has %lld msat, which is %lld less than it should, and it may lose %lld", n->name,
				   (long long)s.of[i].has, (long long)lost, (long long)s.of[i].may_lose);
		if (lost < 0 && !k->adversaries)
			world_fail(k->w, "%s has %lld msat, which is %lld more than it should", n->name, (long long)s.of[i].has,
				   (long long)-lost);
	}
}
