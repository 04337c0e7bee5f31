/* Removing HTLCs: update_fulfill_htlc, update_fail_htlc and
 * update_fail_malformed_htlc both ways. */
#include <string.h>

#include "channel/machine.h"
#include "crypto/hash.h"

/* Ours to resolve: irrevocably committed (B2.update_fulfill_htlc_update_fail_htlc.3) and not decided. */
static struct channel_htlc *undecided(struct channel *ch, uint64_t id)
{
	struct channel_htlc *h = htlc_find(ch, SIDE_REMOTE, id);

	if (ch->dead || !h || h->state != RCVD_ADD_ACK_REVOCATION || h->resolution != HTLC_UNRESOLVED)
		return NULL;
	return h;
}

/* The decision is stored now; the proposal leaves with the next commitment (B2.update_fulfill_htlc_update_fail_htlc.1). */
static void decide(struct channel *ch, struct step *s, struct channel_htlc *h, enum htlc_resolution resolution)
{
	bool propose = ch->link == LINK_UP && channel_operating(ch);

	htlc_resolve(ch, h, propose ? SENT_REMOVE_HTLC : RCVD_ADD_ACK_REVOCATION, resolution);
	channel_finish(ch, s);
}

/* Whoever opened the onion knows whether its sender may learn this (B2.update_fulfill_htlc_update_fail_htlc.9). */
static void attribute(struct channel_htlc *h, struct bytes attribution)
{
	ASSERT(attribution.size == 0 || (attribution.size == ATTRIBUTION_DATA_SIZE && !h->has_path_key));
	htlc_set_bytes(&h->attribution, attribution);
}

bool channel_fulfill(struct channel *ch, struct step *s, uint64_t id, const struct preimage *preimage,
		     struct bytes attribution)
{
	struct channel_htlc *h = undecided(ch, id);
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));

	if (!h) {
		h = htlc_find(ch, SIDE_REMOTE, id);
		return h && h->resolution == HTLC_FULFILLED && SAME(h->preimage, *preimage);
	}
	if (!SAME(hash, h->payment_hash))
		return false;
	h->preimage = *preimage;
	h->has_preimage = true;
	attribute(h, attribution);
	decide(ch, s, h, HTLC_FULFILLED);
	return true;
}

bool channel_fail_htlc(struct channel *ch, struct step *s, uint64_t id, struct bytes reason, struct bytes attribution)
{
	struct channel_htlc *h = undecided(ch, id);

	if (!h)
		return false;
	htlc_set_bytes(&h->reason, reason);
	attribute(h, attribution);
	decide(ch, s, h, HTLC_FAILED);
	return true;
}

bool channel_fail_malformed(struct channel *ch, struct step *s, uint64_t id, uint16_t failure_code,
			    const struct sha256 *sha256_of_onion)
{
	struct channel_htlc *h = undecided(ch, id);

	if (!h || !(failure_code & FAIL_BADONION))
		return false;
	h->failure_code = failure_code;
	h->sha256_of_onion = *sha256_of_onion;
	decide(ch, s, h, HTLC_MALFORMED);
	return true;
}

/* After a reconnection, or when the channel operates again. */
void update_propose_resolved(struct channel *ch)
{
	struct channel_htlc *h = ch->lists[RCVD_ADD_ACK_REVOCATION].head;

	while (h) {
		struct channel_htlc *next = h->next;

		if (h->resolution != HTLC_UNRESOLVED)
			htlc_move(ch, h, SENT_REMOVE_HTLC);
		h = next;
	}
}

_Static_assert(sizeof(struct tlv_update_fulfill_htlc_attribution_data) == ATTRIBUTION_DATA_SIZE &&
	       sizeof(struct tlv_update_fail_htlc_attribution_data) == ATTRIBUTION_DATA_SIZE, "hold times and HMACs without a gap");

/* What is left for a reason beside type, channel_id, id, len and the record with its type and length. */
#define REASON_WITH_ATTRIBUTION_MAX (MESSAGE_SIZE_MAX - (2u + 32 + 8 + 2) - (1 + 3 + ATTRIBUTION_DATA_SIZE))

static void send_fulfill(struct channel *ch, const struct channel_htlc *h, struct buf *b)
{
	struct msg_update_fulfill_htlc m = { .channel_id = ch->r.id, .id = h->id, .payment_preimage = h->preimage };
	struct tlv_update_fulfill_htlc_attribution_data told;

	if (ch->attribution_offered && h->attribution.size) {
		memcpy(&told, h->attribution.data, sizeof(told));
		m.tlvs.attribution_data = &told;
	}
	msg_update_fulfill_htlc_encode(&m, b);
}

static void send_fail(struct channel *ch, const struct channel_htlc *h, struct buf *b)
{
	struct msg_update_fail_htlc m = { .channel_id = ch->r.id, .id = h->id, .reason = h->reason };
	struct tlv_update_fail_htlc_attribution_data told;

	/* A reason from downstream may be so long that the message would not be one any more: no honest node's is, so nobody
	 * misses the times. */
	if (ch->attribution_offered && h->attribution.size && h->reason.size <= REASON_WITH_ATTRIBUTION_MAX) {
		memcpy(&told, h->attribution.data, sizeof(told));
		m.tlvs.attribution_data = &told;
	}
	msg_update_fail_htlc_encode(&m, b);
}

