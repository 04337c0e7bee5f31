/* Onion packets: construction and peeling.
 *
 * BOLT 4 "Packet Structure", "Packet Construction", "Onion Decryption",
 * "Filler Generation".  A packet is 66 bytes of frame around its hop payloads:
 * 1300 bytes of them for a payment, another size for an onion message; every
 * function takes the size from the packet.
 *
 * The node's private key lives in a signer, so peeling has two steps:
 * onion_parse gives the ephemeral key, the signer answers its ECDH with the
 * node key, and onion_peel does the rest with that shared secret. */
#ifndef ONION_SPHINX_H
#define ONION_SPHINX_H

#include "base/arena.h"
#include "crypto/keys.h"

#define ONION_FRAME_SIZE 66
#define ONION_PAYLOADS_SIZE 1300
#define ONION_PACKET_SIZE (ONION_FRAME_SIZE + ONION_PAYLOADS_SIZE)
#define ONION_HMAC_SIZE 32
/* The longest route of TLV payloads that the origin of a payment may build (BOLT 4 "Origin node"). */
#define ONION_HOPS_MAX 27

struct onion_hop {
	struct pubkey node_id; /* blinded inside a blinded path */
	struct bytes payload;  /* the TLV stream, without its length; at least 2 bytes */
};

struct onion_request {
	const struct onion_hop *hops;
	uint32_t hop_count;
	size_t packet_size;        /* ONION_PACKET_SIZE for a payment */
	struct secret32 session_key; /* random, used once, never again */
	struct bytes associated;   /* the payment hash; empty for an onion message */
};

/* Appends the packet for the first hop to out and writes each hop's shared
 * secret, with which the origin opens failures, to secrets[hop_count].  False,
 * with out as it was, if the payloads do not fit, a node id is no point or the
 * session key is no private key. */
MUST_USE bool onion_build(struct buf *out, struct secret32 *secrets, const struct secp *s,
			  const struct onion_request *r);
/* The secrets alone: of r only the node ids, their number and the session key count.  So an origin has them
 * again after a restart, and need not store them. */
MUST_USE bool onion_secrets(struct secret32 *secrets, const struct secp *s, const struct onion_request *r);
/* The bytes that a payload of this size takes in the packet, with its length and HMAC. */
size_t onion_payload_cost(size_t payload_size);

enum onion_fault {
	ONION_GOOD,
	ONION_BAD_VERSION,
	ONION_BAD_KEY,
	ONION_BAD_HMAC,
	ONION_BAD_PAYLOAD, /* the frame inside the packet: a failure the origin can read may be returned */
};

/* Checks the version and the ephemeral key, which it copies out.  A packet too
 * short to hold anything is ONION_BAD_PAYLOAD (never a payment's: its size is fixed). */
MUST_USE enum onion_fault onion_parse(struct pubkey *ephemeral, struct bytes packet);

/* For a packet that came with a path key: the point whose ECDH with the node
 * key is the shared secret of this packet.  blinding_secret is the ECDH of the
 * path key with the node key.  False for a tweak that no honest path gives. */
MUST_USE bool onion_blinded_key(struct pubkey *out, const struct pubkey *ephemeral,
				const struct secret32 *blinding_secret);

struct onion_peeled {
	struct bytes payload; /* the TLV stream, without its length */
	struct bytes next;    /* the packet for the next hop; empty at the last */
	bool is_last;
};

/* Opens one layer; onion_parse said ONION_GOOD.  out has the arena's lifetime
 * and is empty after a fault. */
MUST_USE enum onion_fault onion_peel(struct arena *a, struct onion_peeled *out, struct bytes packet,
				     const struct secret32 *shared_secret, struct bytes associated);

/* BOLT 4 "Key Generation": name is "rho", "mu", "um", "pad", "ammag", "blinded_node_id"... */
struct secret32 onion_key(const char *name, const struct secret32 *shared_secret);
/* XORs the key's pseudo-random stream (zero nonce, from its start) into data. */
void onion_stream_xor(uint8_t *data, size_t size, const struct secret32 *key);
/* SHA256(ephemeral || shared secret): the factor that blinds the ephemeral key for the next hop. */
struct sha256 onion_blinding_factor(const struct pubkey *ephemeral, const struct secret32 *shared_secret);

#endif
