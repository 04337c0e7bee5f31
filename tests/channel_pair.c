#include "tests/channel_pair.h"

#include <string.h>

#include "contract/htlc_tx.h"
#include "crypto/hash.h"
#include "tests/test.h"
#include "wire/features.h"

/* --- The signer --- */

static struct secret32 secret_of(const char *what, int side)
{
	struct sha256_state h;
	struct secret32 out;
	struct sha256 digest;
	uint8_t byte = (uint8_t)side;

	sha256_init_state(&h);
	sha256_add(&h, what, strlen(what));
	sha256_add(&h, &byte, 1);
	digest = sha256_finish(&h);
	memcpy(out.v, digest.v, 32);
	return out;
}

static void make_keys(struct pair_side *s, int side)
{
	uint8_t blind[32] = { 7 };

	s->secp = secp_new(blind);
	s->seed = secret_of("seed", side);
	s->secrets.funding = secret_of("funding", side);
	s->secrets.revocation = secret_of("revocation", side);
	s->secrets.payment = secret_of("payment", side);
	s->secrets.delayed_payment = secret_of("delayed", side);
	s->secrets.htlc = secret_of("htlc", side);
	pubkey_of(s->secp, &s->points.funding, &s->secrets.funding);
	pubkey_of(s->secp, &s->points.revocation, &s->secrets.revocation);
	pubkey_of(s->secp, &s->points.payment, &s->secrets.payment);
	pubkey_of(s->secp, &s->points.delayed_payment, &s->secrets.delayed_payment);
	pubkey_of(s->secp, &s->points.htlc, &s->secrets.htlc);
}

static struct pubkey point_of(const struct pair_side *s, uint64_t number)
{
	struct secret32 secret = shachain_from_seed(&s->seed, SHACHAIN_FIRST - number);
	struct pubkey point;

	pubkey_of(s->secp, &point, &secret);
	return point;
}

static void sign_remote(struct pair_side *s, const struct sign_request *r, struct sign_answer *out, struct arena *a)
{
	const struct commitment_spec *spec = r->u.commitment;
	struct commitment *c = commitment_build(a, spec);
	struct sha256 *hashes;
	struct secret32 key;

	CHECK(c);
	CHECK(memcmp(spec->countersignatory, &s->points, sizeof(s->points)) == 0);
	if (spec->number < PAIR_SIGNED_MAX) {
		/* Never two of one number. */
		CHECK(!s->signed_remote[spec->number] || SAME(s->signed_hash[spec->number], c->sighash));
		s->signed_remote[spec->number] = true;
		s->signed_hash[spec->number] = c->sighash;
	}
	CHECK((spec->number >= 2) == (r->remote_revoked != NULL));
	ecdsa_sign(s->secp, &out->signature, &c->sighash, &s->secrets.funding, false);
	CHECK(derive_seckey(&key, &s->secrets.htlc, &s->points.htlc, &spec->per_commitment_point));
	hashes = ARENA_ARRAY(a, struct sha256, c->htlc_count);
	out->signatures = ARENA_ARRAY(a, struct sig64, c->htlc_count);
	out->signature_count = c->htlc_count;
	htlc_tx_countersign_hashes(a, c, hashes);
	for (uint32_t i = 0; i < c->htlc_count; i++)
		ecdsa_sign(s->secp, &out->signatures[i], &hashes[i], &key, false);
}

static void sign_local(struct pair_side *s, const struct sign_request *r, struct sign_answer *out, struct arena *a)
{
	const struct commitment_spec *spec = r->u.commitment;
	struct pubkey point = point_of(s, spec->number);
	struct commitment *c = commitment_build(a, spec);

	CHECK(c);
	/* Never a revoked one. */
	CHECK(spec->number >= s->released);
	CHECK(SAME(point, spec->per_commitment_point));
	s->published = true;
	ecdsa_sign(s->secp, &out->signature, &c->sighash, &s->secrets.funding, true);
}

