#include <string.h>
#include <sys/random.h>

#include "api/sdk/adapters.h"
#include "api/sdk/config.h"
#include "bitcoin/bip39.h"
#include "runtime/signer/codec.h"
#include "runtime/signer/local.h"
#include "runtime/signer/policy.h"

/* ---- The node's end ---- */

struct lampo_sign_ask {
	struct lampo_sign_ask *next, **self; /* in the adapter's list */
	enum sign_kind kind;
	signer_done *done;
	void *owner;
	uint64_t id;
};

struct signer_adapter {
	struct lampo_signer inner;
	struct lampo_sign_ask *asks;
};

static void ask_free(struct lampo_sign_ask *ask)
{
	*ask->self = ask->next;
	if (ask->next)
		ask->next->self = ask->self;
	mem_free(ask);
}

static void on_request(void *context, const struct sign_request *r, signer_done *done, void *owner, uint64_t id)
{
	struct signer_adapter *a = context;
	struct lampo_sign_ask *ask = NEW(struct lampo_sign_ask);
	struct buf bytes = BUF_EMPTY;

	*ask = (struct lampo_sign_ask){ .next = a->asks, .self = &a->asks, .kind = r->kind, .done = done, .owner = owner, .id = id };
	if (a->asks)
		a->asks->self = &ask->next;
	a->asks = ask;
	sign_request_encode(r, &bytes);
	a->inner.request(a->inner.context, ask, (struct lampo_bytes){ bytes.data, bytes.size });
	buf_wipe(&bytes);
}

void lampo_signer_answer(struct lampo_sign_ask *ask, struct lampo_bytes answer)
{
	struct sign_answer decoded;
	struct arena arena;

	arena_init(&arena);
	if (!sign_answer_decode(&decoded, &arena, ask->kind, BYTES(answer.data, answer.size))) {
		memset(&decoded, 0, sizeof(decoded));
		decoded.refused = true;
		decoded.reason = "the signer's answer makes no sense";
	}
	ask->done(ask->owner, ask->id, &decoded);
	ask_free(ask);
	mem_wipe(&decoded, sizeof(decoded));
	arena_release(&arena);
}

struct signer_adapter *signer_adapter_new(const struct lampo_signer *s)
{
	struct signer_adapter *a = NEW(struct signer_adapter);

	a->inner = *s;
	return a;
}

void signer_adapter_free(struct signer_adapter *a)
{
	while (a->asks)
		ask_free(a->asks);
	if (a->inner.free)
		a->inner.free(a->inner.context);
	mem_free(a);
}

struct daemon_signer signer_adapter_signer(struct signer_adapter *a)
{
	struct daemon_signer s = { .port = { a, on_request, NULL, true } };

	memcpy(s.node_id.v, a->inner.node_id33, sizeof(s.node_id.v));
	return s;
}

/* ---- The keys' end ---- */

struct lampo_keys {
	struct local_signer *local;
	struct policy_signer *policy;
};

static void fill_entropy(uint8_t out32[32])
{
	ASSERT(getrandom(out32, 32, 0) == 32);
}

struct lampo_keys *lampo_keys_new(const char *network, const void *seed, size_t size)
{
	const struct network *n = network ? network_by_name(network) : NULL;
	struct policy_limits limits;
	struct local_signer *local;
	struct lampo_keys *k;
	uint8_t entropy[32];

	fill_entropy(entropy);
	local = n && seed ? local_signer_new(n, BYTES(seed, size), entropy) : NULL;
	if (!local)
		return NULL;
	k = NEW(struct lampo_keys);
	k->local = local;
	policy_limits_default(&limits);
	k->policy = policy_signer_new(local_signer_port(local), &limits);
	mem_wipe(entropy, sizeof(entropy));
	return k;
}

struct lampo_keys *lampo_keys_from_words(const char *network, const char *words)
{
	uint8_t seed[BIP39_SEED_SIZE];
	struct lampo_keys *k = NULL;

	if (words && bip39_seed(seed, bytes_from_string(words), BYTES_NONE))
		k = lampo_keys_new(network, seed, sizeof(seed));
	mem_wipe(seed, sizeof(seed));
	return k;
}

void lampo_keys_free(struct lampo_keys *keys)
{
	if (!keys)
		return;
	policy_signer_free(keys->policy);
	local_signer_free(keys->local);
	mem_free(keys);
}

void lampo_keys_node_id(const struct lampo_keys *keys, uint8_t id33[33])
{
	struct pubkey id = local_signer_node_id(keys->local);

	memcpy(id33, id.v, sizeof(id.v));
}

struct answering {
	enum sign_kind kind;
	struct buf bytes;
	bool done;
};

static void on_answer(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct answering *x = owner;

	(void)id;
	x->done = true;
	sign_answer_encode(answer, x->kind, &x->bytes);
}

int lampo_keys_answer(struct lampo_keys *keys, struct lampo_bytes question, lampo_on_bytes *callback, void *context)
{
	struct signer_port port = policy_signer_port(keys->policy);
	struct answering x = { .done = false };
	struct sign_request *r;
	struct arena arena;

	arena_init(&arena);
	r = sign_request_decode(&arena, BYTES(question.data, question.size));
	if (r) {
		x.kind = r->kind;
		port.request(port.context, r, on_answer, &x, 0);
		ASSERT(x.done); /* the keys are here: there is nothing to wait for */
		callback(context, (struct lampo_bytes){ x.bytes.data, x.bytes.size });
	}
	buf_wipe(&x.bytes);
	arena_release(&arena);
	return r != NULL;
}
