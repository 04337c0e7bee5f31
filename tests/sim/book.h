/* What outsiders know of a run: every channel that any node ever showed, and every payment that a user wanted.
 * Users act by it, checkers judge by it; no node reads it. */
#ifndef TESTS_SIM_BOOK_H
#define TESTS_SIM_BOOK_H

#include "tests/sim/world.h"

#define BOOK_HOPS_MAX 8
#define BOOK_LISTS 1024u

struct book_channel {
	uint32_t index;
	struct channel_id id;
	struct outpoint funding;
	struct amount_sat amount;
	struct amount_msat pushed;
	bool announce;
	struct scid scid, alias[2]; /* as its ends last called it; alias: what each end answers to, the opener's first */
	int end[2];              /* the opener's node first; -1: not seen there yet */
	bool close_wanted;       /* a user asked for an end by agreement */
	bool force_wanted;       /* a user asked for a unilateral end, or an adversary is part of it */
	bool cut_off;            /* its ends were kept apart for so long that an HTLC may have forced its end */
	uint32_t close_life;     /* of the node that was asked */
	int closer;
};

/* One hop: over which channel to which node, with what. */
struct book_hop {
	uint32_t channel;        /* index in the book */
	int node;
	struct amount_msat amount;
	uint32_t cltv;           /* blocks beyond the height at which it is sent */
};

enum wish_kind { WISH_PAY, WISH_KEYSEND, WISH_ROUTE };

/* One payment, as its user sees it: made once, asked about until it ended. */
struct wish {
	uint32_t index;
	enum wish_kind kind;
	int from, to;
	bool wrong_secret;       /* ROUTE: the payee must refuse it */
	bool half;               /* ROUTE: it says that as much again will come, and nothing does */
	bool hints;              /* PAY: its invoice names private channels */
	bool twice;              /* PAY: its user orders it twice */
	bool has_fee_limit;      /* PAY, KEYSEND: else as the node likes */
	struct amount_msat fee_limit;
	struct amount_msat amount;
	struct book_hop hops[BOOK_HOPS_MAX]; /* ROUTE */
	uint32_t hop_count;
	char bolt11[1200];
	struct sha256 hash;
	struct secret32 secret;
	struct preimage preimage;
	uint64_t invoice_call, pay_call, again_call;
	uint32_t next_of_hash;   /* index + 1 */
	enum reply_code code;    /* of what is over and not paid; REPLY_OK: nobody said */
	uint32_t life;              /* of the payer, when it was ordered */
	uint64_t asked_at;       /* when the payer was asked last */
	bool has_invoice, called, over, paid;
};

struct book {
	struct world *w;
	struct book_channel *channels;
	uint32_t channel_count, channel_capacity;
	struct wish *wishes;
	uint32_t wish_count, wish_capacity;
	uint32_t *open;          /* wishes that are not over, in order */
	uint32_t open_count, open_capacity;
	uint32_t of_hash[BOOK_LISTS]; /* the first of each list, by hash; index + 1 */
};

struct book *book_new(struct world *w); /* hooks itself into the world */
void book_free(struct book *b);

/* --- channels --- */

struct book_channel *book_by_id(struct book *b, const struct channel_id *id);
struct book_channel *book_by_funding(struct book *b, const struct outpoint *o);
/* As that end sees it now, NULL if it is down or does not know it (any more). */
const struct channel *book_view(const struct book *b, const struct book_channel *c, int node);
/* Both ends say that it can be used. */
bool book_usable(const struct book *b, const struct book_channel *c);
/* A usable one between the two, or NULL. */
struct book_channel *book_between(struct book *b, int one, int other);

/* --- what users order --- */

struct open_wish {
	int from, to;
	struct amount_sat amount;
	struct amount_msat push;
	bool announce;
};

void user_open(struct book *b, const struct open_wish *o, uint64_t *call);
/* Asks the node to end it, by agreement or at once. */
void user_close(struct book *b, struct book_channel *c, int node, bool force, uint64_t *call);

struct wish *wish_new(struct book *b, enum wish_kind kind, int from, int to, struct amount_msat amount);
/* Of an invoice's hash or a route's; NULL: nobody's. */
struct wish *wish_of_hash(const struct book *b, const struct sha256 *hash);
/* Fees and expiries of a ROUTE whose hops' channels and nodes are set, from its end to its beginning. */
void wish_price(struct book *b, struct wish *v);
/* Looks at it, and asks again for what a crash swallowed.  True once it is over. */
bool wish_follow(struct book *b, struct wish *v);
/* All of them, or the oldest alone; returns how many are not over. */
uint32_t wishes_follow(struct book *b, bool one_by_one);

#endif
