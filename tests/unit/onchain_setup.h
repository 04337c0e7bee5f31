/* A channel between two real signers whose funding output gets spent, and what core/onchain makes of it.
 *
 * Ours: commitment 3 is countersigned.  Theirs: 4 is not revoked yet, 5 is signed.  We have 600,000 sat of a
 * million, opened it, wait 144 blocks for our own output and let the peer wait 720. */
#ifndef TESTS_ONCHAIN_SETUP_H
#define TESTS_ONCHAIN_SETUP_H

#include <stdio.h>

#include "onchain/anchor.h"
#include "onchain/bump.h"
#include "onchain/onchain.h"
#include "tests/script/interpreter.h"
#include "tests/unit/signer_setup.h"
#include "wallet/wallet.h"

#define BED_HEIGHT 700u
#define BED_DELAY 144u
#define BED_HTLCS_MAX 16
#define BED_TXS_MAX 4096
#define BED_COIN_SAT 500000u

struct bed {
	struct pair p;
	struct channel_record r;
	struct channel_htlc htlcs[BED_HTLCS_MAX];
	uint32_t htlc_count;
	struct effects out;
	struct effect **seen;      /* behind the last effect that bed_sign has looked at */
	struct drbg entropy;
	struct table asked;
	uint64_t next_ask, next_reservation;
	struct log_sink log;
	enum log_level loudest;
	char last_log[300], first_error[300];
	struct step s;
	struct onchain *o;
	struct onchain_notes notes;
	struct bytes destination;
	const struct tx *spend;
	/* What FETCH of past HTLCs answers. */
	struct htlc_past past[BED_HTLCS_MAX];
	uint32_t past_count;
	struct shachain secrets;
	struct commit_sigs sigs;
	uint32_t upstream_expiry;  /* of all that we offered */
	/* The real wallet, with `coins` coins of 500,000 sat. */
	struct wallet *wallet;
	struct wallet_keys keys;
	struct effects wallet_out;
	/* Every transaction whose outputs may be spent: confirmed in the block of that height; 0: not yet. */
	struct {
		struct txid id;
		const struct tx *t;
		uint32_t height;
	} txs[BED_TXS_MAX];
	uint32_t tx_count;
	bool deaf;                 /* bed_sign answers nothing */
	struct anchor *anchor;
	struct bytes kept;         /* the record as it was at the last restart */
};

static inline void bed_know(struct bed *b, const struct tx *t, uint32_t height)
{
	struct txid id = tx_id(t);

	for (uint32_t i = 0; i < b->tx_count; i++)
		if (SAME(b->txs[i].id, id)) {
			b->txs[i].height = height;
			return;
		}
	CHECK(b->tx_count < BED_TXS_MAX);
	b->txs[b->tx_count].id = id;
	b->txs[b->tx_count].t = t;
	b->txs[b->tx_count++].height = height;
}

static inline const struct tx *bed_known(const struct bed *b, const struct txid *id, uint32_t *height)
{
	for (uint32_t i = 0; i < b->tx_count; i++)
		if (SAME(b->txs[i].id, *id)) {
			*height = b->txs[i].height;
			return b->txs[i].t;
		}
	return NULL;
}

/* A block for the wallet. */
static inline void bed_wallet_block(struct bed *b, const struct tx *t, uint32_t height)
{
	struct event e = { .kind = EVENT_BLOCK };
	struct block_tx in = { .index = 1 };
	struct buf raw = BUF_EMPTY;

	e.u.block.height = height;
	if (t) {
		tx_encode(t, &raw);
		in.raw = buf_view(&raw);
		e.u.block.txs = &in;
		e.u.block.tx_count = 1;
	}
	wallet_block(b->wallet, &e, &b->wallet_out);
	wallet_check(b->wallet);
	effects_reset(&b->wallet_out);
	buf_release(&raw);
}

/* Coins for the wallet, in blocks before the spend. */
static inline void bed_coins(struct bed *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct funds_request r = { .kind = FUNDS_ADDRESS, .address = ADDRESS_P2WPKH };
		struct funds_answer a;
		struct tx *t = tx_new(&b->p.arena, 2, 1, 1, 0);

		wallet_request(b->wallet, NULL, &r, &a, &b->wallet_out);
		CHECK(!a.failed);
		t->inputs[0].prev.txid.v[0] = (uint8_t)(i + 1);
		t->outputs[0] = (struct tx_output){ SAT(BED_COIN_SAT), arena_bytes(&b->p.arena, a.script) };
		bed_wallet_block(b, t, wallet_height(b->wallet) + 1);
		bed_know(b, t, wallet_height(b->wallet));
	}
}

