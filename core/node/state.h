/* What the node holds; seen by the files of this room only.
 *
 * INV-N1  Every channel is in `channels` and in its peer's list, and from
 *         CHANNEL_NOTE_WATCH_FUNDING on in `by_funding`: no two have one funding outpoint.
 * INV-N2  Every connection is that of exactly one peer.
 * INV-N3  A call is answered exactly once: it leaves `calls` with its reply.
 * INV-N4  A transaction in the outbox is offered to the network at every block until
 *         it, or what replaced it, is OUTBOX_DEPTH_BLOCKS deep.
 * INV-N5  A channel key id is never used twice: the counter is stored in the batch
 *         that first shows the id to anybody.
 * INV-N6  Every channel is found in `names` by its short channel id and by the aliases of both sides, as they are now. */
#ifndef NODE_STATE_H
#define NODE_STATE_H

#include "base/names.h"
#include "channel/channel.h"
#include "channel/view.h"
#include "gossip/gossip.h"
#include "node/node.h"
#include "node/ways.h"
#include "onchain/anchor.h"
#include "onchain/onchain.h"
#include "onion/opening.h"
#include "onion/replay.h"
#include "payment/forward.h"
#include "payment/history.h"
#include "payment/hold.h"
#include "payment/receive.h"
#include "payment/send.h"
#include "peer/peer.h"

#define OUTBOX_DEPTH_BLOCKS 100u
#define CALL_CONNECT_TIMEOUT_MS 30000u
/* Reservations of coins: a channel's key id for its funding, this bit and a count for withdrawals. */
#define RESERVATION_WITHDRAW (1ull << 63)

struct channel_backup;
struct node_recall;

/* Deleting what is old (clean.c). */
#define CLEAN_COUNTS_KEY "autoclean"
struct node_clean {
	uint64_t ever[CLEAN_SUBSYSTEMS];    /* deleted, in all lives */
	uint64_t due_ms;                    /* of the next sweep of the configuration; UINT64_MAX: none */
	bool sweeping, ordered;             /* ordered: it is that of the first order */
	uint64_t sweep;                     /* its number */
	uint64_t age_s[CLEAN_SUBSYSTEMS];   /* what it deletes; 0: nothing of that */
	uint64_t cleaned[CLEAN_SUBSYSTEMS], left[CLEAN_SUBSYSTEMS];
	uint32_t kind;                      /* of records, that are being read */
	struct buf from;                    /* the key to go on at */
	struct clean_order *orders;
};

/* Channels that are history (closed.c). */
#define CLOSED_COUNT_KEY "closed"
struct node_closed {
	uint64_t count;            /* ever; the number of the last */
	struct names names;        /* of the newest */
	struct closed_name *oldest, **newest;
	uint32_t named;
	struct closed_old *old, **old_end; /* as older versions left them, to be moved */
};

#define PEER_STORAGE_MAX 65531u
#define BACKUP_RECORD_KEY "channels"

/* One backup, read. */
struct backup_copy {
	uint64_t made_at_s;
	struct sha256 content;     /* of its channels: whether two say the same */
	struct channel_backup *channels;
	uint32_t count;
};

struct backup_found {
	struct backup_found *next;
	struct buf sealed;
};

struct node_backup {
	bool has_key, changed;
	uint8_t key[32];           /* opens and makes copies, and nothing else */
	struct sha256 content;     /* of what is stored */
	struct buf stored;         /* sealed: RECORD_BACKUP; empty: there was never a channel */
	struct buf from_peer;      /* sealed: the newest that a peer kept and that has channels we do not know */
	struct backup_found *found; /* files that lay beside the database when the node started */
};

struct held_message {
	struct held_message *next;
	struct buf message;
};

/* What we keep for a peer, and what it keeps for us (storage.c). */
struct node_storage {
	bool has;                  /* there is a blob of the peer's on disk */
	uint32_t end_height;       /* when its last channel ended; 0: it has one */
	uint64_t written_ms;       /* in this run; 0: never */
	struct buf pending;        /* to be written when a minute is over */
	uint64_t fetch_id;         /* the disk is asked for the blob: meanwhile messages are held */
	struct buf blob;           /* to be sent once init is exchanged */
	struct held_message *held, **held_tail;
	size_t held_size;
	uint64_t address_mark;     /* of the address that the backup has; 0: none */
	uint64_t ours_sent_ms, ours_due_ms; /* our backup, to the peer; UINT64_MAX: it has the newest */
};

