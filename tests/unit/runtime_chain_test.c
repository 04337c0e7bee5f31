/* The chain source and its Bitcoin Core backend against a bitcoind that fails in every way. */
#include "runtime/chain/source.h"

#include <sys/wait.h>

#include "runtime/chain/core.h"
#include "tests/unit/bitcoind_mock.h"

/* ---- The backend alone ---- */

static void set_url(char url[64], const struct mock *m)
{
	snprintf(url, 64, "http://127.0.0.1:%u", m->port);
}

static struct backend backend_of(const struct mock *m, const char *user, const char *cookie)
{
	static char url[64];
	struct core_config c = { .url = url, .user = user, .password = user ? "p" : NULL, .cookie_path = cookie,
				 .network = network_by_name("regtest"), .timeout_s = 2 };
	char error[BACKEND_ERROR_SIZE];
	struct backend b;

	set_url(url, m);
	CHECK(core_backend(&b, &c, error));
	return b;
}


static void write_cookie(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	fputs(text, f);
	fclose(f);
}

TEST(tip_blocks_and_outputs_are_read)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);
	char error[BACKEND_ERROR_SIZE];
	struct backend_tip tip;
	struct block_hash hash;
	struct buf raw = BUF_EMPTY;
	struct outpoint o = { .index = 0 };
	struct amount_sat amount;

	m->authorization = "Basic dTpw"; /* u:p */
	mock_chain(m, 0, 0, 5);
	m->headers = 9;
	CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_OK);
	CHECK_EQ(tip.height, 5);
	CHECK_EQ(tip.headers, 9);
	CHECK(SAME(tip.hash, *mock_hash(m, 5)));
	CHECK_EQ(b.block_hash(b.context, 3, &hash, error), BACKEND_OK);
	CHECK(SAME(hash, *mock_hash(m, 3)));
	CHECK_EQ(b.block_hash(b.context, 6, &hash, error), BACKEND_NO);
	CHECK_EQ(b.block(b.context, mock_hash(m, 3), &raw, error), BACKEND_OK);
	CHECK(bytes_equal(buf_view(&raw), buf_view(&m->blocks[0][3].raw)));
	hash.v[0] ^= 1;
	CHECK_EQ(b.block(b.context, &hash, &raw, error), BACKEND_NO);
	buf_clear(&raw);
	CHECK_EQ(b.utxo(b.context, &o, &amount, &raw, error), BACKEND_OK);
	CHECK_EQ(amount.v, 12345678);
	CHECK_HEX(buf_view(&raw), "0014ff");
	o.index = 1;
	CHECK_EQ(b.utxo(b.context, &o, &amount, &raw, error), BACKEND_NO);
	buf_release(&raw);
	b.free(b.context);
	mock_free(m);
}

TEST(the_cookie_is_read_again_after_a_refusal)
{
	struct mock *m = mock_new();
	char path[] = "/tmp/lampo-cookie-XXXXXX", error[BACKEND_ERROR_SIZE];
	int fd = mkstemp(path);
	struct backend b = backend_of(m, NULL, path);
	struct backend_tip tip;

	close(fd);
	unlink(path);
	CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_AWAY);
	CHECK(strstr(error, "cookie"));
	m->authorization = "Basic X19jb29raWVfXzpvbmU="; /* __cookie__:one */
	write_cookie(path, "__cookie__:one\n");
	CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_OK);
	CHECK_EQ(m->refused, 0);
	/* bitcoind was restarted. */
	m->authorization = "Basic X19jb29raWVfXzp0d28="; /* __cookie__:two */
	write_cookie(path, "__cookie__:two");
	CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_OK);
	CHECK_EQ(m->refused, 1);
	/* A cookie of another bitcoind: not for ever, it may be written in this very moment. */
	write_cookie(path, "__cookie__:one");
	m->authorization = "Basic nobody";
	CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_AWAY);
	CHECK(strstr(error, "refuses our cookie"));
	unlink(path);
	b.free(b.context);
	mock_free(m);
}

static void check_away(struct mock *m, struct backend *b, const char *words)
{
	char error[BACKEND_ERROR_SIZE];
	struct backend_tip tip;

	(void)m;
	CHECK_EQ(b->tip(b->context, &tip, error), BACKEND_AWAY);
	if (!strstr(error, words))
		test_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error, words);
}

