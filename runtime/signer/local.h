/* The bundled hot signer: keys in this process, answers before `request`
 * returns.
 *
 * It refuses what is malformed or not signed by its keys, so that no request
 * makes it sign something of another kind; what is wise to sign is not its
 * business but policy.h's.  It trusts commitment_spec.keys where the core gives
 * them (policy.h does not).  One thread; `done` may ask again from within. */
#ifndef RUNTIME_SIGNER_LOCAL_H
#define RUNTIME_SIGNER_LOCAL_H

#include "runtime/signer/keyring.h"
#include "runtime/signer/port.h"

struct local_signer;

/* seed: 32 to 64 bytes, NULL for another size; not kept.  blinding is fresh entropy of this run.  Returns owned. */
MUST_USE struct local_signer *local_signer_new(const struct network *network, struct bytes seed,
					       const uint8_t blinding32[32]);
void local_signer_free(struct local_signer *l); /* wipes all secrets */
/* For one process with the core: what it computed of points the memo knows too, and the signatures of one commitment are
 * made on the runner's threads.  Both borrowed; either may be NULL. */
void local_signer_share(struct local_signer *l, struct memo *memo, const struct runner *runner);
struct signer_port local_signer_port(struct local_signer *l);
struct pubkey local_signer_node_id(const struct local_signer *l);
/* The private account key of the wallet's own coins; the caller wipes it. */
MUST_USE bool local_signer_account(const struct local_signer *l, struct bip32_key *out, enum bip32_purpose purpose);

#endif
