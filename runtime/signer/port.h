/* The signer as its users see it: a question, and an answer at once or later.
 *
 * Users are the executor (for the core) and runtime/peer (the handshake's
 * ECDH).  The request lives until `request` returns: a signer that answers
 * later copies what it needs.  `done` is called exactly once for each request,
 * on the loop thread, unless the signer is gone first; the answer lives until
 * done returns. */
#ifndef RUNTIME_SIGNER_PORT_H
#define RUNTIME_SIGNER_PORT_H

#include "step/sign.h"

typedef void signer_done(void *owner, uint64_t id, const struct sign_answer *answer);

struct signer_port {
	void *context;
	void (*request)(void *context, const struct sign_request *request, signer_done *done, void *owner,
			uint64_t id);
	/* Nothing is to do: it may compute a piece of what it will be asked.  False: there is nothing left.  May be NULL. */
	bool (*ahead)(void *context);
	/* It is a process of its own and remembers across our crashes what it signed.  Then the executor shows it nothing
	 * that a crash could still make us forget: asked for another commitment of the same number, or to revoke what we
	 * still hold for valid, it could only refuse, and the channel would be lost. */
	bool remembers;
};

#endif
