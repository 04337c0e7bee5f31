#include "onchain/onchain.h"

#include <string.h>

#include "base/cursor.h"
#include "contract/sweep.h"
#include "crypto/hash.h"

/* INV-O1  Every output of ours is claimed by one transaction at a time, and persisted as spent only by what a
 *         block showed.
 * INV-O2  Nothing is settled before ONCHAIN_DEPTH_BLOCKS have passed over every spend that settles it. */

#define ONCHAIN_VERSION 1
#define ONCHAIN_OUTPUTS_MAX 1000u

/* One output of the spend, with what its claim needs.  The view is what listings see. */
struct claim {
	enum sweep_kind kind;         /* 0: not ours */
	enum commitment_type type;
	uint16_t to_self_delay;
	struct pubkey point, key;
	uint64_t number;
	struct bytes witness_script;  /* owned by `memory` */
	uint64_t ask;                 /* the signature that is waited for */
	struct tx *tx;                /* being signed; in `signing` */
	struct arena signing;
};

struct onchain {
	const struct channel_record *record;
	enum onchain_spend kind;
	uint32_t height;
	struct txid txid;
	struct bytes destination;
	struct onchain_output *outputs;
	struct claim *claims;
	uint32_t count;
	bool resolved;
	struct arena memory;
};

void onchain_notes_init(struct onchain_notes *notes)
{
	notes->head = NULL;
	notes->tail = &notes->head;
}

static struct onchain_note *note(struct step *s, struct onchain_notes *notes, enum onchain_note_kind kind)
{
	struct onchain_note *n = ARENA_NEW(&s->out->arena, struct onchain_note);

	n->kind = kind;
	*notes->tail = n;
	notes->tail = &n->next;
	return n;
}

/* --- the record --- */

static void persist(const struct onchain *o, struct step *s)
{
	struct buf b = BUF_EMPTY;
	uint8_t key[8];

	buf_add_u8(&b, ONCHAIN_VERSION);
	buf_add_u8(&b, (uint8_t)o->kind);
	buf_add_be32(&b, o->height);
	buf_add(&b, o->txid.v, 32);
	buf_add_be16(&b, (uint16_t)o->destination.size);
	buf_add_bytes(&b, o->destination);
	buf_add_be16(&b, (uint16_t)o->count);
	for (uint32_t i = 0; i < o->count; i++) {
		const struct onchain_output *v = &o->outputs[i];
		const struct claim *c = &o->claims[i];

		buf_add_be64(&b, v->amount.v);
		buf_add_u8(&b, (uint8_t)v->what);
		buf_add_be32(&b, v->spendable_height);
		buf_add_be32(&b, v->spent_height);
		buf_add(&b, v->claim.v, 32);
		buf_add_u8(&b, (uint8_t)c->kind);
		buf_add_u8(&b, (uint8_t)c->type);
		buf_add_be16(&b, c->to_self_delay);
		buf_add(&b, c->point.v, 33);
		buf_add(&b, c->key.v, 33);
		buf_add_be64(&b, c->number);
		buf_add_be16(&b, (uint16_t)c->witness_script.size);
		buf_add_bytes(&b, c->witness_script);
	}
	store_be64(key, o->record->key);
	effect_persist(s->out, RECORD_ONCHAIN, BYTES_OF(key), buf_view(&b));
	buf_release(&b);
}

static struct onchain *alloc(const struct channel_record *r, uint32_t count)
{
	struct onchain *o = NEW(struct onchain);

	o->record = r;
	arena_init(&o->memory);
	o->count = count;
	o->outputs = NEW_ARRAY(struct onchain_output, count);
	o->claims = NEW_ARRAY(struct claim, count);
	for (uint32_t i = 0; i < count; i++)
		arena_init(&o->claims[i].signing);
	return o;
}

