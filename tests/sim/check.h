/* Checkers: each watches a run from outside and says world_fail when something is not as it must be.  They judge by
 * what is on the wire, in blocks and on disks, and by what nodes show their users; what each proves stands at the head
 * of its file.  Nodes that are adversaries are not judged. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/book.h"

/* One HTLC as it was on the wire, by channel, offerer and id; in the end also as the chain had it. */
struct seen_htlc {
	uint32_t channel;      /* index in the book */
	int from, to;
	uint64_t id;
	struct amount_msat amount;
	struct sha256 hash;
	uint32_t cltv;
	uint64_t at_step;      /* when it was offered first */
	bool fulfilled;        /* the receiver said so */
	bool failed;           /* the receiver said so */
	bool on_chain;         /* its preimage is in a block, in a spend of its channel's commitment */
	struct preimage preimage;
	uint32_t next_of_id, next_of_hash; /* in their lists: index + 1 */
};

#define CHECK_LISTS 4096u

struct checks {
	struct world *w;
	struct book *b;
	struct seen_htlc *htlcs;
	uint32_t htlc_count, htlc_capacity;
	uint32_t of_id[CHECK_LISTS], of_hash[CHECK_LISTS]; /* newest first: index + 1 */
	struct revealed *revealed; /* check_revoked.c */
	uint32_t revealed_count, revealed_capacity;
	uint64_t settles;
	uint32_t deadline_height[SIM_NODES_MAX]; /* check_deadline.c: at which a node was looked at last */
	struct gossip_checks *gossip; /* check_gossip.c */
	bool reorganized;      /* blocks left the chain */
	uint32_t lost_blocks;  /* that came without what was offered, since deadlines were set: spikes, empty blocks */
	bool adversaries;      /* honest nodes may end with more than they should: penalties */
};

struct checks *checks_new(struct world *w, struct book *b);
/* Everything is at rest: no payment is under way; `buried`: every channel that was funded is history. */
void checks_end(struct checks *k, bool buried);
void checks_free(struct checks *k);

/* check_htlc.c */
void check_htlc_message(struct checks *k, int from, int to, struct bytes message);
void check_htlc_end(struct checks *k);
/* The newest HTLC of that hash, then each before it; NULL: no more. */
struct seen_htlc *check_htlc_of_hash(const struct checks *k, const struct sha256 *hash, const struct seen_htlc *after);
/* Whether its preimage came to who offered it, by wire or chain. */
static inline bool seen_paid(const struct seen_htlc *h) { return h->fulfilled || h->on_chain; }
/* check_revoked.c */
void check_revoked_message(struct checks *k, int from, struct bytes message);
void check_revoked_broadcast(struct checks *k, const struct sim_node *n, struct bytes tx);
/* check_close.c */
void check_close_broadcast(struct checks *k, const struct sim_node *n, struct bytes tx);
/* check_deadline.c */
void check_deadline_node(struct checks *k, const struct sim_node *n);
/* check_money.c */
void check_money_end(struct checks *k);
/* check_restart.c: stops the node as a user would, starts it again and compares. */
void check_restart(struct checks *k, int node);
/* check_bounds.c */
void check_bounds_node(struct checks *k, const struct sim_node *n);
void check_bounds_end(struct checks *k, bool buried);
/* check_quiet.c */
void check_quiet_end(struct checks *k, bool buried);

/* check_gossip.c */
struct gossip_checks *gossip_checks_new(void);
void gossip_checks_free(struct gossip_checks *g);
void check_gossip_node(struct checks *k, const struct sim_node *n);
void check_gossip_message(struct checks *k, int from, int to, struct bytes message);
void check_gossip_bounds(struct checks *k, const struct sim_node *n);
/* NULL: all who can reach one another know the same of the network; else words for who does not. */
const char *check_gossip_agreement(const struct checks *k);

/* check.c, for the others: the commitment number that a transaction carries, if it spends the funding of a channel of the
 * book and looks like a commitment. */
MUST_USE bool check_commitment(struct checks *k, const struct tx *t, struct book_channel **channel, uint64_t *obscured);
MUST_USE bool check_honest(const struct checks *k, const struct book_channel *c);

#endif
