/* Which outputs are claimed together, when, and when they part again.
 *
 * Batched is only what the counterparty cannot split apart: an input that somebody else spends takes the whole
 * transaction with it (LDK's invalid-claims griefing), and a peer may pin one of them.  So each output has a height from
 * which on the peer could spend it as well, and well before that it is on its own.  HTLC-timeout transactions with coins
 * of the wallet are the exception: they share where the peer's signatures let them, for the wallet may have few coins;
 * to take one of them out of a transaction that waits, the peer must pay more than that. */
#include "onchain/state.h"

/* Contested claims whose deadlines are so close share a transaction. */
#define SAME_DEADLINE_BLOCKS 12u

struct onchain_note *onchain_note(struct step *s, struct onchain_notes *notes, enum onchain_note_kind kind)
{
	struct onchain_note *n = ARENA_NEW(&s->out->arena, struct onchain_note);

	n->kind = kind;
	*notes->tail = n;
	notes->tail = &n->next;
	return n;
}

/* --- the list --- */

struct claim *onchain_claim_new(struct onchain *o)
{
	struct claim *c = NEW(struct claim), **end = &o->claims;

	arena_init(&c->signing);
	while (*end)
		end = &(*end)->next;
	*end = c;
	return c;
}

void onchain_claim_add(struct onchain *o, struct claim *c, uint32_t output)
{
	ASSERT(!o->ways[output].claim); /* INV-O1 */
	c->outputs = mem_realloc(c->outputs, c->count + 1, sizeof(*c->outputs));
	c->outputs[c->count++] = output;
	o->ways[output].claim = c;
}

void onchain_claim_free(struct claim *c)
{
	arena_release(&c->signing);
	mem_free(c->outputs);
	mem_free(c);
}

static void tell_wallet(struct step *s, uint64_t reservation)
{
	struct funds_request *r = step_funds_request(s, FUNDS_RELEASE);

	r->reservation = reservation;
	effect_funds(s->out, 0, r);
}

void onchain_break_claim(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c)
{
	struct claim **at = &o->claims;

	claim_abort(o, s, c);
	if (c->out)
		onchain_note(s, notes, ONCHAIN_NOTE_WITHDRAW)->txid = c->txid;
	if (c->reservation)
		tell_wallet(s, c->reservation);
	for (uint32_t i = 0; i < c->count; i++) {
		struct onchain_output *v = &o->outputs[c->outputs[i]];

		o->ways[c->outputs[i]].claim = NULL;
		memset(&v->claim, 0, sizeof(v->claim));
		v->claim_feerate = FEERATE(0);
		v->claim_height = 0;
	}
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	onchain_claim_free(c);
}

/* --- what may share a transaction --- */

bool way_is_stage(enum way_kind kind)
{
	return kind == WAY_HTLC_TIMEOUT || kind == WAY_HTLC_SUCCESS;
}

/* Nobody but us can spend it. */
static bool is_safe(enum way_kind kind)
{
	return kind == WAY_DELAYED || kind == WAY_TO_REMOTE_STATIC || kind == WAY_TO_REMOTE_ANCHORS;
}

static uint32_t locktime_of(const struct onchain *o, uint32_t output)
{
	return o->ways[output].kind == WAY_HTLC_TIMEOUT ? o->outputs[output].cltv_expiry : 0;
}

/* The first block that could hold the peer's spend of it. */
static uint32_t contested_from(const struct onchain *o, uint32_t output)
{
	const struct onchain_output *v = &o->outputs[output];

	switch (o->ways[output].kind) {
	case WAY_NONE:
	case WAY_DELAYED:
	case WAY_TO_REMOTE_STATIC:
	case WAY_TO_REMOTE_ANCHORS:
		return UINT32_MAX;
	case WAY_REVOKED_DELAYED:
		return v->height + o->terms.to_self_delay;
	case WAY_REVOKED_HTLC:
		/* What we offered the peer takes by its preimage, which it may have. */
		return v->what == ONCHAIN_HTLC_OURS ? 0 : v->cltv_expiry + 1;
	case WAY_PREIMAGE:
	case WAY_HTLC_SUCCESS:
		return v->cltv_expiry + 1;
	case WAY_TIMEOUT:
	case WAY_HTLC_TIMEOUT:
		return 0;
	}
	UNREACHABLE();
}

