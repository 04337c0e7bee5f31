#include "runtime/signer/policy.h"

#include "base/table.h"

/* Channels remembered; beyond it those that never had a commitment make room. */
#define CHANNELS_MAX 65536u

struct policy_signer {
	struct signer_port inner;
	struct policy_limits limits;
	struct table channels; /* of struct policy_channel, by key */
	struct arena arena;    /* of the request being judged, empty in between */
	uint64_t refusals;
};

/* A request on its way through inner. */
struct passing {
	struct policy_signer *policy;
	enum sign_kind kind;
	uint64_t channel_key, number;
	signer_done *done;
	void *owner;
};

static struct bytes channel_key(const void *p)
{
	return BYTES_OF(((const struct policy_channel *)p)->key8);
}

void policy_limits_default(struct policy_limits *limits)
{
	*limits = (struct policy_limits){
		.feerate_min = FEERATE(FEERATE_FLOOR_PER_KW),
		.feerate_max = FEERATE(250000),
		.dust_limit_max = SAT(10000),
		.our_delay_max = 2016,
		.their_delay_min = 3,
		.verify_signatures = true,
	};
}

struct policy_signer *policy_signer_new(struct signer_port inner, const struct policy_limits *limits)
{
	static const uint8_t table_seed[16] = "policy channels";
	struct policy_signer *p = NEW(struct policy_signer);

	p->inner = inner;
	p->limits = *limits;
	/* Key ids are ours, not a stranger's choice: the seed needs no secrecy. */
	table_init(&p->channels, channel_key, table_seed);
	arena_init(&p->arena);
	return p;
}

void policy_signer_free(struct policy_signer *p)
{
	struct policy_channel *ch;

	if (!p)
		return;
	for (uint32_t i = 0; (ch = table_next(&p->channels, &i)); ) {
		table_remove(&p->channels, channel_key(ch));
		mem_free(ch);
	}
	table_release(&p->channels);
	arena_release(&p->arena);
	mem_free(p);
}

uint64_t policy_signer_refusals(const struct policy_signer *p)
{
	return p->refusals;
}

static struct policy_channel *find_channel(const struct policy_signer *p, uint64_t key)
{
	uint8_t key8[8];

	store_be64(key8, key);
	return table_get(&p->channels, BYTES_OF(key8));
}

/* Openings that came to nothing would fill the table for ever: drops the oldest one. */
static bool make_room(struct policy_signer *p)
{
	struct policy_channel *ch;

	if (table_count(&p->channels) < CHANNELS_MAX)
		return true;
	for (uint32_t i = 0; (ch = table_next(&p->channels, &i)); )
		if (!ch->terms.known) {
			table_remove(&p->channels, channel_key(ch));
			mem_free(ch);
			return true;
		}
	return false;
}

/* NULL only when there are too many channels. */
static struct policy_channel *channel_of(struct policy_signer *p, uint64_t key)
{
	struct policy_channel *ch = find_channel(p, key);

	if (ch || !make_room(p))
		return ch;
	ch = NEW(struct policy_channel);
	store_be64(ch->key8, key);
	table_add(&p->channels, ch);
	return ch;
}

/* --- Judging --- */

static const char *judge_new(struct policy_signer *p, const struct sign_request *r)
{
	struct policy_channel *ch = find_channel(p, r->channel_key);

	if (ch && (ch->terms.known || ch->local_known || ch->broadcast))
		return "the channel's keys are in use";
	ch = channel_of(p, r->channel_key);
	if (!ch)
		return "too many channels";
	ch->fresh = true;
	return NULL;
}

static const char *judge_spend(struct policy_signer *p, const struct sign_request *r)
{
	for (uint32_t i = 0; i < r->u.spend.count; i++) {
		const struct spend_input *in = &r->u.spend.inputs[i];
		const struct policy_channel *ch = find_channel(p, in->channel_key);
		const char *why = ch ? policy_check_spend_input(ch, in) : NULL;

		if (why)
			return why;
	}
	return policy_check_spend_fee(&p->limits, r);
}

