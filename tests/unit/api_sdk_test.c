/* A node through the public headers alone: nothing of the tree but the test harness. */
#include <lampo/lampo.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

static const char genesis[] =
	"0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e"
	"67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f200200000001010000000100000000000000000000"
	"00000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f"
	"4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f75742066"
	"6f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a6"
	"7962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000";
static const char genesis_hash[] = "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";

#define RECORDS_MAX 200

struct record {
	uint32_t kind;
	uint8_t key[80], value[2000];
	size_t key_size, value_size;
};

/* The embedder's world: a chain, a disk, a purse, and what was heard. */
struct world {
	char trace[4096];
	struct record records[RECORDS_MAX];
	size_t record_count;
	int commits, fail_commit, freed;
	int chain_wrong;
	struct lampo_node *node;
	struct lampo_wallet_ask *held;
	int hold_ask;
	int answers;
	pthread_t poster;
	char error[LAMPO_ERROR_SIZE];
};

static void note(struct world *w, const char *text)
{
	size_t at = strlen(w->trace);

	snprintf(w->trace + at, sizeof(w->trace) - at, "%s%s", at ? "|" : "", text);
}

/* ---- A chain ---- */

static enum lampo_verdict tip(void *context, struct lampo_tip *out, char *error)
{
	struct world *w = context;

	if (w->chain_wrong) {
		strcpy(error, "the moon is in the way");
		return LAMPO_WRONG;
	}
	out->height = out->headers = 0;
	return hex_decode(out->hash32, 32, genesis_hash, 64) ? LAMPO_OK : LAMPO_AWAY;
}

static enum lampo_verdict block_hash(void *context, uint32_t height, uint8_t hash32[32], char *error)
{
	(void)context;
	strcpy(error, "no such block");
	return hex_decode(hash32, 32, genesis_hash, 64) && !height ? LAMPO_OK : LAMPO_NO;
}

static enum lampo_verdict block(void *context, const uint8_t hash32[32], struct lampo_buffer *out, char *error)
{
	uint8_t raw[sizeof(genesis) / 2];

	(void)context;
	(void)hash32;
	(void)error;
	CHECK(hex_decode(raw, sizeof(raw), genesis, sizeof(genesis) - 1));
	lampo_buffer_add(out, raw, 100);
	lampo_buffer_add(out, raw + 100, sizeof(raw) - 100);
	return LAMPO_OK;
}

static enum lampo_verdict broadcast(void *context, const struct lampo_bytes *txs, size_t count, char *error)
{
	(void)context;
	(void)txs;
	(void)count;
	strcpy(error, "nobody listens");
	return LAMPO_NO;
}

static enum lampo_verdict feerate(void *context, uint32_t blocks, uint32_t *per_kw, char *error)
{
	(void)context;
	(void)error;
	*per_kw = blocks ? 10000 / blocks : 1; /* below the floor: raised */
	return LAMPO_OK;
}

static enum lampo_verdict utxo(void *context, const struct lampo_outpoint *o, uint64_t *sat, struct lampo_buffer *script, char *error)
{
	(void)context;
	(void)o;
	(void)sat;
	(void)script;
	strcpy(error, "nothing");
	return LAMPO_NO;
}

static void free_part(void *context)
{
	((struct world *)context)->freed++;
}

/* ---- A disk ---- */

static enum lampo_verdict load(void *context, lampo_record *record, void *record_context, char *error)
{
	struct world *w = context;

	strcpy(error, "a record was refused");
	for (size_t i = 0; i < w->record_count; i++) {
		struct record *r = &w->records[i];

		if (!record(record_context, r->kind, (struct lampo_bytes){ r->key, r->key_size },
			    (struct lampo_bytes){ r->value, r->value_size }))
			return LAMPO_NO;
	}
	return LAMPO_OK;
}

static struct record *find(struct world *w, const struct lampo_write *x)
{
	for (size_t i = 0; i < w->record_count; i++)
		if (w->records[i].kind == x->kind && w->records[i].key_size == x->key.size
		    && memcmp(w->records[i].key, x->key.data, x->key.size) == 0)
			return &w->records[i];
	return NULL;
}

