/* A channel between two real signers whose funding output gets spent, and what core/onchain makes of it.
 *
 * Ours: commitment 3 is countersigned.  Theirs: 4 is not revoked yet, 5 is signed.  We have 600,000 sat of a
 * million, opened it, wait 144 blocks for our own output and let the peer wait 720. */
#ifndef TESTS_ONCHAIN_SETUP_H
#define TESTS_ONCHAIN_SETUP_H

#include <stdio.h>

#include "onchain/onchain.h"
#include "tests/unit/script_run.h"
#include "tests/unit/signer_setup.h"

#define BED_HEIGHT 700u
#define BED_DELAY 144u
#define BED_HTLCS_MAX 8

struct bed {
	struct pair p;
	struct channel_record r;
	struct channel_htlc htlcs[BED_HTLCS_MAX];
	uint32_t htlc_count;
	struct effects out;
	struct effect **seen;      /* behind the last effect that bed_sign has looked at */
	struct drbg entropy;
	struct table asked;
	uint64_t next_ask;
	struct log_sink log;
	enum log_level loudest;
	char last_log[300];
	struct step s;
	struct onchain *o;
	struct onchain_notes notes;
	struct bytes destination;
	const struct tx *spend;
};

static inline void bed_log(void *context, enum log_level level, const char *room, const char *text)
{
	struct bed *b = context;

	(void)room;
	if (level > b->loudest)
		b->loudest = level;
	snprintf(b->last_log, sizeof(b->last_log), "%s", text);
}

static inline void bed_record(struct bed *b)
{
	struct channel_record *r = &b->r;

	r->key = PAIR_KEY;
	r->peer.v[0] = 2;
	r->state = CHANNELD_NORMAL;
	r->opener = SIDE_LOCAL;
	r->type = COMMITMENT_ANCHORS;
	r->funding = b->p.our_spec.funding;
	r->funding_amount = SAT(PAIR_FUNDING_SAT);
	r->side[SIDE_LOCAL].points = b->p.our;
	r->side[SIDE_REMOTE].points = b->p.their;
	r->side[SIDE_LOCAL].dust_limit = r->side[SIDE_REMOTE].dust_limit = SAT(354);
	r->side[SIDE_LOCAL].to_self_delay = 720;
	r->side[SIDE_REMOTE].to_self_delay = BED_DELAY;
	r->settled[SIDE_LOCAL] = MSAT(600000000);
	r->settled[SIDE_REMOTE] = MSAT(400000000);
	r->feerates[4] = FEERATE(1000);
	r->local_number = r->local_revoked = 3;
	r->remote_number = 5;
	r->remote_revoked = 4;
	r->local_points[0] = b->p.our_points[3];
	r->local_points[1] = b->p.our_points[4];
	r->remote_points[0] = b->p.their_points[4];
	r->remote_points[1] = b->p.their_points[5];
}

static inline void bed_init(struct bed *b)
{
	static const uint8_t seed[32] = { 5 };

	memset(b, 0, sizeof(*b));
	pair_init(&b->p);
	bed_record(b);
	effects_init(&b->out);
	b->seen = &b->out.head;
	drbg_init(&b->entropy, seed);
	step_asked_init(&b->asked, seed);
	b->log = (struct log_sink){ bed_log, b, LOG_TRACE };
	b->s = (struct step){ .out = &b->out, .height = BED_HEIGHT, .entropy = &b->entropy, .log = &b->log,
			      .asked = &b->asked, .next_ask = &b->next_ask };
	for (int i = 0; i < FEE_TARGETS; i++)
		b->s.fees[i] = FEERATE(2000);
	b->s.fees[FEE_URGENT] = FEERATE(5000);
	onchain_notes_init(&b->notes);
	b->destination = test_unhex("00140102030405060708090a0b0c0d0e0f1011121314");
}

static inline void bed_release(struct bed *b)
{
	onchain_free(b->o);
	effects_release(&b->out);
	step_asked_release(&b->asked);
	pair_release(&b->p);
}

