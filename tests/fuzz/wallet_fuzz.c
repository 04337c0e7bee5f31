/* The wallet under arbitrary blocks, reorganisations, rivals, requests and restarts.
 *
 * After every step its invariants hold, its records make the same wallet again, and it agrees with a model that knows
 * only the chain: which outputs of its keys there are, and which of them the chain has spent. */
#include "bitcoin/bip39.h"
#include "bitcoin/psbt_sign.h"
#include "bitcoin/script.h"
#include "wallet/wallet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCKS_MAX 400u
#define TXS_MAX 256u
#define RECORDS_MAX 2048u

struct record {
	struct buf key, value;
};

struct world {
	struct arena arena;
	struct effects out;
	struct wallet *wallet;
	struct record records[RECORDS_MAX];
	uint32_t record_count;
	struct tx *txs[TXS_MAX]; /* all that were ever made */
	struct txid ids[TXS_MAX];
	uint32_t mined_at[TXS_MAX]; /* 0: not in the chain */
	uint32_t tx_count;
	uint32_t height;
	uint64_t next_reservation;
	struct cursor input;
};

static struct wallet_config config;
static struct wallet_keys keys;

static void set_up(void)
{
	static const uint8_t seed[32] = { 3 };
	struct bip32_key master;

	if (keys.secp)
		return;
	keys.secp = secp_new(seed);
	ASSERT(bip32_master(keys.secp, &master, BYTES_OF(seed)));
	ASSERT(wallet_derive(&config, &keys, &master, network_by_name("regtest")));
	config.gap = 3;
}

static struct record *find_record(struct world *w, struct bytes key)
{
	for (uint32_t i = 0; i < w->record_count; i++)
		if (bytes_equal(buf_view(&w->records[i].key), key))
			return &w->records[i];
	return NULL;
}

static void store(struct world *w)
{
	for (struct effect *e = w->out.head; e; e = e->next) {
		struct record *r;

		if (e->kind != EFFECT_PERSIST)
			continue;
		r = find_record(w, e->u.persist.key);
		if (e->u.persist.remove) {
			if (r) {
				buf_release(&r->key);
				buf_release(&r->value);
				*r = w->records[--w->record_count];
			}
			continue;
		}
		if (!r) {
			ASSERT(w->record_count < RECORDS_MAX);
			r = &w->records[w->record_count++];
			buf_init(&r->key);
			buf_init(&r->value);
			buf_add_bytes(&r->key, e->u.persist.key);
		}
		buf_clear(&r->value);
		buf_add_bytes(&r->value, e->u.persist.value);
	}
	effects_reset(&w->out);
}

static struct wallet *load(struct world *w)
{
	static const uint8_t seed[32] = { 9 };
	struct wallet *fresh = wallet_new(&config, seed);

	for (uint32_t i = 0; i < w->record_count; i++)
		ASSERT(wallet_load(fresh, buf_view(&w->records[i].key), buf_view(&w->records[i].value)));
	ASSERT(wallet_start(fresh, &w->out));
	effects_reset(&w->out);
	return fresh;
}

static void restart(struct world *w)
{
	struct wallet *fresh = load(w);
	struct wallet_balance a, b;

	wallet_view_balance(w->wallet, &a);
	wallet_view_balance(fresh, &b);
	ASSERT(memcmp(&a, &b, sizeof(a)) == 0);
	wallet_free(w->wallet);
	w->wallet = fresh;
}

/* In the chain: the height of the transaction that spends it, or 0. */
static uint32_t chain_spender(const struct world *w, const struct outpoint *o)
{
	for (uint32_t i = 0; i < w->tx_count; i++)
		for (uint32_t j = 0; w->mined_at[i] && j < w->txs[i]->input_count; j++)
			if (outpoint_equal(&w->txs[i]->inputs[j].prev, o))
				return w->mined_at[i];
	return 0;
}

static bool known_coin(const struct world *w, const struct outpoint *o, struct wallet_coin *c)
{
	for (uint32_t at = 0; wallet_view_coin(w->wallet, &at, c);)
		if (outpoint_equal(&c->outpoint, o))
			return true;
	return false;
}

static void check_output(const struct world *w, const struct outpoint *o, const struct tx_output *output, uint32_t height)
{
	uint32_t spent = chain_spender(w, o);
	struct wallet_coin c;

	if (!known_coin(w, o, &c)) {
		ASSERT(spent && w->height >= spent + WALLET_BURIED_BLOCKS);
		return;
	}
	ASSERT(c.amount.v == output->amount.v && c.height == height);
	ASSERT(c.spent_height == spent);
	ASSERT(!spent || c.spent);
}

