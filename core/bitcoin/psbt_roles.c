/* Creator, constructor, updater, combiner and extractor. */
#include "bitcoin/psbt.h"

#define SEQUENCE_FINAL 0xffffffffu

static const uint16_t global_v2[] = { PSBT_GLOBAL_TX_VERSION, PSBT_GLOBAL_FALLBACK_LOCKTIME, PSBT_GLOBAL_INPUT_COUNT,
				      PSBT_GLOBAL_OUTPUT_COUNT, PSBT_GLOBAL_TX_MODIFIABLE, PSBT_GLOBAL_VERSION };
static const uint16_t input_v2[] = { PSBT_IN_PREVIOUS_TXID, PSBT_IN_OUTPUT_INDEX, PSBT_IN_SEQUENCE,
				     PSBT_IN_REQUIRED_TIME_LOCKTIME, PSBT_IN_REQUIRED_HEIGHT_LOCKTIME };
static const uint16_t output_v2[] = { PSBT_OUT_AMOUNT, PSBT_OUT_SCRIPT };

static void set_u32(struct psbt *p, struct psbt_map *m, uint64_t type, uint32_t v)
{
	uint8_t raw[4];

	store_le32(raw, v);
	psbt_set(p, m, type, BYTES_NONE, BYTES_OF(raw));
}

static bool get_u32(const struct psbt_map *m, uint64_t type, uint32_t *v)
{
	struct bytes value;

	if (!psbt_get(m, type, BYTES_NONE, &value))
		return false;
	*v = load_le32(value.data);
	return true;
}

static void set_count(struct psbt *p, uint64_t type, uint32_t count)
{
	struct buf b = BUF_EMPTY;

	buf_add_varint(&b, count);
	psbt_set(p, &p->global, type, BYTES_NONE, buf_view(&b));
	buf_release(&b);
}

/* Version 0's form of the transaction. */
static void set_unsigned_tx(struct psbt *p, const struct tx *t)
{
	struct tx bare = *t;
	struct buf b = BUF_EMPTY;

	bare.inputs = ARENA_ARRAY(p->arena, struct tx_input, t->input_count);
	for (uint32_t i = 0; i < t->input_count; i++) {
		bare.inputs[i].prev = t->inputs[i].prev;
		bare.inputs[i].sequence = t->inputs[i].sequence;
	}
	tx_encode_stripped(&bare, &b);
	psbt_set(p, &p->global, PSBT_GLOBAL_UNSIGNED_TX, BYTES_NONE, buf_view(&b));
	buf_release(&b);
}

/* Version 2's. */
static void set_tx_fields(struct psbt *p, const struct tx *t)
{
	set_u32(p, &p->global, PSBT_GLOBAL_VERSION, 2);
	set_u32(p, &p->global, PSBT_GLOBAL_TX_VERSION, (uint32_t)t->version);
	set_u32(p, &p->global, PSBT_GLOBAL_FALLBACK_LOCKTIME, t->locktime);
	set_count(p, PSBT_GLOBAL_INPUT_COUNT, t->input_count);
	set_count(p, PSBT_GLOBAL_OUTPUT_COUNT, t->output_count);
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct tx_input *in = &t->inputs[i];

		psbt_set(p, &p->inputs[i], PSBT_IN_PREVIOUS_TXID, BYTES_NONE, BYTES_OF(in->prev.txid.v));
		set_u32(p, &p->inputs[i], PSBT_IN_OUTPUT_INDEX, in->prev.index);
		set_u32(p, &p->inputs[i], PSBT_IN_SEQUENCE, in->sequence);
	}
	for (uint32_t i = 0; i < t->output_count; i++) {
		uint8_t amount[8];

		store_le64(amount, t->outputs[i].amount.v);
		psbt_set(p, &p->outputs[i], PSBT_OUT_AMOUNT, BYTES_NONE, BYTES_OF(amount));
		psbt_set(p, &p->outputs[i], PSBT_OUT_SCRIPT, BYTES_NONE, t->outputs[i].script);
	}
}

static void set_tx(struct psbt *p, const struct tx *t)
{
	if (p->version == 0)
		set_unsigned_tx(p, t);
	else
		set_tx_fields(p, t);
}

struct psbt *psbt_from_tx(struct arena *a, const struct tx *t, uint32_t version)
{
	struct psbt *p = ARENA_NEW(a, struct psbt);

	ASSERT(version == 0 || version == 2);
	p->arena = a;
	p->version = version;
	p->input_count = t->input_count;
	p->output_count = t->output_count;
	p->inputs = ARENA_ARRAY(a, struct psbt_map, t->input_count);
	p->outputs = ARENA_ARRAY(a, struct psbt_map, t->output_count);
	set_tx(p, t);
	return p;
}

