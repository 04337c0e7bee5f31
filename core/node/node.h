/* The whole Lightning core as one deterministic machine.
 *
 * node_new, then node_load_record for each stored record in any order, then
 * node_start; after that node_step for each event and node_flush once no event
 * is waiting (runtime/exec does this).  The same configuration, seed, records
 * and events give the same effects, bit for bit.  Not thread-safe. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/log.h"
#include "bitcoin/network.h"
#include "step/effect.h"
#include "step/event.h"

struct node;
struct memo;

struct node_address {
	const char *host; /* literal or DNS name */
	uint16_t port;
};

/* Explicit limits and policies; node_config_default fills in sane ones. */
struct node_config {
	const struct network *network;
	struct pubkey node_id;          /* the signer's */
	const char *alias;              /* at most 32 bytes */
	uint8_t color[3];
	const char *version;
	uint16_t port;                  /* where we listen, 0 = nowhere */
	const struct node_address *announce; /* at most 16 */
	uint32_t announce_count;

	bool gossip;                    /* BOLT 7: needs an edge that obeys EFFECT_GOSSIP */
	uint64_t gossip_dead_max;       /* bytes of no use in its log, beyond which it is written anew; 0: 8 MiB */
	uint64_t disable_after_ms;      /* a peer is away, until its channels are announced as disabled; 0: ten minutes */
	bool accept_keysend;
	struct amount_msat keysend_min; /* each is a record for good, which is not to be had for nothing */
	bool accept_channels;
	bool trust_zeroconf;            /* accept channels without confirmations from anybody */
	bool static_remotekey_only;     /* offer and accept channels without anchors too: tests with old peers */

	uint32_t channels_max;          /* in total */
	uint32_t channels_per_peer_max; /* with a funding transaction */
	/* Opened by others and not in a block yet, whatever was promised: the fake-channel attack (LND, LDK 2023). */
	uint32_t openings_per_peer_max;
	uint32_t openings_max;          /* of all peers together */
	uint32_t peers_max;             /* connected, without a channel that is funded */
	uint32_t invoices_max;
	uint32_t autoclean_cycle_s;     /* between two sweeps that delete what is old */
	uint64_t forwards_failed_max;   /* entries of failed forwards that are kept: beyond, and a hundredth more, the oldest go */
	uint64_t autoclean_age_s[CLEAN_SUBSYSTEMS]; /* how long it is kept; 0: for good */
	uint32_t payments_pending_max;
	uint32_t htlcs_max;             /* max_accepted_htlcs, at most 483 */
	uint16_t to_self_delay_blocks;
	uint32_t minimum_depth_blocks;  /* floor; grows with the amount */
	struct amount_sat funding_min;
	struct amount_msat htlc_min;
	struct amount_msat dust_exposure_max;
	uint32_t cltv_final_blocks;     /* min_final_cltv_expiry_delta of our invoices */
	/* What we ask for carrying an HTLC of others from one channel to another. */
	struct amount_msat forward_fee_base;
	uint32_t forward_fee_ppm;
	uint32_t forward_cltv_delta;    /* blocks between the expiries of the two HTLCs */
	struct amount_msat forward_htlc_min, forward_htlc_max; /* of the outgoing one */
	uint32_t forward_expiry_min_blocks; /* before the outgoing one's expiry: less is too little for the rest of a route */
	/* Whether failures of forwards that may carry our current channel_update do.  On; BOLT 4 leaves it to the node. */
	bool failure_update;
	/* Limits against jamming (payment/slots.h), of each outgoing channel. */
	uint32_t slots_own_percent;     /* kept for our own payments */
	struct amount_msat slots_small; /* an HTLC below it is small ... */
	uint32_t slots_small_percent;   /* ... and has these slots for its kind */
	uint32_t slots_protected_percent; /* for HTLCs from peers that have earned them */
	uint32_t slots_peer_percent, slots_peer_value_percent; /* for HTLCs from one peer */
	/* Whether somebody outside is asked (payment/hold.h) about each HTLC before it is forwarded, and about each set before its
	 * invoice is paid; for how long; and of a forward what happens then.  Off: nobody is. */
	bool hold_forwards, hold_forwards_fail, hold_invoices;
	uint64_t hold_forwards_ms, hold_invoices_ms;
	struct amount_sat anchor_reserve; /* kept in the wallet for each anchor channel, up to ten */
	/* Refuse channels of others while the wallet has less than that, the new one counted.  Off, as with others: a fresh
	 * node can receive, and at first it has nothing in the channel to lose. */
	bool require_reserve;
	uint64_t ping_interval_ms;
	uint64_t reconnect_max_ms;      /* back-off's ceiling */

	struct memo *memo;              /* borrowed; what was computed once (contract/memo.h); NULL: none */
};

void node_config_default(struct node_config *c, const struct network *network);

/* Borrows config's pointers for good; copies the rest.  seed is fresh entropy of this run.  Returns owned. */
MUST_USE struct node *node_new(const struct node_config *config, const uint8_t seed32[32], const struct log_sink *log);
void node_free(struct node *n);

/* False if a record is damaged or newer than this program: do not start. */
MUST_USE bool node_load_record(struct node *n, enum record_kind kind, struct bytes key, struct bytes value);
/* A sealed backup of channels that lies beside the database.  Before node_start; a node whose database knows no channel
 * takes the newest of them.  One that is damaged, or not ours, does no harm. */
void node_found_backup(struct node *n, struct bytes sealed);
/* Where config.gossip is on, before node_start: each record of the gossip's log in order, then where the next one goes.
 * False: that is no record, and the log ends before it. */
MUST_USE bool node_load_gossip(struct node *n, uint32_t ref, struct bytes record);
void node_gossip_loaded(struct node *n, uint32_t end);
/* False, with a sentence in the log, if the records contradict one another. */
MUST_USE bool node_start(struct node *n, uint64_t now_ms, struct effects *out);

void node_step(struct node *n, const struct event *event, struct effects *out);
void node_flush(struct node *n, uint64_t now_ms, struct effects *out);
/* The invariants of the whole (core/node/state.h); ASSERTs.  Reads everything: for tests. */
void node_check(const struct node *n);
/* While nothing waits: computes a piece of what will be needed (contract/memo.h).  Changes nothing that anybody could
 * see but how long the next step takes.  False if there is nothing left. */
MUST_USE bool node_ahead(struct node *n);
/* When it next wants EVENT_TICK, Unix milliseconds; UINT64_MAX: never. */
uint64_t node_deadline(const struct node *n);

#endif