static void sign_revoke(struct pair_side *s, const struct sign_request *r, struct sign_answer *out, struct arena *a)
{
	const struct sign_revoke *v = &r->u.revoke;
	struct commitment *c = commitment_build(a, v->next);
	struct sha256 *hashes;

	CHECK(!s->published);
	/* In order; one that was asked for before may be asked for again. */
	CHECK(v->number <= s->released);
	CHECK(c && v->next->number == v->number + 1);
	CHECK(ecdsa_verify(&v->signature, &c->sighash, &v->next->countersignatory->funding));
	CHECK_EQ(v->htlc_signature_count, c->htlc_count);
	hashes = ARENA_ARRAY(a, struct sha256, c->htlc_count);
	htlc_tx_countersign_hashes(a, c, hashes);
	for (uint32_t i = 0; i < c->htlc_count; i++)
		CHECK(ecdsa_verify(&v->htlc_signatures[i], &hashes[i], &c->keys.countersignatory_htlc));
	if (v->number == s->released)
		s->released++;
	out->secret = shachain_from_seed(&s->seed, SHACHAIN_FIRST - v->number);
	out->next_point = point_of(s, v->number + 2);
}

static void sign_close(struct pair_side *s, const struct sign_request *r, struct sign_answer *out, struct arena *a)
{
	struct bytes script = funding_witness_script(a, &s->points.funding, &r->u.mutual_close.remote_funding);
	struct sha256 hash = sighash_segwit(r->u.mutual_close.tx, 0, script, r->u.mutual_close.funding_amount, SIGHASH_ALL);

	ecdsa_sign(s->secp, &out->signature, &hash, &s->secrets.funding, true);
}

static void sign(struct pair_side *s, const struct sign_request *r, struct sign_answer *out, struct arena *a)
{
	memset(out, 0, sizeof(*out));
	if (s->refuse) {
		out->refused = true;
		out->reason = "told to";
		return;
	}
	switch (r->kind) {
	case SIGN_CHANNEL_NEW:
		out->basepoints = s->points;
		out->first_points[0] = point_of(s, 0);
		out->first_points[1] = point_of(s, 1);
		return;
	case SIGN_REMOTE_COMMITMENT:
		sign_remote(s, r, out, a);
		return;
	case SIGN_LOCAL_COMMITMENT:
		sign_local(s, r, out, a);
		return;
	case SIGN_REVOKE:
		sign_revoke(s, r, out, a);
		return;
	case SIGN_MUTUAL_CLOSE:
		sign_close(s, r, out, a);
		return;
	case SIGN_POINT:
		out->next_point = point_of(s, r->u.number);
		return;
	case SIGN_SPEND:
	case SIGN_ECDH:
	case SIGN_INVOICE:
	case SIGN_GOSSIP:
	case SIGN_ANNOUNCEMENT:
		break;
	}
	CHECK(!"a channel asks for no such thing");
}

/* --- The store and the wire --- */

static struct pair_record *find_record(struct pair_side *s, enum record_kind kind, struct bytes key)
{
	for (struct pair_record *r = s->store; r; r = r->next)
		if (r->kind == kind && bytes_equal(BYTES(r->key, r->key_size), key))
			return r;
	return NULL;
}

static void free_record(struct pair_record *r)
{
	mem_free(r->key);
	mem_free(r->value);
	mem_free(r);
}

static void remove_record(struct pair_side *s, enum record_kind kind, struct bytes key)
{
	struct pair_record **p = &s->store;

	while (*p) {
		struct pair_record *r = *p;

		if (r->kind == kind && bytes_equal(BYTES(r->key, r->key_size), key)) {
			*p = r->next;
			free_record(r);
			return;
		}
		p = &r->next;
	}
}

static uint8_t *dup(struct bytes b)
{
	uint8_t *d = mem_alloc(b.size + 1);

	if (b.size)
		memcpy(d, b.data, b.size);
	return d;
}

static void commit_record(struct pair_side *s, const struct effect *f)
{
	struct pair_record *r;

	s->persists++;
	if (f->u.persist.remove) {
		remove_record(s, f->u.persist.kind, f->u.persist.key);
		return;
	}
	r = find_record(s, f->u.persist.kind, f->u.persist.key);
	if (!r) {
		r = NEW(struct pair_record);
		r->kind = f->u.persist.kind;
		r->key = dup(f->u.persist.key);
		r->key_size = f->u.persist.key.size;
		r->next = s->store;
		s->store = r;
	}
	mem_free(r->value);
	r->value = dup(f->u.persist.value);
	r->value_size = f->u.persist.value.size;
}

