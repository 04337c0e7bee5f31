/* Mnemonic sentences: BIP 39 with the English list. */
#ifndef BITCOIN_BIP39_H
#define BITCOIN_BIP39_H

#include "base/bytes.h"

#define BIP39_LIST_COUNT 2048u
#define BIP39_WORD_SIZE 9u /* the longest word with its NUL */
#define BIP39_WORDS_MAX 24u
#define BIP39_ENTROPY_MAX 32u
#define BIP39_SEED_SIZE 64u

/* In alphabetical order; the index is the value of 11 bits. */
extern const char bip39_words[BIP39_LIST_COUNT][BIP39_WORD_SIZE];

enum bip39_fault { BIP39_NONE, BIP39_WORD_COUNT, BIP39_UNKNOWN_WORD, BIP39_CHECKSUM };

struct bip39_error {
	enum bip39_fault fault;
	size_t word_count; /* how many words there were */
	size_t word_index; /* BIP39_UNKNOWN_WORD: which, from 0 */
};

/* Appends the sentence of 16, 20, 24, 28 or 32 bytes of entropy. */
void bip39_encode(struct buf *out, struct bytes entropy);
/* Appends the entropy that the sentence stands for.  Words may be in either case and apart by any white space.
 * False, with out as it was and the reason in *error, if the sentence is not one. */
MUST_USE bool bip39_decode(struct buf *out, struct bip39_error *error, struct bytes sentence);
/* A sentence for a human, without any of the words (they are secret). */
void bip39_explain(struct buf *out, const struct bip39_error *error);
/* The seed of BIP 32.  False if the sentence is not one, or if the passphrase is not printable ASCII: other text has
 * to be normalised (NFKD) before it is hashed, and one that another wallet normalises differently would lose the
 * coins. */
MUST_USE bool bip39_seed(uint8_t out64[BIP39_SEED_SIZE], struct bytes sentence, struct bytes passphrase);

#endif