TEST(everything_that_passes_is_away)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);

	mock_chain(m, 0, 0, 2);
	m->http_status = 503;
	check_away(m, &b, "busy");
	m->http_status = 0;
	m->garbage = "<html>proxy</html>";
	check_away(m, &b, "does not answer like bitcoind");
	m->garbage = "{\"result\": {\"chain\": 7}, \"error\": null}";
	check_away(m, &b, "no sense");
	m->garbage = "{\"result\": {\"chain\": \"regtest\", \"blocks\": -1, \"headers\": 1, \"bestblockhash\": \"00\"}}";
	check_away(m, &b, "no sense");
	m->garbage = NULL;
	m->error_code = -28;
	m->error_text = "Loading block index";
	check_away(m, &b, "Loading block index");
	m->error_code = 0;
	m->hang_up = true;
	check_away(m, &b, "127.0.0.1");
	m->hang_up = false;
	m->delay_ms = 2500;
	check_away(m, &b, "timed out");
	m->delay_ms = 0;
	mock_down(m);
	check_away(m, &b, "connect");
	mock_listen(m, m->port);
	{
		char error[BACKEND_ERROR_SIZE];
		struct backend_tip tip;

		CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_OK);
	}
	b.free(b.context);
	mock_free(m);
}

TEST(another_network_is_wrong_for_good)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);
	char error[BACKEND_ERROR_SIZE];
	struct backend_tip tip;

	m->chain = "main";
	CHECK_EQ(b.tip(b.context, &tip, error), BACKEND_WRONG);
	CHECK(strstr(error, "\"main\"") && strstr(error, "\"regtest\""));
	b.free(b.context);
	mock_free(m);
}

TEST(a_pruned_block_is_said_in_words)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);
	char error[BACKEND_ERROR_SIZE];
	struct buf raw = BUF_EMPTY;

	mock_chain(m, 0, 0, 2);
	m->error_code = -1;
	m->error_text = "Block not available (pruned data)";
	CHECK_EQ(b.block(b.context, mock_hash(m, 1), &raw, error), BACKEND_WRONG);
	CHECK(strstr(error, "pruned") && strstr(error, "prune=0"));
	m->error_text = "Block not available (not fully downloaded)";
	CHECK_EQ(b.block(b.context, mock_hash(m, 1), &raw, error), BACKEND_AWAY);
	buf_release(&raw);
	b.free(b.context);
	mock_free(m);
}

TEST(feerates_are_rounded_up_and_bounded)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);
	char error[BACKEND_ERROR_SIZE];
	struct feerate rate;

	CHECK_EQ(b.feerate(b.context, 6, &rate, error), BACKEND_NO);
	m->fee_btc_per_kvb = 0.00010001;
	CHECK_EQ(b.feerate(b.context, 6, &rate, error), BACKEND_OK);
	CHECK_EQ(rate.per_kw, 2501); /* 10001 / 4 = 2500.25 */
	m->fee_btc_per_kvb = 0.00010000;
	CHECK_EQ(b.feerate(b.context, 6, &rate, error), BACKEND_OK);
	CHECK_EQ(rate.per_kw, 2500);
	m->fee_btc_per_kvb = 0.00000100;
	CHECK_EQ(b.feerate(b.context, 6, &rate, error), BACKEND_OK);
	CHECK_EQ(rate.per_kw, FEERATE_FLOOR_PER_KW);
	m->fee_btc_per_kvb = 5;
	CHECK_EQ(b.feerate(b.context, 6, &rate, error), BACKEND_OK);
	CHECK_EQ(rate.per_kw, 250000);
	CHECK_EQ(b.feerate(b.context, 0, &rate, error), BACKEND_OK);
	CHECK_EQ(rate.per_kw, 500); /* the greater of mempoolminfee and minrelaytxfee */
	b.free(b.context);
	mock_free(m);
}

