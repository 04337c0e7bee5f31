/* What a user orders, typed, and what comes back.
 *
 * api/ turns JSON into a struct command and a struct reply into JSON; the core
 * knows neither.  Reading is not a command: it goes through node/view.h. */
#ifndef STEP_COMMAND_H
#define STEP_COMMAND_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"
#include "step/funds.h"
#include "wire/decode.h"
#include "wire/records_payment.h"

/* Codes of replies that failed: JSON-RPC's and Core Lightning's numbers. */
enum reply_code {
	REPLY_OK = 0,
	REPLY_INVALID = -32602,       /* a parameter makes no sense */
	REPLY_FAILED = -1,
	REPLY_CONNECT_UNKNOWN = 400,  /* no address */
	REPLY_CONNECT_FAILED = 401,
	REPLY_CONNECT_GONE = 402,     /* the peer hung up during init */
	REPLY_NOT_CONNECTED = 305,
	REPLY_FUNDING_TOO_LARGE = 300,
	REPLY_FUNDING_CANNOT_AFFORD = 301,
	REPLY_FUNDING_BROADCAST = 303,
	REPLY_FUNDING_TOO_SMALL = 302,
	REPLY_FUNDING_REFUSED = 312,  /* the peer said no */
	REPLY_PAY_IN_PROGRESS = 200,
	REPLY_PAY_ALREADY_PAID = 201,
	REPLY_PAY_UNREADABLE = 202,   /* what came back from the route cannot be read */
	REPLY_PAY_DESTINATION = 203,  /* a permanent failure at the destination */
	REPLY_PAY_TRY_OTHER_ROUTE = 204,
	REPLY_PAY_NO_ROUTE = 205,
	REPLY_PAY_TOO_EXPENSIVE = 206,
	REPLY_PAY_EXPIRED = 207,
	REPLY_PAY_UNKNOWN = 208,      /* no such payment was ever made */
	REPLY_PAY_FAILED_BEFORE = 209, /* it failed already; only its words are known any more */
	REPLY_PAY_STOPPED = 210,      /* gave up after trying */
	REPLY_PAY_STATUS = 211,       /* it ended otherwise than was said, or not yet */
	REPLY_INVOICE_LABEL = 900,
	REPLY_INVOICE_PREIMAGE = 901,
	REPLY_INVOICE_NO_HINT = 902,  /* none of the channels that were asked for can be a way to us */
	REPLY_INVOICE_EXPIRED = 903,
	REPLY_INVOICE_TIMEOUT = 904,
	REPLY_INVOICE_UNKNOWN = 905,
	REPLY_INVOICE_STATE = 906,
	REPLY_INVOICE_NO_DESCRIPTION = 908,
	REPLY_FORWARD_UNKNOWN = 1401,
	REPLY_HOLD_UNKNOWN = 1402,
};

enum command_kind {
	COMMAND_DELPAY,
	COMMAND_CONNECT, COMMAND_DISCONNECT, COMMAND_NEW_ADDRESS, COMMAND_WITHDRAW, COMMAND_FUND_CHANNEL,
	COMMAND_CLOSE, COMMAND_INVOICE, COMMAND_WAIT_INVOICE, COMMAND_WAIT_ANY_INVOICE, COMMAND_DELETE_INVOICE, COMMAND_CLEAN,
	COMMAND_PAY, COMMAND_KEYSEND, COMMAND_STOP,
	COMMAND_SENDPAY, COMMAND_WAIT_SENDPAY, COMMAND_RECOVER, COMMAND_PROBE,
	COMMAND_SET_CHANNEL, COMMAND_DEL_FORWARD, COMMAND_LAYER, COMMAND_RESERVE, COMMAND_ROUTES,
	COMMAND_HOLD,
};

/* What is deleted once it is old. */
enum clean_subsystem {
	CLEAN_SUCCEEDED_FORWARDS, CLEAN_FAILED_FORWARDS, CLEAN_SUCCEEDED_PAYS, CLEAN_FAILED_PAYS, CLEAN_PAID_INVOICES,
	CLEAN_EXPIRED_INVOICES, CLEAN_SUBSYSTEMS,
};

