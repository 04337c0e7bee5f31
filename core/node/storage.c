/* Peer storage (BOLT 1): what we keep for peers, and what they keep for us.
 *
 * Theirs: one blob a peer with a channel, RECORD_STORAGE under its node id and a 0; under its node id and a 1 the
 * height at which its last channel ended, from which on it is kept for STORAGE_KEPT_BLOCKS more.  The blobs stay on
 * disk: at a connection the peer's is fetched, and until it is here what the peer says is held, so that
 * peer_storage_retrieval leaves before channel_reestablish.  Writes are at most one a minute and peer.
 *
 * Ours: the backup of the channels (backup.c), to each peer with a channel that offers to keep it, some seconds after
 * a change and at most once a minute. */
#include "node/state.h"

#include <string.h>

#include "channel/backup.h"
#include "crypto/hash.h"
#include "wire/message.h"

#define STORAGE_KEPT_BLOCKS 2016u
#define STORAGE_PAUSE_MS 60000u
#define STORAGE_SETTLE_MS 2000u
/* What may be held while the disk looks for a peer's blob. */
#define HELD_SIZE_MAX (1u << 20)
#define VALUE_VERSION 1u

enum { KEY_BLOB = 0, KEY_END = 1 };

static void storage_key(uint8_t out34[34], const struct node_peer *p, uint8_t what)
{
	memcpy(out34, p->peer->id.v, 33);
	out34[33] = what;
}

static bool offers(const struct node *n)
{
	return feature_policy_get(&n->known, FEATURE_PROVIDE_STORAGE) != FEATURE_OFF;
}

static bool has_channel(const struct node_peer *p)
{
	for (const struct node_channel *c = p->channels; c; c = c->next)
		if (!c->dead && node_channel_is_funded(c))
			return true;
	return false;
}

/* --- theirs --- */

static void write_blob(struct step *s, struct node_peer *p, struct bytes blob)
{
	uint8_t key[34];
	struct buf value = BUF_EMPTY;

	storage_key(key, p, KEY_BLOB);
	buf_add_u8(&value, VALUE_VERSION);
	buf_add_bytes(&value, blob);
	effect_persist(s->out, RECORD_STORAGE, BYTES_OF(key), buf_view(&value)); /* B1.peer_storage_peer_storage_retrieval.5 */
	buf_release(&value);
	p->storage.has = true;
	p->storage.written_ms = s->now_ms;
	buf_release(&p->storage.pending);
}

/* A channel again: the blob has no end. */
static void forget_end(struct step *s, struct node_peer *p)
{
	uint8_t key[34];

	if (!p->storage.end_height)
		return;
	p->storage.end_height = 0;
	storage_key(key, p, KEY_END);
	effect_remove(s->out, RECORD_STORAGE, BYTES_OF(key));
}

void node_storage_received(struct node *n, struct step *s, struct node_peer *p, struct bytes message)
{
	struct msg_peer_storage m;

	if (msg_peer_storage_decode(message, &s->out->arena, &m) != DECODE_OK) {
		node_hang_up(n, s, p, "bad peer_storage");
		return;
	}
	/* B1.peer_storage_peer_storage_retrieval.4; a stranger's would cost us room and bring nothing */
	if (!offers(n) || !has_channel(p) || m.blob.size > PEER_STORAGE_MAX)
		return;
	forget_end(s, p);
	if (!p->storage.written_ms || s->now_ms - p->storage.written_ms >= STORAGE_PAUSE_MS) {
		write_blob(s, p, m.blob);
		return;
	}
	buf_clear(&p->storage.pending);
	buf_add_bytes(&p->storage.pending, m.blob);
}

static void send_retrieval(struct step *s, struct node_peer *p, struct bytes blob)
{
	struct msg_peer_storage_retrieval m = { .blob = blob };
	struct buf b = BUF_EMPTY;

	msg_peer_storage_retrieval_encode(&m, &b);
	effect_send(s->out, p->peer->connection, buf_view(&b));
	buf_release(&b);
}

/* At the connection, so that the blob is there when the peer's init is. */
void node_storage_connected(struct step *s, struct node_peer *p)
{
	uint8_t key[34];

	if (!p->storage.has)
		return;
	storage_key(key, p, KEY_BLOB);
	p->storage.fetch_id = step_ask(s, OWNER_STORAGE, p->peer->connection);
	effect_fetch(s->out, p->storage.fetch_id, RECORD_STORAGE, BYTES_OF(key));
}

