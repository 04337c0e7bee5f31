/* BOLT 7: what this node knows of the network, whom it tells and whom it asks.
 *
 * A machine like the others: functions take the step, notes come back.  It
 * verifies no signature and asks no chain itself; it hands that out and is told
 * the outcome, at once or later, in any order:
 *
 *   message --> held --GOSSIP_VERIFY--> edge's threads --gossip_verified-->
 *     channel_announcement: candidate --GOSSIP_LOOKUP--> chain --gossip_funding--> graph
 *     channel_update, node_announcement: --> graph
 *   whatever enters the graph: GOSSIP_STORE, and to those who want it at their next flush
 *
 * The messages themselves lie in the log (gossip/log.h), not in memory: what is
 * sent from it is named by its place (ref) in GOSSIP_SEND_STORED.
 *
 * Everything is bounded; docs/GOSSIP.md has the table.
 *
 * INV-G1  what waits is counted: bytes held of each peer, and of all.
 * INV-G2  at most one query of each kind is open with a peer.
 * INV-G3  no more than a window of gossip is on its way to a connection.
 * INV-G4  nothing enters the graph whose signatures and funding output were not found good, but what the log had and
 *         what both ends of a channel of ours have signed. */
#ifndef GOSSIP_GOSSIP_H
#define GOSSIP_GOSSIP_H

#include "gossip/graph.h"
#include "gossip/message.h"
#include "step/step.h"

struct gossip_config {
	struct block_hash chain;
	struct pubkey node_id;
	/* How long the channels of a block gather before it is asked for: those that nobody queried come one by one. */
	uint32_t gather_ms;
	bool sync;             /* keep the whole graph: ask peers for it, and answer them */
	/* The log is written anew where so many bytes of it, and more than half, are of no use; 0: 8 MiB. */
	uint64_t dead_max;
	uint64_t away_ms;      /* a peer gone this long disables the channel for the world; 0: ten minutes */
	/* What our node_announcement says; borrowed for good. */
	struct bytes features;
	struct bytes addresses; /* descriptor_list_encode */
	struct bytes alias;     /* UTF-8 */
	uint8_t rgb[3];
};

enum gossip_note_kind {
	GOSSIP_SEND,        /* connection, message */
	GOSSIP_SEND_STORED, /* connection, generation, ref: the message in that record of the log */
	GOSSIP_HANG_UP,     /* connection, after a warning that says `text` */
	GOSSIP_VERIFY,      /* id, checks, count: answer with gossip_verified */
	GOSSIP_LOOKUP,      /* id, height, scids, count, all of that block: answer with gossip_funding */
	GOSSIP_STORE,       /* ref, message: a record to append to the log, at its end, which is ref */
	GOSSIP_COMPACT,     /* moves, count: write these records to a new log; answer with gossip_compacted */
	GOSSIP_PEER_POLICY, /* channel_key, policy: what the peer asks for forwarding over a channel of ours */
	GOSSIP_ANNOUNCED,   /* channel_key: the world may know of it */
};

/* A record that moves to a new log. */
struct gossip_move {
	uint32_t thing; /* number << 2 | which: 0 channel, 1 and 2 its policies; 3 a node */
	uint32_t from, to;
};

/* A note lives in the step's effects. */
struct gossip_note {
	struct gossip_note *next;
	enum gossip_note_kind kind;
	uint64_t connection;
	uint64_t id;
	uint64_t channel_key;
	struct bytes message;
	uint32_t ref, generation;
	uint32_t height, count;
	struct gossip_check *checks;
	struct scid *scids;
	struct gossip_move *moves;
	const char *text;
	struct graph_policy policy;
};

/* In order; start with { 0 }. */
struct gossip_notes {
	struct gossip_note *head, *last;
};

struct gossip;

/* Borrows config's pointers; copies the rest.  Returns owned. */
MUST_USE struct gossip *gossip_new(const struct gossip_config *config, const uint8_t seed32[32]);
void gossip_free(struct gossip *g);
const struct graph *gossip_graph(const struct gossip *g);

/* ---- The log at start (gossip/store.c): each record in order, then gossip_loaded ---- */

/* record: as log_next gives it, its checksum good.  False: that is no record, and the log is to be cut off here. */
MUST_USE bool gossip_load(struct gossip *g, struct arena *a, uint32_t ref, struct bytes record);
void gossip_loaded(struct gossip *g, uint32_t end);
/* RECORD_SPENT, each before gossip_loaded.  False: damaged. */
MUST_USE bool gossip_load_spent(struct gossip *g, struct bytes key, struct bytes value);
/* moves: the note's, each with its new place.  What stood at `start` in the old log, which was its end when it was
 * ordered, and all behind it, stands at `first_new` and behind now, be it written yet or still on its way. */
void gossip_compacted(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_move *moves,
		      uint32_t count, uint32_t start, uint32_t first_new);

/* ---- Peers ---- */

struct gossip_link {
	uint64_t connection;
	struct pubkey id;
	struct bytes features; /* of its init */
	bool other_chain;      /* its init named networks, and ours is not among them */
};

void gossip_peer_up(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_link *link);
void gossip_peer_down(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection);
/* A message of types 256 to 265. */
void gossip_message(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw);
/* Less waits for verification of what this peer sent than it may have waiting: there is a point in reading more. */
MUST_USE bool gossip_has_room(const struct gossip *g, uint64_t connection);
/* Everything that was sent to this connection has left. */
void gossip_drained(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection);

