/* Reading a channel: const, no effects.  Everything that listpeerchannels shows. */
#ifndef CHANNEL_VIEW_H
#define CHANNEL_VIEW_H

#include "channel/channel.h"

/* What is stored: names, parameters, numbers, counts. */
const struct channel_record *channel_record_of(const struct channel *ch);

static inline uint64_t channel_key(const struct channel *ch) { return channel_record_of(ch)->key; }
static inline enum channel_state channel_state_of(const struct channel *ch) { return channel_record_of(ch)->state; }
static inline const struct channel_id *channel_id_of(const struct channel *ch) { return &channel_record_of(ch)->id; }
static inline const struct pubkey *channel_peer(const struct channel *ch) { return &channel_record_of(ch)->peer; }
static inline const struct outpoint *channel_funding(const struct channel *ch) { return &channel_record_of(ch)->funding; }

/* The peer is there and channel_reestablish is exchanged. */
MUST_USE bool channel_is_connected(const struct channel *ch);
/* Whether what is resolved now may be told with attribution_data: until the peer is there nobody knows what we offer. */
MUST_USE bool channel_takes_attribution(const struct channel *ch);
/* Payments can be sent: CHANNELD_NORMAL and connected. */
MUST_USE bool channel_is_usable(const struct channel *ch);
/* Something of ours waits for channel_flush, a signature or a revocation. */
MUST_USE bool channel_is_busy(const struct channel *ch);
/* Nothing is at stake on chain and the peer may forget it: OPENINGD. */
MUST_USE bool channel_is_opening(const struct channel *ch);

/* Ours in our own commitment, without HTLCs. */
struct amount_msat channel_to_us(const struct channel *ch);
/* The largest amount that channel_offer_htlc would take now, as if online. */
struct amount_msat channel_spendable(const struct channel *ch, const struct step *s);
/* How many more HTLCs we may offer before one of them is gone. */
uint32_t channel_htlcs_left(const struct channel *ch);
/* The largest amount that the peer could offer us. */
struct amount_msat channel_receivable(const struct channel *ch);
struct feerate channel_feerate(const struct channel *ch, enum side commitment);
/* Fee and weight of our latest commitment transaction. */
struct amount_sat channel_commitment_fee(const struct channel *ch, enum side commitment);
struct txid channel_commitment_txid(const struct channel *ch); /* of ours */
/* The agreed closing transaction (CLOSINGD_COMPLETE), empty if there is none in this run. */
struct bytes channel_closing_tx(const struct channel *ch);
/* Sum of trimmed HTLCs in a commitment. */
struct amount_msat channel_dust(const struct channel *ch, enum side commitment);
/* The short channel id that peers and invoices may use for incoming HTLCs; 0: none yet. */
struct scid channel_incoming_scid(const struct channel *ch);
/* B2.channel_ready.8 and .9: whether an incoming onion may name this channel so. */
/* On this connection the peer asked for announcement_signatures once more. */
MUST_USE bool channel_signatures_wanted(const struct channel *ch);
MUST_USE bool channel_answers_to(const struct channel *ch, struct scid scid);

/* HTLCs that are not gone.  for (at = NULL; (h = channel_htlc_next(ch, at)); at = h) */
const struct channel_htlc *channel_htlc_next(const struct channel *ch, const struct channel_htlc *after);
uint32_t channel_htlc_count(const struct channel *ch);
const struct channel_htlc *channel_htlc_get(const struct channel *ch, enum side owner, uint64_t id);

/* Whether it has an output in a commitment that somebody may publish without being punished: else it is dust. */
MUST_USE bool channel_htlc_has_output(const struct channel *ch, const struct channel_htlc *h);

/* For onchain/: the peer's signatures of our latest commitment, and the secrets it revealed. */
const struct commit_sigs *channel_commit_sigs(const struct channel *ch);
const struct shachain *channel_secrets(const struct channel *ch);
/* The specification of a commitment; in the arena.  NULL for a previous one that does not exist. */
struct commitment_spec *channel_commitment_spec(const struct channel *ch, enum commitment_choice which, struct arena *a);

#endif
