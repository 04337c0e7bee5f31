/* BOLT 11 invoices: reading, writing and judging them.  Text and bytes only:
 * who made an invoice and whether it was paid is payment/.
 *
 * Signing is in two halves, because the node's key is elsewhere: invoice_draft
 * gives the exact bytes that are hashed (step/sign.h SIGN_INVOICE),
 * invoice_finish takes the recoverable signature and gives the text. */
#ifndef INVOICE_INVOICE_H
#define INVOICE_INVOICE_H

#include "base/amount.h"
#include "base/arena.h"
#include "base/types.h"
#include "bitcoin/network.h"
#include "wire/features.h"

#define INVOICE_TEXT_MAX 16384u /* characters that invoice_decode looks at */
#define INVOICE_EXPIRY_DEFAULT_S 3600u
#define INVOICE_CLTV_DEFAULT 18u  /* min_final_cltv_expiry_delta where none is given */
#define INVOICE_FIELD_MAX 639u	  /* bytes in one tagged field */
#define INVOICE_HOPS_MAX 12u	  /* that fit into one r field */

/* One hop of private route: a channel out of `node`, with the terms of BOLT 7. */
struct invoice_hop {
	struct pubkey node;
	struct scid scid;
	uint32_t fee_base_msat, fee_proportional_millionths;
	uint16_t cltv_expiry_delta;
};

/* From a public node to the payee, in order. */
struct invoice_route {
	struct invoice_hop *hops;
	uint32_t hop_count;
};

/* A tagged field that this program does not know: its letter and its 5-bit values. */
struct invoice_field {
	char letter;
	struct bytes data5;
};

struct invoice {
	const struct network *network;
	bool has_amount; /* else the payer chooses (B11.human_readable_part.7) */
	struct amount_msat amount;
	uint64_t timestamp_s;
	uint64_t expiry_s; /* after the timestamp; the default if the invoice is silent */
	struct sha256 payment_hash;
	struct secret32 payment_secret;
	bool has_description; /* exactly one of description and description_hash is there */
	struct bytes description; /* UTF-8; never trusted: a stranger wrote it */
	struct sha256 description_hash;
	bool has_metadata;
	struct bytes metadata;
	uint32_t min_final_cltv; /* INVOICE_CLTV_DEFAULT if the invoice is silent; writing: 0 leaves it out */
	struct bytes features;
	struct invoice_route *routes;
	uint32_t route_count;
	struct bytes *fallbacks; /* scripts, best first */
	uint32_t fallback_count;
	struct pubkey payee;
	bool payee_named; /* an n field; else the payee follows from the signature */

	/* Of decoded invoices alone. */
	struct sig64 signature;
	uint8_t recovery_id;
	struct sha256 hash; /* what the signature is over */
	bool bad_length; /* a p, h, s or n of wrong length was skipped: it can be shown, not paid */
	struct invoice_field *unknown;
	uint32_t unknown_count;
};

/* Reads text, with or without "lightning:" in front, in either case.  expected: the network that it must be for,
 * or NULL for any (test networks that share a prefix: the first).  All of *out lives in the arena.  False, with
 * the reason for a human in *why, if it is no valid invoice: form, checksum, prefix, amount, a missing or
 * malformed field, signature.  What only forbids paying is invoice_payable's. */
MUST_USE bool invoice_decode(struct arena *a, struct invoice *out, const char **why, const struct network *expected,
			     struct bytes text);

/* Whether this node may try to pay it at this time.  policy: what we support (BOLT 9).  *why: a sentence, in the
 * arena, that names an unknown feature bit. */
MUST_USE bool invoice_payable(struct arena *a, const struct invoice *i, const struct feature_policy *policy,
			      uint64_t now_s, const char **why);
/* After this second neither side goes on with it. */
uint64_t invoice_expires_at_s(const struct invoice *i);
/* B11.feature_bits.3: only then may it be paid in parts. */
MUST_USE bool invoice_allows_parts(const struct invoice *i);
/* Whether text is what the invoice describes, in full or by hash. */
MUST_USE bool invoice_describes(const struct invoice *i, struct bytes text);

/* An invoice that lacks only its signature. */
struct invoice_draft {
	const char *hrp;
	const uint8_t *data5;
	size_t count;
	struct bytes payload; /* sign SHA256 of this */
};

/* Sets an invoice up with the defaults: nothing else in it. */
void invoice_init(struct invoice *i, const struct network *n);
/* All in the arena.  False, with the reason in *why, if i cannot be an invoice: an amount of zero or beyond the
 * supply, a description that is too long or no UTF-8, too many hops, a fallback without an address, a vector of
 * features that BOLT 9 forbids.  B11.tagged_fields.3: payment_hash is the caller's, of a preimage it holds. */
MUST_USE bool invoice_draft(struct arena *a, struct invoice_draft *out, const char **why, const struct invoice *i);
/* Appends the text, in lower case.  sig65: r, s and the recovery id. */
void invoice_finish(const struct invoice_draft *d, const uint8_t sig65[65], struct buf *out);

#endif