struct node_channel {
	uint8_t key[8];            /* channel key id, be64: the key in `channels` */
	struct channel *channel;
	struct node_peer *peer;
	struct node_channel *next; /* of the same peer */
	struct onchain *onchain;   /* once the funding output is spent */
	struct anchor *anchor;     /* once our commitment went out, if it has one */
	uint64_t fund_call;        /* the fundchannel that waits, 0 = none */
	uint64_t reservation;      /* of the wallet's coins for it, 0 = none */
	bool signing_funding;
	uint64_t close_call;
	uint64_t close_deadline_ms; /* unilateral after it; 0 = never */
	uint8_t funding_key[36];   /* the key in by_funding */
	bool in_by_funding;
	struct name names[3];      /* its short channel id and both aliases, in the node's names */
	bool touched;              /* is in the node's list of channels to flush */
	struct node_channel *touched_next;
	bool ahead;                /* is in the node's list of channels with keys to derive */
	struct node_channel *ahead_next;
	bool fading;               /* resolved; traces of its HTLCs are being removed */
	struct channel_terms *terms; /* owned; NULL: nothing was set for it, and nothing of before is good */
	struct graph_policy peer_policy; /* what its channel_update says, for hints to us */
	bool has_peer_policy;
	bool has_spendable;        /* since the channel last changed */
	struct amount_msat spendable;
	bool dead;                 /* forgotten: freed at the end of the step */
};

struct node_peer {
	struct peer *peer;
	struct node_channel *channels;
	uint32_t channel_count;
	uint8_t connection_key[8];
	bool connected;            /* is in `connections` */
	struct node_storage storage;
};

enum call_kind { CALL_CONNECT, CALL_FUND, CALL_WITHDRAW, CALL_ADDRESS, CALL_CLOSE };

/* A command that is not answered yet (payments keep their own). */
struct node_call {
	uint8_t key[8];
	uint64_t id;
	enum call_kind kind;
	struct pubkey peer;
	bool waits_for_peer;
	uint64_t deadline_ms;      /* CONNECT, and FUND while it waits for the peer */
	struct command command;    /* FUND: deep copy in `memory` */
	enum address_kind address; /* ADDRESS */
	struct arena memory;
	uint64_t reservation, channel_key;
	bool built;                /* WITHDRAW: the wallet built it, signing is next */
	struct bytes tx, psbt;     /* in `memory` */
	struct txid txid;
	uint32_t output;
};

/* A channel that has no struct channel yet: it waits for a script of the wallet. */
struct node_opening {
	uint8_t key[8];
	uint64_t channel_key;
	struct pubkey peer;
	uint64_t call;             /* 0: the peer opens */
	uint64_t connection;       /* that brought its open_channel */
	struct channel_id temporary_id;
	struct bytes message;      /* its open_channel: owned */
};

struct outbox_entry {
	uint64_t id;
	struct outbox_entry *next;
	struct txid txid;
	struct bytes tx;           /* owned */
	struct outpoint *inputs;   /* what it spends; owned */
	uint32_t input_count;
	uint32_t confirmed_height; /* of it or what replaced it; 0: not yet */
	bool has_parent;           /* that it pays for */
	struct txid parent;
};

/* An incoming HTLC that is not decided yet: its onion is being opened, or its set is not whole. */
struct node_onion {
	uint8_t key[16];           /* channel key id, HTLC id */
	uint8_t serial_key[8];
	uint64_t channel_key, htlc_id;
	struct amount_msat amount;
	uint32_t cltv_expiry;
	uint64_t received_ms;      /* 0: before the last start */
	bool refuse;               /* dust exposure: only to be failed */
	bool closing;              /* it came after our shutdown: not to be forwarded */
	bool asked;                /* the signer, for a shared secret */
	bool held, released;       /* a decider is asked about its forward, or has let it go */
	struct buf next;           /* held: its onion for the next node */
	struct opening opening;
};