void onchain_free(struct onchain *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; i < o->count; i++)
		arena_release(&o->claims[i].signing);
	arena_release(&o->memory);
	mem_free(o->outputs);
	mem_free(o->claims);
	mem_free(o);
}

static void load_output(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct onchain_output *v = &o->outputs[i];
	struct claim *k = &o->claims[i];

	v->outpoint = (struct outpoint){ o->txid, i };
	v->amount = SAT(cursor_be64(c));
	v->what = (enum onchain_what)cursor_u8(c);
	v->spendable_height = cursor_be32(c);
	v->spent_height = cursor_be32(c);
	cursor_copy(c, v->claim.v, 32);
	k->kind = (enum sweep_kind)cursor_u8(c);
	k->type = (enum commitment_type)cursor_u8(c);
	k->to_self_delay = cursor_be16(c);
	cursor_copy(c, k->point.v, 33);
	cursor_copy(c, k->key.v, 33);
	k->number = cursor_be64(c);
	k->witness_script = arena_bytes(&o->memory, cursor_bytes(c, cursor_be16(c)));
	v->ours = k->kind != 0;
}

struct onchain *onchain_load(const struct channel_record *r, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint8_t version = cursor_u8(&c), kind = cursor_u8(&c);
	uint32_t height = cursor_be32(&c), count;
	struct txid txid;
	struct bytes destination;
	struct onchain *o;

	cursor_copy(&c, txid.v, 32);
	destination = cursor_bytes(&c, cursor_be16(&c));
	count = cursor_be16(&c);
	if (!cursor_ok(&c) || version != ONCHAIN_VERSION || count > ONCHAIN_OUTPUTS_MAX)
		return NULL;
	o = alloc(r, count);
	o->kind = (enum onchain_spend)kind;
	o->height = height;
	o->txid = txid;
	o->destination = arena_bytes(&o->memory, destination);
	for (uint32_t i = 0; i < count; i++)
		load_output(o, i, &c);
	if (cursor_done(&c))
		return o;
	onchain_free(o);
	return NULL;
}

/* --- what it is --- */

static bool is_commitment(struct step *s, struct commitment_spec *spec, const struct txid *id, struct commitment **out)
{
	*out = spec ? commitment_build(&s->out->arena, spec) : NULL;
	return *out && SAME((*out)->txid, *id);
}

/* By its number alone: revoked, or from a future that we have forgotten. */
static enum onchain_spend by_number(const struct channel_record *r, const struct tx *t)
{
	uint64_t number;

	if (!commitment_number_of(t, channel_record_obscuring_factor(r), &number))
		return ONCHAIN_MUTUAL_CLOSE;
	if (number < r->remote_revoked)
		return ONCHAIN_THEIR_REVOKED_COMMITMENT;
	return number > r->remote_number ? ONCHAIN_THEIR_FUTURE_COMMITMENT : ONCHAIN_UNKNOWN;
}

/* A closing transaction pays nobody but the two shutdown scripts. */
static bool pays_only_shutdown_scripts(const struct channel_record *r, const struct tx *t)
{
	for (uint32_t i = 0; i < t->output_count; i++) {
		bool known = false;

		for (int side = 0; side < 2; side++) {
			known |= bytes_equal(t->outputs[i].script, channel_script_view(&r->side[side].shutdown));
			known |= bytes_equal(t->outputs[i].script, channel_script_view(&r->side[side].upfront_shutdown));
		}
		if (!known)
			return false;
	}
	return true;
}

static enum onchain_spend classify(struct step *s, const struct channel_record *r, const struct onchain_commitments *k,
				   const struct tx *t, struct commitment **out)
{
	struct txid id = tx_id(t);
	enum onchain_spend kind;

	if (is_commitment(s, k->local, &id, out))
		return ONCHAIN_OUR_COMMITMENT;
	if (is_commitment(s, k->remote, &id, out))
		return ONCHAIN_THEIR_COMMITMENT;
	if (is_commitment(s, k->remote_previous, &id, out))
		return ONCHAIN_THEIR_PREVIOUS_COMMITMENT;
	*out = NULL;
	kind = by_number(r, t);
	if (kind == ONCHAIN_MUTUAL_CLOSE && !pays_only_shutdown_scripts(r, t))
		return ONCHAIN_UNKNOWN;
	return kind;
}

