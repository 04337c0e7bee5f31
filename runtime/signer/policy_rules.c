#include "runtime/signer/policy_rules.h"

#include "contract/closing.h"
#include "contract/htlc_tx.h"
#include "crypto/hash.h"

/* A witness of a swept input, roughly: enough for a bound on its fee. */
#define SPEND_WITNESS_WEIGHT 300u

static bool same_points(const struct basepoints *a, const struct basepoints *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* --- What any commitment must be --- */

/* P-4: nothing appears and nothing is lost between balances and HTLCs. */
static bool amounts_add_up(const struct commitment_spec *spec)
{
	struct amount_msat sum, capacity;

	if (!sat_to_msat(&capacity, spec->funding_amount) ||
	    !msat_add(&sum, spec->broadcaster_balance, spec->countersignatory_balance))
		return false;
	for (uint32_t i = 0; i < spec->htlc_count; i++)
		if (!msat_add(&sum, sum, spec->htlcs[i].amount))
			return false;
	return msat_cmp(sum, capacity) == 0;
}

static const char *check_bounds(const struct policy_limits *limits, enum side owner,
				const struct commitment_spec *spec)
{
	if (spec->feerate.per_kw < limits->feerate_min.per_kw || spec->feerate.per_kw > limits->feerate_max.per_kw)
		return "the feerate is out of bounds";
	if (SAT_LESS(limits->dust_limit_max, spec->dust_limit))
		return "the dust limit is too high";
	if (owner == SIDE_LOCAL && spec->to_self_delay > limits->our_delay_max)
		return "our money would be delayed for too long";
	if (owner == SIDE_REMOTE && spec->to_self_delay < limits->their_delay_min)
		return "the peer's delay leaves no time to punish it";
	return NULL;
}

static bool local_is_opener(enum side owner, const struct commitment_spec *spec)
{
	return spec->broadcaster_is_opener == (owner == SIDE_LOCAL);
}

static bool terms_match(const struct policy_terms *t, enum side owner, const struct commitment_spec *spec)
{
	const struct basepoints *local = owner == SIDE_LOCAL ? spec->broadcaster : spec->countersignatory;
	const struct basepoints *remote = owner == SIDE_LOCAL ? spec->countersignatory : spec->broadcaster;

	if (t->known && (t->type != spec->type || !outpoint_equal(&t->funding, &spec->funding) ||
			 sat_cmp(t->funding_amount, spec->funding_amount) != 0 ||
			 t->local_is_opener != local_is_opener(owner, spec) ||
			 !same_points(&t->points[SIDE_LOCAL], local) || !same_points(&t->points[SIDE_REMOTE], remote)))
		return false;
	return !t->side_known[owner] || (sat_cmp(t->dust_limit[owner], spec->dust_limit) == 0 &&
					 t->to_self_delay[owner] == spec->to_self_delay);
}

static void keep_terms(struct policy_terms *t, enum side owner, const struct commitment_spec *spec)
{
	t->known = true;
	t->side_known[owner] = true;
	t->type = spec->type;
	t->funding = spec->funding;
	t->funding_amount = spec->funding_amount;
	t->local_is_opener = local_is_opener(owner, spec);
	t->points[owner] = *spec->broadcaster;
	t->points[side_other(owner)] = *spec->countersignatory;
	t->dust_limit[owner] = spec->dust_limit;
	t->to_self_delay[owner] = spec->to_self_delay;
}

/* P-4 */
static const char *check_identity(const struct policy_channel *ch, enum side owner,
				  const struct commitment_spec *spec)
{
	const struct basepoints *local = owner == SIDE_LOCAL ? spec->broadcaster : spec->countersignatory;

	if (ch->has_points && !same_points(&ch->terms.points[SIDE_LOCAL], local))
		return "the commitment is not to our keys";
	if (!terms_match(&ch->terms, owner, spec))
		return "the channel's terms have changed";
	if (!amounts_add_up(spec))
		return "balances and HTLCs do not add up to the channel";
	return NULL;
}

/* A commitment that is new. */
static const char *check_commitment(const struct policy_channel *ch, const struct policy_limits *limits,
				    enum side owner, const struct commitment_spec *spec)
{
	const char *why = check_identity(ch, owner, spec);

	return why ? why : check_bounds(limits, owner, spec);
}

static void keep_view(struct policy_channel *ch, enum side owner, const struct commitment_spec *spec)
{
	ch->view[owner] = (struct policy_view){
		.known = true,
		.balance = owner == SIDE_LOCAL ? spec->broadcaster_balance : spec->countersignatory_balance,
		.htlc_count = spec->htlc_count,
	};
}

/* --- The remote's commitment --- */

/* Of everything that gets signed: the commitment, and each HTLC transaction. */
static struct sha256 fingerprint_of(struct arena *scratch, const struct commitment *c)
{
	struct sha256 *hashes = ARENA_ARRAY(scratch, struct sha256, c->htlc_count);
	struct sha256_state s;

	htlc_tx_countersign_hashes(scratch, c, hashes);
	sha256_init_state(&s);
	sha256_add(&s, c->sighash.v, sizeof(c->sighash.v));
	sha256_add(&s, hashes, c->htlc_count * sizeof(hashes[0]));
	return sha256_finish(&s);
}

/* P-3: the secret of number - 2 is on the table.  Its point is unknown only just after a restart. */
static bool previous_is_revoked(const struct policy_channel *ch, struct memo *memo, uint64_t number,
				const struct secret32 *revoked)
{
	if (number < 2)
		return true;
	if (!revoked || !seckey_valid(revoked))
		return false;
	return !ch->has_previous_point || memo_secret(memo, revoked, &ch->remote_previous_point);
}

static const char *check_remote_number(const struct policy_channel *ch, struct memo *memo,
				       const struct sign_request *r, const struct sha256 *fingerprint)
{
	uint64_t number = r->u.commitment->number;

	if (!ch->remote_known)
		return ch->fresh && number != 0 ? "the first remote commitment is number 0" : NULL;
	if (number == ch->remote_number)
		return SAME(*fingerprint, ch->remote_fingerprint) ? NULL :
		       "another remote commitment of this number is signed already";
	if (number < ch->remote_number)
		return "a later remote commitment is signed already";
	if (number != ch->remote_number + 1)
		return "the remote commitment skips a number";
	if (!previous_is_revoked(ch, memo, number, r->remote_revoked))
		return "the peer has not revoked the commitment before the last";
	return NULL;
}

static void keep_remote(struct policy_channel *ch, const struct commitment_spec *spec,
			const struct sha256 *fingerprint)
{
	bool next = ch->remote_known && spec->number == ch->remote_number + 1;

	if (next) {
		ch->remote_previous_point = ch->remote_point;
		ch->has_previous_point = true;
	}
	ch->remote_known = true;
	ch->remote_number = spec->number;
	ch->remote_point = spec->per_commitment_point;
	ch->remote_fingerprint = *fingerprint;
	keep_terms(&ch->terms, SIDE_REMOTE, spec);
	keep_view(ch, SIDE_REMOTE, spec);
}

/* The keys are not taken from the core: they are those of this commitment's own points. */
static struct commitment *build(struct arena *scratch, struct memo *memo, const struct commitment_spec *spec)
{
	struct commitment_spec own = *spec;
	struct commitment_keys keys;

	own.keys = &keys;
	if (!memo_keys(memo, &keys, spec->broadcaster, spec->countersignatory, &spec->per_commitment_point))
		return NULL;
	return commitment_build(scratch, &own);
}

const char *policy_check_remote(struct policy_channel *ch, const struct policy_limits *limits, struct arena *scratch,
				const struct sign_request *r, struct commitment_keys *keys)
{
	const struct commitment_spec *spec = r->u.commitment;
	const char *why = check_commitment(ch, limits, SIDE_REMOTE, spec);
	const struct commitment *c;
	struct sha256 fingerprint;

	if (why)
		return why;
	c = build(scratch, limits->memo, spec);
	if (!c)
		return "the remote commitment cannot be built";
	fingerprint = fingerprint_of(scratch, c);
	why = check_remote_number(ch, limits->memo, r, &fingerprint);
	if (why)
		return why;
	*keys = c->keys;
	keep_remote(ch, spec, &fingerprint);
	return NULL;
}

/* --- Our own commitment --- */

const char *policy_check_local(struct policy_channel *ch, const struct commitment_spec *spec)
{
	/* No bounds: it was judged when it came to be, and now it is all that we have. */
	const char *why = check_identity(ch, SIDE_LOCAL, spec);

	if (why)
		return why;
	/* B5.revoked_transaction_close_handling.1: the peer would take everything */
	if (ch->local_known && spec->number < ch->next_release)
		return "our commitment of this number is revoked";
	/* Countersigned is at most the one that replaces the current one. */
	if (ch->local_known && spec->number > ch->next_release + 1)
		return "our commitment of this number does not exist yet";
	if (!ch->broadcast || spec->number < ch->broadcast_number)
		ch->broadcast_number = spec->number;
	ch->broadcast = true;
	keep_terms(&ch->terms, SIDE_LOCAL, spec);
	keep_view(ch, SIDE_LOCAL, spec);
	return NULL;
}

static const char *check_signatures(struct arena *scratch, struct memo *memo, const struct sign_revoke *revoke)
{
	const struct commitment *c = build(scratch, memo, revoke->next);
	struct verify_item *items;
	struct sha256 *hashes;

	if (!c)
		return "our next commitment cannot be built";
	if (c->htlc_count != revoke->htlc_signature_count)
		return "our next commitment lacks HTLC signatures";
	hashes = ARENA_ARRAY(scratch, struct sha256, c->htlc_count);
	htlc_tx_countersign_hashes(scratch, c, hashes);
	items = ARENA_ARRAY(scratch, struct verify_item, c->htlc_count + 1);
	items[0] = (struct verify_item){ .sig = &revoke->signature, .hash = &c->sighash, .key = &c->countersignatory_funding };
	for (uint32_t i = 0; i < c->htlc_count; i++)
		items[i + 1] = (struct verify_item){ .sig = &revoke->htlc_signatures[i], .hash = &hashes[i],
						     .key = &c->keys.countersignatory_htlc };
	memo_verify_batch(memo, items, c->htlc_count + 1);
	if (!items[0].good)
		return "our next commitment is not countersigned";
	for (uint32_t i = 0; i < c->htlc_count; i++)
		if (!items[i + 1].good)
			return "an HTLC of our next commitment is not countersigned";
	return NULL;
}

static bool point_is_known_wrong(const struct policy_channel *ch, const struct commitment_spec *spec)
{
	uint32_t slot = spec->number % ARRAY_COUNT(ch->local_points);

	return ch->local_points[slot].known && ch->local_points[slot].number == spec->number &&
	       !SAME(ch->local_points[slot].point, spec->per_commitment_point);
}

/* P-2 */
static const char *check_successor(const struct policy_channel *ch, const struct policy_limits *limits,
				   struct arena *scratch, const struct sign_revoke *revoke)
{
	const char *why;

	if (!revoke->next)
		return "nothing replaces the commitment";
	if (revoke->next->number != revoke->number + 1)
		return "what replaces the commitment is not the next one";
	if (point_is_known_wrong(ch, revoke->next))
		return "our next commitment is not at our point";
	why = check_commitment(ch, limits, SIDE_LOCAL, revoke->next);
	if (why)
		return why;
	return limits->verify_signatures ? check_signatures(scratch, limits->memo, revoke) : NULL;
}

const char *policy_check_revoke(struct policy_channel *ch, const struct policy_limits *limits, struct arena *scratch,
				const struct sign_revoke *revoke)
{
	const char *why;

	/* The last secret again, after a reconnection: the peer may have it already. */
	if (ch->local_known && revoke->number + 1 == ch->next_release)
		return NULL;
	/* P-2: the peer could punish what is on its way into a block. */
	if (ch->broadcast && revoke->number >= ch->broadcast_number)
		return "our commitment is signed for broadcast";
	/* P-1 */
	if (ch->local_known ? revoke->number != ch->next_release : ch->fresh && revoke->number != 0)
		return "secrets are released in order";
	why = check_successor(ch, limits, scratch, revoke);
	if (why)
		return why;
	ch->local_known = true;
	ch->next_release = revoke->number + 1;
	keep_terms(&ch->terms, SIDE_LOCAL, revoke->next);
	keep_view(ch, SIDE_LOCAL, revoke->next);
	return NULL;
}

/* --- Closing --- */

struct close_terms {
	struct amount_sat ours, theirs; /* what each may have, ours rounded down and theirs up */
	struct amount_sat fee_max;
};

/* The least that the last commitments give us; false if HTLCs are left. */
static bool our_balance(const struct policy_channel *ch, const struct sign_request *r, struct amount_msat *out)
{
	bool known = false;

	/* Just after a restart there is nothing but the core's word. */
	*out = r->u.mutual_close.local_balance;
	for (int side = 0; side < 2; side++) {
		if (!ch->view[side].known)
			continue;
		if (ch->view[side].htlc_count)
			return false;
		*out = known ? msat_min(*out, ch->view[side].balance) : ch->view[side].balance;
		known = true;
	}
	return true;
}

static struct amount_sat close_fee_max(const struct policy_limits *limits, const struct tx *t)
{
	size_t first = t->output_count > 0 ? t->outputs[0].script.size : 0;
	size_t second = t->output_count > 1 ? t->outputs[1].script.size : 0;

	return fee_of_weight(limits->feerate_max, closing_weight(first, second));
}

/* Our output is there with its amount, and so is the peer's, and nothing else. */
static bool outputs_are_those(const struct sign_request *r)
{
	const struct tx *t = r->u.mutual_close.tx;
	uint32_t want = (r->u.mutual_close.to_local.v != 0) + (r->u.mutual_close.to_remote.v != 0);
	bool ours_seen = r->u.mutual_close.to_local.v == 0, theirs_seen = r->u.mutual_close.to_remote.v == 0;

	for (uint32_t i = 0; i < t->output_count; i++) {
		const struct tx_output *o = &t->outputs[i];

		if (!ours_seen && bytes_equal(o->script, r->u.mutual_close.local_script) &&
		    sat_cmp(o->amount, r->u.mutual_close.to_local) == 0)
			ours_seen = true;
		else if (!theirs_seen && sat_cmp(o->amount, r->u.mutual_close.to_remote) == 0)
			theirs_seen = true;
		else
			return false;
	}
	/* Each was one of those wanted, and none twice. */
	return t->output_count == want;
}

/* P-5 */
static const char *check_shares(const struct policy_limits *limits, const struct sign_request *r,
				const struct close_terms *terms)
{
	struct amount_sat spent, fee, slack = limits->dust_limit_max, least;

	if (SAT_LESS(terms->theirs, r->u.mutual_close.to_remote))
		return "the close gives the peer more than its balance";
	least = r->u.mutual_close.local_pays_fee ? sat_sub_or_zero(terms->ours, terms->fee_max) : terms->ours;
	/* An output may be left out when it is dust. */
	if (r->u.mutual_close.to_local.v == 0)
		least = sat_sub_or_zero(least, slack);
	if (SAT_LESS(r->u.mutual_close.to_local, least))
		return "the close gives us less than our balance";
	if (!sat_add(&spent, r->u.mutual_close.to_local, r->u.mutual_close.to_remote) ||
	    !sat_sub(&fee, r->u.mutual_close.funding_amount, spent))
		return "the close spends more than the channel has";
	/* Either output may have been dropped. */
	if (!sat_add(&slack, slack, slack) || !sat_add(&slack, slack, terms->fee_max) || SAT_LESS(slack, fee))
		return "the fee of the close is out of bounds";
	return NULL;
}

const char *policy_check_close(const struct policy_channel *ch, const struct policy_limits *limits,
			       const struct sign_request *r)
{
	const struct tx *t = r->u.mutual_close.tx;
	struct amount_msat balance, capacity, rest;
	struct close_terms terms;

	if (t->input_count != 1 || (ch->terms.known && !outpoint_equal(&t->inputs[0].prev, &ch->terms.funding)))
		return "the close does not spend this channel";
	if (ch->terms.known && (sat_cmp(ch->terms.funding_amount, r->u.mutual_close.funding_amount) != 0 ||
				ch->terms.local_is_opener != r->u.mutual_close.local_pays_fee ||
				!SAME(ch->terms.points[SIDE_REMOTE].funding, r->u.mutual_close.remote_funding)))
		return "the channel's terms have changed";
	if (!outputs_are_those(r))
		return "the close has other outputs than it says";
	if (!our_balance(ch, r, &balance))
		return "HTLCs are pending";
	if (!sat_to_msat(&capacity, r->u.mutual_close.funding_amount) || !msat_sub(&rest, capacity, balance))
		return "our balance exceeds the channel";
	terms.ours = msat_to_sat(balance);
	terms.theirs = msat_to_sat_up(rest);
	terms.fee_max = close_fee_max(limits, t);
	return check_shares(limits, r, &terms);
}

/* --- Spends --- */

const char *policy_check_spend_input(const struct policy_channel *ch, const struct spend_input *in)
{
	/* The second stage of a revoked commitment: what it gains the peer takes, and the rest with it. */
	if (in->kind == SPEND_HTLC_LOCAL && ch->local_known && in->commitment_number < ch->next_release)
		return "our commitment of this number is revoked";
	return NULL;
}

const char *policy_check_spend_fee(const struct policy_limits *limits, const struct sign_request *r)
{
	const struct tx *t = r->u.spend.tx;
	struct amount_sat in = SAT(0), out = SAT(0), fee, high;

	/* The wallet's own inputs stand beside ours: their amounts are not known here. */
	if (r->u.spend.count != t->input_count)
		return NULL;
	for (uint32_t i = 0; i < r->u.spend.count; i++)
		if (!sat_add(&in, in, r->u.spend.inputs[i].amount))
			return "the amounts overflow";
	for (uint32_t i = 0; i < t->output_count; i++)
		if (!sat_add(&out, out, t->outputs[i].amount))
			return "the amounts overflow";
	if (!sat_sub(&fee, in, out))
		return "the spend pays more than its inputs hold";
	high = fee_of_weight(limits->feerate_max, tx_weight(t) + (uint64_t)SPEND_WITNESS_WEIGHT * t->input_count);
	/* A claim under a deadline may be worth any rate, but not most of what it claims. */
	if (SAT_LESS(high, fee) && SAT_LESS(out, fee))
		return "the fee of the spend is out of bounds";
	return NULL;
}

/* --- What the inner signer says --- */

void policy_learn_points(struct policy_channel *ch, const struct basepoints *points)
{
	ch->terms.points[SIDE_LOCAL] = *points;
	ch->has_points = true;
}

void policy_learn_point(struct policy_channel *ch, uint64_t number, const struct pubkey *point)
{
	uint32_t slot = number % ARRAY_COUNT(ch->local_points);

	ch->local_points[slot].known = true;
	ch->local_points[slot].number = number;
	ch->local_points[slot].point = *point;
}
