/* Any order of invoices, HTLCs, time, deciders and restarts: each HTLC gets one verdict, a
 * set is fulfilled whole, an invoice is paid once (INV-R1 to INV-R4). */
#include "crypto/hash.h"
#include "payment/receive.h"
#include "tests/preimages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HASHES = 4, HTLCS = 64, RECORDS = 4096 };

struct world {
	struct receive_config config; /* with a decider, or without */
	struct receive *receive;
	struct effects effects;
	struct step step;
	struct receive_verdicts verdicts;
	struct buf keys[RECORDS], values[RECORDS], numbers;
	uint32_t records;
	bool past[HASHES];                /* the store has an invoice of it that is over */
	struct {
		uint8_t hash;
		bool handed_in, decided, fulfilled;
		uint64_t amount;
	} htlcs[HTLCS];
	uint32_t htlc_count;
	uint32_t fulfilled_calls[HASHES]; /* steps that fulfilled HTLCs of the hash */
	uint32_t made[HASHES], sent_freely[HASHES]; /* invoices, and HTLCs with their own preimage */
};

static const uint8_t seed16[16] = { 1 };
static const struct receive_config config = { .accept_keysend = true, .invoices_max = 3, .take_blocks_min = 18,
						    .keysend_cltv_blocks = 18 };

static void keep_past(struct world *w, const struct effect *e)
{
	for (uint8_t v = 0; v < HASHES; v++) {
		struct sha256 h = hash_of(v);

		if (e->u.persist.key.size == RECEIVE_KEY_SIZE && !memcmp(e->u.persist.key.data + 8, h.v, 32))
			w->past[v] = true;
	}
}

static void keep_record(struct world *w, const struct effect *e)
{
	uint32_t i = 0;

	if (e->u.persist.kind == RECORD_NODE) {
		buf_clear(&w->numbers);
		buf_add_bytes(&w->numbers, e->u.persist.value);
	}
	if (e->u.persist.kind == RECORD_INVOICE_PAST)
		keep_past(w, e);
	if (e->u.persist.kind != RECORD_INVOICE)
		return;
	while (i < w->records && !bytes_equal(buf_view(&w->keys[i]), e->u.persist.key))
		i++;
	ASSERT(i < ARRAY_COUNT(w->keys));
	if (i == w->records)
		w->records++;
	buf_clear(&w->keys[i]);
	buf_clear(&w->values[i]);
	buf_add_bytes(&w->keys[i], e->u.persist.key); /* removed: an empty value */
	buf_add_bytes(&w->values[i], e->u.persist.value);
}

static void take_verdicts(struct world *w)
{
	bool fulfilled[HASHES] = { false };

	receive_flush(w->receive, &w->step);
	for (struct receive_verdict *v = w->verdicts.head; v; v = v->next) {
		ASSERT(v->htlc_id < w->htlc_count);
		/* INV-R3 */
		ASSERT(w->htlcs[v->htlc_id].handed_in && !w->htlcs[v->htlc_id].decided);
		w->htlcs[v->htlc_id].decided = true;
		w->htlcs[v->htlc_id].fulfilled = v->fulfil;
		if (v->fulfil) {
			struct sha256 h = sha256(v->preimage.v, 32), want = hash_of(w->htlcs[v->htlc_id].hash);

			ASSERT(SAME(h, want));
			fulfilled[w->htlcs[v->htlc_id].hash] = true;
		}
	}
	for (int i = 0; i < HASHES; i++)
		w->fulfilled_calls[i] += fulfilled[i];
	for (struct effect *e = w->effects.head; e; e = e->next)
		if (e->kind == EFFECT_PERSIST)
			keep_record(w, e);
	w->verdicts = (struct receive_verdicts){ 0 };
	effects_reset(&w->effects);
	receive_check_invariants(w->receive);
	/* INV-R2: one step at most has paid an invoice. */
	for (int i = 0; i < HASHES; i++)
		ASSERT(w->fulfilled_calls[i] <= w->made[i] + w->sent_freely[i]);
}

static void add_invoice(struct world *w, uint8_t v, uint8_t amount)
{
	char label[2] = { (char)('a' + v), 0 };
	struct sha256 hash = hash_of(v);
	struct receive_claim *c;
	struct receive_new_invoice n = {
		.payment_hash = hash_of(v), .preimage = preimage_of(v), .any_amount = amount == 0, .amount = MSAT(amount),
		.min_final_cltv = 18, .expires_at_s = w->step.now_ms / 1000 + 200, .description = "",
		.bolt11 = "",
	};

	/* As the node asks the store. */
	if (w->past[v] || receive_claim(w->receive, &w->step, &c, label, &hash) != REPLY_OK)
		return;
	(void)receive_add(w->receive, &w->step, c, &n);
	w->made[v]++;
}