static void check_against_chain(const struct world *w)
{
	struct wallet_coin c;

	for (uint32_t i = 0; i < w->tx_count; i++)
		for (uint32_t j = 0; w->mined_at[i] && j < w->txs[i]->output_count; j++)
			if (wallet_owns(w->wallet, w->txs[i]->outputs[j].script))
				check_output(w, &(struct outpoint){ w->ids[i], j }, &w->txs[i]->outputs[j], w->mined_at[i]);
	for (uint32_t at = 0; wallet_view_coin(w->wallet, &at, &c);) {
		bool mined = false;

		for (uint32_t i = 0; i < w->tx_count; i++)
			mined |= SAME(w->ids[i], c.outpoint.txid) && w->mined_at[i] == c.height;
		ASSERT(!c.height || mined);
	}
}

static void settle(struct world *w)
{
	store(w);
	wallet_check(w->wallet);
	ASSERT(wallet_height(w->wallet) == w->height);
	check_against_chain(w);
}

static uint32_t add_tx(struct world *w, struct tx *t)
{
	struct txid id = tx_id(t);

	for (uint32_t i = 0; i < w->tx_count; i++)
		if (SAME(w->ids[i], id))
			return i;
	if (w->tx_count == TXS_MAX)
		return 0;
	w->txs[w->tx_count] = tx_copy(&w->arena, t);
	w->ids[w->tx_count] = id;
	return w->tx_count++;
}

/* Parents are in the chain or a stranger's, and no input is spent there. */
static bool minable(const struct world *w, uint32_t i)
{
	if (w->mined_at[i])
		return false;
	for (uint32_t j = 0; j < w->txs[i]->input_count; j++) {
		const struct outpoint *prev = &w->txs[i]->inputs[j].prev;

		if (chain_spender(w, prev))
			return false;
		for (uint32_t k = 0; k < w->tx_count; k++)
			if (SAME(w->ids[k], prev->txid) && !w->mined_at[k])
				return false;
	}
	return true;
}

static void mine(struct world *w, uint32_t choice)
{
	struct event e = { .kind = EVENT_BLOCK };
	struct block_tx txs[32];
	uint32_t count = 0;

	if (w->height >= BLOCKS_MAX)
		return;
	w->height++;
	for (uint32_t i = 0; i < w->tx_count && count < 32; i++) {
		struct buf raw = BUF_EMPTY;

		if (!(choice >> i % 8 & 1) || !minable(w, i))
			continue;
		w->mined_at[i] = w->height;
		tx_encode(w->txs[i], &raw);
		txs[count].raw = arena_bytes(&w->arena, buf_view(&raw));
		txs[count].index = count + 1;
		count++;
		buf_release(&raw);
	}
	e.u.block.height = w->height;
	e.u.block.txs = txs;
	e.u.block.tx_count = count;
	wallet_block(w->wallet, &e, &w->out);
}

static void undo(struct world *w)
{
	struct event e = { .kind = EVENT_BLOCK_UNDONE };

	if (w->height <= 1)
		return;
	e.u.undone.height = w->height;
	for (uint32_t i = 0; i < w->tx_count; i++)
		if (w->mined_at[i] == w->height)
			w->mined_at[i] = 0;
	w->height--;
	wallet_block(w->wallet, &e, &w->out);
}

static void deposit(struct world *w, uint32_t choice)
{
	struct funds_request r = { .kind = FUNDS_ADDRESS, .address = choice & 1 ? ADDRESS_P2TR : ADDRESS_P2WPKH };
	struct tx *t = tx_new(&w->arena, 2, 1, 1, 0);
	struct funds_answer a;

	wallet_request(w->wallet, &keys, &r, &a, &w->out);
	store_be32(t->inputs[0].prev.txid.v, w->tx_count + 1);
	t->inputs[0].prev.txid.v[31] = 0xff;
	t->outputs[0] = (struct tx_output){ SAT(300 + (uint64_t)choice * 777), arena_bytes(&w->arena, a.script) };
	add_tx(w, t);
}

/* Somebody with our keys spends one of our coins. */
static void rival(struct world *w, uint32_t choice)
{
	struct tx *t = tx_new(&w->arena, 2, 1, 1, choice);
	struct wallet_coin c;
	uint32_t n = 0;

	for (uint32_t at = 0; wallet_view_coin(w->wallet, &at, &c);)
		if (n++ == choice % 8) {
			t->inputs[0].prev = c.outpoint;
			t->outputs[0] = (struct tx_output){ SAT(100), choice & 1 ? arena_bytes(&w->arena, c.script) : BYTES_NONE };
			add_tx(w, t);
			return;
		}
}

