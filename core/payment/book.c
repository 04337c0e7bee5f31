#include "payment/book.h"

#include "base/cursor.h"
#include "crypto/hash.h"

#define NUMBERS_VERSION 1

static struct bytes hash_key(const void *object)
{
	return BYTES_OF(((const struct received_invoice *)object)->payment_hash.v);
}

static struct bytes label_key(const void *object)
{
	return ((const struct received_invoice *)object)->r.label;
}

static struct bytes claim_hash(const void *object)
{
	return BYTES_OF(((const struct receive_claim *)object)->payment_hash.v);
}

static struct bytes claim_label(const void *object)
{
	return buf_view(&((const struct receive_claim *)object)->label);
}

void book_init(struct book *b, const uint8_t seed16[16])
{
	table_init(&b->by_hash, hash_key, seed16);
	table_init(&b->by_label, label_key, seed16);
	table_init(&b->claims_by_hash, claim_hash, seed16);
	table_init(&b->claims_by_label, claim_label, seed16);
	b->shelf_tail = &b->shelf;
}

static void invoice_free(struct received_invoice *i)
{
	buf_wipe(&i->stored);
	mem_wipe_free(i, sizeof(*i));
}

void book_release(struct book *b)
{
	struct received_invoice *i;
	struct receive_claim *c;
	uint32_t at = 0;

	while ((i = table_next(&b->by_hash, &at)))
		invoice_free(i);
	for (at = 0; (c = table_next(&b->claims_by_hash, &at));) {
		buf_release(&c->label);
		mem_free(c);
	}
	table_release(&b->by_hash);
	table_release(&b->by_label);
	table_release(&b->claims_by_hash);
	table_release(&b->claims_by_label);
	mem_free(b->due);
}

struct received_invoice *book_by_hash(const struct book *b, const struct sha256 *payment_hash)
{
	return table_get(&b->by_hash, BYTES_OF(payment_hash->v));
}

struct received_invoice *book_by_label(const struct book *b, struct bytes label)
{
	return table_get(&b->by_label, label);
}

/* --- when they expire --- */

static void place(struct book *b, uint32_t at, struct received_invoice *i)
{
	b->due[at] = i;
	i->due_at = at;
}

static void sift_up(struct book *b, uint32_t at)
{
	struct received_invoice *i = b->due[at];

	for (; at && i->due_ms < b->due[(at - 1) / 2]->due_ms; at = (at - 1) / 2)
		place(b, at, b->due[(at - 1) / 2]);
	place(b, at, i);
}

static void sift_down(struct book *b, uint32_t at)
{
	struct received_invoice *i = b->due[at];
	uint32_t child;

	while ((child = 2 * at + 1) < b->due_count) {
		if (child + 1 < b->due_count && b->due[child + 1]->due_ms < b->due[child]->due_ms)
			child++;
		if (i->due_ms <= b->due[child]->due_ms)
			break;
		place(b, at, b->due[child]);
		at = child;
	}
	place(b, at, i);
}

static void due_add(struct book *b, struct received_invoice *i)
{
	i->due_ms = i->r.expires_at_s < UINT64_MAX / 1000 ? i->r.expires_at_s * 1000 : UINT64_MAX;
	if (b->due_count == b->due_capacity) {
		b->due_capacity = b->due_capacity ? 2 * b->due_capacity : 64;
		b->due = mem_realloc(b->due, b->due_capacity, sizeof(*b->due));
	}
	place(b, b->due_count++, i);
	sift_up(b, i->due_at);
}

static void due_remove(struct book *b, struct received_invoice *i)
{
	const uint32_t at = i->due_at;
	struct received_invoice *last = b->due[--b->due_count];

	ASSERT(at <= b->due_count);
	if (last == i)
		return;
	place(b, at, last);
	sift_up(b, at);
	sift_down(b, last->due_at);
}

struct received_invoice *book_first_due(const struct book *b)
{
	return b->due_count ? b->due[0] : NULL;
}

void book_put_off(struct book *b, struct received_invoice *i, uint64_t due_ms)
{
	ASSERT(due_ms >= i->due_ms);
	i->due_ms = due_ms;
	sift_down(b, i->due_at);
}

/* --- records --- */

/* Points the record's views into the invoice's own bytes. */
static bool read_stored(struct received_invoice *i)
{
	struct arena a;
	bool good;

	/* The record has no arrays, so nothing of it lives in the arena. */
	arena_init(&a);
	good = record_invoice_decode(buf_view(&i->stored), &a, &i->r);
	arena_release(&a);
	return good;
}

/* Keys run with time: what is stored together lies together, and a batch touches few pages. */
static void record_key(uint8_t out40[RECEIVE_KEY_SIZE], const struct received_invoice *i)
{
	store_be64(out40, i->r.created_index);
	memcpy(out40 + 8, i->payment_hash.v, 32);
}

