/* The 5-bit values that an invoice's data part is made of. */
#ifndef INVOICE_WORDS_H
#define INVOICE_WORDS_H

#include "base/arena.h"
#include "base/bytes.h"

/* Tagged fields of BOLT 11: values of the letters. */
enum invoice_tag {
	TAG_PAYMENT_HASH = 1,
	TAG_ROUTE = 3,
	TAG_FEATURES = 5,
	TAG_EXPIRY = 6,
	TAG_FALLBACK = 9,
	TAG_DESCRIPTION = 13,
	TAG_SECRET = 16,
	TAG_PAYEE = 19,
	TAG_DESCRIPTION_HASH = 23,
	TAG_CLTV = 24,
	TAG_METADATA = 27,
};

#define TIMESTAMP_WORDS 7u
#define SIGNATURE_WORDS 104u
#define HASH_WORDS 52u
#define PUBKEY_WORDS 53u
#define HOP_SIZE 51u
#define FALLBACK_P2PKH 17u
#define FALLBACK_P2SH 18u

/* Big endian.  False if the value needs more than 60 bits. */
MUST_USE bool words_to_integer(struct bytes words, uint64_t *out);
/* In count words, or with count 0 in as few as there need be (none for zero). */
void words_add_integer(struct buf *out, uint64_t v, unsigned count);
/* Whole bytes; false unless what is left over is less than a byte and zero. */
MUST_USE bool words_to_bytes(struct arena *a, struct bytes words, struct bytes *out);
void words_add_bytes(struct buf *out, struct bytes b); /* B11.tagged_fields.15: padded with zeros */
/* Feature vectors: the number that the words spell, aligned at its end. */
struct bytes words_to_vector(struct arena *a, struct bytes words);
void words_add_vector(struct buf *out, struct bytes v);

#endif
