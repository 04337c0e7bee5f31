/* Channels out of a backup: by a user's order, or by themselves in a node that has nothing else.
 *
 * Each comes back as a channel that waits for its peer to publish: node/backup.c says what of it is known. */
#include "node/state.h"

#include <stdio.h>
#include <string.h>

#include "channel/backup.h"

/* Backups at a time whose channels are being looked for among those that are closed. */
#define RECOVERIES_MAX 16u

/* Closed channels are in no memory (closed.c), so the store is asked for each channel of a backup that is not here. */
struct node_recovery {
	struct node_recovery *next;
	uint64_t serial;
	uint64_t call;             /* 0: a peer kept the backup */
	struct pubkey peer;
	struct command command;    /* what is given, in memory */
	struct arena memory;
	uint32_t awaited;          /* answers of the store */
	uint8_t (*closed)[8];      /* key ids of those that are closed */
	uint32_t closed_count;
};

static void recovery_free(struct node_recovery *r)
{
	arena_release(&r->memory);
	mem_free(r);
}

void node_recoveries_free(struct node *n)
{
	while (n->recoveries) {
		struct node_recovery *next = n->recoveries->next;

		recovery_free(n->recoveries);
		n->recoveries = next;
	}
}

/* Not here; it may be closed. */
static bool is_missing(const struct node *n, const struct channel_record *stub)
{
	return !node_channel_by_key(n, stub->key) && !node_channel_by_funding(n, &stub->funding) &&
	       !SAME(stub->peer, n->config->node_id);
}

/* Neither here nor closed long ago. */
static bool is_lost(const struct node *n, const struct node_recovery *r, const struct channel_record *stub)
{
	uint8_t key[8];

	channel_record_key(key, stub->key);
	for (uint32_t i = 0; i < r->closed_count; i++)
		if (memcmp(r->closed[i], key, sizeof(key)) == 0)
			return false;
	return is_missing(n, stub);
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

/* Whether losing the database is the only way that this node can be as it is.  Then nothing was ever closed either. */
static bool is_fresh(const struct node *n)
{
	return !table_count(&n->channels) && !node_closed_any(n) && !n->backup.stored.size;
}

static void restore_all(struct node *n, struct step *s, const struct backup_copy *copy)
{
	for (uint32_t i = 0; i < copy->count; i++)
		if (is_missing(n, &copy->channels[i].stub))
			restore(n, s, &copy->channels[i]);
}

/* --- what is closed --- */

static bool has_room(const struct node *n)
{
	uint32_t count = 0;

	for (const struct node_recovery *r = n->recoveries; r; r = r->next)
		count++;
	return count < RECOVERIES_MAX;
}

static struct node_recovery *recovery_new(struct node *n, uint64_t call)
{
	struct node_recovery *r = NEW(struct node_recovery);

	r->serial = ++n->next_serial;
	r->call = call;
	arena_init(&r->memory);
	r->next = n->recoveries;
	n->recoveries = r;
	return r;
}

static void recovery_end(struct node *n, struct node_recovery *r)
{
	struct node_recovery **at = &n->recoveries;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	recovery_free(r);
}

static void note_closed(struct node_recovery *r, const uint8_t key[8])
{
	memcpy(r->closed[r->closed_count++], key, 8);
}

static void ask_about(struct node *n, struct step *s, struct node_recovery *r, const struct channel_record *stub)
{
	uint8_t key[8];

	if (!is_missing(n, stub))
		return;
	channel_record_key(key, stub->key);
	if (node_closed_is_old(n, key)) {
		note_closed(r, key);
		return;
	}
	effect_fetch_range(s->out, step_ask(s, OWNER_RECOVERY, r->serial),
			   &(struct record_range){ .kind = RECORD_CLOSED_INDEX, .prefix = BYTES_OF(key), .limit = 1 });
	r->awaited++;
}

/* Asks for what the copies hold; r->awaited is 0 if nothing has to be waited for. */
static void ask_closed(struct node *n, struct step *s, struct node_recovery *r, const struct backup_copy *copies, uint32_t count)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < count; i++)
		most += copies[i].count;
	r->closed = arena_array(&r->memory, most, sizeof(*r->closed));
	for (uint32_t i = 0; i < count && node_closed_any(n); i++)
		for (uint32_t j = 0; j < copies[i].count; j++)
			ask_about(n, s, r, &copies[i].channels[j].stub);
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

static uint32_t count_lost(const struct node *n, const struct node_recovery *r, const struct backup_copy *copy)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < copy->count; i++)
		count += is_lost(n, r, &copy->channels[i].stub);
	return count;
}

/* What of it is closed is known: is there anything in it that we do not have? */
static void keep_from_peer(struct node *n, struct step *s, const struct node_recovery *r)
{
	const struct bytes sealed = r->command.u.recover.copies[0];
	struct backup_copy copy, known = { .count = 0 };
	struct arena *a = &s->out->arena;
	char id[67];

	if (!node_backup_open(n, sealed, a, &copy) || !count_lost(n, r, &copy))
		return;
	if (n->backup.from_peer.size && node_backup_open(n, buf_view(&n->backup.from_peer), a, &known) &&
	    known.made_at_s >= copy.made_at_s)
		return;
	hex_encode(id, r->peer.v, 33);
	log_write(s->log, LOG_INFO, "backup", "%s kept a backup with channels that this node does not know (emergencyrecover takes it)",
		  id);
	buf_clear(&n->backup.from_peer);
	buf_add_bytes(&n->backup.from_peer, sealed);
}

