/* The executor's law, with a core that does what its messages say. */
#include "runtime/exec/exec.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

/* Each message is one order: p KEY VALUE persist, r KEY remove, s TEXT send, g sign, f funds, q PREFIX fetch, l flush signs. */
struct world {
	struct exec *exec;
	struct buf trace; /* what happened, in order, one word each */
	bool commit_later, sign_later, sign_on_flush;
	uint64_t sign_id;
	signer_done *sign_done;
	void *sign_owner;
	uint32_t flushes;
	uint32_t released, halt_after; /* 0: never */
	bool send_on_release;
	uint32_t ahead; /* pieces that can be worked ahead */
};

static struct effects *const no_effects = NULL;

static void trace(struct world *w, const char *what, struct bytes detail)
{
	if (w->trace.size)
		buf_add_u8(&w->trace, ' ');
	buf_add_string(&w->trace, what);
	buf_add_bytes(&w->trace, detail);
}

static void ask_signature(struct effects *out, uint64_t id)
{
	struct sign_request *r = ARENA_NEW(&out->arena, struct sign_request);

	r->kind = SIGN_ECDH;
	effect_sign(out, id, r);
}

static void obey(struct bytes m, struct effects *out)
{
	switch (m.data[0]) {
	case 'p':
		effect_persist(out, RECORD_NODE, BYTES(m.data + 1, 1), BYTES(m.data + 2, m.size - 2));
		break;
	case 'r':
		effect_remove(out, RECORD_NODE, BYTES(m.data + 1, 1));
		break;
	case 's':
		effect_send(out, 1, BYTES(m.data + 1, m.size - 1));
		break;
	case 'g':
		ask_signature(out, m.data[1]);
		break;
	case 'q':
		effect_fetch(out, 8, RECORD_NODE, BYTES(m.data + 1, m.size - 1));
		break;
	case 'f':
		effect_funds(out, m.data[1], ARENA_NEW(&out->arena, struct funds_request));
		break;
	}
}

static void step(void *context, const struct event *event, struct effects *out)
{
	struct world *w = context;
	char text[2] = { 0, 0 };

	CHECK(out != no_effects);
	if (event->kind == EVENT_MESSAGE) {
		obey(event->u.message.message, out);
	} else if (event->kind == EVENT_SIGNED) {
		text[0] = (char)event->u.signature.id;
		trace(w, "signed:", bytes_from_string(text));
		effect_send(out, 1, BYTES("sig", 3));
	} else if (event->kind == EVENT_FUNDS) {
		text[0] = (char)event->u.funds.id;
		trace(w, "funded:", bytes_from_string(text));
	} else if (event->kind == EVENT_BLOCK) {
		trace(w, "block", BYTES_NONE);
	}
}

static void flush(void *context, uint64_t now_ms, struct effects *out)
{
	struct world *w = context;

	CHECK(now_ms > 0);
	w->flushes++;
	if (w->sign_on_flush) {
		w->sign_on_flush = false;
		ask_signature(out, 'F');
	}
}

static uint64_t deadline(void *context)
{
	(void)context;
	return 77;
}

static bool ahead(void *context)
{
	struct world *w = context;

	trace(w, "ahead", BYTES_NONE);
	return w->ahead > 0 && w->ahead-- > 0;
}

static void sign(void *context, const struct sign_request *request, signer_done *done, void *owner, uint64_t id)
{
	struct world *w = context;
	struct sign_answer answer = { .refused = false };

	CHECK_EQ(request->kind, SIGN_ECDH);
	trace(w, "sign", BYTES_NONE);
	if (w->sign_later) {
		w->sign_id = id;
		w->sign_done = done;
		w->sign_owner = owner;
		return;
	}
	done(owner, id, &answer);
}

static void fund(void *context, uint64_t id, const struct funds_request *request, struct exec *exec)
{
	struct funds_answer answer = { .failed = false };

	(void)request;
	trace(context, "fund", BYTES_NONE);
	exec_persist(exec, RECORD_WALLET, BYTES("w", 1), BYTES("coin", 4));
	exec_funded(exec, id, &answer);
}

static void fund_block(void *context, const struct event *event, struct exec *exec)
{
	struct watch watch = { .script = BYTES("abc", 3) };

	CHECK_EQ(event->kind, EVENT_BLOCK);
	trace(context, "walletblock", BYTES_NONE);
	exec_watch(exec, &watch);
}

static void commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	struct world *w = context;

	trace(w, "commit[", BYTES_NONE);
	for (uint32_t i = 0; i < count; i++) {
		buf_add_bytes(&w->trace, ops[i].key);
		buf_add_string(&w->trace, ops[i].remove ? "!" : "=");
		buf_add_bytes(&w->trace, ops[i].value);
		if (i + 1 < count)
			buf_add_u8(&w->trace, ',');
	}
	buf_add_u8(&w->trace, ']');
	if (!w->commit_later)
		exec_committed(exec);
}

