/* Which coins to spend: branch and bound for no change, else few and large.
 *
 * Numbers only.  An effective value is a coin's amount less the fee of spending it; only positive ones are worth
 * giving. */
#ifndef WALLET_SELECT_H
#define WALLET_SELECT_H

#include "base/bytes.h"

struct select_coin {
	uint64_t effective; /* satoshi, above 0 */
	uint32_t index;     /* the caller's */
	bool chosen;        /* out */
};

struct select_want {
	uint64_t target;      /* what the effective values must cover: outputs, and fees of all but the inputs */
	uint64_t excess_max;  /* so much more may go to the fee where it saves a change output */
	uint64_t change_need; /* what a change output takes: its fee and the least amount worth having */
	uint32_t count_max;   /* coins */
};

enum select_result {
	SELECT_EXACT,    /* between target and target + excess_max */
	SELECT_CHANGE,   /* at least target + change_need, or as much above the target as there is */
	SELECT_TOO_FEW,  /* all together do not reach the target */
	SELECT_TOO_MANY, /* more than count_max would be needed */
};

/* Sorts coins by effective value, the largest first, and marks the chosen ones. */
enum select_result select_coins(struct select_coin *coins, uint32_t count, const struct select_want *want);

#endif
