#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/sdk/adapters.h"
#include "api/sdk/config.h"
#include "api/sdk/service.h"
#include "runtime/loop/log.h"

/* A function that shall run on the node's thread. */
struct post {
	struct post *next;
	void (*function)(void *context);
	void *context;
};

struct lampo_node {
	struct lampo_config config;
	struct log_sink log;
	struct wallet_adapter *wallet; /* NULL: the bundled one */
	struct signer_adapter *signer;
	struct service *service;
	struct loop_wake *wake;
	pthread_mutex_t lock;
	struct post *posts, **posts_tail; /* under the lock */
};

/* ---- What the node says ---- */

static void write_log(void *context, enum log_level level, const char *room, const char *text)
{
	const struct lampo_node *n = context;

	n->config.on_log(n->config.on_log_context, (int)level, room, text);
}

static void ignore_log(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	(void)level;
	(void)room;
	(void)text;
}

static void open_log(struct lampo_node *n)
{
	n->log = (struct log_sink){ n->config.on_log ? write_log : ignore_log, n,
				    n->config.on_log ? (enum log_level)n->config.log_level : LOG_ERROR };
}

static enum lampo_event_kind event_kind(enum notify_kind kind)
{
	switch (kind) {
	case NOTIFY_CONNECTED:
		return LAMPO_EVENT_CONNECTED;
	case NOTIFY_DISCONNECTED:
		return LAMPO_EVENT_DISCONNECTED;
	case NOTIFY_CHANNEL_STATE:
		return LAMPO_EVENT_CHANNEL_STATE;
	case NOTIFY_INVOICE_PAID:
		return LAMPO_EVENT_INVOICE_PAID;
	case NOTIFY_PAYMENT_SENT:
		return LAMPO_EVENT_PAYMENT_SENT;
	case NOTIFY_PAYMENT_FAILED:
		return LAMPO_EVENT_PAYMENT_FAILED;
	case NOTIFY_BLOCK:
		return LAMPO_EVENT_BLOCK;
	case NOTIFY_STOP:
		return LAMPO_EVENT_STOPPING;
	case NOTIFY_HELD:
		break;
	}
	UNREACHABLE();
}

static void on_notify(void *context, const struct notify *notify)
{
	struct lampo_node *n = context;
	struct lampo_event e = { .size = sizeof(e), .amount_msat = notify->amount.v, .height = notify->height,
				 .text = notify->text ? notify->text : "" };

	/* Nobody outside can order something to be held yet. */
	if (!n->config.on_event || notify->kind == NOTIFY_HELD)
		return;
	e.kind = event_kind(notify->kind);
	memcpy(e.peer33, notify->peer.v, sizeof(e.peer33));
	memcpy(e.channel_id32, notify->channel_id.v, sizeof(e.channel_id32));
	memcpy(e.payment_hash32, notify->payment_hash.v, sizeof(e.payment_hash32));
	n->config.on_event(n->config.on_event_context, &e);
}

static void on_fatal(void *context, const char *text)
{
	struct lampo_node *n = context;

	if (n->config.on_fatal)
		n->config.on_fatal(n->config.on_fatal_context, text);
	log_fatal(&n->log, "daemon", "%s", text);
}

/* ---- Posts from other threads ---- */

static struct post *take_posts(struct lampo_node *n)
{
	struct post *all;

	pthread_mutex_lock(&n->lock);
	all = n->posts;
	n->posts = NULL;
	n->posts_tail = &n->posts;
	pthread_mutex_unlock(&n->lock);
	return all;
}

static void run_posts(void *context)
{
	struct post *p = take_posts(context);

	while (p) {
		struct post *next = p->next;

		p->function(p->context);
		mem_free(p);
		p = next;
	}
}

static void drop_posts(struct lampo_node *n)
{
	struct post *p = take_posts(n);

	while (p) {
		struct post *next = p->next;

		mem_free(p);
		p = next;
	}
}

void lampo_node_post(struct lampo_node *node, void (*function)(void *context), void *context)
{
	struct post *p = NEW(struct post);

	p->function = function;
	p->context = context;
	pthread_mutex_lock(&node->lock);
	*node->posts_tail = p;
	node->posts_tail = &p->next;
	pthread_mutex_unlock(&node->lock);
	loop_wake_ring(node->wake);
}

/* ---- Beginning ---- */

static void fill_node_config(struct node_config *out, const struct lampo_config *c)
{
	if (c->alias)
		out->alias = c->alias;
	if (c->has_accept_channels)
		out->accept_channels = c->accept_channels;
	if (c->has_accept_keysend)
		out->accept_keysend = c->accept_keysend;
}

