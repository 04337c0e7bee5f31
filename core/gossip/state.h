/* Inside the gossip machine: for the files of this room alone. */
#ifndef GOSSIP_STATE_H
#define GOSSIP_STATE_H

#include "base/names.h"
#include "gossip/gossip.h"
#include "gossip/log.h"
#include "gossip/memory.h"
#include "gossip/order.h"

/* Every bound; docs/GOSSIP.md explains each. */
#define HELD_PEER_BYTES_MAX (256u << 10)  /* waiting for verification or chain, of one peer */
#define HELD_ASKED_BYTES_MAX (2u << 20)   /* of the peer that we are asking */
#define HELD_BYTES_MAX (4u << 20)         /* of all peers that we are not asking */
#define UNVERIFIED_MAX 128u               /* messages of one peer in the queue for that, from which on it is not read */
#define UNVERIFIED_ASKED_MAX 2048u        /* of the peer that we are asking */
#define CANDIDATES_MAX 8192u              /* channels whose funding output is being looked for */
#define LIES_MAX 100u                     /* outputs that were not there, or not those that were announced, of one connection */
#define BATCH_CHECKS_MAX 256u             /* verifications in one lot */
#define BATCHES_MAX 4u                    /* lots handed out */
#define LOOKUPS_MAX 16u                   /* blocks asked for at once */
#define WINDOW_BYTES (16u << 10)          /* gossip on its way to one connection: what the loop sends in one go */
#define RECENT_MAX 8192u                  /* changes remembered for those who listen */
#define QUERY_SCIDS_MAX 500u              /* in one query of ours */
#define ANSWER_SCIDS_MAX 8000u            /* in one query of theirs: what a message can hold */
#define REPLY_SCIDS_MAX 2600u             /* in one reply to a range: with timestamps and checksums below 65535 bytes */
#define RANGE_REPLIES_MAX 4096u           /* messages, to one range of ours */
#define WANTED_MAX GRAPH_CHANNELS_MAX     /* scids that a sync may still ask for */
#define AHEAD_MAX 2048u                   /* candidates, at which no more is asked for */
#define CURIOUS_MAX 256u                  /* scids of updates without a channel */

#define TICK_MS 1000u
#define FLUSH_MS 60000u                   /* B7.rebroadcasting.4 */
#define WALK_MS 10000u                    /* a peer's filters make us go through the graph this often */
#define REPLY_TIMEOUT_MS 60000u           /* a peer that we asked says nothing */
#define MUTE_MS 20000u                    /* nothing at all, when it was first asked for channels */
#define LISTENERS_MAX 5u                  /* peers whose news we take */
#define LISTEN_BACK_S 3600u               /* of the past, from a peer that we begin to listen to */
#define ROTATE_MS 1200000u                /* the least useful of them is replaced */
#define SYNC_PEERS 3u                     /* asked for everything after a start */
#define SYNC_RETRY_MS 1000u
#define SYNC_AGAIN_MS 21600000u           /* one of them, from then on */
#define SYNC_LOST_MS 600000u              /* sooner, where a bound made us drop something */
#define SYNC_TOLD_MS 10000u               /* the log hears of a sync's progress this often */
#define LISTEN_AT_LAST_MS 600000u         /* to news, though no sync has ended well */
#define PARKED_MS 600000u                 /* an update or node whose channel does not come */
#define PRUNE_MS 3600000u
#define STALE_S 1209600u                  /* two weeks: B7.recommendation_on_pruning_stale_entries.1 */
#define REFRESH_S 1036800u                /* twelve days: ours are renewed before anybody calls them stale */
#define FUTURE_S 86400u                   /* later than this an update is not believed */
#define ALLOWANCE_MAX 12u                 /* updates of one origin in a row ... */
#define ALLOWANCE_S 7200u                 /* ... and one more for each of these */
#define OVERDUE_MAX 256u                  /* origins whose last word was one too many: asked for it after ALLOWANCE_S */
#define OVERDUE_ASK_MS 600000u            /* and again after this long ... */
#define OVERDUE_ASK_MAX 12u               /* ... so often */
#define DEPTH_MIN 6u                      /* confirmations of an announced channel */
#define DEPTH_SLACK 6u                    /* blocks that we may be behind: six at once are usual on regtest */
#define FORGET_BLOCKS 72u                 /* B7.channel_announcement.26 */
#define SPENT_KEPT_BLOCKS 216u            /* by then the log that lacks the channel is on the disk */
#define AWAY_MS 600000u                   /* a peer gone this long disables the channel for the world, unless told otherwise */
#define COMPACT_DEAD_MIN (8u << 20)       /* bytes of no use, and more of them than of use: gossip_config.dead_max */
#define SENT_CHANNEL 450u                 /* what messages of the log count for in a window */
#define SENT_UPDATE 150u
#define SENT_NODE 350u