/* A node on a route that a user gives, and what arrives there. */
struct route_hop {
	struct pubkey node;
	struct scid scid;         /* the channel into it; of the first 0: any of ours */
	struct amount_msat amount;
	uint32_t delay;           /* blocks from now until that HTLC expires */
};

struct custom_record {
	uint64_t type;
	struct bytes value;
};

/* Payments to be forgotten: all of that hash with that end, or of them one group, or of that one part. */
struct payment_deletion {
	struct sha256 payment_hash;
	bool complete;            /* else failed */
	bool has_group;
	uint64_t group;
	bool has_part;            /* with has_group */
	uint64_t part;
};

struct deleted_payment {
	uint64_t group;
	struct record_payment r;  /* tries: those that are gone */
};

/* A channel as a user names it: one of the three is set. */
struct channel_name {
	bool by_id, by_scid, by_peer;
	struct channel_id id;
	struct scid scid;
	struct pubkey peer;
};

/* What a node asks for carrying an HTLC of others out over a channel: BOLT 7 "The channel_update Message". */
struct forward_policy {
	struct amount_msat fee_base;
	uint32_t fee_ppm;
	uint32_t cltv_delta;
	struct amount_msat htlc_min, htlc_max; /* of the outgoing HTLC */
};

/* What of it a user may set for a channel; a bit each.  Stored values. */
enum policy_field {
	POLICY_FEE_BASE = 1,
	POLICY_FEE_PPM = 2,
	POLICY_CLTV_DELTA = 4,
	POLICY_HTLC_MIN = 8,
	POLICY_HTLC_MAX = 16,
};
#define POLICY_FIELDS 31u

/* A channel whose terms were set, and what they are. */
struct channel_set {
	struct pubkey peer;
	struct channel_id id;
	struct scid scid;           /* 0: not confirmed */
	struct forward_policy policy;
	bool ignore_fee_limits;
	bool htlc_min_raised;       /* what was asked is less than the peer takes */
	bool htlc_max_cut;          /* ... more than the channel carries */
	bool cltv_delta_tight;      /* fewer blocks than BOLT 2 derives */
};

/* What is done to a layer (route/layer.h). */
enum layer_order {
	LAYER_CREATE,         /* persistent; one that is there and persistent may be created again */
	LAYER_REMOVE,
	LAYER_CREATE_CHANNEL, /* scid, node, other, amount: its capacity */
	LAYER_UPDATE_CHANNEL, /* scid, direction, policy */
	LAYER_REMOVE_UPDATE,  /* scid, direction */
	LAYER_INFORM,         /* scid, direction, amount, what */
	LAYER_BIAS_CHANNEL,   /* scid, direction, bias, relative, note */
	LAYER_BIAS_NODE,      /* node, in, bias, relative, note */
	LAYER_DISABLE_NODE,   /* node */
	LAYER_AGE,            /* before_s */
};

enum layer_inform { INFORM_CONSTRAINED, INFORM_UNCONSTRAINED, INFORM_SUCCEEDED };

/* Where a part of a payment is, or was, as a user says. */
struct reserved_hop {
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount;
	const char *layer;        /* the only one for which it counts; NULL: for all */
};

/* A way as it is shown: of each hop what leaves and what arrives. */
struct found_hop {
	struct pubkey from, to;
	struct scid scid;
	uint8_t direction;
	struct amount_msat amount_in, amount_out;
	uint32_t cltv_in, cltv_out; /* blocks */
};

struct found_route {
	struct amount_msat deliver;
	uint32_t chance_ppm;
	struct found_hop *hops;
	uint32_t hop_count;
};

/* What waits for a decider outside (payment/hold.h). */
enum hold_kind { HOLD_FORWARD = 1, HOLD_INVOICE = 2 };
enum hold_action { HOLD_CONTINUE, HOLD_RESOLVE, HOLD_FAIL };

/* The same before and after a restart. */
struct hold_name {
	enum hold_kind kind;
	uint64_t channel_key, htlc_id; /* FORWARD: the incoming HTLC */
	struct sha256 payment_hash;    /* INVOICE */
};