struct node {
	const struct node_config *config;
	const struct log_sink *log;
	struct drbg entropy;
	struct table asked;
	uint64_t next_ask;
	uint64_t now_ms;
	struct feerate fees[FEE_TARGETS];

	uint32_t height, best_height;
	struct block_hash tip;
	bool have_tip, synced;
	bool started;              /* node_start is through */

	struct feature_policy known;
	struct buf features_init, features_node, features_channel, features_invoice;
	struct peer_policy peer_policy;
	struct channel_policy channel_policy;
	struct table peers;        /* by node id */
	struct table connections;  /* by connection */
	uint32_t peers_with_channels;
	struct table channels;     /* by channel key id */
	struct table by_funding;   /* by funding outpoint */
	struct names names;        /* channels by short channel id and alias */
	struct node_closed closed; /* those that are history */
	struct node_recovery *recoveries; /* backups whose channels are being looked for among those */
	struct table calls;
	struct table openings;     /* by channel key id */
	struct table onions;       /* by channel and HTLC */
	struct table onions_by_serial;
	struct replay replay;      /* those that were opened */
	uint64_t replays_told_ms;  /* when the log last told of replays; 0: never */
	uint32_t replays_untold;   /* since then */
	struct table invoices;     /* being signed */
	struct node_clean clean;
	struct table recalls, recalls_by_serial; /* payment hashes that the store is asked about */
	const struct node_recall *recalled;      /* the one whose orders are being obeyed */
	struct node_channel *touched, *ahead;
	struct outbox_entry *outbox;
	uint64_t next_channel_key, next_reservation, next_outbox, next_serial;
	uint64_t reservations_stored; /* next_reservation when this step began */
	bool counters_changed;
	bool some_dead;            /* channels */
	bool some_left;            /* peers that may be forgotten */

	struct node_backup backup;
	struct receive *receive;
	struct send *send;
	struct forwards forwards;
	uint64_t history_last;     /* forwards that ended, ever */
	uint64_t history_failed;   /* entries of failed ones that are stored */
	uint64_t history_from;     /* none of those has a lower number */
	bool history_trimming;     /* the store is asked for the oldest */
	/* Entries with numbers from the one up to the other are not in the index yet. */
	uint64_t history_unindexed, history_indexed;
	struct history_search *searches;
	struct node_deletion *deletions; /* orders of delpay that wait for the store */
	struct holds holds;
	struct gossip *gossip;     /* NULL: config says no */
	struct ways *ways;
	struct layers *layers;
	struct buf gossip_addresses;

	/* Records of channels that came before their channel. */
	struct arena load_memory;
	struct load_part *load_parts;
};

/* node.c */
/* What a step begins with. */
struct step node_begin(struct node *n, uint64_t now_ms, struct effects *out);

/* load.c */
/* INV-N5: with the batch that used a number, the counter is stored. */
void node_counters_flush(struct node *n, struct step *s);

/* answers.c */
void node_on_signed(struct node *n, struct step *s, const struct event *e);
void node_on_funds(struct node *n, struct step *s, const struct event *e);
void node_on_fetched(struct node *n, struct step *s, const struct event *e);

/* channels.c */
struct node_channel *node_channel_by_key(const struct node *n, uint64_t channel_key);
struct node_channel *node_channel_by_funding(const struct node *n, const struct outpoint *o);
void node_channel_watch(struct node *n, struct step *s, struct node_channel *c);
void node_channel_unwatch(struct step *s, const struct node_channel *c);
/* It may have changed: it is flushed once no event is waiting. */
void node_touch(struct node *n, struct node_channel *c);
void node_channels_tick(struct node *n, struct step *s);
void node_channels_flush(struct node *n, struct step *s);

