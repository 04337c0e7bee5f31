/* lampod-cli: the daemon.  Reads what it is told, opens the wallet's words,
 * and runs a node until it is asked to end. */
#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "api/sdk/service.h"
#include "cmd/lampod-cli/config.h"
#include "cmd/lampod-cli/instance.h"
#include "cmd/lampod-cli/manual.h"
#include "cmd/lampod-cli/wallet_file.h"
#include "runtime/loop/log.h"

#define SOCKET_NAME "lampod.socket"
#define LARGE_BLOCK (128 << 10)

static int complain(const char *why)
{
	fprintf(stderr, "lampod-cli: %s\n", why);
	return 1;
}

static int print(void (*write)(struct buf *out))
{
	struct buf text = BUF_EMPTY;

	write(&text);
	fwrite(text.data, 1, text.size, stdout);
	buf_release(&text);
	return 0;
}

static int dump_manual(const char *name)
{
	struct buf text = BUF_EMPTY;
	bool ok = manual_page(&text, name);

	if (ok)
		fwrite(text.data, 1, text.size, stdout);
	buf_release(&text);
	return ok ? 0 : complain("there is no such page");
}

/* On a line of their own, and nothing of it in the log file. */
static void show_words(const struct wallet_file *w)
{
	printf("This wallet's words, in this order, are the only way to its coins when everything else is lost.\n"
	       "Write them on paper; they are not shown again:\n\n%.*s\n\n", (int)w->words.size, (const char *)w->words.data);
	fflush(stdout);
}

static void hangup(void *log)
{
	log_file_reopen(log);
}

static void fill_node(struct node_config *n, const struct config *c, struct node_address *addresses)
{
	for (size_t i = 0; i < c->announce_count; i++) {
		addresses[i].host = c->announce[i].host;
		addresses[i].port = c->announce[i].port ? c->announce[i].port : c->port;
	}
	n->announce = addresses;
	n->announce_count = (uint32_t)c->announce_count;
	if (c->alias)
		n->alias = c->alias;
	if (c->has_accept_channels)
		n->accept_channels = c->accept_channels;
	if (c->has_accept_keysend)
		n->accept_keysend = c->accept_keysend;
	if (c->has_keysend_min)
		n->keysend_min = c->keysend_min;
	if (c->has_disable_after)
		n->disable_after_ms = c->disable_after_s * 1000ull;
	if (c->has_failure_update)
		n->failure_update = c->failure_update;
	if (c->has_require_reserve)
		n->require_reserve = c->require_reserve;
	if (c->has_anchor_reserve)
		n->anchor_reserve = c->anchor_reserve;
	if (c->has_autoclean_cycle)
		n->autoclean_cycle_s = c->autoclean_cycle_s;
	memcpy(n->autoclean_age_s, c->autoclean_age_s, sizeof(n->autoclean_age_s));
	if (c->has_fee_base)
		n->forward_fee_base = c->fee_base;
	if (c->has_fee_ppm)
		n->forward_fee_ppm = c->fee_ppm;
	if (c->has_cltv_delta)
		n->forward_cltv_delta = c->cltv_delta;
	if (c->has_slots_own)
		n->slots_own_percent = c->slots_own;
	if (c->has_slots_small)
		n->slots_small = c->slots_small;
	if (c->has_slots_small_share)
		n->slots_small_percent = c->slots_small_share;
	if (c->has_slots_protected)
		n->slots_protected_percent = c->slots_protected;
	if (c->has_slots_peer)
		n->slots_peer_percent = c->slots_peer;
	if (c->has_value_peer)
		n->slots_peer_value_percent = c->value_peer;
	if (c->has_htlc_min)
		n->forward_htlc_min = c->htlc_min;
	if (c->has_htlc_max)
		n->forward_htlc_max = c->htlc_max;
	if (c->has_channels_max)
		n->channels_max = c->channels_max;
	if (c->has_channels_per_peer_max)
		n->channels_per_peer_max = c->channels_per_peer_max;
	if (c->has_peers_max)
		n->peers_max = c->peers_max;
	if (c->has_funding_min)
		n->funding_min = c->funding_min;
	if (c->has_minimum_depth)
		n->minimum_depth_blocks = c->minimum_depth;
}

