/* Money for the wallets of nodes.  The wallet itself is the real one: runtime/funds/hot.h with the node's seed. */
#ifndef TESTS_SIM_FUNDS_H
#define TESTS_SIM_FUNDS_H

#include "base/arena.h"
#include "tests/sim/chain.h"

/* The script that the wallet of a seed receives at with its first keys (BIP 84), in the arena; index below WALLET_GAP:
 * a wallet that never ran before watches for them from its start. */
struct bytes sim_funds_script(struct arena *a, struct bytes seed, uint32_t index);
/* Pays `coins` outputs of `each` to the first scripts of that wallet; the transaction waits in the mempool. */
void sim_funds_grant(struct sim_chain *c, struct bytes seed, uint32_t coins, struct amount_sat each);

#endif