static void put(struct world *w, const struct lampo_write *x)
{
	struct record *r = find(w, x);

	if (x->remove) {
		if (r)
			*r = w->records[--w->record_count];
		return;
	}
	if (!r)
		r = &w->records[w->record_count++];
	CHECK(w->record_count <= RECORDS_MAX && x->key.size <= sizeof(r->key) && x->value.size <= sizeof(r->value));
	r->kind = x->kind;
	r->key_size = x->key.size;
	r->value_size = x->value.size;
	memcpy(r->key, x->key.data, x->key.size);
	if (x->value.size)
		memcpy(r->value, x->value.data, x->value.size);
}

static enum lampo_verdict commit(void *context, const struct lampo_write *writes, size_t count, char *error)
{
	struct world *w = context;

	w->commits++;
	if (w->fail_commit) {
		strcpy(error, "the disk is on fire");
		return LAMPO_NO;
	}
	for (size_t i = 0; i < count; i++)
		put(w, &writes[i]);
	return LAMPO_OK;
}

/* ---- A purse ---- */

static void purse_answer(struct lampo_wallet_ask *ask)
{
	static const uint8_t script[22] = { 0, 20, 7, 7, 7 };
	struct lampo_wallet_answer a = { .size = sizeof(a), .script = { script, sizeof(script) },
					 .address = "bcrt1qthisisthepurse" };

	lampo_wallet_answer(ask, &a);
}

static void purse_request(void *context, struct lampo_wallet_batch *batch, struct lampo_wallet_ask *ask,
			  const struct lampo_wallet_request *r)
{
	static const uint8_t key[] = { 'n' }, value[] = { 5 };
	struct world *w = context;

	CHECK_EQ(r->size, sizeof(*r));
	if (!ask)
		return;
	if (r->kind != LAMPO_WALLET_ADDRESS) {
		struct lampo_wallet_answer a = { .size = sizeof(a), .failed = "the purse is empty", .code = 301 };

		lampo_wallet_answer(ask, &a);
		return;
	}
	note(w, r->taproot ? "ask p2tr" : "ask p2wpkh");
	lampo_wallet_put(batch, (struct lampo_bytes){ key, 1 }, (struct lampo_bytes){ value, 1 });
	lampo_wallet_watch_script(batch, "abc", 3);
	if (w->hold_ask)
		w->held = ask;
	else
		purse_answer(ask);
}

static void purse_block(void *context, struct lampo_wallet_batch *batch, const struct lampo_wallet_block *b)
{
	(void)batch;
	CHECK_EQ(b->size, sizeof(*b));
	note(context, b->height == 0 && b->tx_count == 0 ? "purse block 0" : "purse block ?");
}

static void purse_undone(void *context, struct lampo_wallet_batch *batch, uint32_t height)
{
	(void)batch;
	(void)height;
	note(context, "purse undone");
}

static int purse_load(void *context, struct lampo_bytes key, struct lampo_bytes value)
{
	note(context, key.size == 1 && *key.data == 'n' && value.size == 1 && *value.data == 5 ? "purse load" : "purse load ?");
	return 1;
}

static void purse_start(void *context, struct lampo_wallet_batch *batch)
{
	struct lampo_outpoint o = { .index = 3 };

	lampo_wallet_watch_outpoint(batch, &o);
	lampo_wallet_unwatch_outpoint(batch, &o);
	note(context, "purse start");
}

/* ---- A node ---- */

static void on_event(void *context, const struct lampo_event *e)
{
	CHECK_EQ(e->size, sizeof(*e));
	if (e->kind == LAMPO_EVENT_BLOCK && e->height == 0)
		note(context, "event block 0");
	else if (e->kind == LAMPO_EVENT_STOPPING)
		note(context, "event stopping");
}

static struct lampo_config *config_of(struct world *w)
{
	struct lampo_backend b = { .size = sizeof(b), .context = w, .tip = tip, .block_hash = block_hash, .block = block,
				   .broadcast = broadcast, .feerate = feerate, .utxo = utxo, .free = free_part };
	struct lampo_store s = { .size = sizeof(s), .context = w, .load = load, .commit = commit, .free = free_part };
	struct lampo_wallet p = { .size = sizeof(p), .context = w, .request = purse_request, .block = purse_block,
				  .undone = purse_undone, .load = purse_load, .start = purse_start, .free = free_part };
	struct lampo_config *c = lampo_config_new("regtest");

