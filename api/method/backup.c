/* staticbackup, emergencyrecover, recoverchannel. */
#include "api/method/inner.h"

#include <stdio.h>
#include <string.h>

static void append_hex(json_t *list, struct bytes b)
{
	struct buf hex = BUF_EMPTY;

	buf_add_hex(&hex, b);
	json_append(list, json_new_text(buf_view(&hex)));
	buf_release(&hex);
}

static json_t *staticbackup(const struct methods *m, struct params *params, struct refusal *refusal)
{
	json_t *o = json_new_object(), *list = json_new_array();
	const struct channel *ch;
	struct buf b = BUF_EMPTY;
	uint32_t at = 0;

	(void)params;
	(void)refusal;
	while ((ch = node_view_channel(m->port.node, &at))) {
		if (channel_is_opening(ch))
			continue;
		buf_clear(&b);
		node_view_channel_backup(m->port.node, ch, &b);
		append_hex(list, buf_view(&b));
	}
	json_add(o, "scb", list);
	if (m->port.backup_file)
		json_add_string(o, "file", m->port.backup_file);
	buf_release(&b);
	return o;
}

void method_staticbackup(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, staticbackup);
}

struct copies {
	struct arena *arena;
	struct bytes *list;
	uint32_t count, capacity;
};

static void take_copy(void *context, struct bytes sealed)
{
	struct copies *c = context;

	if (c->count == c->capacity) {
		struct bytes *more = ARENA_ARRAY(c->arena, struct bytes, 2 * c->capacity + 4);

		if (c->count)
			memcpy(more, c->list, c->count * sizeof(*more));
		c->list = more;
		c->capacity = 2 * c->capacity + 4;
	}
	c->list[c->count++] = arena_bytes(c->arena, sealed);
}

void method_emergencyrecover(void *context, struct lampo_call *call, struct params *params)
{
	struct methods *m = context;
	struct command command = { .kind = COMMAND_RECOVER };
	struct copies copies = { .arena = &params->arena };

	if (m->port.read_backups)
		m->port.read_backups(m->port.context, take_copy, &copies);
	command.u.recover.copies = copies.list;
	command.u.recover.copy_count = copies.count;
	command.u.recover.from_peers = true;
	order(m, call, &command);
}

void method_recoverchannel(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_RECOVER };
	uint32_t count = (uint32_t)params_count(params, "scb"), i;

	command.u.recover.channels = ARENA_ARRAY(&params->arena, struct bytes, count + 1);
	for (i = 0; i < count; i++)
		command.u.recover.channels[i] = params_element(params, "scb", i).u.bytes;
	command.u.recover.channel_count = count;
	order(context, call, &command);
}

json_t *reply_recover(const struct reply *reply)
{
	json_t *o = json_new_object(), *stubs = json_new_array();
	char text[200];

	for (uint32_t i = 0; i < reply->u.recover.count; i++)
		append_hex(stubs, BYTES_OF(reply->u.recover.channels[i].v));
	json_add(o, "stubs", stubs);
	if (reply->u.recover.first_height) {
		snprintf(text, sizeof(text),
			 "if a peer has closed its channel before now, make this node anew in an empty directory, from its words and "
			 "with this backup: it then reads the chain from the beginning, or from reindex=%u", reply->u.recover.first_height);
		json_add_string(o, "warning_rescan", text);
	}
	return o;
}