/* ---- Answers ---- */

/* good: one a check. */
void gossip_verified(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t id, const bool *good,
		     uint32_t count);

enum gossip_funding_state {
	FUNDING_UNSPENT,
	FUNDING_SPENT,
	FUNDING_MISSING, /* the block has no such output */
	FUNDING_UNKNOWN, /* this chain source cannot tell (a pruned block): asked again in a later sync */
	FUNDING_AWAY,    /* it could not be asked just now: there is a sync again soon */
};

struct gossip_funding {
	enum gossip_funding_state state;
	struct txid txid;         /* UNSPENT */
	struct amount_sat amount;
	struct bytes script;
};

/* answers: one a scid of the question. */
void gossip_funding(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t id,
		    const struct gossip_funding *answers, uint32_t count);
/* Answers of the signer to questions of OWNER_GOSSIP; owner as in step_ask. */
void gossip_signed(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t owner,
		   const struct sign_answer *answer);

/* ---- The chain: s->height is the tip ---- */

/* A block, or the start. */
void gossip_block(struct gossip *g, struct step *s, struct gossip_notes *out);
/* Of every input of the block at s->height, before gossip_block: looking one up costs less than telling anybody which
 * of fifty thousand outputs to watch. */
void gossip_spent(struct gossip *g, struct step *s, struct gossip_notes *out, const struct outpoint *o);
/* The block at `height` left the best chain. */
void gossip_block_undone(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t height);

/* ---- All that the edges answer, as one: what EVENT_GOSSIP carries ---- */

enum gossip_answer_kind { GOSSIP_VERIFIED, GOSSIP_FUNDED, GOSSIP_DRAINED, GOSSIP_COMPACTED };

struct gossip_answer {
	enum gossip_answer_kind kind;
	uint64_t id;                            /* VERIFIED, FUNDED: of the note */
	uint64_t connection;                    /* DRAINED */
	const bool *good;                       /* VERIFIED */
	const struct gossip_funding *fundings;  /* FUNDED */
	const struct gossip_move *moves;        /* COMPACTED */
	uint32_t count;
	uint32_t start, first_new;              /* COMPACTED */
};

void gossip_answer(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_answer *a);

/* ---- Our own channels (gossip/own.c) ---- */

/* All there is to know; told again after every change.  Compared byte by byte: padding is zero too. */
struct gossip_own {
	uint64_t key;              /* the channel's */
	uint64_t connection;       /* of the peer; 0: away */
	struct channel_id channel_id;
	struct pubkey peer, funding_local, funding_remote;
	struct scid scid;          /* of the confirmed funding transaction; 0: not yet */
	struct scid alias_remote;  /* what the peer gave us for use towards it: 0: none */
	struct scid alias_local;   /* what we gave the peer */
	struct outpoint funding;
	struct amount_sat capacity;
	uint32_t depth;            /* confirmations */
	bool announce;             /* open_channel's announce_channel */
	bool ready_sent, ready_received;
	bool signatures_wanted;    /* the peer's channel_reestablish asks for announcement_signatures */
	bool closing;              /* a shutdown was sent or received, or worse */
	uint16_t cltv_delta;
	uint32_t fee_base_msat, fee_ppm;
	struct amount_msat htlc_minimum; /* what the peer accepts and we forward */
	struct amount_msat htlc_maximum; /* of ours; cut to the capacity and to: */
	struct amount_msat in_flight_max; /* max_htlc_value_in_flight_msat of the peer */
};

void gossip_own_set(struct gossip *g, struct step *s, struct gossip_notes *out, const struct gossip_own *o);
void gossip_own_gone(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t key);
/* What our latest channel_update for a channel says; false if there is none. */
MUST_USE bool gossip_own_policy(const struct gossip *g, uint64_t key, struct graph_policy *out);
/* That channel_update itself, type and signature and all, if it names the channel by this scid: its place in the chain
 * if it is announced, or the alias that we gave if it is not.  Borrowed until the next call; empty: there is none.
 * It is signed when it changes, never when it is asked for. */
struct bytes gossip_own_update(const struct gossip *g, uint64_t key, struct scid scid);

/* ---- Time ---- */

/* Once the batch has no more events: hands out what has gathered. */
void gossip_flush(struct gossip *g, struct step *s, struct gossip_notes *out);
void gossip_tick(struct gossip *g, struct step *s, struct gossip_notes *out);
uint64_t gossip_deadline(const struct gossip *g);

/* ---- For getinfo, listings and tests ---- */

struct gossip_figures {
	uint32_t channels, nodes, peers, listening;
	uint32_t held, candidates, lookups_open, checks_open;
	size_t held_bytes, graph_bytes, log_bytes, log_dead_bytes;
	bool synced;               /* with as many peers as the rule wants */
	bool syncing;              /* a peer is being asked for all it knows */
	uint32_t sync_asked;       /* channels that it was asked for in this sync */
	uint32_t sync_wanted;      /* channels still to be asked for */
	uint64_t accepted, ignored, refused, over_bound, over_rate; /* messages, since the start */
	uint64_t lookups;
	uint64_t deferred;         /* channels that the chain source could not tell about: FUNDING_UNKNOWN, FUNDING_AWAY */
	uint64_t away;             /* of these FUNDING_AWAY */
};
struct gossip_figures gossip_figures(const struct gossip *g);
/* Asserts the invariants; for tests. */
void gossip_check_invariants(const struct gossip *g);

#endif
