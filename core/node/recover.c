/* Channels out of a backup: by a user's order, or by themselves in a node that has nothing else.
 *
 * Each comes back as a channel that waits for its peer to publish: node/backup.c says what of it is known. */
#include "node/state.h"

#include <stdio.h>
#include <string.h>

#include "channel/backup.h"

static bool is_history(const struct node *n, const struct channel_record *stub)
{
	for (uint32_t i = 0; i < n->closed_count; i++)
		if (outpoint_equal(&n->closed[i].funding, &stub->funding))
			return true;
	return false;
}

/* Neither here nor closed long ago. */
static bool is_lost(const struct node *n, const struct channel_record *stub)
{
	return !node_channel_by_key(n, stub->key) && !node_channel_by_funding(n, &stub->funding) && !is_history(n, stub) &&
	       !SAME(stub->peer, n->config->node_id);
}

static void know_address(struct node_peer *p, const struct channel_backup *b)
{
	if (p->peer->has_address || !b->host[0])
		return;
	(void)snprintf(p->peer->dial_host, sizeof(p->peer->dial_host), "%s", b->host);
	p->peer->dial_port = b->port;
	p->peer->has_address = true;
}

static void restore(struct node *n, struct step *s, const struct channel_backup *b)
{
	struct node_peer *p = node_peer_make(n, &b->stub.peer);
	struct channel_notes notes;
	struct node_channel *c;
	char id[65];

	hex_encode(id, b->stub.id.v, sizeof(b->stub.id.v));
	log_write(s->log, LOG_WARN, "backup", "channel %s is back from a backup: its peer is asked to publish its commitment", id);
	know_address(p, b);
	channel_notes_init(&notes);
	c = node_channel_adopt(n, p, channel_restore(&n->channel_policy, s, &notes, &b->stub));
	p->peer->keep = true;
	node_peer_persist(s, p);
	node_route(n, s, &notes);
	node_touch(n, c);
	if (p->peer->state == PEER_READY && !c->dead) {
		channel_notes_init(&notes);
		channel_connected(c->channel, s, &notes, p->peer->connection, n->peer_policy.features, buf_view(&p->peer->features));
		node_route(n, s, &notes);
	} else if (!peer_dial(p->peer, s, NULL, 0)) {
		p->peer->dial_at_ms = UINT64_MAX; /* it must call us, or the user says where it is */
	}
}

static uint32_t count_lost(const struct node *n, const struct backup_copy *copy)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < copy->count; i++)
		count += is_lost(n, &copy->channels[i].stub);
	return count;
}

/* Whether losing the database is the only way that this node can be as it is. */
static bool is_fresh(const struct node *n)
{
	return !table_count(&n->channels) && !n->closed_count && !n->backup.stored.size;
}

static void restore_all(struct node *n, struct step *s, const struct backup_copy *copy)
{
	for (uint32_t i = 0; i < copy->count; i++)
		if (is_lost(n, &copy->channels[i].stub))
			restore(n, s, &copy->channels[i]);
}

/* --- by itself --- */

void node_found_backup(struct node *n, struct bytes sealed)
{
	struct backup_found *f = NEW(struct backup_found);

	buf_add_bytes(&f->sealed, sealed);
	f->next = n->backup.found;
	n->backup.found = f;
}

/* The newest of the files that lay beside an empty database. */
void node_recover_found(struct node *n, struct step *s)
{
	struct backup_copy copy, newest = { .count = 0 };
	struct arena *a = &s->out->arena;

	if (!is_fresh(n))
		return;
	for (const struct backup_found *f = n->backup.found; f; f = f->next) {
		if (!node_backup_open(n, buf_view(&f->sealed), a, &copy))
			log_write(s->log, LOG_WARN, "backup", "a backup file is damaged, or of another wallet");
		else if (copy.made_at_s >= newest.made_at_s)
			newest = copy;
	}
	restore_all(n, s, &newest);
}

/* What a peer kept for us.  It comes before the peer's channel_reestablish, so a node that has lost everything knows
 * its channels again in time. */