/* BIP 370 "Determining Lock Time". */
static bool locktime_of(const struct psbt *p, uint32_t *locktime)
{
	uint32_t height = 0, time = 0;
	bool any = false, heights = true, times = true;

	for (uint32_t i = 0; i < p->input_count; i++) {
		uint32_t v;
		bool has_height = get_u32(&p->inputs[i], PSBT_IN_REQUIRED_HEIGHT_LOCKTIME, &v);

		if (has_height && v > height)
			height = v;
		bool has_time = get_u32(&p->inputs[i], PSBT_IN_REQUIRED_TIME_LOCKTIME, &v);

		if (has_time && v > time)
			time = v;
		if (has_height || has_time) {
			any = true;
			heights &= has_height;
			times &= has_time;
		}
	}
	*locktime = 0;
	if (!any) {
		if (!get_u32(&p->global, PSBT_GLOBAL_FALLBACK_LOCKTIME, locktime))
			*locktime = 0;
		return true;
	}
	/* Where both would do, the height. */
	*locktime = heights ? height : time;
	return heights || times;
}

static struct tx *tx_of_v2(struct arena *a, const struct psbt *p)
{
	struct tx *t = tx_new(a, 0, p->input_count, p->output_count, 0);
	struct bytes value;
	uint32_t version;

	ASSERT(get_u32(&p->global, PSBT_GLOBAL_TX_VERSION, &version));
	t->version = (int32_t)version;
	if (!locktime_of(p, &t->locktime))
		return NULL;
	for (uint32_t i = 0; i < t->input_count; i++) {
		struct tx_input *in = &t->inputs[i];

		ASSERT(psbt_get(&p->inputs[i], PSBT_IN_PREVIOUS_TXID, BYTES_NONE, &value));
		memcpy(in->prev.txid.v, value.data, sizeof(in->prev.txid.v));
		ASSERT(get_u32(&p->inputs[i], PSBT_IN_OUTPUT_INDEX, &in->prev.index));
		if (!get_u32(&p->inputs[i], PSBT_IN_SEQUENCE, &in->sequence))
			in->sequence = SEQUENCE_FINAL;
	}
	for (uint32_t i = 0; i < t->output_count; i++) {
		ASSERT(psbt_get(&p->outputs[i], PSBT_OUT_AMOUNT, BYTES_NONE, &value));
		t->outputs[i].amount = SAT(load_le64(value.data));
		ASSERT(psbt_get(&p->outputs[i], PSBT_OUT_SCRIPT, BYTES_NONE, &t->outputs[i].script));
	}
	return t;
}

struct tx *psbt_tx(struct arena *a, const struct psbt *p)
{
	struct bytes value;
	struct cursor c;

	if (p->version == 2)
		return tx_of_v2(a, p);
	ASSERT(psbt_get(&p->global, PSBT_GLOBAL_UNSIGNED_TX, BYTES_NONE, &value));
	c = cursor_of(value);
	return tx_decode_stripped(a, &c);
}

bool psbt_id(const struct psbt *p, struct txid *out)
{
	struct arena scratch;
	struct tx *t;

	arena_init(&scratch);
	t = psbt_tx(&scratch, p);
	/* BIP 370: updaters may change sequences of version 2. */
	for (uint32_t i = 0; t && p->version == 2 && i < t->input_count; i++)
		t->inputs[i].sequence = 0;
	if (t)
		*out = tx_id(t);
	arena_release(&scratch);
	return t != NULL;
}

static struct psbt_map copy_map(struct arena *a, const struct psbt_map *m)
{
	struct psbt_map copy = { .count = m->count, .capacity = m->count };

	copy.pairs = arena_copy(a, m->pairs, m->count * sizeof(*m->pairs));
	return copy;
}

static void remove_types(struct psbt_map *m, const uint16_t *types, size_t count)
{
	for (size_t i = 0; i < count; i++)
		psbt_remove_all(m, types[i]);
}

struct psbt *psbt_convert(struct arena *a, const struct psbt *p, uint32_t version)
{
	struct tx *t = psbt_tx(a, p);
	struct psbt *q;

