/* A revoked commitment: with the secret that the peer revealed, every output of it is ours.
 *
 * Balances and fee rate of that time are not kept, so the transaction is not built again: each output is recognised
 * by its script.  The HTLCs that it had are those of today and the traces of those that are gone, which the store
 * brings in pieces. */
#include "onchain/state.h"

#include "crypto/keys.h"

/* HTLC ids of one piece: below FETCH_RECORDS_MAX. */
#define PIECE_SHIFT 16u
#define PIECE_KEY_SIZE (8u + 1u + 6u)

/* Not in constant time: the secret is revealed. */
static bool point_of(struct pubkey *out, const struct secret32 *secret)
{
	static const struct pubkey generator = { {
		0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
		0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
	} };

	return pubkey_mul(out, &generator, secret->v);
}

/* The keys of their commitment of that number, of which we have the secret. */
static bool derive(struct onchain *o, const struct shachain *secrets, uint64_t number, struct commitment_keys *keys)
{
	const struct channel_record *r = o->record;
	struct pubkey point;

	if (!secrets || number > SHACHAIN_FIRST || !shachain_get(secrets, SHACHAIN_FIRST - number, &o->terms.secret) ||
	    !seckey_valid(&o->terms.secret) || !point_of(&point, &o->terms.secret))
		return false;
	return commitment_keys_of(keys, SIDE_REMOTE, &r->side[SIDE_LOCAL].points, &r->side[SIDE_REMOTE].points, &point);
}

static void take_terms(struct onchain *o, struct step *s, const struct commitment_keys *keys)
{
	struct terms *t = &o->terms;

	t->to_self_delay = o->record->side[SIDE_LOCAL].to_self_delay;
	t->point = keys->per_commitment_point;
	t->delayed = keys->broadcaster_delayed;
	t->htlc = keys->countersignatory_htlc;
	t->revocation = keys->revocation;
	t->revoked = true;
	t->stage_script = arena_bytes(&o->memory, to_local_witness_script(&s->out->arena, &keys->revocation,
									  &keys->broadcaster_delayed, t->to_self_delay));
}

/* B5.revoked_transaction_close_handling.2 */
static void find_to_local(struct onchain *o, struct step *s, const struct tx *t)
{
	struct bytes script = script_p2wsh(&s->out->arena, o->terms.stage_script);

	for (uint32_t i = 0; i < o->count; i++) {
		if (o->outputs[i].what != ONCHAIN_OTHER || !bytes_equal(t->outputs[i].script, script))
			continue;
		o->outputs[i].what = ONCHAIN_TO_THEM;
		onchain_own(o, i, WAY_REVOKED_DELAYED, o->terms.stage_script);
	}
}

static struct bytes htlc_script(const struct onchain *o, struct arena *a, const struct commitment_keys *keys,
				const struct htlc_past *h)
{
	if (h->owner == SIDE_REMOTE)
		return offered_htlc_witness_script(a, o->terms.type, keys, &h->payment_hash);
	return received_htlc_witness_script(a, o->terms.type, keys, &h->payment_hash, h->cltv_expiry);
}

/* The output that is this HTLC's, if there is one; of twins the first that is not another's.  NOWHERE: none. */
static uint32_t match(struct onchain *o, struct arena *a, const struct commitment_keys *keys, const struct htlc_past *h)
{
	struct bytes script = BYTES_NONE, pays = BYTES_NONE;

	for (uint32_t i = 0; i < o->base_count; i++) {
		struct onchain_output *v = &o->outputs[i];

		if (v->what != ONCHAIN_OTHER || sat_cmp(v->amount, msat_to_sat(h->amount)) != 0)
			continue;
		if (!script.size) {
			script = htlc_script(o, a, keys, h);
			pays = script_p2wsh(a, script);
		}
		if (!bytes_equal(o->ways[i].witness_script, pays))
			continue;
		v->what = h->owner == SIDE_LOCAL ? ONCHAIN_HTLC_OURS : ONCHAIN_HTLC_THEIRS;
		v->htlc_id = h->id;
		v->cltv_expiry = h->cltv_expiry;
		o->ways[i].payment_hash = h->payment_hash;
		/* B5.revoked_transaction_close_handling.3, B5.revoked_transaction_close_handling.6 */
		onchain_own(o, i, WAY_REVOKED_HTLC, script);
		return i;
	}
	return NOWHERE;
}