struct held_thing {
	struct hold_name name;
	struct sha256 payment_hash;
	struct scid in_channel, out_channel; /* FORWARD */
	struct amount_msat in_amount, out_amount; /* INVOICE: what came, and 0 */
	uint32_t in_expiry, out_expiry;      /* INVOICE: of the first HTLC to expire, and 0 */
	uint32_t parts;
	/* Whichever comes first. */
	uint32_t deadline_height;
	uint64_t deadline_ms;                /* UINT64_MAX: none */
	enum hold_action otherwise;          /* CONTINUE or FAIL: what happens then */
};

struct command {
	enum command_kind kind;
	union {
		struct {
			struct pubkey peer;
			const char *host; /* NULL: an address that we know */
			uint16_t port;
		} connect;
		struct {
			struct pubkey peer;
			bool force;       /* even with live channels */
		} disconnect;
		struct {
			enum address_kind kind;
		} new_address;
		struct {
			struct bytes script;
			struct amount_sat amount;
			bool all;
			struct feerate feerate; /* 0: FEE_NORMAL */
			uint32_t min_confirmations;
			struct outpoint *coins;
			uint32_t coin_count;
		} withdraw;
		struct {
			struct pubkey peer;
			const char *host; /* NULL: must be connected or have a known address */
			uint16_t port;
			struct amount_sat amount;
			bool all;
			struct amount_msat push;
			bool announce;
			struct feerate feerate; /* of the funding transaction; 0: FEE_NORMAL */
			uint32_t min_confirmations;
			bool has_close_to;
			struct bytes close_to; /* upfront shutdown script */
			bool has_channel_type;
			struct bytes channel_type;
			bool has_minimum_depth;
			uint32_t minimum_depth;
			bool has_reserve;
			struct amount_sat reserve;
			struct outpoint *coins;
			uint32_t coin_count;
		} fund_channel;
		struct {
			struct channel_name channel;
			uint32_t unilateral_timeout_s; /* 0: never by itself */
			bool has_destination;
			struct bytes destination;
			bool force; /* unilateral at once */
			bool has_fee_range;
			struct feerate fee_low, fee_high;
		} close;
		struct {
			bool any_amount;
			struct amount_msat amount;
			const char *label;       /* NULL: one is made up */
			const char *description;
			bool hash_description; /* put only the description's hash into the invoice */
			uint32_t expiry_s;
			uint32_t min_final_cltv; /* 0: default */
			bool has_preimage;
			struct preimage preimage;
			enum { EXPOSE_DEFAULT, EXPOSE_ALL, EXPOSE_NONE, EXPOSE_LISTED } expose; /* unannounced channels */
			struct scid *exposed;    /* LISTED: by any of their names */
			uint32_t exposed_count;
			struct bytes *fallbacks; /* scripts */
			uint32_t fallback_count;
		} invoice;
		struct {
			const char *label;
		} wait_invoice;
		struct {
			uint64_t last_paid_index; /* for one that is paid after it */
			bool has_timeout;
			uint32_t timeout_s;
		} wait_any_invoice;
		struct {
			enum clean_subsystem subsystem;
			uint64_t age_s;           /* more than 0 */
		} clean;
		struct {
			const char *label;
			uint8_t state;            /* in which it must be: enum invoice_state */
			bool description_only;
			struct bytes key, value;  /* its stored record, if it is past; else empty */
		} delete_invoice;
		struct {
			const char *bolt11;
			bool has_amount;          /* for invoices without one */
			struct amount_msat amount;
			const char *label;        /* may be NULL */
			bool has_fee_limit;
			struct amount_msat fee_limit;
			uint32_t retry_for_s;
			uint32_t max_delay;       /* 0: default */
			uint32_t delay_ppb;       /* what a block of delay is worth, of the amount; 0: default */
			const char *description;  /* checked against a description hash */
			bool has_partial;         /* we pay so much of it, others pay the rest */
			struct amount_msat partial;
			const struct sciddir_or_pubkey *exclude;
			uint32_t exclude_count;
			const char *const *layers;
			uint32_t layer_count;
		} pay;
		struct {
			struct pubkey destination;
			struct amount_msat amount;
			const char *label;
			bool has_fee_limit;
			struct amount_msat fee_limit;
			uint32_t retry_for_s;
			uint32_t max_delay;       /* 0: default */
			struct custom_record *records;
			uint32_t record_count;
			const struct sciddir_or_pubkey *exclude;
			uint32_t exclude_count;
			const struct record_payment_hint *hints;
			uint32_t hint_count;
			const char *const *layers;
			uint32_t layer_count;
		} keysend;
		struct {
			struct pubkey destination;
			struct amount_msat amount;
			bool has_fee_limit;
			struct amount_msat fee_limit;
			uint32_t retry_for_s;
			uint32_t max_delay;       /* 0: default */
			const struct sciddir_or_pubkey *exclude;
			uint32_t exclude_count;
		} probe;
		struct payment_deletion delpay;
		struct {
			struct bytes *copies;     /* sealed backups; what cannot be opened is passed over */
			uint32_t copy_count;
			struct bytes *channels;   /* single ones, as node_view_channel_backup shows them */
			uint32_t channel_count;
			bool from_peers;          /* and the newest that a peer kept */
		} recover;
		struct {
			bool all;                 /* else the one, or those of the peer, that is named */
			struct channel_name channel;
			uint8_t fields;           /* of enum policy_field: what of `own` to set */
			struct forward_policy own;
			bool has_ignore_fee_limits, ignore_fee_limits;
			uint32_t enforce_delay_s; /* for which what was asked before is still enough */
		} set_channel;
		struct {
			struct scid in_channel;   /* as the history calls it */
			uint64_t in_htlc_id;
			uint8_t status;           /* enum history_status, of what is over */
		} del_forward;
		struct {
			struct hold_name name;
			enum hold_action action;
			struct preimage preimage; /* RESOLVE */
			uint16_t code;            /* FAIL: of BOLT 4; 0: the usual one */
		} hold;
		struct {
			const struct route_hop *hops; /* our peer first, the payee last */
			uint32_t hop_count;
			struct sha256 payment_hash;
			bool has_secret;
			struct secret32 secret;
			bool has_metadata;
			struct bytes metadata;
			bool has_total;           /* else the payment is what arrives over this route */
			struct amount_msat total;
			uint64_t part;            /* 0: the only one */
			bool has_group;           /* else a new one, or the pending one */
			uint64_t group;
			const char *label;        /* may be NULL */
			const char *bolt11;       /* may be NULL: kept, not read */
		} sendpay;
		struct {
			struct sha256 payment_hash;
			bool has_timeout;
			uint32_t timeout_s;
			uint64_t part;
			bool has_group;           /* else the latest */
			uint64_t group;
		} wait_sendpay;
		struct {
			enum layer_order order;
			const char *layer;
			bool persistent;
			struct scid scid;
			uint8_t direction;
			struct pubkey node, other;
			struct amount_msat amount;
			/* Pieces of a policy; the others stay as they are. */
			bool has_enabled, has_htlc_min, has_htlc_max, has_fee_base, has_fee_ppm, has_cltv_delta;
			bool enabled;
			struct amount_msat htlc_min, htlc_max;
			uint32_t fee_base_msat, fee_ppm;
			uint16_t cltv_delta;
			enum layer_inform what;
			bool in, relative;
			int bias;
			const char *note;         /* NULL: as it was */
			uint64_t before_s;
		} layer;
		struct {
			bool back;                /* it is over */
			const struct reserved_hop *hops;
			uint32_t hop_count;
			const char *command_id;   /* of who asks, as it is listed */
		} reserve;
		struct {
			bool own;                 /* from us, over our channels as they are; else over what is public */
			struct pubkey source, destination;
			struct amount_msat amount, fee_limit;
			uint32_t final_cltv, cltv_max, parts_max, hops_max;
			uint32_t delay_ppb;       /* of the amount, for a block of delay; 0: the usual */
			bool include_fees;        /* amount is what is sent */
			const char *const *layers;
			uint32_t layer_count;
			const struct sciddir_or_pubkey *exclude;
			uint32_t exclude_count;
		} routes;
	} u;
};

