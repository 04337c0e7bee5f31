/* The file with the wallet's words: all that a node's keys come from.
 *
 * DIR/wallet.words, mode 0600, is written once and never changed:
 *
 *	lampo-wallet 1
 *	birthday 0                  only for a wallet that is older than this directory: the
 *	words abandon ...           block from which its coins are looked for */
#ifndef LAMPOD_CLI_WALLET_FILE_H
#define LAMPOD_CLI_WALLET_FILE_H

#include "bitcoin/bip39.h"
#include "cmd/lampod-cli/config.h"

struct wallet_file {
	struct buf words; /* wiped when released */
	bool has_birthday;
	uint32_t birthday_height;
	bool is_new;      /* made by this call: show the words */
};

/* Reads the file; where there is none makes it, from c->restore_words or from fresh entropy.  False with why: words that
 * are none, words that differ from those in the file, a file that cannot be read or written.  Release in either case. */
MUST_USE bool wallet_file_open(struct wallet_file *w, const struct config *c, char why[CONFIG_WHY_SIZE]);
void wallet_file_release(struct wallet_file *w);

#endif
