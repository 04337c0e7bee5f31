/* From a rate to a transaction: by the signer, and with the wallet where a claim cannot pay for itself. */
#include "onchain/state.h"

#include <string.h>

/* The wallet is asked for half as much so often, at most: down from any rate to the relay fee. */
#define ATTEMPTS_MAX 34u

/* --- what is signed --- */

static enum spend_kind spend_kind_of(const struct onchain *o, uint32_t output)
{
	switch (o->ways[output].kind) {
	case WAY_DELAYED:
		return o->outputs[output].what == ONCHAIN_STAGE_OURS ? SPEND_HTLC_DELAYED : SPEND_TO_LOCAL_DELAYED;
	case WAY_TO_REMOTE_STATIC:
		return SPEND_TO_REMOTE_STATIC;
	case WAY_TO_REMOTE_ANCHORS:
		return SPEND_TO_REMOTE_ANCHOR;
	case WAY_REVOKED_DELAYED:
	case WAY_REVOKED_HTLC:
		return SPEND_REVOKED;
	case WAY_PREIMAGE:
	case WAY_TIMEOUT:
		return SPEND_HTLC_REMOTE;
	case WAY_HTLC_TIMEOUT:
	case WAY_HTLC_SUCCESS:
		return SPEND_HTLC_LOCAL;
	case WAY_NONE:
		break;
	}
	UNREACHABLE();
}

static void signing_input(const struct onchain *o, struct step *s, struct spend_input *in, uint32_t output, uint32_t input)
{
	const struct way *w = &o->ways[output];

	in->kind = spend_kind_of(o, output);
	in->channel_key = o->record->key;
	in->per_commitment_point = o->terms.point;
	in->commitment_number = o->terms.number;
	if (in->kind == SPEND_REVOKED)
		in->remote_secret = o->terms.secret;
	in->amount = o->outputs[output].amount;
	in->input = input;
	in->hash_type = SIGHASH_ALL;
	if (w->kind == WAY_TO_REMOTE_STATIC)
		in->witness_script = script_code_p2wpkh(&s->out->arena, &o->record->side[SIDE_LOCAL].points.payment);
	else
		in->witness_script = arena_bytes(&s->out->arena, w->witness_script);
}

/* Our inputs come first, in the order of the claim's outputs. */
static void ask_signer(struct onchain *o, struct step *s, struct claim *c)
{
	struct sign_request *r = step_sign_request(s, SIGN_SPEND, o->record->key, &o->record->peer);

	r->u.spend.tx = tx_copy(&s->out->arena, c->tx);
	r->u.spend.inputs = ARENA_ARRAY(&s->out->arena, struct spend_input, c->count);
	r->u.spend.count = c->count;
	for (uint32_t i = 0; i < c->count; i++)
		signing_input(o, s, &r->u.spend.inputs[i], c->outputs[i], i);
	c->making = SIGNING;
	c->ask = step_ask(s, OWNER_SWEEP, o->record->key);
	effect_sign(s->out, c->ask, r);
}

/* --- transactions that pay for themselves --- */

static void make_sweep(struct onchain *o, struct step *s, struct claim *c)
{
	struct sweep_input *in = ARENA_ARRAY(&c->signing, struct sweep_input, c->count);

	for (uint32_t i = 0; i < c->count; i++)
		in[i] = onchain_sweep(o, c->outputs[i]);
	c->new_fee = fee_of_weight(c->wanted, claim_weight(o, c));
	c->tx = sweep_build(&c->signing, in, c->count, o->destination, c->new_fee, script_dust_limit(o->destination), 0);
	if (c->tx)
		ask_signer(o, s, c);
}

/* The second stage as the peer signed it: BOLT 3 "HTLC-Timeout and HTLC-Success Transactions". */
static struct htlc_tx stage_of(const struct onchain *o, struct arena *a, uint32_t output)
{
	const struct way *w = &o->ways[output];
	bool success = w->kind == WAY_HTLC_SUCCESS, anchors = o->terms.type == COMMITMENT_ANCHORS;
	struct htlc_tx h = {
		.success = success,
		.type = o->terms.type,
		.input_script = w->witness_script,
		.input_amount = o->outputs[output].amount,
		.output_script = o->terms.stage_script,
		.tx = tx_new(a, 2, 1, 1, success ? 0 : o->outputs[output].cltv_expiry),
	};

