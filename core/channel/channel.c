#include "channel/channel.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "channel/machine.h"

#define ROOM "channel"

void channel_notes_init(struct channel_notes *notes)
{
	notes->head = NULL;
	notes->tail = &notes->head;
}

struct channel_note *channel_note(struct channel *ch, struct step *s, struct channel_notes *notes, enum channel_note_kind kind)
{
	struct channel_note *n = ARENA_NEW(&s->out->arena, struct channel_note);

	n->kind = kind;
	n->channel = ch;
	n->text = "";
	*notes->tail = n;
	notes->tail = &n->next;
	return n;
}

struct channel *channel_new(const struct channel_policy *policy, uint64_t key)
{
	struct channel *ch = NEW(struct channel);

	ch->policy = policy;
	ch->r.key = key;
	shachain_init(&ch->secrets);
	balances_init(ch);
	arena_init(&ch->talk.arena);
	buf_init(&ch->closing_tx);
	return ch;
}

static void free_htlcs(struct channel *ch)
{
	for (int i = 0; i < HTLC_STATES; i++) {
		struct channel_htlc *h = ch->lists[i].head;

		while (h) {
			struct channel_htlc *next = h->next;

			htlc_set_bytes(&h->onion, BYTES_NONE);
			htlc_set_bytes(&h->reason, BYTES_NONE);
			htlc_set_bytes(&h->attribution, BYTES_NONE);
			mem_free(h);
			h = next;
		}
	}
	table_release(&ch->htlcs);
}

void channel_free(struct channel *ch)
{
	if (!ch)
		return;
	free_htlcs(ch);
	mem_free(ch->sigs.htlcs);
	mem_free(ch->open);
	mem_free(ch->proof);
	load_free(ch);
	arena_release(&ch->talk.arena);
	buf_release(&ch->closing_tx);
	mem_wipe_free(ch, sizeof(*ch));
}

void channel_log(const struct channel *ch, const struct step *s, enum log_level level, const char *fmt, ...)
{
	char text[512], id[65];
	va_list ap;

	if (!s->log)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hex_encode(id, ch->r.id.v, sizeof(ch->r.id.v));
	log_write(s->log, level, ROOM, "%.16s: %s", id, text);
}

/* Effects */

void channel_send(struct channel *ch, struct step *s, struct buf *b)
{
	ASSERT(ch->connection != 0);
	effect_send(s->out, ch->connection, buf_view(b));
	buf_release(b);
}

/* B1.error_warning.1, B1.error_warning.2: until the opener has said which output it is, and the other side that it has
 * heard so, the temporary one. */
static struct channel_id id_to_say(const struct channel *ch)
{
	return ch->open && ch->open->phase != OPEN_SIGNED ? ch->open->temporary_id : ch->r.id;
}

void channel_send_error(struct channel *ch, struct step *s, const char *text)
{
	struct msg_error m = { .channel_id = id_to_say(ch), .data = bytes_from_string(text) };
	struct buf b = BUF_EMPTY;

	if (ch->connection == 0)
		return;
	msg_error_encode(&m, &b);
	channel_send(ch, s, &b);
}

void channel_show_tx(struct channel *ch, struct step *s, const struct tx *t)
{
	static const char words[] = "bad signature for ";
	struct msg_warning m = { .channel_id = id_to_say(ch) };
	struct buf raw = BUF_EMPTY, b = BUF_EMPTY;
	size_t size;
	char *text;

	tx_encode(t, &raw);
	size = sizeof(words) - 1 + 2 * raw.size;
	/* Hundreds of HTLCs make a transaction that is too long for it. */
	if (ch->connection != 0 && 2 + sizeof(m.channel_id) + 2 + size <= MESSAGE_SIZE_MAX) {
		text = arena_alloc(&s->out->arena, size + 1);
		memcpy(text, words, sizeof(words));
		hex_encode(text + sizeof(words) - 1, raw.data, raw.size);
		m.data = BYTES(text, size);
		msg_warning_encode(&m, &b);
		channel_send(ch, s, &b);
	}
	buf_release(&raw);
}

void channel_to(struct channel *ch, struct step *s, struct channel_notes *notes, enum channel_state state)
{
	if (ch->r.state == state)
		return;
	channel_note(ch, s, notes, CHANNEL_NOTE_STATE);
	channel_log(ch, s, LOG_INFO, "%s -> %s", channel_state_name(ch->r.state), channel_state_name(state));
	ch->r.state = state;
	ch->record_dirty = true;
}

