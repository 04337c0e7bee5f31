#include "cmd/lampod-cli/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/rpc/value_read.h"

void option_set_text(char **text, const char *value)
{
	char *copy = mem_alloc(strlen(value) + 1);

	memcpy(copy, value, strlen(value));
	mem_free(*text);
	*text = copy;
}

char *option_path(const char *value)
{
	const char *home = getenv("HOME");
	struct buf path = BUF_EMPTY;

	if (home && strncmp(value, "~/", 2) == 0)
		buf_printf(&path, "%s%s", home, value + 1);
	else
		buf_add_string(&path, value);
	buf_add_u8(&path, 0);
	return (char *)path.data;
}

static bool set_path(char **path, const char *value)
{
	mem_free(*path);
	*path = *value ? option_path(value) : NULL;
	return *path != NULL;
}

static bool set_u32(uint32_t *out, const char *value, uint32_t min, uint32_t max)
{
	uint64_t v;

	if (!read_number(&v, value, max) || v < min)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool set_bool(bool *out, const char *value)
{
	*out = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
	return *out || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

static bool set_config(struct config *c, const char *value)
{
	(void)c; /* found before the others: config.c */
	return *value != 0;
}

static bool set_network(struct config *c, const char *value)
{
	const struct network *n = network_by_name(value);

	if (n)
		c->network = n;
	return n != NULL;
}

static bool set_backend(struct config *c, const char *value)
{
	option_set_text(&c->backend, value);
	return strcmp(value, "core") == 0;
}

static bool set_core_url(struct config *c, const char *value)
{
	const char *host = strstr(value, "://");
	struct buf url = BUF_EMPTY;

	/* People write what bitcoind's own tools take: host:port. */
	if (!host)
		buf_add_string(&url, "http://");
	buf_add_string(&url, value);
	buf_add_u8(&url, 0);
	mem_free(c->core_url);
	c->core_url = (char *)url.data;
	host = strstr(c->core_url, "://") + 3;
	return (strncmp(c->core_url, "http://", 7) == 0 || strncmp(c->core_url, "https://", 8) == 0) && *host &&
	       !strpbrk(c->core_url, " \t\"<>");
}

static bool set_core_user(struct config *c, const char *value)
{
	option_set_text(&c->core_user, value);
	return *value && !strchr(value, ':');
}

static bool set_core_pass(struct config *c, const char *value)
{
	option_set_text(&c->core_pass, value);
	return true;
}

static bool set_core_cookie(struct config *c, const char *value)
{
	return set_path(&c->core_cookie, value);
}

static bool set_port(struct config *c, const char *value)
{
	uint32_t v;

	if (!set_u32(&v, value, 1, UINT16_MAX))
		return false;
	c->port = (uint16_t)v;
	return true;
}

static bool read_address(struct config_address *out, const char *value)
{
	struct arena arena;
	const char *host;
	bool ok;

	arena_init(&arena);
	ok = value_read_host(&host, &out->port, value, &arena);
	if (ok)
		option_set_text(&out->host, host);
	arena_release(&arena);
	return ok;
}

static bool set_bind(struct config *c, const char *value)
{
	struct config_address a = { .host = NULL };

	if (!read_address(&a, value))
		return false;
	mem_free(c->bind_address);
	c->bind_address = a.host;
	return a.port == 0;
}

static bool set_alias(struct config *c, const char *value)
{
	size_t i;

	option_set_text(&c->alias, value);
	/* B7.node_announcement: 32 bytes; and it is shown on terminals. */
	for (i = 0; value[i]; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return false;
	return i <= 32;
}

static bool set_announce(struct config *c, const char *value)
{
	if (c->announce_count == CONFIG_ANNOUNCE_MAX || !read_address(&c->announce[c->announce_count], value))
		return false;
	c->announce_count++;
	return true;
}

static bool set_log_level(struct config *c, const char *value)
{
	static const char *const names[] = {
		[LOG_TRACE] = "trace", [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error",
	};
	size_t i;

	for (i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(value, names[i]) == 0) {
			c->log_level = (enum log_level)i;
			return true;
		}
	return false;
}

static bool set_log_file(struct config *c, const char *value)
{
	return set_path(&c->log_file, value);
}

static bool set_reindex(struct config *c, const char *value)
{
	c->has_reindex = true;
	return set_u32(&c->reindex, value, 0, 0x7fffffff);
}

static bool set_fast_sync(struct config *c, const char *value)
{
	return set_bool(&c->fast_sync, value);
}

static bool set_dev_sync(struct config *c, const char *value)
{
	return set_bool(&c->dev_sync, value);
}

static bool set_accept_channels(struct config *c, const char *value)
{
	c->has_accept_channels = true;
	return set_bool(&c->accept_channels, value);
}

static bool set_accept_keysend(struct config *c, const char *value)
{
	c->has_accept_keysend = true;
	return set_bool(&c->accept_keysend, value);
}

static bool set_keysend_min(struct config *c, const char *value)
{
	c->has_keysend_min = true;
	return read_amount(&c->keysend_min, value, 1);
}

static bool set_failure_update(struct config *c, const char *value)
{
	c->has_failure_update = true;
	return set_bool(&c->failure_update, value);
}

static bool set_disable_after(struct config *c, const char *value)
{
	c->has_disable_after = true;
	return set_u32(&c->disable_after_s, value, 1, UINT32_MAX);
}

static bool set_require_reserve(struct config *c, const char *value)
{
	c->has_require_reserve = true;
	return set_bool(&c->require_reserve, value);
}

static bool set_anchor_reserve(struct config *c, const char *value)
{
	struct amount_msat v;

	c->has_anchor_reserve = true;
	if (!read_amount(&v, value, 1000))
		return false;
	c->anchor_reserve = msat_to_sat_up(v);
	/* Ten times it, and what is paid beside it, must stay far from the end of a number. */
	return c->anchor_reserve.v <= 100000000;
}

static bool set_autoclean_cycle(struct config *c, const char *value)
{
	c->has_autoclean_cycle = true;
	return set_u32(&c->autoclean_cycle_s, value, 1, UINT32_MAX);
}

/* 0 keeps for good. */
static bool set_age(struct config *c, enum clean_subsystem subsystem, const char *value)
{
	uint32_t age_s;

	if (!set_u32(&age_s, value, 0, UINT32_MAX))
		return false;
	c->autoclean_age_s[subsystem] = age_s;
	return true;
}

static bool set_age_succeededforwards(struct config *c, const char *value)
{
	return set_age(c, CLEAN_SUCCEEDED_FORWARDS, value);
}

static bool set_age_failedforwards(struct config *c, const char *value)
{
	return set_age(c, CLEAN_FAILED_FORWARDS, value);
}

static bool set_age_succeededpays(struct config *c, const char *value)
{
	return set_age(c, CLEAN_SUCCEEDED_PAYS, value);
}

static bool set_age_failedpays(struct config *c, const char *value)
{
	return set_age(c, CLEAN_FAILED_PAYS, value);
}

static bool set_age_paidinvoices(struct config *c, const char *value)
{
	return set_age(c, CLEAN_PAID_INVOICES, value);
}

static bool set_age_expiredinvoices(struct config *c, const char *value)
{
	return set_age(c, CLEAN_EXPIRED_INVOICES, value);
}

/* What channel_update can say of it is 32 bits. */
static bool set_fee_base(struct config *c, const char *value)
{
	c->has_fee_base = true;
	return read_amount(&c->fee_base, value, 1) && c->fee_base.v <= UINT32_MAX;
}

static bool set_fee_ppm(struct config *c, const char *value)
{
	c->has_fee_ppm = true;
	return set_u32(&c->fee_ppm, value, 0, UINT32_MAX);
}

/* With less than the deadline for a fulfilled HTLC a preimage could come too late to be of use. */
static bool set_cltv_delta(struct config *c, const char *value)
{
	c->has_cltv_delta = true;
	return set_u32(&c->cltv_delta, value, 28, 2016);
}

static bool set_htlc_min(struct config *c, const char *value)
{
	c->has_htlc_min = true;
	return read_amount(&c->htlc_min, value, 1);
}

static bool set_htlc_max(struct config *c, const char *value)
{
	c->has_htlc_max = true;
	return read_amount(&c->htlc_max, value, 1) && c->htlc_max.v;
}

static bool set_slots_own(struct config *c, const char *value)
{
	c->has_slots_own = true;
	return set_u32(&c->slots_own, value, 0, 100);
}

static bool set_slots_small(struct config *c, const char *value)
{
	c->has_slots_small = true;
	return read_amount(&c->slots_small, value, 1);
}

static bool set_slots_small_share(struct config *c, const char *value)
{
	c->has_slots_small_share = true;
	return set_u32(&c->slots_small_share, value, 0, 100);
}

static bool set_slots_protected(struct config *c, const char *value)
{
	c->has_slots_protected = true;
	return set_u32(&c->slots_protected, value, 0, 100);
}

static bool set_slots_peer(struct config *c, const char *value)
{
	c->has_slots_peer = true;
	return set_u32(&c->slots_peer, value, 1, 100);
}

static bool set_value_peer(struct config *c, const char *value)
{
	c->has_value_peer = true;
	return set_u32(&c->value_peer, value, 1, 100);
}

static bool set_channels_max(struct config *c, const char *value)
{
	c->has_channels_max = true;
	return set_u32(&c->channels_max, value, 1, 1000000);
}

static bool set_channels_per_peer_max(struct config *c, const char *value)
{
	c->has_channels_per_peer_max = true;
	return set_u32(&c->channels_per_peer_max, value, 1, 1000);
}

static bool set_peers_max(struct config *c, const char *value)
{
	c->has_peers_max = true;
	return set_u32(&c->peers_max, value, 1, 100000);
}

static bool set_funding_min(struct config *c, const char *value)
{
	struct amount_msat v;

	c->has_funding_min = true;
	if (!read_amount(&v, value, 1000))
		return false;
	c->funding_min = msat_to_sat_up(v);
	return true;
}

static bool set_minimum_depth(struct config *c, const char *value)
{
	c->has_minimum_depth = true;
	return set_u32(&c->minimum_depth, value, 1, 2016);
}

static bool set_restore(struct config *c, const char *value)
{
	option_set_text(&c->restore_words, value);
	return *value != 0;
}

static bool set_help(struct config *c, const char *value)
{
	(void)value;
	c->action = CONFIG_SHOW_HELP;
	return true;
}

static bool set_version(struct config *c, const char *value)
{
	(void)value;
	c->action = CONFIG_SHOW_VERSION;
	return true;
}

static bool set_dump_manual(struct config *c, const char *value)
{
	option_set_text(&c->manual, value);
	c->action = CONFIG_DUMP_MANUAL;
	return true;
}

#define NETWORKS "bitcoin, testnet, testnet4, signet or regtest"
#define TRUTH "true or false"

const struct option options[] = {
	{ "config", NULL, 0, OPTION_FLAG, false, false, "DIR", "a directory or a file",
	  "The directory with lampo.conf (or lampod.conf), or that file itself.  It must be there.", set_config },
	{ "data-dir", NULL, 'd', OPTION_FLAG, false, false, "DIR", "a directory",
	  "The node's directory.  Made if it is not there; a lampo.conf in it is read if there is one.", set_config },
	{ "network", NULL, 'n', OPTION_BOTH, false, false, "NETWORK", NETWORKS,
	  "The Bitcoin network: " NETWORKS ".  Default: testnet.", set_network },
	{ "backend", "client", 0, OPTION_BOTH, false, false, "NAME", "core",
	  "Where the chain comes from: core, a bitcoind asked over its RPC.", set_backend },
	{ "core-url", NULL, 0, OPTION_BOTH, false, false, "URL", "a URL such as http://127.0.0.1:8332",
	  "bitcoind's RPC.  Default: this machine, at the network's usual port.", set_core_url },
	{ "core-user", NULL, 0, OPTION_BOTH, false, false, "NAME", "a name without a colon",
	  "bitcoind's rpcuser.  Without it the cookie file is used.", set_core_user },
	{ "core-pass", NULL, 0, OPTION_BOTH, false, false, "PASSWORD", "a password",
	  "bitcoind's rpcpassword.", set_core_pass },
	{ "core-cookie", NULL, 0, OPTION_BOTH, false, false, "FILE", "the path of a file",
	  "bitcoind's cookie file.  Default: where bitcoind puts it, in ~/.bitcoin.", set_core_cookie },
	{ "port", NULL, 0, OPTION_BOTH, false, false, "PORT", "a port from 1 to 65535",
	  "Where peers connect.  Default: 9735, and another for each test network.", set_port },
	{ "bind-addr", NULL, 0, OPTION_BOTH, false, false, "HOST", "an address without a port, such as 127.0.0.1 or ::1",
	  "Listen on this address alone.  Default: on all.", set_bind },
	{ "alias", NULL, 0, OPTION_BOTH, false, false, "NAME", "text of at most 32 bytes",
	  "The node's name, as others show it.", set_alias },
	{ "announce-addr", NULL, 0, OPTION_BOTH, true, false, "HOST[:PORT]",
	  "an address such as 203.0.113.7, node.example:9735 or [2001:db8::1]:9735, at most 16 of them",
	  "An address under which peers reach this node.  May come more than once.", set_announce },
	{ "log-level", NULL, 0, OPTION_BOTH, false, false, "LEVEL", "trace, debug, info, warn or error",
	  "How much is logged: trace, debug, info, warn or error.  Default: info.", set_log_level },
	{ "log-file", NULL, 0, OPTION_BOTH, false, false, "FILE", "the path of a file",
	  "Where the log goes.  Default: standard error.", set_log_file },
	{ "reindex", NULL, 0, OPTION_BOTH, false, false, "HEIGHT", "a block height",
	  "Read the chain again from this height, for coins that the wallet does not know.", set_reindex },
	{ "fast-sync", NULL, 0, OPTION_BOTH, false, false, "BOOL", TRUTH,
	  "Let a wallet that is made today begin at the chain's tip.  Default: true.", set_fast_sync },
	{ "dev-sync", NULL, 0, OPTION_BOTH, false, false, "BOOL", TRUTH,
	  "Ask the backend for blocks every second: for tests.  Default: false.", set_dev_sync },
	{ "accept-channels", NULL, 0, OPTION_BOTH, false, false, "BOOL", TRUTH,
	  "Whether peers may open channels to this node.  Default: true.", set_accept_channels },
	{ "accept-keysend", NULL, 0, OPTION_BOTH, false, false, "BOOL", TRUTH,
	  "Whether payments without an invoice are taken.  Default: true.", set_accept_keysend },
	{ "keysend-minimum-msat", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in millisatoshi, or text such as 1sat",
	  "The least that a payment without an invoice must bring, or it is refused: each is recorded for good, in half a kilobyte "
	  "and what its sender attached, up to 2 kilobytes in all, and anybody may send one.  "
	  "What autoclean-paidinvoices-age deletes, it deletes of these too.  Default: 1000, a satoshi.", set_keysend_min },
	{ "anchor-reserve", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in satoshi up to one bitcoin, or text such as 25000sat",
	  "What must stay in the wallet for each channel with anchors, up to ten of them, to pay for closing it in time.  "
	  "Default: 25000.", set_anchor_reserve },
	{ "require-reserve", NULL, 0, OPTION_BOTH, false, false, "BOOL", TRUTH,
	  "Whether channels of peers are refused too while the wallet has less than its reserve.  Default: false.",
	  set_require_reserve },
	{ "autoclean-cycle", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 1 to 4294967295",
	  "How often this node looks for what is old enough to be deleted.  Default: 3600.", set_autoclean_cycle },
	{ "autoclean-succeededforwards-age", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 0 to 4294967295",
	  "Delete from the history forwards that settled so long ago.  Default: 0, never.", set_age_succeededforwards },
	{ "autoclean-failedforwards-age", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 0 to 4294967295",
	  "The same for forwards that failed.", set_age_failedforwards },
	{ "autoclean-succeededpays-age", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 0 to 4294967295",
	  "The same for payments that are complete.  An invoice whose payment is forgotten could be paid again.",
	  set_age_succeededpays },
	{ "autoclean-failedpays-age", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 0 to 4294967295",
	  "The same for payments that failed.", set_age_failedpays },
	{ "autoclean-paidinvoices-age", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 0 to 4294967295",
	  "The same for invoices that are paid.", set_age_paidinvoices },
	{ "autoclean-expiredinvoices-age", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 0 to 4294967295",
	  "The same for invoices that have expired.", set_age_expiredinvoices },
	{ "fee-base", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in millisatoshi up to 4294967295, or text such as 1sat",
	  "What this node takes for each payment that it forwards.  Default: 1 millisatoshi.", set_fee_base },
	{ "fee-per-satoshi", NULL, 0, OPTION_BOTH, false, false, "NUMBER", "a number from 0 to 4294967295",
	  "What it takes besides, in millionths of the amount that goes on.  Default: 10.", set_fee_ppm },
	{ "cltv-delta", NULL, 0, OPTION_BOTH, false, false, "BLOCKS", "a number from 28 to 2016",
	  "How many blocks sooner what it forwards must expire than what it is given.  With fewer than 34 a reorganization could "
	  "cost a payment.  Default: 34.",
	  set_cltv_delta },
	{ "htlc-minimum-msat", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in millisatoshi, or text such as 1sat",
	  "The smallest payment that it forwards.  Default: 0.", set_htlc_min },
	{ "htlc-maximum-msat", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in millisatoshi, or text such as 1000sat",
	  "The largest.  Default: what a channel carries.", set_htlc_max },
	{ "failure-channel-update", NULL, 0, OPTION_BOTH, false, false, "BOOL", TRUTH,
	  "Whether a sender whose payment did not keep to this node's terms is told the present ones in the failure.  Without, "
	  "some senders blame this node and cannot pay where there is no other way.  With it, one that takes what it is told "
	  "into its map of the network, as it must not, can be told apart from others.  Default: true.", set_failure_update },
	{ "disable-after", NULL, 0, OPTION_BOTH, false, false, "SECONDS", "a number from 1 to 4294967295",
	  "How long a peer may be away before its channels are announced as disabled.  Default: 600.", set_disable_after },
	{ "forward-own-slots", NULL, 0, OPTION_BOTH, false, false, "PERCENT", "a number from 0 to 100",
	  "Of the HTLCs that a channel can hold: kept for payments of this node.  Default: 5.", set_slots_own },
	{ "forward-small", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in millisatoshi, or text such as 1000sat",
	  "Below it a forwarded HTLC is small; 0: none is.  Default: 1000sat.", set_slots_small },
	{ "forward-small-slots", NULL, 0, OPTION_BOTH, false, false, "PERCENT", "a number from 0 to 100",
	  "Of the HTLCs of others that a channel can hold: for small ones; the rest is for the others.  Default: 50.",
	  set_slots_small_share },
	{ "forward-protected-slots", NULL, 0, OPTION_BOTH, false, false, "PERCENT", "a number from 0 to 100",
	  "Of either: only for HTLCs from peers that have earned it by fees.  Default: 25.", set_slots_protected },
	{ "forward-peer-slots", NULL, 0, OPTION_BOTH, false, false, "PERCENT", "a number from 1 to 100",
	  "Of what is open to it: what HTLCs from one peer may take of a channel.  Default: 50.", set_slots_peer },
	{ "forward-peer-value", NULL, 0, OPTION_BOTH, false, false, "PERCENT", "a number from 1 to 100",
	  "The same of the value that a channel can hold.  Default: 75.", set_value_peer },
	{ "channels-max", NULL, 0, OPTION_BOTH, false, false, "NUMBER", "a number from 1 to 1000000",
	  "Most channels in total.", set_channels_max },
	{ "channels-per-peer-max", NULL, 0, OPTION_BOTH, false, false, "NUMBER", "a number from 1 to 1000",
	  "Most channels with one peer.", set_channels_per_peer_max },
	{ "peers-max", NULL, 0, OPTION_BOTH, false, false, "NUMBER", "a number from 1 to 100000",
	  "Most connected peers that have no channel.", set_peers_max },
	{ "funding-min", NULL, 0, OPTION_BOTH, false, false, "AMOUNT", "an amount in satoshi, or text such as 0.001btc",
	  "The smallest channel that a peer may open.", set_funding_min },
	{ "minimum-depth", NULL, 0, OPTION_BOTH, false, false, "BLOCKS", "a number from 1 to 2016",
	  "Fewest confirmations of a channel that a peer opens; large ones need more.", set_minimum_depth },
	{ "restore-wallet", NULL, 0, OPTION_FLAG, false, false, "WORDS", "12 or 24 words in quotes, or - to read them from standard input",
	  "Make the wallet from these BIP 39 words.  With - they are read from standard input, where no other user sees them.",
	  set_restore },
	{ "help", NULL, 'h', OPTION_FLAG, false, true, NULL, NULL, "Show this text.", set_help },
	{ "version", NULL, 'V', OPTION_FLAG, false, true, NULL, NULL, "Show the version.", set_version },
	{ "dump-man", NULL, 0, OPTION_HIDDEN, false, false, "PAGE", "lampod-cli or lampo-methods",
	  "Write a manual page.", set_dump_manual },
};
const size_t option_count = ARRAY_COUNT(options);

const struct option *option_by_key(struct bytes key)
{
	size_t i;

	for (i = 0; i < option_count; i++)
		if (options[i].scope == OPTION_BOTH && bytes_equal(key, bytes_from_string(options[i].key)))
			return &options[i];
	return NULL;
}

const struct option *option_by_flag(struct bytes name)
{
	size_t i;

	for (i = 0; i < option_count; i++)
		if (bytes_equal(name, bytes_from_string(options[i].key)) ||
		    (options[i].flag_alias && bytes_equal(name, bytes_from_string(options[i].flag_alias))))
			return &options[i];
	return NULL;
}

const struct option *option_by_letter(char letter)
{
	size_t i;

	for (i = 0; i < option_count; i++)
		if (letter && options[i].letter == letter)
			return &options[i];
	return NULL;
}

void option_list_keys(struct buf *out)
{
	size_t i;

	for (i = 0; i < option_count; i++)
		if (options[i].scope == OPTION_BOTH)
			buf_printf(out, "%s%s", i == 2 ? "" : ", ", options[i].key);
}
