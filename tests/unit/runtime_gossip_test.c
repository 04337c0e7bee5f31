/* The edge of gossip: its file whatever happens to it, its threads, and funding outputs out of blocks. */
#include "runtime/gossip/edge.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bitcoin/block.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "runtime/chain/lookup.h"
#include "runtime/gossip/file.h"
#include "runtime/gossip/verify.h"
#include "tests/test.h"

struct world {
	struct loop *loop;
	char directory[64];
	struct log_sink log;
	uint32_t warnings;
	uint32_t wanted, got; /* answers, after which the loop stops */
	bool good[600];
	uint64_t ids[64];
	struct gossip_move moves[64];
	uint32_t move_count, start, first_new;
};

static struct world w;

static void turn(void *context, uint64_t now_ms)
{
	(void)context;
	(void)now_ms;
}

static uint64_t deadline(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static void log_line(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	(void)room;
	(void)text;
	w.warnings += level == LOG_WARN;
}

static void start(void)
{
	struct loop_client client = { .turn = turn, .deadline = deadline };

	memset(&w, 0, sizeof(w));
	strcpy(w.directory, "/tmp/lampo-gossip-XXXXXX");
	CHECK(mkdtemp(w.directory));
	w.log = (struct log_sink){ log_line, NULL, LOG_DEBUG };
	w.loop = loop_new(&client);
}

static void finish(void)
{
	char command[128];

	loop_free(w.loop);
	snprintf(command, sizeof(command), "rm -rf %s", w.directory);
	CHECK_EQ(system(command), 0);
}

static void until(uint32_t answers)
{
	w.wanted = answers;
	while (w.got < w.wanted)
		uv_run(loop_uv(w.loop), UV_RUN_ONCE);
}

static void fatal(void *context, const char *text)
{
	(void)context;
	test_failed(__FILE__, __LINE__, "%s", text);
}

static void compacted(void *context, const struct gossip_move *moves, uint32_t count, uint32_t from, uint32_t first_new)
{
	(void)context;
	memcpy(w.moves, moves, count * sizeof(*moves));
	w.move_count = count;
	w.start = from;
	w.first_new = first_new;
	w.got++;
}

/* ---- The file ---- */

static struct block_hash chain_of(uint8_t n)
{
	struct block_hash h = { { n } };

	return h;
}

static struct gossip_file *open_file(uint8_t chain)
{
	struct gossip_file_owner owner = { NULL, fatal, compacted, &w.log };
	char error[GOSSIP_FILE_ERROR_SIZE];
	struct block_hash h = chain_of(chain);
	struct gossip_file *f = gossip_file_open(w.loop, w.directory, &h, &owner, error);

	CHECK(f);
	return f;
}

/* A record whose message is n bytes of n. */
static struct bytes record_of(uint8_t n)
{
	uint8_t *body = test_alloc(n);
	struct buf b = BUF_EMPTY;
	uint8_t *p;
	size_t size;

	memset(body, n, n);
	log_record_encode(LOG_NODE, BYTES_NONE, BYTES(body, n), &b);
	size = b.size;
	p = test_alloc(size);
	memcpy(p, b.data, size);
	buf_release(&b);
	return BYTES(p, size);
}

struct read_back {
	uint32_t refs[256], count, stop_at;
	uint8_t what[256];
};

static bool each(void *context, uint32_t ref, struct bytes record)
{
	struct read_back *r = context;

	if (r->stop_at && r->count == r->stop_at)
		return false;
	r->refs[r->count] = ref;
	r->what[r->count++] = record.data[LOG_RECORD_HEADER];
	return true;
}

static uint32_t append(struct gossip_file *f, uint32_t generation, uint32_t at, uint8_t n)
{
	gossip_file_append(f, generation, at, record_of(n));
	return at + (uint32_t)record_of(n).size;
}

static bool has_message(struct gossip_file *f, uint32_t generation, uint32_t ref, uint8_t n)
{
	struct buf b = BUF_EMPTY;
	bool good = gossip_file_message(f, generation, ref, &b) && b.size == n && b.data[0] == n && b.data[n - 1] == n;

	buf_release(&b);
	return good;
}

TEST(what_is_appended_is_there_at_once_and_later)
{
	struct read_back r = { .count = 0 };
	struct gossip_file *f;
	uint32_t at[20], end;

	start();
	f = open_file(1);
	end = gossip_file_load(f, each, &r);
	CHECK(end == LOG_HEADER_SIZE && r.count == 0);
	for (uint8_t i = 0; i < 20; i++) {
		at[i] = end;
		end = append(f, 0, end, (uint8_t)(i + 1));
		/* Not written yet, and there all the same. */
		CHECK(i % 3 || has_message(f, 0, at[i], (uint8_t)(i + 1)));
	}
	CHECK(!has_message(f, 0, at[3] + 1, 4) && !has_message(f, 0, end, 1));
	gossip_file_close(f);
	f = open_file(1);
	CHECK_EQ(gossip_file_load(f, each, &r), end);
	CHECK_EQ(r.count, 20);
	for (uint8_t i = 0; i < 20; i++)
		CHECK(r.refs[i] == at[i] && r.what[i] == i + 1);
	gossip_file_close(f);
	finish();
}

static off_t file_size(void)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s/" GOSSIP_FILE_NAME, w.directory);
	CHECK_EQ(stat(path, &st), 0);
	return st.st_size;
}

