#include "bitcoin/tx.h"

#include "crypto/hash.h"

/* The smallest serialized input (outpoint, empty script, sequence), output and witness item: what bounds a count
 * by the bytes that are really there, before anything is allocated for it. */
#define INPUT_SIZE_MIN 41u
#define OUTPUT_SIZE_MIN 9u
#define WITNESS_ITEM_SIZE_MIN 1u

struct tx *tx_new(struct arena *a, int32_t version, uint32_t input_count, uint32_t output_count, uint32_t locktime)
{
	struct tx *t = ARENA_NEW(a, struct tx);

	t->version = version;
	t->inputs = ARENA_ARRAY(a, struct tx_input, input_count);
	t->input_count = input_count;
	t->outputs = ARENA_ARRAY(a, struct tx_output, output_count);
	t->output_count = output_count;
	t->locktime = locktime;
	return t;
}

void buf_add_varint(struct buf *b, uint64_t v)
{
	if (v < 0xfd) {
		buf_add_u8(b, (uint8_t)v);
	} else if (v <= 0xffff) {
		buf_add_u8(b, 0xfd);
		buf_add_le16(b, (uint16_t)v);
	} else if (v <= 0xffffffff) {
		buf_add_u8(b, 0xfe);
		buf_add_le32(b, (uint32_t)v);
	} else {
		buf_add_u8(b, 0xff);
		buf_add_le64(b, v);
	}
}

uint64_t cursor_varint(struct cursor *c)
{
	uint64_t v = cursor_u8(c), least = 0;

	if (v == 0xfd) {
		v = cursor_le16(c);
		least = 0xfd;
	} else if (v == 0xfe) {
		v = cursor_le32(c);
		least = 0x10000;
	} else if (v == 0xff) {
		v = cursor_le64(c);
		least = 0x100000000;
	}
	if (v < least) {
		cursor_fail(c);
		return 0;
	}
	return v;
}

size_t varint_size(uint64_t v)
{
	if (v < 0xfd)
		return 1;
	if (v <= 0xffff)
		return 3;
	return v <= 0xffffffff ? 5 : 9;
}

/* A count of things of which each takes size_min bytes at the least. */
static uint32_t read_count(struct cursor *c, size_t size_min)
{
	uint64_t count = cursor_varint(c);

	if (count > c->left / size_min || count > UINT32_MAX) {
		cursor_fail(c);
		return 0;
	}
	return (uint32_t)count;
}

static struct bytes read_var_bytes(struct cursor *c)
{
	uint64_t size = cursor_varint(c);

	if (size > c->left) {
		cursor_fail(c);
		return BYTES_NONE;
	}
	return cursor_bytes(c, (size_t)size);
}

static void read_inputs(struct arena *a, struct cursor *c, struct tx *t)
{
	t->input_count = read_count(c, INPUT_SIZE_MIN);
	t->inputs = ARENA_ARRAY(a, struct tx_input, t->input_count);
	for (uint32_t i = 0; i < t->input_count; i++) {
		struct tx_input *in = &t->inputs[i];

		cursor_copy(c, in->prev.txid.v, sizeof(in->prev.txid.v));
		in->prev.index = cursor_le32(c);
		in->script_sig = read_var_bytes(c);
		in->sequence = cursor_le32(c);
	}
}

static void read_outputs(struct arena *a, struct cursor *c, struct tx *t)
{
	t->output_count = read_count(c, OUTPUT_SIZE_MIN);
	t->outputs = ARENA_ARRAY(a, struct tx_output, t->output_count);
	for (uint32_t i = 0; i < t->output_count; i++) {
		t->outputs[i].amount = SAT(cursor_le64(c));
		t->outputs[i].script = read_var_bytes(c);
	}
}

static bool has_witness(const struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++)
		if (t->inputs[i].witness_count)
			return true;
	return false;
}

static void read_witnesses(struct arena *a, struct cursor *c, struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++) {
		struct tx_input *in = &t->inputs[i];

		in->witness_count = read_count(c, WITNESS_ITEM_SIZE_MIN);
		in->witness = ARENA_ARRAY(a, struct bytes, in->witness_count);
		for (uint32_t j = 0; j < in->witness_count; j++)
			in->witness[j] = read_var_bytes(c);
	}
	/* Such a form of a transaction without witnesses has a second, valid one: Bitcoin Core refuses it. */
	if (!has_witness(t))
		cursor_fail(c);
}

struct tx *tx_decode(struct arena *a, struct cursor *c)
{
	struct tx *t = ARENA_NEW(a, struct tx);
	uint8_t flag = 0;

	t->version = (int32_t)cursor_le32(c);
	read_inputs(a, c, t);
	if (t->input_count == 0) {
		/* BIP 144: no inputs is the marker; a flag of 0 is then the count of outputs of an empty transaction. */
		flag = cursor_u8(c);
		if (flag)
			read_inputs(a, c, t);
	}
	if (t->input_count || flag)
		read_outputs(a, c, t);
	if (flag == 1)
		read_witnesses(a, c, t);
	else if (flag)
		cursor_fail(c);
	t->locktime = cursor_le32(c);
	return cursor_ok(c) ? t : NULL;
}

struct tx *tx_decode_stripped(struct arena *a, struct cursor *c)
{
	struct tx *t = ARENA_NEW(a, struct tx);

	t->version = (int32_t)cursor_le32(c);
	read_inputs(a, c, t);
	read_outputs(a, c, t);
	t->locktime = cursor_le32(c);
	return cursor_ok(c) ? t : NULL;
}

