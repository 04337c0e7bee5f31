/* Inside http.c: the same over TLS, by libcurl, which is loaded for it. */
#ifndef RUNTIME_CHAIN_HTTPS_H
#define RUNTIME_CHAIN_HTTPS_H

#include <stdatomic.h>

#include "runtime/chain/http.h"

struct https;

/* stop: borrowed; true once it is interrupted.  NULL: error says why. */
MUST_USE struct https *https_new(const char *url, uint32_t timeout_s, const atomic_bool *stop, char error[HTTP_ERROR_SIZE]);
void https_free(struct https *h);
MUST_USE bool https_post(struct https *h, const char *login, struct bytes body, int *status, struct buf *answer,
			 char error[HTTP_ERROR_SIZE]);

#endif
