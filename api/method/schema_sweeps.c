/* Schemas: outputs of channels on the chain. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_param listsweeps_params[] = {
	{ .name = "channel_id", .type = LAMPO_HASH, .doc = "This channel alone." },
	{ .name = "all", .type = LAMPO_BOOL, .fallback = "false",
	  .doc = "Show outputs too that are nothing to us, settled, or worth less than their fee." },
};
#define OUT(name) "sweeps[]." name
static const struct lampo_result listsweeps_results[] = {
	{ "sweeps", LAMPO_ARRAY, 0, "Outputs, those of one channel together." },
	SWEEP_RESULTS("sweeps[]."),
	{ OUT("channel_id"), LAMPO_HASH, 0, "The channel." },
	{ OUT("peer_id"), LAMPO_PUBKEY, 0, "Its peer." },
	{ OUT("short_channel_id"), LAMPO_SCID, LAMPO_OPTIONAL, "Its place in the chain, once it is confirmed." },
};
const struct lampo_method schema_listsweeps = {
	.name = "listsweeps",
	.category = "channels",
	.summary = "List what closed channels left on the chain, and what each output waits for",
	.doc = "Once a hundred blocks lie on everything the channel is history (`listclosedchannels`).",
	.params = listsweeps_params,
	.param_count = ARRAY_COUNT(listsweeps_params),
	.results = listsweeps_results,
	.result_count = ARRAY_COUNT(listsweeps_results),
};
