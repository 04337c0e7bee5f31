/*   asleep <---> awake: resting -> BUILDING by the wallet -> SIGNING -> FINISHING by the wallet -> resting, child out
 *
 * INV-A1  At most one child is out: the one before is withdrawn in the step that brings the next.
 * INV-A2  The schedule's anchor never moves: not with a replacement, a restart or a reorganisation. */
#include "onchain/anchor.h"

#include <string.h>

#include "contract/sweep.h"
#include "onchain/bump.h"

#define ANCHOR_VERSION 1
/* The wallet's part of the child, for the schedule: a P2WPKH input with its witness, a P2TR output, the frame. */
#define WALLET_WEIGHT (4u * 41u + 108u + 4u * 43u + 4u * 10u + 2u)
#define ATTEMPTS_MAX 34u
/* Our balance is not lost by waiting: this part of it may be spent on a commitment without HTLCs. */
#define BALANCE_SHARE 10u

enum making { RESTING, BUILDING, SIGNING, FINISHING };

struct anchor {
	const struct channel_record *record;
	/* Stored. */
	struct txid commitment;
	uint32_t output;
	uint64_t weight;                  /* of the commitment */
	struct amount_sat parent_fee;
	uint32_t start;                   /* INV-A2 */
	bool out;
	struct txid child;
	struct feerate feerate, floor;
	struct amount_sat fee;
	uint32_t height;
	uint64_t reservation;
	/* Not stored. */
	bool awake, poor;
	struct anchor_stake stake;
	enum making making;
	uint64_t ask, new_reservation, replaces;
	struct feerate wanted;
	uint32_t attempt;
	struct amount_sat new_fee;
	struct sig64 signature;
	struct tx *tx;                    /* in `memory` */
	struct arena memory;
};

/* --- the record --- */

static void persist(const struct anchor *a, struct step *s)
{
	struct buf b = BUF_EMPTY;
	uint8_t key[8];

	buf_add_u8(&b, ANCHOR_VERSION);
	buf_add(&b, a->commitment.v, 32);
	buf_add_be32(&b, a->output);
	buf_add_be32(&b, (uint32_t)a->weight);
	buf_add_be64(&b, a->parent_fee.v);
	buf_add_be32(&b, a->start);
	buf_add_be32(&b, a->floor.per_kw);
	buf_add_u8(&b, a->out);
	if (a->out) {
		buf_add(&b, a->child.v, 32);
		buf_add_be32(&b, a->feerate.per_kw);
		buf_add_be64(&b, a->fee.v);
		buf_add_be32(&b, a->height);
		buf_add_be64(&b, a->reservation);
	}
	channel_record_key(key, a->record->key);
	effect_persist(s->out, RECORD_ANCHOR, BYTES_OF(key), buf_view(&b));
	buf_release(&b);
}

static struct anchor *alloc(const struct channel_record *r)
{
	struct anchor *a = NEW(struct anchor);

	a->record = r;
	arena_init(&a->memory);
	return a;
}

struct anchor *anchor_load(const struct channel_record *r, struct bytes value)
{
	struct cursor c = cursor_of(value);
	struct anchor *a = alloc(r);
	uint8_t version = cursor_u8(&c), out;

	cursor_copy(&c, a->commitment.v, 32);
	a->output = cursor_be32(&c);
	a->weight = cursor_be32(&c);
	a->parent_fee = SAT(cursor_be64(&c));
	a->start = cursor_be32(&c);
	a->floor = FEERATE(cursor_be32(&c));
	out = cursor_u8(&c);
	a->out = out;
	if (out) {
		cursor_copy(&c, a->child.v, 32);
		a->feerate = FEERATE(cursor_be32(&c));
		a->fee = SAT(cursor_be64(&c));
		a->height = cursor_be32(&c);
		a->reservation = cursor_be64(&c);
	}
	if (cursor_done(&c) && version == ANCHOR_VERSION && out <= 1 && a->weight && a->parent_fee.v <= SUPPLY_SAT &&
	    a->feerate.per_kw <= UINT32_MAX / 2 && a->floor.per_kw <= UINT32_MAX / 2 &&
	    (!out || (a->height >= a->start && a->reservation)))
		return a;
	anchor_free(a);
	return NULL;
}

void anchor_free(struct anchor *a)
{
	if (!a)
		return;
	arena_release(&a->memory);
	mem_free(a);
}

/* --- what is spent --- */

static struct sweep_input input_of(const struct anchor *a, struct arena *scratch)
{
	const struct pubkey *funding = &a->record->side[SIDE_LOCAL].points.funding;