	CHECK(c);
	CHECK(lampo_config_words(c, "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"));
	lampo_config_backend(c, &b);
	lampo_config_store(c, &s);
	lampo_config_wallet(c, &p);
	lampo_config_on_event(c, on_event, w);
	return c;
}

static void open_world(struct world *w)
{
	struct lampo_config *c = config_of(w);

	*w->trace = 0;
	w->node = lampo_node_new(c, w->error);
	lampo_config_free(c);
	if (!w->node)
		printf("  %s\n", w->error);
	CHECK(w->node);
}

static void on_answer(void *context, int code, const char *json)
{
	struct world *w = context;
	char text[600];

	snprintf(text, sizeof(text), "%d %.500s", code, json);
	note(w, text);
	if (!--w->answers)
		lampo_node_stop(w->node);
}

static struct world *world_new(void)
{
	struct world *w = test_alloc(sizeof(*w));

	memset(w, 0, sizeof(*w));
	return w;
}

TEST(every_part_may_be_the_embedders)
{
	struct world *w = world_new();

	open_world(w);
	w->answers = 2;
	lampo_node_call(w->node, "newaddr", "[\"bech32\"]", on_answer, w);
	lampo_node_call(w->node, "newaddr", "[\"p2tr\"]", on_answer, w);
	CHECK(!strstr(w->trace, "0 {")); /* never before the call has returned */
	lampo_node_run(w->node);
	lampo_node_free(w->node);
	CHECK(strstr(w->trace, "purse start|"));
	CHECK(strstr(w->trace, "ask p2wpkh"));
	CHECK(strstr(w->trace, "ask p2tr"));
	CHECK(strstr(w->trace, "0 {\"bech32\":\"bcrt1qthisisthepurse\","));
	CHECK(w->commits > 0);
	CHECK_EQ(w->freed, 3);
	/* Its records come back. */
	open_world(w);
	lampo_node_free(w->node);
	CHECK_STR(w->trace, "purse load|purse start");
	CHECK_EQ(w->freed, 6);
}

static void release_ask(void *context)
{
	struct world *w = context;

	note(w, "button");
	purse_answer(w->held);
}

static void *press_button(void *context)
{
	struct world *w = context;

	usleep(30000);
	lampo_node_post(w->node, release_ask, w);
	return NULL;
}

TEST(a_wallet_may_answer_later_from_another_thread)
{
	struct world *w = world_new();

	open_world(w);
	w->hold_ask = 1;
	w->answers = 1;
	lampo_node_call(w->node, "newaddr", "[\"bech32\"]", on_answer, w);
	CHECK(!pthread_create(&w->poster, NULL, press_button, w));
	lampo_node_run(w->node);
	pthread_join(w->poster, NULL);
	lampo_node_free(w->node);
	CHECK(strstr(w->trace, "button|0 {\"bech32\""));
	/* The chain was followed meanwhile. */
	CHECK(strstr(w->trace, "purse block 0"));
	CHECK(strstr(w->trace, "event block 0"));
}

static void hello(void *context, struct lampo_call *call, const char *params)
{
	struct world *w = context;

	CHECK(strstr(params, "\"who\""));
	w->answers++;
	lampo_node_call(w->node, "getinfo", NULL, on_answer, w); /* from inside a call */
	lampo_call_reply(call, "{\"hello\": true}");
}

