#include "channel/cause.h"

#include <stdio.h>

struct row {
	enum close_cause cause;
	const char *name, *words, *remedy;
};

static const struct row table[] = {
	{ CLOSE_NONE, "none", "no reason is known", NULL },
	{ CLOSE_USER, "user", "our user closed it alone", NULL },
	{ CLOSE_USER_TIMEOUT, "user_timeout", "the peer did not close in the time that our user gave it", NULL },
	{ CLOSE_HTLC_EXPIRED, "htlc_expired", "the peer kept an HTLC beyond its expiry", NULL },
	{ CLOSE_HTLC_UNCLAIMED, "htlc_unclaimed", "the peer does not take off an HTLC that we fulfilled, and it expires soon", NULL },
	{ CLOSE_DATA_LOST, "data_lost", "our own state of the channel is old", NULL },
	{ CLOSE_SIGNER, "signer", "our signer refused, or answered what cannot be right", NULL },
	{ CLOSE_FUNDING, "funding", "the funding transaction is not what was agreed on", NULL },
	{ CLOSE_REVOCATION, "revocation", "the peer did not revoke as it must", NULL },
	{ CLOSE_REESTABLISH, "reestablish", "the peer's channel_reestablish cannot be true", NULL },
	{ CLOSE_BATCH, "batch", "the peer sent a batch of commitments without ours", NULL },
	{ CLOSE_NEGOTIATION, "negotiation", "the peer went back on the closing transaction", NULL },
	{ CLOSE_NEGOTIATION_TIMEOUT, "negotiation_timeout", "no agreement on the closing transaction in time", NULL },
	{ CLOSE_NEGOTIATION_IMPOSSIBLE, "negotiation_impossible", "no closing transaction can be built", NULL },
	{ CLOSE_PEER_ERROR, "peer_error", "the peer sent an error", NULL },
	{ CLOSE_PEER_PUBLISHED, "peer_published", "the peer published its commitment", NULL },
	{ CLOSE_PEER_CHEATED, "peer_cheated", "the peer published a revoked commitment", NULL },
	{ CLOSE_PEER_NEWER, "peer_newer", "the peer published a commitment that is newer than our data", NULL },
	{ CLOSE_AGREED, "agreed", "both sides agreed", NULL },
	{ CLOSE_OURS_PUBLISHED, "ours_published", "our commitment was published, for no reason that is known", NULL },
	{ CLOSE_UNKNOWN_SPEND, "unknown_spend", "a transaction that we do not know spent the funding output", NULL },
	{ CLOSE_FEE_DISAGREEMENT, "fee_disagreement", "the peer's feerate is not acceptable",
	  "a warning, and the connection is closed: it may say another one in the next" },
	{ CLOSE_DUST_EXPIRED, "dust_expired", "an HTLC that is not worth a claim on chain expired",
	  "it is failed upstream, as what it could win is less than a close costs" },
	{ CLOSE_DUST_UNCLAIMED, "dust_unclaimed", "an HTLC that we fulfilled and that is not worth a claim on chain expires",
	  "the peer's word is awaited: a close would not bring the money" },
	{ CLOSE_BAD_MESSAGE, "bad_message", "the peer sent what it must not",
	  "a warning, and the connection is closed: nothing of it was committed to" },
	{ CLOSE_BAD_SIGNATURE, "bad_signature", "a signature of the peer is not good",
	  "a warning, and the connection is closed: what it was for was never valid" },
	{ CLOSE_SILENCE, "silence", "the peer is away, or does not answer",
	  "it is called again, until something of value would be lost by waiting" },
};

static const struct row *row_of(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if ((uint32_t)table[i].cause == number)
			return &table[i];
	return NULL;
}

static const struct row *row_that_is(enum close_cause c)
{
	const struct row *r = row_of((uint32_t)c);

	ASSERT(r);
	return r;
}

bool close_cause_known(uint8_t number)
{
	return row_of(number) != NULL;
}

const char *close_cause_name(enum close_cause c)
{
	return row_that_is(c)->name;
}

const char *close_cause_words(enum close_cause c)
{
	return row_that_is(c)->words;
}

const char *close_cause_remedy(enum close_cause c)
{
	return row_that_is(c)->remedy;
}

/* One line stays one line, and a text in quotes ends where it says, whatever a peer wrote into it. */
static void plain_text(const char *text, char out[CLOSE_TEXT_MAX])
{
	size_t i = 0;

	for (; text[i] && i + 1 < CLOSE_TEXT_MAX; i++)
		out[i] = text[i] < ' ' || text[i] > '~' || text[i] == '"' ? '?' : text[i];
	out[i] = 0;
}

void close_evidence_write(const struct close_evidence *e, char *out, size_t size)
{
	char htlc[80] = "", text[CLOSE_TEXT_MAX];

	plain_text(e->text, text);
	if (e->has_htlc)
		(void)snprintf(htlc, sizeof(htlc), " htlc=%s:%llu expiry=%u", e->htlc_owner == SIDE_LOCAL ? "out" : "in",
			       (unsigned long long)e->htlc_id, e->htlc_expiry);
	(void)snprintf(out, size, "cause=%s height=%u%s local=%llu remote=%llu text=\"%s\"", close_cause_name(e->cause),
		       e->height, htlc, (unsigned long long)e->local_number, (unsigned long long)e->remote_number, text);
}
