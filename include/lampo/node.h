/* A node: told what it is, made, run, stopped, freed. */
#ifndef LAMPO_NODE_H
#define LAMPO_NODE_H

#include "lampo/backend.h"
#include "lampo/event.h"
#include "lampo/method.h"
#include "lampo/signer.h"
#include "lampo/store.h"
#include "lampo/types.h"
#include "lampo/wallet.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lampo_config;
struct lampo_node;

/* "bitcoin", "testnet", "testnet4", "signet" or "regtest"; NULL for any other. */
LAMPO_API struct lampo_config *lampo_config_new(const char *network);
LAMPO_API void lampo_config_free(struct lampo_config *config);

/* What is no use of the functions that their headers allow is told here: in words, naming the function.  Without it, and
 * if it returns, the process aborts: a program that is wrong about its node must not go on. */
typedef void lampo_illegal_use(void *context, const char *message);
LAMPO_API void lampo_config_illegal_use(struct lampo_config *config, lampo_illegal_use *callback, void *context);

/* Strings are copied. */

/* Where the bundled store and the socket are; it must exist. */
LAMPO_API void lampo_config_directory(struct lampo_config *config, const char *path);
/* All keys come from here: 32 to 64 bytes of entropy, or BIP 39 words (English).  0: they are not such. */
LAMPO_API int lampo_config_seed(struct lampo_config *config, const void *seed, size_t size);
LAMPO_API int lampo_config_words(struct lampo_config *config, const char *words);
/* A node that has no records yet looks for its wallet's coins from this block on; without it, it begins at the tip. */
LAMPO_API void lampo_config_birthday(struct lampo_config *config, uint32_t height);
LAMPO_API void lampo_config_alias(struct lampo_config *config, const char *alias);
/* Where peers connect.  host NULL: all interfaces; port 0: any free one.  Without it nobody can connect. */
LAMPO_API void lampo_config_listen(struct lampo_config *config, const char *host, uint16_t port);
/* The JSON-RPC socket.  Without it methods are called through lampo_node_call alone. */
LAMPO_API void lampo_config_socket(struct lampo_config *config, const char *path);
LAMPO_API void lampo_config_accept_channels(struct lampo_config *config, int yes);
LAMPO_API void lampo_config_accept_keysend(struct lampo_config *config, int yes);

/* The bundled backend: a bitcoind.  user NULL: the cookie file is used. */
LAMPO_API void lampo_config_core(struct lampo_config *config, const char *url, const char *user, const char *password);
LAMPO_API void lampo_config_core_cookie(struct lampo_config *config, const char *path);

/* Interfaces of your own.  The struct is copied, its context must outlive the node.  It is freed (if it has a free) with
 * the node, also when lampo_node_new fails after it was taken over. */
LAMPO_API void lampo_config_backend(struct lampo_config *config, const struct lampo_backend *backend);
LAMPO_API void lampo_config_store(struct lampo_config *config, const struct lampo_store *store);
LAMPO_API void lampo_config_wallet(struct lampo_config *config, const struct lampo_wallet *wallet);
/* With a signer and a wallet of your own the node needs no seed. */
LAMPO_API void lampo_config_signer(struct lampo_config *config, const struct lampo_signer *signer);
/* Borrowed for good; the method appears beside the bundled ones. */
LAMPO_API void lampo_config_method(struct lampo_config *config, const struct lampo_method *method);

LAMPO_API void lampo_config_on_event(struct lampo_config *config, lampo_on_event *callback, void *context);

/* Lines of the log; without it there is none.  Any thread.  Levels: 0 trace, 1 debug, 2 info, 3 warning, 4 error. */
typedef void lampo_on_log(void *context, int level, const char *room, const char *text);
LAMPO_API void lampo_config_on_log(struct lampo_config *config, int level, lampo_on_log *callback, void *context);

/* The environment has failed for good: the store could not commit, or the backend can never serve this node.  Any thread.
 * Without it, and if it returns, the process exits with code 1 at once: what was not committed was not sent. */
typedef void lampo_on_fatal(void *context, const char *text);
LAMPO_API void lampo_config_on_fatal(struct lampo_config *config, lampo_on_fatal *callback, void *context);

/* Opens everything.  The configuration is copied and may be freed.  NULL: error (LAMPO_ERROR_SIZE bytes) says what is
 * wrong and what to do. */
LAMPO_API struct lampo_node *lampo_node_new(const struct lampo_config *config, char *error);
/* The thread that calls it is the node's own until it returns: after lampo_node_stop, the method `stop`, or SIGTERM and
 * SIGINT if lampo_config_signals was called. */
LAMPO_API void lampo_node_run(struct lampo_node *node);
LAMPO_API void lampo_config_signals(struct lampo_config *config);
/* Any thread.  Ends gracefully. */
LAMPO_API void lampo_node_stop(struct lampo_node *node);
/* After lampo_node_run has returned, or without it. */
LAMPO_API void lampo_node_free(struct lampo_node *node);

LAMPO_API void lampo_node_id(const struct lampo_node *node, uint8_t id33[33]);
LAMPO_API uint16_t lampo_node_port(const struct lampo_node *node); /* 0: nowhere */

/* Runs a function on the node's thread, soon.  Any thread. */
LAMPO_API void lampo_node_post(struct lampo_node *node, void (*function)(void *context), void *context);
/* The backend has something new.  Any thread. */
LAMPO_API void lampo_node_poke(struct lampo_node *node);

/* Calls a method.  params: a JSON object or array, or NULL.  The answer comes once, after this has returned: code 0 and the
 * result as JSON, or the error's code and {"code":..., "message":...}.  On the node's thread, or before lampo_node_run. */
typedef void lampo_on_answer(void *context, int code, const char *json);
LAMPO_API void lampo_node_call(struct lampo_node *node, const char *method, const char *params, lampo_on_answer *callback,
			       void *context);

#ifdef __cplusplus
}
#endif

#endif
