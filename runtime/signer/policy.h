/* A signer around another one that refuses what could lose money, whatever the
 * core or somebody in its place asks:
 *
 *  - our commitment after its secret was released, or one not yet countersigned
 *  - two remote commitments of one number, a number out of turn, or the next
 *    one before the peer has revoked what it must have revoked
 *  - a secret out of order, without a countersigned successor, or after the
 *    commitment was signed for broadcast
 *  - commitments whose amounts do not add up, whose feerate, dust limit or
 *    delay is out of bounds, or whose terms have changed
 *  - a close that gives us less than the last commitments did, less a bounded
 *    fee; a spend that is mostly fee
 *
 * Keys of commitments are derived here again and not taken from the core; with
 * a memo, they and verifications are computed once in this process.  The state (policy_rules.h) comes from the requests alone and lives as
 * long as the process: after a restart the first request of a channel is its
 * baseline.  ECDH, invoices and gossip pass: no funds hang on the node key.
 * One thread; `done` may ask again from within. */
#ifndef RUNTIME_SIGNER_POLICY_H
#define RUNTIME_SIGNER_POLICY_H

#include "runtime/signer/policy_rules.h"
#include "runtime/signer/port.h"

struct policy_signer;

/* Bounds that no channel of ours should meet: 253 to 250,000 sat/kw, dust 10,000 sat, delays 2016 and 3 blocks;
 * signatures are verified. */
void policy_limits_default(struct policy_limits *limits);

/* Borrows inner's context and the limits' memo.  Returns owned. */
MUST_USE struct policy_signer *policy_signer_new(struct signer_port inner, const struct policy_limits *limits);
/* Requests that inner has not answered are never answered: free it after inner, or when inner is quiet. */
void policy_signer_free(struct policy_signer *p);
struct signer_port policy_signer_port(struct policy_signer *p);
/* How many requests were refused here. */
uint64_t policy_signer_refusals(const struct policy_signer *p);

#endif
