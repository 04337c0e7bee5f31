/* listnodes, listchannels, networkchannels: what a node has read in its log of gossip, as its users see it. */
#include "tests/unit/method_world.h"

#include <stdlib.h>

#include "crypto/keys.h"
#include "gossip/log.h"
#include "gossip/message.h"
#include "wire/descriptor.h"

#define SEEN_S 1700000000u
#define MANY 300u

static struct buf gossip_log;

static bool message_of(void *context, uint32_t ref, struct buf *out)
{
	struct log_reader r = { .log = buf_view(&gossip_log) };
	struct bytes record, body;
	enum log_kind kind;
	uint32_t at;

	(void)context;
	while (log_next(&r, &at, &record))
		if (at == ref && log_record_open(record, &kind, &body)) {
			buf_add_bytes(out, log_message(kind, body));
			return true;
		}
	return false;
}

static void append(enum log_kind kind, struct bytes fixed, struct buf *message)
{
	log_record_encode(kind, fixed, buf_view(message), &gossip_log);
	buf_release(message);
}

/* Nodes 1 to MANY + 1, in order of their ids, and one that nobody knows. */
static struct pubkey ids[MANY + 2];
static char one[67], two[67], last[67], nobody[67];

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct pubkey));
}

static void make_ids(void)
{
	static const uint8_t seed[32] = { 1 };
	struct secp *secp = secp_new(seed);

	for (uint32_t i = 0; i < MANY + 2; i++) {
		struct secret32 key = { { 1 } };

		store_be32(key.v + 4, i);
		pubkey_of(secp, &ids[i], &key);
	}
	secp_free(secp);
	qsort(ids, MANY + 1, sizeof(ids[0]), by_id);
	hex_encode(one, ids[0].v, 33);
	hex_encode(two, ids[1].v, 33);
	hex_encode(last, ids[MANY].v, 33);
	hex_encode(nobody, ids[MANY + 1].v, 33);
}

static struct pubkey node_id(uint32_t n)
{
	return ids[n - 1];
}

/* Between nodes 1 and 1 + n. */
static void add_channel(const struct block_hash *chain, uint32_t n, struct bytes features)
{
	struct msg_channel_announcement m = { .chain_hash = *chain, .short_channel_id = scid_make(1000 + n, 1, 0), .features = features,
					      .node_id_1 = node_id(1), .node_id_2 = node_id(1 + n) };
	uint8_t fixed[40] = { 0 };
	struct buf raw = BUF_EMPTY;

	store_be64(fixed, 5000 + n);
	store_be32(fixed + 8, n);
	msg_channel_announcement_encode(&m, &raw);
	append(LOG_CHANNEL, BYTES_OF(fixed), &raw);
}

static void add_update(const struct block_hash *chain, uint32_t n, uint8_t flags)
{
	struct msg_channel_update m = {
		.chain_hash = *chain, .short_channel_id = scid_make(1000 + n, 1, 0), .timestamp = SEEN_S + n, .message_flags = 1,
		.channel_flags = flags, .cltv_expiry_delta = 34, .htlc_minimum_msat = MSAT(7), .fee_base_msat = 11,
		.fee_proportional_millionths = 13, .htlc_maximum_msat = MSAT(4000000),
	};
	struct buf raw = BUF_EMPTY;

	msg_channel_update_encode(&m, &raw);
	append(LOG_UPDATE, BYTES_NONE, &raw);
}

static void add_node(uint32_t n, struct bytes alias, struct bytes addresses)
{
	struct msg_node_announcement m = { .features = BYTES("\x80\x02", 2), .timestamp = SEEN_S, .node_id = node_id(n),
					   .rgb_color = { 0x12, 0xab, 0xff }, .addresses = addresses };
	struct buf raw = BUF_EMPTY;

	memcpy(m.alias, alias.data, alias.size);
	msg_node_announcement_encode(&m, &raw);
	append(LOG_NODE, BYTES_NONE, &raw);
}

/* One of each kind. */
static void add_addresses(struct buf *out)
{
	static const uint8_t ip4[4] = { 1, 2, 3, 4 }, ip6[16] = { 0x26, 0x07, [15] = 1 };
	uint8_t onion[DESCRIPTOR_TOR_V3_SIZE];
	const struct descriptor all[] = {
		{ DESCRIPTOR_IPV4, 9735, BYTES_OF(ip4) },
		{ DESCRIPTOR_IPV6, 9736, BYTES_OF(ip6) },
		{ DESCRIPTOR_TOR_V3, 9737, BYTES_OF(onion) },
		{ DESCRIPTOR_DNS, 9738, BYTES("lampo.example.org", 17) },
	};

	CHECK(descriptor_onion_decode(onion, "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"));
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		descriptor_encode(&all[i], out);
}

