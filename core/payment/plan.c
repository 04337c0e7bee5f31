#include "payment/plan.h"

static struct path_hint *copy_hints(struct arena *a, const struct path_hint *hints, uint32_t count)
{
	struct path_hint *copy = ARENA_ARRAY(a, struct path_hint, count);

	for (uint32_t i = 0; i < count; i++) {
		copy[i].count = hints[i].count;
		copy[i].hops = arena_copy(a, hints[i].hops, hints[i].count * sizeof(*hints[i].hops));
	}
	return copy;
}

/* The request's records, in order of type as an onion wants them. */
static void copy_records(struct payment_plan *plan, const struct custom_record *records, uint32_t count)
{
	struct tlv_record *list = ARENA_ARRAY(&plan->memory, struct tlv_record, count);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i;

		while (at > 0 && list[at - 1].type > records[i].type) {
			list[at] = list[at - 1];
			at--;
		}
		list[at] = (struct tlv_record){ records[i].type, arena_bytes(&plan->memory, records[i].value), 0 };
	}
	plan->final.custom = list;
	plan->final.custom_count = count;
}

struct payment_plan *plan_new(const struct send_request *q)
{
	struct payment_plan *plan = NEW(struct payment_plan);

	arena_init(&plan->memory);
	plan->keysend = q->kind == PAYMENT_KEYSEND;
	plan->basic_mpp = q->basic_mpp && !plan->keysend;
	if (plan->keysend)
		plan->min_final_cltv = SEND_KEYSEND_CLTV;
	else
		/* B11.tagged_fields.29 */
		plan->min_final_cltv = q->has_min_final_cltv ? q->min_final_cltv : SEND_MIN_FINAL_CLTV;
	plan->expires_at_s = q->expires_at_s;
	plan->max_delay = q->max_delay ? q->max_delay : SEND_DELAY_MAX_DEFAULT;
	plan->hints = copy_hints(&plan->memory, q->hints, q->hint_count);
	plan->hint_count = q->hint_count;
	plan->final.is_final = true;
	/* B4.packet_structure.23, B4.basic_multi_part_payments.6 */
	plan->final.total = q->amount;
	/* B4.packet_structure.22, B4.basic_multi_part_payments.9, B11.tagged_fields.28 */
	plan->final.has_secret = q->has_secret;
	plan->final.secret = q->secret;
	/* B4.packet_structure.24, B11.tagged_fields.30 */
	plan->final.has_metadata = q->has_metadata;
	plan->final.metadata = arena_bytes(&plan->memory, q->metadata);
	copy_records(plan, q->records, q->record_count);
	return plan;
}

void plan_free(struct payment_plan *plan)
{
	if (!plan)
		return;
	mem_free(plan->limits);
	arena_release(&plan->memory);
	mem_wipe_free(plan, sizeof(*plan));
}

/* Whether the limit is on a way: our channel and the hops behind it. */
static bool crosses(const struct limit *l, uint64_t channel_key, const struct path_hop *hops, uint32_t count)
{
	if (l->kind == LIMIT_CHANNEL)
		return channel_key == l->id;
	for (uint32_t i = 0; i < count; i++) {
		if (l->kind == LIMIT_NODE && SAME(hops[i].node_id, l->node))
			return true;
		if (l->kind == LIMIT_SCID && i > 0 && hops[i].scid.v == l->id)
			return true;
	}
	return false;
}

static struct amount_msat add_or_all(struct amount_msat a, struct amount_msat b)
{
	struct amount_msat sum;

	return msat_add(&sum, a, b) ? sum : MSAT(UINT64_MAX);
}

/* What of the payment crosses the limit already. */
static struct amount_msat crossing(const struct plan_task *t, const struct limit *l, const struct plan_part *parts,
				   uint32_t count)
{
	struct amount_msat sum = MSAT(0);

	for (const struct payment_part *p = t->payment->parts; p; p = p->next)
		if (crosses(l, p->r.channel_key, p->hops, p->r.nodes_count))
			sum = add_or_all(sum, p->r.amount);
	for (uint32_t i = 0; i < count; i++)
		if (crosses(l, parts[i].path->channel_key, parts[i].path->hops, parts[i].path->count))
			sum = add_or_all(sum, parts[i].amount);
	return sum;
}

