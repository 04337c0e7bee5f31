#include "runtime/chain/core.h"

#include <stdio.h>
#include <string.h>

#include "bitcoin/tx.h"
#include "runtime/chain/core_rpc.h"

#define FEERATE_CEILING_PER_KW 250000u /* 1000 sat/vB: beyond it an estimate is a mistake */

struct core {
	struct core_rpc *rpc;
	const struct network *network;
	bool no_packages; /* submitpackage is not there */
};

/* ---- Values ---- */

/* Bitcoin Core writes hashes reversed. */
static bool hash_from_json(struct block_hash *out, const json_t *j)
{
	const char *hex = json_string_value(j);

	return hex && strlen(hex) == 64 && hash_from_hex(out->v, hex);
}

static json_t *json_hex(struct bytes b)
{
	struct buf hex = BUF_EMPTY;
	json_t *j;

	buf_add_hex(&hex, b);
	j = json_stringn((const char *)hex.data, hex.size);
	buf_release(&hex);
	return j;
}

static bool add_unhex(struct buf *out, const json_t *j)
{
	return json_is_string(j) && buf_add_unhex(out, json_string_value(j), json_string_length(j));
}

static enum backend_result nonsense(char *error, const char *method)
{
	snprintf(error, BACKEND_ERROR_SIZE, "bitcoind's answer to %s makes no sense", method);
	return BACKEND_AWAY;
}

/* ---- The chain ---- */

static enum backend_result check_network(const struct core *c, const json_t *info, char *error)
{
	const char *chain = json_string_value(json_object_get(info, "chain"));
	struct block_hash genesis;
	enum backend_result r;
	json_t *hash = NULL;

	if (!chain)
		return nonsense(error, "getblockchaininfo");
	if (strcmp(chain, c->network->core_name)) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind is on the network \"%.20s\", we are on \"%s\"", chain,
			 c->network->core_name);
		return BACKEND_WRONG;
	}
	r = core_rpc_call(c->rpc, "getblockhash", json_pack("[i]", 0), &hash, NULL, error);
	if (r == BACKEND_OK && !(hash_from_json(&genesis, hash) && SAME(genesis, c->network->genesis))) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind's genesis block is not that of %s", c->network->name);
		r = BACKEND_WRONG;
	}
	json_decref(hash);
	return r;
}

static enum backend_result core_tip(void *context, struct backend_tip *out, char *error)
{
	struct core *c = context;
	json_t *info = NULL, *blocks, *headers;
	enum backend_result r = core_rpc_call(c->rpc, "getblockchaininfo", NULL, &info, NULL, error);

	if (r != BACKEND_OK)
		return r == BACKEND_NO ? BACKEND_AWAY : r;
	blocks = json_object_get(info, "blocks");
	headers = json_object_get(info, "headers");
	if (!json_is_integer(blocks) || !json_is_integer(headers) || json_integer_value(blocks) < 0
	    || !hash_from_json(&out->hash, json_object_get(info, "bestblockhash"))) {
		r = nonsense(error, "getblockchaininfo");
	} else if (core_rpc_was_away(c->rpc)) {
		/* Another bitcoind may answer at the same place now. */
		c->no_packages = false;
		r = check_network(c, info, error);
	}
	out->height = (uint32_t)json_integer_value(blocks);
	out->headers = (uint32_t)json_integer_value(headers);
	json_decref(info);
	return r;
}

static enum backend_result core_block_hash(void *context, uint32_t height, struct block_hash *out, char *error)
{
	struct core *c = context;
	json_t *hash = NULL;
	enum backend_result r = core_rpc_call(c->rpc, "getblockhash", json_pack("[I]", (json_int_t)height), &hash, NULL, error);

	if (r == BACKEND_OK && !hash_from_json(out, hash))
		r = nonsense(error, "getblockhash");
	json_decref(hash);
	return r;
}

static enum backend_result no_block(const struct block_hash *hash, int code, char *error)
{
	char hex[65], why[BACKEND_ERROR_SIZE];

	memcpy(why, error, sizeof(why));
	hash_to_hex(hex, hash->v);
	if (!strstr(why, "pruned"))
		/* Its header came before the rest of it: bitcoind is about to get it. */
		return code == CORE_MISC ? BACKEND_AWAY : BACKEND_NO;
	snprintf(error, BACKEND_ERROR_SIZE,
		 "bitcoind has pruned block %s, which was mined while this node was off or before its wallet was restored: "
		 "start a bitcoind with more blocks (prune=0 and a reindex)", hex);
	return BACKEND_WRONG;
}

