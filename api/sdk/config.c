#include "api/sdk/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bitcoin/bip39.h"

int lampo_api_version(void)
{
	return LAMPO_API_VERSION;
}

const char *lampo_version(void)
{
	return LAMPO_VERSION;
}

_Noreturn void illegal_use(const struct lampo_config *config, const char *function, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", function, what);
	if (config && config->illegal_use)
		config->illegal_use(config->illegal_use_context, text);
	fprintf(stderr, "liblampo: %s\n", text);
	abort();
}

static void need(const struct lampo_config *c, bool ok, const char *function, const char *what)
{
	if (!c || !ok)
		illegal_use(c, function, c ? what : "the configuration is NULL");
}

static void set_text(char **to, const char *text)
{
	char *copy = NULL;

	if (text) {
		copy = mem_alloc(strlen(text) + 1);
		strcpy(copy, text);
	}
	if (*to)
		mem_wipe_free(*to, strlen(*to)); /* a password may be among them */
	*to = copy;
}

struct lampo_config *lampo_config_new(const char *network)
{
	const struct network *n = network ? network_by_name(network) : NULL;
	struct lampo_config *c;

	if (!n)
		return NULL;
	c = NEW(struct lampo_config);
	c->network = n;
	return c;
}

static char **const *texts_of(struct lampo_config *c, char **out[8])
{
	char **all[8] = { &c->directory, &c->alias, &c->listen_host, &c->socket_path,
			  &c->core_url, &c->core_user, &c->core_password, &c->core_cookie };

	memcpy(out, all, sizeof(all));
	return out;
}

void config_copy(struct lampo_config *to, const struct lampo_config *from)
{
	char **texts[8];

	*to = *from;
	texts_of(to, texts);
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		const char *text = *texts[i];

		*texts[i] = NULL;
		set_text(texts[i], text);
	}
}

void config_wipe(struct lampo_config *c)
{
	char **texts[8];

	texts_of(c, texts);
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		set_text(texts[i], NULL);
	mem_wipe(c, sizeof(*c));
}

void lampo_config_free(struct lampo_config *config)
{
	if (!config)
		return;
	config_wipe(config);
	mem_free(config);
}

void lampo_config_illegal_use(struct lampo_config *config, lampo_illegal_use *callback, void *context)
{
	need(config, true, "lampo_config_illegal_use", "");
	config->illegal_use = callback;
	config->illegal_use_context = context;
}

void lampo_config_directory(struct lampo_config *config, const char *path)
{
	need(config, path && *path, "lampo_config_directory", "the path is empty");
	set_text(&config->directory, path);
}

int lampo_config_seed(struct lampo_config *config, const void *seed, size_t size)
{
	need(config, seed != NULL, "lampo_config_seed", "the seed is NULL");
	if (size < 32 || size > sizeof(config->seed))
		return 0;
	memcpy(config->seed, seed, size);
	config->seed_size = size;
	return 1;
}

int lampo_config_words(struct lampo_config *config, const char *words)
{
	need(config, words != NULL, "lampo_config_words", "the words are NULL");
	if (!bip39_seed(config->seed, bytes_from_string(words), BYTES_NONE))
		return 0;
	config->seed_size = BIP39_SEED_SIZE;
	return 1;
}

void lampo_config_birthday(struct lampo_config *config, uint32_t height)
{
	need(config, true, "lampo_config_birthday", "");
	config->has_birthday = true;
	config->birthday_height = height;
}

void lampo_config_alias(struct lampo_config *config, const char *alias)
{
	need(config, alias && strlen(alias) <= 32, "lampo_config_alias", "an alias has at most 32 bytes"); /* B7.node_announcement */
	set_text(&config->alias, alias);
}

void lampo_config_listen(struct lampo_config *config, const char *host, uint16_t port)
{
	need(config, true, "lampo_config_listen", "");
	set_text(&config->listen_host, host);
	config->listen = true;
	config->port = port;
}

