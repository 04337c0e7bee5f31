/* The static channel backup: what of the channels outlives their database.
 *
 * It is a record like any other (RECORD_BACKUP), so it is durable before anything that a change of the channels lets
 * out; the store writes it into a file of its own as well (runtime/store/backup_file.h), and peers keep copies
 * (storage.c).  It is sealed with a key that the signer's node key alone gives: the shared secret of the node id
 * with itself, which any signer computes as it does for an onion.
 *
 *   sealed   version (1), salt (32), ChaCha20-Poly1305 under HKDF(salt, key), with the version authenticated
 *   inside   version (1), size of the rest (be32), when it was made (be64, seconds), count (be32), then each channel
 *            with its size (be32) before it (channel/backup.h); zeros to the end
 *
 * A copy can only come from us; at worst it is old.  A channel that comes back of it never publishes (INV-C6).
 *
 * INV-B1  What is stored names every channel that anybody outside knows of, once the key is known: it is written in the
 *         batch that lets the first word of the channel out.
 * INV-B2  A node that never had a channel stores none, so that nothing is written over what may be brought back. */
#include "node/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "channel/backup.h"
#include "crypto/hash.h"
#include "node/view.h"

#define SEALED_VERSION 1u
#define INSIDE_VERSION 1u
#define SALT_SIZE 32u
#define HEAD_SIZE (1u + 4u + 8u + 4u)
#define SEAL_SIZE (1u + SALT_SIZE + AEAD_TAG_SIZE)
/* Smaller than any channel is: what bounds a count before anything is allocated for it. */
#define CHANNEL_SIZE_MIN 64u

/* --- the seal --- */

static const uint8_t seal_nonce[12]; /* each salt makes a key that is used once */

static void message_key(uint8_t out32[32], const struct node_backup *b, struct bytes salt)
{
	hkdf_sha256(out32, 32, salt, BYTES_OF(b->key), bytes_from_string("lampo channel backup: a copy"));
}

static void seal(struct node *n, struct bytes inside, struct buf *out)
{
	const uint8_t version = SEALED_VERSION;
	uint8_t salt[SALT_SIZE], key[32];
	size_t at = out->size + 1 + SALT_SIZE;

	drbg_fill(&n->entropy, salt, sizeof(salt));
	message_key(key, &n->backup, BYTES_OF(salt));
	buf_add_u8(out, version);
	buf_add(out, salt, sizeof(salt));
	buf_add_bytes(out, inside);
	for (int i = 0; i < AEAD_TAG_SIZE; i++)
		buf_add_u8(out, 0);
	aead_seal(out->data + at, key, seal_nonce, BYTES(&version, 1), BYTES(out->data + at, inside.size));
	mem_wipe(key, sizeof(key));
}

static bool unseal(const struct node *n, struct bytes sealed, struct arena *a, struct bytes *inside)
{
	uint8_t key[32], *plain;
	bool ok;

	if (!n->backup.has_key || sealed.size < SEAL_SIZE || sealed.data[0] != SEALED_VERSION)
		return false;
	message_key(key, &n->backup, BYTES(sealed.data + 1, SALT_SIZE));
	*inside = BYTES_NONE;
	plain = arena_alloc(a, sealed.size);
	ok = aead_open(plain, key, seal_nonce, BYTES(sealed.data, 1),
		       BYTES(sealed.data + 1 + SALT_SIZE, sealed.size - 1 - SALT_SIZE));
	mem_wipe(key, sizeof(key));
	*inside = BYTES(plain, sealed.size - SEAL_SIZE);
	return ok;
}

/* --- what is inside --- */