struct sign_request *channel_request(struct channel *ch, struct step *s, enum sign_kind kind)
{
	return step_sign_request(s, kind, ch->r.key, &ch->r.peer);
}

void channel_ask(struct channel *ch, struct step *s, enum ask ask, struct sign_request *request)
{
	ASSERT(ch->ask == ASK_NONE); /* INV-C4 */
	ch->ask = ask;
	ch->ask_id = step_ask(s, OWNER_CHANNEL, ch->r.key);
	effect_sign(s->out, ch->ask_id, request);
}

void channel_unask(struct channel *ch)
{
	ch->ask = ASK_NONE;
	ch->ask_id = 0;
}

/* Storing */

static bool onion_needed(const struct channel_htlc *h)
{
	/* Ours is sent again until the peer has revoked what was before it; theirs is read until it is decided. */
	if (h->owner == SIDE_LOCAL)
		return h->state == SENT_ADD_HTLC || h->state == SENT_ADD_COMMIT;
	return h->resolution == HTLC_UNRESOLVED;
}

static void store_onion(struct channel_htlc *h, struct step *s, struct bytes key)
{
	if (onion_needed(h)) {
		if (!h->onion_stored)
			effect_persist(s->out, RECORD_HTLC_ONION, key, h->onion);
		h->onion_stored = true;
		return;
	}
	if (h->onion_stored)
		effect_remove(s->out, RECORD_HTLC_ONION, key);
	h->onion_stored = false;
	htlc_set_bytes(&h->onion, BYTES_NONE);
}

static void store_htlcs(struct channel *ch, struct step *s)
{
	struct buf value = BUF_EMPTY;

	while (ch->dirty_head) {
		struct channel_htlc *h = ch->dirty_head;
		enum htlc_state same;
		uint8_t key[17];

		ch->dirty_head = h->dirty_next;
		h->dirty = false;
		if (!htlc_state_reverted(h->state, &same))
			continue;
		htlc_record_key(key, ch->r.key, h->owner, h->id);
		buf_clear(&value);
		channel_htlc_encode(h, &value);
		effect_persist(s->out, RECORD_HTLC, BYTES_OF(key), buf_view(&value));
		h->stored = true;
		store_onion(h, s, BYTES_OF(key));
	}
	buf_release(&value);
}

/* As it would be after a disconnection. */
static void store_record(struct channel *ch, struct step *s, struct bytes key)
{
	struct channel_record r = ch->r;
	struct buf value = BUF_EMPTY;

	r.feerates[0] = FEERATE(0);
	ASSERT(r.next_htlc_id[SIDE_LOCAL] >= ch->lists[SENT_ADD_HTLC].count);
	ASSERT(r.next_htlc_id[SIDE_REMOTE] >= ch->lists[RCVD_ADD_HTLC].count);
	r.next_htlc_id[SIDE_LOCAL] -= ch->lists[SENT_ADD_HTLC].count;
	r.next_htlc_id[SIDE_REMOTE] -= ch->lists[RCVD_ADD_HTLC].count;
	channel_record_encode(&r, &value);
	effect_persist(s->out, RECORD_CHANNEL, key, buf_view(&value));
	buf_release(&value);
	mem_wipe(&r, sizeof(r));
}

static void store(struct channel *ch, struct step *s)
{
	struct buf value = BUF_EMPTY;
	uint8_t key[8];

	channel_record_key(key, ch->r.key);
	store_htlcs(ch, s);
	if (ch->record_dirty)
		store_record(ch, s, BYTES_OF(key));
	if (ch->sigs_dirty) {
		commit_sigs_encode(&ch->sigs, &value);
		effect_persist(s->out, RECORD_COMMIT_SIGS, BYTES_OF(key), buf_view(&value));
		buf_clear(&value);
	}
	if (ch->secrets_dirty) {
		shachain_encode(&ch->secrets, &value);
		effect_persist(s->out, RECORD_SHACHAIN, BYTES_OF(key), buf_view(&value));
	}
	buf_release(&value);
	ch->record_dirty = ch->sigs_dirty = ch->secrets_dirty = false;
}

static void note_balance(struct channel *ch)
{
	struct amount_msat ours = ch->views[VIEW_LOCAL].left[SIDE_LOCAL];

	if (MSAT_LESS(ours, ch->r.balance_min))
		ch->r.balance_min = ours;
	if (MSAT_LESS(ch->r.balance_max, ours))
		ch->r.balance_max = ours;
}

void channel_finish(struct channel *ch, struct step *s)
{
	if (ch->dead)
		return;
	if (ch->r.state != OPENINGD) {
		note_balance(ch);
		store(ch, s);
	}
	channel_check(ch, false);
}