	return (struct sweep_input){
		.kind = SWEEP_ANCHOR,
		.type = a->record->type,
		.prev = { a->commitment, a->output },
		.amount = SAT(ANCHOR_SAT),
		.witness_script = anchor_witness_script(scratch, funding),
		.key = *funding,
	};
}

static bool find_anchor(struct anchor *a, struct arena *scratch, const struct tx *t)
{
	struct bytes script = script_p2wsh(scratch, anchor_witness_script(scratch, &a->record->side[SIDE_LOCAL].points.funding));

	for (uint32_t i = 0; i < t->output_count; i++)
		if (bytes_equal(t->outputs[i].script, script) && t->outputs[i].amount.v == ANCHOR_SAT) {
			a->output = i;
			return true;
		}
	return false;
}

/* What the commitment pays by itself. */
static void weigh(struct anchor *a, const struct tx *t)
{
	a->weight = tx_weight(t);
	a->parent_fee = a->record->funding_amount;
	for (uint32_t i = 0; i < t->output_count; i++)
		a->parent_fee = sat_sub_or_zero(a->parent_fee, t->outputs[i].amount);
}

/* --- how much --- */

static uint64_t both_weight(const struct anchor *a)
{
	struct arena scratch;
	struct sweep_input in;
	uint64_t weight;

	arena_init(&scratch);
	in = input_of(a, &scratch);
	weight = a->weight + sweep_input_weight(&in) + WALLET_WEIGHT;
	arena_release(&scratch);
	return weight;
}

static struct amount_sat budget(const struct anchor *a)
{
	return SAT(a->parent_fee.v + a->stake.htlcs.v / 2 + a->stake.balance.v / BALANCE_SHARE);
}

/* The commitment alone pays as much. */
static bool is_rich(const struct anchor *a, struct feerate rate)
{
	return a->parent_fee.v * 1000 >= (uint64_t)rate.per_kw * a->weight;
}

/* --- asking --- */

static void tell_wallet(struct step *s, enum funds_kind kind, uint64_t reservation)
{
	struct funds_request *r = step_funds_request(s, kind);

	r->reservation = reservation;
	effect_funds(s->out, 0, r);
}

static void give_up(struct anchor *a, struct step *s)
{
	if (a->new_reservation)
		tell_wallet(s, FUNDS_RELEASE, a->new_reservation);
	a->new_reservation = 0;
	a->making = RESTING;
	a->ask = 0;
	a->tx = NULL;
}

/* Confirmed coins first (a package holds no other unconfirmed parent), then any, then for less. */
static struct feerate rate_of_attempt(const struct anchor *a)
{
	uint32_t halvings = a->attempt > 1 ? a->attempt - 1 : 0;

	return FEERATE(halvings > 31 ? 0 : a->wanted.per_kw >> halvings);
}

static void ask_wallet(struct anchor *a, struct step *s)
{
	struct arena *arena = &s->out->arena;
	struct funds_request *r = step_funds_request(s, FUNDS_BUILD);
	struct sweep_input in = input_of(a, arena);

	a->new_reservation = step_reservation(s);
	r->reservation = a->new_reservation;
	r->inputs = ARENA_NEW(arena, struct funds_input);
	r->inputs[0] = (struct funds_input){
		.prev = in.prev,
		.amount = in.amount,
		.script = script_p2wsh(arena, in.witness_script),
		.sequence = sweep_sequence(&in),
		.witness_weight = (uint32_t)sweep_witness_weight(&in),
	};
	r->input_count = 1;
	r->feerate = rate_of_attempt(a);
	r->min_confirmations = a->attempt == 0 || a->replaces ? 1 : 0;
	r->parent_weight = a->weight;
	r->parent_fee = a->parent_fee;
	r->replaces = a->replaces;
	a->making = BUILDING;
	a->ask = step_ask(s, OWNER_SWEEP, a->record->key);
	effect_funds(s->out, a->ask, r);
}

static void ask_signer(struct anchor *a, struct step *s)
{
	struct arena *arena = &s->out->arena;
	struct sign_request *r = step_sign_request(s, SIGN_SPEND, a->record->key, &a->record->peer);
	struct sweep_input in = input_of(a, arena);

	r->u.spend.tx = tx_copy(arena, a->tx);
	r->u.spend.inputs = ARENA_NEW(arena, struct spend_input);
	r->u.spend.count = 1;
	r->u.spend.inputs[0] = (struct spend_input){
		.kind = SPEND_ANCHOR,
		.channel_key = a->record->key,
		.witness_script = in.witness_script,
		.amount = in.amount,
		.hash_type = SIGHASH_ALL,
	};
	a->making = SIGNING;
	a->ask = step_ask(s, OWNER_SWEEP, a->record->key);
	effect_sign(s->out, a->ask, r);
}

