/* Schemas: coins on the chain. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_param newaddr_params[] = {
	{ .name = "addresstype", .type = LAMPO_STRING, .choices = "bech32 p2tr all", .fallback = "all",
	  .doc = "bech32: native segwit; p2tr: taproot; all: one of each." },
};
static const struct lampo_result newaddr_results[] = {
	{ "bech32", LAMPO_STRING, LAMPO_OPTIONAL, "The native segwit address." },
	{ "p2tr", LAMPO_STRING, LAMPO_OPTIONAL, "The taproot address." },
	{ "address", LAMPO_STRING, 0, "The first of these." },
};
const struct lampo_method schema_newaddr = {
	.name = "newaddr",
	.aliases = "new_addr",
	.category = "wallet",
	.summary = "Make a fresh address to receive coins",
	.params = newaddr_params,
	.param_count = ARRAY_COUNT(newaddr_params),
	.results = newaddr_results,
	.result_count = ARRAY_COUNT(newaddr_results),
};

static const struct lampo_param listfunds_params[] = {
	{ .name = "spent", .type = LAMPO_BOOL, .fallback = "false", .doc = "Show coins too that were spent lately." },
};
static const struct lampo_result listfunds_results[] = {
	{ "outputs", LAMPO_ARRAY, 0, "Coins of the wallet." },
	{ "outputs[].txid", LAMPO_TXID, 0, "The transaction." },
	{ "outputs[].output", LAMPO_U32, 0, "Which of its outputs." },
	{ "outputs[].amount_msat", LAMPO_MSAT, 0, "The amount." },
	{ "outputs[].scriptpubkey", LAMPO_HEX, 0, "The script." },
	{ "outputs[].address", LAMPO_STRING, LAMPO_OPTIONAL, "The script as an address." },
	{ "outputs[].status", LAMPO_STRING, 0, "unconfirmed, confirmed, immature or spent." },
	{ "outputs[].blockheight", LAMPO_U32, LAMPO_OPTIONAL, "The block that holds it." },
	{ "outputs[].reserved", LAMPO_BOOL, 0, "Set aside for a transaction that is being made." },
	{ "transactions", LAMPO_ARRAY, 0, "The same coins in Lampo's form." },
	{ "transactions[].txid", LAMPO_TXID, 0, "The transaction." },
	{ "transactions[].vout", LAMPO_U32, 0, "Which of its outputs." },
	{ "transactions[].reserved", LAMPO_BOOL, 0, "Set aside for a transaction that is being made." },
	{ "transactions[].confirmed", LAMPO_U32, 0, "Confirmations." },
	{ "transactions[].amount_msat", LAMPO_MSAT, 0, "The amount." },
	{ "anchor_reserve_msat", LAMPO_MSAT, 0, "What withdrawals and new channels leave in the wallet, for closing channels in time." },
	{ "channels", LAMPO_ARRAY, 0, "Money in channels." },
	{ "channels[].peer_id", LAMPO_PUBKEY, 0, "The peer." },
	{ "channels[].connected", LAMPO_BOOL, 0, "Whether it is connected." },
	{ "channels[].state", LAMPO_STRING, 0, "The channel's state, by Core Lightning's name." },
	{ "channels[].channel_id", LAMPO_HASH, 0, "The channel." },
	{ "channels[].short_channel_id", LAMPO_SCID, LAMPO_OPTIONAL, "Its place in the chain, once it is confirmed." },
	{ "channels[].our_amount_msat", LAMPO_MSAT, 0, "Ours." },
	{ "channels[].amount_msat", LAMPO_MSAT, 0, "All of it." },
	{ "channels[].funding_txid", LAMPO_TXID, 0, "The funding transaction." },
	{ "channels[].funding_output", LAMPO_U32, 0, "Which of its outputs." },
	{ "channels[].pending_onchain_msat", LAMPO_MSAT, LAMPO_OPTIONAL, "What is on the chain and ours, on its way to the wallet." },
	{ "channels[].spent_by", LAMPO_OBJECT, LAMPO_OPTIONAL, "The transaction in a block that spent the funding output." },
	{ "channels[].spent_by.txid", LAMPO_TXID, 0, "Its id." },
	{ "channels[].spent_by.kind", LAMPO_STRING, 0, "Whose it is, in words." },
	{ "channels[].spent_by.height", LAMPO_U32, 0, "The block." },
	{ "channels[].sweeps", LAMPO_ARRAY, LAMPO_OPTIONAL, "What the end left on the chain and is not settled." },
	SWEEP_RESULTS("channels[].sweeps[]."),
};
const struct lampo_method schema_listfunds = {
	.name = "listfunds",
	.aliases = "funds",
	.category = "wallet",
	.summary = "List coins and the money in channels",
	.params = listfunds_params,
	.param_count = ARRAY_COUNT(listfunds_params),
	.results = listfunds_results,
	.result_count = ARRAY_COUNT(listfunds_results),
};

static const struct lampo_param withdraw_params[] = {
	{ .name = "destination", .aliases = "address addr", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED,
	  .doc = "The address to pay." },
	{ .name = "satoshi", .aliases = "amount", .type = LAMPO_SAT_OR_ALL, .flags = LAMPO_REQUIRED,
	  .doc = "How much; \"all\" leaves what anchor channels need." },
	{ .name = "feerate", .type = LAMPO_FEERATE, .fallback = "normal", .doc = "The fee rate." },
	{ .name = "minconf", .type = LAMPO_U32, .fallback = "1", .doc = "Spend coins with so many confirmations." },
	{ .name = "utxos", .type = LAMPO_ARRAY, .element = LAMPO_OUTPOINT, .doc = "Spend exactly these coins." },
};
static const struct lampo_result withdraw_results[] = {
	{ "tx", LAMPO_HEX, 0, "The transaction, which is on its way." },
	{ "txid", LAMPO_TXID, 0, "Its id." },
	{ "psbt", LAMPO_STRING, 0, "The same as a PSBT, in base64." },
};
static const struct lampo_error withdraw_errors[] = {
	{ -32602, "The address is not one of this network, or the amount is below its dust limit." },
	{ 301, "There is not enough money, fee and reserve included." },
	{ 302, "It would take too many coins to pay so much." },
	{ -1, "Something else; the message says what." },
};
const struct lampo_method schema_withdraw = {
	.name = "withdraw",
	.category = "wallet",
	.summary = "Send coins on the chain",
	.params = withdraw_params,
	.param_count = ARRAY_COUNT(withdraw_params),
	.results = withdraw_results,
	.result_count = ARRAY_COUNT(withdraw_results),
	.errors = withdraw_errors,
	.error_count = ARRAY_COUNT(withdraw_errors),
};
