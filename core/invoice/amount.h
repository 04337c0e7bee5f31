/* The human-readable part of an invoice: prefix, number, multiplier (BOLT 11
 * "Human-Readable Part"). */
#ifndef INVOICE_AMOUNT_H
#define INVOICE_AMOUNT_H

#include "base/amount.h"
#include "base/bytes.h"
#include "bitcoin/network.h"

/* hrp: lower case.  False with *why. */
MUST_USE bool invoice_hrp_decode(const struct network **n, bool *has_amount, struct amount_msat *amount,
				 const char **why, const struct network *expected, const char *hrp);
/* The shortest form.  The amount is above zero and at most the supply. */
void invoice_hrp_encode(struct buf *out, const struct network *n, bool has_amount, struct amount_msat amount);

#endif
