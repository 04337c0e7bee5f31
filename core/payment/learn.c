#include "payment/learn.h"

#include "payment/ledger.h"

/* --- whose fault it is --- */

static void blame(struct lesson *l, enum blame whom, uint32_t hop)
{
	l->blame = whom;
	l->hop = hop;
}

static void judge_payee(struct lesson *l, uint32_t last, uint16_t code)
{
	l->carried = last + 1;
	/* B4.receiving_failure_codes.2 */
	if (code & FAIL_PERM && !(code & FAIL_BADONION))
		blame(l, BLAME_PAYEE, last);
	else if (code == FAIL_MPP_TIMEOUT)
		blame(l, BLAME_NOBODY, last);
	else
		blame(l, BLAME_CHANNEL, last);
}

/* BOLT 4 "Failure Messages": an intermediate hop must not say these. */
static bool is_for_payees(uint16_t code)
{
	return code == FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS || code == FAIL_FINAL_INCORRECT_CLTV_EXPIRY ||
	       code == FAIL_FINAL_INCORRECT_HTLC_AMOUNT || code == FAIL_MPP_TIMEOUT;
}

static void judge_forwarder(struct lesson *l, uint32_t hop, uint16_t code)
{
	l->carried = hop + 1;
	/* B4.receiving_failure_codes.3 */
	if (code & FAIL_NODE || code == FAIL_INVALID_ONION_PAYLOAD || is_for_payees(code)) {
		blame(l, BLAME_NODE, hop);
		return;
	}
	blame(l, BLAME_CHANNEL, hop + 1);
	l->full = code == FAIL_TEMPORARY_CHANNEL_FAILURE;
	l->more_time = code == FAIL_EXPIRY_TOO_SOON;
}

/* --- who said what --- */

static uint8_t direction_into(const struct payment_part *part, const struct pubkey *self, uint32_t hop)
{
	return path_direction(hop ? &part->r.nodes[hop - 1] : self, &part->r.nodes[hop]);
}

/* The channel that it did not get through. */
static void name_channel(struct record_payment_try *said, const struct payment_part *part, const struct pubkey *self,
			 uint32_t hop)
{
	if (hop >= part->r.scids_count)
		return;
	said->erring_scid = part->r.scids[hop];
	said->erring_direction = direction_into(part, self, hop);
}

static const char *report_words(struct arena *a, const struct payment_part *part, uint32_t hop, const struct failure *f,
				bool known, const struct record_payment_try *said)
{
	const uint32_t last = part->r.nodes_count - 1;
	const char *channel = "";
	char node[2 * sizeof(struct pubkey) + 1];

	if (hop < last && said->erring_scid.v)
		channel = arena_printf(a, " about %ux%ux%u/%u", scid_height(said->erring_scid), scid_tx_index(said->erring_scid),
				       scid_output(said->erring_scid), said->erring_direction);
	hex_encode(node, part->r.nodes[hop].v, sizeof(part->r.nodes[hop].v));
	return arena_printf(a, "%s%s said %s%s%s (hop %u of %u)", hop == last ? "the payee " : "", node, failure_words(a, f),
			    known ? "" : ", which we do not understand", channel, hop + 1, last + 1);
}

static void read_report(struct lesson *l, const struct send *s, struct arena *a, const struct payment_part *part,
			const struct failure_report *report)
{
	const uint32_t last = part->r.nodes_count - 1;
	struct failure f;
	bool known = failure_decode(a, &f, report->message);

	/* Of an unknown one, and of one that is cut short, the flags still count. */
	if (report->hop == last)
		judge_payee(l, last, f.code);
	else
		judge_forwarder(l, report->hop, f.code);
	l->said.code = l->blame == BLAME_PAYEE ? REPLY_PAY_DESTINATION : REPLY_PAY_TRY_OTHER_ROUTE;
	l->said.has_report = true;
	l->said.erring_index = report->hop + 1;
	l->said.erring_node = part->r.nodes[report->hop];
	l->said.failure_code = f.code;
	/* B4.origin_node.1 */
	l->said.message = report->message;
	name_channel(&l->said, part, &s->config.self, report->hop == last ? last : report->hop + 1);
	l->said.words = bytes_from_string(report_words(a, part, report->hop, &f, known, &l->said));
}

static uint32_t any_of(struct drbg *entropy, uint32_t first, uint32_t count)
{
	uint8_t raw[8];

	if (count == first + 1)
		return first;
	drbg_fill(entropy, raw, sizeof(raw));
	return first + (uint32_t)(load_be64(raw) % (count - first));
}

/* The channel over which it went wrong, by the hop that it leads into.  Without any attribution data each of the way may
 * have garbled it: of several the one behind our peer is as good as each.
 * B4.origin_node.4: an HMAC that is right covers all that came from downstream.  If that is something, what comes next is
 * the work of the two nodes there.  If it is nothing, the next node takes no part and shields those behind it. */
static uint32_t suspect(struct drbg *entropy, const struct attribution_report *r, uint32_t count)
{
	if (!r->present)
		return count == 1 ? 0 : any_of(entropy, 1, count);
	if (r->verified == count)
		return count - 1;
	return r->verified && r->silent ? any_of(entropy, r->verified, count) : r->verified;
}

static const char *unreadable_words(struct arena *a, const struct attribution_report *r, uint32_t count)
{
	const char *words = "the way failed and what came back is not readable";

	if (!r->present)
		return words;
	if (r->verified == count)
		return arena_printf(a, "%s: the payee sent it so", words);
	if (r->verified && r->silent)
		return arena_printf(a, "%s: it was changed behind hop %u of %u", words, r->verified, count);
	if (!r->verified)
		return arena_printf(a, "%s: our peer changed it", words);
	return arena_printf(a, "%s: it was changed between hop %u and hop %u of %u", words, r->verified, r->verified + 1, count);
}

