/* What open_channel and accept_channel must obey, and what both sides of an
 * opening share: BOLT 2 "Channel Establishment v1". */
#include <stdarg.h>
#include <stdio.h>

#include "channel/machine.h"
#include "contract/closing.h"
#include "crypto/hash.h"
#include "wire/features.h"

/* NULL if what the peer announced is acceptable, else why not. */
const char *terms_peer_side(const struct channel_policy *p, const struct channel_side *theirs, struct amount_sat funding)
{
	struct amount_msat capacity = msat_of_sat(funding);

	/* "The receiving node MUST fail the channel if dust_limit_satoshis is smaller than 354 satoshis" */
	if (SAT_LESS(theirs->dust_limit, SAT(DUST_LIMIT_MIN_SAT)))
		return "dust_limit_satoshis is below 354";
	if (SAT_LESS(p->dust_limit_max, theirs->dust_limit))
		return "dust_limit_satoshis is too large";
	/* B2.open_channel.28 */
	if (theirs->max_accepted_htlcs > ACCEPTED_HTLCS_MAX)
		return "max_accepted_htlcs is above 483";
	if (theirs->max_accepted_htlcs < p->peer_accepted_htlcs_min)
		return "max_accepted_htlcs is too small";
	/* B2.open_channel.27 */
	if (theirs->to_self_delay > p->to_self_delay_max)
		return "to_self_delay is unreasonably large";
	if (MSAT_LESS(p->htlc_minimum_max, theirs->htlc_minimum))
		return "htlc_minimum_msat is too large";
	if (MSAT_LESS(theirs->max_in_flight, msat_ppm(capacity, p->peer_in_flight_min_ppm)))
		return "max_htlc_value_in_flight_msat is too small";
	/* Also so that no later sum with it can overflow. */
	if (SAT_LESS(funding, theirs->reserve))
		return "channel_reserve_satoshis is above funding_satoshis";
	if (MSAT_LESS(msat_ppm(capacity, p->peer_reserve_max_ppm), msat_of_sat(theirs->reserve)) &&
	    SAT_LESS(p->dust_limit_max, theirs->reserve))
		return "channel_reserve_satoshis is too large";
	return NULL;
}

/* NULL if the first commitment can be paid for and somebody owns something worth having, else why not. */
const char *terms_balances(const struct terms *t)
{
	struct amount_msat opener, cost, rest;
	struct amount_sat reserve = t->opener->reserve;

	if (SAT_LESS(t->funding, t->opener->reserve) || SAT_LESS(t->funding, t->accepter->reserve))
		return "the channel reserve is above the channel's amount";
	/* B2.open_channel.4, B2.open_channel.26 */
	if (!msat_sub(&opener, msat_of_sat(t->funding), t->push))
		return "push_msat is above funding_satoshis";
	cost = msat_of_sat(commitment_cost(t->type, t->feerate, 0));
	/* "the funder's amount for the initial commitment transaction is not sufficient for full fee payment" */
	if (!msat_sub(&rest, opener, cost))
		return "the funder cannot pay the fee of the first commitment";
	/* "both to_local and to_remote amounts for the initial commitment transaction are less than or equal to
	 * channel_reserve_satoshis" */
	if (SAT_LESS(reserve, t->accepter->reserve))
		reserve = t->accepter->reserve;
	if (!MSAT_LESS(msat_of_sat(reserve), rest) && !MSAT_LESS(msat_of_sat(reserve), t->push))
		return "both sides would start at or below the channel reserve";
	return NULL;
}

/* B2.open_channel.30 */
bool terms_points_valid(const struct basepoints *b, const struct pubkey *first)
{
	return pubkey_valid(&b->funding) && pubkey_valid(&b->revocation) && pubkey_valid(&b->payment) &&
	       pubkey_valid(&b->delayed_payment) && pubkey_valid(&b->htlc) && pubkey_valid(first);
}

static bool negotiated(const struct channel_open_args *args, enum feature f)
{
	return features_negotiated(args->our_features, args->their_features, f);
}

struct channel *channel_new_opening(struct step *s, const struct channel_open_args *args)
{
	struct channel *ch = channel_new(args->policy, args->key);
	struct channel_side *ours = &ch->r.side[SIDE_LOCAL];

