/* The JSON-RPC server on a unix socket, on libuv's loop.
 *
 * The file is created with mode 0600: who may open it is the only access
 * control there is, and it has that mode from its first instant.  A file left
 * by a daemon that died is taken over; one that another process listens on is
 * not, nor is one that is no socket. */
#ifndef API_RPC_SOCKET_H
#define API_RPC_SOCKET_H

#include <uv.h>

#include "api/rpc/rpc.h"

struct rpc_socket;

/* Borrows loop and rpc, which must outlive it.  Returns owned; NULL, with what
 * to do about it in why, if path cannot be listened on. */
MUST_USE struct rpc_socket *rpc_socket_open(uv_loop_t *loop, struct rpc *rpc, const char *path, char why[RPC_WHY_SIZE]);

/* Takes no more requests, removes the file, fails the calls that wait, sends
 * what is ready (half a second at most) and frees the socket; then calls
 * closed, from the loop. */
void rpc_socket_close(struct rpc_socket *s, void (*closed)(void *context), void *context);

#endif