/* ---- What waits ---- */

enum held_kind { HELD_CHANNEL = 1, HELD_UPDATE = 2, HELD_NODE = 3, HELD_SIGNATURES = 4 };

#define HELD_KEY_MAX 34u

/* A message that waits: to be verified, for its channel, or for its funding output. */
struct held {
	struct held *next;         /* in the queue of those to be verified; in a lookup; parked under the same key */
	uint64_t connection;
	enum held_kind kind;
	bool asked;                /* counted as the asked peer's */
	bool old;                  /* parked since before the last look */
	bool chain_known;          /* CHANNEL: verified, its lookup is under way */
	bool conflict;             /* CHANNEL: another one of this scid is in the graph */
	uint8_t key[HELD_KEY_MAX]; /* kind, then scid and direction, or node id, or channel key */
	uint8_t key_size;
	uint32_t size;
	uint8_t raw[];
};

/* A lot of verifications handed out. */
struct batch {
	uint64_t id;
	struct held **items;
	uint8_t *checks; /* of each item */
	uint32_t count, check_count;
};

/* Channels of one block whose output must be looked at. */
struct lookup {
	uint32_t height;
	uint8_t key[4];
	uint64_t id;         /* once asked */
	uint64_t since_ms;   /* it was first wanted; 0: not yet */
	uint32_t verifying;  /* candidates of this block that may still join */
	struct held *head;   /* those that are ready */
	uint32_t count;
};

/* ---- Peers ---- */

enum answer_kind { ANSWER_NONE, ANSWER_RANGE, ANSWER_SCIDS };

/* A query of theirs that is being answered, as far as it fits into the window. */
struct answer {
	enum answer_kind kind;
	uint64_t end;            /* RANGE: block after the last */
	uint32_t block;          /* RANGE: where the next reply begins */
	uint64_t options;
	struct scid from;        /* RANGE: the next scid */
	struct scid *scids;      /* SCIDS; owned */
	uint64_t *flags;         /* owned; NULL: everything */
	uint32_t count, at;
	uint8_t *nodes_sent;     /* a bit a node; owned */
	uint32_t nodes_size;     /* bytes */
};

enum backlog { BACKLOG_NONE, BACKLOG_CHANNELS, BACKLOG_NODES };

struct gossip_peer {
	uint64_t connection;
	uint8_t key[8];
	struct pubkey id;
	bool queries, queries_ex; /* what it offers */
	bool other_chain;
	size_t held_bytes;
	uint32_t unverified;    /* messages that are in the queue or handed out */
	uint32_t lies;          /* announcements that the chain knows nothing of */

	/* What it wants. */
	bool has_filter;
	uint32_t filter_first;
	uint64_t filter_end;
	uint64_t recent_at, recent_end; /* in the ring: sent up to, to be sent up to */
	uint64_t flush_ms;
	enum backlog backlog;
	struct scid backlog_scid;
	uint32_t backlog_node;
	uint64_t walk_ms;       /* the next backlog begins no sooner */
	struct answer answer;
	size_t in_flight;       /* bytes since it was last drained */

	/* What we want of it. */
	bool listening;
	uint32_t useful;        /* new messages since the last rotation */
	bool tried;             /* as one to ask, in this round */
	bool mute;              /* it answers no query of channels */
};

/* ---- Asking ---- */

enum sync_phase { SYNC_IDLE, SYNC_RANGE, SYNC_QUERY };

struct wanted {
	struct scid scid;
	uint8_t flags;
};