/* --- what is ours in it --- */

static void own(struct onchain *o, const struct sweep_input *in, enum onchain_what what, uint64_t number)
{
	struct onchain_output *v = &o->outputs[in->prev.index];
	struct claim *c = &o->claims[in->prev.index];

	v->what = what;
	v->ours = true;
	/* A block at height h may hold a spend with relative delay d of an output of block h - d. */
	v->spendable_height = o->height + (sweep_sequence(in) & 0xffff);
	if (sweep_sequence(in) & 0x80000000u)
		v->spendable_height = o->height + 1;
	c->kind = in->kind;
	c->type = in->type;
	c->to_self_delay = in->to_self_delay;
	c->point = in->per_commitment_point;
	c->key = in->key;
	c->number = number;
	c->witness_script = arena_bytes(&o->memory, in->witness_script);
}

static void mark(struct onchain *o, uint32_t index, enum onchain_what what)
{
	if (index != COMMITMENT_NO_OUTPUT)
		o->outputs[index].what = what;
}

static void from_commitment(struct onchain *o, const struct commitment *c, uint64_t number)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT;
	struct sweep_input in;

	mark(o, c->local_anchor, ONCHAIN_ANCHOR);
	mark(o, c->remote_anchor, ONCHAIN_ANCHOR);
	mark(o, c->to_local, ours ? ONCHAIN_TO_US : ONCHAIN_TO_THEM);
	mark(o, c->to_remote, ours ? ONCHAIN_TO_THEM : ONCHAIN_TO_US);
	for (uint32_t i = 0; i < c->htlc_count; i++)
		mark(o, c->htlcs[i].index, ONCHAIN_HTLC);
	if (ours ? sweep_to_local(&in, c) : sweep_to_remote(&in, c))
		own(o, &in, ONCHAIN_TO_US, number);
}

/* A commitment that we cannot build any more still pays our payment basepoint. */
static void from_scripts(struct onchain *o, struct step *s, const struct tx *t)
{
	const struct channel_record *r = o->record;
	const struct pubkey *payment = &r->side[SIDE_LOCAL].points.payment;
	struct bytes script = to_remote_script_pubkey(&s->out->arena, r->type, payment);
	bool anchors = r->type == COMMITMENT_ANCHORS;

	for (uint32_t i = 0; i < t->output_count; i++) {
		struct sweep_input in = { .kind = anchors ? SWEEP_TO_REMOTE_ANCHORS : SWEEP_TO_REMOTE_STATIC, .type = r->type,
					  .prev = { o->txid, i }, .amount = t->outputs[i].amount, .key = *payment };

		if (!bytes_equal(t->outputs[i].script, script))
			continue;
		if (anchors)
			in.witness_script = to_remote_witness_script(&s->out->arena, payment);
		own(o, &in, ONCHAIN_TO_US, 0);
	}
}

static void watch(const struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count; i++)
		if (o->outputs[i].ours && !o->outputs[i].spent_height)
			effect_watch_outpoint(s->out, &o->outputs[i].outpoint);
}

static const char *kind_words(enum onchain_spend kind)
{
	switch (kind) {
	case ONCHAIN_MUTUAL_CLOSE:
		return "a mutual close";
	case ONCHAIN_OUR_COMMITMENT:
		return "our commitment";
	case ONCHAIN_THEIR_COMMITMENT:
		return "the peer's commitment";
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		return "the peer's previous commitment";
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
		return "a REVOKED commitment of the peer";
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
		return "a commitment of the peer that is newer than our data";
	case ONCHAIN_UNKNOWN:
		return "an unknown transaction";
	}
	UNREACHABLE();
}