/* B5.failing_a_channel.5, B5.failing_a_channel.6 */
static void advance(struct anchor *a, struct step *s)
{
	struct bump b = {
		.start = a->start,
		.deadline = a->stake.deadline,
		.weight = both_weight(a),
		.budget = budget(a),
		.floor = a->floor,
		.paid = a->out ? a->feerate : FEERATE(0),
		.paid_height = a->height,
	};
	struct feerate rate;

	if (!a->awake || a->making != RESTING)
		return;
	rate = bump_next(&b, s->height, s->fees);
	if (!rate.per_kw || is_rich(a, rate))
		return;
	arena_reset(&a->memory);
	a->wanted = rate;
	a->attempt = 0;
	a->replaces = a->out ? a->reservation : 0;
	ask_wallet(a, s);
}

/* --- from outside --- */

struct anchor *anchor_new(struct step *s, const struct channel_record *r, struct onchain_notes *notes,
			  struct bytes commitment, const struct anchor_stake *stake)
{
	struct tx *t = tx_parse(&s->out->arena, commitment);
	struct anchor *a = alloc(r);

	ASSERT(t);
	if (r->type != COMMITMENT_ANCHORS || !find_anchor(a, &s->out->arena, t)) {
		anchor_free(a);
		return NULL;
	}
	a->commitment = tx_id(t);
	weigh(a, t);
	a->start = s->height;
	persist(a, s);
	anchor_wake(a, s, notes, stake);
	return a;
}

void anchor_wake(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct anchor_stake *stake)
{
	a->awake = true;
	anchor_advance(a, s, notes, stake);
}

void anchor_advance(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct anchor_stake *stake)
{
	(void)notes;
	a->stake = *stake;
	advance(a, s);
	anchor_check(a);
}

/* The child is not wanted any more. */
static void take_back(struct anchor *a, struct step *s, struct onchain_notes *notes)
{
	if (!a->out)
		return;
	onchain_note(s, notes, ONCHAIN_NOTE_WITHDRAW)->txid = a->child;
	tell_wallet(s, FUNDS_RELEASE, a->reservation);
	a->floor = a->feerate;
	a->out = false;
	a->reservation = 0;
	memset(&a->child, 0, sizeof(a->child));
}

void anchor_sleep(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct txid *spend)
{
	give_up(a, s);
	a->awake = false;
	if (!SAME(*spend, a->commitment))
		take_back(a, s, notes);
	persist(a, s);
	anchor_check(a);
}

void anchor_end(struct anchor *a, struct step *s, struct onchain_notes *notes)
{
	uint8_t key[8];

	give_up(a, s);
	take_back(a, s, notes);
	a->awake = false;
	channel_record_key(key, a->record->key);
	effect_remove(s->out, RECORD_ANCHOR, BYTES_OF(key));
}

/* --- answers --- */

/* What is to be replaced may be dead, or have children: then a conflict with other coins will do. */
static void ask_for_less(struct anchor *a, struct step *s, const char *why)
{
	a->new_reservation = 0;
	if (a->replaces)
		a->replaces = 0;
	else
		a->attempt++;
	if (a->attempt < ATTEMPTS_MAX && rate_of_attempt(a).per_kw >= FEERATE_FLOOR_PER_KW && !is_rich(a, rate_of_attempt(a)) &&
	    (!a->out || rate_of_attempt(a).per_kw >= a->feerate.per_kw + BUMP_STEP_PER_KW)) {
		ask_wallet(a, s);
		return;
	}
	if (!a->poor)
		log_write(s->log, LOG_ERROR, "onchain", "the wallet pays no fee for our commitment: %s (it is asked again at each block)", why);
	a->poor = true;
	a->making = RESTING;
	a->ask = 0;
}

static bool is_as_ordered(const struct anchor *a, const struct tx *t)
{
	return t && t->input_count >= 2 && t->output_count >= 1 && SAME(t->inputs[0].prev.txid, a->commitment) &&
	       t->inputs[0].prev.index == a->output;
}

static void take_built(struct anchor *a, struct step *s, const struct funds_answer *answer)
{
	struct cursor bytes = cursor_of(answer->tx);

	if (answer->failed) {
		ask_for_less(a, s, answer->reason);
		return;
	}
	a->tx = tx_decode_stripped(&a->memory, &bytes);
	if (!is_as_ordered(a, a->tx)) {
		log_write(s->log, LOG_ERROR, "onchain", "the wallet built another child of our commitment than it was asked for");
		give_up(a, s);
		return;
	}
	a->wanted = rate_of_attempt(a);
	a->new_fee = answer->fee;
	ask_signer(a, s);
}

