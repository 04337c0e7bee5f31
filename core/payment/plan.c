#include "payment/plan.h"

#include <string.h>

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

static uint32_t final_cltv(const struct send_request *q)
{
	if (q->kind != PAYMENT_BOLT11)
		return SEND_KEYSEND_CLTV;
	/* B11.tagged_fields.29 */
	if (!q->has_min_final_cltv)
		return SEND_MIN_FINAL_CLTV;
	/* An invoice may ask for more than any payment may take: no slack on top makes that little. */
	return q->min_final_cltv < UINT32_MAX - SEND_CLTV_SLACK_MORE ? q->min_final_cltv : UINT32_MAX - SEND_CLTV_SLACK_MORE;
}

static void copy_exclusions(struct payment_plan *plan, const struct send_request *q)
{
	for (uint32_t i = 0; i < q->exclude_count; i++) {
		const struct sciddir_or_pubkey *e = &q->exclude[i];

		if (e->is_pubkey)
			plan_limit_node(plan, &e->pubkey);
		else
			plan_limit_channel(plan, e->scid, e->direction, MSAT(0));
	}
}

static void copy_layers(struct payment_plan *plan, const struct send_request *q)
{
	plan->layers = ARENA_ARRAY(&plan->memory, const char *, q->layer_count);
	for (uint32_t i = 0; i < q->layer_count; i++) {
		plan->layers[i] = arena_string(&plan->memory, q->layers[i]);
		plan->one_part |= strcmp(q->layers[i], SEND_LAYER_ONE_PART) == 0;
	}
	plan->layer_count = q->layer_count;
}

struct payment_plan *plan_new(const struct send_request *q, struct amount_msat total)
{
	struct payment_plan *plan = NEW(struct payment_plan);

	arena_init(&plan->memory);
	plan->basic_mpp = q->basic_mpp && q->kind == PAYMENT_BOLT11;
	plan->min_final_cltv = final_cltv(q);
	plan->slack = SEND_CLTV_SLACK;
	plan->expires_at_s = q->kind == PAYMENT_BOLT11 ? q->expires_at_s : UINT64_MAX;
	plan->ask_again_ms = UINT64_MAX;
	plan->hints = copy_hints(&plan->memory, q->hints, q->hint_count);
	plan->hint_count = q->hint_count;
	copy_layers(plan, q);
	copy_exclusions(plan, q);
	plan->final.is_final = true;
	/* B4.packet_structure.23, B4.basic_multi_part_payments.6 */
	plan->final.total = total;
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

static struct send_limit *find_limit(struct payment_plan *plan, const struct send_limit *l)
{
	for (uint32_t i = 0; i < plan->limit_count; i++) {
		struct send_limit *old = &plan->limits[i];

		if (old->is_node == l->is_node && old->scid.v == l->scid.v && old->direction == l->direction &&
		    SAME(old->node, l->node))
			return old;
	}
	return NULL;
}

static void add_limit(struct payment_plan *plan, const struct send_limit *l)
{
	struct send_limit *old = find_limit(plan, l);

	if (old) {
		old->most = msat_min(old->most, l->most);
		if (!old->failed.v) {
			old->failed = l->failed;
			old->since = l->since;
		}
		return;
	}
	plan->limits = mem_realloc(plan->limits, plan->limit_count + 1, sizeof(*plan->limits));
	plan->limits[plan->limit_count++] = *l;
}

void plan_limit_channel(struct payment_plan *plan, struct scid scid, uint8_t direction, struct amount_msat most)
{
	add_limit(plan, &(struct send_limit){ .scid = scid, .direction = direction, .most = most });
}

/* A channel whose far end is offline says what one without liquidity says: temporary_channel_failure.  One that does not
 * carry half of what it did not carry before is taken for the former: each further halving would be one more try, and there
 * would be many.  What went out beside the first failure was not planned in knowledge of it, and proves nothing more. */
void plan_limit_full(struct payment_plan *plan, struct scid scid, uint8_t direction, struct amount_msat failed, uint64_t part,
		     uint64_t next_part)
{
	struct send_limit l = { .scid = scid, .direction = direction, .failed = failed, .since = next_part };
	const struct send_limit *old = find_limit(plan, &l);
	const bool again = old && old->failed.v && part >= old->since;

	if (!again || MSAT_LESS(msat_half(old->failed), failed))
		l.most = msat_sub_or_zero(failed, MSAT(1));
	add_limit(plan, &l);
}

void plan_limit_node(struct payment_plan *plan, const struct pubkey *node)
{
	add_limit(plan, &(struct send_limit){ .is_node = true, .node = *node });
}