static void match_live(struct onchain *o, struct step *s, const struct commitment_keys *keys, const struct onchain_facts *facts)
{
	for (uint32_t i = 0; i < facts->live_count; i++) {
		uint32_t output = match(o, &s->out->arena, keys, &facts->live[i]);

		for (uint32_t j = 0; facts->live[i].owner == SIDE_LOCAL && j < o->offered_count; j++)
			if (o->offered[j].htlc.id == facts->live[i].id)
				o->offered[j].output = output;
	}
}

void onchain_revoked(struct onchain *o, struct step *s, const struct onchain_facts *facts, uint64_t number)
{
	struct commitment_keys keys;

	for (uint32_t i = 0; i < o->offered_count; i++) {
		o->offered[i].output = NOWHERE;
		o->offered[i].depth = ONCHAIN_REASONABLE_DEPTH_BLOCKS;
	}
	o->terms.number = number;
	if (!derive(o, facts->secrets, number, &keys)) {
		log_write(s->log, LOG_ERROR, "onchain", "the secret of the revoked commitment %llu is missing: no penalty can be taken",
			  (unsigned long long)number);
		mem_wipe(&o->terms.secret, sizeof(o->terms.secret));
		return;
	}
	take_terms(o, s, &keys);
	find_to_local(o, s, facts->spend);
	/* Until it is known what they are, their scripts are kept. */
	for (uint32_t i = 0; i < o->count; i++)
		if (o->outputs[i].what == ONCHAIN_OTHER)
			o->ways[i].witness_script = arena_bytes(&o->memory, facts->spend->outputs[i].script);
	match_live(o, s, &keys, facts);
	o->past_known = false;
}

/* --- what is gone since then --- */

static bool has_unknown_outputs(const struct onchain *o)
{
	for (uint32_t i = 0; i < o->base_count; i++)
		if (o->outputs[i].what == ONCHAIN_OTHER)
			return true;
	return false;
}

void onchain_ask_past(struct onchain *o, struct step *s)
{
	uint8_t key[17];

	if (o->past_known || o->past_ask)
		return;
	if (!has_unknown_outputs(o)) {
		o->past_known = true;
		return;
	}
	htlc_record_key(key, o->record->key, o->past_side, o->past_piece << PIECE_SHIFT);
	o->past_ask = step_ask(s, OWNER_PAST, o->record->key);
	effect_fetch(s->out, o->past_ask, RECORD_HTLC_PAST, BYTES(key, PIECE_KEY_SIZE));
}

/* False: that was the last piece. */
static bool next_piece(struct onchain *o)
{
	if (o->past_piece < o->record->next_htlc_id[o->past_side] >> PIECE_SHIFT) {
		o->past_piece++;
		return true;
	}
	o->past_piece = 0;
	if (o->past_side == SIDE_REMOTE)
		return false;
	o->past_side = SIDE_REMOTE;
	return true;
}

static bool keys_again(const struct onchain *o, struct commitment_keys *keys)
{
	const struct channel_record *r = o->record;

	return commitment_keys_of(keys, SIDE_REMOTE, &r->side[SIDE_LOCAL].points, &r->side[SIDE_REMOTE].points, &o->terms.point);
}

static void match_past(struct onchain *o, struct step *s, const struct fetched *records, uint32_t count)
{
	struct commitment_keys keys;
	struct arena scratch;

	if (!keys_again(o, &keys))
		return;
	arena_init(&scratch);
	for (uint32_t i = 0; i < count; i++) {
		struct htlc_past h;

		if (!htlc_past_decode(records[i].key, records[i].value, &h)) {
			log_write(s->log, LOG_ERROR, "onchain", "the trace of an HTLC is damaged: a penalty may be missed");
			continue;
		}
		if (h.remote_first > o->terms.number || h.remote_last < o->terms.number)
			continue;
		(void)match(o, &scratch, &keys, &h);
		arena_reset(&scratch);
	}
	arena_release(&scratch);
}

bool onchain_fetched(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		     const struct fetched *records, uint32_t count)
{
	if (!o->past_ask || o->past_ask != id)
		return false;
	o->past_ask = 0;
	match_past(o, s, records, count);
	if (!has_unknown_outputs(o) || !next_piece(o))
		o->past_known = true;
	else
		onchain_ask_past(o, s);
	/* What was found before a crash is found again, unless it was claimed: that is stored with the claim. */
	onchain_claim_due(o, s, notes);
	if (!o->past_known)
		return true;
	onchain_persist(o, s);
	if (has_unknown_outputs(o))
		log_write(s->log, LOG_WARN, "onchain", "a revoked commitment has outputs that fit no HTLC that we know");
	return true;
}