void book_store(struct received_invoice *i, struct step *s)
{
	struct buf next = BUF_EMPTY;
	uint8_t key[RECEIVE_KEY_SIZE];

	record_invoice_encode(&i->r, &next);
	buf_wipe(&i->stored);
	i->stored = next;
	ASSERT(read_stored(i));
	record_key(key, i);
	effect_persist(s->out, RECORD_INVOICE, BYTES_OF(key), buf_view(&i->stored));
}

static bool record_is_sound(const struct sha256 *payment_hash, const struct record_invoice *v)
{
	struct sha256 h = sha256(v->preimage.v, sizeof(v->preimage.v));

	return SAME(h, *payment_hash) && (v->kind == INVOICE_BOLT11 || v->kind == INVOICE_KEYSEND) &&
	       (v->state == INVOICE_UNPAID || v->state == INVOICE_PAID);
}

bool receive_read(struct bytes key, struct bytes value, struct arena *a, struct sha256 *payment_hash, struct record_invoice *out)
{
	if (key.size != RECEIVE_KEY_SIZE || !record_invoice_decode(value, a, out) || load_be64(key.data) != out->created_index)
		return false;
	memcpy(payment_hash->v, key.data + 8, sizeof(payment_hash->v));
	return record_is_sound(payment_hash, out);
}

/* An entry by which a record of the past is found: its key ends and its value begins with the created_index, so that
 * two of one name do not meet. */
static void index_key(struct buf *out, char of, struct bytes name, uint64_t created_index)
{
	receive_index_key(out, of, name);
	if (of != RECEIVE_INDEX_PAID)
		buf_add_be64(out, created_index);
}

void receive_index_key(struct buf *out, char of, struct bytes name)
{
	buf_add_u8(out, (uint8_t)of);
	buf_add_bytes(out, name);
	if (of == RECEIVE_INDEX_LABEL)
		buf_add_u8(out, 0); /* labels have no NUL: none of them begins another */
}

static void write_entry(struct step *s, char of, struct bytes name, uint64_t created_index, bool remove)
{
	struct buf key = BUF_EMPTY;
	uint8_t value[8];

	index_key(&key, of, name, created_index);
	store_be64(value, created_index);
	if (remove)
		effect_remove(s->out, RECORD_INVOICE_INDEX, buf_view(&key));
	else
		effect_persist(s->out, RECORD_INVOICE_INDEX, buf_view(&key), BYTES_OF(value));
	buf_release(&key);
}

static void write_entries(struct step *s, struct bytes hash, const struct record_invoice *r, bool remove)
{
	uint8_t paid[8];

	write_entry(s, RECEIVE_INDEX_HASH, hash, r->created_index, remove);
	write_entry(s, RECEIVE_INDEX_LABEL, r->label, r->created_index, remove);
	store_be64(paid, r->paid_index);
	if (r->state == INVOICE_PAID)
		write_entry(s, RECEIVE_INDEX_PAID, BYTES_OF(paid), r->created_index, remove);
}

void book_store_past(struct step *s, struct bytes key, const struct record_invoice *r)
{
	struct buf value = BUF_EMPTY;

	record_invoice_encode(r, &value);
	effect_persist(s->out, RECORD_INVOICE_PAST, key, buf_view(&value));
	buf_wipe(&value);
}

void book_delete_past(struct step *s, struct bytes key, const struct record_invoice *r)
{
	effect_remove(s->out, RECORD_INVOICE_PAST, key);
	write_entries(s, BYTES(key.data + 8, 32), r, true);
}

enum invoice_state receive_past_state(struct bytes key, struct bytes value, struct arena *a, uint64_t *over_s)
{
	struct record_invoice r;
	struct sha256 hash;
	const bool good = receive_read(key, value, a, &hash, &r);

	*over_s = !good ? 0 : r.state == INVOICE_PAID ? r.paid_at_s : r.expires_at_s;
	return good && r.state == INVOICE_PAID ? INVOICE_PAID : INVOICE_EXPIRED;
}

void receive_delete_past(struct step *s, struct bytes key, struct bytes value)
{
	struct record_invoice r;
	struct sha256 hash;

	ASSERT(receive_read(key, value, &s->out->arena, &hash, &r));
	book_delete_past(s, key, &r);
}

/* --- coming and going --- */

static void count_numbers(struct book *b, const struct record_invoice *r)
{
	if (r->created_index > b->last_created_index) {
		b->last_created_index = r->created_index;
		b->numbers_changed = true;
	}
	if (r->paid_index > b->last_paid_index) {
		b->last_paid_index = r->paid_index;
		b->numbers_changed = true;
	}
}

static void put_on_shelf(struct book *b, struct received_invoice *i)
{
	i->on_shelf = true;
	*b->shelf_tail = i;
	b->shelf_tail = &i->shelf_next;
}

static void take_from_shelf(struct book *b, const struct received_invoice *i)
{
	struct received_invoice **at = &b->shelf;

	while (*at != i)
		at = &(*at)->shelf_next;
	*at = i->shelf_next;
	while (*at)
		at = &(*at)->shelf_next;
	b->shelf_tail = at;
}