static void load(struct world_node *n)
{
	struct log_reader r = { .log = BYTES_NONE };
	struct buf addresses = BUF_EMPTY;
	struct bytes record;
	uint32_t ref;

	buf_release(&gossip_log);
	log_header_encode(buf_extend(&gossip_log, LOG_HEADER_SIZE), &n->config.network->genesis);
	add_channel(&n->config.network->genesis, 1, BYTES_NONE);
	add_channel(&n->config.network->genesis, 2, BYTES("\x02", 1));
	for (uint32_t i = 3; i <= MANY; i++)
		add_channel(&n->config.network->genesis, i, BYTES_NONE);
	for (uint32_t i = 1; i < MANY; i++) {
		add_update(&n->config.network->genesis, i, 0);
		add_update(&n->config.network->genesis, i, i == 1 ? 3 : 1);
	}
	add_addresses(&addresses);
	add_node(1, BYTES("caf\xc3\xa9 \xff\x1b[2J\0x", 13), buf_view(&addresses));
	add_node(2, BYTES("12345678901234567890123456789012", 32), BYTES_NONE);
	buf_release(&addresses);
	r.log = buf_view(&gossip_log);
	while (log_next(&r, &ref, &record))
		CHECK(node_load_gossip(n->node, ref, record));
	node_gossip_loaded(n->node, r.at);
}

static struct world *begin(void)
{
	make_ids();
	world_load_gossip = load;
	world_gossip_message = message_of;
	return world_new();
}

static void end(struct world *w)
{
	world_free(w);
	buf_release(&gossip_log);
}

static const json_t *first(const json_t *result, const char *name, size_t count)
{
	const json_t *list = json_object_get(result, name);

	CHECK_EQ(json_array_size(list), count);
	return json_array_get(list, 0);
}

static const char *string(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static uint64_t number(const json_t *o, const char *name)
{
	CHECK(json_is_integer(json_object_get(o, name)));
	return (uint64_t)json_integer_value(json_object_get(o, name));
}

static json_t *ask(struct world *w, const char *method, const char *name, const char *value)
{
	char params[100];

	snprintf(params, sizeof(params), "{'%s':'%s'}", name, value);
	return world_call(w, 0, method, params);
}

TEST(a_node_is_shown_with_all_that_it_says)
{
	static const struct {
		const char *type, *address;
		uint64_t port;
	} want[] = {
		{ "ipv4", "1.2.3.4", 9735 },
		{ "ipv6", "2607::1", 9736 },
		{ "torv3", "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion", 9737 },
		{ "dns", "lampo.example.org", 9738 },
	};
	struct world *w = begin();
	json_t *r = ask(w, "listnodes", "id", one);
	const json_t *n = first(r, "nodes", 1), *list = json_object_get(n, "addresses");

	CHECK_STR(string(n, "nodeid"), one);
	CHECK_EQ(number(n, "last_timestamp"), SEEN_S);
	/* B7.node_announcement.29: any bytes; what no reader could take is marked. */
	CHECK_STR(string(n, "alias"), "caf\xc3\xa9 \xef\xbf\xbd\x1b[2J\xef\xbf\xbdx");
	CHECK_STR(string(n, "color"), "12abff");
	CHECK_STR(string(n, "features"), "8002");
	CHECK_EQ(json_array_size(list), ARRAY_COUNT(want));
	for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
		const json_t *a = json_array_get(list, i);

		CHECK_STR(string(a, "type"), want[i].type);
		CHECK_STR(string(a, "address"), want[i].address);
		CHECK_EQ(number(a, "port"), want[i].port);
	}
	json_decref(r);
	r = ask(w, "listnodes", "id", two);
	CHECK_STR(string(first(r, "nodes", 1), "alias"), "12345678901234567890123456789012");
	CHECK_EQ(json_array_size(json_object_get(first(r, "nodes", 1), "addresses")), 0);
	json_decref(r);
	/* One that has a channel and has said nothing; one of whom nobody has heard. */
	r = ask(w, "listnodes", "id", last);
	CHECK_EQ(json_object_size(first(r, "nodes", 1)), 1);
	json_decref(r);
	r = ask(w, "listnodes", "id", nobody);
	(void)first(r, "nodes", 0);
	json_decref(r);
	end(w);
}

