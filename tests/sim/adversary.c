#include "tests/sim/adversary.h"

#include <string.h>

#include "channel/view.h"
#include "runtime/store/store.h"
#include "wire/message.h"

static uint8_t *copy_of(struct bytes v)
{
	return memcpy(mem_alloc(v.size + 1), v.data, v.size);
}

static void drop(struct bytes *owned)
{
	mem_free((void *)(uintptr_t)owned->data);
	*owned = BYTES_NONE;
}

/* --- wires --- */

static bool one_in(struct adversary *a, uint32_t n)
{
	return n && world_random(a->w, n) == 0;
}

/* Numbers that are nearly right or far off, and a secret that proves nothing. */
static void lie(struct adversary *a, struct bytes message, struct buf *instead)
{
	static const uint64_t far[] = { 0, 1, 1000, 1ull << 48, UINT64_MAX };
	struct msg_channel_reestablish m;
	struct arena memory;

	arena_init(&memory);
	if (msg_channel_reestablish_decode(message, &memory, &m) == DECODE_OK) {
		uint64_t *number = one_in(a, 2) ? &m.next_commitment_number : &m.next_revocation_number;

		if (one_in(a, 3))
			m.your_last_per_commitment_secret.v[7] ^= 1;
		else if (one_in(a, 2))
			*number += world_random(a->w, 5) - 2;
		else
			*number = far[world_random(a->w, ARRAY_COUNT(far))];
		buf_clear(instead);
		msg_channel_reestablish_encode(&m, instead);
	}
	arena_release(&memory);
}

static void absurd_fee(struct adversary *a, struct bytes message, struct buf *instead)
{
	static const uint32_t rates[] = { 0, 1, 252, 100000, 1000000, UINT32_MAX };
	struct msg_update_fee m;
	struct arena memory;

	arena_init(&memory);
	if (msg_update_fee_decode(message, &memory, &m) == DECODE_OK) {
		m.feerate_per_kw = rates[world_random(a->w, ARRAY_COUNT(rates))];
		buf_clear(instead);
		msg_update_fee_encode(&m, instead);
	}
	arena_release(&memory);
}

static void remember(struct adversary *a, struct bytes message)
{
	struct bytes *place = &a->old[a->old_count++ % ARRAY_COUNT(a->old)];

	drop(place);
	*place = BYTES(copy_of(message), message.size);
}

static void replay(struct adversary *a, struct buf *instead)
{
	uint32_t count = a->old_count < ARRAY_COUNT(a->old) ? a->old_count : (uint32_t)ARRAY_COUNT(a->old);
	struct bytes old = a->old[world_random(a->w, count)];

	buf_clear(instead);
	buf_add_bytes(instead, old);
}

static void accuse(struct bytes message, struct buf *instead)
{
	struct msg_error e = { .data = bytes_from_string("internal trouble") };

	memcpy(e.channel_id.v, message.data + 2, sizeof(e.channel_id.v));
	buf_clear(instead);
	msg_error_encode(&e, instead);
}

static bool say(struct adversary *a, int to, uint16_t type, struct bytes message, struct buf *instead)
{
	if (a->accuse && type >= 32 && type < 256) {
		accuse(message, instead);
		a->mute[to] = true;
		a->accuse = false;
		return true;
	}
	if (type == a->withhold) {
		world_say(a->w, "node%d keeps %s to itself", a->node, msg_name(type));
		a->mute[to] = true;
		return false;
	}
	if (type == MSG_CHANNEL_REESTABLISH && one_in(a, a->lie_one_in))
		lie(a, message, instead);
	else if (type == MSG_UPDATE_FEE && one_in(a, a->fee_one_in))
		absurd_fee(a, message, instead);
	else if (a->replay_one_in && a->old_count && type >= 32 && type < 256 && one_in(a, a->replay_one_in))
		replay(a, instead);
	if (a->replay_one_in && type >= 32 && type < 256)
		remember(a, message);
	return true;
}

static bool on_message(void *context, struct world *w, int from, int to, struct bytes message, struct buf *instead)
{
	struct adversary *a = context;
	uint16_t type;

	(void)w;
	if ((from == a->node && a->mute[to]) || (to == a->node && a->mute[from]))
		return false;
	return from != a->node || !msg_type(message, &type) || say(a, to, type, message, instead);
}

void adversary_mute_all(struct adversary *a, bool mute)
{
	for (int i = 0; i < SIM_NODES_MAX; i++)
		a->mute[i] = mute;
}

void adversary_speak(struct adversary *a, int to)
{
	a->withhold = 0;
	a->mute[to] = false;
	world_cut_node(a->w, a->node);
}

void adversary_accuse(struct adversary *a, int to)
{
	adversary_speak(a, to);
	a->accuse = true;
}

/* --- transactions --- */

static bool spends_funding(const struct adversary *a, const struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++)
		if (book_by_funding(a->b, &t->inputs[i].prev))
			return true;
	return false;
}

static void hold(struct adversary *a, const struct txid *id, struct bytes raw)
{
	for (uint32_t i = 0; i < a->held_count; i++)
		if (SAME(a->held[i].id, *id))
			return;
	if (a->held_count == ADVERSARY_HELD_MAX)
		world_fail(a->w, "an adversary holds too much");
	a->held[a->held_count].id = *id;
	a->held[a->held_count++].raw = BYTES(copy_of(raw), raw.size);
}

