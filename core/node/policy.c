/* The terms of each channel for carrying HTLCs of others: what was set for it, else what the configuration says. */
#include "node/state.h"

#include <string.h>

#include "node/deadlines.h"
#include "node/view.h"

#define CLTV_DELTA_MAX 2016u

static struct forward_policy fallback(const struct node *n)
{
	const struct node_config *c = n->config;

	return (struct forward_policy){ c->forward_fee_base, c->forward_fee_ppm, c->forward_cltv_delta, c->forward_htlc_min,
					c->forward_htlc_max };
}

/* No more than the channel lets us send at once: all of it but what the peer makes us keep, and no more than it takes. */
static struct amount_msat htlc_most(const struct channel_record *r)
{
	const struct channel_side *theirs = &r->side[SIDE_REMOTE];

	return msat_min(msat_of_sat(sat_sub_or_zero(r->funding_amount, theirs->reserve)), theirs->max_in_flight);
}

static struct amount_msat most(struct amount_msat a, struct amount_msat b)
{
	return MSAT_LESS(a, b) ? b : a;
}

/* Safe as long as the chain is not reorganized. */
static bool is_tight(uint32_t cltv_delta)
{
	return cltv_delta < DEADLINE_CLTV_DELTA;
}

struct forward_policy node_channel_policy(const struct node *n, const struct node_channel *c)
{
	const struct forward_policy given = fallback(n);
	const struct channel_record *r = channel_record_of(c->channel);
	struct forward_policy p = policy_of_terms(c->terms, &given);

	p.htlc_min = most(p.htlc_min, r->side[SIDE_REMOTE].htlc_minimum);
	p.htlc_max = msat_min(p.htlc_max, htlc_most(r)); /* B7.channel_update.9, B7.channel_update.10 */
	/* Versions before this one took less. */
	if (p.cltv_delta < DEADLINE_CLTV_DELTA_MIN)
		p.cltv_delta = DEADLINE_CLTV_DELTA_MIN;
	return p;
}

uint32_t node_channel_policies(const struct node *n, const struct step *s, const struct node_channel *c,
			       struct forward_policy out[1 + POLICY_BEFORE_MAX])
{
	const struct forward_policy now = node_channel_policy(n, c);

	return terms_good(c->terms, &now, s->now_ms, out);
}

/* --- stored --- */

static struct channel_terms *terms_of(struct node_channel *c)
{
	if (!c->terms)
		c->terms = NEW(struct channel_terms);
	return c->terms;
}

static void persist(struct step *s, const struct node_channel *c)
{
	struct buf b = BUF_EMPTY;

	terms_encode(c->terms, &b);
	effect_persist(s->out, RECORD_POLICY, BYTES_OF(c->key), buf_view(&b));
	buf_release(&b);
}

bool node_terms_load(struct node_channel *c, struct bytes value)
{
	if (!terms_decode(value, terms_of(c)))
		return false;
	channel_ignore_fee_limits(c->channel, c->terms->ignore_fee_limits);
	return true;
}

void node_terms_forget(struct step *s, struct node_channel *c)
{
	if (!c->terms)
		return;
	effect_remove(s->out, RECORD_POLICY, BYTES_OF(c->key));
	mem_free(c->terms);
	c->terms = NULL;
}

/* What was announced before the configuration changed is good for as long as any change is (B7.channel_update.20). */
void node_policies_start(struct node *n, struct step *s)
{
	struct node_channel *c;
	uint32_t at = 0;

	if (is_tight(n->config->forward_cltv_delta))
		log_write(s->log, LOG_WARN, "forward", "the configuration's cltv_delta=%u is less than %u: a reorganization could cost a forwarded payment",
			  n->config->forward_cltv_delta, DEADLINE_CLTV_DELTA);
	while ((c = table_next(&n->channels, &at))) {
		struct forward_policy now = node_channel_policy(n, c), said;
		struct graph_policy p;

		if (!node_view_own_policy(n, c->channel, &p))
			continue;
		said = (struct forward_policy){ MSAT(p.fee_base_msat), p.fee_ppm, p.cltv_delta, p.htlc_minimum, p.htlc_maximum };
		if (!policy_same(&said, &now))
			terms_changed(terms_of(c), &said, s->now_ms, POLICY_GRACE_MS);
	}
}

/* --- setchannel --- */

MUST_USE static bool settable(const struct node_channel *c)
{
	enum channel_state state = channel_state_of(c->channel);

	return !c->dead && (state == CHANNELD_AWAITING_LOCKIN || state == CHANNELD_NORMAL);
}

