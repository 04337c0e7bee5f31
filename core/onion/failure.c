#include "onion/failure.h"

#include "base/cursor.h"
#include "crypto/hash.h"

const char *failure_words(struct arena *a, const struct failure *f)
{
	if (!fail_codec(f->code))
		return arena_printf(a, "failure 0x%04x", f->code);
	if (f->code == FAIL_INVALID_ONION_PAYLOAD)
		return arena_printf(a, "%s (type %llu at offset %u)", fail_name(f->code),
				    (unsigned long long)f->u.invalid_onion_payload.type, f->u.invalid_onion_payload.offset);
	return fail_name(f->code);
}

struct failure failure_plain(uint16_t code)
{
	ASSERT(fail_codec(code));
	return (struct failure){ .code = code };
}

void failure_set_update(struct failure *f, struct bytes update)
{
	switch (f->code) {
	case FAIL_TEMPORARY_CHANNEL_FAILURE:
		f->u.temporary_channel_failure.channel_update = update;
		return;
	case FAIL_AMOUNT_BELOW_MINIMUM:
		f->u.amount_below_minimum.channel_update = update;
		return;
	case FAIL_FEE_INSUFFICIENT:
		f->u.fee_insufficient.channel_update = update;
		return;
	case FAIL_INCORRECT_CLTV_EXPIRY:
		f->u.incorrect_cltv_expiry.channel_update = update;
		return;
	case FAIL_EXPIRY_TOO_SOON:
		f->u.expiry_too_soon.channel_update = update;
		return;
	case FAIL_CHANNEL_DISABLED:
		f->u.channel_disabled.channel_update = update;
		return;
	}
}

struct failure failure_payment_details(struct amount_msat htlc_amount, uint32_t height)
{
	struct failure f = failure_plain(FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);

	f.u.payment_details.htlc_msat = htlc_amount;
	f.u.payment_details.height = height;
	return f;
}

struct failure failure_invalid_payload(uint64_t tlv_type, uint16_t offset)
{
	struct failure f = failure_plain(FAIL_INVALID_ONION_PAYLOAD);

	f.u.invalid_onion_payload.type = tlv_type;
	f.u.invalid_onion_payload.offset = offset;
	return f;
}

struct failure failure_of_fault(enum onion_fault fault, struct bytes packet)
{
	struct sha256 hash = sha256(packet.data, packet.size);

	switch (fault) {
	case ONION_GOOD:
		break;
	case ONION_BAD_VERSION:
		return failure_from_malformed(FAIL_INVALID_ONION_VERSION, &hash);
	case ONION_BAD_KEY:
		return failure_from_malformed(FAIL_INVALID_ONION_KEY, &hash);
	case ONION_BAD_HMAC:
		return failure_from_malformed(FAIL_INVALID_ONION_HMAC, &hash);
	case ONION_BAD_PAYLOAD:
		return failure_invalid_payload(0, 0);
	}
	UNREACHABLE();
}

struct failure failure_from_malformed(uint16_t code, const struct sha256 *onion_hash)
{
	struct failure f = { .code = code };

	ASSERT(code & FAIL_BADONION);
	f.u.onion.sha256_of_onion = *onion_hash;
	return f;
}

void failure_encode(const struct failure *f, struct buf *out)
{
	const struct codec *codec = fail_codec(f->code);

	/* A peer's number about the packet itself, which we only hand on. */
	if (!codec) {
		ASSERT(failure_is_malformed(f));
		buf_add_be16(out, f->code);
		buf_add(out, f->u.onion.sha256_of_onion.v, sizeof(f->u.onion.sha256_of_onion.v));
		return;
	}
	ASSERT(codec->struct_size <= sizeof(f->u));
	codec->encode(&f->u, out);
}

bool failure_decode(struct arena *a, struct failure *out, struct bytes message)
{
	const struct codec *codec;

	memset(out, 0, sizeof(*out));
	if (!msg_type(message, &out->code))
		return false;
	codec = fail_codec(out->code);
	if (!codec)
		return false;
	ASSERT(codec->struct_size <= sizeof(out->u));
	switch (codec->decode(message, a, &out->u)) {
	case DECODE_OK:
	/* B4.receiving_failure_codes.1: what follows the data is no reason to doubt it. */
	case DECODE_BAD_TLV:
	case DECODE_BAD_TLV_ORDER:
	case DECODE_UNKNOWN_EVEN_TLV:
		return true;
	case DECODE_TRUNCATED:
	case DECODE_WRONG_TYPE:
		break;
	}
	memset(&out->u, 0, sizeof(out->u));
	return false;
}