bool node_storage_holds(struct node *n, struct step *s, struct node_peer *p, struct bytes message)
{
	struct held_message *h;

	if (!p->storage.fetch_id)
		return false;
	p->storage.held_size += message.size;
	if (p->storage.held_size > HELD_SIZE_MAX) {
		node_hang_up(n, s, p, "too many messages at the beginning");
		return true;
	}
	h = NEW(struct held_message);
	buf_add_bytes(&h->message, message);
	*p->storage.held_tail = h;
	p->storage.held_tail = &h->next;
	return true;
}

static void drop_held(struct node_peer *p)
{
	while (p->storage.held) {
		struct held_message *next = p->storage.held->next;

		buf_release(&p->storage.held->message);
		mem_free(p->storage.held);
		p->storage.held = next;
	}
	p->storage.held_tail = &p->storage.held;
	p->storage.held_size = 0;
}

/* What was held goes on, as if it came now. */
static void release_held(struct node *n, struct step *s, struct node_peer *p)
{
	struct held_message *all = p->storage.held;

	p->storage.held = NULL;
	drop_held(p);
	while (all) {
		struct held_message *next = all->next;

		/* The peer stays while it is connected; when it is hung up on the rest was never heard. */
		if (p->connected)
			node_peer_message(n, s, p, buf_view(&all->message));
		buf_release(&all->message);
		mem_free(all);
		all = next;
	}
}

void node_storage_fetched(struct node *n, struct step *s, uint64_t connection, const struct event *e)
{
	struct node_peer *p = node_peer_by_connection(n, connection);
	struct bytes value = e->u.fetched.count ? e->u.fetched.records[0].value : BYTES_NONE;

	if (!p || p->storage.fetch_id != e->u.fetched.id)
		return;
	p->storage.fetch_id = 0;
	buf_clear(&p->storage.blob);
	if (value.size && value.data[0] == VALUE_VERSION)
		buf_add(&p->storage.blob, value.data + 1, value.size - 1);
	release_held(n, s, p);
}

void node_storage_disconnected(struct node_peer *p)
{
	p->storage.fetch_id = 0;
	p->storage.ours_due_ms = UINT64_MAX;
	buf_release(&p->storage.blob);
	drop_held(p);
}

/* init has been exchanged, and channel_reestablish has not been sent: B1.peer_storage_peer_storage_retrieval.6 and .7. */
void node_storage_ready(struct node *n, struct step *s, struct node_peer *p)
{
	struct bytes blob = buf_view(p->storage.pending.size ? &p->storage.pending : &p->storage.blob);

	if (p->storage.has && blob.size)
		send_retrieval(s, p, blob);
	buf_release(&p->storage.blob);
	node_storage_plan(n, s, p);
}

/* --- ours --- */

/* The peer's copy may be old, or none. */
void node_storage_plan(struct node *n, struct step *s, struct node_peer *p)
{
	uint64_t due = s->now_ms + STORAGE_SETTLE_MS;

	if (!n->backup.has_key || p->peer->state != PEER_READY || !has_channel(p) ||
	    !features_offered(buf_view(&p->peer->features), FEATURE_PROVIDE_STORAGE))
		return;
	if (p->storage.ours_sent_ms && due < p->storage.ours_sent_ms + STORAGE_PAUSE_MS)
		due = p->storage.ours_sent_ms + STORAGE_PAUSE_MS;
	if (due < p->storage.ours_due_ms)
		p->storage.ours_due_ms = due;
}

void node_storage_changed(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_peer *p;

	while ((p = table_next(&n->connections, &at)))
		node_storage_plan(n, s, p);
}

static void send_ours(struct node *n, struct step *s, struct node_peer *p)
{
	struct msg_peer_storage m;
	struct buf blob = BUF_EMPTY, b = BUF_EMPTY;
	char id[67];

	node_backup_for_peers(n, &blob);
	m.blob = buf_view(&blob); /* B1.peer_storage_peer_storage_retrieval.1 and .2 */
	msg_peer_storage_encode(&m, &b);
	effect_send(s->out, p->peer->connection, buf_view(&b));
	hex_encode(id, p->peer->id.v, 33);
	log_write(s->log, LOG_DEBUG, "backup", "%s keeps a backup for us", id);
	p->storage.ours_sent_ms = s->now_ms;
	p->storage.ours_due_ms = UINT64_MAX;
	buf_release(&b);
	buf_release(&blob);
}