TEST(a_channel_is_shown_with_all_that_both_ends_say)
{
	struct world *w = begin();
	json_t *r = world_call(w, 0, "listchannels", "{'short_channel_id':'1001x1x0'}");
	const json_t *c = first(r, "channels", 2);

	CHECK_STR(string(c, "source"), one);
	CHECK_STR(string(c, "destination"), two);
	CHECK_STR(string(c, "short_channel_id"), "1001x1x0");
	CHECK(number(c, "direction") == 0 && number(c, "message_flags") == 1 && number(c, "channel_flags") == 0);
	CHECK(json_is_true(json_object_get(c, "active")) && json_is_true(json_object_get(c, "public")));
	CHECK(number(c, "amount_msat") == 5001000 && number(c, "last_update") == SEEN_S + 1 && number(c, "delay") == 34);
	CHECK(number(c, "base_fee_millisatoshi") == 11 && number(c, "fee_per_millionth") == 13);
	CHECK(number(c, "htlc_minimum_msat") == 7 && number(c, "htlc_maximum_msat") == 4000000);
	CHECK_STR(string(c, "features"), "");
	c = json_array_get(json_object_get(r, "channels"), 1);
	CHECK(number(c, "direction") == 1 && number(c, "channel_flags") == 3 && json_is_false(json_object_get(c, "active")));
	json_decref(r);
	r = world_call(w, 0, "listchannels", "{'short_channel_id':'1002x1x0'}");
	CHECK_STR(string(first(r, "channels", 2), "features"), "02");
	json_decref(r);
	r = ask(w, "listchannels", "destination", two);
	CHECK_STR(string(first(r, "channels", 1), "source"), one);
	json_decref(r);
	r = ask(w, "listchannels", "source", two);
	CHECK_STR(string(first(r, "channels", 1), "destination"), one);
	json_decref(r);
	r = ask(w, "listchannels", "source", nobody);
	(void)first(r, "channels", 0);
	json_decref(r);
	end(w);
}

/* More than fits into one piece: each once, in order; several lists at a time, one of them for somebody who leaves. */
TEST(the_whole_network_is_listed_in_pieces)
{
	struct world *w = begin();
	struct world_node *n = &w->nodes[0];
	struct rpc_client *other = rpc_client_new(n->rpc, world_ready, n);
	json_t *r, *answer;

	rpc_client_feed(other, bytes_from_string("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"listchannels\",\"params\":{}}"));
	rpc_client_free(other);
	r = world_call(w, 0, "listchannels", "{}");
	(void)first(r, "channels", 2 * (MANY - 1));
	for (uint32_t i = 0; i < 2 * (MANY - 1); i++)
		CHECK_EQ(number(json_array_get(json_object_get(r, "channels"), i), "last_update"), SEEN_S + 1 + i / 2);
	json_decref(r);
	r = ask(w, "listchannels", "source", one);
	(void)first(r, "channels", MANY - 1);
	json_decref(r);
	/* Lampo's own: each channel once, the silent one too. */
	r = world_call(w, 0, "networkchannels", "{}");
	CHECK_STR(string(first(r, "channels", MANY), "node_one"), one);
	CHECK_STR(string(json_array_get(json_object_get(r, "channels"), MANY - 1), "node_two"), last);
	json_decref(r);
	r = world_call(w, 0, "listnodes", "{}");
	(void)first(r, "nodes", MANY + 1);
	json_decref(r);
	/* As many as may wait, and one more. */
	for (uint32_t i = 0; i < 17; i++)
		rpc_client_feed(n->client, bytes_from_string("{\"jsonrpc\":\"2.0\",\"id\":\"networkchannels\",\"method\":\"networkchannels\"}"));
	answer = world_answer(w, 0);
	CHECK(answer && strstr(string(json_object_get(answer, "error"), "message"), "16 lists"));
	json_decref(answer);
	world_settle(w);
	for (uint32_t i = 0; i < 16; i++) {
		answer = world_answer(w, 0);
		CHECK(answer);
		r = world_result(w, 0, answer);
		(void)first(r, "channels", MANY);
		json_decref(r);
	}
	end(w);
}