/* What can still arrive over the path next to the parts that are planned. */
static struct amount_msat room(const struct plan_task *t, const struct path *path, const struct plan_part *parts,
			       uint32_t count)
{
	const struct payment_plan *plan = t->payment->plan;
	struct amount_msat spendable = path->spendable, most;

	for (uint32_t i = 0; i < count; i++)
		if (parts[i].path->channel_key == path->channel_key)
			spendable = msat_sub_or_zero(spendable, parts[i].sent);
	most = path_capacity(path, spendable);
	for (uint32_t i = 0; i < plan->limit_count; i++) {
		const struct limit *l = &plan->limits[i];

		if (crosses(l, path->channel_key, path->hops, path->count))
			most = msat_min(most, msat_sub_or_zero(l->most, crossing(t, l, parts, count)));
	}
	return most;
}

/* B11.payer_payee_requirements.2: blocks that the payment may be stuck. */
static bool too_slow(const struct plan_task *t, const struct path *path)
{
	const struct payment_plan *plan = t->payment->plan;
	uint64_t delay = (uint64_t)plan->min_final_cltv + SEND_CLTV_SLACK;

	for (uint32_t i = 1; i < path->count; i++)
		delay += path->hops[i].cltv_delta;
	return delay > plan->max_delay;
}

static bool set_part(struct plan_part *part, const struct path *path, struct amount_msat amount)
{
	struct amount_msat fee;

	part->path = path;
	part->amount = amount;
	return path_fee(path, &fee, amount) && msat_add(&part->sent, amount, fee) &&
	       !MSAT_LESS(part->sent, path->htlc_min) && !MSAT_LESS(path->spendable, part->sent);
}

/* One path for all of it: the cheapest. */
static enum plan_result plan_single(const struct plan_task *t, struct plan_part *best)
{
	enum plan_result result = PLAN_NO_ROUTE;
	struct amount_msat fee;

	for (uint32_t i = 0; i < t->paths->count; i++) {
		const struct path *path = &t->paths->paths[i];
		struct plan_part part;

		if (MSAT_LESS(room(t, path, NULL, 0), t->missing) || !set_part(&part, path, t->missing))
			continue;
		if (too_slow(t, path)) {
			if (result == PLAN_NO_ROUTE)
				result = PLAN_TOO_SLOW;
			continue;
		}
		if (!msat_sub(&fee, part.sent, part.amount) || MSAT_LESS(t->fee_left, fee)) {
			if (result != PLAN_FOUND)
				result = PLAN_TOO_EXPENSIVE;
			continue;
		}
		if (result != PLAN_FOUND || MSAT_LESS(part.sent, best->sent))
			*best = part;
		result = PLAN_FOUND;
	}
	return result;
}

/* The path over which most can still arrive. */
static const struct path *widest(const struct plan_task *t, struct amount_msat *out, const struct plan_part *parts,
				 uint32_t count)
{
	const struct path *best = NULL;

	*out = MSAT(0);
	for (uint32_t i = 0; i < t->paths->count; i++) {
		struct amount_msat most = room(t, &t->paths->paths[i], parts, count);

		if (MSAT_LESS(*out, most) && !too_slow(t, &t->paths->paths[i])) {
			best = &t->paths->paths[i];
			*out = most;
		}
	}
	return best;
}

/* A rest below the smallest HTLC of its channel borrows from the part before it. */
static bool borrow(struct plan_part *before, const struct path *path, struct amount_msat *amount)
{
	struct amount_msat short_by = msat_sub_or_zero(path->htlc_min, *amount), lent;

	if (short_by.v == 0)
		return true;
	return before && msat_sub(&lent, before->amount, short_by) && set_part(before, before->path, lent) &&
	       msat_add(amount, *amount, short_by);
}