/* B5.revoked_transaction_close_handling.12: security_delay. */
static bool is_near(const struct onchain *o, uint32_t output, uint32_t height)
{
	uint32_t from = contested_from(o, output);

	return from != UINT32_MAX && height + ONCHAIN_SECURITY_BLOCKS >= from;
}

static bool deadlines_are_close(uint32_t a, uint32_t b)
{
	return (a > b ? a - b : b - a) <= SAME_DEADLINE_BLOCKS;
}

static bool is_penalty(enum way_kind kind)
{
	return kind == WAY_REVOKED_DELAYED || kind == WAY_REVOKED_HTLC;
}

static bool may_share(const struct onchain *o, uint32_t height, uint32_t a, uint32_t b)
{
	enum way_kind ka = o->ways[a].kind, kb = o->ways[b].kind;

	if (is_safe(ka) || is_safe(kb))
		return is_safe(ka) && is_safe(kb);
	if (!deadlines_are_close(o->outputs[a].deadline, o->outputs[b].deadline))
		return false;
	if (way_is_stage(ka))
		/* With anchors the peer signed SINGLE|ANYONECANPAY: all but the locktime may differ. */
		return ka == kb && o->terms.type == COMMITMENT_ANCHORS && locktime_of(o, a) == locktime_of(o, b);
	if (ka != kb && !(is_penalty(ka) && is_penalty(kb)))
		return false;
	return !is_near(o, a, height) && !is_near(o, b, height);
}

/* --- when --- */

uint32_t claim_deadline(const struct onchain *o, const struct claim *c)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		uint32_t deadline = o->outputs[c->outputs[i]].deadline;

		if (deadline && (!first || deadline < first))
			first = deadline;
	}
	return first;
}

static struct bump bump_of(const struct onchain *o, const struct claim *c)
{
	struct bump b = {
		.start = UINT32_MAX,
		.deadline = claim_deadline(o, c),
		.weight = claim_weight(o, c),
		.budget = claim_budget(o, c),
		.paid = c->out ? c->feerate : FEERATE(0),
		.paid_height = c->height,
	};

	/* A split or a second try goes on where its outputs were. */
	for (uint32_t i = 0; i < c->count; i++) {
		const struct way *w = &o->ways[c->outputs[i]];

		if (w->start < b.start)
			b.start = w->start;
		if (w->floor.per_kw > b.floor.per_kw)
			b.floor = w->floor;
	}
	return b;
}

static bool is_due(const struct onchain *o, const struct step *s, uint32_t i)
{
	const struct onchain_output *v = &o->outputs[i];
	const struct way *w = &o->ways[i];

	/* B5.unilateral_close_handling_local_commitme.2, B5.htlc_output_handling_local_commitment_lo.6,
	 * B5.htlc_output_handling_local_commitment_re.6 */
	if (!w->kind || w->claim || v->spent_height || s->height + 1 < v->spendable_height)
		return false;
	return way_is_stage(w->kind) || o->destination.size;
}

/* Worth more than what its input adds to a transaction at the rate that it would pay. */
static bool pays_its_way(const struct onchain *o, const struct step *s, uint32_t i)
{
	uint32_t outputs[1] = { i };
	struct claim alone = { .outputs = outputs, .count = 1 };
	struct bump b;
	struct feerate rate;

	if (way_is_stage(o->ways[i].kind) && o->terms.type == COMMITMENT_STATIC_REMOTEKEY)
		return true;
	b = bump_of(o, &alone);
	rate = bump_target(&b, s->height, s->fees);
	if (!rate.per_kw)
		return false;
	/* What no mempool takes would only lock a coin away that another claim may need. */
	if (way_is_stage(o->ways[i].kind))
		return rate.per_kw >= s->fees[FEE_MINIMUM].per_kw;
	/* Nothing presses: fees may fall. */
	return b.deadline || rate.per_kw >= s->fees[FEE_NORMAL].per_kw;
}

/* A claim of this step that it may join; NULL: none. */
static struct claim *fitting(const struct onchain *o, const struct step *s, uint32_t output)
{
	for (struct claim *c = o->claims; c; c = c->next) {
		bool fits = !c->out && c->making == RESTING && c->count < CLAIM_OUTPUTS_MAX;

		for (uint32_t i = 0; i < c->count && fits; i++)
			fits = may_share(o, s->height, c->outputs[i], output);
		if (fits)
			return c;
	}
	return NULL;
}

