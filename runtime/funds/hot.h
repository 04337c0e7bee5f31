/* The bundled hot wallet: core/wallet with its keys in this process.
 *
 * Answers at once, and adds its records and watches to the batch in which it
 * is called.  Loop thread only. */
#ifndef RUNTIME_FUNDS_HOT_H
#define RUNTIME_FUNDS_HOT_H

#include "runtime/exec/exec.h"
#include "wallet/wallet.h"

struct hot_funds;

/* seed: as the signer's; not kept, the account keys are.  entropy is fresh, of this run.  Returns owned; NULL if the
 * seed makes no keys. */
MUST_USE struct hot_funds *hot_funds_new(const struct network *network, struct bytes seed, const uint8_t entropy32[32]);
void hot_funds_free(struct hot_funds *h); /* wipes all secrets */
/* Each stored RECORD_WALLET; then start.  Both false for records that make no sense. */
MUST_USE bool hot_funds_load(struct hot_funds *h, struct bytes key, struct bytes value);
MUST_USE bool hot_funds_start(struct hot_funds *h, struct exec *exec);
struct funds_port hot_funds_port(struct hot_funds *h);
/* For reading on a quiet core. */
const struct wallet *hot_funds_wallet(const struct hot_funds *h);

#endif