	h.tx->inputs[0].prev = o->outputs[output].outpoint;
	h.tx->inputs[0].sequence = anchors ? 1 : 0;
	h.tx->outputs[0] = (struct tx_output){ o->outputs[output].amount, script_p2wsh(a, o->terms.stage_script) };
	return h;
}

/* The fee of a static_remotekey channel's HTLC transaction follows from the rate of its commitment. */
static struct feerate commitment_rate(const struct onchain *o)
{
	return channel_record_feerate(o->record, VIEW_LOCAL);
}

static void make_static_stage(struct onchain *o, struct step *s, struct claim *c)
{
	struct htlc_tx h = stage_of(o, &c->signing, c->outputs[0]);

	c->wanted = commitment_rate(o);
	c->new_fee = h.success ? htlc_success_fee(o->terms.type, c->wanted) : htlc_timeout_fee(o->terms.type, c->wanted);
	if (!sat_sub(&h.tx->outputs[0].amount, h.input_amount, c->new_fee))
		return; /* Never: it would have been trimmed. */
	c->tx = h.tx;
	ask_signer(o, s, c);
}

/* --- transactions that the wallet pays for --- */

/* The wallet is asked for confirmed coins first, then for any, then for less and less. */
static struct feerate rate_of_attempt(const struct claim *c)
{
	uint32_t halvings = c->attempt > 1 ? c->attempt - 1 : 0;

	return FEERATE(halvings > 31 ? 0 : c->wanted.per_kw >> halvings);
}

static void fill_stage(struct onchain *o, struct step *s, struct claim *c, struct funds_request *r)
{
	struct arena *a = &s->out->arena;

	r->inputs = ARENA_ARRAY(a, struct funds_input, c->count);
	r->outputs = ARENA_ARRAY(a, struct funds_output, c->count);
	r->input_count = r->output_count = c->count;
	for (uint32_t i = 0; i < c->count; i++) {
		struct htlc_tx h = stage_of(o, a, c->outputs[i]);
		uint64_t fixed = htlc_tx_weight(h.type, h.success);
		struct tx frame = *h.tx;

		frame.inputs[0].witness_count = 0;
		r->inputs[i] = (struct funds_input){
			.prev = h.tx->inputs[0].prev,
			.amount = h.input_amount,
			.script = script_p2wsh(a, h.input_script),
			.sequence = h.tx->inputs[0].sequence,
			/* What BOLT 3 expects of the whole, less what is not the witness, less the segwit marker. */
			.witness_weight = (uint32_t)(fixed - tx_weight(&frame) - 2),
		};
		r->outputs[i] = (struct funds_output){ .script = h.tx->outputs[0].script, .amount = h.tx->outputs[0].amount };
		r->has_locktime = true;
		r->locktime = h.tx->locktime;
	}
}

/* B5.generation_of_htlc_transactions.1 */
static void ask_wallet(struct onchain *o, struct step *s, struct claim *c)
{
	struct funds_request *r = step_funds_request(s, FUNDS_BUILD);

	fill_stage(o, s, c, r);
	c->new_reservation = step_reservation(s);
	r->reservation = c->new_reservation;
	r->feerate = rate_of_attempt(c);
	r->min_confirmations = c->attempt == 0 || c->replaces ? 1 : 0;
	r->replaces = c->replaces;
	c->making = BUILDING;
	c->ask = step_ask(s, OWNER_SWEEP, o->record->key);
	effect_funds(s->out, c->ask, r);
}

void claim_make(struct onchain *o, struct step *s, struct claim *c, struct feerate rate)
{
	ASSERT(c->making == RESTING);
	arena_reset(&c->signing);
	c->tx = NULL;
	c->wanted = rate;
	c->attempt = 0;
	c->replaces = c->reservation;
	if (!way_is_stage(o->ways[c->outputs[0]].kind))
		make_sweep(o, s, c);
	else if (o->terms.type == COMMITMENT_STATIC_REMOTEKEY)
		make_static_stage(o, s, c);
	else
		ask_wallet(o, s, c);
}