TEST(methods_of_ones_own_stand_beside_the_bundled)
{
	static const struct lampo_param params[] = {
		{ .name = "who", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "Whom to greet." },
	};
	struct world *w = world_new();
	struct lampo_method method = { .name = "hello", .summary = "Greet", .params = params, .param_count = 1,
				       .handler = hello, .context = w };
	struct lampo_config *c = config_of(w);

	lampo_config_method(c, &method);
	w->node = lampo_node_new(c, w->error);
	CHECK(w->node);
	w->answers = 5;
	lampo_node_call(w->node, "hello", "{\"who\": \"world\"}", on_answer, w);
	lampo_node_call(w->node, "hello", NULL, on_answer, w);
	lampo_node_call(w->node, "no\"such", NULL, on_answer, w);
	lampo_node_call(w->node, "getinfo", "not json}", on_answer, w);
	lampo_node_call(w->node, "help", NULL, on_answer, w);
	lampo_node_run(w->node);
	lampo_node_free(w->node);
	CHECK(strstr(w->trace, "0 {\"hello\":true}"));
	CHECK(strstr(w->trace, "-32602 {\"code\":-32602"));
	CHECK(strstr(w->trace, "-32601 {\"code\":-32601"));
	CHECK(strstr(w->trace, "-32600 {\"code\":-32600"));
	CHECK(strstr(w->trace, "0 {\"id\":\"")); /* getinfo */
	/* A second one of that name. */
	lampo_config_method(c, &method);
	w->freed = 0;
	CHECK(!lampo_node_new(c, w->error));
	CHECK(strstr(w->error, "'hello' already"));
	CHECK_EQ(w->freed, 3);
	lampo_config_free(c);
}

TEST(calls_without_an_answer_are_told_of_the_end)
{
	struct world *w = world_new();
	uint8_t id[33];

	open_world(w);
	w->hold_ask = 1;
	w->answers = 100;
	lampo_node_call(w->node, "newaddr", "[\"bech32\"]", on_answer, w);
	lampo_node_id(w->node, id);
	CHECK(id[0] == 2 || id[0] == 3);
	CHECK_EQ(lampo_node_port(w->node), 0);
	lampo_node_stop(w->node);
	lampo_node_run(w->node);
	lampo_node_free(w->node);
	CHECK(strstr(w->trace, "-5 {\"code\":-5"));
}

TEST(what_is_missing_is_said_in_words)
{
	struct world *w = world_new();
	struct lampo_config *c = lampo_config_new("regtest");

	CHECK(!lampo_config_new("bitconnect"));
	CHECK(!lampo_node_new(c, w->error));
	CHECK(strstr(w->error, "lampo_config_words"));
	CHECK(!lampo_config_words(c, "abandon about"));
	CHECK(!lampo_config_seed(c, "short", 5));
	CHECK(lampo_config_seed(c, "0123456789abcdef0123456789abcdef", 32));
	CHECK(!lampo_node_new(c, w->error));
	CHECK(strstr(w->error, "directory"));
	lampo_config_directory(c, "/nonexistent/lampo");
	CHECK(!lampo_node_new(c, w->error));
	CHECK(strstr(w->error, "backend"));
	lampo_config_core(c, "http://127.0.0.1:1", "u", "p");
	CHECK(!lampo_node_new(c, w->error));
	CHECK(strstr(w->error, "/nonexistent/lampo"));
	lampo_config_free(c);
	lampo_config_free(NULL);
	CHECK_EQ(lampo_api_version(), LAMPO_API_VERSION);
	CHECK(strchr(lampo_version(), '.'));
}

/* ---- What ends the process ---- */

