/* What every machine of the core is handed with an event: the time, entropy,
 * the chain's height, limits and where effects go.
 *
 * Asking somebody outside (signer, wallet, broadcaster) takes an id from
 * step_ask, which remembers whose question it is; node/ hands the answer back
 * to that owner.  An owner that is gone simply does not get it. */
#ifndef STEP_STEP_H
#define STEP_STEP_H

#include "base/log.h"
#include "base/table.h"
#include "crypto/cipher.h"
#include "step/effect.h"

enum owner_kind {
	OWNER_CHANNEL = 1,  /* owner: channel key id */
	OWNER_HTLC_ONION,   /* owner: serial of an onion being opened */
	OWNER_INVOICE,      /* owner: serial of an invoice being signed */
	OWNER_FUNDING,      /* owner: channel key id, about wallet coins */
	OWNER_WITHDRAW,     /* owner: call id */
	OWNER_ADDRESS,      /* owner: call id */
	OWNER_CHANNEL_ADDRESS, /* owner: channel key id, a shutdown script */
	OWNER_SWEEP,        /* owner: channel key id */
	OWNER_CALL,         /* owner: call id */
	OWNER_GOSSIP,       /* owner: as gossip_signed takes it */
	OWNER_PAST,         /* owner: channel key id, about its past HTLCs */
	OWNER_BACKUP,       /* the key of the channels' backup; owner: 0 */
	OWNER_STORAGE,      /* owner: connection, about what we keep for its peer */
	OWNER_DELPAY,       /* owner: call id, about payments that are to be forgotten */
	OWNER_FORWARDS,     /* owner: call id, about the history of forwards */
	OWNER_HISTORY,      /* what is too much of it; owner: 0 */
	OWNER_CLEAN,        /* owner: number of a sweep */
	OWNER_RECALL,       /* owner: serial of a question about a payment hash */
	OWNER_CLOSED,       /* the newest of the closed channels; owner: 0 */
	OWNER_RECOVERY,     /* owner: serial of a backup whose channels may be closed */
};

struct step {
	struct effects *out;
	uint64_t now_ms;
	uint32_t height;       /* the chain's, as far as we have followed it */
	struct feerate fees[4]; /* by enum fee_target */
	struct drbg *entropy;
	const struct log_sink *log;
	struct table *asked;   /* id -> struct ask */
	uint64_t *next_ask;
	uint64_t *next_reservation; /* the owner stores it in this step's batch; NULL where nobody reserves coins */
};

/* A new id for a question of this owner. */
uint64_t step_ask(struct step *s, enum owner_kind kind, uint64_t owner);
/* Whose question it was; forgets it.  False for an id that nobody asked. */
MUST_USE bool step_take(struct step *s, uint64_t id, enum owner_kind *kind, uint64_t *owner);

/* Reservations of coins for claims and for children of commitments: this bit and a count.  (A channel's key id is that
 * of its funding.) */
#define RESERVATION_CLAIM (1ull << 62)
/* A name for a reservation that was never used before, of a claim. */
uint64_t step_reservation(struct step *s);

void step_asked_init(struct table *asked, const uint8_t seed16[16]);
void step_asked_release(struct table *asked);

/* A request in the effects' arena. */
struct sign_request *step_sign_request(struct step *s, enum sign_kind kind, uint64_t channel_key, const struct pubkey *peer);
struct funds_request *step_funds_request(struct step *s, enum funds_kind kind);

#endif