bool channel_forget_past(struct channel *ch, struct step *s, uint32_t most)
{
	uint64_t ids = ch->r.next_htlc_id[SIDE_LOCAL] + ch->r.next_htlc_id[SIDE_REMOTE];

	for (; ch->past_forgotten < ids && most; ch->past_forgotten++, most--) {
		bool ours = ch->past_forgotten < ch->r.next_htlc_id[SIDE_LOCAL];
		uint8_t key[17];

		htlc_record_key(key, ch->r.key, ours ? SIDE_LOCAL : SIDE_REMOTE,
				ours ? ch->past_forgotten : ch->past_forgotten - ch->r.next_htlc_id[SIDE_LOCAL]);
		effect_remove(s->out, RECORD_HTLC_PAST, BYTES_OF(key));
	}
	return ch->past_forgotten == ids;
}

void channel_forget(struct channel *ch, struct step *s)
{
	uint8_t key[8], htlc_key[17];

	channel_record_key(key, ch->r.key);
	for (int i = 0; i < HTLC_STATES; i++) {
		for (struct channel_htlc *h = ch->lists[i].head; h; h = h->next) {
			htlc_record_key(htlc_key, ch->r.key, h->owner, h->id);
			if (h->stored)
				effect_remove(s->out, RECORD_HTLC, BYTES_OF(htlc_key));
			if (h->onion_stored)
				effect_remove(s->out, RECORD_HTLC_ONION, BYTES_OF(htlc_key));
		}
	}
	effect_remove(s->out, RECORD_CHANNEL, BYTES_OF(key));
	effect_remove(s->out, RECORD_COMMIT_SIGS, BYTES_OF(key));
	effect_remove(s->out, RECORD_SHACHAIN, BYTES_OF(key));
	channel_unask(ch);
	ch->dead = true;
}

/* The peer's faults */

void channel_broken(struct channel *ch, struct step *s, struct channel_notes *notes, const char *fmt, ...)
{
	char text[CHANNEL_WORDS_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	channel_broken_but(ch, s, notes, CLOSE_BAD_MESSAGE, text);
}

void channel_broken_but(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause, const char *text)
{
	ASSERT(close_cause_remedy(cause));
	if (ch->r.state == OPENINGD) {
		opening_failed(ch, s, notes, true, "%s", text);
		return;
	}
	channel_log(ch, s, LOG_WARN, "hanging up: cause=%s text=\"%s\"", close_cause_name(cause), text);
	channel_note(ch, s, notes, CHANNEL_NOTE_HANG_UP)->text = arena_string(&s->out->arena, text);
	channel_unlink(ch, s, notes);
}

void channel_broken_for_good(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause,
			     const char *fmt, ...)
{
	char text[CHANNEL_WORDS_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_with(ch, s, notes, cause, text, true);
}

/* The connection */

void channel_take_back_offer(struct channel *ch, struct step *s, struct channel_notes *notes, struct channel_htlc *h)
{
	struct channel_note *n = channel_note(ch, s, notes, CHANNEL_NOTE_HTLC_DROPPED);

	n->htlc_id = h->id;
	memcpy(n->cookie, h->cookie, sizeof(n->cookie));
	n->payment_hash = h->payment_hash;
	n->htlc_amount = h->amount;
	n->cltv_expiry = h->cltv_expiry;
	ASSERT(h->state == SENT_ADD_HTLC && h->id + 1 == ch->r.next_htlc_id[SIDE_LOCAL]);
	ch->r.next_htlc_id[SIDE_LOCAL]--;
	htlc_remove(ch, s, h);
}

/* B2.message_retransmission.6: what no signature covers never was.  New HTLCs first: they may spend what a removal
 * had paid. */
static void revert_uncommitted(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	struct channel_htlc *h;

	while ((h = ch->lists[RCVD_ADD_HTLC].tail)) {
		ch->r.next_htlc_id[SIDE_REMOTE]--;
		htlc_remove(ch, s, h);
	}
	while ((h = ch->lists[SENT_ADD_HTLC].tail))
		channel_take_back_offer(ch, s, notes, h);
	while ((h = ch->lists[RCVD_REMOVE_HTLC].head)) {
		htlc_set_bytes(&h->reason, BYTES_NONE);
		htlc_resolve(ch, h, SENT_ADD_ACK_REVOCATION, HTLC_UNRESOLVED);
	}
	while ((h = ch->lists[SENT_REMOVE_HTLC].head)) {
		htlc_move(ch, h, RCVD_ADD_ACK_REVOCATION);
	}
	if (ch->r.feerates[0].per_kw != 0)
		feerates_set(ch, 0, FEERATE(0));
}

void channel_unlink(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->ask != ASK_PUBLISH)
		channel_unask(ch);
	ch->link = LINK_DOWN;
	ch->connection = 0;
	ch->resend_commit = ch->resend_revoke = false;
	ch->gather_until_ms = 0;
	ch->batch_left = 0;
	ch->ready_received_now = false;
	ch->abort_sent = false;
	mem_free(ch->proof);
	ch->proof = NULL;
	close_forget_talk(ch);
	revert_uncommitted(ch, s, notes);
}

void channel_disconnected(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->dead)
		return;
	if (ch->r.state == OPENINGD) {
		/* B2.message_retransmission.2, B2.message_retransmission.4, B2.open_channel.23 */
		opening_failed(ch, s, notes, false, "the peer hung up before the channel was open");
		return;
	}
	channel_unlink(ch, s, notes);
	channel_finish(ch, s);
}