static void message(struct world *w, const char *text)
{
	struct event event = { .kind = EVENT_MESSAGE, .now_ms = 5 };

	event.u.message.message = bytes_from_string(text);
	exec_event(w->exec, &event);
}

static void release(void *context, const struct effect *effect)
{
	struct world *w = context;

	if (effect->kind == EFFECT_SEND)
		trace(w, "send:", effect->u.send.message);
	else if (effect->kind == EFFECT_WATCH)
		trace(w, "watch:", effect->u.watch.script);
	else if (effect->kind == EFFECT_FETCH)
		trace(w, "fetch:", effect->u.fetch.range.prefix);
	else
		trace(w, "other", BYTES_NONE);
	if (w->send_on_release) {
		w->send_on_release = false;
		message(w, "slate");
		exec_run(w->exec, 6);
	}
	if (++w->released == w->halt_after)
		exec_halt(w->exec);
}

static void end(void *context)
{
	trace(context, ".", BYTES_NONE);
}

static void world_open_with(struct world *w, bool signer_remembers)
{
	struct exec_ports ports = {
		.core = { w, step, flush, deadline, ahead },
		.signer = { w, sign, NULL, signer_remembers },
		.funds = { w, fund, fund_block },
		.commit = { w, commit },
		.release = { w, release, end },
	};

	memset(w, 0, sizeof(*w));
	w->exec = exec_new(&ports);
}

static void world_open(struct world *w)
{
	world_open_with(w, false);
}

static void world_close(struct world *w, const char *expected)
{
	char *text = test_alloc(w->trace.size + 1);

	if (w->trace.size)
		memcpy(text, w->trace.data, w->trace.size);
	text[w->trace.size] = 0;
	buf_release(&w->trace);
	exec_free(w->exec);
	CHECK_STR(text, expected);
}

TEST(nothing_leaves_before_its_commit)
{
	struct world w;

	world_open(&w);
	w.commit_later = true;
	message(&w, "shello");
	message(&w, "pA1");
	CHECK(!exec_quiet(w.exec));
	exec_run(w.exec, 5);
	CHECK(!exec_quiet(w.exec));
	trace(&w, "|", BYTES_NONE);
	exec_committed(w.exec);
	CHECK(exec_quiet(w.exec));
	CHECK_EQ(exec_deadline(w.exec), 77);
	world_close(&w, "commit[A=1] | send:hello .");
}

TEST(the_core_works_ahead_only_while_nothing_waits)
{
	struct world w;

	world_open(&w);
	w.commit_later = true;
	w.ahead = 2;
	message(&w, "pA1");
	CHECK(!exec_ahead(w.exec)); /* a batch is to be closed */
	exec_run(w.exec, 5);
	CHECK(!exec_ahead(w.exec)); /* a commit is under way */
	exec_committed(w.exec);
	trace(&w, "|", BYTES_NONE);
	CHECK(exec_ahead(w.exec) && exec_ahead(w.exec) && !exec_ahead(w.exec));
	exec_halt(w.exec);
	w.ahead = 1;
	CHECK(!exec_ahead(w.exec));
	world_close(&w, "commit[A=1] . | ahead ahead ahead");
}

/* So that the answer has what the batch wrote. */
TEST(a_fetch_waits_for_its_commit_like_a_message)
{
	struct world w;

	world_open(&w);
	w.commit_later = true;
	message(&w, "qab");
	message(&w, "pk1");
	message(&w, "shello");
	exec_run(w.exec, 6);
	CHECK(!w.released);
	exec_committed(w.exec);
	world_close(&w, "commit[k=1] fetch:ab send:hello .");
}

TEST(the_last_write_of_a_record_wins)
{
	struct world w;

	world_open(&w);
	message(&w, "pB1");
	message(&w, "pA1");
	message(&w, "pB2");
	message(&w, "pA3");
	message(&w, "rA");
	message(&w, "pC9");
	exec_run(w.exec, 5);
	world_close(&w, "commit[A!,B=2,C=9] .");
}

TEST(a_second_batch_fills_while_the_first_commits)
{
	struct world w;

	world_open(&w);
	w.commit_later = true;
	message(&w, "pA1");
	message(&w, "s1");
	CHECK_EQ(exec_batch(w.exec), 1);
	exec_run(w.exec, 5);
	CHECK_EQ(exec_batch(w.exec), 2);
	message(&w, "s2"); /* writes nothing, and still waits for its turn */
	exec_run(w.exec, 5);
	message(&w, "pB2");
	exec_run(w.exec, 5);
	CHECK_EQ(w.flushes, 1); /* the flush of the second batch is shared by both messages */
	CHECK(exec_backlog(w.exec) > 0);
	exec_committed(w.exec);
	exec_run(w.exec, 5);
	CHECK_EQ(w.flushes, 2);
	trace(&w, "|", BYTES_NONE);
	exec_committed(w.exec);
	CHECK(exec_quiet(w.exec));
	world_close(&w, "commit[A=1] send:1 . commit[B=2] | send:2 .");
}