struct sync {
	enum sync_phase phase;
	uint64_t connection;     /* the peer that we ask */
	uint64_t deadline_ms;
	uint64_t again_ms;       /* no sync begins before */
	uint64_t done_ms;        /* when the last one ended */
	uint32_t rounds;         /* ended well */
	uint64_t listen_ms;      /* from when on news is taken without any */
	uint64_t lost;           /* figures.over_bound at the end of the last one */
	uint64_t away;           /* figures.away at its beginning: the chain source is asked while it lasts and after */
	bool settling;           /* one has ended well, and the chain has not answered for all of it */
	uint64_t deferred;       /* figures.deferred when the log last heard of it */
	uint64_t told_ms;        /* when the log last heard of how far it is */
	bool curiosity;          /* this one only asks for channels that updates spoke of */
	uint64_t range_end;      /* block after the last asked for */
	uint32_t range_first;    /* the reply to come begins here or later */
	uint32_t replies;
	struct wanted *wanted;   /* owned */
	uint32_t wanted_count, wanted_capacity, wanted_at;
	bool open;               /* a query of scids is out, for heights low to high */
	bool answered;           /* one was */
	uint32_t low, high;
	struct scid curious[CURIOUS_MAX];
	uint32_t curious_count;
	uint64_t rotate_ms;
};

/* ---- Our own ---- */

struct own {
	struct gossip_own facts;
	uint8_t key[8];
	struct name names[2];      /* in own_names */
	/* announcement_signatures: ours of one scid, and theirs. */
	struct scid signed_scid;
	struct sig64 node_signature[2], funding_signature[2]; /* [0]: ours */
	bool asked_announcement;   /* the signer thinks */
	bool have_local, have_remote;
	bool sent_signatures;      /* on this connection */
	bool reply_wanted;         /* theirs came again: B7.announcement_signatures.5 */
	struct buf deferred;       /* theirs, which came too early */
	bool announced;            /* it is in the graph */
	bool told;                 /* of the announcement, the others were */
	uint64_t away_since_ms;
	/* channel_update: the last one, and the one that the signer has. */
	struct buf update, unsigned_update;
	uint32_t timestamp, checksum;
	bool asked_update;
	struct buf by_alias, unsigned_by_alias; /* the same of an unannounced channel, by the alias that we gave */
	bool asked_by_alias;
	bool private_sent;         /* the peer has it on this connection */
	uint32_t peer_timestamp;   /* of the peer's update for the unannounced channel */
};

/* Whose answer it is that the signer gives: the channel's key and which of its questions. */
enum own_asked { ASKED_NODE = 0, ASKED_ANNOUNCEMENT = 1, ASKED_UPDATE = 2, ASKED_BY_ALIAS = 3 };

/* Our update of an announced channel as the log has it, from its loading until the channel is heard of. */
struct own_loaded {
	uint8_t key[8]; /* scid */
	struct buf update;
};

/* A channel whose output is spent, or whose funding transaction left the chain: RECORD_SPENT. */
struct spent {
	struct scid scid;
	uint32_t height;
	bool reorged, stored;
};

struct recent {
	uint32_t thing; /* as in gossip_move; GRAPH_NONE: nothing any more */
	uint32_t ref;
};

/* What was refused because its origin had said too much: overdue.c. */
struct overdue {
	uint64_t at_ms;     /* its origin may speak again, by our clock; then: a peer is asked no sooner */
	uint32_t thing;     /* as in gossip_move */
	uint32_t timestamp; /* the latest that was refused */
	uint32_t asked;     /* how often */
	bool granted;       /* it may */
};

struct gossip {
	struct gossip_config config;
	struct graph *graph;
	struct order order;
	struct tombs tombs;
	struct blacklist blacklist;

	struct table peers;     /* struct gossip_peer */
	struct table verifying; /* struct held: the newest of each key that is to be verified */
	struct table parked;    /* struct held: updates and nodes whose channel is a candidate */
	struct table candidates; /* struct held: CHANNEL, by scid */
	struct table lookups;   /* struct lookup that is not asked yet, by height */
	struct lookup *open[LOOKUPS_MAX]; /* asked */
	struct table owns;      /* struct own */
	struct table own_loaded; /* struct own_loaded */
	struct names own_names; /* the same by short channel id, and by the alias that we gave */
	struct held *queue, **queue_end;
	struct batch *batches[BATCHES_MAX];
	size_t held_bytes, asked_bytes;
	uint32_t held_count;
	uint64_t next_id;

	struct spent *spent;    /* channels that wait to be forgotten, or were a while ago */
	uint32_t spent_count, spent_capacity;