static void put(struct pair_side *to, struct bytes message)
{
	struct pair_message *m = NEW(struct pair_message);

	m->data = dup(message);
	m->size = message.size;
	*to->inbox_tail = m;
	to->inbox_tail = &m->next;
}

static void take(struct pair_side *s, struct pair_message *m)
{
	s->inbox_head = m->next;
	if (!s->inbox_head)
		s->inbox_tail = &s->inbox_head;
	mem_free(m->data);
	mem_free(m);
}

static void empty_inbox(struct pair_side *s)
{
	while (s->inbox_head)
		take(s, s->inbox_head);
}

/* --- Steps --- */

struct step *pair_begin(struct pair *p, int side, struct channel_notes *notes)
{
	struct pair_side *s = &p->side[side];

	effects_reset(&s->out);
	s->step.out = &s->out;
	s->step.now_ms = p->now_ms;
	s->step.height = p->height;
	s->step.entropy = &s->entropy;
	s->step.asked = &s->asked;
	s->step.next_ask = &s->next_ask;
	channel_notes_init(notes);
	return &s->step;
}

static void record_note(struct pair *p, int side, const struct channel_note *n)
{
	struct pair_side *s = &p->side[side];
	struct pair_note *k = &s->notes[s->note_count < PAIR_NOTES_MAX ? s->note_count++ : PAIR_NOTES_MAX - 1];

	mem_free(k->tx);
	memset(k, 0, sizeof(*k));
	k->kind = n->kind;
	k->htlc_id = n->htlc_id;
	memcpy(k->cookie, n->cookie, sizeof(k->cookie));
	k->payment_hash = n->payment_hash;
	k->preimage = n->preimage;
	k->amount = n->htlc_amount;
	k->cltv_expiry = n->cltv_expiry;
	k->dust_exposed = n->dust_exposed;
	k->closing = n->closing;
	k->mutual = n->mutual;
	k->has_path_key = n->has_path_key;
	k->path_key = n->path_key;
	k->failure_code = n->failure_code;
	k->sha256_of_onion = n->sha256_of_onion;
	k->reason_size = n->reason.size < sizeof(k->reason) ? n->reason.size : sizeof(k->reason);
	if (k->reason_size)
		memcpy(k->reason, n->reason.data, k->reason_size);
	k->attribution_size = n->attribution.size;
	if (k->attribution_size)
		memcpy(k->attribution, n->attribution.data, k->attribution_size);
	k->onion_size = n->onion.size;
	k->onion_first = n->onion.size ? n->onion.data[0] : 0;
	strncpy(k->text, n->text, sizeof(k->text) - 1);
	if (n->tx.size) {
		k->tx = dup(n->tx);
		k->tx_size = n->tx.size;
	}
	k->fund_amount = n->amount;
	if (n->script.size && n->script.size <= sizeof(k->script)) {
		memcpy(k->script, n->script.data, n->script.size);
		k->script_size = n->script.size;
	}
	s->warnings_noted += n->kind == CHANNEL_NOTE_WARN;
	s->hang_ups += n->kind == CHANNEL_NOTE_HANG_UP;
	s->forgotten += n->kind == CHANNEL_NOTE_FORGOTTEN;
	s->failed += n->kind == CHANNEL_NOTE_FAILED;
}

static struct bytes shutdown_script(int side)
{
	static const uint8_t scripts[2][22] = { { 0, 20, 1, 1, 1 }, { 0, 20, 2, 2, 2 } };

	return BYTES_OF(scripts[side]);
}

/* What node/ would do at once. */
static void on_note(struct pair *p, int side, const struct channel_note *n, struct channel_notes *more)
{
	struct pair_side *s = &p->side[side];
	struct channel_shutdown_args args = { .script = shutdown_script(side) };
	const char *why;

	if (n->kind == CHANNEL_NOTE_FUND) {
		CHECK(n->script.size == sizeof(p->funding_script));
		memcpy(p->funding_script, n->script.data, n->script.size);
		p->funding_output = (struct tx_output){ n->amount, BYTES_OF(p->funding_script) };
		channel_funded(s->ch, &s->step, more, &p->funding);
	} else if (n->kind == CHANNEL_NOTE_SCRIPT_WANTED) {
		CHECK(channel_shutdown(s->ch, &s->step, more, &args, &why));
	} else if (n->kind == CHANNEL_NOTE_HANG_UP || n->kind == CHANNEL_NOTE_FORGOTTEN) {
		/* The caller looks at the counters. */
	}
}