TEST(answers_given_at_once_share_the_batch)
{
	struct world w;

	world_open(&w);
	w.sign_on_flush = true;
	message(&w, "pA1");
	message(&w, "gX");
	message(&w, "fY");
	exec_run(w.exec, 5);
	CHECK_EQ(w.flushes, 2); /* again after the answer to what the first flush asked */
	world_close(&w, "sign signed:X fund funded:Y sign signed:F commit[A=1,w=coin] send:sig send:sig .");
}

/* It would refuse another commitment of the number that it signed, and a crash before the commit makes us ask for one. */
TEST(a_signer_that_remembers_sees_only_what_is_stored)
{
	struct world w;

	world_open_with(&w, true);
	w.commit_later = true;
	message(&w, "pA1");
	message(&w, "s1");
	message(&w, "gX");
	exec_run(w.exec, 5);
	trace(&w, "|", BYTES_NONE);
	exec_committed(w.exec);
	exec_run(w.exec, 5);
	CHECK(exec_quiet(w.exec));
	world_close(&w, "commit[A=1] | send:1 sign signed:X . send:sig .");
}

TEST(a_crash_before_the_commit_keeps_questions_from_a_signer_that_remembers)
{
	struct world w;

	world_open_with(&w, true);
	w.commit_later = true;
	message(&w, "pA1");
	message(&w, "gX");
	exec_run(w.exec, 5);
	exec_halt(w.exec);
	exec_committed(w.exec);
	world_close(&w, "commit[A=1]");
}

TEST(an_answer_given_later_does_not_hold_up_the_batch)
{
	struct world w;
	struct sign_answer answer = { .refused = false };

	world_open(&w);
	w.sign_later = true;
	message(&w, "gX");
	message(&w, "s1");
	exec_run(w.exec, 5);
	trace(&w, "|", BYTES_NONE);
	w.sign_done(w.sign_owner, w.sign_id, &answer);
	exec_run(w.exec, 5);
	world_close(&w, "sign send:1 . | signed:X send:sig .");
}

TEST(a_far_signer_is_asked_while_the_store_is_busy)
{
	struct world w;

	world_open(&w);
	w.commit_later = true;
	w.sign_later = true;
	message(&w, "pA1");
	exec_run(w.exec, 5);
	message(&w, "gX");
	exec_run(w.exec, 5);
	world_close(&w, "commit[A=1] sign");
}

TEST(the_wallet_sees_a_block_first_and_in_the_same_batch)
{
	struct world w;
	struct event event = { .kind = EVENT_BLOCK, .now_ms = 5 };

	world_open(&w);
	exec_event(w.exec, &event);
	exec_run(w.exec, 5);
	world_close(&w, "walletblock block watch:abc .");
}

TEST(events_born_of_a_release_make_the_next_batch)
{
	struct world w;

	world_open(&w);
	w.send_on_release = true;
	message(&w, "s1");
	message(&w, "s2");
	exec_run(w.exec, 5);
	CHECK(exec_quiet(w.exec));
	world_close(&w, "send:1 send:2 . send:late .");
}

struct question {
	struct world *w;
	uint32_t saw;
};

static void evaluate(void *context)
{
	struct question *q = context;

	q->saw = q->w->flushes;
	trace(q->w, "evaluate", BYTES_NONE);
}

static void answer_query(void *context)
{
	struct question *q = context;

	trace(q->w, "answer", BYTES_NONE);
}

TEST(a_query_sees_a_quiet_core_and_is_answered_after_the_commit)
{
	struct world w;
	struct question q = { &w, 0 };
	struct exec_query query = { &q, evaluate, answer_query };

	world_open(&w);
	w.commit_later = true;
	exec_query(w.exec, &query);
	message(&w, "pA1");
	exec_run(w.exec, 5);
	CHECK_EQ(q.saw, 1);
	trace(&w, "|", BYTES_NONE);
	exec_committed(w.exec);
	world_close(&w, "evaluate commit[A=1] | answer .");
}

TEST(a_halted_executor_is_deaf)
{
	struct world w;

	world_open(&w);
	w.halt_after = 2;
	message(&w, "pA1");
	message(&w, "s1");
	message(&w, "s2");
	message(&w, "s3");
	exec_run(w.exec, 5);
	message(&w, "pB1");
	exec_run(w.exec, 5);
	world_close(&w, "commit[A=1] send:1 send:2");
}

TEST(nothing_to_do_does_nothing)
{
	struct world w;

	world_open(&w);
	exec_run(w.exec, 5);
	exec_run(w.exec, 5);
	CHECK(exec_quiet(w.exec));
	world_close(&w, "");
}