	struct recent recent[RECENT_MAX];
	uint64_t recent_head;   /* numbers ever given */
	struct sync sync;
	struct overdue overdue[OVERDUE_MAX];
	uint32_t overdue_count;

	uint32_t log_end, log_generation;
	uint64_t log_dead;      /* bytes */
	bool compacting;

	struct buf node_unsigned; /* our node_announcement, at the signer */
	bool asked_node;
	bool node_told;           /* since the start */
	uint32_t node_timestamp;  /* of the last one */

	uint64_t prune_ms, parked_ms, tick_ms;
	struct gossip_figures figures;
	uint8_t seed[32];
};

/* ---- notes.c ---- */
struct gossip_note *note_add(struct step *s, struct gossip_notes *out, enum gossip_note_kind kind);
void note_send(struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes message);
void note_send_stored(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, uint32_t ref);
/* Whether more may be on its way to this peer, and what counts as that. */
MUST_USE bool window_open(const struct gossip_peer *p);
void window_send_stored(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, uint32_t ref,
			size_t about);
/* A warning, and hanging up. */
void note_refuse(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, const char *why);
void note_warn(struct step *s, struct gossip_notes *out, uint64_t connection, const char *why);
struct gossip_peer *peer_of(const struct gossip *g, uint64_t connection);
uint32_t now_s(const struct step *s);

/* ---- held.c ---- */
/* NULL where a bound says no. */
struct held *held_new(struct gossip *g, uint64_t connection, enum held_kind kind, struct bytes raw);
void held_free(struct gossip *g, struct held *h);
struct bytes held_raw(const struct held *h);
void held_set_key(struct held *h, enum held_kind kind, struct bytes rest);
struct bytes held_key(const struct held *h);
struct bytes held_key_of_scid(uint8_t out[HELD_KEY_MAX], enum held_kind kind, struct scid scid, int direction);
struct bytes held_key_of_node(uint8_t out[HELD_KEY_MAX], const struct pubkey *id);
/* Takes it into the queue of those to be verified. */
void held_verify(struct gossip *g, struct held *h);
/* Takes it among those that wait for a channel, in the place of an older one of its connection. */
void held_park(struct gossip *g, struct held *h);
void held_free_all(struct gossip *g, struct held *h); /* a whole list */
struct held *held_unpark(struct gossip *g, struct bytes key); /* a list */
void held_unpark_all(struct gossip *g);
/* Drops what has waited since before the last call. */
void held_unpark_old(struct gossip *g);
void held_flush(struct gossip *g, struct step *s, struct gossip_notes *out);

/* ---- ingest.c: what is verified comes back here; each takes h ---- */
void ingest_channel(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw);
void ingest_update(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw);
void ingest_node(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw);
void ingest_parked(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h);
void ingest_verified(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good);
/* Those that its announcement decides. */
uint32_t channel_flags(const struct gossip *g, const struct msg_channel_announcement *m);
uint8_t node_flags(const struct msg_node_announcement *m);
/* Into graph and log; good already. */
uint32_t apply_channel(struct gossip *g, struct step *s, struct gossip_notes *out, const struct msg_channel_announcement *m,
		       struct bytes raw, struct amount_sat capacity, const struct txid *txid);
void apply_update(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t channel,
		  const struct msg_channel_update *m, struct bytes raw);
void apply_node(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t node,
		const struct msg_node_announcement *m, struct bytes raw);

/* ---- funding.c ---- */
/* A candidate came, not verified yet. */
void funding_expect(struct gossip *g, struct held *h, struct scid scid);
/* It was found wrong. */
void funding_drop(struct gossip *g, struct held *h, struct scid scid);
/* It was verified: look for its output.  Takes h. */
void funding_want(struct gossip *g, const struct step *s, struct held *h, struct scid scid);
void funding_free(struct gossip *g);
void funding_flush(struct gossip *g, struct step *s, struct gossip_notes *out);
void candidate_done(struct gossip *g, struct held *h);
/* Those that waited for this channel: the updates of both ends, then both nodes. */
void let_in(struct gossip *g, struct step *s, struct gossip_notes *out, const struct msg_channel_announcement *m);
struct scid held_scid(const struct held *h);

