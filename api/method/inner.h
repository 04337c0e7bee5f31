/* Inside api/method: what the files of handlers share. */
#ifndef API_METHOD_INNER_H
#define API_METHOD_INNER_H

#include "api/method/methods.h"
#include "api/method/schemas.h"

struct query;
struct stored_read;
struct walk;

struct methods {
	struct rpc *rpc;
	struct node_port port;
	struct query *queries; /* not released yet */
	struct stored_read *reads; /* stored.h: not answered yet */
	struct walk *walks; /* walk.h: in order, the first is under way */
	uint32_t walk_count;
	uint64_t last_read;
};

/* Why a query or a reply has no result. */
struct refusal {
	int code;
	char message[RPC_WHY_SIZE];
	json_t *data; /* owned, or NULL */
};
/* Fills it; returns NULL, so that it can be returned. */
json_t *refuse(struct refusal *r, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A query's answer, from the views and the parameters.  NULL: refused. */
typedef json_t *query_answer(const struct methods *m, struct params *params, struct refusal *refusal);
/* Defers the call, moves the parameters, and asks the port. */
void query_ask(struct methods *m, struct lampo_call *call, struct params *params, query_answer *answer);

/* Defers the call and orders the command. */
void order(struct methods *m, struct lampo_call *call, const struct command *command);

/* The answers to commands, by kind (reply.code is REPLY_OK). */
json_t *reply_connect(const struct methods *m, const struct reply *reply);
json_t *reply_withdraw(const struct methods *m, const struct reply *reply);
json_t *reply_fund_channel(const struct methods *m, const struct reply *reply);
json_t *reply_invoice(const struct reply *reply);
json_t *reply_set_channel(const struct reply *reply);
json_t *reply_paid(const struct methods *m, const struct reply *reply);
json_t *reply_probe(const struct reply *reply);
/* What is known of a payment or a probe that has failed: what was tried. */
json_t *failed_pay(const struct reply *reply);
json_t *reply_delpay(const struct reply *reply);
json_t *reply_recover(const struct reply *reply);
json_t *reply_layer(const struct methods *m, const struct reply *reply);
json_t *reply_routes(const struct lampo_call *call, const struct reply *reply);
json_t *reply_sendpay(const struct reply *reply); /* and waitsendpay */
/* What is known of a payment along a route that has failed. */
json_t *failed_sendpay(const struct reply *reply);
/* These know their call: what was asked is part of the answer, or a second command follows (NULL). */
json_t *reply_new_address(struct methods *m, struct lampo_call *call, uint64_t id, const struct reply *reply);
json_t *reply_close(const struct methods *m, const struct lampo_call *call, const struct reply *reply);
json_t *reply_clean(const struct reply *reply);
json_t *reply_invoice_entry(struct methods *m, struct lampo_call *call, uint64_t id, const struct reply *reply);
json_t *failed_invoice_entry(const struct methods *m, const struct lampo_call *call, const struct reply *reply);

/* Handlers, each with struct methods as context. */
rpc_handler method_getinfo, method_stop;
rpc_handler method_connect, method_disconnect, method_listpeers;
rpc_handler method_newaddr, method_listfunds, method_withdraw;
rpc_handler method_fundchannel, method_listpeerchannels, method_listclosedchannels, method_close;
rpc_handler method_setchannel, method_listforwards, method_delforward;
rpc_handler method_autoclean_once, method_autoclean_status;
rpc_handler method_invoice, method_listinvoices, method_waitinvoice, method_waitanyinvoice, method_delinvoice, method_decode;
rpc_handler method_staticbackup, method_emergencyrecover, method_recoverchannel, method_listsweeps;
rpc_handler method_listchannels, method_networkchannels, method_listnodes;
rpc_handler method_pay, method_keysend, method_probe, method_listpays, method_listsendpays, method_delpay, method_sendpay, method_waitsendpay;

rpc_handler method_getroute, method_getroutes;
rpc_handler method_askrene_create_layer, method_askrene_remove_layer, method_askrene_listlayers;
rpc_handler method_askrene_create_channel, method_askrene_update_channel, method_askrene_remove_channel_update;
rpc_handler method_askrene_inform_channel, method_askrene_bias_channel, method_askrene_bias_node, method_askrene_disable_node;
rpc_handler method_askrene_reserve, method_askrene_unreserve, method_askrene_listreservations, method_askrene_age;

/* Pieces of answers. */
void add_scid_dir(json_t *o, struct scid scid, uint8_t direction); /* short_channel_id_dir */
const char *payment_status(uint8_t state);
/* hold_times_ms, if anything is known of them. */
void add_hold_times(json_t *o, const struct record_payment_try *t);
/* The hash that the call's bolt11 or payment_hash asks for; any: neither is there.  False: an invoice was given that is
 * none. */
MUST_USE bool hash_wanted(struct params *params, bool *any, struct sha256 *hash);
/* Whether it asks for what is pending alone. */
MUST_USE bool pending_wanted(const struct params *params);
const struct network *methods_network(const struct methods *m);
/* ipv4, ipv6, torv3 or dns. */
const char *address_type(const char *host);
/* {"type":...,"address":...,"port":...} */
json_t *address_json(const char *host, uint16_t port);
/* getinfo's part on gossip. */
json_t *gossip_json(const struct gossip *gossip);
/* {"bits":[...],"names":[...]} of the vector's bits. */
json_t *channel_type_json(struct bytes vector);
/* The vector of a channel's type. */
void channel_type_vector(struct buf *out, const struct channel_record *r);
const char *side_name(enum side side);
/* One channel as listpeerchannels shows it. */
json_t *channel_json(const struct methods *m, const struct channel *ch);
/* Of a channel whose end is on its way: who spent it, and its pending outputs. */
void add_onchain(json_t *o, const struct methods *m, const struct channel *ch);
/* What is ours of them, or will be. */
struct amount_sat onchain_pending(const struct methods *m, const struct channel *ch);
void add_close_cause(json_t *o, const struct channel_record *r);

/* Parameters that the network or the node's views are needed for.  False: the call was failed. */
MUST_USE bool script_param(const struct methods *m, struct lampo_call *call, struct params *params, const char *name,
			   struct bytes *script);
/* An estimate becomes its number; 0 where there is none yet. */
struct feerate feerate_of(const struct methods *m, const struct feerate_choice *choice);
/* Where a peer is: from ID@HOST:PORT or parameters of their own.  False: the call was failed. */
MUST_USE bool host_param(const struct methods *m, struct lampo_call *call, struct params *params, const char *peer_name,
			 const char *host_name, const char *port_name, const char **host, uint16_t *port);
/* What must not be gone through, of the parameter exclude.  False: the call was failed. */
MUST_USE bool exclude_param(struct lampo_call *call, struct params *params, const struct sciddir_or_pubkey **list, uint32_t *count);
/* The parameter riskfactor, per cent a year for money that is stuck, as billionths for a block; 0: not given. */
uint32_t delay_param(const struct params *params);
/* The coins of a utxos parameter, in the parameters' arena. */
struct outpoint *coins_param(struct params *params, const char *name, uint32_t *count);

#endif
