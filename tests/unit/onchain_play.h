/* A channel on chain under random events: blocks with any of our claims and of the peer's moves, blocks that leave,
 * restarts, answers that come late, fees that change, preimages that come to be known.  Everything follows from the
 * bytes given.  At the end the peer is quiet and miners take what pays: all must be settled, and each HTLC must have
 * had its end.
 *
 * For tests with a seed and for the fuzzer. */
#ifndef TESTS_ONCHAIN_PLAY_H
#define TESTS_ONCHAIN_PLAY_H

#include "tests/unit/onchain_setup.h"

#define PLAY_BLOCKS 2500u
#define PLAY_CLAIMS 96u
#define PLAY_BLOCK_TXS 6u
#define PLAY_SPENT 1024u

struct play {
	const uint8_t *data;
	size_t size, at;
	struct bed b;
	const struct commitment *c;   /* what was published */
	bool ours, revoked;
	/* Claims on offer. */
	struct tx *claims[PLAY_CLAIMS];
	uint32_t claim_count;
	/* The chain above BED_HEIGHT - 1. */
	struct {
		const struct tx *txs[PLAY_BLOCK_TXS];
		uint32_t count;
	} blocks[PLAY_BLOCKS];
	uint32_t tip, highest;        /* heights: now, and ever */
	struct {
		struct outpoint o;
		uint32_t height;
	} spent[PLAY_SPENT];
	uint32_t spent_count;
	bool told[BED_HTLCS_MAX], revealed[BED_HTLCS_MAX];
	bool resolved, gone;
};

static inline uint8_t play_byte(struct play *p)
{
	return p->at < p->size ? p->data[p->at++] : 0;
}

static inline bool play_is_spent(const struct play *p, const struct outpoint *o)
{
	for (uint32_t i = 0; i < p->spent_count; i++)
		if (outpoint_equal(&p->spent[i].o, o))
			return true;
	return false;
}

/* --- what the machine says --- */

static inline void play_drop_claim(struct play *p, const struct txid *id)
{
	for (uint32_t i = 0; i < p->claim_count; i++) {
		struct txid at = tx_id(p->claims[i]);

		if (SAME(at, *id)) {
			p->claims[i] = p->claims[--p->claim_count];
			return;
		}
	}
}

static inline struct channel_htlc *play_offered(struct play *p, uint64_t id, uint32_t *index)
{
	for (uint32_t i = 0; i < p->b.htlc_count; i++)
		if (p->b.htlcs[i].owner == SIDE_LOCAL && p->b.htlcs[i].id == id) {
			*index = i;
			return &p->b.htlcs[i];
		}
	CHECK(false);
	return NULL;
}

static inline void play_notes(struct play *p)
{
	struct bed *b = &p->b;

	for (const struct onchain_note *n = b->notes.head; n; n = n->next) {
		struct channel_htlc *h;
		uint32_t i;

		switch (n->kind) {
		case ONCHAIN_NOTE_BROADCAST: {
			struct tx *t = tx_parse(&b->p.arena, arena_bytes(&b->p.arena, n->tx));
			bool void_already = false;

			CHECK(t && p->claim_count < PLAY_CLAIMS);
			/* A signature may come after the block that took the output away; never one that was spent before. */
			for (uint32_t k = 0; k < t->input_count; k++)
				void_already |= play_is_spent(p, &t->inputs[k].prev);
			CHECK(!void_already);
			/* Asked for before a reorganisation it may wait for its block again. */
			b->s.height = p->highest;
			bed_check_tx(b, t);
			b->s.height = p->tip;
			bed_know(b, t, 0);
			/* INV-O1: nothing else that is on offer spends the same output of the channel. */
			for (uint32_t k = 0; k < p->claim_count; k++)
				for (uint32_t x = 0; x < t->input_count; x++)
					for (uint32_t y = 0; y < p->claims[k]->input_count; y++)
						CHECK(!outpoint_equal(&t->inputs[x].prev, &p->claims[k]->inputs[y].prev));
			p->claims[p->claim_count++] = t;
			break;
		}
		case ONCHAIN_NOTE_WITHDRAW:
			play_drop_claim(p, &n->txid);
			break;
		case ONCHAIN_NOTE_PREIMAGE:
			h = play_offered(p, n->htlc_id, &i);
			CHECK(p->revealed[i]);
			p->told[i] = true;
			(void)h;
			break;
		case ONCHAIN_NOTE_HTLC_GONE:
			(void)play_offered(p, n->htlc_id, &i);
			p->told[i] = true;
			break;
		case ONCHAIN_NOTE_RESOLVED:
			p->resolved = true;
			break;
		}
	}
	onchain_notes_init(&b->notes);
	if (b->o && !p->gone)
		onchain_check(b->o);
}