TEST(transactions_go_out_alone_and_in_packages)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);
	char error[BACKEND_ERROR_SIZE];
	struct bytes txs[2] = { BYTES("\x01", 1), BYTES("\x02", 1) };

	CHECK_EQ(b.broadcast(b.context, txs, 1, error), BACKEND_OK);
	CHECK_STR(m->sent, "01");
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	CHECK_STR(m->sent, "01 package 01 02");
	/* Refused as a package: one by one, and those are accepted. */
	*m->sent = 0;
	m->package_message = "package-not-child-with-unconfirmed-parents";
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	CHECK_STR(m->sent, "package 01 02 01 02");
	/* What is there already is no failure. */
	*m->sent = 0;
	m->package_message = "transaction failed";
	m->package_error = "txn-already-known";
	m->error_code = -27;
	m->error_text = "Transaction already in block chain";
	m->fail_method = "sendrawtransaction";
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	/* An old bitcoind. */
	*m->sent = 0;
	m->no_submitpackage = true;
	m->error_code = 0;
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	CHECK_STR(m->sent, "01 02");
	/* Refused in earnest. */
	m->error_code = -26;
	m->error_text = "min relay fee not met";
	CHECK_EQ(b.broadcast(b.context, txs, 1, error), BACKEND_NO);
	CHECK(strstr(error, "min relay fee not met"));
	b.free(b.context);
	mock_free(m);
}

TEST(what_a_package_came_to_is_understood)
{
	struct mock *m = mock_new();
	struct backend b = backend_of(m, "u", NULL);
	char error[BACKEND_ERROR_SIZE];
	struct bytes txs[2] = { BYTES("\x01", 1), BYTES("\x02", 1) };

	/* All of it was there: nothing is sent twice. */
	m->package_message = "transaction failed";
	m->package_error = "txn-same-nonwitness-data-in-mempool";
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	CHECK_STR(m->sent, "package 01 02");
	/* One has no result, so nobody knows. */
	*m->sent = 0;
	m->package_hides = 1;
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	CHECK_STR(m->sent, "package 01 02 01 02");
	m->package_hides = 0;
	/* The parent was there, the child came in. */
	*m->sent = 0;
	m->package_child_error = "txn-already-known";
	m->package_error = NULL;
	m->package_accepts = true;
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_OK);
	CHECK_STR(m->sent, "package 01 02");
	/* The parent is there, the child is not. */
	*m->sent = 0;
	m->package_child_error = "insufficient fee, rejecting replacement";
	m->error_code = -26;
	m->error_text = "bad-txns-inputs-missingorspent";
	m->fail_method = "sendrawtransaction";
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_NO);
	CHECK_STR(m->sent, "package 01 02");
	CHECK(strstr(error, "insufficient fee"));
	CHECK(strstr(error, "missingorspent"));
	/* The reason is that of the one that was looked at. */
	m->package_error = "min relay fee not met";
	m->package_child_error = "package-not-validated";
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_NO);
	CHECK(strstr(error, "min relay fee not met"));
	/* None was. */
	m->package_error = "package-not-validated";
	m->package_message = "package-not-sorted";
	CHECK_EQ(b.broadcast(b.context, txs, 2, error), BACKEND_NO);
	CHECK(strstr(error, "package-not-sorted"));
	b.free(b.context);
	mock_free(m);
}

/* ---- The source ---- */

struct watcher {
	struct mock *mock;
	struct loop *loop;
	struct source *source;
	uint32_t first, height; /* of the chain that the events made; first: the first block that came */
	struct block_hash tip;
	uint32_t blocks, undone, synced, synced_height, synced_best, fees, broadcasts;
	struct feerate rates[FEE_TARGETS];
	bool accepted;
	char reason[128];
	bool hold; /* does not release */
	bool torn; /* a block did not build on the one before */
	uint32_t undone_most;
};

static void on_block(struct watcher *w, const struct event *e)
{
	if (!w->blocks)
		w->first = e->u.block.height;
	else if (e->u.block.height != w->height + 1 || !SAME(e->u.block.previous, w->tip))
		w->torn = true;
	w->blocks++;
	w->height = e->u.block.height;
	w->tip = e->u.block.hash;
}

static void on_undone(struct watcher *w, const struct event *e)
{
	if (e->u.undone.height != w->height || !SAME(e->u.undone.hash, w->tip))
		w->torn = true;
	w->undone++;
	w->height--;
	w->tip = e->u.undone.previous;
}