static void process_notes(struct pair *p, int side, struct channel_notes *notes)
{
	const struct channel_note *n = notes->head;

	while (n) {
		struct channel_notes more;
		channel_notes_init(&more);
		record_note(p, side, n);
		on_note(p, side, n, &more);
		if (more.head) {
			*notes->tail = more.head;
			notes->tail = more.tail;
		}
		n = n->next;
	}
	channel_notes_init(notes);
}

static void answer(struct pair *p, int side, uint64_t id, const struct sign_request *r, struct channel_notes *notes)
{
	struct pair_side *s = &p->side[side];
	struct sign_answer out;
	enum owner_kind kind;
	uint64_t owner;

	CHECK(step_take(&s->step, id, &kind, &owner));
	CHECK(kind == OWNER_CHANNEL && owner == s->key);
	sign(s, r, &out, &s->out.arena);
	if (s->ch)
		channel_signed(s->ch, &s->step, notes, id, &out);
}

static void hold(struct pair_side *s, const struct effect *f)
{
	struct arena *a = &s->held.memory;

	CHECK(!s->is_held || s->held.id != f->u.sign.id);
	if (!s->is_held)
		arena_init(a);
	else
		arena_reset(a);
	s->is_held = true;
	s->held.id = f->u.sign.id;
	s->held.request = *f->u.sign.request;
	if (s->held.request.remote_revoked)
		s->held.request.remote_revoked = arena_copy(a, s->held.request.remote_revoked, 32);
	if (s->held.request.kind == SIGN_MUTUAL_CLOSE) {
		struct buf b = BUF_EMPTY;

		tx_encode(s->held.request.u.mutual_close.tx, &b);
		s->held.request.u.mutual_close.tx = tx_parse(a, arena_bytes(a, buf_view(&b)));
		buf_release(&b);
	}
	if (s->held.request.kind == SIGN_REMOTE_COMMITMENT || s->held.request.kind == SIGN_LOCAL_COMMITMENT ||
	    s->held.request.kind == SIGN_REVOKE) {
		bool revoke = s->held.request.kind == SIGN_REVOKE;
		const struct commitment_spec *from = revoke ? s->held.request.u.revoke.next : s->held.request.u.commitment;
		struct commitment_spec *spec = arena_copy(a, from, sizeof(*from));

		spec->broadcaster = arena_copy(a, from->broadcaster, sizeof(*from->broadcaster));
		spec->countersignatory = arena_copy(a, from->countersignatory, sizeof(*from->countersignatory));
		if (from->keys)
			spec->keys = arena_copy(a, from->keys, sizeof(*from->keys));
		spec->htlcs = arena_copy(a, from->htlcs, from->htlc_count * sizeof(from->htlcs[0]));
		if (revoke) {
			s->held.request.u.revoke.next = spec;
			s->held.request.u.revoke.htlc_signatures =
				arena_copy(a, s->held.request.u.revoke.htlc_signatures,
					   s->held.request.u.revoke.htlc_signature_count * sizeof(struct sig64));
		} else {
			s->held.request.u.commitment = spec;
		}
	}
}

/* Answers questions until quiet, commits, releases. */
void pair_end(struct pair *p, int side, struct channel_notes *notes)
{
	struct pair_side *s = &p->side[side], *peer = &p->side[!side];
	struct effect *f;

	process_notes(p, side, notes);
	/* The list grows while it is walked. */
	for (f = s->out.head; f; f = f->next) {
		if (f->kind != EFFECT_SIGN)
			continue;
		if (s->hold_signatures) {
			hold(s, f);
			continue;
		}
		answer(p, side, f->u.sign.id, f->u.sign.request, notes);
		process_notes(p, side, notes);
	}
	if (s->crashing)
		return;
	for (f = s->out.head; f; f = f->next)
		if (f->kind == EFFECT_PERSIST)
			commit_record(s, f);
	for (f = s->out.head; f; f = f->next) {
		uint16_t type;

		if (f->kind != EFFECT_SEND)
			continue;
		CHECK(msg_type(f->u.send.message, &type));
		s->sends++;
		s->errors_sent += type == MSG_ERROR;
		if (s->connection != 0 && f->u.send.connection == s->connection)
			put(peer, f->u.send.message);
	}
	if (s->ch)
		channel_check(s->ch, true);
}

