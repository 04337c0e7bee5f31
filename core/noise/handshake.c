#include "noise/noise.h"

#include <string.h>

#include "crypto/cipher.h"
#include "crypto/hash.h"

static const char protocol_name[] = "Noise_XK_secp256k1_ChaChaPoly_SHA256";
static const char prologue[] = "lightning";

const char *noise_fault_name(enum noise_fault f)
{
	switch (f) {
	case NOISE_FAULT_NONE:
		return "none";
	case NOISE_BAD_EPHEMERAL:
		return "ephemeral key out of range";
	case NOISE_BAD_VERSION:
		return "unknown handshake version";
	case NOISE_BAD_PUBKEY:
		return "invalid public key";
	case NOISE_BAD_TAG:
		return "authentication failed";
	case NOISE_REFUSED:
		return "the signer refused";
	}
	UNREACHABLE();
}

void noise_nonce(uint8_t out12[12], uint64_t n)
{
	memset(out12, 0, 4);
	store_le32(out12 + 4, (uint32_t)n);
	store_le32(out12 + 8, (uint32_t)(n >> 32));
}

void noise_hkdf(struct secret32 *first, struct secret32 *second, const struct secret32 *salt, struct bytes ikm)
{
	uint8_t out[64];

	hkdf_sha256(out, sizeof(out), BYTES_OF(salt->v), ikm, BYTES_NONE);
	memcpy(first->v, out, 32);
	memcpy(second->v, out + 32, 32);
	mem_wipe(out, sizeof(out));
}

static void mix_hash(struct noise *n, const void *p, size_t size)
{
	struct sha256_state s;

	sha256_init_state(&s);
	sha256_add(&s, n->hash.v, sizeof(n->hash.v));
	sha256_add(&s, p, size);
	n->hash = sha256_finish(&s);
}

/* ck, temp_k = HKDF(ck, secret) */
static void mix_key(struct noise *n, const struct secret32 *secret)
{
	struct secret32 salt = n->chain;

	noise_hkdf(&n->chain, &n->temp, &salt, BYTES_OF(secret->v));
	mem_wipe(&salt, sizeof(salt));
}

/* encryptWithAD(temp_k, nonce, h, plain), appended to out and mixed into h. */
static void seal(struct noise *n, uint64_t nonce, struct bytes plain, struct buf *out)
{
	uint8_t nonce12[12], *c = buf_extend(out, plain.size + AEAD_TAG_SIZE);

	noise_nonce(nonce12, nonce);
	aead_seal(c, n->temp.v, nonce12, BYTES_OF(n->hash.v), plain);
	mix_hash(n, c, plain.size + AEAD_TAG_SIZE);
}

static bool open_sealed(struct noise *n, uint64_t nonce, struct bytes sealed, uint8_t *plain)
{
	uint8_t nonce12[12];

	noise_nonce(nonce12, nonce);
	if (!aead_open(plain, n->temp.v, nonce12, BYTES_OF(n->hash.v), sealed))
		return false;
	mix_hash(n, sealed.data, sealed.size);
	return true;
}

static void wipe_handshake(struct noise *n)
{
	mem_wipe(&n->ephemeral_secret, sizeof(n->ephemeral_secret));
	mem_wipe(&n->chain, sizeof(n->chain));
	mem_wipe(&n->temp, sizeof(n->temp));
	mem_wipe(&n->hash, sizeof(n->hash));
}

enum noise_event noise_fail(struct noise *n, enum noise_fault why)
{
	wipe_handshake(n);
	mem_wipe(&n->send, sizeof(n->send));
	mem_wipe(&n->receive, sizeof(n->receive));
	n->state = NOISE_FAILED;
	n->fault = why;
	return NOISE_FAIL;
}

void noise_release(struct noise *n)
{
	buf_wipe(&n->in);
	mem_wipe(n, sizeof(*n));
	n->state = NOISE_FAILED;
}