static struct sha256 report_hmac(struct bytes body, const struct secret32 *shared_secret)
{
	struct secret32 um = onion_key("um", shared_secret);
	struct sha256 hmac = hmac_sha256(BYTES_OF(um.v), body);

	mem_wipe(&um, sizeof(um));
	return hmac;
}

void failure_seal(struct buf *out, struct failure_attribution *attribution, const struct secret32 *shared_secret,
		  const struct failure *f)
{
	struct buf body = BUF_EMPTY;
	size_t start = out->size, message_size, pad_size;
	struct sha256 hmac;

	buf_add_be16(&body, 0);
	failure_encode(f, &body);
	message_size = body.size - 2;
	ASSERT(message_size <= UINT16_MAX);
	store_be16(body.data, (uint16_t)message_size);
	/* B4.erring_node.1, B4.erring_node.2 */
	pad_size = message_size < FAILURE_PADDED_SIZE ? FAILURE_PADDED_SIZE - message_size : 0;
	buf_add_be16(&body, (uint16_t)pad_size);
	memset(buf_extend(&body, pad_size), 0, pad_size);

	hmac = report_hmac(buf_view(&body), shared_secret);
	buf_add(out, hmac.v, sizeof(hmac.v));
	buf_add_bytes(out, buf_view(&body));
	/* B4.erring_node.3: as any node on the way does, with nothing from downstream. */
	failure_wrap(out->data + start, out->size - start, attribution, shared_secret);
	buf_release(&body);
}

static void apply_stream(uint8_t *reason, size_t reason_size, const struct secret32 *shared_secret)
{
	struct secret32 ammag = onion_key("ammag", shared_secret);

	onion_stream_xor(reason, reason_size, &ammag);
	mem_wipe(&ammag, sizeof(ammag));
}

/* B4.intermediate_nodes.4 */
void failure_wrap(uint8_t *reason, size_t reason_size, struct failure_attribution *attribution,
		  const struct secret32 *shared_secret)
{
	if (attribution)
		attribution_add(&attribution->data, shared_secret, attribution->hold_time, BYTES(reason, reason_size));
	apply_stream(reason, reason_size, shared_secret);
}

/* The message inside an authenticated return packet; empty if its frame is broken. */
static struct bytes report_message(struct bytes body)
{
	struct cursor c = cursor_of(body);

	return cursor_bytes(&c, cursor_be16(&c));
}

/* Whether that hop made the packet, from which its stream and all before are off. */
static bool is_report_of(struct bytes packet, const struct secret32 *shared_secret)
{
	struct sha256 hmac;

	if (packet.size < sizeof(hmac.v))
		return false;
	hmac = report_hmac(BYTES(packet.data + sizeof(hmac.v), packet.size - sizeof(hmac.v)), shared_secret);
	return mem_equal_secret(hmac.v, packet.data, sizeof(hmac.v));
}

bool failure_open(struct arena *a, struct failure_report *out, const struct secret32 *secrets,
		  uint32_t hop_count, struct bytes reason, struct bytes attribution)
{
	static const struct secret32 nobody;
	uint8_t *work = arena_copy(a, reason.data, reason.size), *kept = arena_alloc(a, reason.size);
	struct attribution_reader attributed;
	bool found = false;

	ASSERT(hop_count <= ONION_HOPS_MAX);
	*out = (struct failure_report){ 0 };
	attribution_reader_init(&attributed, attribution, hop_count);
	/* B4.origin_node.2, B4.origin_node.3: the whole loop every time, under constant keys beyond the route,
	 * or the time until a retry would tell the erring node where on the route it is. */
	for (uint32_t i = 0; i < ONION_HOPS_MAX; i++) {
		const struct secret32 *secret = i < hop_count ? &secrets[i] : &nobody;

		apply_stream(work, reason.size, secret);
		attribution_read(&attributed, secret, BYTES(work, reason.size));
		if (is_report_of(BYTES(work, reason.size), secret) && i < hop_count && !found) {
			found = true;
			out->hop = i;
			memcpy(kept, work, reason.size);
		}
	}
	out->attributed = attributed.report;
	if (found) {
		out->message = report_message(BYTES(kept + sizeof(struct sha256), reason.size - sizeof(struct sha256)));
		/* Nobody behind it has seen the HTLC's end. */
		if (out->attributed.verified > out->hop + 1)
			out->attributed.verified = out->hop + 1;
	}
	return found;
}