/* keys: of a remote commitment. */
static const char *judge_channel(struct policy_signer *p, const struct sign_request *r, struct commitment_keys *keys)
{
	struct policy_channel *ch = channel_of(p, r->channel_key);

	if (!ch)
		return "too many channels";
	switch (r->kind) {
	case SIGN_REMOTE_COMMITMENT:
		return policy_check_remote(ch, &p->limits, &p->arena, r, keys);
	case SIGN_LOCAL_COMMITMENT:
		return policy_check_local(ch, r->u.commitment);
	case SIGN_REVOKE:
		return policy_check_revoke(ch, &p->limits, &p->arena, &r->u.revoke);
	case SIGN_MUTUAL_CLOSE:
		return policy_check_close(ch, &p->limits, r);
	case SIGN_CHANNEL_NEW:
	case SIGN_SPEND:
	case SIGN_ECDH:
	case SIGN_INVOICE:
	case SIGN_GOSSIP:
	case SIGN_ANNOUNCEMENT:
	case SIGN_POINT:
		break;
	}
	UNREACHABLE();
}

static const char *judge(struct policy_signer *p, const struct sign_request *r, struct commitment_keys *keys)
{
	switch (r->kind) {
	case SIGN_CHANNEL_NEW:
		return judge_new(p, r);
	case SIGN_REMOTE_COMMITMENT:
	case SIGN_LOCAL_COMMITMENT:
	case SIGN_REVOKE:
	case SIGN_MUTUAL_CLOSE:
		return judge_channel(p, r, keys);
	case SIGN_SPEND:
		return judge_spend(p, r);
	case SIGN_ECDH:
	case SIGN_INVOICE:
	case SIGN_GOSSIP:
	case SIGN_ANNOUNCEMENT:
	case SIGN_POINT:
		return NULL;
	}
	return "the signer does not know this kind of request";
}

/* --- Passing on --- */

static void learn(struct policy_signer *p, const struct passing *w, const struct sign_answer *answer)
{
	struct policy_channel *ch = find_channel(p, w->channel_key);

	if (!ch || answer->refused)
		return;
	if (w->kind == SIGN_CHANNEL_NEW) {
		policy_learn_points(ch, &answer->basepoints);
		policy_learn_point(ch, 0, &answer->first_points[0]);
		policy_learn_point(ch, 1, &answer->first_points[1]);
	} else if (w->kind == SIGN_REVOKE) {
		policy_learn_point(ch, w->number + 2, &answer->next_point);
	}
}

static void passed(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct passing *w = owner;

	learn(w->policy, w, answer);
	w->done(w->owner, id, answer);
	mem_free(w);
}

static void refuse(struct policy_signer *p, const char *why, signer_done *done, void *owner, uint64_t id)
{
	struct sign_answer answer = { .refused = true, .reason = why };

	p->refusals++;
	done(owner, id, &answer);
}

static void policy_request(void *context, const struct sign_request *request, signer_done *done, void *owner,
			   uint64_t id)
{
	struct policy_signer *p = context;
	struct sign_request judged = *request;
	struct commitment_spec spec;
	struct commitment_keys keys;
	struct passing *w;
	const char *why;

	why = judge(p, request, &keys);
	arena_reset(&p->arena);
	if (why) {
		refuse(p, why, done, owner, id);
	} else {
		if (request->kind == SIGN_REMOTE_COMMITMENT) {
			spec = *request->u.commitment;
			spec.keys = &keys;
			judged.u.commitment = &spec;
		}
		w = NEW(struct passing);
		*w = (struct passing){ p, request->kind, request->channel_key,
				       request->kind == SIGN_REVOKE ? request->u.revoke.number : 0, done, owner };
		p->inner.request(p->inner.context, &judged, passed, w, id);
	}
}

static bool policy_ahead(void *context)
{
	const struct policy_signer *p = context;

	return p->inner.ahead && p->inner.ahead(p->inner.context);
}

struct signer_port policy_signer_port(struct policy_signer *p)
{
	return (struct signer_port){ p, policy_request, policy_ahead, false };
}
