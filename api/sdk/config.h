/* Inside the SDK: what struct lampo_config holds. */
#ifndef API_SDK_CONFIG_H
#define API_SDK_CONFIG_H

#include "bitcoin/network.h"
#include "lampo/lampo.h"

#define CONFIG_METHODS_MAX 256

struct lampo_config {
	const struct network *network;
	/* Owned; NULL: not given. */
	char *directory, *alias, *listen_host, *socket_path, *core_url, *core_user, *core_password, *core_cookie;
	uint8_t seed[64];
	size_t seed_size; /* 0: not given */
	bool has_birthday, listen, signals;
	uint32_t birthday_height;
	uint16_t port;
	bool has_accept_channels, accept_channels, has_accept_keysend, accept_keysend;
	bool has_backend, has_store, has_wallet, has_signer;
	struct lampo_backend backend;
	struct lampo_store store;
	struct lampo_wallet wallet;
	struct lampo_signer signer;
	const struct lampo_method *methods[CONFIG_METHODS_MAX];
	size_t method_count;
	lampo_illegal_use *illegal_use;
	void *illegal_use_context;
	lampo_on_event *on_event;
	void *on_event_context;
	lampo_on_log *on_log;
	void *on_log_context;
	int log_level;
	lampo_on_fatal *on_fatal;
	void *on_fatal_context;
};

/* A copy with strings of its own. */
void config_copy(struct lampo_config *to, const struct lampo_config *from);
void config_wipe(struct lampo_config *c);

/* Tells that a function was called as its header does not allow; does not return.  config may be NULL. */
_Noreturn void illegal_use(const struct lampo_config *config, const char *function, const char *what);

#endif
