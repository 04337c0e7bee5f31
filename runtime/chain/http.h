/* HTTP to bitcoind: POST over one connection that is kept.
 *
 * http:// is libevent's, as it is bitcoin-cli's, for it is all that bitcoind speaks.  For https://, where somebody has put a TLS
 * server before it, libcurl is loaded when it is asked for (https.h): it and its thirty libraries take seven MiB, a quarter of
 * what a node with the whole network needs.  One thread, but for http_interrupt. */
#ifndef RUNTIME_CHAIN_HTTP_H
#define RUNTIME_CHAIN_HTTP_H

#include "base/bytes.h"

#define HTTP_ERROR_SIZE 256
#define HTTP_CONNECT_TIMEOUT_S 5
/* A block of four million weight units in hex, and room around it. */
#define HTTP_ANSWER_MAX (20u << 20)

struct http;

/* Does not connect yet.  Copies.  NULL: error says why. */
MUST_USE struct http *http_new(const char *url, uint32_t timeout_s, char error[HTTP_ERROR_SIZE]);
void http_free(struct http *h);
/* Any thread: the call that is under way fails, and so do all that follow. */
void http_interrupt(struct http *h);
/* login: user:password, or NULL.  The answer replaces what the buffer has.  False: none came, and error says why. */
MUST_USE bool http_post(struct http *h, const char *login, struct bytes body, int *status, struct buf *answer,
			char error[HTTP_ERROR_SIZE]);

#endif