static void send_malformed(struct channel *ch, const struct channel_htlc *h, struct buf *b)
{
	struct msg_update_fail_malformed_htlc m = { .channel_id = ch->r.id, .id = h->id,
						    .sha256_of_onion = h->sha256_of_onion, .failure_code = h->failure_code };

	msg_update_fail_malformed_htlc_encode(&m, b);
}

void update_send_removal(struct channel *ch, struct step *s, const struct channel_htlc *h)
{
	struct buf b = BUF_EMPTY;

	switch (h->resolution) {
	case HTLC_UNRESOLVED:
		UNREACHABLE();
	case HTLC_FULFILLED:
		send_fulfill(ch, h, &b);
		break;
	case HTLC_FAILED:
		send_fail(ch, h, &b);
		break;
	case HTLC_MALFORMED:
		send_malformed(ch, h, &b);
		break;
	}
	channel_send(ch, s, &b);
}

/* The peer's: an HTLC of ours that is irrevocably committed (B2.update_fulfill_htlc_update_fail_htlc.10). */
static struct channel_htlc *ours_to_remove(struct channel *ch, struct step *s, struct channel_notes *notes, uint64_t id)
{
	struct channel_htlc *h = htlc_find(ch, SIDE_LOCAL, id);

	if (h && h->state == SENT_ADD_ACK_REVOCATION)
		return h;
	channel_broken(ch, s, notes, "HTLC %llu is not there to be removed", (unsigned long long)id);
	return NULL;
}

/* What came with an update of the peer; none unless we have offered to take it. */
static struct bytes attribution_told(const struct channel *ch, const void *told)
{
	return told && ch->attribution_offered ? BYTES(told, ATTRIBUTION_DATA_SIZE) : BYTES_NONE;
}

void update_note_fulfilled(struct channel *ch, struct step *s, struct channel_notes *notes, const struct channel_htlc *h,
			   struct bytes attribution)
{
	struct channel_note *n = channel_note(ch, s, notes, CHANNEL_NOTE_HTLC_FULFILLED);

	n->htlc_id = h->id;
	memcpy(n->cookie, h->cookie, sizeof(n->cookie));
	n->payment_hash = h->payment_hash;
	n->preimage = h->preimage;
	n->attribution = arena_bytes(&s->out->arena, attribution);
	n->htlc_amount = h->amount;
	n->cltv_expiry = h->cltv_expiry;
}

void update_on_fulfill(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_update_fulfill_htlc m;
	struct channel_htlc *h;
	struct sha256 hash;

	if (msg_update_fulfill_htlc_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed update_fulfill_htlc");
		return;
	}
	h = ours_to_remove(ch, s, notes, m.id);
	if (!h)
		return;
	hash = sha256(m.payment_preimage.v, sizeof(m.payment_preimage.v));
	/* B2.update_fulfill_htlc_update_fail_htlc.11 */
	if (!SAME(hash, h->payment_hash)) {
		channel_broken(ch, s, notes, "wrong preimage for HTLC %llu", (unsigned long long)m.id);
		return;
	}
	h->preimage = m.payment_preimage;
	htlc_set_bytes(&h->attribution, BYTES_NONE);
	htlc_resolve(ch, h, RCVD_REMOVE_HTLC, HTLC_FULFILLED);
	/* B2.forwarding_htlcs.5: at once; no disconnection takes knowledge back */
	if (!h->has_preimage) {
		h->has_preimage = true;
		update_note_fulfilled(ch, s, notes, h, attribution_told(ch, m.tlvs.attribution_data));
	}
}

void update_on_fail(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_update_fail_htlc m;
	struct channel_htlc *h;

	if (msg_update_fail_htlc_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed update_fail_htlc");
		return;
	}
	h = ours_to_remove(ch, s, notes, m.id);
	if (!h)
		return;
	htlc_set_bytes(&h->reason, m.reason);
	htlc_set_bytes(&h->attribution, attribution_told(ch, m.tlvs.attribution_data));
	htlc_resolve(ch, h, RCVD_REMOVE_HTLC, HTLC_FAILED);
}

void update_on_fail_malformed(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_update_fail_malformed_htlc m;
	struct channel_htlc *h;

	if (msg_update_fail_malformed_htlc_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed update_fail_malformed_htlc");
		return;
	}
	h = ours_to_remove(ch, s, notes, m.id);
	if (!h)
		return;
	/* B2.update_fulfill_htlc_update_fail_htlc.12 */
	if (!(m.failure_code & FAIL_BADONION)) {
		channel_broken(ch, s, notes, "update_fail_malformed_htlc without BADONION");
		return;
	}
	h->failure_code = m.failure_code;
	h->sha256_of_onion = m.sha256_of_onion;
	htlc_set_bytes(&h->attribution, BYTES_NONE);
	htlc_resolve(ch, h, RCVD_REMOVE_HTLC, HTLC_MALFORMED);
}