static int larger_first(const void *one, const void *other)
{
	const struct channel_record *a = channel_record_of((*(struct node_channel *const *)one)->channel);
	const struct channel_record *b = channel_record_of((*(struct node_channel *const *)other)->channel);

	if (a->funding_amount.v != b->funding_amount.v)
		return a->funding_amount.v > b->funding_amount.v ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

/* Before funding_signed nothing is at stake. */
static bool belongs(const struct node_channel *c)
{
	return !c->dead && !channel_is_opening(c->channel);
}

static struct node_channel **sorted(const struct node *n, struct arena *a, uint32_t *count)
{
	struct node_channel **all = ARENA_ARRAY(a, struct node_channel *, table_count(&n->channels) + 1), *c;
	uint32_t at = 0;

	*count = 0;
	while ((c = table_next(&n->channels, &at)))
		if (belongs(c))
			all[(*count)++] = c;
	qsort(all, *count, sizeof(*all), larger_first);
	return all;
}

static void encode_channel(const struct node_channel *c, struct buf *out)
{
	const struct peer *p = c->peer->peer;

	channel_backup_encode(channel_record_of(c->channel), p->has_address ? p->dial_host : NULL, p->dial_port, out);
}

void node_view_channel_backup(const struct node *n, const struct channel *ch, struct buf *out)
{
	const struct node_channel *c = node_channel_by_key(n, channel_key(ch));

	ASSERT(c);
	encode_channel(c, out);
}

/* The channels one after another; the largest, as many as fit. */
static void fill_channels(const struct node *n, size_t most, struct buf *out, uint32_t *count)
{
	struct arena a;
	struct node_channel **all;
	struct buf one = BUF_EMPTY;
	uint32_t total;

	arena_init(&a);
	all = sorted(n, &a, &total);
	*count = 0;
	for (uint32_t i = 0; i < total; i++) {
		buf_clear(&one);
		encode_channel(all[i], &one);
		if (out->size + 4 + one.size > most)
			break;
		buf_add_be32(out, (uint32_t)one.size);
		buf_add_bytes(out, buf_view(&one));
		(*count)++;
	}
	if (*count < total)
		log_write(n->log, LOG_WARN, "backup", "peers keep a backup of the %u largest channels: %u do not fit into it", *count,
			  total - *count);
	buf_release(&one);
	arena_release(&a);
}

/* A whole one; pad_to, the size of what is sealed: 0, or with zeros up to it. */
static void make(struct node *n, struct bytes channels, uint32_t count, size_t pad_to, struct buf *out)
{
	struct buf inside = BUF_EMPTY;

	buf_add_u8(&inside, INSIDE_VERSION);
	buf_add_be32(&inside, (uint32_t)(8 + 4 + channels.size));
	buf_add_be64(&inside, n->now_ms / 1000);
	buf_add_be32(&inside, count);
	buf_add_bytes(&inside, channels);
	while (inside.size + SEAL_SIZE < pad_to)
		buf_add_u8(&inside, 0);
	seal(n, buf_view(&inside), out);
	buf_wipe(&inside);
}

void node_backup_for_peers(struct node *n, struct buf *out)
{
	struct buf channels = BUF_EMPTY;
	uint32_t count;

	fill_channels(n, PEER_STORAGE_MAX - SEAL_SIZE - HEAD_SIZE, &channels, &count);
	make(n, buf_view(&channels), count, PEER_STORAGE_MAX, out);
	ASSERT(out->size == PEER_STORAGE_MAX); /* B1.peer_storage_peer_storage_retrieval.3 */
	buf_release(&channels);
}

static bool read_channels(struct cursor *c, struct arena *a, struct backup_copy *out)
{
	struct sha256_state hash;

	out->made_at_s = cursor_be64(c);
	out->count = cursor_be32(c);
	if (!cursor_ok(c) || out->count > c->left / CHANNEL_SIZE_MIN)
		return false;
	out->channels = ARENA_ARRAY(a, struct channel_backup, out->count);
	sha256_init_state(&hash);
	sha256_add(&hash, c->data, c->left);
	out->content = sha256_finish(&hash);
	for (uint32_t i = 0; i < out->count; i++) {
		uint32_t size = cursor_be32(c);

		if (!channel_backup_decode(cursor_bytes(c, size), &out->channels[i]))
			return false;
	}
	return cursor_done(c);
}

bool node_backup_open(const struct node *n, struct bytes sealed, struct arena *a, struct backup_copy *out)
{
	struct bytes inside;
	struct cursor c, rest;

	memset(out, 0, sizeof(*out));
	if (!unseal(n, sealed, a, &inside))
		return false;
	c = cursor_of(inside);
	if (cursor_u8(&c) != INSIDE_VERSION)
		return false;
	rest = cursor_of(cursor_bytes(&c, cursor_be32(&c)));
	return cursor_ok(&c) && read_channels(&rest, a, out);
}

/* --- keeping it --- */

void node_backup_start(struct node *n, struct step *s)
{
	struct sign_request *r = step_sign_request(s, SIGN_ECDH, 0, NULL);

	n->backup.changed = true;
	r->u.point = n->config->node_id;
	effect_sign(s->out, step_ask(s, OWNER_BACKUP, 0), r);
}

/* What the last run stored need not be written again. */
static void remember_stored(struct node *n)
{
	struct backup_copy copy;
	struct arena a;

	arena_init(&a);
	if (n->backup.stored.size && node_backup_open(n, buf_view(&n->backup.stored), &a, &copy))
		n->backup.content = copy.content;
	arena_release(&a);
}

void node_backup_key_answered(struct node *n, struct step *s, const struct sign_answer *a)
{
	struct node_backup *b = &n->backup;

	if (a->refused) {
		log_write(s->log, LOG_WARN, "backup", "the signer does not give the backup's key, so there is none: %s",
			  a->reason ? a->reason : "no reason given");
		return;
	}
	hkdf_sha256(b->key, sizeof(b->key), BYTES_NONE, BYTES_OF(a->secret.v), bytes_from_string("lampo channel backup"));
	b->has_key = true;
	remember_stored(n);
	node_recover_found(n, s);
}

void node_backup_changed(struct node *n)
{
	n->backup.changed = true;
}

void node_backup_address(struct node *n, struct node_peer *p)
{
	static const uint8_t key[16] = { 1 }; /* only compared with itself */
	uint64_t mark;

	if (!p->channels || !p->peer->has_address)
		return;
	mark = siphash24(key, bytes_from_string(p->peer->dial_host)) ^ p->peer->dial_port;
	if (mark != p->storage.address_mark)
		node_backup_changed(n);
	p->storage.address_mark = mark;
}

void node_backup_flush(struct node *n, struct step *s)
{
	struct node_backup *b = &n->backup;
	struct buf channels = BUF_EMPTY;
	struct sha256 content;
	uint32_t count;

	if (!b->changed || !b->has_key)
		return;
	b->changed = false;
	fill_channels(n, SIZE_MAX, &channels, &count);
	content = sha256(channels.size ? channels.data : (const uint8_t *)"", channels.size);
	/* INV-B1; INV-B2 */
	if (!SAME(content, b->content) && (count || b->stored.size)) {
		b->content = content;
		buf_clear(&b->stored);
		make(n, buf_view(&channels), count, 0, &b->stored);
		effect_persist(s->out, RECORD_BACKUP, bytes_from_string(BACKUP_RECORD_KEY), buf_view(&b->stored));
		node_storage_changed(n, s);
	}
	buf_release(&channels);
}

bool node_backup_load(struct node *n, struct bytes key, struct bytes value)
{
	if (!bytes_equal(key, bytes_from_string(BACKUP_RECORD_KEY)))
		return false;
	buf_clear(&n->backup.stored);
	buf_add_bytes(&n->backup.stored, value);
	return true;
}

void node_backup_release(struct node *n)
{
	mem_wipe(n->backup.key, sizeof(n->backup.key));
	buf_release(&n->backup.stored);
	buf_release(&n->backup.from_peer);
	while (n->backup.found) {
		struct backup_found *next = n->backup.found->next;

		buf_release(&n->backup.found->sealed);
		mem_free(n->backup.found);
		n->backup.found = next;
	}
}