TEST(a_torn_end_is_cut_off_at_any_byte)
{
	uint32_t end = LOG_HEADER_SIZE, before = 0;
	char path[128];

	start();
	snprintf(path, sizeof(path), "%s/" GOSSIP_FILE_NAME, w.directory);
	/* The last byte of a record, its body, its header, all of it. */
	for (uint32_t cut = 1; cut <= record_of(50).size; cut++) {
		struct gossip_file *f = open_file(1);
		struct read_back r = { .count = 0 };

		end = gossip_file_load(f, each, &r);
		CHECK(cut == 1 || (end == before && r.count == cut - 1));
		before = end = append(f, 0, end, 40);
		end = append(f, 0, end, 50);
		gossip_file_close(f);
		CHECK_EQ(truncate(path, end - cut), 0);
	}
	/* Garbage behind the end, as a disk leaves it that grew the file before it wrote. */
	{
		struct gossip_file *f = open_file(1);
		struct read_back r = { .count = 0 };

		CHECK_EQ(gossip_file_load(f, each, &r), before);
		gossip_file_close(f);
		CHECK_EQ(truncate(path, before + 5000), 0);
		f = open_file(1);
		r.count = 0;
		CHECK_EQ(gossip_file_load(f, each, &r), before);
		CHECK_EQ(r.count, record_of(50).size);
		CHECK_EQ(file_size(), before);
		/* And where the reader knows no such record. */
		r.count = 0;
		r.stop_at = 10;
		before = gossip_file_load(f, each, &r);
		CHECK(r.count == 10 && file_size() == before);
		gossip_file_close(f);
	}
	finish();
}

TEST(another_chain_begins_anew)
{
	struct gossip_file *f;
	struct read_back r = { .count = 0 };

	start();
	f = open_file(1);
	(void)append(f, 0, gossip_file_load(f, each, &r), 9);
	gossip_file_close(f);
	CHECK_EQ(w.warnings, 0);
	f = open_file(2);
	CHECK_EQ(w.warnings, 1);
	CHECK(gossip_file_load(f, each, &r) == LOG_HEADER_SIZE && r.count == 0);
	gossip_file_close(f);
	finish();
}

TEST(compaction_leaves_what_lives_and_loses_nothing_that_comes_meanwhile)
{
	struct read_back r = { .count = 0 };
	struct gossip_move moves[5];
	struct gossip_file *f;
	uint32_t at[20], end, late, later;

	start();
	f = open_file(1);
	end = gossip_file_load(f, each, &r);
	for (uint8_t i = 0; i < 20; i++) {
		at[i] = end;
		end = append(f, 0, end, (uint8_t)(i + 1));
	}
	/* In an order of its own. */
	for (uint32_t i = 0; i < 5; i++)
		moves[i] = (struct gossip_move){ .thing = i, .from = at[18 - 4 * i] };
	gossip_file_compact(f, moves, 5, end);
	late = end;
	later = append(f, 0, late, 100);
	until(1);
	CHECK(w.move_count == 5 && w.start == end);
	for (uint32_t i = 0; i < 5; i++)
		CHECK(w.moves[i].thing == i && has_message(f, 1, w.moves[i].to, (uint8_t)(19 - 4 * i)));
	CHECK(has_message(f, 1, w.first_new + (late - w.start), 100));
	/* Orders from before the core heard of it: to send, and to append. */
	CHECK(has_message(f, 0, at[7], 8) && has_message(f, 0, at[0], 1) && has_message(f, 0, late, 100));
	gossip_file_append(f, 0, later, record_of(101));
	CHECK(has_message(f, 0, later, 101) && has_message(f, 1, w.first_new + (later - w.start), 101));
	gossip_file_close(f);
	f = open_file(1);
	r.count = 0;
	(void)gossip_file_load(f, each, &r);
	CHECK_EQ(r.count, 7);
	for (uint32_t i = 0; i < 5; i++)
		CHECK_EQ(r.what[i], 19 - 4 * i);
	CHECK(r.what[5] == 100 && r.what[6] == 101);
	gossip_file_close(f);
	finish();
}