/* names.c */
/* How users know it: its place in the chain, else our alias. */
struct scid node_channel_scid(const struct node_channel *c);
void node_names_init(struct node *n, const uint8_t seed16[16]);
void node_names_free(struct node *n);
/* After whatever may have changed its short channel id or an alias (node_touch does it). */
void node_names_follow(struct node *n, struct node_channel *c);
void node_names_drop(struct node *n, struct node_channel *c);
/* The channel that an onion names; NULL, and whether such a one is closed. */
struct node_channel *node_channel_onward(const struct node *n, struct scid scid, bool *closed);
/* The one that our user names. */
struct node_channel *node_channel_named(const struct node *n, const struct channel_name *name);
void node_names_check(const struct node *n);

/* peers.c */
struct node_peer *node_peer_get(const struct node *n, const struct pubkey *id);
struct node_peer *node_peer_make(struct node *n, const struct pubkey *id);
void node_peer_persist(struct step *s, const struct node_peer *p);
bool node_channel_is_funded(const struct node_channel *c);
void node_forget_strangers(struct node *n);
void node_hang_up(struct node *n, struct step *s, struct node_peer *p, const char *why);
void node_on_connected(struct node *n, struct step *s, const struct event *e);
void node_on_connect_failed(struct node *n, struct step *s, const struct event *e);
void node_on_disconnected(struct node *n, struct step *s, const struct event *e);
void node_on_message(struct node *n, struct step *s, const struct event *e);
struct node_peer *node_peer_by_connection(const struct node *n, uint64_t connection);
/* One message of a connected peer, now. */
void node_peer_message(struct node *n, struct step *s, struct node_peer *p, struct bytes message);
void node_peers_tick(struct node *n, struct step *s);
uint64_t node_peers_deadline(const struct node *n);

/* calls.c */
struct bytes node_call_key(const void *p);
struct node_call *node_call_get(const struct node *n, uint64_t id);
struct node_call *node_call_make(struct node *n, uint64_t id, enum call_kind kind);
void node_call_end(struct node *n, struct node_call *c);
void node_call_fail(struct node *n, struct step *s, struct node_call *c, enum reply_code code, const char *message);
void node_call_fail_id(struct node *n, struct step *s, uint64_t id, enum reply_code code, const char *message);
void node_call_free(struct node_call *c);
struct reply *node_reply(struct step *s, uint64_t call, enum command_kind kind);
void node_reply_error(struct step *s, uint64_t call, enum command_kind kind, enum reply_code code, const char *message);
void node_calls_peer_ready(struct node *n, struct step *s, struct node_peer *p);
void node_calls_peer_gone(struct node *n, struct step *s, const struct pubkey *peer, enum reply_code code, const char *why);
void node_call_broadcast(struct node *n, struct step *s, uint64_t call, bool accepted, const char *reason);
void node_on_command(struct node *n, struct step *s, const struct event *e);
void node_on_call_gone(struct node *n, struct step *s, const struct event *e);
void node_calls_tick(struct node *n, struct step *s);
uint64_t node_calls_deadline(const struct node *n);
struct amount_sat node_anchor_reserve(const struct node *n, uint32_t more);
struct feerate node_feerate_or(const struct node *n, struct feerate asked);
void node_funds_tell(struct step *s, enum funds_kind kind, uint64_t reservation);
void node_address_answered(struct node *n, struct step *s, uint64_t call, const struct funds_answer *a);
void node_withdraw_answered(struct node *n, struct step *s, uint64_t call, const struct funds_answer *a);

/* open.c */
struct bytes node_opening_key(const void *p);
void node_fund_copy(struct node_call *c, const struct command *cmd);
void node_fund_begin(struct node *n, struct step *s, struct node_call *c, struct node_peer *p);
void node_fund_done(struct node *n, struct step *s, struct node_call *call);
void node_open_received(struct node *n, struct step *s, struct node_peer *p, struct bytes message);
void node_opening_free(struct node_opening *o);
struct node_channel *node_channel_adopt(struct node *n, struct node_peer *p, struct channel *channel);
void node_channel_address_answered(struct node *n, struct step *s, uint64_t channel_key, const struct funds_answer *a);
void node_note_fund(struct node *n, struct step *s, struct node_channel *c, const struct channel_note *note);
void node_funding_answered(struct node *n, struct step *s, uint64_t channel_key, const struct funds_answer *a);
void node_ask_funding_signature(struct step *s, struct node_channel *c);

