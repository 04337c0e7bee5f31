/* The bundled methods as data: names, parameters, results and errors.
 *
 * Where Core Lightning has a method, its names stand first and Lampo's are
 * aliases; an answer holds the fields of both. */
#ifndef API_METHOD_SCHEMAS_H
#define API_METHOD_SCHEMAS_H

#include "lampo/method.h"

extern const struct lampo_method schema_getinfo, schema_stop;
extern const struct lampo_method schema_connect, schema_disconnect, schema_listpeers;
extern const struct lampo_method schema_newaddr, schema_listfunds, schema_withdraw;
extern const struct lampo_method schema_fundchannel, schema_listpeerchannels, schema_listclosedchannels, schema_close;
extern const struct lampo_method schema_setchannel, schema_listforwards, schema_delforward;
extern const struct lampo_method schema_autoclean_once, schema_autoclean_status;
extern const struct lampo_method schema_invoice, schema_listinvoices, schema_waitinvoice, schema_waitanyinvoice, schema_delinvoice, schema_decode;
extern const struct lampo_method schema_pay, schema_keysend, schema_probe, schema_listpays, schema_listsendpays, schema_delpay, schema_sendpay, schema_waitsendpay;
extern const struct lampo_method schema_staticbackup, schema_emergencyrecover, schema_recoverchannel, schema_listsweeps;
extern const struct lampo_method schema_listchannels, schema_networkchannels, schema_listnodes;
extern const struct lampo_method schema_getroute, schema_getroutes;
extern const struct lampo_method schema_askrene_create_layer, schema_askrene_remove_layer, schema_askrene_listlayers;
extern const struct lampo_method schema_askrene_create_channel, schema_askrene_update_channel, schema_askrene_remove_channel_update;
extern const struct lampo_method schema_askrene_inform_channel, schema_askrene_bias_channel, schema_askrene_bias_node;
extern const struct lampo_method schema_askrene_disable_node, schema_askrene_reserve, schema_askrene_unreserve;
extern const struct lampo_method schema_askrene_listreservations, schema_askrene_age;

/* One output, as api/method/sweeps.c writes it. */
#define SWEEP_RESULTS(path) \
	{ path "txid", LAMPO_TXID, 0, "The transaction that made it." }, \
	{ path "output", LAMPO_U32, 0, "Which of its outputs." }, \
	{ path "kind", LAMPO_STRING, 0, \
	  "to_us, to_them, htlc_out (offered by us), htlc_in, htlc_delayed (of our HTLC transaction), htlc_delayed_theirs, anchor, " \
	  "other; commitment_fee: our commitment is not in a block yet, and its anchor is spent to pay for it." }, \
	{ path "amount_msat", LAMPO_MSAT, 0, "Its amount; of commitment_fee what is paid." }, \
	{ path "ours", LAMPO_BOOL, 0, "We can spend it, now or later." }, \
	{ path "status", LAMPO_STRING, 0, \
	  "watched: the peer may take it, or we may with a preimage; waiting: ours later; unclaimed: the claim is being made; " \
	  "claimed: the claim is not in a block yet; spent: not a hundred blocks deep yet; settled, ignored, uneconomic." }, \
	{ path "why", LAMPO_STRING, 0, "The same in words." }, \
	{ path "until_height", LAMPO_U32, LAMPO_OPTIONAL, "The block that ends this, if one can be named." }, \
	{ path "confirmed_height", LAMPO_U32, LAMPO_OPTIONAL, "The block that holds it." }, \
	{ path "spendable_height", LAMPO_U32, LAMPO_OPTIONAL, "The first block that may hold our spend." }, \
	{ path "deadline_height", LAMPO_U32, LAMPO_OPTIONAL, "The last block that should: after it the peer may take it." }, \
	{ path "htlc_id", LAMPO_U64, LAMPO_OPTIONAL, "The HTLC's number in the channel." }, \
	{ path "expiry", LAMPO_U32, LAMPO_OPTIONAL, "The HTLC's expiry." }, \
	{ path "claim_txid", LAMPO_TXID, LAMPO_OPTIONAL, "Our transaction that spends it, on its way." }, \
	{ path "feerate", LAMPO_OBJECT, LAMPO_OPTIONAL, "What that pays; it grows as the deadline comes near." }, \
	{ path "feerate.perkw", LAMPO_U32, 0, "Per 1000 units of weight." }, \
	{ path "feerate.perkb", LAMPO_U32, 0, "Per 1000 virtual bytes." }, \
	{ path "claim_height", LAMPO_U32, LAMPO_OPTIONAL, "When it was made." }, \
	{ path "spent_txid", LAMPO_TXID, LAMPO_OPTIONAL, "The transaction in a block that spent it." }, \
	{ path "spent_height", LAMPO_U32, LAMPO_OPTIONAL, "That block." }, \
	{ path "spent_by_us", LAMPO_BOOL, LAMPO_OPTIONAL, "Whether it is ours." }
/* Why a channel ended. */
#define CAUSE_RESULTS(path) \
	{ path "close_evidence", LAMPO_OBJECT, LAMPO_OPTIONAL, "Why it ended, as far as that is known." }, \
	{ path "close_evidence.cause", LAMPO_STRING, 0, "In one word, such as htlc_expired." }, \
	{ path "close_evidence.words", LAMPO_STRING, 0, "In a sentence." }, \
	{ path "close_evidence.text", LAMPO_STRING, LAMPO_OPTIONAL, "What was said to the peer, or by it." }, \
	{ path "close_evidence.height", LAMPO_U32, 0, "The chain's height then." }, \
	{ path "close_evidence.at", LAMPO_U64, 0, "When, in seconds since 1970." }, \
	{ path "close_evidence.local_commitment", LAMPO_U64, 0, "The number of our latest commitment then." }, \
	{ path "close_evidence.remote_commitment", LAMPO_U64, 0, "Of the peer's." }, \
	{ path "close_evidence.htlc", LAMPO_OBJECT, LAMPO_OPTIONAL, "The HTLC that is to blame." }, \
	{ path "close_evidence.htlc.direction", LAMPO_STRING, 0, "in or out." }, \
	{ path "close_evidence.htlc.id", LAMPO_U64, 0, "Its number." }, \
	{ path "close_evidence.htlc.expiry", LAMPO_U32, 0, "Its expiry." }

/* All of them, in the order of help. */
extern const struct lampo_method *const schemas_bundled[];
extern const size_t schemas_bundled_count;

#endif