static void fill_daemon(struct daemon_config *d, const struct config *c, const struct wallet_file *w)
{
	d->directory = c->directory;
	d->core.url = c->core_url;
	d->core.user = c->core_user;
	d->core.password = c->core_pass;
	d->core.cookie_path = c->core_cookie;
	d->port = c->port;
	d->bind_address = c->bind_address;
	d->has_birthday = w->has_birthday;
	d->birthday_height = w->birthday_height;
	d->poll_ms = c->dev_sync ? 1000 : 0;
	d->handle_signals = true;
}

static int run_service(const struct service_config *s, const struct log_sink *log)
{
	char error[DAEMON_ERROR_SIZE];
	struct service *service = service_new(s, error);

	if (!service)
		return complain(error);
	log_write(log, LOG_INFO, "daemon", "lampod-cli " LAMPO_VERSION " on %s, port %u, %s", s->daemon.node.network->name,
		  daemon_port(service_daemon(service)), s->socket_path);
	service_run(service);
	log_write(log, LOG_INFO, "daemon", "ended in good order");
	service_free(service);
	return 0;
}

/* Each peer and each client is a descriptor, and a shell gives a program 1,024 unless it asks for more. */
static void take_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == files.rlim_max)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static int run_node(const struct config *c, const struct wallet_file *w, struct log_file *log)
{
	struct node_address addresses[CONFIG_ANNOUNCE_MAX];
	struct service_config s = { .context = log, .hangup = hangup };
	uint8_t seed[BIP39_SEED_SIZE];
	char socket_path[4096];
	int code;

	if (!bip39_seed(seed, buf_view(&w->words), BYTES_NONE))
		return complain("the wallet's words make no seed");
	snprintf(socket_path, sizeof(socket_path), "%s/" SOCKET_NAME, c->directory);
	s.socket_path = socket_path;
	daemon_config_default(&s.daemon, c->network);
	fill_node(&s.daemon.node, c, addresses);
	fill_daemon(&s.daemon, c, w);
	s.daemon.seed = BYTES_OF(seed);
	s.daemon.log = log_file_sink(log);
	take_descriptors();
	code = run_service(&s, s.daemon.log);
	mem_wipe(seed, sizeof(seed));
	return code;
}

static int run(const struct config *c)
{
	struct wallet_file w;
	struct log_file *log;
	char why[CONFIG_WHY_SIZE];
	int code;

	if (!instance_lock(c->directory, why))
		return complain(why);
	if (!wallet_file_open(&w, c, why)) {
		wallet_file_release(&w);
		return complain(why);
	}
	if (w.is_new)
		show_words(&w);
	if (c->action == CONFIG_NEW_WALLET) {
		code = w.is_new ? 0 : complain("there is a wallet in this directory already");
		wallet_file_release(&w);
		return code;
	}
	log = log_file_open(c->log_file, c->log_level);
	if (log) {
		code = run_node(c, &w, log);
		log_file_close(log);
	} else {
		snprintf(why, sizeof(why), "cannot write the log %.500s: %s", c->log_file, strerror(errno));
		code = complain(why);
	}
	wallet_file_release(&w);
	return code;
}

static int act(const struct config *c)
{
	switch (c->action) {
	case CONFIG_SHOW_HELP:
		return print(config_help);
	case CONFIG_SHOW_VERSION:
		puts("lampod-cli " LAMPO_VERSION);
		return 0;
	case CONFIG_DUMP_MANUAL:
		return dump_manual(c->manual);
	case CONFIG_NEW_WALLET:
	case CONFIG_RUN:
		return run(c);
	}
	UNREACHABLE();
}

/* What is large and passes, a block of the chain above all, goes back to the system when it is freed.  Left to itself the C
 * library keeps a heap for all that is not larger than the largest that was ever freed. */
static void keep_nothing_large(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

int main(int argc, char **argv)
{
	struct config c;
	char why[CONFIG_WHY_SIZE];
	int code;

	keep_nothing_large();
	code = config_load(&c, argc, (const char *const *)argv, why) ? act(&c) : complain(why);

	config_release(&c);
	return code;
}