	ch->r.state = OPENINGD;
	ch->r.peer = args->peer;
	ch->connection = args->connection;
	ch->anysegwit = negotiated(args, FEATURE_SHUTDOWN_ANYSEGWIT);
	ch->upfront_shutdown = negotiated(args, FEATURE_UPFRONT_SHUTDOWN_SCRIPT);
	ch->attribution_offered = features_offered(args->our_features, FEATURE_ATTRIBUTION_DATA);
	ch->scid_alias_negotiated = negotiated(args, FEATURE_SCID_ALIAS);
	ch->open = NEW(struct opening);
	ch->open->deadline_ms = s->now_ms + args->policy->opening_timeout_ms;
	ch->open->has_minimum_depth = args->has_minimum_depth;
	ch->open->minimum_depth = args->minimum_depth;
	ours->dust_limit = args->policy->dust_limit;
	ours->htlc_minimum = args->policy->htlc_minimum; /* B2.open_channel.19 */
	ours->max_accepted_htlcs = args->policy->max_accepted_htlcs;
	ours->to_self_delay = args->policy->to_self_delay; /* B2.open_channel.15 */
	ASSERT(channel_script_set(&ours->upfront_shutdown, args->upfront_shutdown));
	return ch;
}

/* Nothing is at stake and nothing is stored: the channel never was. */
void opening_failed(struct channel *ch, struct step *s, struct channel_notes *notes, bool tell, const char *fmt, ...)
{
	char text[CHANNEL_WORDS_MAX];
	va_list ap;

	ASSERT(ch->r.state == OPENINGD);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	channel_log(ch, s, LOG_INFO, "opening failed: %s", text);
	if (tell)
		channel_send_error(ch, s, text);
	channel_note(ch, s, notes, CHANNEL_NOTE_FORGOTTEN)->text = arena_string(&s->out->arena, text);
	channel_unask(ch);
	ch->dead = true;
}

/* B2.funding_signed.2: the big-endian exclusive-or of txid and output index */
static struct channel_id id_of(const struct outpoint *funding)
{
	struct channel_id id;

	memcpy(id.v, funding->txid.v, sizeof(id.v));
	id.v[30] ^= (uint8_t)(funding->index >> 8);
	id.v[31] ^= (uint8_t)funding->index;
	return id;
}

bool opening_id_is_zero(const struct outpoint *funding)
{
	struct channel_id id = id_of(funding);

	return bytes_all_zero(BYTES_OF(id.v));
}

void opening_identify(struct channel *ch, struct step *s, struct channel_notes *notes, const struct outpoint *funding)
{
	struct channel_note *n = channel_note(ch, s, notes, CHANNEL_NOTE_ID);

	n->old_id = ch->r.id;
	ch->r.funding = *funding;
	ch->r.id = id_of(funding);
}

void opening_set_balances(struct channel *ch, struct amount_msat push, struct feerate rate)
{
	enum side opener = ch->r.opener;

	ch->r.pushed = push;
	ASSERT(msat_sub(&ch->r.settled[opener], msat_of_sat(ch->r.funding_amount), push));
	ch->r.settled[side_other(opener)] = push;
	ch->r.feerates[4] = rate;
	ch->r.balance_min = ch->r.balance_max = ch->r.settled[SIDE_LOCAL];
	balances_start(ch);
}

void opening_ask_signature(struct channel *ch, struct step *s)
{
	struct sign_request *r = channel_request(ch, s, SIGN_REMOTE_COMMITMENT);

	r->u.commitment = channel_spec(ch, VIEW_REMOTE, 0, &ch->r.remote_points[0], &s->out->arena);
	ch->open->phase = OPEN_SIGNING;
	channel_ask(ch, s, ASK_FUNDING, r);
}

bool opening_take_signature(struct channel *ch, struct step *s, const struct sig64 *sig)
{
	struct arena a;
	const char *why;
	bool ok;

	arena_init(&a);
	ok = commit_verify(ch, s, &a, channel_spec(ch, VIEW_LOCAL, 0, &ch->r.local_points[0], &a), sig, NULL, 0, &why);
	arena_release(&a);
	if (!ok)
		return false;
	ch->sigs.number = 0;
	ch->sigs.signature = *sig;
	ch->sigs_dirty = true;
	return true;
}

/* From here on the channel is remembered. */
void opening_done(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	ch->r.first_height = s->height;
	ch->link = LINK_UP;
	ch->record_dirty = ch->secrets_dirty = true;
	mem_free(ch->open);
	ch->open = NULL;
	channel_to(ch, s, notes, CHANNELD_AWAITING_LOCKIN);
	channel_note(ch, s, notes, CHANNEL_NOTE_WATCH_FUNDING);
}