static bool same_as_ours(const struct node *n, struct step *s, struct bytes blob)
{
	struct backup_copy theirs, ours;
	struct arena *a = &s->out->arena;
	struct bytes stored = buf_view(&n->backup.stored);

	return node_backup_open(n, blob, a, &theirs) && node_backup_open(n, stored, a, &ours) && SAME(theirs.content, ours.content);
}

void node_storage_retrieved(struct node *n, struct step *s, struct node_peer *p, struct bytes message)
{
	struct msg_peer_storage_retrieval m;

	if (msg_peer_storage_retrieval_decode(message, &s->out->arena, &m) != DECODE_OK) {
		node_hang_up(n, s, p, "bad peer_storage_retrieval");
		return;
	}
	if (same_as_ours(n, s, m.blob))
		p->storage.ours_due_ms = UINT64_MAX; /* it has what it should have */
	else
		node_recover_from_peer(n, s, p, m.blob);
}

/* --- time --- */

void node_storage_tick(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_peer *p;

	while ((p = table_next(&n->peers, &at))) {
		if (p->storage.pending.size && s->now_ms >= p->storage.written_ms + STORAGE_PAUSE_MS) {
			struct bytes blob = arena_bytes(&s->out->arena, buf_view(&p->storage.pending));

			write_blob(s, p, blob);
		}
		if (p->connected && s->now_ms >= p->storage.ours_due_ms)
			send_ours(n, s, p);
	}
}

uint64_t node_storage_deadline(const struct node *n)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;
	const struct node_peer *p;

	while ((p = table_next(&n->peers, &at))) {
		if (p->storage.pending.size && p->storage.written_ms + STORAGE_PAUSE_MS < first)
			first = p->storage.written_ms + STORAGE_PAUSE_MS;
		if (p->connected && p->storage.ours_due_ms < first)
			first = p->storage.ours_due_ms;
	}
	return first;
}

static void keep_end(struct node *n, struct step *s, struct node_peer *p)
{
	uint8_t key[34], height[4];

	p->storage.end_height = n->height;
	storage_key(key, p, KEY_END);
	store_be32(height, n->height);
	effect_persist(s->out, RECORD_STORAGE, BYTES_OF(key), BYTES_OF(height));
}

static void delete_all(struct node *n, struct step *s, struct node_peer *p)
{
	uint8_t key[34];

	storage_key(key, p, KEY_BLOB);
	effect_remove(s->out, RECORD_STORAGE, BYTES_OF(key));
	forget_end(s, p);
	buf_release(&p->storage.pending);
	p->storage.has = false;
	n->some_left = true;
}

/* B1.peer_storage_peer_storage_retrieval.8 */
void node_storage_block(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_peer *p;

	while ((p = table_next(&n->peers, &at))) {
		if (!p->storage.has)
			continue;
		if (has_channel(p))
			forget_end(s, p);
		else if (!p->storage.end_height)
			keep_end(n, s, p);
		else if (n->height >= p->storage.end_height + STORAGE_KEPT_BLOCKS)
			delete_all(n, s, p);
	}
}

bool node_storage_load(struct node *n, struct bytes key, struct bytes value)
{
	struct node_peer *p;
	struct pubkey id;

	if (key.size != 34)
		return false;
	memcpy(id.v, key.data, sizeof(id.v));
	p = node_peer_make(n, &id);
	if (key.data[33] == KEY_BLOB) {
		p->storage.has = true;
		return value.size >= 1 && value.data[0] == VALUE_VERSION;
	}
	if (key.data[33] != KEY_END || value.size != 4)
		return false;
	p->storage.end_height = load_be32(value.data);
	return true;
}

void node_storage_init(struct node_peer *p)
{
	p->storage.held_tail = &p->storage.held;
	p->storage.ours_due_ms = UINT64_MAX;
}

void node_storage_release(struct node_peer *p)
{
	drop_held(p);
	buf_release(&p->storage.blob);
	buf_release(&p->storage.pending);
}