static void keep_hold_times(struct record_payment_try *said, struct arena *a, const struct attribution_report *r)
{
	said->hold_times_count = r->verified;
	said->hold_times = arena_copy(a, r->hold_times, r->verified * sizeof(*r->hold_times));
}

/* A part that was sent before a restart has them no more.  NULL: a node id of its record is no point. */
static const struct secret32 *shared_secrets(const struct send *s, struct payment_part *part)
{
	struct onion_hop hops[ONION_HOPS_MAX] = { 0 };
	struct onion_request r = { .hops = hops, .hop_count = part->r.nodes_count, .session_key = part->r.session_key };

	if (!part->shared) {
		for (uint32_t i = 0; i < r.hop_count; i++)
			hops[i].node_id = part->r.nodes[i];
		part->shared = NEW_ARRAY(struct secret32, r.hop_count);
		if (!onion_secrets(part->shared, s->secp, &r)) {
			mem_wipe_free(part->shared, r.hop_count * sizeof(*part->shared));
			part->shared = NULL;
		}
	}
	mem_wipe(&r, sizeof(r));
	return part->shared;
}

const uint32_t *learn_hold_times(const struct send *s, struct arena *a, struct payment_part *part, struct bytes attribution,
				 uint32_t *count)
{
	const struct secret32 *secrets = attribution.size ? shared_secrets(s, part) : NULL;
	struct attribution_report r;

	*count = 0;
	if (!secrets)
		return NULL;
	attribution_open(&r, secrets, part->r.nodes_count, attribution);
	*count = r.verified;
	return arena_copy(a, r.hold_times, r.verified * sizeof(*r.hold_times));
}

static void read_packet(struct lesson *l, const struct send *s, struct arena *a, struct drbg *entropy,
			struct payment_part *part, const struct send_failure *f)
{
	const uint32_t count = part->r.nodes_count;
	const struct secret32 *secrets = shared_secrets(s, part);
	struct failure_report report = { 0 };

	if (secrets && failure_open(a, &report, secrets, count, f->reason, f->attribution)) {
		read_report(l, s, a, part, &report);
	} else {
		l->carried = report.attributed.verified;
		blame(l, BLAME_CHANNEL, suspect(entropy, &report.attributed, count));
		l->said.code = REPLY_PAY_UNREADABLE;
		l->said.words = bytes_from_string(unreadable_words(a, &report.attributed, count));
	}
	keep_hold_times(&l->said, a, &report.attributed);
}

/* We said it ourselves, or our peer did without a packet. */
static void read_local(struct lesson *l, const struct send *s, const struct payment_part *part, uint32_t index, uint16_t code,
		       const char *words)
{
	l->said.code = REPLY_PAY_TRY_OTHER_ROUTE;
	l->said.has_report = true;
	l->said.erring_index = index;
	if (index)
		l->said.erring_node = part->r.nodes[0];
	l->said.failure_code = code;
	l->said.words = bytes_from_string(words);
	name_channel(&l->said, part, &s->config.self, 0);
}

void learn_read(struct lesson *out, const struct send *s, struct arena *a, struct drbg *entropy,
		struct payment_part *part, const struct send_failure *f)
{
	*out = (struct lesson){ .blame = BLAME_NOBODY };
	switch (f->kind) {
	case SEND_FAILURE_REPORT:
		read_packet(out, s, a, entropy, part, f);
		return;
	case SEND_FAILURE_MALFORMED:
		out->carried = 1;
		blame(out, part->r.nodes_count > 1 ? BLAME_NODE : BLAME_CHANNEL, 0);
		read_local(out, s, part, 1, f->code, arena_printf(a, "our peer could not open the onion: %s", fail_name(f->code)));
		return;
	case SEND_FAILURE_LOCAL:
		read_local(out, s, part, 0, f->code, arena_string(a, f->text));
		return;
	}
	UNREACHABLE();
}

/* --- where not to go again --- */

/* What else of the payment is in flight over the same channel. */
static struct amount_msat beside(const struct payment_part *part, struct scid scid, uint8_t direction, const struct pubkey *self)
{
	struct amount_msat sum = MSAT(0);

	for (const struct payment_part *other = part->payment->parts; other; other = other->next)
		for (uint32_t i = 0; other != part && i < other->r.scids_count; i++)
			if (other->r.scids[i].v == scid.v && direction_into(other, self, i) == direction)
				ASSERT(msat_add(&sum, sum, other->r.amounts[i]));
	return sum;
}

void learn_limits(struct payment_part *part, const struct lesson *l, const struct pubkey *self)
{
	struct payment_plan *plan = part->payment->plan;
	struct amount_msat sum;
	struct scid scid;
	uint8_t direction;

	switch (l->blame) {
	case BLAME_NOBODY:
		return;
	case BLAME_NODE:
		plan_limit_node(plan, &part->r.nodes[l->hop]);
		return;
	case BLAME_CHANNEL:
		break;
	case BLAME_PAYEE:
		UNREACHABLE();
	}
	/* Their chain may be ahead of ours: the next tries expire later. */
	if (l->more_time && plan->slack < SEND_CLTV_SLACK_MORE) {
		plan->slack = SEND_CLTV_SLACK_MORE;
		return;
	}
	ASSERT(l->hop < part->r.scids_count);
	scid = part->r.scids[l->hop];
	direction = direction_into(part, self, l->hop);
	if (!l->full) {
		plan_limit_channel(plan, scid, direction, MSAT(0));
		return;
	}
	ASSERT(msat_add(&sum, part->r.amounts[l->hop], beside(part, scid, direction, self)));
	plan_limit_full(plan, scid, direction, sum, part->id, part->payment->next_part);
}
