/* What each known field of a PSBT must look like (BIP 174, BIP 370, BIP 371). */
#ifndef BITCOIN_PSBT_FIELDS_H
#define BITCOIN_PSBT_FIELDS_H

#include "bitcoin/psbt.h"

enum psbt_scope { PSBT_SCOPE_GLOBAL, PSBT_SCOPE_INPUT, PSBT_SCOPE_OUTPUT };

/* False if a known field is malformed, must not be in this version, or is missing from it.  scratch is only for
 * the check. */
MUST_USE bool psbt_fields_good(const struct psbt_map *m, enum psbt_scope scope, uint32_t version, struct arena *scratch);
/* A field that this program gives a meaning to. */
MUST_USE bool psbt_field_known(enum psbt_scope scope, uint64_t type);

#endif