/* --- blocks --- */

static inline void play_feed_wallet(struct play *p)
{
	struct event e = { .kind = EVENT_BLOCK };
	struct block_tx in[PLAY_BLOCK_TXS];
	struct arena a;

	arena_init(&a);
	e.u.block.height = p->tip;
	e.u.block.txs = in;
	e.u.block.tx_count = p->blocks[p->tip - BED_HEIGHT].count;
	for (uint32_t i = 0; i < e.u.block.tx_count; i++) {
		struct buf raw = BUF_EMPTY;

		tx_encode(p->blocks[p->tip - BED_HEIGHT].txs[i], &raw);
		in[i] = (struct block_tx){ arena_bytes(&a, buf_view(&raw)), i + 1 };
		buf_release(&raw);
	}
	wallet_block(p->b.wallet, &e, &p->b.wallet_out);
	wallet_check(p->b.wallet);
	effects_reset(&p->b.wallet_out);
	arena_release(&a);
}

static inline void play_include(struct play *p, const struct tx *t)
{
	uint32_t at = p->tip + 1 - BED_HEIGHT;

	if (p->blocks[at].count == PLAY_BLOCK_TXS || p->spent_count + t->input_count > PLAY_SPENT)
		return;
	if (t->locktime > p->tip)
		return;
	for (uint32_t i = 0; i < t->input_count; i++) {
		uint32_t height = 1;

		/* A coin of the peer comes from nowhere; change of a claim of ours must be in a block. */
		if (play_is_spent(p, &t->inputs[i].prev) || (bed_known(&p->b, &t->inputs[i].prev.txid, &height) && !height) ||
		    (!(t->inputs[i].sequence >> 31) && p->tip + 1 < height + (t->inputs[i].sequence & 0xffff)))
			return;
	}
	for (uint32_t i = 0; i < t->input_count; i++) {
		p->spent[p->spent_count].o = t->inputs[i].prev;
		p->spent[p->spent_count++].height = p->tip + 1;
	}
	p->blocks[at].txs[p->blocks[at].count++] = t;
	bed_know(&p->b, t, p->tip + 1);
}

static inline void play_begin_onchain(struct play *p)
{
	bed_spent_unsigned(&p->b, p->c->tx);
	p->gone = false;
	bed_sign(&p->b);
}

/* What was put into the next block is in it. */
static inline void play_connect(struct play *p)
{
	struct bed *b = &p->b;

	p->tip++;
	if (p->tip > p->highest)
		p->highest = p->tip;
	b->s.height = p->tip;
	play_feed_wallet(p);
	if (p->gone)
		play_begin_onchain(p);
	for (uint32_t i = 0; i < p->blocks[p->tip - BED_HEIGHT].count; i++)
		onchain_tx(b->o, &b->s, &b->notes, p->blocks[p->tip - BED_HEIGHT].txs[i], p->tip);
	onchain_block(b->o, &b->s, &b->notes, p->tip);
	bed_sign(b);
	play_notes(p);
}

static inline bool play_has_room(const struct play *p)
{
	return p->tip + 2 < BED_HEIGHT + PLAY_BLOCKS && p->b.tx_count + 24 < BED_TXS_MAX;
}

static inline void play_undo(struct play *p)
{
	struct bed *b = &p->b;
	uint32_t at = p->tip - BED_HEIGHT;
	bool gone;

	/* The spend's own block, with nothing below it to go back to. */
	if (p->resolved || p->gone || at == 0)
		return;
	for (uint32_t i = 0; i < p->spent_count;)
		if (p->spent[i].height == p->tip)
			p->spent[i] = p->spent[--p->spent_count];
		else
			i++;
	p->blocks[at].count = 0;
	gone = bed_undone(b, p->tip);
	p->tip--;
	play_notes(p);
	if (!gone)
		return;
	CHECK_EQ(p->claim_count, 0);
	onchain_free(b->o);
	b->o = NULL;
	p->gone = true;
}

