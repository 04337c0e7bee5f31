#include "noise/noise.h"

#include <string.h>

#include "crypto/cipher.h"

/* sk, rk = HKDF(ck, zero): the initiator sends with the first, the responder with the second. */
void noise_transport_start(struct noise *n)
{
	struct secret32 first, second;

	noise_hkdf(&first, &second, &n->chain, BYTES_NONE);
	n->send.key = n->initiator ? first : second;
	n->receive.key = n->initiator ? second : first;
	n->send.chain = n->receive.chain = n->chain;
	n->send.nonce = n->receive.nonce = 0;
	mem_wipe(&first, sizeof(first));
	mem_wipe(&second, sizeof(second));
	n->have_size = false;
	n->state = NOISE_OPEN;
}

/* A key is used 1000 times.  It is replaced at once and not at its next use, so that a key that is stolen later
 * opens nothing that came before (INV-T4). */
static void count_use(struct noise_key *k)
{
	struct secret32 salt, old;

	if (++k->nonce < NOISE_ROTATION)
		return;
	salt = k->chain;
	old = k->key;
	noise_hkdf(&k->chain, &k->key, &salt, BYTES_OF(old.v));
	mem_wipe(&salt, sizeof(salt));
	mem_wipe(&old, sizeof(old));
	k->nonce = 0;
}

static void seal(struct noise_key *k, struct bytes plain, uint8_t *out)
{
	uint8_t nonce[12];

	noise_nonce(nonce, k->nonce);
	aead_seal(out, k->key.v, nonce, BYTES_NONE, plain);
	count_use(k);
}

static bool open_sealed(struct noise_key *k, uint8_t *out, struct bytes sealed)
{
	uint8_t nonce[12];

	noise_nonce(nonce, k->nonce);
	if (!aead_open(out, k->key.v, nonce, BYTES_NONE, sealed))
		return false;
	count_use(k);
	return true;
}

void noise_encrypt(struct noise *n, struct bytes message, struct buf *out)
{
	uint8_t size[2], *to;

	ASSERT(n->state == NOISE_OPEN);
	ASSERT(message.size <= NOISE_MESSAGE_MAX);
	to = buf_extend(out, NOISE_HEADER_SIZE + message.size + AEAD_TAG_SIZE);
	store_be16(size, (uint16_t)message.size);
	seal(&n->send, BYTES_OF(size), to);
	seal(&n->send, message, to + NOISE_HEADER_SIZE);
}

static bool read_header(struct noise *n)
{
	uint8_t size[2];

	if (!open_sealed(&n->receive, size, buf_view(&n->in))) {
		(void)noise_fail(n, NOISE_BAD_TAG);
		return false;
	}
	n->message_size = load_be16(size);
	n->have_size = true;
	buf_clear(&n->in);
	return true;
}

enum noise_event noise_transport_input(struct noise *n, struct bytes *in, struct bytes *message)
{
	if (!n->have_size) {
		if (!noise_collect(n, in, NOISE_HEADER_SIZE))
			return NOISE_MORE;
		if (!read_header(n))
			return NOISE_FAIL;
	}
	if (!noise_collect(n, in, (size_t)n->message_size + AEAD_TAG_SIZE))
		return NOISE_MORE;
	if (!open_sealed(&n->receive, n->in.data, buf_view(&n->in)))
		return noise_fail(n, NOISE_BAD_TAG);
	n->have_size = false;
	n->in_given = true;
	*message = BYTES(n->in.data, n->message_size);
	return NOISE_MESSAGE;
}