static void hand_in(struct world *w, uint32_t id, uint8_t v, uint8_t amount, uint8_t total, uint8_t flags)
{
	struct receive_htlc h = { 7, id, MSAT(amount), 118 + (flags & 1) - (flags >> 1 & 1), hash_of(v) };
	struct payload p = {
		.is_final = true, .amount = MSAT(amount), .total = MSAT(total), .cltv_expiry = 118,
		.has_secret = !(flags & 4), .has_keysend = flags & 8, .keysend = preimage_of(v),
	};

	w->htlcs[id].handed_in = true;
	w->sent_freely[v] += p.has_keysend;
	receive_htlc(w->receive, &w->step, &h, &p, &w->verdicts);
}

/* What is stored comes back; the channels show the HTLCs that were not decided. */
static void restart(struct world *w)
{
	receive_free(w->receive);
	w->receive = receive_new(&w->config, seed16);
	for (uint32_t i = 0; i < w->records; i++)
		ASSERT(!w->values[i].size || receive_load(w->receive, buf_view(&w->keys[i]), buf_view(&w->values[i])));
	ASSERT(!w->numbers.size || receive_load_numbers(w->receive, buf_view(&w->numbers)));
	for (uint32_t i = 0; i < w->htlc_count; i++)
		if (!w->htlcs[i].decided)
			hand_in(w, i, w->htlcs[i].hash, (uint8_t)w->htlcs[i].amount, 100, 1);
}

/* Only of a set that waits for it. */
static void decide(struct world *w, uint8_t v, uint8_t how)
{
	const struct sha256 hash = hash_of(v);
	const struct preimage preimage = preimage_of(v);
	bool done;

	if (how & 4)
		done = receive_refuse(w->receive, &w->step, &hash, FAIL_TEMPORARY_NODE_FAILURE, &w->verdicts);
	else
		done = receive_accept(w->receive, &w->step, &hash, how & 8 ? &preimage : NULL, &w->verdicts);
	ASSERT(done == (w->verdicts.head != NULL));
	ASSERT(!done || w->config.hold);
}

static void act(struct world *w, const uint8_t *b)
{
	uint8_t v = b[0] >> 3 & 3;
	struct secret32 secret = { { 0 } };
	struct sha256 hash = hash_of(v);
	struct preimage out;

	switch (b[0] & 7) {
	case 0:
		add_invoice(w, v, b[1]);
		break;
	case 1:
	case 2:
	case 3:
		if (w->htlc_count == HTLCS)
			break;
		w->htlcs[w->htlc_count].hash = v;
		w->htlcs[w->htlc_count].amount = b[1];
		hand_in(w, w->htlc_count++, v, b[1], b[2], b[3]);
		break;
	case 4:
		w->step.now_ms += 1000u * b[1];
		receive_tick(w->receive, &w->step, &w->verdicts);
		receive_flush(w->receive, &w->step);
		ASSERT(receive_deadline(w->receive) > w->step.now_ms);
		break;
	case 5:
		restart(w);
		break;
	case 6:
		if (receive_from_self(w->receive, &w->step, &out, &hash, &secret, MSAT(b[1])) == REPLY_OK)
			w->fulfilled_calls[v]++;
		break;
	default:
		if (b[2] & 2) {
			decide(w, v, b[2]);
			break;
		}
		receive_wait(w->receive, &w->step, b[1], (const char[2]){ (char)('a' + v), 0 });
		if (b[2] & 1)
			receive_call_gone(w->receive, b[1]);
		break;
	}
	take_verdicts(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { 0 };

	w.config = config;
	w.config.hold = size && (data[0] & 0x80);
	w.receive = receive_new(&w.config, seed16);
	effects_init(&w.effects);
	w.step.out = &w.effects;
	w.step.now_ms = 1000000;
	w.step.height = 100;
	for (; size >= 4; data += 4, size -= 4)
		act(&w, data);
	for (uint8_t v = 0; v < HASHES; v++) {
		decide(&w, v, 4);
		take_verdicts(&w);
	}
	/* Nothing else waits for ever. */
	w.step.now_ms += RECEIVE_SET_TIMEOUT_MS;
	receive_tick(w.receive, &w.step, &w.verdicts);
	take_verdicts(&w);
	for (uint32_t i = 0; i < w.htlc_count; i++)
		ASSERT(w.htlcs[i].decided);
	receive_free(w.receive);
	effects_release(&w.effects);
	buf_release(&w.numbers);
	for (size_t i = 0; i < ARRAY_COUNT(w.keys); i++) {
		buf_release(&w.keys[i]);
		buf_release(&w.values[i]);
	}
	return 0;
}
