/* Bitcoin Core (and what speaks like it) over JSON-RPC. */
#ifndef RUNTIME_CHAIN_CORE_H
#define RUNTIME_CHAIN_CORE_H

#include "bitcoin/network.h"
#include "runtime/chain/backend.h"

struct core_config {
	const char *url;            /* http://127.0.0.1:8332 */
	const char *user, *password; /* NULL: the cookie is used */
	const char *cookie_path;    /* read again whenever bitcoind refuses us */
	const struct network *network;
	uint32_t timeout_s;         /* for one answer; 0: 60 */
};

/* Does not connect yet.  Copies the configuration.  False: error says what is wrong with the URL. */
MUST_USE bool core_backend(struct backend *out, const struct core_config *config, char error[BACKEND_ERROR_SIZE]);

#endif