/* --- the peer --- */

/* The peer's spend of an HTLC output: with its preimage if it received it (or once it has expired if it offered it);
 * a second stage of its own commitment, else at once. */
static inline struct tx *play_peer_htlc(struct play *p, const struct commitment_htlc_output *h, uint32_t more)
{
	struct bed *b = &p->b;
	bool offered_by_us = h->htlc.offered_by_broadcaster == p->ours;
	struct preimage preimage = bed_preimage(h->htlc.id);
	struct tx *t = tx_new(&b->p.arena, 2, 1 + more, 1 + more, 0);
	struct bytes items[5] = { BYTES_NONE, BYTES("sig", 3), BYTES("sig", 3),
				  offered_by_us ? BYTES_OF(preimage.v) : BYTES_NONE, BYTES("script", 6) };

	t->inputs[0].prev = (struct outpoint){ p->c->txid, h->index };
	t->outputs[0] = (struct tx_output){ h->htlc.amount.v ? SAT(h->htlc.amount.v / 1000) : SAT(0), b->p.arena.head ? script_p2wsh(&b->p.arena, p->c->to_local_script) : BYTES_NONE };
	if (p->ours)
		t->outputs[0].script = script_p2wpkh(&b->p.arena, &b->p.their.payment);
	tx_set_witness(&b->p.arena, t, 0, items, 5);
	if (more) {
		t->inputs[1].prev.txid.v[3] = play_byte(p);
		t->inputs[1].prev.txid.v[4] = (uint8_t)b->tx_count;
		t->outputs[1] = (struct tx_output){ SAT(999), script_p2wpkh(&b->p.arena, &b->p.their.payment) };
	}
	return t;
}

static inline void play_peer_moves(struct play *p)
{
	uint8_t which = play_byte(p);
	const struct commitment_htlc_output *h;
	struct outpoint o;

	if (!p->c->htlc_count)
		return;
	h = &p->c->htlcs[which % p->c->htlc_count];
	o = (struct outpoint){ p->c->txid, h->index };
	if (p->gone || play_is_spent(p, &o))
		return;
	/* Its own it takes back once it has expired. */
	if (h->htlc.offered_by_broadcaster != p->ours && p->tip < h->htlc.cltv_expiry)
		return;
	play_include(p, play_peer_htlc(p, h, which >> 7));
	if (!play_is_spent(p, &o) || h->htlc.offered_by_broadcaster != p->ours)
		return;
	for (uint32_t i = 0; i < p->b.htlc_count; i++)
		p->revealed[i] |= p->b.htlcs[i].owner == SIDE_LOCAL && SAME(p->b.htlcs[i].payment_hash, h->htlc.payment_hash);
}

/* --- the whole --- */

static inline void play_setup(struct play *p)
{
	struct bed *b = &p->b;
	uint8_t kind = play_byte(p), count = play_byte(p) % 7;

	bed_init(b);
	if (kind & 0x80)
		b->r.type = COMMITMENT_STATIC_REMOTEKEY;
	bed_coins(b, play_byte(p) % 6);
	b->upstream_expiry = kind & 0x40 ? BED_HEIGHT + 260 : 0;
	for (uint8_t i = 0; i < count; i++) {
		uint8_t v = play_byte(p);
		enum side owner = v & 1 ? SIDE_REMOTE : SIDE_LOCAL;
		/* All six of a side are less than the 400,000 sat that the poorer one has. */
		struct channel_htlc *h = bed_htlc(b, owner, i, 400u + 1000u * (v >> 2), owner == SIDE_LOCAL ? SENT_ADD_ACK_REVOCATION : RCVD_ADD_ACK_REVOCATION);

		h->cltv_expiry = BED_HEIGHT + 20 + play_byte(p) % 4 * 30;
		if (v & 2 && owner == SIDE_REMOTE) {
			h->has_preimage = true;
			h->resolution = HTLC_FULFILLED;
			h->preimage = bed_preimage(i);
		}
	}
	b->r.next_htlc_id[SIDE_LOCAL] = b->r.next_htlc_id[SIDE_REMOTE] = 10;
	switch (kind % 4) {
	case 0:
		p->c = bed_commitment(b, COMMITMENT_LOCAL);
		p->ours = true;
		break;
	case 1:
		p->c = bed_commitment(b, COMMITMENT_REMOTE);
		break;
	case 2:
		p->c = bed_commitment(b, COMMITMENT_REMOTE_PREVIOUS);
		break;
	case 3:
		p->c = bed_their_number(b, 2);
		p->revoked = true;
		/* Some of its HTLCs are gone since. */
		while (b->htlc_count && play_byte(p) & 1) {
			bed_past(b, &b->htlcs[b->htlc_count - 1], 1, 3);
			b->htlc_count--;
		}
		break;
	}
	bed_wallet_block(b, NULL, BED_HEIGHT - 1);
	p->tip = p->highest = BED_HEIGHT;
	play_begin_onchain(p);
	play_notes(p);
}

