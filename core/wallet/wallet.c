#include "wallet/wallet.h"

#include "bitcoin/address.h"
#include "wallet/state.h"

bool wallet_derive(struct wallet_config *config, struct wallet_keys *keys, const struct bip32_key *master,
		   const struct network *n)
{
	if (!bip32_account(keys->secp, &keys->account84, master, BIP32_BIP84, n, 0) ||
	    !bip32_account(keys->secp, &keys->account86, master, BIP32_BIP86, n, 0))
		return false;
	config->network = n;
	config->account84 = keys->account84;
	config->account86 = keys->account86;
	bip32_neuter(&config->account84);
	bip32_neuter(&config->account86);
	bip32_fingerprint(config->master4, master);
	return true;
}

void wallet_keys_wipe(struct wallet_keys *keys)
{
	bip32_wipe(&keys->account84);
	bip32_wipe(&keys->account86);
}

static struct bytes owner_key(const void *object)
{
	return buf_view(&((const struct owner *)object)->script);
}

static struct bytes coin_key(const void *object)
{
	return BYTES_OF(((const struct coin *)object)->key36);
}

static struct bytes plan_key(const void *object)
{
	return BYTES_OF(((const struct plan *)object)->key8);
}

struct wallet *wallet_new(const struct wallet_config *config, const uint8_t seed32[32])
{
	struct wallet *w = NEW(struct wallet);
	uint8_t seed16[16];

	ASSERT(!config->account84.is_private && !config->account86.is_private);
	w->config = *config;
	if (!w->config.gap)
		w->config.gap = WALLET_GAP;
	drbg_init(&w->entropy, seed32);
	drbg_fill(&w->entropy, seed16, sizeof(seed16));
	table_init(&w->owners, owner_key, seed16);
	table_init(&w->coins, coin_key, seed16);
	table_init(&w->plans, plan_key, seed16);
	keychain_init(w);
	return w;
}

void wallet_free(struct wallet *w)
{
	struct coin *c;
	struct plan *p;

	if (!w)
		return;
	for (uint32_t at = 0; (c = table_next(&w->coins, &at));) {
		table_remove(&w->coins, BYTES_OF(c->key36));
		buf_release(&c->stored_script);
		mem_free(c);
	}
	for (uint32_t at = 0; (p = table_next(&w->plans, &at));) {
		table_remove(&w->plans, BYTES_OF(p->key8));
		arena_release(&p->arena);
		mem_free(p);
	}
	keychain_release(w);
	table_release(&w->owners);
	table_release(&w->coins);
	table_release(&w->plans);
	mem_wipe_free(w, sizeof(*w));
}

/* The owner that a stored coin names, if it has the script that was stored with it (W4). */
static bool link_coin(struct wallet *w, struct coin *c)
{
	struct owner *o = keychain_find(w, buf_view(&c->stored_script));

	if (!o || o->chain != c->stored_chain || (o->chain != WALLET_FOREIGN && o->index != c->stored_index))
		return false;
	c->owner = o;
	buf_release(&c->stored_script);
	return true;
}

static bool reservation_good(const struct wallet *w, const struct coin *c)
{
	const struct plan *p = c->reservation ? plan_find(w, c->reservation) : NULL;

	return !c->reservation || (p && p->state == PLAN_RESERVED && plan_spends(p, &c->outpoint));
}

bool wallet_start(struct wallet *w, struct effects *out)
{
	struct coin *c;
	struct plan *p;

	keychain_watch_foreign(w, out);
	for (int i = 0; i < WALLET_CHAINS; i++)
		keychain_extend(w, i, out);
	for (uint32_t at = 0; (c = table_next(&w->coins, &at));) {
		if (!link_coin(w, c) || !reservation_good(w, c))
			return false;
		effect_watch_outpoint(out, &c->outpoint);
	}
	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		for (uint32_t i = 0; p->state == PLAN_SENT && i < p->foreign_count; i++)
			effect_watch_outpoint(out, &p->tx->inputs[i].prev);
	return true;
}

