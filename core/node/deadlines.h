/* How many blocks each HTLC has: BOLT 2 "cltv_expiry_delta Selection".
 *
 * R, G and S are its letters for what is assumed of the chain; everything else follows from them as the text derives
 * it.  One file judges by them, at each block: core/node/deadlines.c. */
#ifndef NODE_DEADLINES_H
#define NODE_DEADLINES_H

/* R: the deepest reorganization that an attacker may profit from. */
#define DEADLINE_REORG_BLOCKS 2u
/* G: that a peer may be late, before its silence is taken for its answer. */
#define DEADLINE_GRACE_BLOCKS 2u
/* S: from a transaction's broadcast until it is in a block. */
#define DEADLINE_CONFIRM_BLOCKS 12u

/* 2R + G + S: an HTLC that we have fulfilled must be off the peer's commitment so long before its expiry, or the
 * channel goes to the chain, where the peer could take it back from then on. */
#define DEADLINE_FULFIL_BLOCKS (2 * DEADLINE_REORG_BLOCKS + DEADLINE_GRACE_BLOCKS + DEADLINE_CONFIRM_BLOCKS)
/* 3R + 2G + 2S: between the expiries of a forwarded pair. */
#define DEADLINE_CLTV_DELTA (3 * DEADLINE_REORG_BLOCKS + 2 * DEADLINE_GRACE_BLOCKS + 2 * DEADLINE_CONFIRM_BLOCKS)
/* 2G + 2S: the same without any reorganization.  With fewer blocks a peer that only waits takes the money: its preimage
 * shows up S after the outgoing HTLC's deadline, and our claim upstream, S later, is no longer in time. */
#define DEADLINE_CLTV_DELTA_MIN (2 * DEADLINE_GRACE_BLOCKS + 2 * DEADLINE_CONFIRM_BLOCKS)
/* What a payment must leave us when we take it: the deadline must not pass with the next block, while the peer is still
 * taking the HTLC off.  B2.cltv_expiry_delta.6 */
#define DEADLINE_TAKE_BLOCKS (DEADLINE_FULFIL_BLOCKS + DEADLINE_GRACE_BLOCKS)
/* What our invoices ask for: more for blocks that come while a payment is on its way, and so much that a peer which is
 * away for two hours when we fulfil does not cost its channel. */
#define DEADLINE_FINAL_BLOCKS (DEADLINE_TAKE_BLOCKS + 16u)

/* To claim an HTLC that we offered: the HTLC-timeout transaction (BOLT 3: 666) and the sweep of what it pays (an input
 * of 483 and its share of the rest).  What is worth less than the fee of that is not worth a close. */
#define DEADLINE_CLAIM_WEIGHT 1200u

#endif