static void tell_wallet(struct step *s, enum funds_kind kind, uint64_t reservation)
{
	struct funds_request *r = step_funds_request(s, kind);

	r->reservation = reservation;
	effect_funds(s->out, 0, r);
}

void claim_abort(struct onchain *o, struct step *s, struct claim *c)
{
	(void)o;
	if (c->new_reservation)
		tell_wallet(s, FUNDS_RELEASE, c->new_reservation);
	c->new_reservation = 0;
	c->making = RESTING;
	c->ask = 0;
	c->tx = NULL;
}

/* --- answers --- */

static struct claim *asked(const struct onchain *o, uint64_t id)
{
	struct claim *c = o->claims;

	while (c && !(c->ask && c->ask == id))
		c = c->next;
	return c;
}

static void set_stage_witness(struct onchain *o, struct claim *c, uint32_t i)
{
	struct htlc_tx h = stage_of(o, &c->signing, c->outputs[i]);
	const struct way *w = &o->ways[c->outputs[i]];

	htlc_tx_set_witness(&c->signing, &h, c->tx, i, &w->countersignature, &c->signatures[i],
			    h.success ? &w->preimage : NULL);
}

static void set_witnesses(struct onchain *o, struct claim *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (way_is_stage(o->ways[c->outputs[i]].kind)) {
			set_stage_witness(o, c, i);
		} else {
			struct sweep_input in = onchain_sweep(o, c->outputs[i]);

			sweep_set_witness(&c->signing, &in, c->tx, i, &c->signatures[i]);
		}
	}
}

static void tell_user(const struct onchain *o, const struct step *s, const struct claim *c)
{
	struct amount_sat value = SAT(0);
	char txid[65];

	txid_to_hex(txid, &c->txid);
	for (uint32_t i = 0; i < c->count; i++)
		ASSERT(sat_add(&value, value, o->outputs[c->outputs[i]].amount));
	log_write(s->log, LOG_INFO, "onchain", "claiming %u output%s of %llu sat, %s, with %s at %u sat per 1000 weight, to be in block %u",
		  c->count, c->count == 1 ? "" : "s", (unsigned long long)value.v,
		  onchain_what_words(o->outputs[c->outputs[0]].what), txid, c->feerate.per_kw, claim_deadline(o, c));
}

/* It is whole: what it replaces goes, and it goes out. */
static void send_out(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c)
{
	struct buf raw = BUF_EMPTY;
	struct txid old = c->txid;
	bool replaces = c->out;

	set_witnesses(o, c);
	c->txid = tx_id(c->tx);
	c->out = true;
	c->feerate = c->wanted;
	c->fee = c->new_fee;
	c->height = s->height;
	if (c->new_reservation) {
		tell_wallet(s, FUNDS_SPENT, c->new_reservation);
		c->reservation = c->new_reservation;
		c->new_reservation = 0;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct onchain_output *v = &o->outputs[c->outputs[i]];

		v->claim = c->txid;
		v->claim_feerate = c->feerate;
		v->claim_height = c->height;
		o->ways[c->outputs[i]].floor = c->feerate;
	}
	if (replaces && !SAME(old, c->txid)) /* INV-O1 */
		onchain_note(s, notes, ONCHAIN_NOTE_WITHDRAW)->txid = old;
	tx_encode(c->tx, &raw);
	onchain_note(s, notes, ONCHAIN_NOTE_BROADCAST)->tx = arena_bytes(&s->out->arena, buf_view(&raw));
	buf_release(&raw);
	tell_user(o, s, c);
	c->making = RESTING;
	c->ask = 0;
	c->poor = false;
	c->tx = NULL;
	arena_reset(&c->signing);
	onchain_persist(o, s);
}

/* A claim that is not out is nothing: its outputs are gathered again at the next block. */
static void give_up(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c)
{
	claim_abort(o, s, c);
	if (!c->out)
		onchain_break_claim(o, s, notes, c);
}