/* ---- age.c ---- */
void forget_channel(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t channel, enum tomb why);
void spent_remember(struct gossip *g, const struct spent *v);
struct spent *spent_find(const struct gossip *g, struct scid scid); /* NULL */
void spent_drop(struct gossip *g, struct step *s, struct scid scid);
void spent_loaded(struct gossip *g);
uint64_t funding_hash(const struct gossip *g, const struct outpoint *o);
void prune(struct gossip *g, struct step *s, struct gossip_notes *out);
/* Every channel of a node that lied (B7.channel_announcement.24). */
void forget_node(struct gossip *g, struct step *s, struct gossip_notes *out, const struct pubkey *id);

/* ---- store.c ---- */
uint32_t store_append(struct gossip *g, struct step *s, struct gossip_notes *out, enum log_kind kind, struct bytes fixed,
		      struct bytes message);
void store_dead(struct gossip *g, uint32_t bytes);
void store_tick(struct gossip *g, struct step *s, struct gossip_notes *out);

/* ---- relay.c ---- */
void relay_push(struct gossip *g, uint32_t thing, uint32_t ref);
void relay_own(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t ref);
void relay_filter(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw);
/* As much as the window takes. */
void relay_pump(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p);
void relay_tick(struct gossip *g, struct step *s, struct gossip_notes *out);
/* After compaction: things have new places. */
void relay_moved(struct gossip *g, const bool *current);
MUST_USE bool thing_current(const struct gossip *g, uint32_t thing, uint32_t ref);

/* ---- answer.c ---- */
void answer_scids(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw);
void answer_range(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw);
/* False: the window is full. */
bool answer_pump(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p);
void answer_clear(struct answer *a);

/* ---- overdue.c ---- */
void overdue_put(struct gossip *g, const struct step *s, uint32_t thing, uint32_t timestamp);
void overdue_tick(struct gossip *g, const struct step *s);
/* Whether there is something to ask for now, and what. */
MUST_USE bool overdue_any(const struct gossip *g, const struct step *s);
MUST_USE bool overdue_take(struct gossip *g, const struct step *s, struct wanted *out);

/* ---- sync.c ---- */
void sync_peer_up(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p);
void sync_peer_down(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p);
void sync_range_reply(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw);
void sync_scids_end(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, struct bytes raw);
void sync_heard(struct gossip *g, struct step *s, uint64_t connection);
void sync_curious(struct gossip *g, struct scid scid);
void sync_tick(struct gossip *g, struct step *s, struct gossip_notes *out);
void sync_flush(struct gossip *g, struct step *s, struct gossip_notes *out);
/* A query that is open may still bring channels of this block. */
MUST_USE bool sync_covers(const struct gossip *g, uint32_t height);
void sync_useful(struct gossip *g, uint64_t connection);

/* ---- own.c ---- */
void own_signatures(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes raw);
void own_verified(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h, bool good);
uint32_t own_checks(const struct gossip *g, const struct held *h, struct gossip_check *checks);
/* The channel of ours that a scid stands for, be it real or an alias; NULL. */
struct own *own_by_scid(const struct gossip *g, struct scid scid);
void own_tick(struct gossip *g, struct step *s, struct gossip_notes *out);
/* A channel of ours with this node is about to be announced: what the peer says to the world may come first. */
MUST_USE bool own_expects(const struct gossip *g, const struct pubkey *peer);
MUST_USE bool own_expects_any(const struct gossip *g);
void own_free(struct own *o);
void own_check(const struct gossip *g);
struct own *own_by_key(const struct gossip *g, uint64_t key);
uint64_t own_owner(const struct own *o, enum own_asked what);
/* own_update.c */
int own_direction(const struct gossip *g, const struct own *o);
void own_update_advance(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o);
void own_update_signed(struct gossip *g, struct step *s, struct gossip_notes *out, struct own *o, const struct sig64 *signature);
void own_by_alias_signed(struct own *o, const struct sig64 *signature);
void own_loaded_init(struct gossip *g);
void own_loaded_release(struct gossip *g);
/* The log's record of an update of ours; the latest of a channel counts. */
void own_update_loaded(struct gossip *g, struct scid scid, struct bytes raw);
void own_update_recall(struct gossip *g, struct own *o);
/* own_node.c */
void own_node_tick(struct gossip *g, struct step *s, struct gossip_notes *out);
void own_node_signed(struct gossip *g, struct step *s, struct gossip_notes *out, const struct sign_answer *answer);

#endif