void lampo_config_socket(struct lampo_config *config, const char *path)
{
	need(config, path && *path, "lampo_config_socket", "the path is empty");
	set_text(&config->socket_path, path);
}

void lampo_config_accept_channels(struct lampo_config *config, int yes)
{
	need(config, true, "lampo_config_accept_channels", "");
	config->has_accept_channels = true;
	config->accept_channels = yes != 0;
}

void lampo_config_accept_keysend(struct lampo_config *config, int yes)
{
	need(config, true, "lampo_config_accept_keysend", "");
	config->has_accept_keysend = true;
	config->accept_keysend = yes != 0;
}

void lampo_config_core(struct lampo_config *config, const char *url, const char *user, const char *password)
{
	need(config, url && *url, "lampo_config_core", "the URL is empty");
	set_text(&config->core_url, url);
	set_text(&config->core_user, user);
	set_text(&config->core_password, password);
}

void lampo_config_core_cookie(struct lampo_config *config, const char *path)
{
	need(config, path && *path, "lampo_config_core_cookie", "the path is empty");
	set_text(&config->core_cookie, path);
}

void lampo_config_backend(struct lampo_config *config, const struct lampo_backend *backend)
{
	need(config, backend && backend->size == sizeof(*backend), "lampo_config_backend", "its size is not that of this version");
	need(config, backend->tip && backend->block_hash && backend->block && backend->broadcast && backend->feerate,
	     "lampo_config_backend", "a function is missing");
	config->backend = *backend;
	config->has_backend = true;
}

void lampo_config_store(struct lampo_config *config, const struct lampo_store *store)
{
	need(config, store && (store->size == sizeof(*store) || store->size == offsetof(struct lampo_store, range) ||
			       store->size == offsetof(struct lampo_store, fetch)),
	     "lampo_config_store", "its size is not that of this version or an older one");
	need(config, store->commit && (store->load || (store->size == sizeof(*store) && store->range)), "lampo_config_store",
	     "a function is missing");
	memset(&config->store, 0, sizeof(config->store));
	memcpy(&config->store, store, store->size);
	config->has_store = true;
}

void lampo_config_wallet(struct lampo_config *config, const struct lampo_wallet *wallet)
{
	need(config, wallet && wallet->size == sizeof(*wallet), "lampo_config_wallet", "its size is not that of this version");
	need(config, wallet->request && wallet->block && wallet->undone && wallet->start, "lampo_config_wallet",
	     "a function is missing");
	config->wallet = *wallet;
	config->has_wallet = true;
}

void lampo_config_signer(struct lampo_config *config, const struct lampo_signer *signer)
{
	need(config, signer && signer->size == sizeof(*signer), "lampo_config_signer", "its size is not that of this version");
	need(config, signer->request != NULL, "lampo_config_signer", "a function is missing");
	config->signer = *signer;
	config->has_signer = true;
}

void lampo_config_method(struct lampo_config *config, const struct lampo_method *method)
{
	need(config, method && method->name && method->handler, "lampo_config_method", "a method needs a name and a handler");
	need(config, config->method_count < CONFIG_METHODS_MAX, "lampo_config_method", "too many methods");
	config->methods[config->method_count++] = method;
}

void lampo_config_on_event(struct lampo_config *config, lampo_on_event *callback, void *context)
{
	need(config, true, "lampo_config_on_event", "");
	config->on_event = callback;
	config->on_event_context = context;
}

void lampo_config_on_log(struct lampo_config *config, int level, lampo_on_log *callback, void *context)
{
	need(config, level >= 0 && level <= 4, "lampo_config_on_log", "levels are 0 to 4");
	config->log_level = level;
	config->on_log = callback;
	config->on_log_context = context;
}

void lampo_config_on_fatal(struct lampo_config *config, lampo_on_fatal *callback, void *context)
{
	need(config, true, "lampo_config_on_fatal", "");
	config->on_fatal = callback;
	config->on_fatal_context = context;
}

void lampo_config_signals(struct lampo_config *config)
{
	need(config, true, "lampo_config_signals", "");
	config->signals = true;
}