static void fill_daemon_config(struct daemon_config *d, struct lampo_node *n)
{
	const struct lampo_config *c = &n->config;

	daemon_config_default(d, c->network);
	fill_node_config(&d->node, c);
	d->directory = c->directory;
	d->seed = BYTES(c->seed, c->seed_size);
	d->core = (struct core_config){ .url = c->core_url, .user = c->core_user, .password = c->core_password,
					.cookie_path = c->core_cookie };
	d->listen = c->listen;
	d->bind_address = c->listen_host;
	d->port = c->port;
	d->has_birthday = c->has_birthday;
	d->birthday_height = c->birthday_height;
	d->handle_signals = c->signals;
	d->log = &n->log;
	d->fatal = on_fatal;
	d->fatal_context = n;
}

static bool has_what_it_needs(const struct lampo_config *c, char *error)
{
	const char *missing = NULL;

	if (!c->seed_size && !(c->has_signer && c->has_wallet))
		missing = "a seed or words (lampo_config_words)";
	else if (!c->has_store && !c->directory)
		missing = "a directory (lampo_config_directory) or a store of your own";
	else if (!c->has_backend && !c->core_url)
		missing = "a backend: lampo_config_core or one of your own";
	if (missing)
		snprintf(error, LAMPO_ERROR_SIZE, "the configuration lacks %s", missing);
	return !missing;
}

static bool open_service(struct lampo_node *n, char *error)
{
	struct service_config s = { .socket_path = n->config.socket_path, .context = n, .notify = on_notify };
	struct daemon_signer signer;
	struct daemon_funds funds;
	struct backend backend;

	fill_daemon_config(&s.daemon, n);
	if (n->config.has_signer) {
		n->signer = signer_adapter_new(&n->config.signer);
		signer = signer_adapter_signer(n->signer);
		s.daemon.signer = &signer;
	}
	if (n->config.has_wallet) {
		n->wallet = wallet_adapter_new(&n->config.wallet);
		funds = wallet_adapter_funds(n->wallet);
		s.daemon.funds = &funds;
	}
	if (n->config.has_backend) {
		adapt_backend(&backend, &n->config.backend);
		s.daemon.backend = &backend;
	}
	if (n->config.has_store)
		s.daemon.store = adapt_store(&n->config.store);
	n->service = service_new(&s, error);
	return n->service != NULL;
}

static bool add_methods(struct lampo_node *n, char *error)
{
	char why[RPC_WHY_SIZE];

	for (size_t i = 0; i < n->config.method_count; i++)
		if (!rpc_add_method(service_rpc(n->service), n->config.methods[i], why)) {
			snprintf(error, LAMPO_ERROR_SIZE, "%s", why);
			return false;
		}
	return true;
}

static struct lampo_node *node_make(const struct lampo_config *config)
{
	struct lampo_node *n = NEW(struct lampo_node);

	config_copy(&n->config, config);
	n->posts_tail = &n->posts;
	ASSERT(!pthread_mutex_init(&n->lock, NULL));
	open_log(n);
	return n;
}

struct lampo_node *lampo_node_new(const struct lampo_config *config, char *error)
{
	struct lampo_node *n;

	if (!config || !error)
		illegal_use(config, "lampo_node_new", "the configuration or the error's place is NULL");
	if (!has_what_it_needs(config, error))
		return NULL;
	n = node_make(config);
	if (!open_service(n, error) || !add_methods(n, error)) {
		lampo_node_free(n);
		return NULL;
	}
	mem_wipe(n->config.seed, sizeof(n->config.seed));
	n->wake = loop_wake_new(daemon_loop(service_daemon(n->service)), run_posts, n);
	return n;
}

/* ---- Life ---- */

void lampo_node_run(struct lampo_node *node)
{
	service_run(node->service);
}

void lampo_node_stop(struct lampo_node *node)
{
	daemon_wake_stop(service_daemon(node->service));
}

void lampo_node_free(struct lampo_node *node)
{
	if (!node)
		return;
	if (node->wake)
		loop_wake_free(node->wake);
	if (node->service)
		service_free(node->service);
	if (node->wallet)
		wallet_adapter_free(node->wallet);
	if (node->signer)
		signer_adapter_free(node->signer);
	drop_posts(node);
	pthread_mutex_destroy(&node->lock);
	config_wipe(&node->config);
	mem_free(node);
}

void lampo_node_id(const struct lampo_node *node, uint8_t id33[33])
{
	memcpy(id33, daemon_node_id(service_daemon(node->service))->v, 33);
}

uint16_t lampo_node_port(const struct lampo_node *node)
{
	return daemon_port(service_daemon(node->service));
}

void lampo_node_poke(struct lampo_node *node)
{
	daemon_poke_chain(service_daemon(node->service));
}

void lampo_node_call(struct lampo_node *node, const char *method, const char *params, lampo_on_answer *callback, void *context)
{
	if (!method || !callback)
		illegal_use(&node->config, "lampo_node_call", "the method or the callback is NULL");
	service_call(node->service, method, params, callback, context);
}
