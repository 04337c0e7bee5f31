/* What was asked of the chain, in order, and as text. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/chain_state.h"

static struct trace_event *event(struct sim_chain *c, int kind)
{
	struct trace_event *e;

	if (c->trace_count == c->trace_capacity) {
		c->trace_capacity = c->trace_capacity ? 2 * c->trace_capacity : 256;
		c->trace = mem_realloc(c->trace, c->trace_capacity, sizeof(*c->trace));
	}
	e = &c->trace[c->trace_count++];
	*e = (struct trace_event){ .kind = kind, .pool_count = c->pool_count, .pool_sum = c->pool_sum };
	return e;
}

void trace_offer(struct sim_chain *c, struct entry *const *list, uint32_t count, const char *why)
{
	struct trace_event *e = event(c, TRACE_OFFER);

	e->list = arena_copy(&c->memory, list, count * sizeof(struct entry *));
	e->count = count;
	e->why = why;
}

void trace_block(struct sim_chain *c, const struct sim_block *b)
{
	event(c, TRACE_BLOCK)->block = b;
}

void trace_reorg(struct sim_chain *c, const struct sim_block *lowest)
{
	event(c, TRACE_REORG)->block = lowest;
}

void trace_limit(struct sim_chain *c)
{
	event(c, TRACE_LIMIT);
}

/* --- as text --- */

static void add_block(struct buf *line, const struct sim_block *b)
{
	struct buf raw = BUF_EMPTY;

	sim_block_encode(b, &raw);
	buf_add_hex(line, buf_view(&raw));
	buf_release(&raw);
}

static void add_offer(struct buf *line, const struct trace_event *e)
{
	const char *why = e->why ? e->why : "ok";

	for (; *why; why++)
		buf_add_u8(line, *why == ' ' ? '_' : (uint8_t)*why);
	for (uint32_t i = 0; i < e->count; i++) {
		buf_add_u8(line, i ? ',' : ' ');
		buf_add_hex(line, e->list[i]->t.raw);
	}
}

static void add_event(struct buf *line, const struct trace_event *e)
{
	static const char *const names[] = { "offer", "block", "reorg", "limit" };
	char hex[65];

	txid_to_hex(hex, &e->pool_sum);
	buf_printf(line, "%s %u %s ", names[e->kind], e->pool_count, hex);
	switch (e->kind) {
	case TRACE_OFFER:
		add_offer(line, e);
		break;
	case TRACE_BLOCK:
		add_block(line, e->block);
		break;
	case TRACE_REORG:
		hash_to_hex(hex, e->block->hash.v);
		buf_add_string(line, hex);
		break;
	case TRACE_LIMIT:
		break;
	}
	buf_add_u8(line, '\n');
}

static bool write_buf(FILE *f, struct buf *line)
{
	bool good = fwrite(line->data, 1, line->size, f) == line->size;

	buf_clear(line);
	return good;
}

bool sim_chain_write_trace(const struct sim_chain *c, const char *path)
{
	FILE *f = fopen(path, "a");
	struct buf line = BUF_EMPTY;
	bool good = f != NULL;

	buf_add_string(&line, "begin\n");
	for (uint32_t i = 0; good && i < c->trace_count; i++) {
		add_event(&line, &c->trace[i]);
		good = write_buf(f, &line);
	}
	buf_release(&line);
	return f && fclose(f) == 0 && good;
}

bool sim_chain_write(const struct sim_chain *c, const char *path)
{
	FILE *f = fopen(path, "a");
	struct buf line = BUF_EMPTY;
	bool good = f != NULL;

	for (uint32_t i = 0; good && i < c->trace_count; i++) {
		if (c->trace[i].kind != TRACE_BLOCK)
			continue;
		add_block(&line, c->trace[i].block);
		buf_add_u8(&line, '\n');
		good = write_buf(f, &line);
	}
	buf_release(&line);
	return f && fclose(f) == 0 && good;
}
