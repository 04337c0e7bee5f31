/* Text that humans paste: addresses, keys, mnemonics, paths.  What is read is written back to the same. */
#include "bitcoin/address.h"
#include "bitcoin/base58.h"
#include "bitcoin/base64.h"
#include "bitcoin/bech32.h"
#include "bitcoin/bip32.h"
#include "bitcoin/bip39.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(struct arena *a, const struct network *n, struct bytes text)
{
	struct bytes script, again;
	const char *why = NULL;
	char out[ADDRESS_SIZE];

	if (!address_decode(a, &script, &why, n, text)) {
		ASSERT(why);
		return;
	}
	ASSERT(address_encode(out, n, script));
	ASSERT(address_decode(a, &again, &why, n, bytes_from_string(out)) && bytes_equal(again, script));
}

static void check_bech32(struct arena *a, struct bytes text)
{
	struct bech32 b;
	struct buf again = BUF_EMPTY, bytes = BUF_EMPTY;

	if (bech32_decode(a, &b, text, 1000)) {
		bech32_encode(&again, b.hrp, b.data, b.count, b.variant);
		ASSERT(again.size == text.size);
		ASSERT(bech32_convert_bits(&bytes, 8, b.data, b.count, 5, true));
	}
	buf_release(&again);
	buf_release(&bytes);
}

static void check_base58(struct bytes text)
{
	struct buf raw = BUF_EMPTY, again = BUF_EMPTY;

	if (base58_decode(&raw, text)) {
		base58_encode(&again, buf_view(&raw));
		ASSERT(bytes_equal(buf_view(&again), text));
	}
	buf_release(&raw);
	buf_release(&again);
}

static void check_base64(struct bytes text)
{
	struct buf raw = BUF_EMPTY, again = BUF_EMPTY;

	if (base64_decode(&raw, text)) {
		base64_encode(&again, buf_view(&raw));
		ASSERT(bytes_equal(buf_view(&again), text));
	}
	buf_release(&raw);
	buf_release(&again);
}

static void check_keys(const struct secp *secp, const struct network *n, struct bytes text)
{
	struct buf again = BUF_EMPTY;
	struct bip32_key k;
	struct secret32 secret;
	bool compressed;

	if (bip32_decode(secp, &k, n, text)) {
		bip32_encode(&again, n, &k);
		ASSERT(bytes_equal(buf_view(&again), text));
	}
	buf_clear(&again);
	if (wif_decode(&secret, &compressed, n, text)) {
		wif_encode(&again, n, &secret, compressed);
		ASSERT(bytes_equal(buf_view(&again), text));
	}
	buf_release(&again);
}

static void check_mnemonic(struct bytes text)
{
	struct buf entropy = BUF_EMPTY, sentence = BUF_EMPTY, again = BUF_EMPTY;
	struct bip39_error error;

	if (bip39_decode(&entropy, &error, text)) {
		bip39_encode(&sentence, buf_view(&entropy));
		ASSERT(bip39_decode(&again, &error, buf_view(&sentence)) && bytes_equal(buf_view(&again), buf_view(&entropy)));
	} else {
		ASSERT(entropy.size == 0 && error.fault != BIP39_NONE);
		bip39_explain(&sentence, &error);
		ASSERT(sentence.size);
	}
	buf_release(&entropy);
	buf_release(&sentence);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t blinding[32] = { 1 };
	static struct secp *secp;
	struct bytes text = BYTES(data, size);
	uint32_t path[8];
	size_t count;
	struct arena a;

	if (!secp)
		secp = secp_new(blinding);
	arena_init(&a);
	for (size_t i = 0; i < NETWORK_COUNT; i++) {
		check_address(&a, &networks[i], text);
		check_keys(secp, &networks[i], text);
	}
	check_bech32(&a, text);
	check_base58(text);
	check_base64(text);
	check_mnemonic(text);
	ASSERT(!bip32_parse_path(path, &count, ARRAY_COUNT(path), text) || count <= ARRAY_COUNT(path));
	arena_release(&a);
	return 0;
}