/* Why an invoice can hardly be paid now. */
enum invoice_warning {
	WARN_NOTHING, WARN_CAPACITY, WARN_OFFLINE, WARN_DEAD_ENDS, WARN_PRIVATE_UNUSED,
	WARN_MPP, /* in several parts alone */
};

struct reply {
	enum command_kind kind;
	enum reply_code code; /* REPLY_OK or why not */
	const char *message;  /* when it failed: in words, with what to do next */
	union {
		struct {
			struct pubkey peer;
			struct bytes features;
			bool outbound;
			const char *host;
			uint16_t port;
		} connect;
		struct {
			enum address_kind kind;
			const char *text;
		} new_address;
		struct {
			struct bytes tx, psbt;
			struct txid txid;
		} withdraw;
		struct {
			struct channel_id *channels; /* that are back */
			uint32_t count;
			uint32_t first_height;       /* from which on their money may have moved; 0: unknown */
		} recover;
		struct {
			const struct channel_set *channels;
			uint32_t count;
		} set_channel;
		struct {
			struct bytes tx;
			struct txid txid;
			uint32_t output;
			struct channel_id channel_id;
			struct bytes channel_type;
			struct bytes close_to;
			uint32_t minimum_depth;
		} fund_channel;
		struct {
			bool mutual;        /* else unilateral */
			bool unopened;      /* the channel was only forgotten */
			struct bytes tx;
			struct txid txid;
		} close;
		struct {
			const char *bolt11;
			struct sha256 payment_hash;
			struct secret32 payment_secret;
			uint64_t expires_at_s;
			uint64_t created_index;
			const char *label;
			enum invoice_warning warning;
		} invoice;
		struct {
			enum clean_subsystem subsystem;
			uint64_t cleaned, left; /* deleted; and too new */
		} clean;
		/* COMMAND_WAIT_INVOICE, COMMAND_WAIT_ANY_INVOICE, COMMAND_DELETE_INVOICE; of failures too. */
		struct {
			bool past;                /* it is not in memory: look for it in the store */
			uint64_t last_paid_index; /* WAIT_ANY, past: there is none behind it */
			struct bytes key, value;  /* else its record */
		} invoice_entry;
		struct {
			struct sha256 payment_hash;
			struct preimage preimage;
			struct pubkey destination;
			struct amount_msat amount, sent;
			uint64_t created_at_s;
			uint32_t parts;
			bool partial;             /* the payee has not claimed all of them yet */
			/* What was tried, oldest first; of a failure too. */
			const struct record_payment_try *tries;
			uint32_t try_count;
		} pay; /* COMMAND_PAY, COMMAND_KEYSEND and COMMAND_PROBE */
		struct {
			struct sha256 payment_hash;
			struct deleted_payment *payments;
			uint32_t count;
		} delpay;
		/* COMMAND_SENDPAY and COMMAND_WAIT_SENDPAY.  Of a failure too (REPLY_PAY_TRY_OTHER_ROUTE, _DESTINATION,
		 * _UNREADABLE, _FAILED_BEFORE): which payment it was, and if has_failure who said what. */
		struct {
			uint64_t created_index, group, part;
			struct sha256 payment_hash;
			bool complete;            /* else pending, or failed */
			struct preimage preimage; /* complete */
			struct pubkey destination;
			struct amount_msat amount, sent;
			uint64_t created_at_s, completed_at_s;
			const char *label, *bolt11; /* NULL: none */
			bool has_failure;
			uint32_t erring_index;    /* 0: ourselves, 1: our peer */
			struct pubkey erring_node;
			struct scid erring_scid;  /* 0: not known any more */
			uint8_t erring_direction;
			uint16_t failure_code;
			struct bytes failure_message;
		} sendpay;
		/* COMMAND_LAYER: what there is now of what it was about. */
		struct {
			enum layer_order order;
			const char *layer;
			struct scid scid;
			uint8_t direction;
			struct pubkey node;
			uint64_t at_s;
			bool has_low, has_high;   /* INFORM */
			struct amount_msat low, high, moved;
			int bias, bias_in;        /* BIAS_CHANNEL; BIAS_NODE: of what leads out of it, and into it */
			const char *note;
			uint32_t removed;         /* AGE */
		} layer;
		struct {
			struct found_route *routes;
			uint32_t count;
			uint32_t chance_ppm;      /* of all of them together */
			struct amount_msat fee;   /* of all; REPLY_PAY_TOO_EXPENSIVE: what the cheapest would take */
		} routes;
	} u;
};

#endif