static inline struct preimage bed_preimage(uint64_t id)
{
	struct preimage p = { { 0x77 } };

	p.v[1] = (uint8_t)id;
	return p;
}

static inline struct channel_htlc *bed_htlc(struct bed *b, enum side owner, uint64_t id, uint64_t sat, enum htlc_state state)
{
	struct channel_htlc *h = &b->htlcs[b->htlc_count++];
	struct preimage preimage = bed_preimage(id);

	*h = (struct channel_htlc){ .id = id, .owner = owner, .state = state, .amount = MSAT(sat * 1000), .cltv_expiry = 800,
				    .payment_hash = sha256(preimage.v, 32) };
	return h;
}

static inline struct commitment_spec *bed_spec(struct bed *b, enum commitment_choice which)
{
	const struct channel_htlc *all[BED_HTLCS_MAX];

	for (uint32_t i = 0; i < b->htlc_count; i++)
		all[i] = &b->htlcs[i];
	return channel_record_spec(&b->r, all, b->htlc_count, which, &b->p.arena);
}

static inline struct commitment *bed_commitment(struct bed *b, enum commitment_choice which)
{
	struct commitment *c = commitment_build(&b->p.arena, bed_spec(b, which));

	CHECK(c);
	return c;
}

/* One of the peer's that the record does not know any more, or not yet. */
static inline struct commitment *bed_their_number(struct bed *b, uint64_t number)
{
	struct commitment_spec *spec = bed_spec(b, COMMITMENT_REMOTE);
	struct commitment *c;

	spec->number = number;
	spec->per_commitment_point = b->p.their_points[number];
	c = commitment_build(&b->p.arena, spec);
	CHECK(c);
	return c;
}

/* Answers every question to the signer that is new, as the signer would. */
static inline void bed_sign(struct bed *b)
{
	for (; *b->seen; b->seen = &(*b->seen)->next) {
		const struct effect *f = *b->seen;
		struct answered a;

		if (f->kind != EFFECT_SIGN)
			continue;
		CHECK_EQ(f->u.sign.request->kind, SIGN_SPEND);
		ask(&a, b->p.us, f->u.sign.request);
		CHECK(!a.answer.refused);
		onchain_signed(b->o, &b->s, &b->notes, f->u.sign.id, &a.answer);
	}
}

/* The spend is in a block; the signer answers at once. */
static inline void bed_spent_unsigned(struct bed *b, const struct tx *t)
{
	struct onchain_htlc offered[BED_HTLCS_MAX];
	struct onchain_facts facts = {
		.spend = t,
		.height = b->s.height,
		.local = bed_spec(b, COMMITMENT_LOCAL),
		.remote = bed_spec(b, COMMITMENT_REMOTE),
		.remote_previous = bed_spec(b, COMMITMENT_REMOTE_PREVIOUS),
		.offered = offered,
		.destination = b->destination,
	};

	for (uint32_t i = 0; i < b->htlc_count; i++)
		if (b->htlcs[i].owner == SIDE_LOCAL)
			offered[facts.offered_count++] =
				(struct onchain_htlc){ b->htlcs[i].id, b->htlcs[i].amount, b->htlcs[i].payment_hash };
	b->spend = t;
	b->o = onchain_new(&b->s, &b->r, &b->notes, &facts);
	CHECK(b->o);
	onchain_check(b->o);
}

static inline void bed_spent(struct bed *b, const struct tx *t)
{
	bed_spent_unsigned(b, t);
	bed_sign(b);
}

/* An empty block. */
static inline void bed_block(struct bed *b, uint32_t height)
{
	b->s.height = height;
	onchain_block(b->o, &b->s, &b->notes, height);
	bed_sign(b);
}