/* What a peer kept for us.  It comes before the peer's channel_reestablish, so a node that has lost everything knows
 * its channels again in time. */
void node_recover_from_peer(struct node *n, struct step *s, const struct node_peer *p, struct bytes sealed)
{
	struct node_recovery *r;
	struct backup_copy copy;
	struct bytes *kept;
	char id[67];

	if (!node_backup_open(n, sealed, &s->out->arena, &copy)) {
		log_write(s->log, LOG_DEBUG, "backup", "a peer kept something for us that is none of our backups");
		return;
	}
	if (is_fresh(n) && copy.count) {
		hex_encode(id, p->peer->id.v, 33);
		log_write(s->log, LOG_WARN, "backup", "%s kept a backup of our channels", id);
		restore_all(n, s, &copy);
		return;
	}
	if (!has_room(n))
		return;
	r = recovery_new(n, 0);
	r->peer = p->peer->id;
	kept = ARENA_NEW(&r->memory, struct bytes);
	*kept = arena_bytes(&r->memory, sealed);
	r->command.u.recover.copies = kept;
	r->command.u.recover.copy_count = 1;
	ask_closed(n, s, r, &copy, 1);
	if (r->awaited)
		return;
	keep_from_peer(n, s, r);
	recovery_end(n, r);
}

/* --- by order --- */

struct recovered {
	struct channel_id *ids;
	uint32_t count, first_height;
};

static void restore_noted(struct node *n, struct step *s, const struct node_recovery *r, struct recovered *out,
			  const struct channel_backup *b)
{
	uint32_t height = b->stub.funding_height ? b->stub.funding_height : b->stub.first_height;

	if (!is_lost(n, r, &b->stub))
		return;
	restore(n, s, b);
	out->ids[out->count++] = b->stub.id;
	if (!out->first_height || height < out->first_height)
		out->first_height = height;
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

static void obey(struct node *n, struct step *s, struct node_recovery *r)
{
	struct arena *a = &s->out->arena;
	const struct command *cmd = &r->command;
	struct backup_copy *copies = ARENA_ARRAY(a, struct backup_copy, cmd->u.recover.copy_count + 2);
	struct recovered out = { .count = 0 };
	uint32_t total, most = 0;
	struct reply *reply;

	/* It was so when it was given. */
	ASSERT(read_given(n, s, r->call, cmd, copies, &total));
	for (uint32_t i = 0; i < total; i++)
		most += copies[i].count;
	out.ids = ARENA_ARRAY(a, struct channel_id, most);
	for (uint32_t i = 0; i < total; i++)
		for (uint32_t j = 0; j < copies[i].count; j++)
			restore_noted(n, s, r, &out, &copies[i].channels[j]);
	reply = node_reply(s, r->call, COMMAND_RECOVER);
	reply->u.recover.channels = out.ids;
	reply->u.recover.count = out.count;
	reply->u.recover.first_height = out.first_height;
}

/* With what a peer kept as one more of the copies: until it is obeyed that may change. */
static void copy_command(const struct node *n, struct node_recovery *r, const struct command *cmd)
{
	const uint32_t copies = cmd->u.recover.copy_count, channels = cmd->u.recover.channel_count;
	struct bytes *in = ARENA_ARRAY(&r->memory, struct bytes, copies + channels + 1), *given = in + copies + 1;

	r->command = *cmd;
	for (uint32_t i = 0; i < copies; i++)
		in[i] = arena_bytes(&r->memory, cmd->u.recover.copies[i]);
	for (uint32_t i = 0; i < channels; i++)
		given[i] = arena_bytes(&r->memory, cmd->u.recover.channels[i]);
	if (cmd->u.recover.from_peers && n->backup.from_peer.size)
		in[r->command.u.recover.copy_count++] = arena_bytes(&r->memory, buf_view(&n->backup.from_peer));
	r->command.u.recover.from_peers = false;
	r->command.u.recover.copies = in;
	r->command.u.recover.channels = given;
}

void node_recover_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct backup_copy *copies = ARENA_ARRAY(&s->out->arena, struct backup_copy, cmd->u.recover.copy_count + 2);
	struct node_recovery *r;
	uint32_t total;

	if (!n->backup.has_key) {
		(void)refuse(s, call, cmd, "the signer has not given the backup's key yet: try again");
		return;
	}
	if (!has_room(n)) {
		(void)refuse(s, call, cmd, "too many backups are being looked through: try again");
		return;
	}
	if (!read_given(n, s, call, cmd, copies, &total))
		return;
	r = recovery_new(n, call);
	copy_command(n, r, cmd);
	ask_closed(n, s, r, copies, total);
	if (r->awaited)
		return;
	obey(n, s, r);
	recovery_end(n, r);
}

void node_recovery_fetched(struct node *n, struct step *s, uint64_t serial, const struct event *e)
{
	struct node_recovery *r = n->recoveries;

	while (r && r->serial != serial)
		r = r->next;
	if (!r)
		return;
	ASSERT(r->awaited);
	if (e->u.fetched.count && e->u.fetched.records[0].key.size == 8)
		note_closed(r, e->u.fetched.records[0].key.data);
	if (--r->awaited)
		return;
	if (r->call)
		obey(n, s, r);
	else
		keep_from_peer(n, s, r);
	recovery_end(n, r);
}