struct onchain *onchain_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
			    const struct onchain_commitments *commitments, const struct tx *spend, uint32_t height,
			    struct bytes destination)
{
	struct onchain *o = alloc(r, spend->output_count < ONCHAIN_OUTPUTS_MAX ? spend->output_count : ONCHAIN_OUTPUTS_MAX);
	struct commitment *c;

	o->height = height;
	o->txid = tx_id(spend);
	o->destination = arena_bytes(&o->memory, destination);
	for (uint32_t i = 0; i < o->count; i++) {
		o->outputs[i].outpoint = (struct outpoint){ o->txid, i };
		o->outputs[i].amount = spend->outputs[i].amount;
		o->outputs[i].what = ONCHAIN_OTHER;
	}
	o->kind = classify(s, r, commitments, spend, &c);
	if (c)
		from_commitment(o, c, o->kind == ONCHAIN_OUR_COMMITMENT ? r->local_number : 0);
	else if (o->kind != ONCHAIN_MUTUAL_CLOSE)
		from_scripts(o, s, spend);
	log_write(s->log, o->kind >= ONCHAIN_THEIR_REVOKED_COMMITMENT ? LOG_WARN : LOG_INFO, "onchain",
		  "a channel's funding output was spent by %s", kind_words(o->kind));
	persist(o, s);
	onchain_start(o, s, notes);
	return o;
}

/* --- claiming --- */

static struct sweep_input input_of(const struct onchain *o, uint32_t i)
{
	const struct claim *c = &o->claims[i];

	return (struct sweep_input){ .kind = c->kind, .type = c->type, .prev = o->outputs[i].outpoint, .amount = o->outputs[i].amount,
				     .witness_script = c->witness_script, .to_self_delay = c->to_self_delay,
				     .per_commitment_point = c->point, .key = c->key };
}

static enum spend_kind spend_kind_of(enum sweep_kind kind)
{
	return kind == SWEEP_DELAYED ? SPEND_TO_LOCAL_DELAYED :
	       kind == SWEEP_TO_REMOTE_STATIC ? SPEND_TO_REMOTE_STATIC : SPEND_TO_REMOTE_ANCHOR;
}

static void ask(struct onchain *o, struct step *s, uint32_t i)
{
	struct claim *c = &o->claims[i];
	struct sweep_input in = input_of(o, i);
	struct feerate rate = s->fees[FEE_NORMAL].per_kw ? s->fees[FEE_NORMAL] : FEERATE(FEERATE_FLOOR_PER_KW);
	struct amount_sat fee = fee_of_weight(rate, sweep_weight(&in, 1, o->destination.size));
	struct sign_request *r;
	struct spend_input *input;

	arena_reset(&c->signing);
	c->tx = sweep_build(&c->signing, &in, 1, o->destination, fee, script_dust_limit(o->destination), 0);
	if (!c->tx) /* Worth less than its fee today: asked again at the next block. */
		return;
	r = step_sign_request(s, SIGN_SPEND, o->record->key, &o->record->peer);
	input = ARENA_NEW(&s->out->arena, struct spend_input);
	*input = (struct spend_input){ .kind = spend_kind_of(c->kind), .channel_key = o->record->key,
				       .per_commitment_point = c->point, .commitment_number = c->number,
				       .witness_script = c->kind == SWEEP_TO_REMOTE_STATIC ?
						script_code_p2wpkh(&s->out->arena, &c->key) :
						arena_bytes(&s->out->arena, c->witness_script),
				       .amount = in.amount, .hash_type = SIGHASH_ALL };
	r->u.spend.tx = c->tx;
	r->u.spend.inputs = input;
	r->u.spend.count = 1;
	c->ask = step_ask(s, OWNER_SWEEP, o->record->key);
	effect_sign(s->out, c->ask, r);
}