/* The oldest note, which must be of that kind; it is forgotten. */
static inline struct onchain_note *bed_note(struct bed *b, enum onchain_note_kind kind)
{
	struct onchain_note *n = b->notes.head;

	CHECK(n);
	CHECK_EQ(n->kind, kind);
	b->notes.head = n->next;
	if (!b->notes.head)
		b->notes.tail = &b->notes.head;
	return n;
}

/* A claim that goes out: it must be exactly the spend of one output to our script. */
static inline struct tx *bed_claim(struct bed *b)
{
	struct tx *t = tx_parse(&b->p.arena, arena_bytes(&b->p.arena, bed_note(b, ONCHAIN_NOTE_BROADCAST)->tx));

	CHECK(t);
	CHECK_EQ(t->input_count, 1);
	CHECK_EQ(t->output_count, 1);
	CHECK(bytes_equal(t->outputs[0].script, b->destination));
	return t;
}

static inline uint32_t bed_count(const struct bed *b, enum effect_kind kind)
{
	uint32_t count = 0;

	for (const struct effect *f = b->out.head; f; f = f->next)
		count += f->kind == kind;
	return count;
}

/* Whether that output is watched after everything so far. */
static inline bool bed_watched(const struct bed *b, uint32_t output)
{
	struct outpoint o = { tx_id(b->spend), output };
	int count = 0;

	for (const struct effect *f = b->out.head; f; f = f->next)
		if (f->kind == EFFECT_WATCH && f->u.watch.is_outpoint && outpoint_equal(&f->u.watch.outpoint, &o))
			count += f->u.watch.remove ? -1 : 1;
	CHECK(count == 0 || count == 1);
	return count == 1;
}

/* The record as it was persisted last. */
static inline struct bytes bed_stored(const struct bed *b)
{
	struct bytes v = BYTES_NONE;

	for (const struct effect *f = b->out.head; f; f = f->next)
		if (f->kind == EFFECT_PERSIST && f->u.persist.kind == RECORD_ONCHAIN)
			v = f->u.persist.value;
	CHECK(v.size);
	return v;
}

/* The process dies and comes back; nothing but the record is left. */
static inline void bed_restart(struct bed *b)
{
	struct bytes v = bed_stored(b);
	uint8_t *kept = test_alloc(v.size);

	memcpy(kept, v.data, v.size);
	onchain_free(b->o);
	effects_reset(&b->out);
	b->seen = &b->out.head;
	onchain_notes_init(&b->notes);
	b->o = onchain_load(&b->r, BYTES(kept, v.size));
	CHECK(b->o);
	onchain_check(b->o);
	onchain_start(b->o, &b->s);
	bed_sign(b);
}

/* A transaction of somebody that spends one output of the spend, with these witness items. */
static inline struct tx *bed_spender(struct bed *b, uint32_t output, const struct bytes *witness, uint32_t count)
{
	struct tx *t = tx_new(&b->p.arena, 2, 1, 1, 0);

	t->inputs[0].prev = (struct outpoint){ tx_id(b->spend), output };
	t->outputs[0] = (struct tx_output){ SAT(1000), b->destination };
	tx_set_witness(&b->p.arena, t, 0, witness, count);
	return t;
}

static inline void bed_tx(struct bed *b, const struct tx *t, uint32_t height)
{
	b->s.height = height;
	onchain_tx(b->o, &b->s, &b->notes, t, height);
}

static inline const struct onchain_output *bed_output(const struct bed *b, uint32_t index)
{
	uint32_t count;
	const struct onchain_output *v = onchain_outputs(b->o, &count);

	CHECK(index < count);
	return &v[index];
}

/* The one that holds our money. */
static inline uint32_t bed_ours(const struct bed *b)
{
	uint32_t count, found = UINT32_MAX;
	const struct onchain_output *v = onchain_outputs(b->o, &count);

	for (uint32_t i = 0; i < count; i++)
		if (v[i].ours) {
			CHECK_EQ(found, UINT32_MAX);
			found = i;
		}
	CHECK(found != UINT32_MAX);
	return found;
}

#endif