static void enter(struct book *b, struct received_invoice *i)
{
	table_add(&b->by_hash, i);
	table_add(&b->by_label, i);
	count_numbers(b, &i->r);
	if (i->r.state == INVOICE_PAID) {
		put_on_shelf(b, i);
		return;
	}
	b->unpaid_count++;
	due_add(b, i);
}

bool book_load(struct book *b, struct bytes key, struct bytes value)
{
	struct received_invoice *i = NEW(struct received_invoice);

	buf_add_bytes(&i->stored, value);
	if (key.size == RECEIVE_KEY_SIZE) {
		memcpy(i->payment_hash.v, key.data + 8, 32);
		if (read_stored(i) && load_be64(key.data) == i->r.created_index && record_is_sound(&i->payment_hash, &i->r) &&
		    !book_by_hash(b, &i->payment_hash) && !book_by_label(b, i->r.label)) {
			enter(b, i);
			return true;
		}
	}
	invoice_free(i);
	return false;
}

bool book_load_numbers(struct book *b, struct bytes value)
{
	struct cursor c = cursor_of(value);
	struct record_invoice r = { 0 };

	if (cursor_u8(&c) != NUMBERS_VERSION)
		return false;
	r.created_index = cursor_be64(&c);
	r.paid_index = cursor_be64(&c);
	count_numbers(b, &r);
	b->numbers_changed = r.created_index < b->last_created_index || r.paid_index < b->last_paid_index;
	return cursor_done(&c);
}

static void store_numbers(struct book *b, struct step *s)
{
	struct buf value = BUF_EMPTY;

	buf_add_u8(&value, NUMBERS_VERSION);
	buf_add_be64(&value, b->last_created_index);
	buf_add_be64(&value, b->last_paid_index);
	effect_persist(s->out, RECORD_NODE, bytes_from_string(RECEIVE_NUMBERS_KEY), buf_view(&value));
	buf_release(&value);
	b->numbers_changed = false;
}

struct received_invoice *book_add(struct book *b, struct step *s, const struct sha256 *payment_hash, const struct record_invoice *r)
{
	struct received_invoice *i = NEW(struct received_invoice);

	i->payment_hash = *payment_hash;
	i->r = *r;
	i->r.created_index = b->last_created_index + 1;
	/* B11.tagged_fields.3 */
	ASSERT(record_is_sound(payment_hash, &i->r));
	book_store(i, s);
	enter(b, i);
	return i;
}

static void leave(struct book *b, struct received_invoice *i)
{
	ASSERT(table_remove(&b->by_label, i->r.label) == i);
	ASSERT(table_remove(&b->by_hash, hash_key(i)) == i);
	invoice_free(i);
}

void book_settle(struct book *b, struct received_invoice *i)
{
	ASSERT(!i->on_shelf && b->unpaid_count);
	due_remove(b, i);
	b->unpaid_count--;
	count_numbers(b, &i->r);
	put_on_shelf(b, i);
}

void book_delete(struct book *b, struct step *s, struct received_invoice *i)
{
	uint8_t key[RECEIVE_KEY_SIZE];

	record_key(key, i);
	effect_remove(s->out, RECORD_INVOICE, BYTES_OF(key));
	if (i->on_shelf) {
		take_from_shelf(b, i);
	} else {
		due_remove(b, i);
		b->unpaid_count--;
	}
	leave(b, i);
}

void book_put_away(struct book *b, struct step *s, uint32_t most)
{
	struct received_invoice *i;
	uint8_t key[RECEIVE_KEY_SIZE];

	for (; (i = b->shelf) && most; most--) {
		record_key(key, i);
		effect_remove(s->out, RECORD_INVOICE, BYTES_OF(key));
		effect_persist(s->out, RECORD_INVOICE_PAST, BYTES_OF(key), buf_view(&i->stored));
		write_entries(s, hash_key(i), &i->r, false);
		b->shelf = i->shelf_next;
		leave(b, i);
	}
	if (!b->shelf)
		b->shelf_tail = &b->shelf;
	if (b->numbers_changed)
		store_numbers(b, s);
}

void book_check(const struct book *b)
{
	const struct received_invoice *i;
	uint32_t at = 0, unpaid = 0;

	ASSERT(table_count(&b->by_hash) == table_count(&b->by_label));
	ASSERT(table_count(&b->claims_by_hash) == table_count(&b->claims_by_label));
	while ((i = table_next(&b->by_hash, &at))) {
		ASSERT(record_is_sound(&i->payment_hash, &i->r));
		ASSERT(book_by_label(b, i->r.label) == i);
		ASSERT(i->on_shelf || (i->r.state == INVOICE_UNPAID && b->due[i->due_at] == i));
		ASSERT(i->on_shelf || !i->due_at || b->due[(i->due_at - 1) / 2]->due_ms <= i->due_ms);
		unpaid += !i->on_shelf;
	}
	ASSERT(unpaid == b->unpaid_count && unpaid == b->due_count);
}
