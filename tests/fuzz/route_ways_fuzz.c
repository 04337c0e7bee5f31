/* A whole node that is asked for ways: layers made, changed, aged and removed in any order, paths reserved and taken back, facts
 * told, hints, questions of payments and of users with a worker that takes its time, and restarts in the middle of all of it.
 *
 * Nothing may break an invariant (node_check), each call is answered at most once (INV-N3), each question exactly once in its run,
 * and persistent layers and facts come back from the store as they were. */
#include "gossip/log.h"
#include "node/state.h"
#include "tests/unit/node_setup.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 10u
#define STEPS 120u
#define NAMES 4u

static struct rig r;
static struct cursor in;
static uint32_t asked, answered;

static uint8_t take8(void)
{
	return in.left ? cursor_u8(&in) : 0;
}

/* 0 is the node itself. */
static struct pubkey node_of(uint32_t n)
{
	struct pubkey p = { { 2 } };

	p.v[32] = (uint8_t)n;
	return n ? p : r.id;
}

static struct pubkey any_node(void)
{
	return node_of(take8() % (NODES + 1));
}

static struct scid any_scid(void)
{
	return scid_make(1, take8() % 20, 0);
}

static struct amount_msat any_amount(void)
{
	uint64_t v = take8();

	return MSAT(v << take8() % 57);
}

static const char *any_name(void)
{
	static const char *const names[NAMES] = { "one", "two", "three", "auto.x" };

	return names[take8() % NAMES];
}

/* --- a graph, as the log of gossip has it --- */

static void add_channel(struct buf *log, uint32_t n)
{
	struct pubkey one = node_of(1 + n % NODES), other = node_of(1 + (n * 7 + 3) % NODES);
	bool order = memcmp(one.v, other.v, 33) < 0;
	struct msg_channel_announcement c = { .chain_hash = r.config.network->genesis, .short_channel_id = scid_make(1, n, 0),
					      .node_id_1 = order ? one : other, .node_id_2 = order ? other : one };
	struct buf raw = BUF_EMPTY;
	uint8_t fixed[40] = { 0 };

	if (SAME(one, other))
		return;
	store_be64(fixed, 1000 + 5000 * n);
	store_be64(fixed + 8, n);
	msg_channel_announcement_encode(&c, &raw);
	log_record_encode(LOG_CHANNEL, BYTES_OF(fixed), buf_view(&raw), log);
	for (uint8_t d = 0; d < 2; d++) {
		struct msg_channel_update u = { .chain_hash = c.chain_hash, .short_channel_id = c.short_channel_id,
						.timestamp = (uint32_t)(r.now_ms / 1000) - 5000, .message_flags = 1, .channel_flags = d,
						.cltv_expiry_delta = 10, .htlc_minimum_msat = MSAT(1), .fee_base_msat = n,
						.fee_proportional_millionths = 10 * n, .htlc_maximum_msat = MSAT(900000 + n) };

		buf_clear(&raw);
		msg_channel_update_encode(&u, &raw);
		log_record_encode(LOG_UPDATE, BYTES_NONE, buf_view(&raw), log);
	}
	buf_release(&raw);
}

static void load_graph(struct rig *rig)
{
	struct log_reader reader;
	struct buf log = BUF_EMPTY;
	struct bytes record;
	uint32_t ref;

	log_header_encode(buf_extend(&log, LOG_HEADER_SIZE), &rig->config.network->genesis);
	for (uint32_t n = 0; n < 18; n++)
		add_channel(&log, n);
	for (reader = (struct log_reader){ .log = buf_view(&log) }; log_next(&reader, &ref, &record);)
		ASSERT(node_load_gossip(rig->node, ref, record));
	node_gossip_loaded(rig->node, reader.at);
	buf_release(&log);
}

static void no_gossip(struct rig *rig, const struct gossip_note *n)
{
	(void)rig;
	(void)n;
}

/* --- users --- */