bool channel_operating(const struct channel *ch)
{
	return ch->r.ready_sent && ch->r.ready_received &&
	       (ch->r.state == CHANNELD_NORMAL || ch->r.state == CHANNELD_SHUTTING_DOWN ||
		ch->r.state == CHANNELD_AWAITING_LOCKIN);
}

void channel_pump(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->dead || ch->link != LINK_UP || ch->ask != ASK_NONE)
		return;
	/* B2.message_retransmission.32: in the order in which they first went out */
	if (ch->resend_revoke && !(ch->resend_commit && ch->r.revoke_sent_last)) {
		ch->resend_revoke = false;
		revoke_send_again(ch, s);
	}
	if (ch->resend_commit) {
		commit_again(ch, s);
		return;
	}
	if (ch->r.local_number > ch->r.local_revoked) {
		revoke_start(ch, s);
		return;
	}
	shutdown_try(ch, s, notes);
	close_try(ch, s, notes);
}

void channel_flush(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->dead)
		return;
	channel_pump(ch, s, notes);
	if (!commit_needed(ch))
		ch->gather_until_ms = 0;
	else if (ch->link == LINK_UP && ch->ask == ASK_NONE && channel_operating(ch) &&
		 ch->r.remote_number == ch->r.remote_revoked && !commit_gathers(ch, s))
		commit_start(ch, s, notes);
	/* If there was nothing to commit after all, what waited for it goes on. */
	channel_pump(ch, s, notes);
	channel_finish(ch, s);
}

/* Dispatch */

static void on_live_message(struct channel *ch, struct step *s, struct channel_notes *notes, uint16_t type, struct bytes m)
{
	switch (type) {
	case MSG_CHANNEL_READY:
		ready_on_message(ch, s, notes, m);
		return;
	case MSG_UPDATE_ADD_HTLC:
		update_on_add(ch, s, notes, m);
		return;
	case MSG_UPDATE_FULFILL_HTLC:
		update_on_fulfill(ch, s, notes, m);
		return;
	case MSG_UPDATE_FAIL_HTLC:
		update_on_fail(ch, s, notes, m);
		return;
	case MSG_UPDATE_FAIL_MALFORMED_HTLC:
		update_on_fail_malformed(ch, s, notes, m);
		return;
	case MSG_UPDATE_FEE:
		fee_on_message(ch, s, notes, m);
		return;
	case MSG_START_BATCH:
		commit_on_batch(ch, s, notes, m);
		return;
	case MSG_COMMITMENT_SIGNED:
		commit_on_message(ch, s, notes, m);
		return;
	case MSG_REVOKE_AND_ACK:
		revoke_on_message(ch, s, notes, m);
		return;
	case MSG_SHUTDOWN:
		shutdown_on_message(ch, s, notes, m);
		return;
	case MSG_CLOSING_SIGNED:
		close_on_message(ch, s, notes, m);
		return;
	case MSG_TX_ABORT:
		abort_on_message(ch, s, notes, m);
		return;
	default:
		/* BOLT 1: odd ones are ignored. */
		if (type % 2 == 0)
			channel_broken(ch, s, notes, "%s was not negotiated", msg_name(type));
	}
}

