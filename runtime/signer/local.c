#include "runtime/signer/local.h"

#include "bitcoin/script.h"
#include "contract/htlc_tx.h"
#include "crypto/hash.h"

#define KEYS_NOT_OURS "the commitment is not between our keys and the peer's"
#define POINT_NOT_OURS "the per-commitment point is not that of this commitment number"

struct local_signer {
	struct keyring *keys;
	struct arena arena; /* of the answers being given */
	uint32_t depth;     /* of requests within requests */
	const struct runner *runner;
};

/* Each of the answers below returns NULL, or why it is refused. */

static const char *answer_channel_new(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	struct channel_keys *c = keyring_channel(l->keys, r->channel_key);

	out->basepoints = c->points;
	channel_keys_point(l->keys, c, &out->first_points[0], 0);
	channel_keys_point(l->keys, c, &out->first_points[1], 1);
	return NULL;
}

static bool same_basepoints(const struct basepoints *a, const struct basepoints *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The HTLC signatures of the remote's commitment. */
static bool sign_htlcs(struct local_signer *l, const struct channel_keys *keys, const struct commitment *c,
		       struct sign_answer *out)
{
	struct sha256 *hashes = ARENA_ARRAY(&l->arena, struct sha256, c->htlc_count);
	struct secret32 htlc;

	out->signatures = ARENA_ARRAY(&l->arena, struct sig64, c->htlc_count);
	out->signature_count = c->htlc_count;
	if (c->htlc_count == 0)
		return true;
	if (!derive_seckey(&htlc, &keys->secrets.htlc, &keys->points.htlc, &c->keys.per_commitment_point))
		return false;
	htlc_tx_countersign_hashes(&l->arena, c, hashes);
	ecdsa_sign_batch(l->runner, keyring_secp(l->keys), out->signatures, hashes, c->htlc_count, &htlc);
	mem_wipe(&htlc, sizeof(htlc));
	return true;
}

static const char *answer_remote_commitment(struct local_signer *l, const struct sign_request *r,
					    struct sign_answer *out)
{
	const struct commitment_spec *spec = r->u.commitment;
	const struct channel_keys *keys = keyring_channel(l->keys, r->channel_key);
	struct commitment *c;

	if (!same_basepoints(spec->countersignatory, &keys->points))
		return KEYS_NOT_OURS;
	c = commitment_build(&l->arena, spec);
	if (!c || !sign_htlcs(l, keys, c, out))
		return "the remote commitment cannot be built";
	/* Signatures on the wire are 64 bytes whatever R is: no time spent on a low one. */
	ecdsa_sign(keyring_secp(l->keys), &out->signature, &c->sighash, &keys->secrets.funding, false);
	return NULL;
}

static bool is_our_commitment(struct local_signer *l, struct channel_keys *keys, const struct commitment_spec *spec,
			      const char **why)
{
	struct pubkey point;

	*why = KEYS_NOT_OURS;
	if (!same_basepoints(spec->broadcaster, &keys->points) || spec->number > COMMITMENT_NUMBER_MAX)
		return false;
	channel_keys_point(l->keys, keys, &point, spec->number);
	*why = POINT_NOT_OURS;
	return SAME(point, spec->per_commitment_point);
}

static const char *answer_local_commitment(struct local_signer *l, const struct sign_request *r,
					   struct sign_answer *out)
{
	struct channel_keys *keys = keyring_channel(l->keys, r->channel_key);
	const struct commitment *c;
	const char *why;

	if (!is_our_commitment(l, keys, r->u.commitment, &why))
		return why;
	c = commitment_build(&l->arena, r->u.commitment);
	if (!c)
		return "our commitment cannot be built";
	ecdsa_sign(keyring_secp(l->keys), &out->signature, &c->sighash, &keys->secrets.funding, true);
	return NULL;
}

static const char *answer_revoke(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	struct channel_keys *keys = keyring_channel(l->keys, r->channel_key);
	const struct sign_revoke *revoke = &r->u.revoke;
	const char *why;

	if (revoke->number > COMMITMENT_NUMBER_MAX - 2)
		return "the channel has used up its commitment numbers";
	/* A successor with a point that is not ours could never be spent by us. */
	if (revoke->next && !is_our_commitment(l, keys, revoke->next, &why))
		return why;
	channel_keys_secret(keys, &out->secret, revoke->number);
	channel_keys_point(l->keys, keys, &out->next_point, revoke->number + 2);
	keyring_expect(l->keys, r->channel_key, revoke->number + 3);
	return NULL;
}

static const char *answer_mutual_close(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	const struct channel_keys *keys = keyring_channel(l->keys, r->channel_key);
	const struct tx *t = r->u.mutual_close.tx;
	struct bytes script;
	struct sha256 hash;

	if (t->input_count != 1)
		return "a closing transaction spends the channel alone";
	script = funding_witness_script(&l->arena, &keys->points.funding, &r->u.mutual_close.remote_funding);
	hash = sighash_segwit(t, 0, script, r->u.mutual_close.funding_amount, SIGHASH_ALL);
	ecdsa_sign(keyring_secp(l->keys), &out->signature, &hash, &keys->secrets.funding, true);
	return NULL;
}

/* Whether that per-commitment point is ours of that number. */
static bool point_is_ours(struct local_signer *l, struct channel_keys *keys, const struct spend_input *in)
{
	struct pubkey point;

	if (in->commitment_number > COMMITMENT_NUMBER_MAX)
		return false;
	channel_keys_point(l->keys, keys, &point, in->commitment_number);
	return SAME(point, in->per_commitment_point);
}

static bool revocation_key(struct local_signer *l, const struct channel_keys *keys, struct secret32 *out,
			   const struct spend_input *in)
{
	struct pubkey point;

	if (!seckey_valid(&in->remote_secret))
		return false;
	pubkey_of(keyring_secp(l->keys), &point, &in->remote_secret);
	return SAME(point, in->per_commitment_point) &&
	       derive_revocation_seckey(out, &keys->secrets.revocation, &keys->points.revocation,
					&in->remote_secret, &point);
}

/* The private key that an input asks for. */
static bool spend_key(struct local_signer *l, struct channel_keys *keys, struct secret32 *out,
		      const struct spend_input *in)
{
	switch (in->kind) {
	case SPEND_TO_LOCAL_DELAYED:
	case SPEND_HTLC_DELAYED:
		return point_is_ours(l, keys, in) &&
		       derive_seckey(out, &keys->secrets.delayed_payment, &keys->points.delayed_payment,
				     &in->per_commitment_point);
	case SPEND_HTLC_LOCAL:
		return point_is_ours(l, keys, in) &&
		       derive_seckey(out, &keys->secrets.htlc, &keys->points.htlc, &in->per_commitment_point);
	case SPEND_HTLC_REMOTE:
		return derive_seckey(out, &keys->secrets.htlc, &keys->points.htlc, &in->per_commitment_point);
	case SPEND_TO_REMOTE_STATIC:
	case SPEND_TO_REMOTE_ANCHOR:
		*out = keys->secrets.payment;
		return true;
	case SPEND_ANCHOR:
		*out = keys->secrets.funding;
		return true;
	case SPEND_REVOKED:
		return revocation_key(l, keys, out, in);
	}
	return false;
}

/* The anchor's script is the one thing but the channel itself that the funding key may sign for: a request that
 * named the funding script as an anchor's would get a commitment signed. */
static bool script_fits(struct local_signer *l, const struct channel_keys *keys, const struct spend_input *in)
{
	return in->kind != SPEND_ANCHOR ||
	       bytes_equal(in->witness_script, anchor_witness_script(&l->arena, &keys->points.funding));
}

static const char *sign_input(struct local_signer *l, struct sig64 *out, const struct tx *t,
			      const struct spend_input *in, struct sighash_cache *cache)
{
	struct channel_keys *keys = keyring_channel(l->keys, in->channel_key);
	struct bytes code = in->witness_script;
	struct secret32 key = { { 0 } };
	struct sha256 hash;

	if (in->input >= t->input_count)
		return "the transaction has no such input";
	/* BOLT 5 "Generation of HTLC Transactions": anything less would let strangers change the rest. */
	if (in->hash_type != SIGHASH_ALL)
		return "only SIGHASH_ALL is signed for a spend";
	if (!script_fits(l, keys, in))
		return "the script is not that of our anchor";
	if (!spend_key(l, keys, &key, in)) {
		mem_wipe(&key, sizeof(key));
		return "the per-commitment point or secret is not the one of this input";
	}
	if (in->kind == SPEND_TO_REMOTE_STATIC)
		code = script_code_p2wpkh(&l->arena, &keys->points.payment);
	hash = sighash_segwit_cached(t, in->input, code, in->amount, in->hash_type, cache);
	ecdsa_sign(keyring_secp(l->keys), out, &hash, &key, true);
	mem_wipe(&key, sizeof(key));
	return NULL;
}

static const char *answer_spend(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	struct sighash_cache cache = { .filled = false };

	out->signatures = ARENA_ARRAY(&l->arena, struct sig64, r->u.spend.count);
	out->signature_count = r->u.spend.count;
	for (uint32_t i = 0; i < r->u.spend.count; i++) {
		const char *why = sign_input(l, &out->signatures[i], r->u.spend.tx, &r->u.spend.inputs[i], &cache);

		if (why)
			return why;
	}
	return NULL;
}

static const char *answer_ecdh(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	if (!ecdh(keyring_secp(l->keys), &out->secret, &r->u.point, keyring_node_secret(l->keys)))
		return "the point is not on the curve";
	return NULL;
}

static const char *answer_invoice(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	struct sha256 hash = sha256(r->u.message.data, r->u.message.size);

	ecdsa_sign_recoverable(keyring_secp(l->keys), out->recoverable, &hash, keyring_node_secret(l->keys));
	return NULL;
}

static const char *answer_gossip(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	struct sha256 hash = sha256d(r->u.message.data, r->u.message.size);

	ecdsa_sign(keyring_secp(l->keys), &out->signature, &hash, keyring_node_secret(l->keys), false);
	return NULL;
}

/* The signed part of a channel_announcement (BOLT 7) in which we are one of the two.  The funding key also signs
 * SHA256d for BIP 143: bytes of another shape could be the preimage of a transaction. */
static bool announces_our_channel(struct bytes message, const struct pubkey *node_id, const struct pubkey *funding)
{
	struct cursor c = cursor_of(message);
	struct pubkey nodes[2], keys[2];

	cursor_bytes(&c, cursor_be16(&c)); /* features */
	cursor_bytes(&c, 32 + 8);          /* chain_hash, short_channel_id */
	cursor_copy(&c, nodes[0].v, sizeof(nodes[0].v));
	cursor_copy(&c, nodes[1].v, sizeof(nodes[1].v));
	cursor_copy(&c, keys[0].v, sizeof(keys[0].v));
	cursor_copy(&c, keys[1].v, sizeof(keys[1].v));
	if (!cursor_done(&c))
		return false;
	return (SAME(nodes[0], *node_id) && SAME(keys[0], *funding)) ||
	       (SAME(nodes[1], *node_id) && SAME(keys[1], *funding));
}

static const char *answer_announcement(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	const struct channel_keys *keys = keyring_channel(l->keys, r->channel_key);
	struct sha256 hash = sha256d(r->u.message.data, r->u.message.size);

	if (!announces_our_channel(r->u.message, keyring_node_id(l->keys), &keys->points.funding))
		return "not an announcement of this channel";
	ecdsa_sign(keyring_secp(l->keys), &out->signature, &hash, keyring_node_secret(l->keys), false);
	ecdsa_sign(keyring_secp(l->keys), &out->signature2, &hash, &keys->secrets.funding, false);
	return NULL;
}

static const char *answer_point(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	struct channel_keys *keys = keyring_channel(l->keys, r->channel_key);

	if (r->u.number > COMMITMENT_NUMBER_MAX)
		return "there is no commitment of that number";
	channel_keys_point(l->keys, keys, &out->next_point, r->u.number);
	return NULL;
}

static const char *answer_to(struct local_signer *l, const struct sign_request *r, struct sign_answer *out)
{
	switch (r->kind) {
	case SIGN_CHANNEL_NEW:
		return answer_channel_new(l, r, out);
	case SIGN_REMOTE_COMMITMENT:
		return answer_remote_commitment(l, r, out);
	case SIGN_LOCAL_COMMITMENT:
		return answer_local_commitment(l, r, out);
	case SIGN_REVOKE:
		return answer_revoke(l, r, out);
	case SIGN_MUTUAL_CLOSE:
		return answer_mutual_close(l, r, out);
	case SIGN_SPEND:
		return answer_spend(l, r, out);
	case SIGN_ECDH:
		return answer_ecdh(l, r, out);
	case SIGN_INVOICE:
		return answer_invoice(l, r, out);
	case SIGN_GOSSIP:
		return answer_gossip(l, r, out);
	case SIGN_ANNOUNCEMENT:
		return answer_announcement(l, r, out);
	case SIGN_POINT:
		return answer_point(l, r, out);
	}
	return "the signer does not know this kind of request";
}

static void local_request(void *context, const struct sign_request *request, signer_done *done, void *owner,
			  uint64_t id)
{
	struct local_signer *l = context;
	struct sign_answer answer = { .refused = false };
	const char *why;

	l->depth++;
	why = answer_to(l, request, &answer);
	if (why) {
		/* Nothing of a half-made answer leaves. */
		mem_wipe(&answer, sizeof(answer));
		answer.refused = true;
		answer.reason = why;
	}
	done(owner, id, &answer);
	mem_wipe(&answer, sizeof(answer));
	/* An outer request's answer still lives in the arena. */
	if (--l->depth == 0)
		arena_reset(&l->arena);
}

struct local_signer *local_signer_new(const struct network *network, struct bytes seed, const uint8_t blinding32[32])
{
	struct keyring *keys = keyring_new(network, seed, blinding32);
	struct local_signer *l;

	if (!keys)
		return NULL;
	l = NEW(struct local_signer);
	l->keys = keys;
	arena_init(&l->arena);
	return l;
}

void local_signer_free(struct local_signer *l)
{
	if (!l)
		return;
	keyring_free(l->keys);
	arena_release(&l->arena);
	mem_free(l);
}

void local_signer_share(struct local_signer *l, struct memo *memo, const struct runner *runner)
{
	keyring_share(l->keys, memo);
	l->runner = runner;
}

static bool local_ahead(void *context)
{
	return keyring_ahead(((struct local_signer *)context)->keys);
}

struct signer_port local_signer_port(struct local_signer *l)
{
	return (struct signer_port){ l, local_request, local_ahead, false };
}

struct pubkey local_signer_node_id(const struct local_signer *l)
{
	return *keyring_node_id(l->keys);
}

bool local_signer_account(const struct local_signer *l, struct bip32_key *out, enum bip32_purpose purpose)
{
	return keyring_account(l->keys, out, purpose);
}
