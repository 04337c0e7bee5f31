#include "onion/opening.h"

#include "crypto/hash.h"

static enum opening_state refuse(struct opening *o, struct failure why, bool malformed)
{
	o->why = why;
	o->malformed = malformed;
	return o->state = OPENING_REFUSED;
}

static enum opening_state refuse_fault(struct opening *o, enum onion_fault fault)
{
	struct failure why = failure_of_fault(fault, BYTES_OF(o->packet));

	return refuse(o, why, failure_is_malformed(&why));
}

/* The one answer that gives nothing away about a blinded path.  B2.update_fulfill_htlc_update_fail_htlc.5,
 * B2.update_fulfill_htlc_update_fail_htlc.8: with the hash of the onion. */
static enum opening_state refuse_blinded(struct opening *o, bool malformed)
{
	struct sha256 hash = sha256(o->packet, sizeof(o->packet));

	return refuse(o, failure_from_malformed(FAIL_INVALID_ONION_BLINDING, &hash), malformed);
}

enum opening_state opening_start(struct opening *o, const uint8_t packet1366[ONION_PACKET_SIZE],
				 const struct sha256 *payment_hash, const struct pubkey *path_key)
{
	enum onion_fault fault;

	memset(o, 0, sizeof(*o));
	memcpy(o->packet, packet1366, sizeof(o->packet));
	o->payment_hash = *payment_hash;
	/* B4.failure_messages.1, B4.failure_messages.6, B2.update_fulfill_htlc_update_fail_htlc.7: we offer no blinded paths,
	 * so nobody may put us on one.  Whatever its payload says (B4.packet_structure.26). */
	if (path_key)
		return refuse_blinded(o, true);
	fault = onion_parse(&o->ask, BYTES_OF(o->packet));
	if (fault != ONION_GOOD)
		return refuse_fault(o, fault);
	return o->state = OPENING_ASK;
}

/* Whether a payload that was refused says that its hop begins a blinded path. */
static bool begins_blinded_path(struct arena *a, struct bytes tlvs)
{
	struct tlv_record *list;
	uint32_t count;

	/* What stands before a fault of form counts. */
	(void)tlv_list_decode(tlvs, a, &list, &count, NULL);
	return tlv_list_find(list, count, 12);
}

enum opening_state opening_answer(struct opening *o, struct arena *a, const struct secret32 *secret)
{
	struct onion_peeled peeled;
	enum onion_fault fault;
	struct failure why;

	ASSERT(o->state == OPENING_ASK);
	o->shared_secret = *secret;
	/* B2.update_add_htlc.21 */
	fault = onion_peel(a, &peeled, BYTES_OF(o->packet), secret, BYTES_OF(o->payment_hash.v));
	if (fault != ONION_GOOD)
		return refuse_fault(o, fault);
	/* B2.update_add_htlc.22, B2.update_add_htlc.23 */
	if (!payload_read(a, &o->payload, &why, peeled.payload, peeled.is_last)) {
		/* B4.failure_messages.2, B4.failure_messages.7, B2.update_fulfill_htlc_update_fail_htlc.4 */
		if (!peeled.is_last && begins_blinded_path(a, peeled.payload))
			return refuse_blinded(o, false);
		return refuse(o, why, false);
	}
	o->next = peeled.next;
	return o->state = OPENING_DONE;
}

void opening_wipe(struct opening *o)
{
	mem_wipe(o, sizeof(*o));
}