void pair_answer(struct pair *p, int side)
{
	struct pair_side *s = &p->side[side];
	struct channel_notes notes;
	struct pair_question q;

	CHECK(s->is_held);
	q = s->held;
	s->is_held = false;
	(void)pair_begin(p, side, &notes);
	answer(p, side, q.id, &q.request, &notes);
	pair_end(p, side, &notes);
	arena_release(&q.memory);
}

void pair_flush(struct pair *p, int side)
{
	struct channel_notes notes;
	struct step *s;

	if (!p->side[side].ch)
		return;
	s = pair_begin(p, side, &notes);
	channel_flush(p->side[side].ch, s, &notes);
	pair_end(p, side, &notes);
}

/* --- Messages --- */

static void accept_open(struct pair *p, int side, struct bytes message)
{
	struct pair_side *s = &p->side[side];
	struct channel_open_args args = {
		.key = s->key,
		.connection = s->connection,
		.policy = &s->policy,
		.our_features = buf_view(&s->features),
		.their_features = buf_view(&p->side[!side].features),
		.upfront_shutdown = p->accept_upfront,
		.trust_zeroconf = p->accept_trusts,
	};
	struct channel_notes notes;
	struct step *step = pair_begin(p, side, &notes);

	args.peer.v[0] = 2;
	s->ch = channel_accept(step, &notes, &args, message, &p->why);
	pair_end(p, side, &notes);
}

static void handle(struct pair *p, int to, struct bytes message)
{
	struct pair_side *s = &p->side[to];
	struct channel_notes notes;
	struct step *step;
	uint16_t type;

	if (!msg_type(message, &type))
		return;
	if (type == MSG_OPEN_CHANNEL && !s->ch) {
		accept_open(p, to, message);
		return;
	}
	if (!s->ch)
		return;
	step = pair_begin(p, to, &notes);
	if (type == MSG_ERROR) {
		struct msg_error e;

		if (msg_error_decode(message, &s->out.arena, &e) == DECODE_OK)
			channel_peer_error(s->ch, step, &notes,
					   arena_printf(&s->out.arena, "%.*s", (int)e.data.size, (const char *)e.data.data));
	} else {
		channel_message(s->ch, step, &notes, message);
	}
	pair_end(p, to, &notes);
}

void pair_forge(struct pair *p, int to, struct bytes message)
{
	handle(p, to, message);
}

static bool deliver(struct pair *p, int to)
{
	struct pair_message *m = p->side[to].inbox_head;

	if (!m)
		return false;
	handle(p, to, BYTES(m->data, m->size));
	take(&p->side[to], m);
	return true;
}

bool pair_deliver_quiet(struct pair *p, int to)
{
	return deliver(p, to);
}

void pair_deliver_crash(struct pair *p, int to)
{
	p->side[to].crashing = true;
	if (deliver(p, to))
		pair_flush(p, to);
	p->side[to].crashing = false;
}

bool pair_deliver(struct pair *p, int to)
{
	if (!deliver(p, to))
		return false;
	pair_flush(p, to);
	return true;
}

void pair_run(struct pair *p)
{
	pair_flush(p, 0);
	pair_flush(p, 1);
	while (p->side[0].inbox_head || p->side[1].inbox_head) {
		(void)pair_deliver(p, 1);
		(void)pair_deliver(p, 0);
	}
}

void pair_inject(struct pair *p, int to, struct buf *message)
{
	struct pair_side *s = &p->side[to];

	put(s, buf_view(message));
	buf_release(message);
	while (s->inbox_head->next)
		CHECK(!"inject with an empty inbox");
	(void)pair_deliver(p, to);
}

struct bytes pair_peek(const struct pair *p, int to)
{
	const struct pair_message *m = p->side[to].inbox_head;

	return m ? BYTES(m->data, m->size) : BYTES_NONE;
}

