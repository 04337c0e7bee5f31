#include "bitcoin/address.h"

#include "bitcoin/base58.h"
#include "bitcoin/bech32.h"
#include "bitcoin/script.h"
#include "crypto/keys.h"

#define HASH_PAYLOAD_SIZE 21u
#define PROGRAM_SIZE_MIN 2u
#define PROGRAM_SIZE_MAX 40u

static bool refuse(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

static bool known_hrp(const char *hrp)
{
	for (size_t i = 0; i < NETWORK_COUNT; i++)
		if (strcmp(networks[i].hrp, hrp) == 0)
			return true;
	return false;
}

/* BIP 173 "Segwit address format", BIP 350. */
static bool decode_program(struct buf *program, const char **why, const struct bech32 *b)
{
	uint8_t version = b->data[0];

	if (version > 16)
		return refuse(why, "the witness version is above 16");
	if (b->variant != (version == 0 ? BECH32 : BECH32M))
		return refuse(why, "the checksum is of the wrong kind for its witness version");
	if (!bech32_convert_bits(program, 8, b->data + 1, b->count - 1, 5, false))
		return refuse(why, "the padding is not zero");
	if (program->size < PROGRAM_SIZE_MIN || program->size > PROGRAM_SIZE_MAX)
		return refuse(why, "the witness program is not of 2 to 40 bytes");
	/* BIP 141: such an output of version 0 could never be spent. */
	if (version == 0 && program->size != 20 && program->size != 32)
		return refuse(why, "a witness program of version 0 is not of 20 or 32 bytes");
	return true;
}

static bool decode_segwit(struct arena *a, struct bytes *script, const char **why, const struct network *n,
			  const struct bech32 *b)
{
	struct buf program = BUF_EMPTY;
	bool good;

	if (strcmp(b->hrp, n->hrp) != 0)
		return refuse(why, known_hrp(b->hrp) ? "the address is of another network" : "not a Bitcoin address");
	if (b->count == 0)
		return refuse(why, "the address has no data");
	good = decode_program(&program, why, b);
	if (good) {
		uint8_t *s = arena_alloc(a, program.size + 2);

		s[0] = (uint8_t)(b->data[0] ? OP_1 - 1 + b->data[0] : OP_0);
		s[1] = (uint8_t)program.size;
		memcpy(s + 2, program.data, program.size);
		*script = BYTES(s, program.size + 2);
	}
	buf_release(&program);
	return good;
}

static bool decode_payload(struct arena *a, struct bytes *script, const char **why, const struct network *n,
			   struct bytes payload)
{
	struct hash160 h;

	if (payload.size != HASH_PAYLOAD_SIZE)
		return refuse(why, "not a Bitcoin address");
	memcpy(h.v, payload.data + 1, sizeof(h.v));
	if (payload.data[0] == n->p2pkh_version) {
		*script = script_p2pkh(a, &h);
		return true;
	}
	if (payload.data[0] == n->p2sh_version) {
		*script = script_p2sh(a, &h);
		return true;
	}
	for (size_t i = 0; i < NETWORK_COUNT; i++)
		if (payload.data[0] == networks[i].p2pkh_version || payload.data[0] == networks[i].p2sh_version)
			return refuse(why, "the address is of another network");
	return refuse(why, "not a Bitcoin address");
}

/* Text that begins like a segwit address of any network, so that a mistyped one is told what is wrong with it. */
static bool looks_segwit(struct bytes text)
{
	for (size_t i = 0; i < NETWORK_COUNT; i++) {
		size_t size = strlen(networks[i].hrp);
		bool same = text.size > size && text.data[size] == '1';

		for (size_t j = 0; same && j < size; j++)
			same = (text.data[j] | 0x20) == (uint8_t)networks[i].hrp[j];
		if (same)
			return true;
	}
	return false;
}

bool address_decode(struct arena *a, struct bytes *script, const char **why, const struct network *n, struct bytes text)
{
	struct buf payload = BUF_EMPTY;
	struct bech32 b;
	bool good;

	if (bech32_decode(a, &b, text, BECH32_SIZE_MAX))
		return decode_segwit(a, script, why, n, &b);
	if (looks_segwit(text))
		return refuse(why, "the checksum or a character of the address is wrong");
	good = base58check_decode(&payload, text);
	if (good)
		good = decode_payload(a, script, why, n, buf_view(&payload));
	else
		*why = "not an address, or one with a typing error";
	buf_release(&payload);
	return good;
}

static void encode_segwit(struct buf *out, const struct network *n, struct bytes script)
{
	uint8_t version = script.data[0] == OP_0 ? 0 : (uint8_t)(script.data[0] - OP_1 + 1);
	struct buf data = BUF_EMPTY;

	buf_add_u8(&data, version);
	ASSERT(bech32_convert_bits(&data, 5, script.data + 2, script.size - 2, 8, true));
	bech32_encode(out, n->hrp, data.data, data.size, version ? BECH32M : BECH32);
	buf_release(&data);
}

static void encode_hash(struct buf *out, uint8_t version, const uint8_t *hash20)
{
	uint8_t payload[HASH_PAYLOAD_SIZE] = { version };

	memcpy(payload + 1, hash20, sizeof(payload) - 1);
	base58check_encode(out, BYTES_OF(payload));
}

bool address_encode(char out[ADDRESS_SIZE], const struct network *n, struct bytes script)
{
	struct buf text = BUF_EMPTY;
	bool spendable = script.size < 1 || script.data[0] != OP_0 || script_is_p2wpkh(script) || script_is_p2wsh(script);

	if (script_is_witness(script) && spendable)
		encode_segwit(&text, n, script);
	else if (script_is_p2pkh(script))
		encode_hash(&text, n->p2pkh_version, script.data + 3);
	else if (script_is_p2sh(script))
		encode_hash(&text, n->p2sh_version, script.data + 2);
	ASSERT(text.size < ADDRESS_SIZE);
	if (text.size)
		memcpy(out, text.data, text.size);
	out[text.size] = 0;
	buf_release(&text);
	return out[0] != 0;
}

bool wif_decode(struct secret32 *k, bool *compressed, const struct network *n, struct bytes text)
{
	struct buf payload = BUF_EMPTY;
	bool good = base58check_decode(&payload, text) &&
		    (payload.size == 33 || (payload.size == 34 && payload.data[33] == 1)) &&
		    payload.data[0] == n->wif_version;

	if (good) {
		*compressed = payload.size == 34;
		memcpy(k->v, payload.data + 1, sizeof(k->v));
		good = seckey_valid(k);
	}
	if (!good)
		mem_wipe(k->v, sizeof(k->v));
	buf_wipe(&payload);
	return good;
}

void wif_encode(struct buf *out, const struct network *n, const struct secret32 *k, bool compressed)
{
	uint8_t payload[34] = { n->wif_version };

	memcpy(payload + 1, k->v, sizeof(k->v));
	payload[33] = 1;
	base58check_encode(out, BYTES(payload, compressed ? 34 : 33));
	mem_wipe(payload, sizeof(payload));
}