static enum plan_result plan_many(const struct plan_task *t, struct plan_part *parts, uint32_t *count)
{
	struct amount_msat left = t->missing, fees = MSAT(0);

	while (left.v > 0) {
		struct amount_msat most, amount;
		const struct path *path = widest(t, &most, parts, *count);

		if (!path || *count + t->payment->part_count == SEND_PARTS_MAX)
			return PLAN_NO_ROUTE;
		amount = msat_min(left, most);
		left = msat_sub_or_zero(left, amount);
		if (!borrow(*count ? &parts[*count - 1] : NULL, path, &amount) ||
		    !set_part(&parts[*count], path, amount))
			return PLAN_NO_ROUTE;
		++*count;
	}
	for (uint32_t i = 0; i < *count; i++) {
		struct amount_msat fee;

		if (!msat_sub(&fee, parts[i].sent, parts[i].amount) || !msat_add(&fees, fees, fee))
			return PLAN_TOO_EXPENSIVE;
	}
	return MSAT_LESS(t->fee_left, fees) ? PLAN_TOO_EXPENSIVE : PLAN_FOUND;
}

enum plan_result plan_split(const struct plan_task *t, struct plan_part *parts, uint32_t *count)
{
	enum plan_result result = plan_single(t, &parts[0]), divided;

	*count = result == PLAN_FOUND ? 1 : 0;
	if (result == PLAN_FOUND || !t->payment->plan->basic_mpp)
		return result;
	divided = plan_many(t, parts, count);
	if (divided == PLAN_FOUND)
		return PLAN_FOUND;
	*count = 0;
	return result == PLAN_NO_ROUTE ? divided : result;
}

static void add_limit(struct payment_plan *plan, const struct limit *l)
{
	for (uint32_t i = 0; i < plan->limit_count; i++) {
		struct limit *old = &plan->limits[i];

		if (old->kind == l->kind && old->id == l->id && SAME(old->node, l->node)) {
			old->most = msat_min(old->most, l->most);
			return;
		}
	}
	plan->limits = mem_realloc(plan->limits, plan->limit_count + 1, sizeof(*plan->limits));
	plan->limits[plan->limit_count++] = *l;
}

void plan_exclude_channel(struct payment_plan *plan, const struct plan_blame *b)
{
	add_limit(plan, &(struct limit){ .kind = LIMIT_CHANNEL, .id = b->channel_key });
}

/* What leads into a hop carries so much and no more. */
static void limit_into(struct payment_plan *plan, const struct plan_blame *b, uint32_t hop, struct amount_msat most)
{
	if (hop == 0)
		add_limit(plan, &(struct limit){ .kind = LIMIT_CHANNEL, .id = b->channel_key, .most = most });
	else
		add_limit(plan, &(struct limit){ .kind = LIMIT_SCID, .id = b->hops[hop].scid.v, .most = most });
}

void plan_exclude(struct payment_plan *plan, const struct plan_blame *b)
{
	limit_into(plan, b, b->hop_count > 1 ? 1 : 0, MSAT(0));
}

bool plan_learn(struct payment_plan *plan, const struct plan_blame *b, uint32_t hop, uint16_t code)
{
	ASSERT(hop < b->hop_count);
	if (hop + 1 == b->hop_count) {
		/* B4.receiving_failure_codes.2 */
		if (code & FAIL_PERM && !(code & FAIL_BADONION))
			return false;
		/* The rest of the set did not come: this path is as good as before. */
		if (code != FAIL_MPP_TIMEOUT)
			limit_into(plan, b, hop, MSAT(0));
		return true;
	}
	/* B4.receiving_failure_codes.3 */
	if (code & FAIL_NODE) {
		add_limit(plan, &(struct limit){ .kind = LIMIT_NODE, .node = b->hops[hop].node_id });
		return true;
	}
	/* Less may still fit through; whatever else is wrong with the channel will stay so for this payment. */
	limit_into(plan, b, hop + 1, code == FAIL_TEMPORARY_CHANNEL_FAILURE ? msat_half(b->amount) : MSAT(0));
	return true;
}