static void send_out(struct anchor *a, struct step *s, struct onchain_notes *notes)
{
	struct sweep_input in = input_of(a, &a->memory);
	struct buf raw = BUF_EMPTY;
	struct onchain_note *n;
	char txid[65];

	sweep_set_witness(&a->memory, &in, a->tx, 0, &a->signature);
	tell_wallet(s, FUNDS_SPENT, a->new_reservation);
	if (a->out) /* INV-A1 */
		onchain_note(s, notes, ONCHAIN_NOTE_WITHDRAW)->txid = a->child;
	a->out = true;
	a->child = tx_id(a->tx);
	a->feerate = a->wanted;
	a->fee = a->new_fee;
	/* A reorganization may have taken blocks since it began: the schedule stays what it is (INV-A2). */
	a->height = s->height > a->start ? s->height : a->start;
	a->reservation = a->new_reservation;
	a->new_reservation = 0;
	a->poor = false;
	tx_encode(a->tx, &raw);
	n = onchain_note(s, notes, ONCHAIN_NOTE_BROADCAST);
	n->tx = arena_bytes(&s->out->arena, buf_view(&raw));
	n->has_parent = true;
	n->parent = a->commitment;
	buf_release(&raw);
	txid_to_hex(txid, &a->child);
	log_write(s->log, LOG_INFO, "onchain", "our commitment is paid for by %s: %llu sat, %u sat per 1000 weight for both, to be in block %u",
		  txid, (unsigned long long)a->fee.v, a->feerate.per_kw, a->stake.deadline);
	a->making = RESTING;
	a->ask = 0;
	a->tx = NULL;
	persist(a, s);
}

static void take_finished(struct anchor *a, struct step *s, struct onchain_notes *notes, const struct funds_answer *answer)
{
	struct tx *t = answer->failed ? NULL : tx_parse(&a->memory, answer->tx);

	if (!is_as_ordered(a, t)) {
		log_write(s->log, LOG_ERROR, "onchain", "the wallet does not sign the child of our commitment: %s",
			  answer->failed ? answer->reason : "it is another one");
		give_up(a, s);
		return;
	}
	a->tx = t;
	send_out(a, s, notes);
}

bool anchor_signed(struct anchor *a, struct step *s, struct onchain_notes *notes, uint64_t id, const struct sign_answer *answer)
{
	struct funds_request *r;

	(void)notes;
	if (!a->ask || a->ask != id || a->making != SIGNING)
		return false;
	if (answer->refused || answer->signature_count != 1) {
		log_write(s->log, LOG_ERROR, "onchain", "the signer does not sign the child of our commitment: %s",
			  answer->refused ? answer->reason : "not one signature");
		give_up(a, s);
		return true;
	}
	a->signature = answer->signatures[0];
	a->making = FINISHING;
	r = step_funds_request(s, FUNDS_SIGN);
	r->reservation = a->new_reservation;
	a->ask = step_ask(s, OWNER_SWEEP, a->record->key);
	effect_funds(s->out, a->ask, r);
	return true;
}

bool anchor_funded(struct anchor *a, struct step *s, struct onchain_notes *notes, uint64_t id, const struct funds_answer *answer)
{
	if (!a->ask || a->ask != id || (a->making != BUILDING && a->making != FINISHING))
		return false;
	a->ask = 0;
	if (a->making == BUILDING)
		take_built(a, s, answer);
	else
		take_finished(a, s, notes, answer);
	anchor_check(a);
	return true;
}

/* --- reading --- */

struct anchor_view anchor_view(const struct anchor *a)
{
	return (struct anchor_view){
		.outpoint = { a->commitment, a->output },
		.awake = a->awake,
		.deadline = a->stake.deadline,
		.child = a->child,
		.feerate = a->feerate,
		.fee = a->fee,
		.height = a->height,
	};
}

void anchor_check(const struct anchor *a)
{
	ASSERT((a->making == RESTING) == (a->ask == 0));
	ASSERT(a->new_reservation == 0 || a->making != RESTING);
	ASSERT(a->out == (a->reservation != 0)); /* INV-A1 */
	ASSERT(a->out || bytes_all_zero(BYTES_OF(a->child.v)));
	ASSERT(!a->out || a->height >= a->start); /* INV-A2 */
}