static inline void bed_wallet_init(struct bed *b)
{
	static const uint8_t seed[32] = { 6 };
	struct wallet_config config = { .gap = 0 };
	struct bip32_key master;

	effects_init(&b->wallet_out);
	CHECK(bip32_master(b->p.secp, &master, BYTES_OF(seed)));
	b->keys.secp = b->p.secp;
	CHECK(wallet_derive(&config, &b->keys, &master, network_by_name("regtest")));
	b->wallet = wallet_new(&config, seed);
	CHECK(wallet_start(b->wallet, &b->wallet_out));
	bed_wallet_block(b, NULL, 100);
}

static inline void bed_log(void *context, enum log_level level, const char *room, const char *text)
{
	struct bed *b = context;

	(void)room;
	if (level > b->loudest)
		b->loudest = level;
	snprintf(b->last_log, sizeof(b->last_log), "%s", text);
	if (level == LOG_ERROR && !b->first_error[0])
		snprintf(b->first_error, sizeof(b->first_error), "%s", text);
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
	bed_wallet_init(b);
	shachain_init(&b->secrets);
	for (uint64_t n = 0; n < b->r.remote_revoked; n++)
		CHECK(shachain_add(&b->secrets, SHACHAIN_FIRST - n, &b->p.their_secrets[n]));
	effects_init(&b->out);
	b->seen = &b->out.head;
	drbg_init(&b->entropy, seed);
	step_asked_init(&b->asked, seed);
	b->log = (struct log_sink){ bed_log, b, LOG_TRACE };
	b->s = (struct step){ .out = &b->out, .height = BED_HEIGHT, .entropy = &b->entropy, .log = &b->log,
			      .asked = &b->asked, .next_ask = &b->next_ask, .next_reservation = &b->next_reservation };
	for (int i = 0; i < FEE_TARGETS; i++)
		b->s.fees[i] = FEERATE(2000);
	b->s.fees[FEE_URGENT] = FEERATE(5000);
	onchain_notes_init(&b->notes);
	b->destination = test_unhex("00140102030405060708090a0b0c0d0e0f1011121314");
}

