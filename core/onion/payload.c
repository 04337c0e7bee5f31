#include "onion/payload.h"

enum { TYPE_AMOUNT = 2, TYPE_CLTV = 4, TYPE_SCID = 6, TYPE_ENCRYPTED = 10, TYPE_PATH_KEY = 12 };

static bool refuse(struct failure *why, uint64_t type, size_t offset)
{
	*why = failure_invalid_payload(type, offset <= UINT16_MAX ? (uint16_t)offset : UINT16_MAX);
	return false;
}

/* Where a record that is there stands. */
static size_t offset_of(struct bytes tlvs, uint64_t type)
{
	struct tlv_reader r = tlv_reader_of(tlvs);
	struct tlv_record record;

	while (tlv_next(&r, &record))
		if (record.type == type)
			return record.offset;
	return 0;
}

/* The records that the reader's rules of BOLT 4 want or forbid.  One that is
 * missing is missing at the end of the stream. */
static bool check_records(const struct tlvs_onion_payload *t, struct failure *why, struct bytes tlvs, bool is_final)
{
	/* We are on no blinded path: this record is an even one that we do not know, whatever stands beside it
	 * (B4.packet_structure.28, B4.packet_structure.38, B4.packet_structure.43 to B4.packet_structure.47). */
	if (t->encrypted_recipient_data)
		return refuse(why, TYPE_ENCRYPTED, offset_of(tlvs, TYPE_ENCRYPTED));
	/* B4.packet_structure.48 */
	if (t->current_path_key)
		return refuse(why, TYPE_PATH_KEY, offset_of(tlvs, TYPE_PATH_KEY));
	/* B4.packet_structure.49 */
	if (!t->amt_to_forward)
		return refuse(why, TYPE_AMOUNT, tlvs.size);
	if (!t->outgoing_cltv_value)
		return refuse(why, TYPE_CLTV, tlvs.size);
	/* B4.packet_structure.50 */
	if (!is_final && !t->short_channel_id)
		return refuse(why, TYPE_SCID, tlvs.size);
	return true;
}

static void take_final(struct payload *out, const struct tlvs_onion_payload *t)
{
	/* B4.packet_structure.54 */
	out->total = *t->amt_to_forward;
	if (t->payment_data) {
		out->has_secret = true;
		out->secret = t->payment_data->payment_secret;
		out->total = t->payment_data->total_msat;
	}
	if (t->payment_metadata) {
		out->has_metadata = true;
		out->metadata = *t->payment_metadata;
	}
	if (t->keysend_preimage) {
		out->has_keysend = true;
		out->keysend = *t->keysend_preimage;
	}
}

bool payload_read(struct arena *a, struct payload *out, struct failure *why, struct bytes tlvs, bool is_final)
{
	struct tlvs_onion_payload t;
	struct decode_fault fault = { 0 };
	uint32_t first = 0;

	memset(out, 0, sizeof(*out));
	if (tlvs_onion_payload_decode(tlvs, a, &t, &fault) != DECODE_OK)
		return refuse(why, fault.tlv_type, fault.offset);
	if (!check_records(&t, why, tlvs, is_final))
		return false;
	out->is_final = is_final;
	out->amount = *t.amt_to_forward;
	out->cltv_expiry = *t.outgoing_cltv_value;
	if (is_final)
		take_final(out, &t);
	else
		out->scid = *t.short_channel_id;
	while (first < t.unknown_count && t.unknown[first].type < PAYLOAD_CUSTOM_MIN)
		first++;
	out->custom = t.unknown ? t.unknown + first : NULL;
	out->custom_count = t.unknown_count - first;
	return true;
}

void payload_write(const struct payload *p, struct buf *out)
{
	struct payload copy = *p;
	struct tlv_onion_payload_payment_data data = { p->secret, p->total };
	/* B4.packet_structure.17 */
	struct tlvs_onion_payload t = {
		.amt_to_forward = &copy.amount,
		.outgoing_cltv_value = &copy.cltv_expiry,
		.unknown = p->custom,
		.unknown_count = p->custom_count,
	};

	if (p->is_final) {
		/* B4.packet_structure.20: no short_channel_id. */
		if (p->has_secret)
			t.payment_data = &data;
		if (p->has_metadata)
			t.payment_metadata = &copy.metadata;
		if (p->has_keysend)
			t.keysend_preimage = &copy.keysend;
	} else {
		ASSERT(!p->has_secret && !p->has_metadata && !p->has_keysend && !p->custom_count);
		/* B4.packet_structure.18 */
		t.short_channel_id = &copy.scid;
	}
	tlvs_onion_payload_encode(&t, out);
	mem_wipe(&copy, sizeof(copy));
	mem_wipe(&data, sizeof(data));
}