/* policy.c */
/* What forwarding over the channel costs now, with what the channel itself allows. */
struct forward_policy node_channel_policy(const struct node *n, const struct node_channel *c);
/* The same, and what is good of before; returns how many. */
uint32_t node_channel_policies(const struct node *n, const struct step *s, const struct node_channel *c,
			       struct forward_policy out[1 + POLICY_BEFORE_MAX]);
MUST_USE bool node_terms_load(struct node_channel *c, struct bytes value);
void node_terms_forget(struct step *s, struct node_channel *c);
void node_policies_start(struct node *n, struct step *s);
void node_set_channel(struct node *n, struct step *s, uint64_t call, const struct command *cmd);

/* close.c */
void node_close_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);
void node_closing_broadcast(struct node *n, struct step *s, struct node_channel *c, struct bytes tx, bool mutual);
void node_closing_seen(struct node *n, struct step *s, struct node_channel *c, const struct tx *t);
void node_close_tick(struct node *n, struct step *s);
uint64_t node_close_deadline(const struct node *n);

/* route.c */
void node_route(struct node *n, struct step *s, struct channel_notes *notes);
void node_route_onchain(struct node *n, struct step *s, struct node_channel *c, struct onchain_notes *notes);
void node_onchain_destination(struct step *s, const struct node_channel *c);
void node_onchain_funded(struct node *n, struct step *s, uint64_t channel_key, uint64_t id, const struct funds_answer *a);
void node_channel_message(struct node *n, struct step *s, struct node_peer *p, uint16_t type, struct bytes message);
void node_channel_resolved(struct node *n, struct step *s, struct node_channel *c);
void node_bury(struct node *n, struct step *s);

/* forward.c */
/* An incoming HTLC that is irrevocably committed and neither fulfilled nor failed. */
MUST_USE bool node_htlc_undecided(const struct node *n, uint64_t channel_key, uint64_t htlc_id);
/* What a failure about the channel of this name tells of its terms; empty where it tells nothing.  Borrowed. */
struct bytes node_update_told(const struct node *n, struct scid scid);
/* False: a decider is asked, and the onion stays. */
MUST_USE bool node_forward_opened(struct node *n, struct step *s, struct node_onion *o);
/* The signer will not open the onion.  True if its HTLC was forwarded before: nothing is failed then. */
MUST_USE bool node_forward_unreadable(struct node *n, struct step *s, uint64_t channel_key, uint64_t htlc_id);
void node_forward_out_done(struct node *n, struct step *s, const struct channel_note *note);
/* The end of an outgoing HTLC on chain.  False if it is not a forwarded one. */
MUST_USE bool node_forward_onchain(struct node *n, struct step *s, const struct node_channel *c, const struct onchain_note *note);
/* The incoming channel left its peer, or is history: what can be decided no more is over. */
void node_forwards_stranded(struct node *n, struct step *s, const struct node_channel *c, bool for_good);
/* From the HTLCs of all channels.  False if they contradict one another. */
MUST_USE bool node_forwards_rebuild(struct node *n);
void node_forwards_check(const struct node *n);

/* An outgoing HTLC is not worth the chain and its time is over: fails the one that it forwards, if there is one. */
void node_forward_give_up(struct node *n, struct step *s, const struct node_channel *c, uint64_t htlc_id);
/* Failures whose secret did not come in time. */
void node_forwards_expire(struct node *n, struct step *s);

/* hold.c */
void node_hold_forward(struct node *n, struct step *s, struct node_onion *o, const struct node_channel *out);
void node_hold_invoices(struct node *n, struct step *s, const struct receive_asked *asked);
/* Those whose time is over, by the clock or by the chain. */
void node_holds_expire(struct node *n, struct step *s);
void node_hold_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);

/* history.c */
/* Of an HTLC that never went on: it was refused, or a decider ended it. */
void node_history_without(struct node *n, struct step *s, const struct node_onion *o, enum history_status status, uint16_t code);
/* Of a forward that ends; code: 0, or what our failure says. */
void node_history_end(struct node *n, struct step *s, const struct forward *w, enum history_status status, uint16_t code);
MUST_USE bool node_history_load(struct node *n, struct bytes value);
/* An entry of a forward that failed was removed. */
void node_history_lost(struct node *n, struct step *s);
void node_history_trim(struct node *n, struct step *s, const struct event *e);
void node_history_store_numbers(const struct node *n, struct step *s);