static void order_layer(void)
{
	struct command c = { .kind = COMMAND_LAYER };
	uint8_t sets = take8();

	c.u.layer.order = (enum layer_order)(take8() % (LAYER_AGE + 1));
	c.u.layer.layer = any_name();
	c.u.layer.persistent = sets & 64;
	c.u.layer.scid = any_scid();
	c.u.layer.direction = c.u.layer.order == LAYER_CREATE_CHANNEL ? 0 : sets >> 7;
	c.u.layer.node = any_node();
	c.u.layer.other = any_node();
	c.u.layer.amount = any_amount();
	c.u.layer.has_enabled = sets & 1;
	c.u.layer.has_htlc_min = sets & 2;
	c.u.layer.has_htlc_max = sets & 4;
	c.u.layer.has_fee_base = sets & 8;
	c.u.layer.has_fee_ppm = sets & 16;
	c.u.layer.has_cltv_delta = sets & 32;
	c.u.layer.enabled = take8() & 3;
	c.u.layer.htlc_min = MSAT(take8());
	c.u.layer.htlc_max = any_amount();
	c.u.layer.fee_base_msat = take8();
	c.u.layer.fee_ppm = take8();
	c.u.layer.cltv_delta = take8();
	c.u.layer.what = (enum layer_inform)(take8() % 3);
	c.u.layer.in = sets & 1;
	c.u.layer.relative = sets & 2;
	c.u.layer.bias = (int8_t)take8();
	c.u.layer.note = sets & 4 ? "a note" : NULL;
	c.u.layer.before_s = r.now_ms / 1000 - take8() + 20;
	(void)rig_command(&r, &c);
}

static void order_reserve(void)
{
	struct command c = { .kind = COMMAND_RESERVE };
	struct reserved_hop hops[3];

	c.u.reserve.hops = hops;
	c.u.reserve.hop_count = take8() % 4;
	c.u.reserve.back = take8() & 1;
	c.u.reserve.command_id = "fuzz";
	for (uint32_t i = 0; i < c.u.reserve.hop_count; i++) {
		uint8_t how = take8();

		hops[i] = (struct reserved_hop){ any_scid(), how & 1, how & 2 ? MSAT(1000) : any_amount(), how & 4 ? any_name() : NULL };
	}
	(void)rig_command(&r, &c);
}

static void order_routes(void)
{
	struct command c = { .kind = COMMAND_ROUTES };
	struct sciddir_or_pubkey out[2] = { { .scid = any_scid() }, { .is_pubkey = true, .pubkey = any_node() } };
	const char *names[20];

	c.u.routes.own = take8() % 4 == 0;
	c.u.routes.source = any_node();
	c.u.routes.destination = any_node();
	c.u.routes.amount = any_amount();
	c.u.routes.fee_limit = any_amount();
	c.u.routes.final_cltv = take8();
	c.u.routes.cltv_max = 8u * take8();
	c.u.routes.parts_max = take8() % 70;
	c.u.routes.layer_count = take8() % 4 ? take8() % 3 : take8() % 20;
	c.u.routes.layers = names;
	for (uint32_t i = 0; i < c.u.routes.layer_count; i++)
		names[i] = any_name();
	c.u.routes.exclude = out;
	c.u.routes.exclude_count = take8() % 3;
	(void)rig_command(&r, &c);
}

/* --- payments --- */

static struct step step_now(void)
{
	struct step s = node_view_step(r.node);

	s.now_ms = r.now_ms;
	s.out = exec_effects(r.exec);
	s.entropy = &r.node->entropy;
	return s;
}

static void on_answer(struct node *n, struct step *s, uint64_t id, const struct route_plan *plan)
{
	(void)s;
	ASSERT(n == r.node && id == ++answered);
	for (uint32_t i = 0; i < plan->part_count; i++)
		for (uint32_t k = 1; k < plan->parts[i].hop_count; k++)
			node_ways_reserve(n, plan->parts[i].hops[k].scid, plan->parts[i].hops[k].direction, plan->parts[i].hops[k].amount);
}