struct tx *tx_parse(struct arena *a, struct bytes b)
{
	struct cursor c = cursor_of(b);
	struct tx *t = tx_decode(a, &c);

	return t && cursor_done(&c) ? t : NULL;
}

static void add_var_bytes(struct buf *out, struct bytes b)
{
	buf_add_varint(out, b.size);
	buf_add_bytes(out, b);
}

static void encode(const struct tx *t, struct buf *out, bool witness)
{
	buf_add_le32(out, (uint32_t)t->version);
	if (witness)
		buf_add(out, "\x00\x01", 2);
	buf_add_varint(out, t->input_count);
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct tx_input *in = &t->inputs[i];

		buf_add(out, in->prev.txid.v, sizeof(in->prev.txid.v));
		buf_add_le32(out, in->prev.index);
		add_var_bytes(out, in->script_sig);
		buf_add_le32(out, in->sequence);
	}
	buf_add_varint(out, t->output_count);
	for (uint32_t i = 0; i < t->output_count; i++)
		tx_output_encode(&t->outputs[i], out);
	for (uint32_t i = 0; witness && i < t->input_count; i++) {
		buf_add_varint(out, t->inputs[i].witness_count);
		for (uint32_t j = 0; j < t->inputs[i].witness_count; j++)
			add_var_bytes(out, t->inputs[i].witness[j]);
	}
	buf_add_le32(out, t->locktime);
}

void tx_output_encode(const struct tx_output *o, struct buf *out)
{
	buf_add_le64(out, o->amount.v);
	add_var_bytes(out, o->script);
}

void tx_encode(const struct tx *t, struct buf *out)
{
	encode(t, out, has_witness(t));
}

void tx_encode_stripped(const struct tx *t, struct buf *out)
{
	encode(t, out, false);
}

static struct txid id_of(const struct tx *t, bool witness)
{
	struct buf b = BUF_EMPTY;
	struct sha256 h;
	struct txid id;

	encode(t, &b, witness);
	h = sha256d(b.data, b.size);
	buf_release(&b);
	memcpy(id.v, h.v, sizeof(id.v));
	return id;
}

struct txid tx_id(const struct tx *t)
{
	return id_of(t, false);
}

struct txid tx_witness_id(const struct tx *t)
{
	return id_of(t, has_witness(t));
}

static uint64_t var_size(size_t size)
{
	return varint_size(size) + (uint64_t)size;
}

static uint64_t stripped_size(const struct tx *t)
{
	uint64_t size = 4 + varint_size(t->input_count) + varint_size(t->output_count) + 4;

	for (uint32_t i = 0; i < t->input_count; i++)
		size += 36 + var_size(t->inputs[i].script_sig.size) + 4;
	for (uint32_t i = 0; i < t->output_count; i++)
		size += 8 + var_size(t->outputs[i].script.size);
	return size;
}

uint64_t tx_weight(const struct tx *t)
{
	/* BIP 141: base size * 3 + total size. */
	uint64_t weight = 4 * stripped_size(t);

	if (!has_witness(t))
		return weight;
	weight += 2; /* marker and flag */
	for (uint32_t i = 0; i < t->input_count; i++) {
		weight += varint_size(t->inputs[i].witness_count);
		for (uint32_t j = 0; j < t->inputs[i].witness_count; j++)
			weight += var_size(t->inputs[i].witness[j].size);
	}
	return weight;
}

void tx_set_witness(struct arena *a, struct tx *t, uint32_t input, const struct bytes *items, uint32_t count)
{
	struct tx_input *in;

	ASSERT(input < t->input_count);
	in = &t->inputs[input];
	in->witness = ARENA_ARRAY(a, struct bytes, count);
	in->witness_count = count;
	for (uint32_t i = 0; i < count; i++)
		in->witness[i] = arena_bytes(a, items[i]);
}

struct tx *tx_copy(struct arena *a, const struct tx *t)
{
	struct tx *copy = tx_new(a, t->version, t->input_count, t->output_count, t->locktime);

	for (uint32_t i = 0; i < t->input_count; i++) {
		copy->inputs[i].prev = t->inputs[i].prev;
		copy->inputs[i].script_sig = arena_bytes(a, t->inputs[i].script_sig);
		copy->inputs[i].sequence = t->inputs[i].sequence;
		tx_set_witness(a, copy, i, t->inputs[i].witness, t->inputs[i].witness_count);
	}
	for (uint32_t i = 0; i < t->output_count; i++) {
		copy->outputs[i].amount = t->outputs[i].amount;
		copy->outputs[i].script = arena_bytes(a, t->outputs[i].script);
	}
	return copy;
}

void hash_to_hex(char out65[65], const uint8_t hash32[32])
{
	uint8_t reversed[32];

	for (size_t i = 0; i < 32; i++)
		reversed[i] = hash32[31 - i];
	hex_encode(out65, reversed, sizeof(reversed));
}

bool hash_from_hex(uint8_t out32[32], const char *hex64)
{
	uint8_t reversed[32];

	if (!hex_decode(reversed, sizeof(reversed), hex64, strlen(hex64)))
		return false;
	for (size_t i = 0; i < 32; i++)
		out32[i] = reversed[31 - i];
	return true;
}

void txid_to_hex(char out65[65], const struct txid *t)
{
	hash_to_hex(out65, t->v);
}

bool txid_from_hex(struct txid *out, const char *hex64)
{
	return hash_from_hex(out->v, hex64);
}