static void gather(struct onchain *o, struct step *s)
{
	bool begun = false;

	/* The largest first, which are the last: the wallet may not have coins for all. */
	for (uint32_t i = o->count; i-- > 0;) {
		struct claim *c;

		if (!is_due(o, s, i))
			continue;
		/* The schedule begins with the first block that could have held it. */
		if (!o->ways[i].start) {
			o->ways[i].start = s->height;
			begun = true;
		}
		if (!pays_its_way(o, s, i))
			continue;
		c = fitting(o, s, i);
		onchain_claim_add(o, c ? c : onchain_claim_new(o), i);
	}
	/* And that is not forgotten in a crash. */
	if (begun)
		onchain_persist(o, s);
}

static bool is_spent(const struct onchain *o, const struct claim *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (!o->outputs[c->outputs[i]].spent_height)
			return false;
	return true;
}

static uint32_t most_valuable(const struct onchain *o, const struct claim *c)
{
	uint32_t best = c->outputs[0];

	for (uint32_t i = 1; i < c->count; i++)
		if (SAT_LESS(o->outputs[best].amount, o->outputs[c->outputs[i]].amount))
			best = c->outputs[i];
	return best;
}

/* The rate at which one output alone replaces the transaction that holds it with others: BIP 125 rule 3 counts what that
 * pays in total.  The others follow into the room that it makes.  0: it is not worth that. */
static struct feerate parting_rate(const struct onchain *o, const struct claim *c, uint32_t output)
{
	uint32_t outputs[1] = { output };
	struct claim alone = { .outputs = outputs, .count = 1 };
	uint64_t weight = claim_weight(o, &alone), least = c->fee.v * 1000 / weight + BUMP_STEP_PER_KW + 1;

	if (least > UINT32_MAX / 2 || least * weight / 1000 > claim_budget(o, &alone).v)
		return FEERATE(0);
	return FEERATE((uint32_t)least);
}

/* B5.revoked_transaction_close_handling.12: what waits together and could soon be spent by the peer parts, if what it
 * pays already allows that; else it goes on together. */
static void part(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	struct claim *c = o->claims;

	while (c) {
		struct claim *next = c->next;
		enum way_kind kind = o->ways[c->outputs[0]].kind;
		uint32_t best = most_valuable(o, c);
		bool near = false;
		struct feerate rate;

		for (uint32_t i = 0; i < c->count; i++)
			near |= is_near(o, c->outputs[i], s->height);
		if (near && c->count > 1 && c->out && !is_safe(kind) && !way_is_stage(kind) && !is_spent(o, c) &&
		    (rate = parting_rate(o, c, best)).per_kw) {
			log_write(s->log, LOG_WARN, "onchain",
				  "a claim of %u outputs has not confirmed and the peer could soon spend one of them: each is claimed alone now",
				  c->count);
			onchain_break_claim(o, s, notes, c);
			o->ways[best].floor = rate;
		}
		c = next;
	}
}

void onchain_claim_due(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	struct claim *c, *next;

	part(o, s, notes);
	gather(o, s);
	for (c = o->claims; c; c = next) {
		struct bump b;
		struct feerate rate;

		next = c->next;
		if (c->making != RESTING || is_spent(o, c))
			continue;
		/* The peer signed the HTLC transactions of a static_remotekey channel whole: they pay what they pay. */
		if (c->out && way_is_stage(o->ways[c->outputs[0]].kind) && o->terms.type == COMMITMENT_STATIC_REMOTEKEY)
			continue;
		b = bump_of(o, c);
		rate = bump_next(&b, s->height, s->fees);
		if (rate.per_kw)
			claim_make(o, s, c, rate);
		/* It would leave dust: its outputs wait for lower fees. */
		if (!c->out && c->making == RESTING)
			onchain_break_claim(o, s, notes, c);
	}
}

/* --- conflicts --- */

/* B5.revoked_transaction_close_handling.13: one of its inputs went to another transaction, and others did not. */
static bool is_broken(const struct onchain *o, const struct claim *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct onchain_output *v = &o->outputs[c->outputs[i]];

		if (v->spent_height && !(c->out && SAME(v->spent_by, c->txid)))
			return true;
	}
	return false;
}

void onchain_break_spent(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	struct claim *c = o->claims;

	while (c) {
		struct claim *next = c->next;

		if (is_broken(o, c))
			onchain_break_claim(o, s, notes, c);
		else if (is_spent(o, c))
			claim_abort(o, s, c); /* its replacement is not wanted any more */
		c = next;
	}
}
