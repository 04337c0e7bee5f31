#include "onion/sphinx.h"

#include "base/cursor.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"

#define ONION_VERSION 0
#define KEY_OFFSET 1
#define PAYLOADS_OFFSET 34

struct secret32 onion_key(const char *name, const struct secret32 *shared_secret)
{
	struct sha256 h = hmac_sha256(bytes_from_string(name), BYTES_OF(shared_secret->v));
	struct secret32 key;

	memcpy(key.v, h.v, sizeof(key.v));
	mem_wipe(&h, sizeof(h));
	return key;
}

void onion_stream_xor(uint8_t *data, size_t size, const struct secret32 *key)
{
	static const uint8_t nonce[12];

	chacha20_xor(data, size, key->v, nonce);
}

struct sha256 onion_blinding_factor(const struct pubkey *ephemeral, const struct secret32 *shared_secret)
{
	struct sha256_state h;

	sha256_init_state(&h);
	sha256_add(&h, ephemeral->v, sizeof(ephemeral->v));
	sha256_add(&h, shared_secret->v, sizeof(shared_secret->v));
	return sha256_finish(&h);
}

static struct sha256 packet_hmac(struct bytes payloads, struct bytes associated,
				 const struct secret32 *shared_secret)
{
	struct secret32 mu = onion_key("mu", shared_secret);
	struct sha256 hmac = hmac_sha256_pair(BYTES_OF(mu.v), payloads, associated);

	mem_wipe(&mu, sizeof(mu));
	return hmac;
}

static void rho_xor(uint8_t *data, size_t size, const struct secret32 *shared_secret)
{
	struct secret32 rho = onion_key("rho", shared_secret);

	onion_stream_xor(data, size, &rho);
	mem_wipe(&rho, sizeof(rho));
}

/* BOLT 1 bigsize, of which a payload's length uses only the first two forms. */
static size_t length_size(size_t payload_size)
{
	return payload_size < 0xfd ? 1 : 3;
}

size_t onion_payload_cost(size_t payload_size)
{
	return length_size(payload_size) + payload_size + ONION_HMAC_SIZE;
}

static bool request_fits(const struct onion_request *r)
{
	size_t room = r->packet_size - ONION_FRAME_SIZE;

	ASSERT(r->hop_count && r->packet_size > ONION_FRAME_SIZE &&
	       r->packet_size <= ONION_FRAME_SIZE + UINT16_MAX);
	if (r->hop_count > ONION_HOPS_MAX || !seckey_valid(&r->session_key))
		return false;
	for (uint32_t i = 0; i < r->hop_count; i++) {
		size_t size = r->hops[i].payload.size;

		/* Lengths 0 and 1 are reserved. */
		if (size < 2 || size > room || onion_payload_cost(size) > room)
			return false;
		room -= onion_payload_cost(size);
	}
	return true;
}

/* Each hop's shared secret, and the ephemeral key that the first one sees. */
static bool derive_secrets(struct secret32 *secrets, struct pubkey *first, const struct secp *s,
			   const struct onion_request *r)
{
	struct secret32 k = r->session_key;
	struct pubkey ephemeral;
	bool good = true;

	pubkey_of(s, first, &k);
	ephemeral = *first;
	for (uint32_t i = 0; good && i < r->hop_count; i++) {
		struct sha256 factor;

		good = ecdh(s, &secrets[i], &r->hops[i].node_id, &k);
		if (!good || i + 1 == r->hop_count)
			break;
		factor = onion_blinding_factor(&ephemeral, &secrets[i]);
		good = seckey_mul(&k, factor.v);
		/* Of the last hop's key only the product with its own is wanted. */
		if (good && i + 2 < r->hop_count)
			pubkey_of(s, &ephemeral, &k);
	}
	mem_wipe(&k, sizeof(k));
	return good;
}

bool onion_secrets(struct secret32 *secrets, const struct secp *s, const struct onion_request *r)
{
	struct pubkey first;

	return seckey_valid(&r->session_key) && derive_secrets(secrets, &first, s, r);
}

