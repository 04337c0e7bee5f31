#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "api/method/schemas.h"
#include "api/rpc/result.h"
#include "api/rpc/rpc.h"

static void never(void *context, struct lampo_call *call, struct params *params)
{
	(void)context;
	(void)params;
	rpc_fail(call, RPC_FAILED, NULL, "never called");
}

static struct rpc *bundled(void)
{
	struct rpc_limits limits;
	char why[RPC_WHY_SIZE];
	struct rpc *rpc;
	size_t i;

	rpc_limits_default(&limits);
	rpc = rpc_new(&limits);
	for (i = 0; i < schemas_bundled_count; i++)
		if (!rpc_add(rpc, schemas_bundled[i], never, NULL, why))
			test_failed(__FILE__, __LINE__, "%s", why);
	return rpc;
}

TEST(every_bundled_schema_is_well_formed)
{
	rpc_free(bundled());
}

TEST(methods_have_lampos_and_core_lightnings_names)
{
	static const char *const names[] = {
		"getinfo", "connect", "disconnect", "listpeers", "newaddr", "new_addr", "funds", "listfunds", "withdraw",
		"fundchannel", "channels", "listpeerchannels", "close", "invoice", "listinvoices", "waitinvoice", "decode",
		"pay", "listpays", "keysend", "stop", "help", "listchannels", "networkchannels", "listnodes",
	};
	struct rpc *rpc = bundled();
	size_t i;

	for (i = 0; i < ARRAY_COUNT(names); i++)
		if (!rpc_method(rpc, names[i]))
			test_failed(__FILE__, __LINE__, "no method %s", names[i]);
	rpc_free(rpc);
}

/* Positional calls of Core Lightning's clients must mean the same here. */
TEST(parameters_stand_in_core_lightnings_order)
{
	static const struct {
		const struct lampo_method *method;
		const char *order;
	} all[] = {
		{ &schema_connect, "id host port" },
		{ &schema_disconnect, "id force" },
		{ &schema_listpeers, "id level" },
		{ &schema_newaddr, "addresstype" },
		{ &schema_listfunds, "spent" },
		{ &schema_withdraw, "destination satoshi feerate minconf utxos" },
		{ &schema_fundchannel, "id amount feerate announce minconf push_msat close_to request_amt compact_lease utxos "
				       "mindepth reserve channel_type" },
		{ &schema_listpeerchannels, "id short_channel_id channel_id" },
		{ &schema_close, "id unilateraltimeout destination fee_negotiation_step wrong_funding force_lease_closed feerange" },
		{ &schema_invoice, "amount_msat label description expiry fallbacks preimage exposeprivatechannels cltv deschashonly" },
		{ &schema_listinvoices, "label invstring payment_hash offer_id index start limit" },
		{ &schema_waitinvoice, "label" },
		{ &schema_decode, "string" },
		{ &schema_pay, "bolt11 amount_msat label riskfactor maxfeepercent retry_for maxdelay exemptfee localinvreqid exclude "
			       "maxfee description partial_msat" },
		{ &schema_listchannels, "short_channel_id source destination" },
		{ &schema_listnodes, "id" },
		{ &schema_listpays, "bolt11 payment_hash status index start limit" },
		{ &schema_keysend, "destination amount_msat label maxfeepercent retry_for maxdelay exemptfee routehints extratlvs maxfee" },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_COUNT(all); i++) {
		const char *rest = all[i].order;
		struct bytes name;

		for (j = 0; names_next(&rest, &name); j++) {
			CHECK(j < all[i].method->param_count);
			if (!bytes_equal(name, bytes_from_string(all[i].method->params[j].name)))
				test_failed(__FILE__, __LINE__, "%s: parameter %zu is %s", all[i].method->name, j + 1,
					    all[i].method->params[j].name);
		}
	}
}

/* What Lampo's own clients send. */
TEST(parameters_have_lampos_names_too)
{
	static const struct {
		const struct lampo_method *method;
		const char *names;
	} all[] = {
		{ &schema_connect, "node_id addr port" },
		{ &schema_fundchannel, "node_id addr port amount push_msat public" },
		{ &schema_close, "node_id channel_id" },
		{ &schema_invoice, "amount_msat description expiring_in" },
		{ &schema_decode, "invoice_str" },
		{ &schema_pay, "invoice_str amount timeout" },
		{ &schema_keysend, "destination amount_msat timeout" },
	};
	size_t i;

	for (i = 0; i < ARRAY_COUNT(all); i++) {
		const char *rest = all[i].names;
		struct bytes name;

		while (names_next(&rest, &name)) {
			char text[64];

			snprintf(text, sizeof(text), "%.*s", (int)name.size, (const char *)name.data);
			if (!schema_param(all[i].method, text))
				test_failed(__FILE__, __LINE__, "%s has no parameter %s", all[i].method->name, text);
		}
	}
}

static const struct lampo_result list_results[] = {
	{ "list", LAMPO_ARRAY, 0, "." },
	{ "list[].id", LAMPO_U32, 0, "." },
	{ "list[].sub", LAMPO_OBJECT, LAMPO_OPTIONAL, "." },
	{ "list[].sub.msat", LAMPO_MSAT, 0, "." },
	{ "deep", LAMPO_ARRAY, LAMPO_OPTIONAL, "." },
	{ "deep[][].hex", LAMPO_HEX, 0, "." },
};
static const struct lampo_method list = { .name = "list", .summary = ".", .results = list_results, .result_count = 6 };

static const char *fault_of(const char *text)
{
	static char why[RPC_WHY_SIZE];
	json_t *json = json_parse(bytes_from_string(text), why);

	CHECK(json);
	if (result_matches(&list, json, why))
		why[0] = 0;
	json_decref(json);
	return why;
}

TEST(results_are_held_to_their_schema)
{
	CHECK_STR(fault_of("{\"list\":[]}"), "");
	CHECK_STR(fault_of("{\"list\":[{\"id\":1},{\"id\":2,\"sub\":{\"msat\":3}}],\"deep\":[[],[{\"hex\":\"00\"}]]}"), "");
	CHECK_STR(fault_of("{}"), "list: 'list' is missing");
	CHECK_STR(fault_of("{\"list\":[{}]}"), "list: 'list[].id' is missing");
	CHECK_STR(fault_of("{\"list\":[{\"id\":1,\"sub\":{}}]}"), "list: 'list[].sub.msat' is missing");
	CHECK_STR(fault_of("{\"list\":[{\"id\":1,\"x\":2}]}"), "list: 'list[].x' is not in the schema");
	CHECK_STR(fault_of("{\"list\":[{\"id\":\"1\"}]}"), "list: 'list[].id' is no u32");
	CHECK_STR(fault_of("{\"list\":[{\"id\":1,\"sub\":{\"msat\":\"3msat\"}}]}"), "list: 'list[].sub.msat' is no msat");
	CHECK_STR(fault_of("{\"list\":[],\"deep\":[[{\"hex\":\"0\"}]]}"), "list: 'deep[][].hex' is no hex");
	CHECK_STR(fault_of("[]"), "list: '' is not in the schema");
}

/* B7.node_announcement.29: whoever reads an alias is told that it is the node's own word. */
TEST(an_alias_is_called_what_it_is)
{
	const struct lampo_method *m = &schema_listnodes;
	uint32_t found = 0;

	for (size_t i = 0; i < m->result_count; i++)
		if (strcmp(m->results[i].name, "nodes[].alias") == 0)
			found += strstr(m->results[i].doc, "gives itself") != NULL;
	CHECK_EQ(found, 1);
}
