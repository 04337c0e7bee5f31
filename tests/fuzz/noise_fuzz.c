/* BOLT 8's acceptor against any bytes, cut anywhere; and, past the handshake,
 * the transport.  The first byte chooses; the rest is what the peer sends. */
#include <string.h>

#include "crypto/cipher.h"
#include "noise/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secp *secp;

static struct secret32 repeat(uint8_t byte)
{
	struct secret32 s;

	memset(s.v, byte, sizeof(s.v));
	return s;
}

static enum noise_event answer(struct noise *n, const struct secret32 *key, struct buf *out)
{
	struct secret32 secret;
	struct pubkey p;

	ASSERT(noise_need_ecdh(n, &p));
	ASSERT(ecdh(secp, &secret, &p, key));
	return noise_ecdh_answer(n, &secret, out);
}

/* Feeds in pieces whose sizes come from the input itself. */
static void feed(struct noise *n, struct bytes in, const struct secret32 *key, struct buf *out)
{
	while (in.size) {
		size_t piece = in.data[0] % 97 + 1u;
		struct bytes part, message;
		enum noise_event e;

		if (piece > in.size)
			piece = in.size;
		part = BYTES(in.data, piece);
		do {
			e = noise_input(n, &part, &message);
			ASSERT(n->in.size <= NOISE_MESSAGE_MAX + AEAD_TAG_SIZE);
			if (e == NOISE_NEED_ECDH)
				e = answer(n, key, out);
			if (e == NOISE_FAIL) {
				ASSERT(n->state == NOISE_FAILED && n->fault != NOISE_FAULT_NONE);
				return;
			}
		} while (part.size || e == NOISE_MESSAGE);
		in = BYTES(in.data + piece, in.size - piece);
	}
}

/* A true handshake, so that the bytes meet the open transport; bytes are sealed first if asked, so that
 * what the fuzzer writes gets past the tags. */
static void open_pair(struct noise *a, struct noise *b, struct buf *out)
{
	struct secret32 ka = repeat(1), kb = repeat(2), ea = repeat(3), eb = repeat(4);
	struct pubkey pa, pb;
	struct bytes in, message;

	pubkey_of(secp, &pa, &ka);
	pubkey_of(secp, &pb, &kb);
	ASSERT(noise_init_initiator(a, secp, &pa, &pb, &ea, out));
	ASSERT(noise_init_responder(b, secp, &pb, &eb));
	in = buf_view(out);
	ASSERT(noise_input(b, &in, &message) == NOISE_NEED_ECDH);
	buf_clear(out);
	ASSERT(answer(b, &kb, out) == NOISE_MORE);
	in = buf_view(out);
	ASSERT(noise_input(a, &in, &message) == NOISE_NEED_ECDH);
	buf_clear(out);
	ASSERT(answer(a, &ka, out) == NOISE_READY);
	in = buf_view(out);
	ASSERT(noise_input(b, &in, &message) == NOISE_READY);
	buf_clear(out);
}

static void fuzz_acceptor(struct bytes in)
{
	struct secret32 key = repeat(2), e = repeat(4);
	struct buf out = BUF_EMPTY;
	struct pubkey local;
	struct noise n;

	pubkey_of(secp, &local, &key);
	ASSERT(noise_init_responder(&n, secp, &local, &e));
	feed(&n, in, &key, &out);
	ASSERT(out.size == 0 || out.size == NOISE_ACT2_SIZE);
	noise_release(&n);
	buf_release(&out);
}

static void fuzz_open(struct bytes in, bool sealed)
{
	struct secret32 key = repeat(2);
	struct buf out = BUF_EMPTY;
	struct noise a, b;

	open_pair(&a, &b, &out);
	if (sealed && in.size > 1) {
		size_t flip = in.data[0] | (size_t)in.data[1] << 8;

		noise_encrypt(&a, in, &out);
		noise_encrypt(&a, BYTES(in.data, 1), &out);
		if (flip < out.size)
			out.data[flip] ^= 1;
		in = buf_view(&out);
		feed(&b, in, &key, &out);
		/* One flipped bit ends it; none goes unnoticed. */
		ASSERT((b.state == NOISE_FAILED) == (flip < out.size));
	} else {
		feed(&b, in, &key, &out);
	}
	noise_release(&a);
	noise_release(&b);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!secp) {
		uint8_t seed[32] = { 9 };

		secp = secp_new(seed);
	}
	if (size < 1 || size > NOISE_MESSAGE_MAX)
		return 0;
	if (data[0] % 4 == 0)
		fuzz_open(BYTES(data + 1, size - 1), false);
	else if (data[0] % 4 == 1)
		fuzz_open(BYTES(data + 1, size - 1), true);
	else
		fuzz_acceptor(BYTES(data + 1, size - 1));
	return 0;
}