static inline void play_event(struct play *p)
{
	struct bed *b = &p->b;
	uint8_t what = play_byte(p), arg = play_byte(p);

	if (what < 110) {
		/* A block with some of what is on offer, the peer's moves first or last. */
		if (!play_has_room(p))
			return;
		if (arg & 1)
			play_peer_moves(p);
		for (uint32_t i = 0; i < p->claim_count && !p->gone; i++)
			if (arg >> (i % 8) & 1)
				play_include(p, p->claims[i]);
		if (arg & 2)
			play_peer_moves(p);
		play_connect(p);
	} else if (what < 140) {
		for (uint32_t i = 0; i < arg % 40u && play_has_room(p); i++)
			play_connect(p);
	} else if (what < 180) {
		for (uint32_t i = 0; i <= arg % 6u; i++)
			play_undo(p);
	} else if (p->gone) {
		return;
	} else if (what < 205) {
		bed_restart(b);
		play_notes(p);
	} else if (what < 220) {
		b->deaf = arg & 1;
		bed_sign(b);
		play_notes(p);
	} else if (what < 235) {
		b->s.fees[FEE_NORMAL] = FEERATE(253u + arg * 40u);
		b->s.fees[FEE_URGENT] = FEERATE(253u + arg * 100u);
	} else if (b->htlc_count) {
		const struct channel_htlc *h = &b->htlcs[arg % b->htlc_count];
		struct preimage preimage = bed_preimage(h->id);

		if (h->owner == SIDE_REMOTE)
			onchain_preimage(b->o, &b->s, &b->notes, h->id, &preimage);
		bed_sign(b);
		play_notes(p);
	}
}

static inline void play_finish(struct play *p)
{
	struct bed *b = &p->b;
	uint32_t count;
	const struct onchain_output *v;

	b->deaf = false;
	b->s.fees[FEE_NORMAL] = FEERATE(300);
	b->s.fees[FEE_URGENT] = FEERATE(1000);
	if (p->gone)
		play_connect(p);
	bed_sign(b);
	play_notes(p);
	if (!p->resolved)
		bed_restart(b);
	play_notes(p);
	while (!p->resolved && play_has_room(p)) {
		for (uint32_t i = 0; i < p->claim_count; i++)
			play_include(p, p->claims[i]);
		/* A wallet without coins claims no HTLC: somebody pays it. */
		play_connect(p);
		if (p->tip % 100 == 0) {
			b->s.height = p->tip;
		}
	}
	if (!p->resolved)
		return; /* out of room, or of coins */
	v = onchain_outputs(b->o, &count);
	for (uint32_t i = 0; i < count; i++)
		/* What is ours is ours or was the peer's move, or it is not worth a transaction. */
		CHECK(onchain_progress(b->o, i, p->tip) == ONCHAIN_IGNORED || v[i].spent_height || !v[i].ours ||
		      onchain_progress(b->o, i, p->tip) == ONCHAIN_UNECONOMIC);
	for (uint32_t i = 0; i < b->htlc_count; i++)
		CHECK(b->htlcs[i].owner == SIDE_REMOTE || p->told[i]);
}

/* True: it came to its end. */
static inline bool play_bytes(struct play *p, const uint8_t *data, size_t size)
{
	bool resolved;

	memset(p, 0, sizeof(*p));
	p->data = data;
	p->size = size;
	play_setup(p);
	while (p->at < p->size && !p->resolved)
		play_event(p);
	play_finish(p);
	resolved = p->resolved;
	bed_release(&p->b);
	return resolved;
}

#endif