bool onchain_signed(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct sign_answer *answer)
{
	struct claim *c = asked(o, id);

	if (!c || c->making != SIGNING)
		return false;
	c->ask = 0;
	if (answer->refused || answer->signature_count != c->count) {
		log_write(s->log, LOG_ERROR, "onchain", "the signer does not sign a claim: %s",
			  answer->refused ? answer->reason : "not one signature for each input");
		give_up(o, s, notes, c);
		return true;
	}
	c->signatures = arena_copy(&c->signing, answer->signatures, c->count * sizeof(*c->signatures));
	if (!c->new_reservation) {
		send_out(o, s, notes, c);
		return true;
	}
	c->making = FINISHING;
	c->ask = step_ask(s, OWNER_SWEEP, o->record->key);
	{
		struct funds_request *r = step_funds_request(s, FUNDS_SIGN);

		r->reservation = c->new_reservation;
		effect_funds(s->out, c->ask, r);
	}
	return true;
}

/* What the wallet made must be what was ordered: the peer's signatures bind input i to output i. */
static bool is_as_ordered(const struct onchain *o, struct arena *a, const struct claim *c, const struct tx *t)
{
	if (!t || t->input_count <= c->count || t->output_count < c->count)
		return false;
	for (uint32_t i = 0; i < c->count; i++) {
		struct htlc_tx h = stage_of(o, a, c->outputs[i]);

		if (!outpoint_equal(&t->inputs[i].prev, &h.tx->inputs[0].prev) || t->version != h.tx->version ||
		    t->inputs[i].sequence != h.tx->inputs[0].sequence || t->locktime != h.tx->locktime ||
		    sat_cmp(t->outputs[i].amount, h.tx->outputs[0].amount) != 0 ||
		    !bytes_equal(t->outputs[i].script, h.tx->outputs[0].script))
			return false;
	}
	return true;
}

/* The wallet refused.  What is to be replaced may be dead or have children: then a conflict without its coins will
 * do.  If it lacks coins, less may still confirm. */
static void ask_for_less(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c, const char *why)
{
	c->new_reservation = 0;
	if (c->replaces)
		c->replaces = 0;
	else
		c->attempt++;
	/* Nothing below what is out already. */
	if (c->attempt < ATTEMPTS_MAX && rate_of_attempt(c).per_kw >= FEERATE_FLOOR_PER_KW &&
	    (!c->out || rate_of_attempt(c).per_kw >= c->feerate.per_kw + BUMP_STEP_PER_KW)) {
		ask_wallet(o, s, c);
		return;
	}
	if (!c->poor)
		log_write(s->log, LOG_ERROR, "onchain", "an HTLC cannot be claimed: the wallet pays no fee for it: %s (it is asked again at each block)", why);
	c->poor = true;
	c->making = RESTING;
	c->ask = 0;
	(void)notes;
}

static void take_built(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c,
		       const struct funds_answer *answer)
{
	struct cursor bytes = cursor_of(answer->tx);
	struct tx *t = answer->failed ? NULL : tx_decode_stripped(&c->signing, &bytes);

	if (answer->failed) {
		ask_for_less(o, s, notes, c, answer->reason);
		return;
	}
	if (!is_as_ordered(o, &s->out->arena, c, t)) {
		log_write(s->log, LOG_ERROR, "onchain", "the wallet built another HTLC transaction than it was asked for");
		give_up(o, s, notes, c);
		return;
	}
	c->wanted = rate_of_attempt(c);
	c->new_fee = answer->fee;
	c->tx = t;
	ask_signer(o, s, c);
}

static void take_finished(struct onchain *o, struct step *s, struct onchain_notes *notes, struct claim *c,
			  const struct funds_answer *answer)
{
	struct tx *t = answer->failed ? NULL : tx_parse(&c->signing, answer->tx);

	if (!is_as_ordered(o, &s->out->arena, c, t)) {
		log_write(s->log, LOG_ERROR, "onchain", "the wallet does not sign an HTLC transaction: %s",
			  answer->failed ? answer->reason : "it is another one");
		give_up(o, s, notes, c);
		return;
	}
	c->tx = t;
	send_out(o, s, notes, c);
}

bool onchain_funded(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct funds_answer *answer)
{
	struct claim *c = asked(o, id);

	if (!c || (c->making != BUILDING && c->making != FINISHING))
		return false;
	c->ask = 0;
	if (c->making == BUILDING)
		take_built(o, s, notes, c, answer);
	else
		take_finished(o, s, notes, c, answer);
	return true;
}