uint32_t wallet_height(const struct wallet *w)
{
	return w->height;
}

static void add(struct amount_sat *sum, struct amount_sat amount)
{
	/* Each is below the supply and they are distinct outputs: the sum of so many fits. */
	ASSERT(sat_add(sum, *sum, amount));
}

void wallet_view_balance(const struct wallet *w, struct wallet_balance *out)
{
	const struct coin *c;

	memset(out, 0, sizeof(*out));
	for (uint32_t at = 0; (c = table_next(&w->coins, &at));) {
		if (c->reservation && !c->spent)
			add(&out->reserved, c->amount);
		else if (c->spent)
			continue;
		else if (c->lost_height)
			add(&out->lost, c->amount);
		else if (c->owner->chain == WALLET_FOREIGN)
			add(&out->foreign, c->amount);
		else if (!coin_mature(w, c))
			add(&out->immature, c->amount);
		else if (c->height)
			add(&out->confirmed, c->amount);
		else
			add(&out->unconfirmed, c->amount);
	}
}

bool wallet_view_coin(const struct wallet *w, uint32_t *at, struct wallet_coin *out)
{
	const struct coin *c = table_next(&w->coins, at);

	if (!c)
		return false;
	*out = (struct wallet_coin){
		.outpoint = c->outpoint, .amount = c->amount, .script = buf_view(&c->owner->script),
		.chain = c->owner->chain, .index = c->owner->index, .tag = c->owner->tag, .height = c->height,
		.lost = c->height == 0 && c->lost_height, .coinbase = c->coinbase, .spent = c->spent, .spent_height = c->spent_height, .spender = c->spender,
		.reservation = c->reservation,
	};
	return true;
}

static void check_coin(const struct wallet *w, const struct coin *c)
{
	const struct plan *p, *spender = NULL;

	if (c->owner->chain != WALLET_FOREIGN)
		ASSERT(w->chains[c->owner->chain].owners[c->owner->index] == c->owner); /* W4 */
	for (uint32_t at = 0; (p = table_next(&w->plans, &at));) {
		if (p->state != PLAN_SENT && p->state != PLAN_CONFIRMED)
			continue;
		if (!plan_spends(p, &c->outpoint))
			continue;
		/* W1 */
		ASSERT(!spender && c->spent && SAME(c->spender, p->txid));
		ASSERT(c->spent_height == (p->state == PLAN_CONFIRMED ? p->height : 0));
		spender = p;
	}
	ASSERT(!c->spent || c->spent_height || spender);
	ASSERT(reservation_good(w, c));
	if (c->height == 0 && !c->lost_height) {
		p = plan_by_txid(w, &c->outpoint.txid);
		ASSERT(p && p->state == PLAN_SENT); /* W3 */
	}
}

static void check_plan(const struct wallet *w, const struct plan *p)
{
	if (p->state != PLAN_RESERVED)
		return;
	/* W2 */
	for (uint32_t i = p->foreign_count; i < p->tx->input_count; i++) {
		const struct coin *c = coin_find(w, &p->tx->inputs[i].prev);
		const struct plan *old = p->replaces ? plan_find(w, p->replaces) : NULL;

		ASSERT(c && c->reservation == p->id);
		ASSERT(!c->spent || (old && old->state == PLAN_SENT && SAME(c->spender, old->txid)));
	}
}

void wallet_check(const struct wallet *w)
{
	const struct coin *c;
	const struct plan *p;

	for (uint32_t at = 0; (c = table_next(&w->coins, &at));)
		check_coin(w, c);
	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		check_plan(w, p);
	for (int i = 0; i < WALLET_CHAINS; i++) {
		const struct chain *chain = &w->chains[i];

		ASSERT(chain->watched_count >= chain->next + w->config.gap);
		ASSERT(chain->watched_count >= chain->used_count + w->config.gap); /* W5 */
	}
}

void answer_fail(struct funds_answer *answer, int code, const char *reason)
{
	answer->failed = true;
	answer->code = code;
	answer->reason = reason;
}