void node_recover_from_peer(struct node *n, struct step *s, const struct node_peer *p, struct bytes sealed)
{
	struct backup_copy copy, known = { .count = 0 };
	struct arena *a = &s->out->arena;
	char id[67];

	if (!node_backup_open(n, sealed, a, &copy)) {
		log_write(s->log, LOG_DEBUG, "backup", "a peer kept something for us that is none of our backups");
		return;
	}
	if (!count_lost(n, &copy))
		return;
	hex_encode(id, p->peer->id.v, 33);
	if (is_fresh(n)) {
		log_write(s->log, LOG_WARN, "backup", "%s kept a backup of our channels", id);
		restore_all(n, s, &copy);
		return;
	}
	if (n->backup.from_peer.size && node_backup_open(n, buf_view(&n->backup.from_peer), a, &known) &&
	    known.made_at_s >= copy.made_at_s)
		return;
	log_write(s->log, LOG_INFO, "backup", "%s kept a backup with channels that this node does not know (emergencyrecover takes it)",
		  id);
	buf_clear(&n->backup.from_peer);
	buf_add_bytes(&n->backup.from_peer, sealed);
}

/* --- by order --- */

struct recovery {
	struct channel_id *ids;
	uint32_t count, first_height;
};

static void restore_noted(struct node *n, struct step *s, struct recovery *r, const struct channel_backup *b)
{
	uint32_t height = b->stub.funding_height ? b->stub.funding_height : b->stub.first_height;

	if (!is_lost(n, &b->stub))
		return;
	restore(n, s, b);
	r->ids[r->count++] = b->stub.id;
	if (!r->first_height || height < r->first_height)
		r->first_height = height;
}

static bool refuse(struct step *s, uint64_t call, const struct command *cmd, const char *why)
{
	node_reply_error(s, call, cmd->kind, REPLY_FAILED, why);
	return false;
}

/* Everything that was given is good, or nothing is done. */
static bool read_given(const struct node *n, struct step *s, uint64_t call, const struct command *cmd, struct backup_copy *out,
		       uint32_t *total)
{
	struct arena *a = &s->out->arena;
	uint32_t count = 0;
	const struct bytes *in = cmd->u.recover.copies;

	for (uint32_t i = 0; i < cmd->u.recover.copy_count; i++)
		if (node_backup_open(n, in[i], a, &out[count]))
			count++;
	if (cmd->u.recover.from_peers && node_backup_open(n, buf_view(&n->backup.from_peer), a, &out[count]))
		count++;
	out[count].channels = ARENA_ARRAY(a, struct channel_backup, cmd->u.recover.channel_count);
	for (uint32_t i = 0; i < cmd->u.recover.channel_count; i++)
		if (!channel_backup_decode(cmd->u.recover.channels[i], &out[count].channels[i]))
			return refuse(s, call, cmd, "that is no backup of a channel: give what `staticbackup` had shown");
	out[count].count = cmd->u.recover.channel_count;
	*total = count + (cmd->u.recover.channel_count > 0);
	if (!*total)
		return refuse(s, call, cmd, cmd->u.recover.copy_count ? "the backup is damaged, or of another wallet"
								     : "there is no backup: no file, and no peer kept one");
	return true;
}

void node_recover_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct arena *a = &s->out->arena;
	struct backup_copy *copies = ARENA_ARRAY(a, struct backup_copy, cmd->u.recover.copy_count + 2);
	struct recovery r = { .count = 0 };
	uint32_t total, most = 0;
	struct reply *reply;

	if (!n->backup.has_key) {
		(void)refuse(s, call, cmd, "the signer has not given the backup's key yet: try again");
		return;
	}
	if (!read_given(n, s, call, cmd, copies, &total))
		return;
	for (uint32_t i = 0; i < total; i++)
		most += copies[i].count;
	r.ids = ARENA_ARRAY(a, struct channel_id, most);
	for (uint32_t i = 0; i < total; i++)
		for (uint32_t j = 0; j < copies[i].count; j++)
			restore_noted(n, s, &r, &copies[i].channels[j]);
	reply = node_reply(s, call, cmd->kind);
	reply->u.recover.channels = r.ids;
	reply->u.recover.count = r.count;
	reply->u.recover.first_height = r.first_height;
}