static bool start(struct noise *n, const struct secp *secp, const struct pubkey *local,
		  const struct pubkey *responder, const struct secret32 *ephemeral)
{
	memset(n, 0, sizeof(*n));
	n->secp = secp;
	n->local = *local;
	n->fault = NOISE_FAULT_NONE;
	buf_init(&n->in);
	if (!seckey_valid(ephemeral)) {
		(void)noise_fail(n, NOISE_BAD_EPHEMERAL);
		return false;
	}
	n->ephemeral_secret = *ephemeral;
	pubkey_of(secp, &n->ephemeral, ephemeral);
	n->hash = sha256(protocol_name, strlen(protocol_name));
	memcpy(n->chain.v, n->hash.v, sizeof(n->chain.v));
	mix_hash(n, prologue, strlen(prologue));
	mix_hash(n, responder->v, sizeof(responder->v));
	return true;
}

/* The shape that acts one and two share: version, our ephemeral key, a tag. */
static void send_ephemeral(struct noise *n, const struct secret32 *secret, struct buf *out)
{
	buf_add_u8(out, 0);
	buf_add(out, n->ephemeral.v, sizeof(n->ephemeral.v));
	mix_key(n, secret);
	seal(n, 0, BYTES_NONE, out);
}

bool noise_init_initiator(struct noise *n, const struct secp *secp, const struct pubkey *local,
			  const struct pubkey *remote, const struct secret32 *ephemeral, struct buf *out)
{
	struct secret32 es;

	if (!start(n, secp, local, remote, ephemeral))
		return false;
	n->initiator = true;
	n->remote = *remote;
	mix_hash(n, n->ephemeral.v, sizeof(n->ephemeral.v));
	if (!ecdh(secp, &es, remote, &n->ephemeral_secret)) {
		(void)noise_fail(n, NOISE_BAD_PUBKEY);
		return false;
	}
	send_ephemeral(n, &es, out);
	mem_wipe(&es, sizeof(es));
	n->state = NOISE_ACT2;
	return true;
}

bool noise_init_responder(struct noise *n, const struct secp *secp, const struct pubkey *local,
			  const struct secret32 *ephemeral)
{
	if (!start(n, secp, local, local, ephemeral))
		return false;
	n->state = NOISE_ACT1;
	return true;
}

bool noise_collect(struct noise *n, struct bytes *in, size_t size)
{
	size_t take;

	if (n->in_given) {
		/* The message that was given out: wiped, its memory is used again, unless it was a large one. */
		if (n->in.capacity > NOISE_ROOM_KEPT) {
			buf_wipe(&n->in);
		} else {
			mem_wipe(n->in.data, n->in.size);
			buf_clear(&n->in);
		}
		n->in_given = false;
	}
	ASSERT(n->in.size <= size); /* INV-T3 */
	take = size - n->in.size < in->size ? size - n->in.size : in->size;
	buf_add(&n->in, in->data, take);
	if (take)
		*in = BYTES(in->data + take, in->size - take);
	return n->in.size == size;
}

/* Reads what send_ephemeral wrote as far as it needs no secret: the peer's ephemeral key into the hash. */
static bool read_ephemeral(struct noise *n)
{
	if (n->in.data[0] != 0) {
		(void)noise_fail(n, NOISE_BAD_VERSION);
		return false;
	}
	memcpy(n->remote_ephemeral.v, n->in.data + 1, sizeof(n->remote_ephemeral.v));
	if (!pubkey_valid(&n->remote_ephemeral)) {
		(void)noise_fail(n, NOISE_BAD_PUBKEY);
		return false;
	}
	mix_hash(n, n->remote_ephemeral.v, sizeof(n->remote_ephemeral.v));
	return true;
}

static bool read_tag(struct noise *n, const struct secret32 *secret)
{
	uint8_t none;

	mix_key(n, secret);
	if (!open_sealed(n, 0, BYTES(n->in.data + 34, AEAD_TAG_SIZE), &none)) {
		(void)noise_fail(n, NOISE_BAD_TAG);
		return false;
	}
	return true;
}

/* Responder: the tag of act one is checked with the signer's answer. */
static enum noise_event read_act_one(struct noise *n)
{
	if (!read_ephemeral(n))
		return NOISE_FAIL;
	n->ecdh_point = n->remote_ephemeral;
	n->state = NOISE_ACT1_ECDH;
	return NOISE_NEED_ECDH;
}

static enum noise_event finish_act_one(struct noise *n, const struct secret32 *es, struct buf *out)
{
	struct secret32 ee;