TEST(a_compaction_that_is_cut_short_changes_nothing)
{
	struct read_back r = { .count = 0 };
	struct gossip_move move = { .from = LOG_HEADER_SIZE };
	struct gossip_file *f;
	char path[128];
	uint32_t end;

	start();
	f = open_file(1);
	end = append(f, 0, gossip_file_load(f, each, &r), 5);
	end = append(f, 0, end, 6);
	gossip_file_compact(f, &move, 1, end);
	/* The process ends before the loop hears of it. */
	gossip_file_close(f);
	snprintf(path, sizeof(path), "%s/" GOSSIP_FILE_NAME ".new", w.directory);
	CHECK(access(path, F_OK) != 0);
	f = open_file(1);
	CHECK(gossip_file_load(f, each, &r) == end && r.count == 2);
	gossip_file_close(f);
	finish();
}

/* ---- Threads ---- */

static void verified(void *context, uint64_t id, const bool *good, uint32_t count)
{
	(void)context;
	for (uint32_t i = 0; i < count; i++)
		CHECK(good[i] == (i % 7 != id % 7));
	w.ids[id]++;
	w.got++;
}

TEST(signatures_are_verified_on_threads)
{
	struct verifier_owner owner = { NULL, verified };
	static const uint8_t seed[32] = { 7 };
	struct secp *s = secp_new(seed);
	struct secret32 k = { { 1, 2, 3 } };
	struct gossip_check checks[40];
	struct verifier *v;

	start();
	v = verifier_new(w.loop, &owner, 3);
	for (uint64_t id = 0; id < 20; id++) {
		for (uint32_t i = 0; i < 40; i++) {
			checks[i].hash = sha256(&i, sizeof(i));
			pubkey_of(s, &checks[i].key, &k);
			ecdsa_sign(s, &checks[i].signature, &checks[i].hash, &k, false);
			if (i % 7 == id % 7)
				checks[i].hash.v[id] ^= 1;
		}
		verifier_ask(v, id, checks, 40);
	}
	verifier_ask(v, 20, NULL, 0);
	until(21);
	for (uint32_t id = 0; id <= 20; id++)
		CHECK_EQ(w.ids[id], 1);
	/* Ending with work left is no hang. */
	for (uint64_t id = 21; id < 40; id++)
		verifier_ask(v, id, checks, 40);
	verifier_free(v);
	secp_free(s);
	finish();
}

/* ---- Funding outputs ---- */

struct fake {
	struct buf block;
	struct block_hash hash;
	uint32_t blocks, utxos;
	enum backend_result block_result, hash_result, utxo_result[4];
};

static struct fake fake;

static enum backend_result fake_hash(void *context, uint32_t height, struct block_hash *out, char *error)
{
	(void)context;
	(void)error;
	CHECK_EQ(height, 700);
	*out = fake.hash;
	return fake.hash_result;
}

static enum backend_result fake_block(void *context, const struct block_hash *hash, struct buf *raw, char *error)
{
	(void)context;
	(void)error;
	CHECK(SAME(*hash, fake.hash));
	fake.blocks++;
	if (fake.block_result == BACKEND_OK)
		buf_add_bytes(raw, buf_view(&fake.block));
	return fake.block_result;
}

static enum backend_result fake_utxo(void *context, const struct outpoint *o, struct amount_sat *amount, struct buf *script, char *error)
{
	enum backend_result r = fake.utxo_result[fake.utxos++ % 4];

	(void)context;
	(void)error;
	if (r != BACKEND_OK)
		return r;
	*amount = SAT(5000 + o->index);
	buf_add_string(script, "script");
	return r;
}