static void on_event(void *context, const struct event *e)
{
	struct watcher *w = context;

	switch ((int)e->kind) {
	case EVENT_BLOCK:
		on_block(w, e);
		break;
	case EVENT_BLOCK_UNDONE:
		on_undone(w, e);
		break;
	case EVENT_CHAIN_SYNCED:
		w->synced++;
		w->synced_height = e->u.synced.height;
		w->synced_best = e->u.synced.best_height;
		return;
	case EVENT_FEES:
		w->fees++;
		memcpy(w->rates, e->u.fees.rates, sizeof(w->rates));
		return;
	case EVENT_BROADCAST:
		w->broadcasts++;
		w->accepted = e->u.broadcast.accepted;
		snprintf(w->reason, sizeof(w->reason), "%s", e->u.broadcast.reason);
		return;
	default:
		CHECK(false);
	}
	if (!w->hold)
		source_released(w->source);
}

static void on_fatal(void *context, const char *text)
{
	(void)context;
	dprintf(1, "FATAL %s\n", text);
	_exit(77);
}

static void turn(void *context, uint64_t now_ms)
{
	(void)context;
	(void)now_ms;
}

static uint64_t never(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static void watcher_open_as(struct watcher *w, struct mock *m, const struct follow *stored, const uint32_t *birthday, bool held)
{
	struct loop_client client = { .context = w, .turn = turn, .deadline = never };
	struct source_config c = { .network = network_by_name("regtest"), .stored = *stored, .poll_ms = 10, .fees_ms = 20,
				   .held = held, .context = w, .event = on_event, .fatal = on_fatal };

	memset(w, 0, sizeof(*w));
	w->mock = m;
	w->loop = loop_new(&client);
	c.backend = backend_of(m, "u", NULL);
	c.has_birthday = birthday != NULL;
	c.birthday_height = birthday ? *birthday : 0;
	w->source = source_new(w->loop, &c);
	source_start(w->source);
}

static void watcher_open_from(struct watcher *w, struct mock *m, const struct follow *stored, const uint32_t *birthday)
{
	watcher_open_as(w, m, stored, birthday, false);
}

static void watcher_open(struct watcher *w, struct mock *m)
{
	struct follow fresh;

	follow_init(&fresh);
	watcher_open_from(w, m, &fresh, NULL);
}

static void watcher_close(struct watcher *w)
{
	source_free(w->source);
	loop_free(w->loop);
	CHECK(!w->torn);
}

#define RUN_UNTIL(w, condition) \
	do { \
		uint64_t give_up = loop_now_ms((w)->loop) + 10000; \
		while (!(condition) && loop_now_ms((w)->loop) < give_up) { \
			uv_run(loop_uv((w)->loop), UV_RUN_NOWAIT); \
			usleep(500); \
		} \
		CHECK(condition); \
	} while (0)

static bool at_tip(const struct watcher *w)
{
	return w->height == w->mock->height && SAME(w->tip, *mock_hash(w->mock, w->mock->height));
}

TEST(a_new_node_begins_at_the_tip_and_follows)
{
	struct mock *m = mock_new();
	struct watcher w;

	mock_chain(m, 0, 0, 500);
	watcher_open(&w, m);
	RUN_UNTIL(&w, w.synced == 1 && w.fees == 1);
	CHECK_EQ(w.first, 500);
	CHECK_EQ(w.synced_height, 500);
	CHECK_EQ(w.rates[FEE_URGENT].per_kw, 5000); /* nothing estimated: worthless coins have fixed rates */
	CHECK_EQ(w.rates[FEE_MINIMUM].per_kw, 500);
	mock_chain(m, 0, 500, 530);
	RUN_UNTIL(&w, at_tip(&w) && w.synced_height == 530);
	CHECK_EQ(w.blocks, 31);
	m->fee_btc_per_kvb = 0.001;
	RUN_UNTIL(&w, w.fees == 2);
	CHECK_EQ(w.rates[FEE_NORMAL].per_kw, 25000);
	/* B2.funding_created.6: no rate is one that could take longer. */
	CHECK(m->fee_blocks_max > 0 && m->fee_blocks_max <= 2016);
	watcher_close(&w);
	mock_free(m);
}

TEST(a_restored_wallet_begins_at_its_birthday)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct follow fresh;
	uint32_t birthday = 450;

	mock_chain(m, 0, 0, 500);
	follow_init(&fresh);
	watcher_open_from(&w, m, &fresh, &birthday);
	RUN_UNTIL(&w, at_tip(&w));
	CHECK_EQ(w.first, 450);
	CHECK_EQ(w.blocks, 51);
	watcher_close(&w);
	mock_free(m);
}