static void check_signed(struct world *w, const struct funds_answer *a)
{
	struct tx *t = tx_parse(&w->arena, arena_bytes(&w->arena, a->tx));
	struct txid id;

	ASSERT(t);
	id = tx_id(t);
	ASSERT(SAME(id, a->txid));
	for (uint32_t i = 0; i < t->input_count; i++)
		ASSERT(t->inputs[i].witness_count);
	add_tx(w, t);
}

static void build(struct world *w, uint32_t choice)
{
	uint8_t program[22] = { 0, 20, 0xaa };
	struct funds_output o = { BYTES_OF(program), SAT(300 + (uint64_t)(choice >> 4) * 999), (choice & 3) == 3 };
	struct funds_request r = { .kind = FUNDS_BUILD, .reservation = ++w->next_reservation, .outputs = &o, .output_count = 1,
				   .feerate = FEERATE(253 + (choice & 0x70) * 8), .min_confirmations = choice >> 2 & 1,
				   .replaces = choice & 8 ? w->next_reservation - 1 : 0, .keep = SAT((choice & 0x80) * 10) };
	struct funds_answer a;

	wallet_request(w->wallet, &keys, &r, &a, &w->out);
	ASSERT(a.failed == (a.reason != NULL) && (!a.failed || a.code));
}

static void tell(struct world *w, enum funds_kind kind, uint32_t choice)
{
	struct funds_request r = { .kind = kind, .reservation = w->next_reservation - choice % 4 };
	struct funds_answer a;

	wallet_request(w->wallet, &keys, &r, &a, &w->out);
	if (kind == FUNDS_SIGN && !a.failed)
		check_signed(w, &a);
}

/* Builds, signs and sends. */
static void pay(struct world *w, uint32_t choice)
{
	build(w, choice);
	store(w);
	tell(w, FUNDS_SIGN, 0);
	store(w);
	tell(w, FUNDS_SPENT, 0);
}

static void retain(struct world *w, uint32_t choice)
{
	uint64_t kept = w->next_reservation - choice % 4;
	struct funds_request r = { .kind = FUNDS_RETAIN, .retain = &kept, .retain_count = 1 };
	struct funds_answer a;

	wallet_request(w->wallet, &keys, &r, &a, &w->out);
}

static void step(struct world *w)
{
	uint8_t what = cursor_u8(&w->input), choice = cursor_u8(&w->input);

	switch (what % 12) {
	case 0:
	case 1:
		deposit(w, choice);
		break;
	case 2:
	case 3:
		mine(w, choice);
		break;
	case 4:
		undo(w);
		break;
	case 5:
		rival(w, choice);
		break;
	case 6:
		build(w, choice);
		break;
	case 7:
		pay(w, choice);
		break;
	case 8:
		tell(w, FUNDS_SIGN, choice);
		break;
	case 9:
		tell(w, FUNDS_SIGN, choice);
		store(w);
		tell(w, FUNDS_SPENT, choice);
		break;
	case 10:
		tell(w, choice & 0x40 ? FUNDS_RELEASE : FUNDS_SPENT, choice);
		break;
	case 11:
		if (choice & 1)
			restart(w);
		else if (choice == 2)
			retain(w, choice >> 2);
		else
			for (int i = 0; i < choice; i++)
				mine(w, 0);
		break;
	}
	settle(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = { 9 };
	struct world *w = NEW(struct world);

	set_up();
	arena_init(&w->arena);
	effects_init(&w->out);
	w->input = cursor_of(BYTES(data, size));
	w->wallet = wallet_new(&config, seed);
	ASSERT(wallet_start(w->wallet, &w->out));
	effects_reset(&w->out);
	w->next_reservation = 10;
	for (uint32_t i = 0; i < 4; i++) {
		deposit(w, 16 * i);
		store(w);
	}
	mine(w, 0xff);
	store(w);
	for (int steps = 0; w->input.left >= 2 && steps < 120; steps++)
		step(w);
	restart(w);
	for (uint32_t i = 0; i < w->record_count; i++) {
		buf_release(&w->records[i].key);
		buf_release(&w->records[i].value);
	}
	wallet_free(w->wallet);
	effects_release(&w->out);
	arena_release(&w->arena);
	mem_free(w);
	return 0;
}