uint16_t pair_peek_type(const struct pair *p, int to)
{
	uint16_t type;

	return msg_type(pair_peek(p, to), &type) ? type : 0;
}

void pair_drop(struct pair *p, int to)
{
	CHECK(p->side[to].inbox_head);
	take(&p->side[to], p->side[to].inbox_head);
}

void pair_replace(struct pair *p, int to, struct buf *message)
{
	struct pair_message *m = p->side[to].inbox_head;

	CHECK(m);
	mem_free(m->data);
	m->data = dup(buf_view(message));
	m->size = message->size;
	buf_release(message);
}

uint32_t pair_waiting(const struct pair *p, int to)
{
	uint32_t n = 0;

	for (const struct pair_message *m = p->side[to].inbox_head; m; m = m->next)
		n++;
	return n;
}

static struct bytes find(const struct pair *p, int to, uint16_t type)
{
	for (const struct pair_message *m = p->side[to].inbox_head; m; m = m->next)
		if (m->size >= 2 && load_be16(m->data) == type)
			return BYTES(m->data, m->size);
	return BYTES_NONE;
}

bool pair_has(const struct pair *p, int to, uint16_t type)
{
	return find(p, to, type).size > 0;
}

struct bytes pair_find(const struct pair *p, int to, uint16_t type)
{
	struct bytes m = find(p, to, type);

	CHECK(m.size > 0);
	return m;
}

/* --- The connection, restarts --- */

void pair_cut(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct pair_side *s = &p->side[i];
		struct channel_notes notes;
		struct step *step;

		empty_inbox(s);
		s->connection = 0;
		if (!s->ch)
			continue;
		step = pair_begin(p, i, &notes);
		channel_disconnected(s->ch, step, &notes);
		pair_end(p, i, &notes);
	}
	empty_inbox(&p->side[0]);
	empty_inbox(&p->side[1]);
}

void pair_connect(struct pair *p)
{
	p->side[0].connection = p->side[1].connection = ++p->next_connection;
	for (int i = 0; i < 2; i++) {
		struct pair_side *s = &p->side[i];
		struct channel_notes notes;
		struct step *step;

		if (!s->ch)
			continue;
		step = pair_begin(p, i, &notes);
		channel_connected(s->ch, step, &notes, s->connection, buf_view(&s->features), buf_view(&p->side[!i].features));
		pair_end(p, i, &notes);
	}
}

void pair_restart(struct pair *p, int side)
{
	struct pair_side *s = &p->side[side];
	struct channel_notes notes;
	struct step *step;

	channel_free(s->ch);
	s->ch = NULL;
	if (s->is_held)
		arena_release(&s->held.memory);
	s->is_held = false;
	/* The signer dies with the process, and knows again what was signed from the first question on. */
	memset(s->signed_remote, 0, sizeof(s->signed_remote));
	step_asked_release(&s->asked);
	step_asked_init(&s->asked, s->entropy.key);
	for (struct pair_record *r = s->store; r; r = r->next) {
		if (r->kind != RECORD_CHANNEL)
			continue;
		s->ch = channel_load(&s->policy, BYTES(r->value, r->value_size));
		CHECK(s->ch);
	}
	if (!s->ch)
		return;
	for (struct pair_record *r = s->store; r; r = r->next)
		if (r->kind != RECORD_CHANNEL)
			CHECK(channel_load_part(s->ch, r->kind, BYTES(r->key, r->key_size), BYTES(r->value, r->value_size)));
	step = pair_begin(p, side, &notes);
	CHECK(channel_start(s->ch, step, &notes));
	pair_end(p, side, &notes);
}

/* --- Setting up --- */

