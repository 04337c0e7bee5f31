/* BOLT 8: the encrypted and authenticated transport, as a machine of bytes in
 * and bytes out.
 *
 *   initiator:  ACT2 --act two--> ACT2_ECDH --secret--> OPEN
 *   responder:  ACT1 --act one--> ACT1_ECDH --secret--> ACT3 --act three--> OPEN
 *   any --fault--> FAILED
 *
 * INV-T1  The node's private key is not here: the one shared secret of it that
 *         each side needs is asked for (ACT1_ECDH, ACT2_ECDH) and answered
 *         whenever the signer likes.  No input is consumed meanwhile.
 * INV-T2  What failed stays failed, and nothing is written after a fault.
 * INV-T3  Buffered input never exceeds the piece that is being waited for.
 * INV-T4  No key is used with one nonce twice: nonces only grow, and at 1000
 *         the key is replaced (BOLT 8 "Lightning Message Key Rotation").
 *
 * The owner keeps a struct noise for one connection; nothing of it is stored. */
#ifndef NOISE_NOISE_H
#define NOISE_NOISE_H

#include "base/bytes.h"
#include "base/types.h"
#include "crypto/keys.h"

#define NOISE_ACT1_SIZE 50u
#define NOISE_ACT2_SIZE 50u
#define NOISE_ACT3_SIZE 66u
#define NOISE_HEADER_SIZE 18u
#define NOISE_MESSAGE_MAX 65535u
#define NOISE_ROTATION 1000u
#define NOISE_ROOM_KEPT 4096u /* of the buffer for a message, from one to the next */

enum noise_state {
	NOISE_ACT1,
	NOISE_ACT1_ECDH,
	NOISE_ACT2,
	NOISE_ACT2_ECDH,
	NOISE_ACT3,
	NOISE_OPEN,
	NOISE_FAILED,
};

enum noise_fault {
	NOISE_FAULT_NONE,
	NOISE_BAD_EPHEMERAL, /* the caller's entropy is no private key: try again with other */
	NOISE_BAD_VERSION,
	NOISE_BAD_PUBKEY,
	NOISE_BAD_TAG,
	NOISE_REFUSED, /* the signer did not give the secret */
};

/* What noise_input came to. */
enum noise_event {
	NOISE_MORE,	 /* all input was taken; wants more */
	NOISE_NEED_ECDH, /* ask the signer for ECDH(node key, ecdh_point), then noise_ecdh_answer */
	NOISE_READY,	 /* the handshake is done: `remote` is who it is; once */
	NOISE_MESSAGE,	 /* one whole message */
	NOISE_FAIL,	 /* hang up without another byte */
};

/* One direction of an open transport. */
struct noise_key {
	struct secret32 key, chain;
	uint64_t nonce;
};

struct noise {
	const struct secp *secp; /* borrowed */
	enum noise_state state;
	enum noise_fault fault;
	bool initiator;
	struct pubkey local, remote;	  /* static; responder: remote is known when READY */
	struct pubkey ephemeral, remote_ephemeral;
	struct secret32 ephemeral_secret; /* wiped as soon as it is not needed */
	struct sha256 hash;		  /* h */
	struct secret32 chain, temp;	  /* ck, temp_k */
	struct pubkey ecdh_point;	  /* ACT1_ECDH, ACT2_ECDH */
	struct noise_key send, receive;
	struct buf in;			  /* the piece being collected, or the message last given out */
	bool in_given;			  /* `in` was handed out: forget it at the next call */
	bool have_size;			  /* OPEN: the header was read */
	uint16_t message_size;
};

/* Both return false, with the state FAILED, if the ephemeral is no private key (BAD_EPHEMERAL) or the remote
 * key no point (BAD_PUBKEY).  ephemeral must be fresh and random for each connection (B8.handshake_state.1).
 * The initiator's act one is appended to out. */
MUST_USE bool noise_init_initiator(struct noise *n, const struct secp *secp, const struct pubkey *local,
				   const struct pubkey *remote, const struct secret32 *ephemeral, struct buf *out);
MUST_USE bool noise_init_responder(struct noise *n, const struct secp *secp, const struct pubkey *local,
				   const struct secret32 *ephemeral);
/* Wipes all keys and buffers. */
void noise_release(struct noise *n);

/* Takes bytes from the front of *in (which it moves on) until something is to be done.  *message: a view until
 * the next call; may be empty.  Call again with what is left of *in after READY and MESSAGE, and once NEED_ECDH
 * has been answered. */
MUST_USE enum noise_event noise_input(struct noise *n, struct bytes *in, struct bytes *message);

/* NEED_ECDH. */
MUST_USE bool noise_need_ecdh(const struct noise *n, struct pubkey *point);
/* The signer's answer: SHA256 of the compressed shared point; NULL: it refused.  READY for the initiator, MORE
 * for the responder, and the next act appended to out; FAIL if refused or if the peer does not know our key.
 * Only in a state that needs it (asserted). */
MUST_USE enum noise_event noise_ecdh_answer(struct noise *n, const struct secret32 *secret, struct buf *out);

/* Only in OPEN, at most NOISE_MESSAGE_MAX bytes (both asserted). */
void noise_encrypt(struct noise *n, struct bytes message, struct buf *out);

const char *noise_fault_name(enum noise_fault f);

/* Between the two halves of the room: transport.c reads what follows the handshake. */
void noise_transport_start(struct noise *n);
enum noise_event noise_transport_input(struct noise *n, struct bytes *in, struct bytes *message);
/* Collects into n->in until it has size bytes. */
bool noise_collect(struct noise *n, struct bytes *in, size_t size);
enum noise_event noise_fail(struct noise *n, enum noise_fault why);
void noise_nonce(uint8_t out12[12], uint64_t n);
/* HKDF with a zero-length info: 64 bytes in two halves. */
void noise_hkdf(struct secret32 *first, struct secret32 *second, const struct secret32 *salt, struct bytes ikm);

#endif