/* Three transactions of two outputs each. */
static void make_block(void)
{
	struct block_header h = { .version = 1, .bits = 0x207fffff };
	uint8_t header[BLOCK_HEADER_SIZE];
	struct merkle m;
	struct arena arena;
	struct buf body = BUF_EMPTY;

	memset(&fake, 0, sizeof(fake));
	arena_init(&arena);
	merkle_init(&m);
	for (uint32_t i = 0; i < 3; i++) {
		struct tx *t = tx_new(&arena, 2, 1, 2, 0);
		struct txid id;

		t->inputs[0].prev.index = i;
		for (uint32_t k = 0; k < 2; k++) {
			t->outputs[k].amount = SAT(1000 + i);
			t->outputs[k].script = BYTES("s", 1);
		}
		id = tx_id(t);
		merkle_add(&m, &id);
		tx_encode(t, &body);
	}
	h.merkle_root = merkle_root(&m);
	block_header_encode(header, &h);
	fake.hash = block_header_hash(&h);
	buf_add(&fake.block, header, sizeof(header));
	buf_add_u8(&fake.block, 3);
	buf_add_bytes(&fake.block, buf_view(&body));
	buf_release(&body);
	arena_release(&arena);
}

static struct item *look(const struct scid *scids, uint32_t count)
{
	struct backend b = { .block_hash = fake_hash, .block = fake_block, .utxo = fake_utxo };
	struct lookup_order o = { .id = 9, .height = 700, .count = count, .scids = (struct scid *)scids };

	return lookup_answer(&b, &o);
}

TEST(funding_outputs_of_a_block)
{
	const struct scid scids[] = { scid_make(700, 1, 1), scid_make(700, 2, 0), scid_make(700, 2, 2), scid_make(700, 3, 0) };
	struct item *i;

	make_block();
	fake.utxo_result[1] = BACKEND_NO;
	i = look(scids, 4);
	CHECK(i->kind == ITEM_LOOKUP && i->id == 9 && i->count == 4);
	CHECK(i->fundings[0].state == FUNDING_UNSPENT && i->fundings[0].amount.v == 1001 && i->fundings[0].script.size == 1);
	CHECK_EQ(i->fundings[1].state, FUNDING_SPENT);
	/* No such output, no such transaction: nothing is asked about them. */
	CHECK(i->fundings[2].state == FUNDING_MISSING && i->fundings[3].state == FUNDING_MISSING);
	CHECK(fake.blocks == 1 && fake.utxos == 2);
	item_free(i);
	/* Away in the middle. */
	fake.utxo_result[2] = BACKEND_AWAY;
	fake.utxo_result[3] = BACKEND_WRONG;
	i = look(scids, 2);
	CHECK(i->fundings[0].state == FUNDING_AWAY && i->fundings[1].state == FUNDING_UNKNOWN);
	item_free(i);
	buf_release(&fake.block);
}

/* It has blocks, and nobody to ask what is unspent. */
TEST(a_light_backend_believes_its_blocks)
{
	const struct scid scids[] = { scid_make(700, 1, 1), scid_make(700, 2, 2) };
	struct backend b = { .block_hash = fake_hash, .block = fake_block };
	struct lookup_order o = { .id = 9, .height = 700, .count = 2, .scids = (struct scid *)scids };
	struct item *i;

	make_block();
	i = lookup_answer(&b, &o);
	CHECK(i->fundings[0].state == FUNDING_UNSPENT && i->fundings[0].amount.v == 1001);
	CHECK(bytes_equal(i->fundings[0].script, BYTES("s", 1)));
	CHECK_EQ(i->fundings[1].state, FUNDING_MISSING);
	CHECK(fake.blocks == 1 && fake.utxos == 0);
	item_free(i);
	buf_release(&fake.block);
}

TEST(a_backend_that_cannot_tell_says_so)
{
	const struct scid scids[] = { scid_make(700, 1, 1), scid_make(700, 2, 0) };
	static const enum backend_result results[] = { BACKEND_AWAY, BACKEND_NO, BACKEND_WRONG };

	for (size_t k = 0; k < 2 * ARRAY_COUNT(results); k++) {
		struct item *i;

		make_block();
		*(k % 2 ? &fake.block_result : &fake.hash_result) = results[k / 2];
		i = look(scids, 2);
		for (int j = 0; j < 2; j++)
			CHECK_EQ(i->fundings[j].state, results[k / 2] == BACKEND_AWAY ? FUNDING_AWAY : FUNDING_UNKNOWN);
		item_free(i);
		buf_release(&fake.block);
	}
	/* A block that is cut short, or another one. */
	make_block();
	fake.block.size -= 3;
	{
		struct item *i = look(scids, 2);

		CHECK(i->fundings[0].state == FUNDING_UNKNOWN && i->fundings[1].state == FUNDING_UNKNOWN && !fake.utxos);
		item_free(i);
	}
	fake.block.size += 3;
	fake.hash.v[0] ^= 1;
	{
		struct item *i = look(scids, 2);

		CHECK_EQ(i->fundings[0].state, FUNDING_UNKNOWN);
		item_free(i);
	}
	buf_release(&fake.block);
}
