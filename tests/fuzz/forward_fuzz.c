/* The table of forwards in any order of offers, ends, secrets that come late and restarts that forget them; and judgement
 * of any HTLC: what is forwarded pays for itself (INV-W3). */
#include "onion/failure.h"
#include "payment/forward.h"
#include "payment/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct forwards table;
	uint32_t next_out;
	uint32_t live;
};

static const uint8_t seed[16] = { 1 };

static void judge(const uint8_t *b)
{
	const struct forward_policy p = { MSAT(load_be32(b)), load_be32(b + 4), b[8] * 8u, MSAT(b[34] & 4 ? load_be32(b) : 0),
					  MSAT(b[34] & 8 ? load_be64(b + 26) : UINT64_MAX) };
	struct forward_htlc in = { 1, 2, MSAT(load_be64(b + 10)), load_be32(b + 18) };
	struct payload payload = { .amount = MSAT(load_be64(b + 22)), .cltv_expiry = load_be32(b + 30) };
	struct forward_next next = { .known = b[34] & 1, .ending = b[34] & 2, .disabled = b[34] & 16, .policies = { p }, .policy_count = 1 };
	const uint32_t height = load_be32(b + 35);
	const struct forward_clock clock = { height, b[9] };
	struct failure why = { 0 };
	struct buf message = BUF_EMPTY;
	struct amount_msat fee;

	if (b[34] & 32) /* with what was asked before, which is never cheaper here */
		next.policies[next.policy_count++] = (struct forward_policy){ p.fee_base, UINT32_MAX, p.cltv_delta + 1, p.htlc_min, p.htlc_max };
	if (!forward_judge(&clock, &in, &payload, &next, &why)) {
		ASSERT(fail_codec(why.code) && !(why.code & FAIL_BADONION));
		failure_encode(&why, &message);
		buf_release(&message);
		return;
	}
	ASSERT(next.known && !next.ending && !next.disabled && payload.amount.v);
	ASSERT(!MSAT_LESS(payload.amount, p.htlc_min) && !MSAT_LESS(p.htlc_max, payload.amount));
	ASSERT(msat_sub(&fee, in.amount, payload.amount) && !MSAT_LESS(fee, p.fee_base));
	ASSERT((uint64_t)in.cltv_expiry >= (uint64_t)payload.cltv_expiry + p.cltv_delta);
	ASSERT(in.cltv_expiry >= height && payload.cltv_expiry >= height);
	ASSERT((uint64_t)in.cltv_expiry <= (uint64_t)height + FORWARD_EXPIRY_MAX_BLOCKS);
}

/* As its owner: what can be told is told at once. */
static void tell(struct world *w, struct forward *f)
{
	static const uint8_t update[140];
	struct failure_attribution attribution = { .hold_time = w->live };
	struct buf reason = BUF_EMPTY;

	if (f->state != FORWARD_FAILED || !f->has_secret)
		return;
	forward_reason(f, BYTES_OF(update), &reason, w->live & 1 ? &attribution : NULL);
	ASSERT(f->end.kind == FORWARD_END_REPORT ? reason.size == f->end.reason.size : reason.size >= FAILURE_PACKET_SIZE);
	buf_release(&reason);
	forward_over(&w->table, f);
	w->live--;
}

static void end(struct world *w, struct forward *f, const uint8_t *b)
{
	static const uint8_t downstream[ATTRIBUTION_SIZE] = { 1 };
	struct forward_end e = { .kind = (enum forward_end_kind)(b[2] % 3), .reason = BYTES(b, b[3] % 5u) };

	if (f->state != FORWARD_OUT)
		return;
	if (b[3] & 8)
		e.attribution = BYTES_OF(downstream);
	e.code = e.kind == FORWARD_END_MALFORMED ? (uint16_t)(FAIL_BADONION | b[3]) : FAIL_TEMPORARY_CHANNEL_FAILURE;
	forward_fail(&w->table, f, &e);
	tell(w, f);
}

static void act(struct world *w, const uint8_t *b)
{
	struct forward_htlc in = { 1 + (b[1] & 3), b[1] >> 2, MSAT(5), 100 }, out = { 1 + (b[2] & 3), b[3] & 15, MSAT(4), 60 };
	struct forward *by_in = forward_by_in(&w->table, in.channel_key, in.id), *by_out = forward_by_out(&w->table, out.channel_key, out.id);
	struct secret32 secret = { { b[3] } };
	const struct pubkey from = { { 2, b[1] & 3 } };
	struct sha256 hash = { { b[0] } };
	uint32_t at = 0;

	switch (b[0] % 5) {
	case 0:
		ASSERT(!forward_add(&w->table, &from, &in, &out, &hash, b[0] & 0x80 ? &secret : NULL) == (by_in || by_out));
		w->live += !by_in && !by_out;
		break;
	case 1: /* a preimage */
		if (by_out) {
			ASSERT(by_out->state == FORWARD_OUT);
			forward_over(&w->table, by_out);
			w->live--;
		}
		break;
	case 2:
		if (by_out)
			end(w, by_out, b);
		break;
	case 3: /* the onion is open again */
		if (by_in) {
			by_in->has_secret = true;
			by_in->secret = secret;
			tell(w, by_in);
		}
		break;
	default: /* a restart: only what is out is still known, and no secret */
		while ((by_in = forward_next(&w->table, &at))) {
			by_in->has_secret = false;
			if (by_in->state != FORWARD_FAILED)
				continue;
			forward_over(&w->table, by_in);
			w->live--;
		}
	}
	forwards_check(&w->table);
	ASSERT(forwards_count(&w->table) == w->live);
}

/* What a peer has earned is read or refused, and changes nothing that must hold. */
static void read_earned(struct bytes value)
{
	const struct pubkey peer = { { 2 } };
	struct slots s = { .earned = 0 };

	slots_init(&s, seed);
	if (slots_load(&s, BYTES_OF(peer.v), value)) {
		ASSERT(!slots_load(&s, BYTES_OF(peer.v), value));
		(void)slots_has_earned(&s, &peer, 1, UINT64_MAX);
		slots_learn(&s, &peer, MSAT(UINT64_MAX), true, UINT64_MAX, 1);
	}
	slots_release(&s);
}

/* What is stored: any bytes are read or refused, and what is read is written the same. */
static void stored(const uint8_t *data, size_t size)
{
	struct channel_terms terms;
	struct history_entry entry;
	struct buf again = BUF_EMPTY;
	uint8_t key[8] = { 0 };

	if (terms_decode(BYTES(data, size), &terms)) {
		ASSERT(terms.before_count <= POLICY_BEFORE_MAX);
		terms_encode(&terms, &again);
		ASSERT(terms_decode(buf_view(&again), &terms));
	}
	buf_clear(&again);
	if (history_decode(BYTES_OF(key), BYTES(data, size), &entry)) {
		history_encode(&entry, &again);
		ASSERT(bytes_equal(buf_view(&again), BYTES(data, size)));
	}
	buf_release(&again);
	read_earned(BYTES(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { 0 };

	stored(data, size);
	if (size >= 39)
		judge(data);
	forwards_init(&w.table, seed);
	for (; size >= 4; data += 4, size -= 4)
		act(&w, data);
	forwards_release(&w.table);
	return 0;
}