	/* B8.act_one.1: whoever does not know our key gets no answer at all. */
	if (!read_tag(n, es))
		return NOISE_FAIL;
	mix_hash(n, n->ephemeral.v, sizeof(n->ephemeral.v));
	if (!ecdh(n->secp, &ee, &n->remote_ephemeral, &n->ephemeral_secret))
		return noise_fail(n, NOISE_BAD_PUBKEY);
	send_ephemeral(n, &ee, out);
	mem_wipe(&ee, sizeof(ee));
	n->state = NOISE_ACT3;
	buf_clear(&n->in);
	return NOISE_MORE;
}

/* Initiator: act two needs no node key; act three does. */
static enum noise_event read_act_two(struct noise *n)
{
	struct secret32 ee;
	bool good;

	if (!read_ephemeral(n))
		return NOISE_FAIL;
	if (!ecdh(n->secp, &ee, &n->remote_ephemeral, &n->ephemeral_secret))
		return noise_fail(n, NOISE_BAD_PUBKEY);
	good = read_tag(n, &ee); /* B8.act_two.1 */
	mem_wipe(&ee, sizeof(ee));
	if (!good)
		return NOISE_FAIL;
	mem_wipe(&n->ephemeral_secret, sizeof(n->ephemeral_secret));
	n->ecdh_point = n->remote_ephemeral;
	n->state = NOISE_ACT2_ECDH;
	return NOISE_NEED_ECDH;
}

static enum noise_event send_act_three(struct noise *n, const struct secret32 *se, struct buf *out)
{
	buf_add_u8(out, 0);
	seal(n, 1, BYTES_OF(n->local.v), out);
	mix_key(n, se);
	seal(n, 0, BYTES_NONE, out);
	noise_transport_start(n);
	wipe_handshake(n);
	buf_clear(&n->in);
	return NOISE_READY;
}

static enum noise_event read_act_three(struct noise *n)
{
	struct secret32 se;
	uint8_t none;

	if (n->in.data[0] != 0)
		return noise_fail(n, NOISE_BAD_VERSION);
	/* B8.act_three.1 */
	if (!open_sealed(n, 1, BYTES(n->in.data + 1, 33 + AEAD_TAG_SIZE), n->remote.v))
		return noise_fail(n, NOISE_BAD_TAG);
	if (!ecdh(n->secp, &se, &n->remote, &n->ephemeral_secret))
		return noise_fail(n, NOISE_BAD_PUBKEY);
	mix_key(n, &se);
	mem_wipe(&se, sizeof(se));
	/* B8.act_three.2: this proves that the peer holds the key it named. */
	if (!open_sealed(n, 0, BYTES(n->in.data + 50, AEAD_TAG_SIZE), &none))
		return noise_fail(n, NOISE_BAD_TAG);
	noise_transport_start(n);
	wipe_handshake(n);
	buf_clear(&n->in);
	return NOISE_READY;
}

bool noise_need_ecdh(const struct noise *n, struct pubkey *point)
{
	if (n->state != NOISE_ACT1_ECDH && n->state != NOISE_ACT2_ECDH)
		return false;
	*point = n->ecdh_point;
	return true;
}

enum noise_event noise_ecdh_answer(struct noise *n, const struct secret32 *secret, struct buf *out)
{
	ASSERT(n->state == NOISE_ACT1_ECDH || n->state == NOISE_ACT2_ECDH);
	if (!secret)
		return noise_fail(n, NOISE_REFUSED);
	return n->state == NOISE_ACT1_ECDH ? finish_act_one(n, secret, out) : send_act_three(n, secret, out);
}

enum noise_event noise_input(struct noise *n, struct bytes *in, struct bytes *message)
{
	*message = BYTES_NONE;
	switch (n->state) {
	case NOISE_ACT1:
		return noise_collect(n, in, NOISE_ACT1_SIZE) ? read_act_one(n) : NOISE_MORE;
	case NOISE_ACT2:
		return noise_collect(n, in, NOISE_ACT2_SIZE) ? read_act_two(n) : NOISE_MORE;
	case NOISE_ACT3:
		return noise_collect(n, in, NOISE_ACT3_SIZE) ? read_act_three(n) : NOISE_MORE;
	case NOISE_ACT1_ECDH:
	case NOISE_ACT2_ECDH:
		return NOISE_NEED_ECDH; /* INV-T1 */
	case NOISE_OPEN:
		return noise_transport_input(n, in, message);
	case NOISE_FAILED:
		return NOISE_FAIL; /* INV-T2 */
	}
	UNREACHABLE();
}