/* What the hops before the last will have shifted in at the end, so that the
 * HMACs can commit to it.  Returns its size, written to the end of scratch,
 * which has 2 * room bytes, room being the size of all the hop payloads. */
static size_t make_filler(uint8_t *filler, uint8_t *scratch, size_t room, const struct secret32 *secrets,
			  const struct onion_request *r)
{
	size_t size = 0;

	for (uint32_t i = 0; i + 1 < r->hop_count; i++) {
		size_t cost = onion_payload_cost(r->hops[i].payload.size);

		memset(filler + size, 0, cost);
		size += cost;
		/* The hop pads with zeros at the end of the payloads and XORs all of it. */
		memset(scratch, 0, room + cost);
		memcpy(scratch + room + cost - size, filler, size);
		rho_xor(scratch, room + cost, &secrets[i]);
		memcpy(filler, scratch + room + cost - size, size);
	}
	return size;
}

/* Shifts one hop's payload in at the front. */
static void put_payload(uint8_t *payloads, size_t room, struct bytes payload, const struct sha256 *next_hmac)
{
	size_t cost = onion_payload_cost(payload.size), prefix = length_size(payload.size);

	memmove(payloads + cost, payloads, room - cost);
	if (prefix == 1) {
		payloads[0] = (uint8_t)payload.size;
	} else {
		payloads[0] = 0xfd;
		store_be16(payloads + 1, (uint16_t)payload.size);
	}
	memcpy(payloads + prefix, payload.data, payload.size);
	memcpy(payloads + prefix + payload.size, next_hmac->v, ONION_HMAC_SIZE);
}

/* Wraps from the last hop to the first; returns the HMAC for the first. */
static struct sha256 wrap_payloads(uint8_t *payloads, uint8_t *scratch, size_t room,
				   const struct secret32 *secrets, const struct onion_request *r)
{
	uint8_t *filler = scratch + 2 * room;
	size_t filler_size = make_filler(filler, scratch, room, secrets, r);
	struct secret32 pad = onion_key("pad", &r->session_key);
	struct sha256 hmac = { { 0 } };

	/* Random, or the last hop would see how long the route is. */
	memset(payloads, 0, room);
	onion_stream_xor(payloads, room, &pad);
	mem_wipe(&pad, sizeof(pad));
	for (uint32_t i = r->hop_count; i-- > 0;) {
		put_payload(payloads, room, r->hops[i].payload, &hmac);
		rho_xor(payloads, room, &secrets[i]);
		if (i + 1 == r->hop_count)
			memcpy(payloads + room - filler_size, filler, filler_size);
		hmac = packet_hmac(BYTES(payloads, room), r->associated, &secrets[i]);
	}
	return hmac;
}

bool onion_build(struct buf *out, struct secret32 *secrets, const struct secp *s, const struct onion_request *r)
{
	size_t room = r->packet_size - ONION_FRAME_SIZE;
	struct pubkey ephemeral;
	struct sha256 hmac;
	uint8_t *scratch, *packet;

	if (!request_fits(r) || !derive_secrets(secrets, &ephemeral, s, r))
		return false;
	scratch = mem_alloc(3 * room);
	packet = buf_extend(out, r->packet_size);
	hmac = wrap_payloads(packet + PAYLOADS_OFFSET, scratch, room, secrets, r);
	packet[0] = ONION_VERSION;
	memcpy(packet + KEY_OFFSET, ephemeral.v, sizeof(ephemeral.v));
	memcpy(packet + PAYLOADS_OFFSET + room, hmac.v, sizeof(hmac.v));
	mem_wipe_free(scratch, 3 * room);
	return true;
}

enum onion_fault onion_parse(struct pubkey *ephemeral, struct bytes packet)
{
	if (packet.size <= ONION_FRAME_SIZE)
		return ONION_BAD_PAYLOAD;
	/* B4.overview.1, B4.onion_decryption.1 */
	if (packet.data[0] != ONION_VERSION)
		return ONION_BAD_VERSION;
	memcpy(ephemeral->v, packet.data + KEY_OFFSET, sizeof(ephemeral->v));
	/* B4.onion_decryption.2 */
	return pubkey_valid(ephemeral) ? ONION_GOOD : ONION_BAD_KEY;
}