static enum backend_result core_block(void *context, const struct block_hash *hash, struct buf *raw, char *error)
{
	struct core *c = context;
	json_t *block = NULL;
	enum backend_result r;
	char hex[65];
	int code;

	hash_to_hex(hex, hash->v);
	r = core_rpc_call(c->rpc, "getblock", json_pack("[s, i]", hex, 0), &block, &code, error);
	if (r == BACKEND_NO)
		r = no_block(hash, code, error);
	else if (r == BACKEND_OK && !add_unhex(raw, block))
		r = nonsense(error, "getblock");
	json_decref(block);
	return r;
}

static enum backend_result core_utxo(void *context, const struct outpoint *o, struct amount_sat *amount, struct buf *script,
				     char *error)
{
	struct core *c = context;
	json_t *out = NULL;
	enum backend_result r;
	char hex[65];

	txid_to_hex(hex, &o->txid);
	r = core_rpc_call(c->rpc, "gettxout", json_pack("[s, I, b]", hex, (json_int_t)o->index, 0), &out, NULL, error);
	if (r == BACKEND_OK && json_is_null(out)) {
		snprintf(error, BACKEND_ERROR_SIZE, "%s:%u is spent or does not exist", hex, o->index);
		r = BACKEND_NO;
	} else if (r == BACKEND_OK) {
		const json_t *value = json_object_get(out, "value");
		const json_t *spk = json_object_get(json_object_get(out, "scriptPubKey"), "hex");

		if (!json_is_number(value) || !add_unhex(script, spk))
			r = nonsense(error, "gettxout");
		else
			*amount = SAT((uint64_t)(json_number_value(value) * 1e8 + 0.5));
	}
	json_decref(out);
	return r;
}

/* ---- Transactions ---- */

/* Words of validation.h for what is no failure. */
static bool is_known_already(const char *why)
{
	return strstr(why, "txn-already-in-mempool") || strstr(why, "txn-already-known")
	       || strstr(why, "txn-same-nonwitness-data-in-mempool") || strstr(why, "already in block chain")
	       || strstr(why, "already in utxo set");
}

static enum backend_result send_one(const struct core *c, struct bytes tx, char *error)
{
	int code;
	/* No ceiling of bitcoind's on the fee rate: the core has decided. */
	enum backend_result r = core_rpc_call(c->rpc, "sendrawtransaction", json_pack("[o, i]", json_hex(tx), 0), NULL, &code,
					      error);

	if (r == BACKEND_NO && (code == CORE_ALREADY_IN_CHAIN || is_known_already(error)))
		return BACKEND_OK;
	return r;
}

static enum backend_result send_each(const struct core *c, const struct bytes *txs, uint32_t count, char *error)
{
	enum backend_result worst = BACKEND_OK, r;
	char why[BACKEND_ERROR_SIZE] = "";

	/* A child may pass though a parent is there already or was refused. */
	for (uint32_t i = 0; i < count; i++) {
		r = send_one(c, txs[i], why);
		if (r == BACKEND_AWAY) {
			memcpy(error, why, sizeof(why));
			return r;
		}
		if (r != BACKEND_OK && worst == BACKEND_OK) {
			memcpy(error, why, sizeof(why));
			worst = r;
		}
	}
	return worst;
}

/* What one of a package came to: it is in the mempool, itself or with another witness, or in the chain. */
static bool is_there(const json_t *one)
{
	const char *why = json_string_value(json_object_get(one, "error"));

	return why ? is_known_already(why) : json_object_get(one, "vsize") || json_object_get(one, "other-wtxid");
}

/* Why a package is not in bitcoind's mempool; NULL if all of it is there, or in the chain.  Its results are by witness
 * id, one for each transaction: what was not even looked at, because another had failed, says so too. */
static const char *package_refusal(const json_t *result, uint32_t count)
{
	const json_t *each = json_object_get(result, "tx-results"), *one;
	const char *message = json_string_value(json_object_get(result, "package_msg")), *id;
	uint32_t there = 0;

	if (message && strcmp(message, "success") == 0)
		return NULL;
	json_object_foreach((json_t *)each, id, one)
	{
		const char *why = json_string_value(json_object_get(one, "error"));

		if (is_there(one))
			there++;
		else if (why && strcmp(why, "package-not-validated"))
			return why;
	}
	if (there == count)
		return NULL;
	return message ? message : "refused";
}