/* history_index.c */
void node_history_start(struct node *n, struct step *s);
void node_history_free(struct node *n);
void node_del_forward(struct node *n, struct step *s, uint64_t call, const struct command *cmd);
void node_history_fetched(struct node *n, struct step *s, uint64_t call, const struct event *e);

/* gossip.c */
MUST_USE bool node_load_spent(struct node *n, struct bytes key, struct bytes value);
void node_gossip_init(struct node *n);
void node_gossip_free(struct node *n);
void node_gossip_start(struct node *n, struct step *s);
void node_gossip_answered(struct node *n, struct step *s, const struct gossip_answer *a);
void node_gossip_signed(struct node *n, struct step *s, uint64_t owner, const struct sign_answer *a);
MUST_USE bool node_gossip_takes(const struct node *n, uint16_t type);
void node_gossip_message(struct node *n, struct step *s, const struct node_peer *p, uint16_t type, struct bytes message);
void node_gossip_peer_ready(struct node *n, struct step *s, const struct node_peer *p);
void node_gossip_peer_left(struct node *n, struct step *s, uint64_t connection);
/* It may have changed. */
void node_gossip_channel(struct node *n, struct step *s, const struct node_channel *c);
void node_gossip_channel_gone(struct node *n, struct step *s, uint64_t key);
void node_gossip_block(struct node *n, struct step *s, const struct event *e);
void node_gossip_undone(struct node *n, struct step *s, uint32_t height);
void node_gossip_flush(struct node *n, struct step *s);
void node_gossip_tick(struct node *n, struct step *s);
uint64_t node_gossip_deadline(const struct node *n);

/* deadlines.c */
void node_deadlines_block(struct node *n, struct step *s);
/* An incoming HTLC of that expiry cannot be fulfilled safely any more (B2.cltv_expiry_delta.5). */
MUST_USE bool node_deadline_passed(const struct step *s, uint32_t cltv_expiry);
MUST_USE bool node_htlc_claimable(const struct node *n, const struct step *s, const struct node_channel *c, uint64_t htlc_id);

/* payments.c */
struct node_onion *node_onion_get(const struct node *n, uint64_t channel_key, uint64_t htlc_id);
void node_onion_end(struct node *n, struct node_onion *o);
/* Fulfils and fails, and asks deciders. */
void node_receive_act(struct node *n, struct step *s, const struct receive_verdicts *verdicts);
/* Undecided incoming HTLCs that come too near to their expiry. */
void node_onions_expire(struct node *n, struct step *s);
/* How an incoming HTLC was paid for. */
struct node_paid {
	const struct preimage *preimage;
	const struct secret32 *secret; /* of its onion; NULL: not known again yet */
	struct bytes attribution;      /* as it came from downstream; empty: none */
};
/* Stores the preimage of an incoming HTLC and claims it, wherever its channel is.  False: it is gone. */
MUST_USE bool node_htlc_fulfil(struct node *n, struct step *s, uint64_t channel_key, uint64_t htlc_id, const struct node_paid *paid);
/* What goes upstream beside a resolution, with our hold time and nothing from downstream yet.  NULL: nobody takes it.  In
 * the arena of the step. */
struct failure_attribution *node_attribution(const struct node_channel *c, struct step *s, uint64_t htlc_id);
/* Its data, or nothing. */
struct bytes node_attribution_data(const struct failure_attribution *attribution);
void node_fail_sealed(struct node *n, struct step *s, const struct node_onion *o, const struct failure *why);
void node_payments_init(struct node *n, const uint8_t seed16[16]);
void node_payments_free(struct node *n);
void node_payments_synced(struct node *n, struct step *s);
void node_htlc_in(struct node *n, struct step *s, struct node_channel *c, const struct channel_note *note);
void node_htlcs_stranded(struct node *n, struct step *s, const struct node_channel *c);
void node_htlc_onchain(struct node *n, struct step *s, struct node_channel *c, const struct onchain_note *note);
void node_htlc_out_done(struct node *n, struct step *s, const struct channel_note *note);
void node_onion_answered(struct node *n, struct step *s, uint64_t serial, const struct sign_answer *a);
void node_payment_call_gone(struct node *n, struct step *s, uint64_t call);
void node_payments_tick(struct node *n, struct step *s);
uint64_t node_payments_deadline(const struct node *n);