TEST(blocks_come_one_a_batch_and_few_are_fetched_ahead)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct follow fresh;
	uint32_t birthday = 1;

	mock_chain(m, 0, 0, 60);
	follow_init(&fresh);
	watcher_open_from(&w, m, &fresh, &birthday);
	w.hold = true;
	RUN_UNTIL(&w, w.blocks == 1);
	for (int i = 0; i < 100; i++) {
		uv_run(loop_uv(w.loop), UV_RUN_NOWAIT);
		usleep(500);
	}
	CHECK_EQ(w.blocks, 1);
	CHECK(m->block_calls <= 10);
	w.hold = false;
	source_released(w.source);
	RUN_UNTIL(&w, at_tip(&w));
	CHECK_EQ(w.blocks, 60);
	watcher_close(&w);
	mock_free(m);
}

/* A slow disk still writes the first batch, and the first block has what it watches for. */
TEST(a_held_source_waits_for_the_watches_of_the_start)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct follow fresh;
	uint32_t birthday = 1;

	mock_chain(m, 0, 0, 60);
	follow_init(&fresh);
	watcher_open_as(&w, m, &fresh, &birthday, true);
	for (int i = 0; i < 200; i++) {
		uv_run(loop_uv(w.loop), UV_RUN_NOWAIT);
		usleep(500);
	}
	CHECK_EQ(w.blocks, 0);
	source_released(w.source);
	RUN_UNTIL(&w, at_tip(&w));
	CHECK_EQ(w.blocks, 60);
	watcher_close(&w);
	mock_free(m);
}

TEST(a_reorganisation_is_undone_and_followed)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct follow fresh;
	uint32_t birthday = 1;

	mock_chain(m, 0, 0, 150);
	follow_init(&fresh);
	watcher_open_from(&w, m, &fresh, &birthday);
	RUN_UNTIL(&w, at_tip(&w));
	mock_chain(m, 1, 40, 151); /* 110 blocks go */
	RUN_UNTIL(&w, at_tip(&w));
	CHECK_EQ(w.undone, 110);
	/* The same height, another tip; and back again. */
	mock_chain(m, 2, 150, 151);
	RUN_UNTIL(&w, at_tip(&w));
	mock_chain(m, 1, 150, 152);
	RUN_UNTIL(&w, at_tip(&w));
	CHECK_EQ(w.undone, 112);
	watcher_close(&w);
	mock_free(m);
}

static void store_chain(struct follow *f, const struct mock *m, uint32_t from, uint32_t tip)
{
	follow_init(f);
	follow_load_tip(f, tip, mock_hash(m, tip));
	for (uint32_t h = tip; h-- > from;)
		follow_load_recent(f, mock_hash(m, h), h, 1);
}

TEST(a_stored_tip_is_taken_up_again)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct follow stored;

	mock_chain(m, 0, 0, 200);
	store_chain(&stored, m, 100, 200);
	mock_chain(m, 1, 190, 220); /* while we were off */
	watcher_open_from(&w, m, &stored, NULL);
	w.blocks = 1; /* the stored ones */
	w.height = 200;
	w.tip = m->blocks[0][200].hash;
	RUN_UNTIL(&w, at_tip(&w));
	CHECK_EQ(w.undone, 10);
	watcher_close(&w);
	mock_free(m);
}