static enum backend_result send_package(struct core *c, const struct bytes *txs, uint32_t count, char *error)
{
	json_t *list = json_array(), *result = NULL;
	enum backend_result r;
	const char *why;
	int code;

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_hex(txs[i]));
	r = core_rpc_call(c->rpc, "submitpackage", json_pack("[o, i]", list, 0), &result, &code, error);
	if (r == BACKEND_OK && (why = package_refusal(result, count))) {
		snprintf(error, BACKEND_ERROR_SIZE, "%.400s", why);
		r = BACKEND_NO;
	}
	if (code == CORE_METHOD_NOT_FOUND)
		c->no_packages = true;
	json_decref(result);
	return r;
}

/* Both reasons: which of them is the one to act on depends on what was refused. */
static void join_reasons(char *error, const char *package)
{
	char each[BACKEND_ERROR_SIZE];

	memcpy(each, error, sizeof(each));
	snprintf(error, BACKEND_ERROR_SIZE, "%.240s (one by one: %.240s)", package, each);
}

static enum backend_result core_broadcast(void *context, const struct bytes *txs, uint32_t count, char *error)
{
	struct core *c = context;
	char package[BACKEND_ERROR_SIZE] = "";
	enum backend_result r;

	if (count > 1 && !c->no_packages) {
		r = send_package(c, txs, count, package);
		if (r != BACKEND_NO) {
			memcpy(error, package, sizeof(package));
			return r;
		}
	}
	/* A package that is refused as such may still pass one by one: when its parent has been mined, or with a bitcoind
	 * that knows no packages. */
	r = send_each(c, txs, count, error);
	if (r == BACKEND_NO && *package && !c->no_packages)
		join_reasons(error, package);
	return r;
}

/* ---- Fees ---- */

/* BTC for 1000 virtual bytes into satoshi for 1000 weight units, rounded up. */
static bool rate_from_json(struct feerate *out, const json_t *j)
{
	double per_kw;

	if (!json_is_number(j))
		return false;
	per_kw = json_number_value(j) * 1e8 / 4;
	if (!(per_kw >= 0 && per_kw < 1e9))
		return false;
	if (per_kw < FEERATE_FLOOR_PER_KW)
		per_kw = FEERATE_FLOOR_PER_KW;
	if (per_kw > FEERATE_CEILING_PER_KW)
		per_kw = FEERATE_CEILING_PER_KW;
	/* Doubles miss by less than the millionth that is forgiven here. */
	out->per_kw = (uint32_t)(per_kw + 1 - 1e-6);
	return true;
}

static enum backend_result least_feerate(const struct core *c, struct feerate *out, char *error)
{
	json_t *info = NULL;
	struct feerate relay;
	enum backend_result r = core_rpc_call(c->rpc, "getmempoolinfo", NULL, &info, NULL, error);

	if (r == BACKEND_OK) {
		if (!rate_from_json(out, json_object_get(info, "mempoolminfee")))
			r = nonsense(error, "getmempoolinfo");
		else if (rate_from_json(&relay, json_object_get(info, "minrelaytxfee")) && relay.per_kw > out->per_kw)
			*out = relay;
	}
	json_decref(info);
	return r;
}

static enum backend_result core_feerate(void *context, uint32_t blocks, struct feerate *out, char *error)
{
	const struct core *c = context;
	json_t *estimate = NULL;
	enum backend_result r;

	if (!blocks)
		return least_feerate(c, out, error);
	r = core_rpc_call(c->rpc, "estimatesmartfee",
			  json_pack("[I, s]", (json_int_t)blocks, blocks <= 2 ? "CONSERVATIVE" : "ECONOMICAL"), &estimate, NULL,
			  error);
	if (r == BACKEND_OK && !rate_from_json(out, json_object_get(estimate, "feerate"))) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind has no estimate for %u blocks yet", blocks);
		r = BACKEND_NO;
	}
	json_decref(estimate);
	return r;
}

/* ---- Life ---- */

static void core_interrupt(void *context)
{
	core_rpc_interrupt(((struct core *)context)->rpc);
}

static void core_free(void *context)
{
	struct core *c = context;

	core_rpc_free(c->rpc);
	mem_free(c);
}

bool core_backend(struct backend *out, const struct core_config *config, char error[BACKEND_ERROR_SIZE])
{
	struct core_rpc *rpc = core_rpc_new(config, error);
	struct core *c;

	if (!rpc)
		return false;
	c = NEW(struct core);
	c->rpc = rpc;
	c->network = config->network;
	*out = (struct backend){ .context = c, .tip = core_tip, .block_hash = core_block_hash, .block = core_block,
				 .broadcast = core_broadcast, .feerate = core_feerate, .utxo = core_utxo,
				 .interrupt = core_interrupt, .free = core_free };
	return true;
}