/* Everything that the next block may hold. */
static void claim_due(struct onchain *o, struct step *s)
{
	for (uint32_t i = 0; i < o->count; i++) {
		const struct onchain_output *v = &o->outputs[i];

		if (v->ours && !v->spent_height && !v->claiming && !o->claims[i].ask && o->destination.size &&
		    s->height + 1 >= v->spendable_height)
			ask(o, s, i);
	}
}

void onchain_start(struct onchain *o, struct step *s, struct onchain_notes *notes)
{
	(void)notes;
	watch(o, s);
	claim_due(o, s);
}

void onchain_signed(struct onchain *o, struct step *s, struct onchain_notes *notes, uint64_t id,
		    const struct sign_answer *answer)
{
	for (uint32_t i = 0; i < o->count; i++) {
		struct claim *c = &o->claims[i];
		struct sweep_input in = input_of(o, i);
		struct buf raw = BUF_EMPTY;

		if (!c->ask || c->ask != id)
			continue;
		c->ask = 0;
		if (answer->refused || answer->signature_count != 1) {
			log_write(s->log, LOG_ERROR, "onchain", "the signer does not sign a claim: %s",
				  answer->refused ? answer->reason : "no signature");
			return;
		}
		sweep_set_witness(&c->signing, &in, c->tx, 0, &answer->signatures[0]);
		o->outputs[i].claiming = true;
		o->outputs[i].claim = tx_id(c->tx);
		tx_encode(c->tx, &raw);
		note(s, notes, ONCHAIN_NOTE_BROADCAST)->tx = arena_bytes(&s->out->arena, buf_view(&raw));
		buf_release(&raw);
		persist(o, s);
		return;
	}
}

/* --- blocks --- */

void onchain_tx(struct onchain *o, struct step *s, struct onchain_notes *notes, const struct tx *t, uint32_t height)
{
	bool changed = false;

	(void)notes;
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct outpoint *p = &t->inputs[i].prev;

		if (!SAME(p->txid, o->txid) || p->index >= o->count || o->outputs[p->index].spent_height)
			continue;
		o->outputs[p->index].spent_height = height;
		o->outputs[p->index].claim = tx_id(t);
		changed = true;
	}
	if (changed)
		persist(o, s);
}

static bool settled(const struct onchain *o, uint32_t height)
{
	if (height + 1 < o->height + ONCHAIN_DEPTH_BLOCKS)
		return false;
	for (uint32_t i = 0; i < o->count; i++) {
		const struct onchain_output *v = &o->outputs[i];

		if (v->ours && (!v->spent_height || height + 1 < v->spent_height + ONCHAIN_DEPTH_BLOCKS))
			return false;
	}
	return true;
}

void onchain_block(struct onchain *o, struct step *s, struct onchain_notes *notes, uint32_t height)
{
	claim_due(o, s);
	if (o->resolved || !settled(o, height))
		return;
	o->resolved = true;
	note(s, notes, ONCHAIN_NOTE_RESOLVED);
}

bool onchain_undone(struct onchain *o, struct step *s, uint32_t height)
{
	bool changed = false;

	if (o->height == height)
		return true;
	for (uint32_t i = 0; i < o->count; i++) {
		if (o->outputs[i].spent_height != height)
			continue;
		o->outputs[i].spent_height = 0;
		o->outputs[i].claiming = false;
		changed = true;
	}
	if (changed)
		persist(o, s);
	return false;
}

enum onchain_spend onchain_kind(const struct onchain *o)
{
	return o->kind;
}

struct txid onchain_spend_txid(const struct onchain *o)
{
	return o->txid;
}

uint32_t onchain_height(const struct onchain *o)
{
	return o->height;
}

const struct onchain_output *onchain_outputs(const struct onchain *o, uint32_t *count)
{
	*count = o->count;
	return o->outputs;
}
