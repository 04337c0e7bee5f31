/* Notes, and what all files of the room ask for. */
#include "gossip/state.h"

struct gossip_note *note_add(struct step *s, struct gossip_notes *out, enum gossip_note_kind kind)
{
	struct gossip_note *n = ARENA_NEW(&s->out->arena, struct gossip_note);

	n->kind = kind;
	if (out->last)
		out->last->next = n;
	else
		out->head = n;
	out->last = n;
	return n;
}

void note_send(struct step *s, struct gossip_notes *out, uint64_t connection, struct bytes message)
{
	struct gossip_note *n = note_add(s, out, GOSSIP_SEND);

	ASSERT(message.size <= MESSAGE_SIZE_MAX);
	n->connection = connection;
	n->message = arena_bytes(&s->out->arena, message);
}

void note_send_stored(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, uint32_t ref)
{
	struct gossip_note *n = note_add(s, out, GOSSIP_SEND_STORED);

	n->connection = connection;
	n->ref = ref;
	n->generation = g->log_generation;
}

bool window_open(const struct gossip_peer *p)
{
	return p->in_flight < WINDOW_BYTES; /* INV-G3 */
}

void window_send_stored(struct gossip *g, struct step *s, struct gossip_notes *out, struct gossip_peer *p, uint32_t ref,
			size_t about)
{
	note_send_stored(g, s, out, p->connection, ref);
	p->in_flight += about;
}

void note_warn(struct step *s, struct gossip_notes *out, uint64_t connection, const char *why)
{
	struct msg_warning m = { .data = bytes_from_string(why) };
	struct buf b = BUF_EMPTY;

	msg_warning_encode(&m, &b);
	note_send(s, out, connection, buf_view(&b));
	buf_release(&b);
}

void note_refuse(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection, const char *why)
{
	struct gossip_note *n;

	g->figures.refused++;
	if (!peer_of(g, connection))
		return;
	n = note_add(s, out, GOSSIP_HANG_UP);
	n->connection = connection;
	n->text = why;
}

struct gossip_peer *peer_of(const struct gossip *g, uint64_t connection)
{
	uint8_t key[8];

	store_be64(key, connection);
	return table_get(&g->peers, BYTES_OF(key));
}

uint32_t now_s(const struct step *s)
{
	uint64_t now = s->now_ms / 1000;

	return now < UINT32_MAX ? (uint32_t)now : UINT32_MAX;
}