/* forget.c */
void node_del_pay(struct node *n, struct step *s, uint64_t call, const struct payment_deletion *what);
void node_deletion_fetched(struct node *n, struct step *s, uint64_t call, const struct event *e);
void node_deletions_free(struct node *n);

/* pay.c */
MUST_USE bool node_pay_wants_flush(const struct node *n);
/* Hands on what payments have learned. */
void node_pay_learned(struct node *n, const struct step *s);
/* The same, and asks for ways. */
void node_pay_flush(struct node *n, struct step *s);

/* invoices.c */
void node_invoices_init(struct node *n, const uint8_t seed16[16]);
void node_invoices_free(struct node *n);
/* Orders about invoices. */
void node_invoice_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);
void node_invoice_fetched(struct node *n, struct step *s, uint64_t serial, const struct event *e);
void node_invoice_answered(struct node *n, struct step *s, uint64_t serial, const struct sign_answer *a);

/* clean.c */
void node_clean_start(struct node *n, struct step *s);
void node_clean_free(struct node *n);
MUST_USE bool node_clean_load(struct node *n, struct bytes value);
void node_clean_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);
void node_clean_fetched(struct node *n, struct step *s, uint64_t sweep, const struct event *e);
void node_clean_tick(struct node *n, struct step *s);
uint64_t node_clean_deadline(const struct node *n);

/* recall.c */
void node_recalls_init(struct node *n, const uint8_t seed16[16]);
void node_recalls_free(struct node *n);
/* Whether an order about that payment (group 0: the latest of its hash) has to wait for the store: then it is copied, and
 * given to node_payment_command again. */
MUST_USE bool node_recall(struct node *n, struct step *s, const struct sha256 *payment_hash, uint64_t group, uint64_t call,
			  const struct command *cmd);
void node_recall_fetched(struct node *n, struct step *s, uint64_t serial, const struct event *e);

/* hints.c */
struct invoice_route;
struct node_hints {
	struct invoice_route *routes; /* in the arena */
	uint32_t count;
	enum invoice_warning warning;
};
/* For COMMAND_INVOICE.  False: none of the channels that it lists can be named. */
MUST_USE bool node_hints_choose(const struct node *n, const struct command *cmd, struct arena *memory, struct node_hints *out);

/* orders.c */
/* Payments that a restart interrupted read their invoices again. */
void node_pay_resume(struct node *n, struct step *s);
void node_payment_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);

/* outbox.c */
void node_outbox_add(struct node *n, struct step *s, const struct txid *txid, struct bytes tx, uint64_t call);
void node_outbox_add_child(struct node *n, struct step *s, const struct txid *txid, struct bytes tx, const struct txid *parent);
void node_outbox_withdraw(struct node *n, struct step *s, const struct txid *txid);
MUST_USE bool node_outbox_load(struct node *n, struct bytes key, struct bytes value);
void node_outbox_start(struct node *n, struct step *s);
void node_outbox_release(struct node *n);
void node_outbox_offer(struct node *n, struct step *s);
void node_outbox_tx(struct node *n, struct step *s, const struct tx *t, const struct txid *id, uint32_t height);
void node_outbox_block(struct node *n, struct step *s, uint32_t height);
void node_outbox_undone(struct node *n, struct step *s, uint32_t height);
void node_on_broadcast(struct node *n, struct step *s, const struct event *e);

/* anchors.c */
void node_anchor_begin(struct node *n, struct step *s, struct node_channel *c, struct bytes commitment);
void node_anchor_spent(struct node *n, struct step *s, struct node_channel *c, const struct txid *spend);
void node_anchor_end(struct node *n, struct step *s, struct node_channel *c);
void node_anchors_advance(struct node *n, struct step *s);