static int exit_of(void (*run)(struct world *w), char text[512])
{
	struct world *w = world_new();
	int fds[2], status;
	ssize_t n;
	pid_t child;

	CHECK(!pipe(fds));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		dup2(fds[1], 1);
		close(2);
		run(w);
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], text, 511);
	text[n > 0 ? n : 0] = 0;
	close(fds[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void say_fatal(void *context, const char *text)
{
	(void)context;
	dprintf(1, "%s", text);
	_exit(55);
}

static void run_to_its_end(struct world *w, lampo_on_fatal *fatal)
{
	struct lampo_config *c = config_of(w);

	if (fatal)
		lampo_config_on_fatal(c, fatal, w);
	w->node = lampo_node_new(c, w->error);
	w->answers = 1;
	lampo_node_call(w->node, "newaddr", "[\"bech32\"]", on_answer, w);
	lampo_node_run(w->node);
}

static void burn_disk(struct world *w)
{
	w->fail_commit = 1;
	run_to_its_end(w, say_fatal);
}

static void burn_disk_silently(struct world *w)
{
	w->fail_commit = 1;
	run_to_its_end(w, NULL);
}

static void lose_chain(struct world *w)
{
	w->chain_wrong = 1;
	w->hold_ask = 1;
	run_to_its_end(w, say_fatal);
}

TEST(a_failed_commit_or_a_wrong_chain_ends_the_process)
{
	char text[512];

	CHECK_EQ(exit_of(burn_disk, text), 55);
	CHECK(strstr(text, "the disk is on fire"));
	CHECK_EQ(exit_of(burn_disk_silently, text), 1);
	CHECK_EQ(exit_of(lose_chain, text), 55);
	CHECK(strstr(text, "the moon is in the way"));
}

static void say_illegal(void *context, const char *message)
{
	(void)context;
	dprintf(1, "%s", message);
	_exit(66);
}

static void use_illegally(struct world *w)
{
	struct lampo_config *c = config_of(w);
	struct lampo_store s = { .size = 8 };

	lampo_config_illegal_use(c, say_illegal, NULL);
	lampo_config_store(c, &s);
}

static void use_illegally_silently(struct world *w)
{
	(void)w;
	lampo_config_alias(NULL, "x");
}

TEST(illegal_use_is_told_and_aborts_by_default)
{
	char text[512];

	CHECK_EQ(exit_of(use_illegally, text), 66);
	CHECK(strstr(text, "lampo_config_store"));
	CHECK_EQ(exit_of(use_illegally_silently, text), 1006); /* SIGABRT */
}

/* ---- A signer in "another process" ---- */

#define QUESTIONS 4

struct vault_question {
	struct vault *vault;
	struct lampo_sign_ask *ask;
	struct buf text;
};

struct vault {
	struct world *world;
	struct lampo_keys *keys;
	struct vault_question questions[QUESTIONS];
	uint32_t asked;
};

static void on_bytes(void *context, struct lampo_bytes bytes)
{
	lampo_signer_answer(context, bytes);
}

static void answer_from_vault(void *context)
{
	struct vault_question *q = context;

	CHECK(lampo_keys_answer(q->vault->keys, (struct lampo_bytes){ q->text.data, q->text.size }, on_bytes, q->ask));
}

static void vault_request(void *context, struct lampo_sign_ask *ask, struct lampo_bytes question)
{
	struct vault *v = context;
	struct vault_question *q = &v->questions[v->asked++];

	CHECK(v->asked <= QUESTIONS);
	q->vault = v;
	q->ask = ask;
	buf_add(&q->text, question.data, question.size);
	lampo_node_post(v->world->node, answer_from_vault, q);
}

TEST(keys_may_be_elsewhere)
{
	static const char words[] = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
	struct world *w = world_new();
	struct vault v = { .world = w, .keys = lampo_keys_from_words("regtest", words) };
	struct lampo_signer s = { .size = sizeof(s), .context = &v, .request = vault_request };
	struct lampo_config *c = config_of(w);
	uint8_t local[33], far[33];

	CHECK(v.keys);
	CHECK(!lampo_keys_from_words("regtest", "no words"));
	CHECK(!lampo_keys_new("regtest", "short", 5));
	CHECK(!lampo_keys_answer(v.keys, (struct lampo_bytes){ far, 1 }, on_bytes, NULL));
	w->node = lampo_node_new(c, w->error);
	CHECK(w->node);
	lampo_node_id(w->node, local);
	lampo_node_free(w->node);
	lampo_keys_node_id(v.keys, s.node_id33);
	CHECK(memcmp(local, s.node_id33, 33) == 0);
	lampo_config_signer(c, &s);
	w->node = lampo_node_new(c, w->error);
	CHECK(w->node);
	w->answers = 1;
	lampo_node_call(w->node, "invoice", "{\"amount_msat\": 1000, \"label\": \"x\", \"description\": \"y\"}", on_answer, w);
	lampo_node_run(w->node);
	lampo_node_free(w->node);
	CHECK_EQ(v.asked, 2); /* the key of the backup, and the invoice */
	CHECK(strstr(w->trace, "\"bolt11\":\"lnbcrt"));
	lampo_config_free(c);
	lampo_keys_free(v.keys);
	for (int i = 0; i < QUESTIONS; i++)
		buf_release(&v.questions[i].text);
}