static void init_side(struct pair *p, int i)
{
	struct pair_side *s = &p->side[i];
	struct feature_policy features = feature_policy_default();
	struct block_hash chain = { { 1, 2, 3 } };
	uint8_t seed[32] = { (uint8_t)(40 + i) };

	make_keys(s, i);
	s->key = 100 + (uint64_t)i;
	drbg_init(&s->entropy, seed);
	step_asked_init(&s->asked, seed);
	effects_init(&s->out);
	s->inbox_tail = &s->inbox_head;
	s->notes = NEW_ARRAY(struct pair_note, PAIR_NOTES_MAX);
	channel_policy_default(&s->policy, &chain);
	for (int f = 0; f < 4; f++)
		s->step.fees[f] = FEERATE(1000);
	feature_policy_set(&features, FEATURE_STATIC_REMOTEKEY, FEATURE_OPTIONAL);
	feature_policy_set(&features, FEATURE_LARGE_CHANNEL, FEATURE_OPTIONAL);
	feature_policy_set(&features, FEATURE_ANCHORS, FEATURE_OPTIONAL);
	feature_policy_set(&features, FEATURE_SHUTDOWN_ANYSEGWIT, FEATURE_OPTIONAL);
	feature_policy_set(&features, FEATURE_UPFRONT_SHUTDOWN_SCRIPT, FEATURE_OPTIONAL);
	feature_policy_set(&features, FEATURE_SCID_ALIAS, FEATURE_OPTIONAL);
	feature_policy_set(&features, FEATURE_ZEROCONF, FEATURE_OPTIONAL);
	buf_init(&s->features);
	features_build(&features, FEATURES_INIT, &s->features);
}

static const uint8_t type_static[] = { 0x10, 0x00 };
static const uint8_t type_anchors[] = { 0x40, 0x10, 0x00 };

void pair_init(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	arena_init(&p->memory);
	p->height = 1000;
	p->now_ms = 1700000000000ull;
	for (int i = 0; i < 2; i++)
		init_side(p, i);
	memset(p->funding.txid.v, 0xab, sizeof(p->funding.txid.v));
	p->funding.index = 1;
	p->args = (struct channel_open_args){
		.key = p->side[0].key,
		.policy = &p->side[0].policy,
		.funding = SAT(1000000),
		.push = MSAT(300000000),
		.has_channel_type = true,
		.channel_type = BYTES_OF(type_anchors),
	};
	p->args.peer.v[0] = 3;
}

void pair_release(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct pair_side *s = &p->side[i];

		channel_free(s->ch);
		empty_inbox(s);
		while (s->store) {
			struct pair_record *r = s->store;

			s->store = r->next;
			free_record(r);
		}
		if (s->is_held)
			arena_release(&s->held.memory);
		for (uint32_t n = 0; n < PAIR_NOTES_MAX; n++)
			mem_free(s->notes[n].tx);
		mem_free(s->notes);
		step_asked_release(&s->asked);
		effects_release(&s->out);
		buf_release(&s->features);
		secp_free(s->secp);
	}
	arena_release(&p->memory);
}

void pair_start(struct pair *p)
{
	struct channel_notes notes;
	struct step *step = pair_begin(p, 0, &notes);

	p->side[0].connection = p->side[1].connection = ++p->next_connection;
	p->args.connection = p->next_connection;
	p->args.our_features = buf_view(&p->side[0].features);
	p->args.their_features = buf_view(&p->side[1].features);
	p->side[0].ch = channel_open(step, &notes, &p->args, &p->why);
	pair_end(p, 0, &notes);
}

void pair_blocks(struct pair *p, uint32_t count)
{
	while (count--) {
		p->height++;
		for (int i = 0; i < 2; i++) {
			struct channel_notes notes;
			struct step *step;

			if (!p->side[i].ch)
				continue;
			step = pair_begin(p, i, &notes);
			channel_block(p->side[i].ch, step, &notes);
			pair_end(p, i, &notes);
		}
	}
}

void pair_confirm(struct pair *p, uint32_t depth)
{
	p->height++;
	for (int i = 0; i < 2; i++) {
		struct channel_notes notes;
		struct step *step = pair_begin(p, i, &notes);

		channel_funding_confirmed(p->side[i].ch, step, &notes, p->height, 7, &p->funding_output);
		pair_end(p, i, &notes);
	}
	pair_blocks(p, depth - 1);
}

void pair_open(struct pair *p)
{
	pair_start(p);
	pair_run(p);
	CHECK(p->side[0].ch && p->side[1].ch);
	CHECK_EQ(channel_state_of(p->side[0].ch), CHANNELD_AWAITING_LOCKIN);
	CHECK_EQ(channel_state_of(p->side[1].ch), CHANNELD_AWAITING_LOCKIN);
	pair_confirm(p, 6);
	pair_run(p);
	CHECK_EQ(channel_state_of(p->side[0].ch), CHANNELD_NORMAL);
	CHECK_EQ(channel_state_of(p->side[1].ch), CHANNELD_NORMAL);
}