static void ask(void)
{
	struct path_hint_hop hops[2][3];
	struct path_hint hints[2] = { { hops[0], take8() % 4 }, { hops[1], take8() % 4 } };
	struct ways_question q = { .id = asked + 1, .answer = on_answer, .binding = take8() & 1, .from_graph = take8() & 3,
				   .source = any_node(), .payee = any_node(), .amount = any_amount(), .fee_limit = any_amount(),
				   .final_cltv = take8(), .cltv_max = 2016, .parts_max = take8() % 20, .hints = hints,
				   .hint_count = take8() % 3 };
	struct step s;

	if (!node_ways_room(r.node))
		return;
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 3; k++)
			hops[i][k] = (struct path_hint_hop){ any_node(), any_scid(), take8(), take8(), take8() };
	s = step_now();
	asked++;
	node_ways_ask(r.node, &s, &q);
	exec_run(r.exec, r.now_ms);
}

static void tell(void)
{
	struct step s = step_now();
	struct scid scid = any_scid();
	uint8_t kind = take8();
	int direction = kind >> 7;

	switch (kind % 5) {
	case 0:
		node_ways_could(r.node, &s, scid, direction, any_amount());
		break;
	case 1:
		node_ways_could_not(r.node, &s, scid, direction, any_amount());
		break;
	case 2:
		node_ways_moved(r.node, &s, scid, direction, any_amount());
		break;
	case 3:
		node_ways_reserve(r.node, scid, direction, any_amount());
		break;
	default:
		node_ways_release(r.node, scid, direction, any_amount());
		break;
	}
	exec_run(r.exec, r.now_ms);
}

/* --- restarts --- */

/* All rules of persistent layers, but what is reserved, summed up so that their order does not count. */
static uint64_t sum_of_layers(void)
{
	static const uint8_t seed[16] = { 6 };
	const struct route_rule *rule;
	struct layer_view v;
	uint64_t sum = 0;

	for (uint32_t at = 0; node_view_layer(r.node, &at, &v);) {
		if (!v.persistent)
			continue;
		sum += siphash24(seed, bytes_from_string(v.name));
		for (uint64_t k = 0; (rule = route_layer_next(v.rules, &k));) {
			struct buf b = BUF_EMPTY;

			if (rule->kind == ROUTE_RULE_RESERVE)
				continue;
			buf_add_bytes(&b, bytes_from_string(v.name));
			buf_add_bytes(&b, BYTES_OF(rule->key));
			route_rule_encode(rule, &b);
			sum += siphash24(seed, buf_view(&b));
			buf_release(&b);
		}
	}
	return sum;
}

static void again(void)
{
	uint64_t layers = sum_of_layers();
	uint32_t facts = node_ways_figures(r.node).facts;

	rig_restart(&r);
	ASSERT(sum_of_layers() == layers && node_ways_figures(r.node).facts == facts);
	/* Who asked before is not answered any more. */
	answered = asked;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = cursor_of(BYTES(data, size));
	rig_init(&r, 1);
	r.config.gossip = true;
	r.gossip = no_gossip;
	r.gossip_load = load_graph;
	asked = answered = 0;
	rig_start(&r);
	for (uint32_t i = 0; i < STEPS && in.left; i++) {
		switch (take8() % 10) {
		case 0:
		case 1:
		case 2:
			order_layer();
			break;
		case 3:
			order_reserve();
			break;
		case 4:
			order_routes();
			break;
		case 5:
			ask();
			break;
		case 6:
			tell();
			break;
		case 7:
			r.worker_late = take8() & 1;
			(void)rig_worker_tick(&r);
			break;
		case 8:
			rig_tick(&r, 1u << take8() % 24);
			break;
		default:
			if (take8() % 4 == 0)
				again();
			break;
		}
		rig_forget(&r);
		node_check(r.node);
	}
	while (rig_worker_tick(&r))
		;
	ASSERT(answered == asked);
	rig_free(&r);
	return 0;
}
