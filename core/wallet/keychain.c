#include "bitcoin/script.h"
#include "bitcoin/taproot.h"
#include "wallet/state.h"

static bool is_taproot(enum wallet_chain chain)
{
	return chain == WALLET_P2TR_RECEIVE || chain == WALLET_P2TR_CHANGE;
}

static bool is_change(enum wallet_chain chain)
{
	return chain == WALLET_P2WPKH_CHANGE || chain == WALLET_P2TR_CHANGE;
}

void keychain_init(struct wallet *w)
{
	for (int i = 0; i < WALLET_CHAINS; i++) {
		const struct bip32_key *account = is_taproot(i) ? &w->config.account86 : &w->config.account84;

		/* At 2^-127 an account has no such child: whoever derived the account would have met that too. */
		ASSERT(bip32_child(NULL, &w->chains[i].node, account, is_change(i)));
	}
}

static void owner_free(struct owner *o)
{
	buf_release(&o->script);
	mem_free(o);
}

void keychain_release(struct wallet *w)
{
	struct owner *o;

	for (uint32_t at = 0; (o = table_next(&w->owners, &at));)
		owner_free(table_remove(&w->owners, buf_view(&o->script)));
	for (int i = 0; i < WALLET_CHAINS; i++)
		mem_free(w->chains[i].owners);
}

struct owner *keychain_find(const struct wallet *w, struct bytes script)
{
	return table_get(&w->owners, script);
}

static struct pubkey point_at(const struct chain *c, uint32_t index)
{
	struct bip32_key k;

	ASSERT(bip32_child(NULL, &k, &c->node, index));
	return k.point;
}

struct pubkey keychain_point(const struct wallet *w, const struct owner *o)
{
	ASSERT(o->chain < WALLET_CHAINS);
	return point_at(&w->chains[o->chain], o->index);
}

static struct bytes script_of(struct arena *a, enum wallet_chain chain, const struct pubkey *p)
{
	struct xonly internal, output;
	int parity;

	if (!is_taproot(chain))
		return script_p2wpkh(a, p);
	internal = xonly_of(p);
	ASSERT(taproot_output_key(&output, &parity, &internal, NULL));
	return script_p2tr(a, &output);
}

/* The next index of a chain gets its owner. */
static struct owner *append(struct wallet *w, enum wallet_chain chain)
{
	struct chain *c = &w->chains[chain];
	struct pubkey p = point_at(c, c->watched_count);
	struct owner *o = NEW(struct owner);
	struct arena scratch;

	arena_init(&scratch);
	buf_add_bytes(&o->script, script_of(&scratch, chain, &p));
	arena_release(&scratch);
	o->chain = chain;
	o->index = c->watched_count;
	if (c->watched_count == c->capacity) {
		c->capacity = c->capacity ? 2 * c->capacity : 64;
		c->owners = mem_realloc(c->owners, c->capacity, sizeof(struct owner *));
	}
	c->owners[c->watched_count++] = o;
	table_add(&w->owners, o);
	return o;
}

void keychain_extend(struct wallet *w, enum wallet_chain chain, struct effects *out)
{
	struct chain *c = &w->chains[chain];
	uint32_t end = c->next > c->used_count ? c->next : c->used_count;

	/* W5 */
	while (c->watched_count < end + w->config.gap)
		effect_watch_script(out, buf_view(&append(w, chain)->script));
}

void keychain_watch_foreign(const struct wallet *w, struct effects *out)
{
	const struct owner *o;

	for (uint32_t at = 0; (o = table_next(&w->owners, &at));)
		if (o->chain == WALLET_FOREIGN)
			effect_watch_script(out, buf_view(&o->script));
}

struct owner *keychain_next(struct wallet *w, enum wallet_chain chain, struct effects *out)
{
	struct chain *c = &w->chains[chain];
	uint32_t index = c->next > c->used_count ? c->next : c->used_count;

	c->next = index + 1;
	keychain_extend(w, chain, out);
	record_chain(w, chain, out);
	return c->owners[index];
}

void keychain_give_back(struct wallet *w, const struct owner *o, struct effects *out)
{
	struct chain *c = &w->chains[o->chain];

	if (o->index + 1 != c->next || o->index < c->used_count)
		return;
	c->next--;
	record_chain(w, o->chain, out);
}

void keychain_used(struct wallet *w, const struct owner *o, struct effects *out)
{
	struct chain *c;

	if (o->chain == WALLET_FOREIGN)
		return;
	c = &w->chains[o->chain];
	if (o->index < c->used_count)
		return;
	c->used_count = o->index + 1;
	keychain_extend(w, o->chain, out);
	record_chain(w, o->chain, out);
}

struct owner *keychain_add_foreign(struct wallet *w, struct bytes script, uint64_t tag)
{
	struct owner *o = NEW(struct owner);

	buf_add_bytes(&o->script, script);
	o->chain = WALLET_FOREIGN;
	o->tag = tag;
	table_add(&w->owners, o);
	return o;
}

void keychain_path(const struct wallet *w, const struct owner *o, uint32_t path[5])
{
	path[0] = BIP32_HARDENED | (is_taproot(o->chain) ? BIP32_BIP86 : BIP32_BIP84);
	path[1] = BIP32_HARDENED | w->config.network->coin_type;
	path[2] = BIP32_HARDENED;
	path[3] = is_change(o->chain);
	path[4] = o->index;
}

void wallet_follow(struct wallet *w, struct bytes script, uint64_t tag, struct effects *out)
{
	struct owner *o = keychain_find(w, script);

	if (o)
		return;
	o = keychain_add_foreign(w, script, tag);
	effect_watch_script(out, script);
	record_foreign(o, out);
}

void wallet_unfollow(struct wallet *w, struct bytes script, struct effects *out)
{
	struct owner *o = keychain_find(w, script);
	struct coin *c;

	if (!o || o->chain != WALLET_FOREIGN)
		return;
	for (uint32_t at = 0; (c = table_next(&w->coins, &at));)
		if (c->owner == o)
			coin_remove(w, c, out);
	record_foreign_gone(o, out);
	owner_free(table_remove(&w->owners, buf_view(&o->script)));
}

bool wallet_owns(const struct wallet *w, struct bytes script)
{
	const struct owner *o = keychain_find(w, script);

	return o && o->chain != WALLET_FOREIGN;
}