static void give_address(struct wallet *w, const struct funds_request *r, struct funds_answer *answer,
			 struct effects *out)
{
	enum wallet_chain chain = r->address == ADDRESS_P2TR ? WALLET_P2TR_RECEIVE : WALLET_P2WPKH_RECEIVE;
	struct owner *o = keychain_next(w, chain, out);
	struct wallet_balance balance;
	char text[ADDRESS_SIZE];

	ASSERT(address_encode(text, w->config.network, buf_view(&o->script)));
	answer->script = arena_bytes(&out->arena, buf_view(&o->script));
	answer->text = arena_string(&out->arena, text);
	wallet_view_balance(w, &balance);
	answer->has_spendable = true;
	answer->spendable = SAT(balance.confirmed.v + balance.unconfirmed.v);
}

/* The change of a plan that never went out: its index may serve again. */
static void give_back_change(struct wallet *w, const struct plan *p, struct effects *out)
{
	for (uint32_t i = 0; i < p->tx->output_count; i++) {
		const struct owner *o = keychain_find(w, p->tx->outputs[i].script);

		if (o && (o->chain == WALLET_P2WPKH_CHANGE || o->chain == WALLET_P2TR_CHANGE))
			keychain_give_back(w, o, out);
	}
}

static void release(struct wallet *w, uint64_t id, struct effects *out)
{
	struct plan *p = plan_find(w, id);

	if (!p)
		return;
	switch (p->state) {
	case PLAN_RESERVED:
		plan_kill(w, p, 0, out);
		give_back_change(w, p, out);
		plan_remove(w, p, out);
		break;
	case PLAN_SENT:
		/* It may still confirm, so that its keys stay used. */
		plan_kill(w, p, 0, out);
		p->state = PLAN_GIVEN_UP;
		record_plan(p, out);
		break;
	case PLAN_DEAD:
		p->state = PLAN_GIVEN_UP;
		record_plan(p, out);
		break;
	case PLAN_CONFIRMED:
	case PLAN_GIVEN_UP:
		break;
	}
}

static void send(struct wallet *w, uint64_t id, struct funds_answer *answer, struct effects *out)
{
	struct plan *p = plan_find(w, id);

	if (!p || plan_is_dead(p)) {
		answer_fail(answer, FUNDS_FAILED, "there is no such reservation, or its coins are spent by another transaction");
		return;
	}
	answer->txid = p->txid;
	if (p->state == PLAN_RESERVED)
		plan_send(w, p, out);
}

static bool retained(const struct funds_request *r, uint64_t id)
{
	for (uint32_t i = 0; i < r->retain_count; i++)
		if (r->retain[i] == id)
			return true;
	return false;
}

static void release_rest(struct wallet *w, const struct funds_request *r, struct effects *out)
{
	struct plan *p;

	for (uint32_t at = 0; (p = table_next(&w->plans, &at));)
		if (p->state == PLAN_RESERVED && !retained(r, p->id))
			release(w, p->id, out);
}

void wallet_request(struct wallet *w, const struct wallet_keys *keys, const struct funds_request *request,
		    struct funds_answer *answer, struct effects *out)
{
	struct plan *p;

	memset(answer, 0, sizeof(*answer));
	switch (request->kind) {
	case FUNDS_ADDRESS:
		give_address(w, request, answer, out);
		break;
	case FUNDS_BUILD:
		build_answer(w, request, answer, out);
		break;
	case FUNDS_SIGN:
		p = plan_find(w, request->reservation);
		if (!p || plan_is_dead(p))
			answer_fail(answer, FUNDS_FAILED, "there is no such reservation, or its coins are spent by another transaction");
		else
			sign_answer_with_keys(w, keys, p, answer, out);
		break;
	case FUNDS_RELEASE:
		release(w, request->reservation, out);
		break;
	case FUNDS_RETAIN:
		release_rest(w, request, out);
		break;
	case FUNDS_SPENT:
		send(w, request->reservation, answer, out);
		break;
	}
}