	if (!t)
		return NULL;
	q = psbt_from_tx(a, t, version);
	q->global = copy_map(a, &p->global);
	psbt_remove_all(&q->global, PSBT_GLOBAL_UNSIGNED_TX);
	remove_types(&q->global, global_v2, ARRAY_COUNT(global_v2));
	for (uint32_t i = 0; i < p->input_count; i++) {
		q->inputs[i] = copy_map(a, &p->inputs[i]);
		remove_types(&q->inputs[i], input_v2, ARRAY_COUNT(input_v2));
	}
	for (uint32_t i = 0; i < p->output_count; i++) {
		q->outputs[i] = copy_map(a, &p->outputs[i]);
		remove_types(&q->outputs[i], output_v2, ARRAY_COUNT(output_v2));
	}
	set_tx(q, t);
	return q;
}

void psbt_set_witness_utxo(struct psbt *p, uint32_t input, const struct tx_output *spent)
{
	struct buf b = BUF_EMPTY;

	ASSERT(input < p->input_count);
	tx_output_encode(spent, &b);
	psbt_set(p, &p->inputs[input], PSBT_IN_WITNESS_UTXO, BYTES_NONE, buf_view(&b));
	buf_release(&b);
}

void psbt_set_non_witness_utxo(struct psbt *p, uint32_t input, const struct tx *t)
{
	struct buf b = BUF_EMPTY;

	ASSERT(input < p->input_count);
	tx_encode(t, &b);
	psbt_set(p, &p->inputs[input], PSBT_IN_NON_WITNESS_UTXO, BYTES_NONE, buf_view(&b));
	buf_release(&b);
}

static void add_path(struct buf *b, const uint8_t master4[4], const uint32_t *path, size_t count)
{
	buf_add(b, master4, 4);
	for (size_t i = 0; i < count; i++)
		buf_add_le32(b, path[i]);
}

void psbt_set_derivation(struct psbt *p, struct psbt_map *m, uint64_t type, const struct pubkey *key,
			 const uint8_t master4[4], const uint32_t *path, size_t count)
{
	struct buf b = BUF_EMPTY;

	add_path(&b, master4, path, count);
	psbt_set(p, m, type, BYTES_OF(key->v), buf_view(&b));
	buf_release(&b);
}

void psbt_set_tap_derivation(struct psbt *p, struct psbt_map *m, uint64_t type, const struct xonly *key,
			     const uint8_t master4[4], const uint32_t *path, size_t count)
{
	struct buf b = BUF_EMPTY;

	buf_add_varint(&b, 0); /* no leaf has it */
	add_path(&b, master4, path, count);
	psbt_set(p, m, type, BYTES_OF(key->v), buf_view(&b));
	buf_release(&b);
}

static void combine_maps(struct psbt *p, struct psbt_map *into, const struct psbt_map *from)
{
	struct bytes value;

	for (uint32_t i = 0; i < from->count; i++)
		if (!psbt_get(into, from->pairs[i].type, from->pairs[i].data, &value))
			psbt_set(p, into, from->pairs[i].type, from->pairs[i].data, from->pairs[i].value);
}

bool psbt_combine(struct psbt *p, const struct psbt *other)
{
	struct txid mine, theirs;

	if (p->version != other->version || !psbt_id(p, &mine) || !psbt_id(other, &theirs) || !SAME(mine, theirs))
		return false;
	combine_maps(p, &p->global, &other->global);
	for (uint32_t i = 0; i < p->input_count; i++)
		combine_maps(p, &p->inputs[i], &other->inputs[i]);
	for (uint32_t i = 0; i < p->output_count; i++)
		combine_maps(p, &p->outputs[i], &other->outputs[i]);
	return true;
}

static void read_witness(struct arena *a, struct tx_input *in, struct bytes value)
{
	struct cursor c = cursor_of(value);

	/* The count was checked against the bytes when the field was read. */
	in->witness_count = (uint32_t)cursor_varint(&c);
	in->witness = ARENA_ARRAY(a, struct bytes, in->witness_count);
	for (uint32_t i = 0; i < in->witness_count; i++)
		in->witness[i] = cursor_bytes(&c, (size_t)cursor_varint(&c));
	ASSERT(cursor_done(&c));
}

struct tx *psbt_extract(struct arena *a, const struct psbt *p)
{
	struct tx *t = psbt_tx(a, p);

	for (uint32_t i = 0; t && i < p->input_count; i++) {
		struct bytes script_sig, witness;
		bool has_sig = psbt_get(&p->inputs[i], PSBT_IN_FINAL_SCRIPTSIG, BYTES_NONE, &script_sig);
		bool has_witness = psbt_get(&p->inputs[i], PSBT_IN_FINAL_SCRIPTWITNESS, BYTES_NONE, &witness);

		if (!has_sig && !has_witness)
			return NULL;
		if (has_sig)
			t->inputs[i].script_sig = script_sig;
		if (has_witness)
			read_witness(a, &t->inputs[i], witness);
	}
	return t;
}
