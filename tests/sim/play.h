/* One run of the simulator: a scripted scenario, or a random one.  It aborts with its seed if anything is not as it
 * must be, so each run has a process of its own. */
#ifndef TESTS_SIM_PLAY_H
#define TESTS_SIM_PLAY_H

#include "tests/sim/check.h"

#define MINUTE_MS 60000ull
#define HOUR_MS (60 * MINUTE_MS)

struct play_options {
	uint64_t seed;
	bool verbose;
	const char *dump_blocks, *dump_trace; /* NULL: nowhere */

	/* Scripted scenarios. */
	int crash_node;        /* -1: nobody */
	uint64_t crash_after;  /* effects of that node's first life */
	uint32_t payments;     /* each way */
	uint32_t crash_one_in; /* a node dies with one of so many steps; 0: never */
	uint32_t cut_one_in;   /* a link breaks with one of so many messages; 0: never */
	bool slow_signer;      /* it answers late and out of order */
	bool static_remotekey; /* else anchors */
	bool memo;             /* the nodes remember what they computed and work ahead: nothing else may differ */
	bool fees;             /* the network's fee rates move */
	bool concurrent;       /* all payments at once, else one after another */

	const struct sim_hook *hook; /* one more that looks on; NULL: none */

	/* Random runs. */
	uint64_t steps;        /* of unrest; then everything comes to rest */
	uint32_t trades;       /* not 0: a network that trades, until so many payments were wished for */
};

#define PLAY_REASONS_MAX 24u

struct play_reason {
	enum wish_kind kind;
	enum reply_code code;    /* REPLY_OK: nobody said */
	uint32_t count;          /* 0: no more reasons */
};

struct play_result {
	uint64_t effects[SIM_NODES_MAX]; /* released by each node */
	uint32_t nodes;
	uint64_t steps, events, crashes, virtual_ms, blocks;
	uint32_t paid, failed, channels;
	uint32_t reorgs;
	uint64_t new_terms;      /* changes of what nodes ask for forwarding */
	uint32_t htlcs;          /* on the wire, by channel and id */
	uint32_t paid_in_parts;  /* of them: over several HTLCs of the payer's */
	struct play_reason reasons[PLAY_REASONS_MAX]; /* of those that failed */
	uint64_t digest; /* of all stores and the chain: equal for equal seeds */
};

struct play {
	struct world *w;
	struct book *b;
	struct checks *k;
	const struct play_options *o;
	void *context; /* the scenario's own */
	uint32_t bury_height;
	uint64_t mined_at; /* play_mine_slowly */
	uint64_t looked_at; /* play_agree */
	const char *waits_for; /* words for a goal that is not reached; NULL: none */
};

struct scenario {
	const char *name, *what;
	uint32_t nodes;
	void (*run)(struct play *p);
	/* Long ones: crashes of this node alone (-1: of each), at so many places, and at eight times as many where it is asked for by
	 * name.  0 places: of each node after each effect. */
	int crash_node;
	uint32_t crash_places;
	bool gossip;
};

/* NULL at the end. */
const struct scenario *scenario_at(uint32_t index);
const struct scenario *scenario_named(const char *name);
struct play_result scenario_run(const struct scenario *s, const struct play_options *o);
struct play_result random_run(const struct play_options *o);

/* Adds to such a list. */
void play_count_reason(struct play_reason *list, enum wish_kind kind, enum reply_code code, uint32_t count);

/* play.c, for scenarios. */
void play_begin(struct play *p, const struct play_options *o, const struct world_options *like);
struct play_result play_end(struct play *p);
/* Runs until `goal` says so: it is asked after every step, and may order things.  Fails after four hours. */
void play_reach(struct play *p, const char *what, bool (*goal)(struct play *p));
MUST_USE bool play_all_alive(const struct play *p);
void play_mine(struct play *p, uint32_t count);
/* One block, unless the last one is less than twenty seconds old: who comes back must not miss its deadlines. */
void play_mine_slowly(struct play *p);
/* Every node is at the tip of the chain, with all of it on its disk. */
MUST_USE bool play_followed(const struct play *p);
/* Opens a channel again and again until both ends can use one; mines for it. */
void play_open(struct play *p, const struct open_wish *o);
/* All wishes are over. */
void play_wishes(struct play *p, bool one_by_one);
/* No HTLC anywhere, nothing under way; all links are up that channels need. */
void play_rest(struct play *p);
/* All who can reach one another know the same of the network. */
void play_agree(struct play *p);
/* The signer's policy never had to refuse anything. */
void play_check_policy(struct play *p);
void play_close_all(struct play *p);
/* Mines until every channel is history. */
void play_bury(struct play *p);
/* Everything must be quiet now; the checkers have the last word. */
void play_judge(struct play *p, bool buried);

#endif
