/* A wallet of the simulator: it makes coins as they are asked for.  What it
 * reserved it stores in the batch, as a real one must. */
#include "tests/sim/world.h"

#include <string.h>

#include "bitcoin/script.h"

static void answer_address(struct sim_node *n, uint64_t id, struct exec *exec, struct arena *a)
{
	struct funds_answer answer = { 0 };
	uint8_t program[20] = { 0 };
	struct buf script = BUF_EMPTY;

	store_be64(program, ++n->next_address);
	program[19] = (uint8_t)n->index;
	script_op(&script, OP_0);
	script_push(&script, BYTES_OF(program));
	answer.script = arena_bytes(a, buf_view(&script));
	answer.text = "sim";
	buf_release(&script);
	exec_funded(exec, id, &answer);
}

/* One input that nobody else has, one output. */
static struct tx *build(struct sim_node *n, const struct funds_request *r, struct arena *a)
{
	struct tx *t = tx_new(a, 2, 1, r->output_count, 0);

	store_be64(t->inputs[0].prev.txid.v, r->reservation);
	t->inputs[0].prev.txid.v[31] = (uint8_t)(n->index + 1);
	t->inputs[0].sequence = 0xfffffffd;
	for (uint32_t i = 0; i < r->output_count; i++) {
		t->outputs[i].amount = r->outputs[i].all ? SAT(1000000) : r->outputs[i].amount;
		t->outputs[i].script = arena_bytes(a, r->outputs[i].script);
	}
	return t;
}

static void reservation_key(uint8_t out8[8], uint64_t reservation)
{
	store_be64(out8, reservation);
}

static void answer_build(struct sim_node *n, uint64_t id, const struct funds_request *r, struct exec *exec, struct arena *a)
{
	struct tx *t = build(n, r, a);
	struct funds_answer answer = { 0 };
	struct buf raw = BUF_EMPTY;
	uint32_t *index = ARENA_ARRAY(a, uint32_t, r->output_count);
	struct amount_sat *amounts = ARENA_ARRAY(a, struct amount_sat, r->output_count);
	uint8_t key[8];

	for (uint32_t i = 0; i < r->output_count; i++) {
		index[i] = i;
		amounts[i] = t->outputs[i].amount;
	}
	tx_encode(t, &raw);
	answer.tx = arena_bytes(a, buf_view(&raw));
	answer.txid = tx_id(t);
	answer.output_index = index;
	answer.output_amounts = amounts;
	reservation_key(key, r->reservation);
	exec_persist(exec, RECORD_WALLET, BYTES_OF(key), buf_view(&raw));
	buf_clear(&n->wallet[r->reservation % SIM_RESERVATIONS]);
	buf_add_bytes(&n->wallet[r->reservation % SIM_RESERVATIONS], buf_view(&raw));
	buf_release(&raw);
	exec_funded(exec, id, &answer);
}

static void answer_sign(struct sim_node *n, uint64_t id, const struct funds_request *r, struct exec *exec, struct arena *a)
{
	struct buf *stored = &n->wallet[r->reservation % SIM_RESERVATIONS];
	struct funds_answer answer = { 0 };
	struct bytes item = BYTES("signed by the simulator", 23);
	struct buf raw = BUF_EMPTY;
	struct tx *t = tx_parse(a, buf_view(stored));

	if (!t) {
		answer.failed = true;
		answer.reason = "no such reservation";
		exec_funded(exec, id, &answer);
		return;
	}
	tx_set_witness(a, t, 0, &item, 1);
	tx_encode(t, &raw);
	answer.tx = arena_bytes(a, buf_view(&raw));
	answer.txid = tx_id(t);
	buf_release(&raw);
	exec_funded(exec, id, &answer);
}

static void request(void *context, uint64_t id, const struct funds_request *r, struct exec *exec)
{
	struct sim_node *n = context;
	struct arena a;

	arena_init(&a);
	switch (r->kind) {
	case FUNDS_ADDRESS:
		answer_address(n, id, exec, &a);
		break;
	case FUNDS_BUILD:
		answer_build(n, id, r, exec, &a);
		break;
	case FUNDS_SIGN:
		answer_sign(n, id, r, exec, &a);
		break;
	case FUNDS_RELEASE:
	case FUNDS_SPENT:
	case FUNDS_RETAIN:
		break;
	}
	arena_release(&a);
}

static void block(void *context, const struct event *event, struct exec *exec)
{
	(void)context;
	(void)event;
	(void)exec;
}

struct funds_port sim_funds_port(struct sim_node *n)
{
	return (struct funds_port){ n, request, block };
}