static void on_opening_message(struct channel *ch, struct step *s, struct channel_notes *notes, uint16_t type, struct bytes m)
{
	enum open_phase phase = ch->open->phase;

	if (type == MSG_ACCEPT_CHANNEL && phase == OPEN_ACCEPT)
		open_on_accept(ch, s, notes, m);
	else if (type == MSG_FUNDING_SIGNED && phase == OPEN_SIGNED)
		open_on_signed(ch, s, notes, m);
	else if (type == MSG_FUNDING_CREATED && phase == OPEN_CREATED)
		accept_on_created(ch, s, notes, m);
	else if (type == MSG_SHUTDOWN || type % 2 == 0)
		/* B2.shutdown.10 and whatever else comes too early */
		opening_failed(ch, s, notes, true, "%s is out of place while the channel opens", msg_name(type));
}

static void on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	uint16_t type;

	if (!msg_type(message, &type))
		return;
	if (ch->r.state == OPENINGD) {
		on_opening_message(ch, s, notes, type, message);
		return;
	}
	if (ch->r.state >= AWAITING_UNILATERAL) {
		/* B2.message_retransmission.7: the error again, and nothing else */
		if (type == MSG_CHANNEL_REESTABLISH)
			channel_send_error(ch, s, ch->r.error[0] ? ch->r.error : "the channel is closed on chain");
		return;
	}
	if (ch->link == LINK_DOWN)
		return;
	if (type == MSG_CHANNEL_REESTABLISH) {
		reestablish_on_message(ch, s, notes, message);
		return;
	}
	if (ch->link == LINK_PROVING)
		return;
	if (ch->link == LINK_WAITING) {
		/* B2.message_retransmission.9 from the other end */
		if (type % 2 == 0 || type == MSG_UPDATE_FULFILL_HTLC)
			channel_broken(ch, s, notes, "%s came before channel_reestablish", msg_name(type));
		return;
	}
	if (ch->batch_left > 0 && type != MSG_COMMITMENT_SIGNED) {
		channel_broken(ch, s, notes, "%s inside a batch", msg_name(type));
		return;
	}
	on_live_message(ch, s, notes, type, message);
}

bool channel_in_batch(const struct channel *ch)
{
	return ch->batch_left > 0;
}

void channel_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	if (ch->dead)
		return;
	on_message(ch, s, notes, message);
	channel_pump(ch, s, notes);
	channel_finish(ch, s);
}

static void on_refusal(struct channel *ch, struct step *s, struct channel_notes *notes, enum ask ask, const char *reason)
{
	const char *why = reason ? reason : "no reason given";

	channel_log(ch, s, LOG_ERROR, "the signer refuses: %s", why);
	if (ch->r.state == OPENINGD)
		opening_failed(ch, s, notes, true, "the signer refuses: %s", why);
	else if (ask == ASK_PUBLISH)
		channel_log(ch, s, LOG_ERROR, "our commitment cannot be published");
	else
		fail_with(ch, s, notes, CLOSE_SIGNER, "internal error: the signer refuses", true);
}

static void on_answer(struct channel *ch, struct step *s, struct channel_notes *notes, enum ask ask, const struct sign_answer *answer)
{
	switch (ask) {
	case ASK_NONE:
		UNREACHABLE();
	case ASK_KEYS:
		if (ch->r.opener == SIDE_LOCAL)
			open_on_keys(ch, s, notes, answer);
		else
			accept_on_keys(ch, s, notes, answer);
		return;
	case ASK_FUNDING:
		if (ch->r.opener == SIDE_LOCAL)
			open_on_signature(ch, s, notes, answer);
		else
			accept_on_signature(ch, s, notes, answer);
		return;
	case ASK_COMMIT:
	case ASK_COMMIT_AGAIN:
		commit_on_signature(ch, s, notes, answer);
		return;
	case ASK_REVOKE:
		revoke_on_answer(ch, s, notes, answer);
		return;
	case ASK_PROOF:
		reestablish_on_proof(ch, s, notes, answer);
		return;
	case ASK_CLOSE:
	case ASK_CLOSE_AGREED:
		close_on_signature(ch, s, notes, answer, ask == ASK_CLOSE_AGREED);
		return;
	case ASK_PUBLISH:
		fail_on_signature(ch, s, notes, answer);
		return;
	}
	UNREACHABLE();
}

void channel_signed(struct channel *ch, struct step *s, struct channel_notes *notes, uint64_t id,
		    const struct sign_answer *answer)
{
	enum ask ask = ch->ask;

	if (ch->dead || ask == ASK_NONE || ch->ask_id != id)
		return;
	channel_unask(ch);
	if (answer->refused)
		on_refusal(ch, s, notes, ask, answer->reason);
	else
		on_answer(ch, s, notes, ask, answer);
	channel_pump(ch, s, notes);
	channel_finish(ch, s);
}