static bool on_effect(void *context, struct sim_node *n, const struct effect *f)
{
	struct adversary *a = context;
	struct arena memory;
	bool kept = false;

	if (n->index != a->node || f->kind != EFFECT_BROADCAST || a->hold == HOLD_NOTHING)
		return true;
	arena_init(&memory);
	for (uint32_t i = 0; i < f->u.broadcast.count; i++) {
		const struct tx *t = tx_parse(&memory, f->u.broadcast.txs[i]);
		struct txid id = tx_id(t);

		if (a->hold == HOLD_CLAIMS && spends_funding(a, t))
			break;
		hold(a, &id, f->u.broadcast.txs[i]);
		kept = true;
	}
	arena_release(&memory);
	return !kept;
}

void adversary_offer_held(struct adversary *a)
{
	for (uint32_t i = 0; i < a->held_count; i++) {
		const char *why = sim_chain_offer(a->w->chain, &a->held[i].raw, 1, (uint64_t)a->node);

		if (why)
			world_say(a->w, "what node%d held is refused: %s", a->node, why);
	}
}

const struct tx *adversary_held_spend(const struct adversary *a, const struct outpoint *o, struct arena *memory)
{
	for (uint32_t k = a->held_count; k-- > 0;) {
		const struct tx *t = tx_parse(memory, a->held[k].raw);

		for (uint32_t i = 0; i < t->input_count; i++)
			if (outpoint_equal(&t->inputs[i].prev, o))
				return t;
	}
	return NULL;
}

/* --- the disk --- */

struct copy {
	struct store *to;
	struct world *w;
};

static bool copy_record(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct copy *c = context;
	const struct store_op op = { .kind = kind, .key = key, .value = value };

	return c->to->commit(c->to, &op, 1);
}

static struct memory_disk *copy_disk(struct world *w, struct memory_disk *from)
{
	struct memory_disk *to = memory_disk_new();
	struct store *source = store_open_memory(from);
	struct copy c = { store_open_memory(to), w };

	if (!store_load_all(source, copy_record, &c))
		world_fail(w, "a disk cannot be copied");
	source->close(source);
	c.to->close(c.to);
	return to;
}

uint32_t adversary_keep_disk(struct adversary *a)
{
	if (a->disk_count == ADVERSARY_DISKS_MAX) {
		memory_disk_free(a->disks[1]);
		memmove(&a->disks[1], &a->disks[2], (ADVERSARY_DISKS_MAX - 2) * sizeof(a->disks[0]));
		a->disk_count--;
	}
	a->disks[a->disk_count] = copy_disk(a->w, a->w->nodes[a->node].disk);
	return a->disk_count++;
}

/* Once it lives: all its channels end, and nobody is told. */
static void publish_all(void *context, struct world *w)
{
	struct adversary *a = context;
	const struct sim_node *n = &w->nodes[a->node];
	const struct channel *ch;
	uint32_t at = 0;

	if (!n->alive) {
		world_at(w, 500, publish_all, a);
		return;
	}
	while ((ch = node_view_channel(n->node, &at))) {
		struct command c = { .kind = COMMAND_CLOSE };
		uint64_t call;

		if (channel_state_of(ch) > CHANNELD_SHUTTING_DOWN || channel_state_of(ch) == OPENINGD)
			continue;
		c.u.close.channel.by_id = true;
		c.u.close.channel.id = *channel_id_of(ch);
		c.u.close.force = true;
		world_command(w, a->node, &c, &call);
		at = 0; /* the table may have moved */
	}
}

void adversary_cheat(struct adversary *a, uint32_t disk)
{
	ASSERT(disk < a->disk_count);
	world_say(a->w, "node%d puts an old disk back", a->node);
	adversary_mute_all(a, true);
	for (uint32_t i = 0; i < a->b->channel_count; i++)
		if (a->b->channels[i].end[0] == a->node || a->b->channels[i].end[1] == a->node)
			a->b->channels[i].force_wanted = true;
	world_crash_to(a->w, a->node, copy_disk(a->w, a->disks[disk]));
	world_at(a->w, 3000, publish_all, a);
}

void adversary_publish(struct adversary *a, struct book_channel *c)
{
	uint64_t call;

	a->mute[c->end[0] == a->node ? c->end[1] : c->end[0]] = true;
	user_close(a->b, c, a->node, true, &call);
}

/* --- life --- */

struct adversary *adversary_new(struct book *b, int node)
{
	struct adversary *a = NEW(struct adversary);
	const struct sim_hook hook = { .context = a, .message = on_message, .effect = on_effect };

	a->w = b->w;
	a->b = b;
	a->node = node;
	b->w->nodes[node].adversary = true;
	b->w->nodes[node].without_policy = true;
	/* Its next life has the other signer. */
	world_crash(b->w, node);
	if (b->w->nodes[node].slow) {
		const uint8_t seed[32] = { (uint8_t)node };

		delayed_signer_free(b->w->nodes[node].slow);
		b->w->nodes[node].slow = delayed_signer_new(local_signer_port(b->w->nodes[node].signer), 3, seed);
	}
	world_hook(b->w, &hook);
	return a;
}

void adversary_free(struct adversary *a)
{
	for (uint32_t i = 0; i < ARRAY_COUNT(a->old); i++)
		drop(&a->old[i]);
	for (uint32_t i = 0; i < a->held_count; i++)
		drop(&a->held[i].raw);
	for (uint32_t i = 0; i < a->disk_count; i++)
		memory_disk_free(a->disks[i]);
	mem_free(a);
}