/* NULL: the order makes sense for this channel. */
static const char *refusal(const struct node *n, const struct node_channel *c, const struct command *cmd)
{
	const struct forward_policy *own = &cmd->u.set_channel.own;
	struct channel_terms t = c->terms ? *c->terms : (struct channel_terms){ 0 };
	const struct forward_policy given = fallback(n);
	struct forward_policy p;
	uint8_t fields = cmd->u.set_channel.fields;

	if ((fields & POLICY_FEE_BASE) && own->fee_base.v > UINT32_MAX)
		return "a base fee is at most 4294967295 millisatoshi";
	if ((fields & POLICY_CLTV_DELTA) && own->cltv_delta < DEADLINE_CLTV_DELTA_MIN)
		return "cltvdelta is 28 at least: with less a preimage can come too late to be claimed upstream";
	if ((fields & POLICY_CLTV_DELTA) && own->cltv_delta > CLTV_DELTA_MAX)
		return "cltvdelta is 2016 at most";
	terms_set(&t, fields, own);
	p = policy_of_terms(&t, &given);
	if (MSAT_LESS(p.htlc_max, most(p.htlc_min, channel_record_of(c->channel)->side[SIDE_REMOTE].htlc_minimum)))
		return "htlcmax would be less than htlcmin";
	if (MSAT_LESS(htlc_most(channel_record_of(c->channel)), p.htlc_min))
		return "htlcmin would be more than the channel can carry";
	return NULL;
}

static void set_one(struct node *n, struct step *s, struct node_channel *c, const struct command *cmd, struct channel_set *out)
{
	const struct channel_record *r = channel_record_of(c->channel);
	const struct forward_policy before = node_channel_policy(n, c), *own = &cmd->u.set_channel.own;
	struct channel_terms *t = terms_of(c);
	uint8_t fields = cmd->u.set_channel.fields;
	struct forward_policy now;

	terms_set(t, fields, own);
	if (cmd->u.set_channel.has_ignore_fee_limits)
		t->ignore_fee_limits = cmd->u.set_channel.ignore_fee_limits;
	channel_ignore_fee_limits(c->channel, t->ignore_fee_limits);
	now = node_channel_policy(n, c);
	if (!policy_same(&before, &now))
		terms_changed(t, &before, s->now_ms, (uint64_t)cmd->u.set_channel.enforce_delay_s * 1000);
	persist(s, c);
	node_touch(n, c); /* and so the flush tells gossip */
	if (is_tight(now.cltv_delta))
		log_write(s->log, LOG_WARN, "forward", "cltv_delta=%u: fewer than %u blocks, a reorganization could cost a forwarded payment",
			  now.cltv_delta, DEADLINE_CLTV_DELTA);
	*out = (struct channel_set){
		.peer = r->peer,
		.id = r->id,
		.scid = r->scid,
		.policy = now,
		.ignore_fee_limits = t->ignore_fee_limits,
		.htlc_min_raised = (fields & POLICY_HTLC_MIN) && MSAT_LESS(own->htlc_min, now.htlc_min),
		.htlc_max_cut = (fields & POLICY_HTLC_MAX) && MSAT_LESS(now.htlc_max, own->htlc_max),
		.cltv_delta_tight = is_tight(now.cltv_delta),
	};
}

/* Those that the order names: one, all of a peer, or all. */
static uint32_t chosen(const struct node *n, const struct command *cmd, struct node_channel **out)
{
	const struct channel_name *name = &cmd->u.set_channel.channel;
	const struct node_peer *p = name->by_peer ? node_peer_get(n, &name->peer) : NULL;
	uint32_t at = 0, count = 0;
	struct node_channel *c;

	if (cmd->u.set_channel.all) {
		while ((c = table_next(&n->channels, &at)))
			if (settable(c))
				out[count++] = c;
	} else if (name->by_peer) {
		for (c = p ? p->channels : NULL; c; c = c->next)
			if (settable(c))
				out[count++] = c;
	} else {
		c = node_channel_named(n, name);
		if (c && settable(c))
			out[count++] = c;
	}
	return count;
}

void node_set_channel(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_channel **list = ARENA_ARRAY(&s->out->arena, struct node_channel *, table_count(&n->channels) + 1);
	uint32_t count = chosen(n, cmd, list);
	struct channel_set *done;
	struct reply *r;

	if (count == 0 && !cmd->u.set_channel.all) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID,
				 "no such channel that is open or being opened: see listpeerchannels for their ids");
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		const char *why = refusal(n, list[i], cmd);

		if (why) {
			node_reply_error(s, call, cmd->kind, REPLY_INVALID, why);
			return;
		}
	}
	done = ARENA_ARRAY(&s->out->arena, struct channel_set, count + 1);
	for (uint32_t i = 0; i < count; i++)
		set_one(n, s, list[i], cmd, &done[i]);
	r = node_reply(s, call, cmd->kind);
	r->u.set_channel.channels = done;
	r->u.set_channel.count = count;
}

/* --- for views --- */

struct forward_policy node_view_policy(const struct node *n, const struct channel *ch, bool *ignore_fee_limits)
{
	const struct node_channel *c = node_channel_by_key(n, channel_key(ch));

	ASSERT(c);
	*ignore_fee_limits = c->terms && c->terms->ignore_fee_limits;
	return node_channel_policy(n, c);
}