/* chain.c */
/* When the incoming HTLC expires that an outgoing one forwards; 0: it is a payment of ours. */
uint32_t node_upstream_expiry(const struct node *n, const struct channel_htlc *h);
MUST_USE bool node_tip_load(struct node *n, struct bytes key, struct bytes value);
void node_on_block(struct node *n, struct step *s, const struct event *e);
void node_on_undone(struct node *n, struct step *s, const struct event *e);
void node_on_synced(struct node *n, struct step *s, const struct event *e);
void node_fetched(struct node *n, struct step *s, uint64_t channel_key, const struct event *e);
void node_on_fees(struct node *n, struct step *s, const struct event *e);

/* backup.c */
void node_backup_start(struct node *n, struct step *s);
void node_backup_key_answered(struct node *n, struct step *s, const struct sign_answer *a);
/* Channels have come or gone, or a peer has moved. */
void node_backup_changed(struct node *n);
void node_backup_flush(struct node *n, struct step *s);
/* A peer is there: under an address that the backup does not have? */
void node_backup_address(struct node *n, struct node_peer *p);
MUST_USE bool node_backup_load(struct node *n, struct bytes key, struct bytes value);
void node_backup_release(struct node *n);
/* Padded to PEER_STORAGE_MAX; appended. */
void node_backup_for_peers(struct node *n, struct buf *out);
/* False: not made by us, or damaged.  What it points at is in the arena. */
MUST_USE bool node_backup_open(const struct node *n, struct bytes sealed, struct arena *a, struct backup_copy *out);

/* closed.c */
void node_closed_init(struct node *n, const uint8_t seed16[16]);
void node_closed_free(struct node *n);
/* It is history from this batch on. */
void node_closed_add(struct node *n, struct step *s, const struct channel_record *r);
/* Whether one of the newest was called so. */
MUST_USE bool node_closed_knows(const struct node *n, struct scid scid);
MUST_USE bool node_closed_any(const struct node *n);
/* RECORD_NODE's CLOSED_COUNT_KEY. */
MUST_USE bool node_closed_load_count(struct node *n, struct bytes value);
/* RECORD_CLOSED: moved by node_closed_flush. */
MUST_USE bool node_closed_load_old(struct node *n, struct bytes key, struct bytes value);
/* Whether it is one that is still to be moved. */
MUST_USE bool node_closed_is_old(const struct node *n, const uint8_t channel_key[8]);
void node_closed_start(struct node *n, struct step *s);
void node_closed_fetched(struct node *n, struct step *s, const struct event *e);
void node_closed_flush(struct node *n, struct step *s);
uint64_t node_closed_deadline(const struct node *n);

/* recover.c */
void node_recoveries_free(struct node *n);
void node_recovery_fetched(struct node *n, struct step *s, uint64_t serial, const struct event *e);
void node_recover_found(struct node *n, struct step *s);
void node_recover_from_peer(struct node *n, struct step *s, const struct node_peer *p, struct bytes sealed);
void node_recover_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);

/* storage.c */
void node_storage_init(struct node_peer *p);
void node_storage_release(struct node_peer *p);
void node_storage_connected(struct step *s, struct node_peer *p);
void node_storage_disconnected(struct node_peer *p);
/* Whether a message waits until the disk has answered; it is copied then. */
MUST_USE bool node_storage_holds(struct node *n, struct step *s, struct node_peer *p, struct bytes message);
void node_storage_fetched(struct node *n, struct step *s, uint64_t connection, const struct event *e);
void node_storage_ready(struct node *n, struct step *s, struct node_peer *p);
void node_storage_received(struct node *n, struct step *s, struct node_peer *p, struct bytes message);
void node_storage_retrieved(struct node *n, struct step *s, struct node_peer *p, struct bytes message);
void node_storage_plan(struct node *n, struct step *s, struct node_peer *p);
void node_storage_changed(struct node *n, struct step *s);
void node_storage_tick(struct node *n, struct step *s);
uint64_t node_storage_deadline(const struct node *n);
void node_storage_block(struct node *n, struct step *s);
MUST_USE bool node_storage_load(struct node *n, struct bytes key, struct bytes value);

#endif