void pair_ready(struct pair *p, bool anchors)
{
	pair_init(p);
	if (!anchors)
		p->args.channel_type = BYTES_OF(type_static);
	pair_open(p);
	pair_forget_notes(p);
}

/* --- Payments --- */

struct preimage pair_preimage(uint8_t byte)
{
	struct preimage r;

	memset(r.v, byte, sizeof(r.v));
	return r;
}

struct sha256 pair_hash(uint8_t byte)
{
	struct preimage r = pair_preimage(byte);

	return sha256(r.v, sizeof(r.v));
}

enum offer_result pair_offer_until(struct pair *p, int side, struct amount_msat amount, uint8_t byte, uint32_t expiry, uint64_t *id)
{
	uint8_t onion[ONION_SIZE];
	struct htlc_offer offer = {
		.amount = amount,
		.payment_hash = pair_hash(byte),
		.cltv_expiry = expiry,
		.onion = BYTES_OF(onion),
		.cookie = { 77, byte },
	};
	struct channel_notes notes;
	struct step *step = pair_begin(p, side, &notes);
	enum offer_result r;

	memset(onion, byte, sizeof(onion));
	r = channel_offer_htlc(p->side[side].ch, step, &offer, id);
	pair_end(p, side, &notes);
	return r;
}

enum offer_result pair_offer(struct pair *p, int side, struct amount_msat amount, uint8_t byte, uint64_t *id)
{
	return pair_offer_until(p, side, amount, byte, p->height + 100, id);
}

bool pair_fulfill(struct pair *p, int side, uint64_t id, uint8_t byte)
{
	struct preimage preimage = pair_preimage(byte);
	struct channel_notes notes;
	struct step *step = pair_begin(p, side, &notes);
	bool ok = channel_fulfill(p->side[side].ch, step, id, &preimage, p->attribution);

	pair_end(p, side, &notes);
	return ok;
}

bool pair_fail(struct pair *p, int side, uint64_t id)
{
	static const uint8_t reason[] = { 9, 9, 9, 9 };
	struct channel_notes notes;
	struct step *step = pair_begin(p, side, &notes);
	bool ok = channel_fail_htlc(p->side[side].ch, step, id, BYTES_OF(reason), p->attribution);

	pair_end(p, side, &notes);
	return ok;
}

bool pair_shutdown(struct pair *p, int side)
{
	struct channel_shutdown_args args = { .script = shutdown_script(side) };
	struct channel_notes notes;
	struct step *step = pair_begin(p, side, &notes);
	bool ok = channel_shutdown(p->side[side].ch, step, &notes, &args, &p->why);

	pair_end(p, side, &notes);
	return ok;
}

/* --- Looking --- */

const struct pair_note *pair_note(const struct pair *p, int side, enum channel_note_kind kind)
{
	const struct pair_side *s = &p->side[side];

	for (uint32_t i = s->note_count; i > 0; i--)
		if (s->notes[i - 1].kind == kind)
			return &s->notes[i - 1];
	return NULL;
}

uint32_t pair_note_count(const struct pair *p, int side, enum channel_note_kind kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->side[side].note_count; i++)
		n += p->side[side].notes[i].kind == kind;
	return n;
}

void pair_forget_notes(struct pair *p)
{
	p->side[0].note_count = p->side[1].note_count = 0;
}

static struct txid txid_of(const struct channel *ch, enum commitment_choice which, struct arena *a)
{
	struct commitment *c = commitment_build(a, channel_commitment_spec(ch, which, a));

	CHECK(c);
	return c->txid;
}

void pair_check_agree(struct pair *p)
{
	struct arena a;

	arena_init(&a);
	for (int i = 0; i < 2; i++) {
		struct txid mine = txid_of(p->side[i].ch, COMMITMENT_LOCAL, &a);
		struct txid theirs = txid_of(p->side[!i].ch, COMMITMENT_REMOTE, &a);

		CHECK(SAME(mine, theirs));
	}
	arena_release(&a);
}