TEST(a_bitcoind_that_lags_is_waited_for)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct follow stored;

	mock_chain(m, 0, 0, 400);
	store_chain(&stored, m, 380, 400);
	mock_chain(m, 0, 0, 390); /* it reads its blocks again */
	watcher_open_from(&w, m, &stored, NULL);
	w.blocks = 1;
	w.height = 400;
	w.tip = m->blocks[0][400].hash;
	for (int i = 0; i < 60; i++) {
		uv_run(loop_uv(w.loop), UV_RUN_NOWAIT);
		usleep(1000);
	}
	mock_chain(m, 0, 0, 100); /* so far back that we cannot compare */
	for (int i = 0; i < 60; i++) {
		uv_run(loop_uv(w.loop), UV_RUN_NOWAIT);
		usleep(1000);
	}
	CHECK_EQ(w.undone + w.synced, 0);
	mock_chain(m, 0, 0, 403);
	RUN_UNTIL(&w, at_tip(&w) && w.synced);
	CHECK_EQ(w.undone, 0);
	watcher_close(&w);
	mock_free(m);
}

TEST(a_restart_of_bitcoind_is_survived)
{
	struct mock *m = mock_new();
	struct watcher w;
	struct bytes tx = BYTES("\x07", 1);

	mock_chain(m, 0, 0, 20);
	watcher_open(&w, m);
	RUN_UNTIL(&w, at_tip(&w));
	mock_down(m);
	source_broadcast(w.source, 9, &tx, 1);
	RUN_UNTIL(&w, w.broadcasts == 1);
	CHECK(!w.accepted);
	CHECK(strstr(w.reason, "connect"));
	mock_chain(m, 0, 20, 25);
	mock_listen(m, m->port);
	RUN_UNTIL(&w, at_tip(&w));
	source_broadcast(w.source, 10, &tx, 1);
	RUN_UNTIL(&w, w.broadcasts == 2);
	CHECK(w.accepted);
	source_broadcast(w.source, 0, &tx, 1); /* nobody wants the answer */
	RUN_UNTIL(&w, strcmp(m->sent, "07 07") == 0);
	CHECK_EQ(w.broadcasts, 2);
	watcher_close(&w);
	mock_free(m);
}

TEST(a_syncing_bitcoind_is_told_as_such)
{
	struct mock *m = mock_new();
	struct watcher w;

	mock_chain(m, 0, 0, 20);
	m->headers = 700;
	watcher_open(&w, m);
	RUN_UNTIL(&w, w.synced == 1);
	CHECK_EQ(w.synced_height, 20);
	CHECK_EQ(w.synced_best, 700);
	watcher_close(&w);
	mock_free(m);
}

/* Runs what must end in fatal in a process of its own: its words. */
static const char *fatal_words(struct mock *m, const struct follow *stored)
{
	char *text = test_alloc(1024);
	size_t size = 0;
	int fds[2], status;
	ssize_t n;
	pid_t child;

	CHECK(!pipe(fds));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct watcher w;
		uint64_t give_up;

		dup2(fds[1], 1);
		mock_listen(m, 0); /* threads do not come along */
		watcher_open_from(&w, m, stored, NULL);
		w.blocks = 0;
		give_up = loop_now_ms(w.loop) + 5000;
		while (loop_now_ms(w.loop) < give_up)
			uv_run(loop_uv(w.loop), UV_RUN_NOWAIT);
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + size, 1023 - size)) > 0)
		size += (size_t)n;
	close(fds[0]);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 77);
	return text;
}

TEST(a_reorganisation_too_deep_stops_before_anything_is_undone)
{
	struct mock *m = mock_new();
	struct follow stored;
	const char *words;

	mock_chain(m, 0, 0, 200);
	store_chain(&stored, m, 100, 200);
	mock_chain(m, 1, 90, 220);
	words = fatal_words(m, &stored);
	CHECK(strstr(words, "up to height 200"));
	mock_free(m);
}

TEST(another_network_stops)
{
	struct mock *m = mock_new();
	struct follow fresh;

	follow_init(&fresh);
	mock_chain(m, 0, 0, 3);
	m->chain = "signet";
	CHECK(strstr(fatal_words(m, &fresh), "signet"));
	mock_free(m);
}

TEST(a_false_block_stops)
{
	struct mock *m = mock_new();
	struct follow fresh;

	follow_init(&fresh);
	mock_chain(m, 0, 0, 3);
	m->blocks[0][3].raw.data[m->blocks[0][3].raw.size - 1] ^= 1; /* its coinbase's locktime */
	CHECK(strstr(fatal_words(m, &fresh), "not what its hash says"));
	mock_free(m);
}
