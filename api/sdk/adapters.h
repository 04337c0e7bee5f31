/* Inside the SDK: the embedder's interfaces behind the ports of the runtime. */
#ifndef API_SDK_ADAPTERS_H
#define API_SDK_ADAPTERS_H

#include "lampo/lampo.h"
#include "runtime/daemon/daemon.h"

struct lampo_buffer {
	struct buf *out;
};

/* Each copies the interface; what it makes frees it. */
void adapt_backend(struct backend *out, const struct lampo_backend *b);
MUST_USE struct store *adapt_store(const struct lampo_store *s); /* returns owned */

/* A signer's adapter and its questions that are not answered yet. */
struct signer_adapter;
MUST_USE struct signer_adapter *signer_adapter_new(const struct lampo_signer *s); /* returns owned */
void signer_adapter_free(struct signer_adapter *a);
struct daemon_signer signer_adapter_signer(struct signer_adapter *a);

/* A wallet's adapter and its questions that are not answered yet. */
struct wallet_adapter;
MUST_USE struct wallet_adapter *wallet_adapter_new(const struct lampo_wallet *w); /* returns owned */
void wallet_adapter_free(struct wallet_adapter *a);
struct daemon_funds wallet_adapter_funds(struct wallet_adapter *a);

#endif
