/* Schemas: the backup of channels, and the way back. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_result staticbackup_results[] = {
	{ "scb", LAMPO_ARRAY, 0, "One text a channel, for `recoverchannel`.  They are not encrypted: they say who our peers are." },
	{ "file", LAMPO_STRING, LAMPO_OPTIONAL, "Where all of them lie encrypted, rewritten at each change.  Copy it away." },
};
const struct lampo_method schema_staticbackup = {
	.name = "staticbackup",
	.category = "channels",
	.summary = "Show what is needed to get the money out of each channel without its database",
	.results = staticbackup_results,
	.result_count = ARRAY_COUNT(staticbackup_results),
};

#define STUBS(what) \
	{ "stubs", LAMPO_ARRAY, 0, what }, \
	{ "warning_rescan", LAMPO_STRING, LAMPO_OPTIONAL, "What to do if a peer has closed a channel already." }

static const struct lampo_result emergencyrecover_results[] = {
	STUBS("Channels that are back.  Their peers are asked to publish their commitments; what is ours then comes to the wallet."),
};
static const struct lampo_error emergencyrecover_errors[] = {
	{ -1, "There is no backup, or it is not of this wallet, or it is damaged." },
};
const struct lampo_method schema_emergencyrecover = {
	.name = "emergencyrecover",
	.category = "channels",
	.summary = "Bring channels back from the node's backup files and from what peers kept",
	.doc = "For a node whose database is lost: make its wallet from the words (`lampod-cli --restore-wallet`), with the file "
	       "emergency.recover in its directory.  A node without any channel does this by itself when it starts.  Channels that "
	       "the node knows, or that are closed, are left alone; nothing is ever published.",
	.results = emergencyrecover_results,
	.result_count = ARRAY_COUNT(emergencyrecover_results),
	.errors = emergencyrecover_errors,
	.error_count = ARRAY_COUNT(emergencyrecover_errors),
};

static const struct lampo_param recoverchannel_params[] = {
	{ .name = "scb", .type = LAMPO_ARRAY, .element = LAMPO_HEX, .flags = LAMPO_REQUIRED,
	  .doc = "What `staticbackup` had shown." },
};
static const struct lampo_result recoverchannel_results[] = {
	STUBS("Channels that are back."),
};
static const struct lampo_error recoverchannel_errors[] = {
	{ -1, "One of the texts is no backup of a channel: nothing is done." },
};
const struct lampo_method schema_recoverchannel = {
	.name = "recoverchannel",
	.category = "channels",
	.summary = "Bring single channels back",
	.doc = "Like `emergencyrecover`, from texts that `staticbackup` had shown.  Only of channels whose data is lost.",
	.params = recoverchannel_params,
	.param_count = ARRAY_COUNT(recoverchannel_params),
	.results = recoverchannel_results,
	.result_count = ARRAY_COUNT(recoverchannel_results),
	.errors = recoverchannel_errors,
	.error_count = ARRAY_COUNT(recoverchannel_errors),
};
