/* What the wallet is made of; only its own files include this. */
#ifndef WALLET_STATE_H
#define WALLET_STATE_H

#include "base/table.h"
#include "crypto/cipher.h"
#include "wallet/wallet.h"

#define COINBASE_MATURITY 100u

/* A script that we follow.  Lives as long as the wallet once it is there, but for unfollowed foreign ones. */
struct owner {
	struct buf script; /* the key of the table */
	enum wallet_chain chain;
	uint32_t index;
	uint64_t tag;
};

struct chain {
	struct bip32_key node;   /* account / 0 or 1, public */
	struct owner **owners;   /* by index, watched_count of them */
	uint32_t watched_count, capacity;
	uint32_t next;           /* the first index that was never given out */
	uint32_t used_count;     /* one above the highest index that was ever paid to */
};

/* An output of ours.  Unconfirmed and not lost: of a live plan. */
struct coin {
	uint8_t key36[36]; /* outpoint */
	struct outpoint outpoint;
	struct amount_sat amount;
	struct owner *owner;
	uint32_t height;       /* 0: not in the chain */
	bool coinbase;
	uint32_t lost_height;  /* the block that held it left the chain, and the transaction is not ours; else 0 */
	bool spent;
	struct txid spender;
	uint32_t spent_height; /* 0: the spender is a live plan that is not in the chain */
	uint64_t reservation;  /* of the plan in PLAN_RESERVED that wants it; 0: none */
	/* Between wallet_load and wallet_start: what the record names as the owner. */
	enum wallet_chain stored_chain;
	uint32_t stored_index;
	struct buf stored_script;
};

/* Stored. */
enum plan_state {
	PLAN_RESERVED = 1,  /* built; its coins are kept for it */
	PLAN_SENT = 2,      /* told that it went out, or it left the chain again */
	PLAN_CONFIRMED = 3, /* in the block at height */
	PLAN_DEAD = 4,      /* it can not confirm: what spends its coins is at height, or it was replaced (height 0) */
	PLAN_GIVEN_UP = 5,  /* like that, and nobody wants it back if that block goes */
};

/* A transaction of our own, from the request that built it until it is buried. */
struct plan {
	uint8_t key8[8];    /* id */
	uint64_t id;        /* the reservation's name */
	struct arena arena; /* of the transaction */
	struct tx *tx;      /* without witnesses */
	struct tx_output *spent; /* by each input */
	struct txid txid;
	enum plan_state state;
	uint32_t height;
	struct amount_sat fee;
	struct feerate feerate;
	uint64_t replaces;
	uint32_t foreign_count; /* inputs at the front that are not ours */
	bool doomed;            /* while conflicts are followed */
};

static inline bool plan_is_dead(const struct plan *p)
{
	return p->state == PLAN_DEAD || p->state == PLAN_GIVEN_UP;
}

struct wallet {
	struct wallet_config config;
	struct chain chains[WALLET_CHAINS];
	struct table owners, coins, plans;
	uint32_t height;
	struct drbg entropy;
};

/* keychain.c */
void keychain_init(struct wallet *w);
void keychain_release(struct wallet *w);
struct owner *keychain_find(const struct wallet *w, struct bytes script); /* NULL: not ours */
/* Makes owners up to gap beyond what is used or given out, and watches those that are new. */
void keychain_extend(struct wallet *w, enum wallet_chain chain, struct effects *out);
void keychain_watch_foreign(const struct wallet *w, struct effects *out);
struct owner *keychain_next(struct wallet *w, enum wallet_chain chain, struct effects *out);
/* An index that was given out last and came to nothing is given out again, so that restoring finds what follows. */
void keychain_give_back(struct wallet *w, const struct owner *o, struct effects *out);
void keychain_used(struct wallet *w, const struct owner *o, struct effects *out);
struct owner *keychain_add_foreign(struct wallet *w, struct bytes script, uint64_t tag);
struct pubkey keychain_point(const struct wallet *w, const struct owner *o);
/* m / purpose' / coin' / 0' / change / index */
void keychain_path(const struct wallet *w, const struct owner *o, uint32_t path[5]);

/* coins.c */
struct coin *coin_find(const struct wallet *w, const struct outpoint *o);
struct coin *coin_add(struct wallet *w, const struct outpoint *o, struct amount_sat amount, struct owner *owner);
void coin_remove(struct wallet *w, struct coin *c, struct effects *out);
bool coin_mature(const struct wallet *w, const struct coin *c);
/* Nothing stands against spending it but perhaps its confirmations. */
bool coin_spendable(const struct wallet *w, const struct coin *c);
struct plan *plan_find(const struct wallet *w, uint64_t id);
struct plan *plan_by_txid(const struct wallet *w, const struct txid *txid);
struct plan *wallet_plan_new(struct wallet *w, uint64_t id);
void plan_remove(struct wallet *w, struct plan *p, struct effects *out);
bool plan_spends(const struct plan *p, const struct outpoint *o);
/* How many unconfirmed transactions of ours this one rests on, with itself. */
uint32_t plan_ancestors(const struct wallet *w, const struct plan *p);
/* It went out: its coins are spent, its outputs to us are coins. */
void plan_send(struct wallet *w, struct plan *p, struct effects *out);
/* It will not confirm, and neither will what rests on it.  height: of what spent its coins; 0: given up. */
void plan_kill(struct wallet *w, struct plan *p, uint32_t height, struct effects *out);

/* record.c: stored forms. */
void record_coin(struct wallet *w, const struct coin *c, struct effects *out);
void record_coin_gone(const struct coin *c, struct effects *out);
void record_plan(const struct plan *p, struct effects *out);
void record_plan_gone(const struct plan *p, struct effects *out);
void record_chain(const struct wallet *w, enum wallet_chain chain, struct effects *out);
void record_foreign(const struct owner *o, struct effects *out);
void record_foreign_gone(const struct owner *o, struct effects *out);
void record_height(const struct wallet *w, struct effects *out);

/* build.c and sign.c: requests. */
void build_answer(struct wallet *w, const struct funds_request *r, struct funds_answer *answer, struct effects *out);
void sign_answer_with_keys(struct wallet *w, const struct wallet_keys *keys, struct plan *p, struct funds_answer *answer,
			   struct effects *out);
struct psbt;
/* The unsigned PSBT of a plan, in the arena. */
struct psbt *sign_psbt(const struct wallet *w, const struct plan *p, struct arena *a);
void answer_fail(struct funds_answer *answer, int code, const char *reason);

#endif