bool onion_blinded_key(struct pubkey *out, const struct pubkey *ephemeral, const struct secret32 *blinding_secret)
{
	struct secret32 tweak = onion_key("blinded_node_id", blinding_secret);
	bool good = pubkey_mul(out, ephemeral, tweak.v);

	mem_wipe(&tweak, sizeof(tweak));
	return good;
}

/* The length before a payload, in its shortest form; 0 (which is reserved) if malformed. */
static size_t read_length(struct cursor *c)
{
	uint8_t first = cursor_u8(c);
	uint64_t size;

	if (first < 0xfd)
		return first;
	if (first > 0xfd) {
		/* Longer than any packet, or not minimal. */
		cursor_fail(c);
		return 0;
	}
	size = cursor_be16(c);
	if (size < 0xfd)
		cursor_fail(c);
	return size;
}

/* The ephemeral key that the next hop sees. */
static bool next_key(struct pubkey *out, struct bytes packet, const struct secret32 *shared_secret)
{
	struct pubkey ephemeral;
	struct sha256 factor;

	memcpy(ephemeral.v, packet.data + KEY_OFFSET, sizeof(ephemeral.v));
	factor = onion_blinding_factor(&ephemeral, shared_secret);
	return pubkey_mul(out, &ephemeral, factor.v);
}

/* B4.onion_decryption.11 to B4.onion_decryption.14 */
static struct bytes next_packet(struct arena *a, const struct pubkey *key, struct bytes payloads, struct bytes hmac)
{
	size_t size = ONION_FRAME_SIZE + payloads.size;
	uint8_t *next = arena_alloc(a, size);

	next[0] = ONION_VERSION;
	memcpy(next + KEY_OFFSET, key->v, sizeof(key->v));
	memcpy(next + PAYLOADS_OFFSET, payloads.data, payloads.size);
	memcpy(next + PAYLOADS_OFFSET + payloads.size, hmac.data, hmac.size);
	return BYTES(next, size);
}

enum onion_fault onion_peel(struct arena *a, struct onion_peeled *out, struct bytes packet,
			    const struct secret32 *shared_secret, struct bytes associated)
{
	size_t room = packet.size - ONION_FRAME_SIZE;
	struct bytes payloads = BYTES(packet.data + PAYLOADS_OFFSET, room), payload, next_hmac;
	struct sha256 hmac;
	struct cursor c;
	uint8_t *unwrapped;

	ASSERT(packet.size > ONION_FRAME_SIZE);
	*out = (struct onion_peeled){ 0 };
	hmac = packet_hmac(payloads, associated, shared_secret);
	/* B4.onion_decryption.4, B4.onion_decryption.5 */
	if (!mem_equal_secret(hmac.v, packet.data + PAYLOADS_OFFSET + room, sizeof(hmac.v)))
		return ONION_BAD_HMAC;
	unwrapped = arena_alloc(a, 2 * room);
	memcpy(unwrapped, payloads.data, room);
	rho_xor(unwrapped, 2 * room, shared_secret);

	c = cursor_of(BYTES(unwrapped, 2 * room));
	payload = cursor_bytes(&c, read_length(&c));
	next_hmac = cursor_bytes(&c, ONION_HMAC_SIZE);
	/* B4.onion_decryption.6 to B4.onion_decryption.10 */
	if (!cursor_ok(&c) || payload.size < 2 || c.left < room)
		return ONION_BAD_PAYLOAD;
	if (bytes_all_zero(next_hmac)) {
		out->is_last = true;
	} else {
		struct pubkey key;

		if (!next_key(&key, packet, shared_secret))
			return ONION_BAD_KEY;
		out->next = next_packet(a, &key, BYTES(c.data, room), next_hmac);
	}
	out->payload = payload;
	return ONION_GOOD;
}
