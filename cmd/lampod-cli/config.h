/* What the daemon is told: a file of key=value lines, and flags of the same names, which win.
 *
 * The node's directory holds its keys, its database and its socket.  With
 * --config DIR or -d DIR it is DIR itself, or DIR/NETWORK where there is that
 * and no file in DIR (Lampo's layout); with neither it is ~/.lampo/NETWORK. */
#ifndef LAMPOD_CLI_CONFIG_H
#define LAMPOD_CLI_CONFIG_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/log.h"
#include "bitcoin/network.h"
#include "step/command.h"

#define CONFIG_WHY_SIZE 1024
#define CONFIG_ANNOUNCE_MAX 16
#define CONFIG_FILE_SIZE_MAX (64u << 10)

enum config_action {
	CONFIG_RUN,
	CONFIG_NEW_WALLET,    /* make a wallet, show its words, end */
	CONFIG_SHOW_HELP,
	CONFIG_SHOW_VERSION,
	CONFIG_DUMP_MANUAL,   /* the text of a manual page, for the build */
};

struct config_address {
	char *host;
	uint16_t port; /* 0: the node's own */
};

/* All strings are owned; NULL: not given and without a default. */
struct config {
	enum config_action action;
	char *manual;		/* CONFIG_DUMP_MANUAL: which page */
	char *directory;
	char *file;		/* the file that was read */

	const struct network *network;
	char *backend;
	char *core_url, *core_user, *core_pass;
	char *core_cookie;	/* bitcoind's cookie file: used where there is no user */
	uint16_t port;
	char *bind_address;	/* NULL: all interfaces */
	char *alias;
	struct config_address announce[CONFIG_ANNOUNCE_MAX];
	size_t announce_count;

	enum log_level log_level;
	char *log_file;		/* NULL: standard error */

	bool has_reindex;
	uint32_t reindex;	/* the height from which the chain is read */
	bool fast_sync;		/* a wallet made today skips the past */
	bool dev_sync;		/* ask the backend every second */
	char *restore_words;	/* "-": from standard input; wiped when released */

	/* Limits; those that were not given are false. */
	bool has_accept_channels, accept_channels;
	bool has_accept_keysend, accept_keysend;
	bool has_failure_update, failure_update, has_disable_after;
	uint32_t disable_after_s;
	bool has_require_reserve, require_reserve, has_anchor_reserve;
	bool has_autoclean_cycle;
	uint32_t autoclean_cycle_s;
	uint64_t autoclean_age_s[CLEAN_SUBSYSTEMS]; /* 0: not given */
	bool has_keysend_min;
	struct amount_msat keysend_min;
	bool has_fee_base, has_fee_ppm, has_cltv_delta;
	struct amount_msat fee_base;
	uint32_t fee_ppm, cltv_delta;
	bool has_htlc_min, has_htlc_max;
	bool has_slots_own, has_slots_small, has_slots_small_share, has_slots_protected, has_slots_peer, has_value_peer;
	uint32_t slots_own, slots_small_share, slots_protected, slots_peer, value_peer;
	struct amount_msat slots_small;
	struct amount_msat htlc_min, htlc_max;
	bool has_channels_max, has_channels_per_peer_max, has_peers_max, has_funding_min, has_minimum_depth;
	uint32_t channels_max, channels_per_peer_max, peers_max, minimum_depth;
	struct amount_sat funding_min, anchor_reserve;
};

/* Reads flags and file.  False with why (what is wrong, in which file and line,
 * and what to write instead); release in either case. */
MUST_USE bool config_load(struct config *c, int argc, const char *const *argv, char why[CONFIG_WHY_SIZE]);
void config_release(struct config *c);

/* --help: usage and every option. */
void config_help(struct buf *out);

#endif
