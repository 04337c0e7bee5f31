/* The readers that value.c chooses from.  Each takes NUL-terminated text; what
 * they refuse leaves the output unspecified. */
#ifndef API_RPC_VALUE_READ_H
#define API_RPC_VALUE_READ_H

#include "api/rpc/value.h"

/* Decimal digits and nothing else, at most max. */
MUST_USE bool read_number(uint64_t *out, const char *text, uint64_t max);
/* The same with a sign in front, if any. */
MUST_USE bool read_integer(int64_t *out, const char *text);
/* text * 10^decimals as an integer; false if there are more decimals than that or it overflows max. */
MUST_USE bool read_decimal(uint64_t *out, const char *text, size_t size, unsigned decimals, uint64_t max);

/* unit_msat: what an amount without a unit counts in.  Nothing above the supply is an amount. */
MUST_USE bool read_amount(struct amount_msat *out, const char *text, uint64_t unit_msat);
MUST_USE bool read_feerate(struct feerate_choice *out, const char *text);
MUST_USE bool read_percent(uint32_t *ppm, const char *text);

MUST_USE bool read_pubkey(struct pubkey *out, const char *text);
MUST_USE bool read_txid(struct txid *out, const char *text);
MUST_USE bool read_outpoint(struct outpoint *out, const char *text);
MUST_USE bool read_scid(struct scid *out, const char *text);
MUST_USE bool read_scid_dir(struct scid *out, uint8_t *direction, const char *text);
MUST_USE bool read_channel(struct channel_name *out, const char *text);
MUST_USE bool read_peer(struct value *out, const char *text, struct arena *arena);

#endif