static inline void bed_release(struct bed *b)
{
	onchain_free(b->o);
	anchor_free(b->anchor);
	if (b->wallet)
		wallet_free(b->wallet);
	effects_release(&b->wallet_out);
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

/* The last commitments' state with an HTLC at a time when it was there. */
static inline void bed_past(struct bed *b, const struct channel_htlc *h, uint64_t first, uint64_t last)
{
	CHECK(b->past_count < BED_HTLCS_MAX);
	b->past[b->past_count++] = (struct htlc_past){ .id = h->id, .owner = h->owner, .payment_hash = h->payment_hash,
						       .cltv_expiry = h->cltv_expiry, .amount = h->amount,
						       .remote_first = first, .remote_last = last };
}

static inline void bed_answer_fetch(struct bed *b, const struct effect *f)
{
	struct fetched records[BED_HTLCS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->past_count; i++) {
		uint8_t key[17];
		struct buf value = BUF_EMPTY;

		htlc_record_key(key, b->r.key, b->past[i].owner, b->past[i].id);
		if (memcmp(key, f->u.fetch.range.prefix.data, f->u.fetch.range.prefix.size) != 0)
			continue;
		htlc_past_encode(&b->past[i], &value);
		records[count].key = arena_bytes(&b->p.arena, BYTES_OF(key));
		records[count++].value = arena_bytes(&b->p.arena, buf_view(&value));
		buf_release(&value);
	}
	CHECK_EQ(f->u.fetch.range.kind, RECORD_HTLC_PAST);
	if (b->o)
		(void)onchain_fetched(b->o, &b->s, &b->notes, f->u.fetch.id, records, count);
}

static inline void bed_answer_funds(struct bed *b, const struct effect *f)
{
	struct funds_answer a;

	wallet_request(b->wallet, &b->keys, f->u.funds.request, &a, &b->wallet_out);
	wallet_check(b->wallet);
	if (f->u.funds.id && !(b->anchor && anchor_funded(b->anchor, &b->s, &b->notes, f->u.funds.id, &a)))
		if (b->o)
			(void)onchain_funded(b->o, &b->s, &b->notes, f->u.funds.id, &a); /* a late one is nobody's */
	effects_reset(&b->wallet_out);
}

/* Answers every question that is new, as the signer, the wallet and the store would. */
static inline void bed_sign(struct bed *b)
{
	for (; *b->seen && !b->deaf; b->seen = &(*b->seen)->next) {
		const struct effect *f = *b->seen;
		struct answered a;

		if (f->kind == EFFECT_FETCH)
			bed_answer_fetch(b, f);
		if (f->kind == EFFECT_FUNDS)
			bed_answer_funds(b, f);
		if (f->kind != EFFECT_SIGN)
			continue;
		CHECK_EQ(f->u.sign.request->kind, SIGN_SPEND);
		ask(&a, b->p.us, f->u.sign.request);
		CHECK(!a.answer.refused);
		if (b->anchor && anchor_signed(b->anchor, &b->s, &b->notes, f->u.sign.id, &a.answer))
			continue;
		if (!b->o)
			continue;
		(void)onchain_signed(b->o, &b->s, &b->notes, f->u.sign.id, &a.answer);
		onchain_check(b->o);
	}
}

/* The peer's signatures of our commitment as it is. */
static inline void bed_countersign(struct bed *b)
{
	struct sign_request r = request_of(SIGN_REMOTE_COMMITMENT);
	struct answered *a = ARENA_NEW(&b->p.arena, struct answered);

	r.u.commitment = bed_spec(b, COMMITMENT_LOCAL);
	ask(a, b->p.them, &r);
	CHECK(!a->answer.refused);
	b->sigs = (struct commit_sigs){ b->r.local_number, a->answer.signature, a->signatures, a->answer.signature_count };
}

static inline void bed_fill_htlcs(struct bed *b, struct onchain_facts *facts)
{
	struct onchain_htlc *offered = ARENA_ARRAY(&b->p.arena, struct onchain_htlc, BED_HTLCS_MAX);
	struct onchain_incoming *incoming = ARENA_ARRAY(&b->p.arena, struct onchain_incoming, BED_HTLCS_MAX);
	struct htlc_past *live = ARENA_ARRAY(&b->p.arena, struct htlc_past, BED_HTLCS_MAX);

	for (uint32_t i = 0; i < b->htlc_count; i++) {
		const struct channel_htlc *h = &b->htlcs[i];

		live[facts->live_count++] = (struct htlc_past){ .id = h->id, .owner = h->owner, .payment_hash = h->payment_hash,
								.cltv_expiry = h->cltv_expiry, .amount = h->amount };
		if (h->owner == SIDE_LOCAL && !h->has_preimage)
			offered[facts->offered_count++] =
				(struct onchain_htlc){ h->id, h->amount, h->payment_hash, b->upstream_expiry };
		if (h->owner == SIDE_REMOTE)
			incoming[facts->incoming_count++] = (struct onchain_incoming){
				.id = h->id, .amount = h->amount, .payment_hash = h->payment_hash,
				.cltv_expiry = h->cltv_expiry, .committed = h->state >= RCVD_ADD_ACK_REVOCATION,
				.has_preimage = h->has_preimage, .preimage = h->preimage };
	}
	facts->offered = offered;
	facts->incoming = incoming;
	facts->live = live;
}

/* The spend is in a block; nobody answers yet. */
static inline void bed_spent_unsigned(struct bed *b, const struct tx *t)
{
	struct onchain_facts facts = {
		.spend = t,
		.height = b->s.height,
		.local = bed_spec(b, COMMITMENT_LOCAL),
		.remote = bed_spec(b, COMMITMENT_REMOTE),
		.remote_previous = bed_spec(b, COMMITMENT_REMOTE_PREVIOUS),
		.secrets = &b->secrets,
		.destination = b->destination,
	};

	bed_countersign(b);
	facts.sigs = &b->sigs;
	bed_fill_htlcs(b, &facts);
	b->spend = t;
	b->kept = BYTES_NONE;
	bed_know(b, t, b->s.height);
	bed_wallet_block(b, NULL, b->s.height);
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
	if (height > wallet_height(b->wallet))
		bed_wallet_block(b, NULL, height);
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

/* Every input of t spends an output that is there, with a witness that the network takes in the next block; it pays
 * at least the relay fee. */
static inline void bed_check_tx(const struct bed *b, const struct tx *t)
{
	uint64_t in = 0, out = 0;

	for (uint32_t i = 0; i < t->input_count; i++) {
		uint32_t height = 0;
		const struct tx *from = bed_known(b, &t->inputs[i].prev.txid, &height);

		CHECK(from && t->inputs[i].prev.index < from->output_count);
		CHECK(spend_is_valid(t, i, &from->outputs[t->inputs[i].prev.index], b->s.height + 1 - height, b->s.height + 1));
		in += from->outputs[t->inputs[i].prev.index].amount.v;
	}
	for (uint32_t i = 0; i < t->output_count; i++) {
		CHECK(t->outputs[i].amount.v >= script_dust_limit(t->outputs[i].script).v);
		out += t->outputs[i].amount.v;
	}
	CHECK(in > out && (in - out) * 4 >= tx_weight(t));
}

/* Our commitment, signed by both. */
static inline struct commitment *bed_our_signed(struct bed *b)
{
	struct commitment *c = bed_commitment(b, COMMITMENT_LOCAL);
	struct sign_request r = request_of(SIGN_LOCAL_COMMITMENT);
	struct answered a;

	bed_countersign(b);
	r.u.commitment = bed_spec(b, COMMITMENT_LOCAL);
	ask(&a, b->p.us, &r);
	CHECK(!a.answer.refused);
	commitment_set_witness(&b->p.arena, c, &a.answer.signature, &b->sigs.signature);
	return c;
}

/* The oldest note is a claim that goes out: it must be valid in the next block. */
static inline struct tx *bed_any_claim(struct bed *b)
{
	struct tx *t = tx_parse(&b->p.arena, arena_bytes(&b->p.arena, bed_note(b, ONCHAIN_NOTE_BROADCAST)->tx));

	CHECK(t);
	bed_check_tx(b, t);
	return t;
}

/* It must be exactly the spend of one output to our script. */
static inline struct tx *bed_claim(struct bed *b)
{
	struct tx *t = bed_any_claim(b);

	CHECK_EQ(t->input_count, 1);
	CHECK_EQ(t->output_count, 1);
	CHECK(bytes_equal(t->outputs[0].script, b->destination));
	return t;
}

/* Claims that come and go are passed over; the one that went out last, NULL: none.  Other notes stay. */
static inline struct tx *bed_last_claim(struct bed *b)
{
	struct tx *last = NULL;

	while (b->notes.head && (b->notes.head->kind == ONCHAIN_NOTE_BROADCAST || b->notes.head->kind == ONCHAIN_NOTE_WITHDRAW)) {
		if (b->notes.head->kind == ONCHAIN_NOTE_BROADCAST)
			last = bed_any_claim(b);
		else
			bed_note(b, ONCHAIN_NOTE_WITHDRAW);
	}
	return last;
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
static inline struct bytes bed_stored(struct bed *b)
{
	struct bytes v = b->kept;

	onchain_flush(b->o, &b->s);
	for (const struct effect *f = b->out.head; f; f = f->next)
		if (f->kind == EFFECT_PERSIST && f->u.persist.kind == RECORD_ONCHAIN)
			v = f->u.persist.value;
	CHECK(v.size);
	return v;
}

/* The process dies and comes back; nothing but the record is left. */
static inline void bed_restart(struct bed *b)
{
	struct bytes v = arena_bytes(&b->p.arena, bed_stored(b));

	b->kept = v;
	onchain_free(b->o);
	effects_reset(&b->out);
	b->seen = &b->out.head;
	onchain_notes_init(&b->notes);
	b->o = onchain_load(&b->r, v);
	CHECK(b->o);
	onchain_check(b->o);
	wallet_request(b->wallet, NULL, &(struct funds_request){ .kind = FUNDS_RETAIN }, &(struct funds_answer){ .code = 0 },
		       &b->wallet_out);
	effects_reset(&b->wallet_out);
	onchain_start(b->o, &b->s, &b->notes);
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
	bed_know(b, t, height);
	bed_wallet_block(b, t, height);
	onchain_tx(b->o, &b->s, &b->notes, t, height);
	onchain_check(b->o);
	bed_sign(b);
}

/* The block leaves the chain.  True: the spend with it. */
static inline bool bed_undone(struct bed *b, uint32_t height)
{
	struct event e = { .kind = EVENT_BLOCK_UNDONE };
	bool gone;

	e.u.undone.height = height;
	wallet_block(b->wallet, &e, &b->wallet_out);
	wallet_check(b->wallet);
	effects_reset(&b->wallet_out);
	b->s.height = height - 1;
	gone = onchain_undone(b->o, &b->s, &b->notes, height);
	for (uint32_t i = 0; i < b->tx_count; i++)
		if (b->txs[i].height == height)
			b->txs[i].height = 0;
	bed_sign(b);
	return gone;
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
		if (v[i].ours && v[i].what == ONCHAIN_TO_US) {
			CHECK_EQ(found, UINT32_MAX);
			found = i;
		}
	CHECK(found != UINT32_MAX);
	return found;
}

#endif
