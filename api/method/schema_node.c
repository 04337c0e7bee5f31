/* Schemas: the node itself. */
#include "api/method/schemas.h"

#include "base/mem.h"

static const struct lampo_result getinfo_results[] = {
	{ "id", LAMPO_PUBKEY, 0, "The node's public key." },
	{ "node_id", LAMPO_PUBKEY, 0, "The same." },
	{ "alias", LAMPO_STRING, 0, "The node's name." },
	{ "color", LAMPO_HEX, 0, "The node's colour, RGB." },
	{ "num_peers", LAMPO_U32, 0, "Peers that are connected." },
	{ "peers", LAMPO_U32, 0, "The same." },
	{ "num_pending_channels", LAMPO_U32, 0, "Channels that are being opened." },
	{ "num_active_channels", LAMPO_U32, 0, "Channels in normal operation." },
	{ "num_inactive_channels", LAMPO_U32, 0, "Channels that are being closed." },
	{ "channels", LAMPO_U32, 0, "All of these together." },
	{ "version", LAMPO_STRING, 0, "The version of this program." },
	{ "lightning-dir", LAMPO_STRING, 0, "The node's directory." },
	{ "lampo_dir", LAMPO_STRING, 0, "The same." },
	{ "our_features", LAMPO_OBJECT, 0, "BOLT 9 features that this node offers." },
	{ "our_features.init", LAMPO_HEX, 0, "In the init message." },
	{ "our_features.node", LAMPO_HEX, 0, "In its node announcement." },
	{ "our_features.channel", LAMPO_HEX, 0, "In channel announcements." },
	{ "our_features.invoice", LAMPO_HEX, 0, "In invoices." },
	{ "blockheight", LAMPO_U32, 0, "The height up to which the chain is followed." },
	{ "block_hash", LAMPO_TXID, 0, "The block at that height." },
	{ "network", LAMPO_STRING, 0, "The Bitcoin network." },
	{ "chain", LAMPO_STRING, 0, "The same." },
	{ "fees_collected_msat", LAMPO_MSAT, 0, "Fees earned by forwarding." },
	{ "address", LAMPO_ARRAY, 0, "Addresses that the node tells others." },
	{ "address[].type", LAMPO_STRING, 0, "ipv4, ipv6, dns or torv3." },
	{ "address[].address", LAMPO_STRING, 0, "The address." },
	{ "address[].port", LAMPO_U16, 0, "Its port." },
	{ "binding", LAMPO_ARRAY, 0, "Where the node listens." },
	{ "binding[].type", LAMPO_STRING, 0, "ipv4, ipv6, dns or torv3." },
	{ "binding[].address", LAMPO_STRING, 0, "The address." },
	{ "binding[].port", LAMPO_U16, 0, "Its port." },
	{ "warning_bitcoind_sync", LAMPO_STRING, LAMPO_OPTIONAL, "The chain source is not there or still catching up." },
	{ "warning_lightningd_sync", LAMPO_STRING, LAMPO_OPTIONAL, "This node still reads blocks." },
	{ "wallet_height", LAMPO_U32, 0, "The height up to which the wallet knows its coins." },
	{ "wallet_scan_height", LAMPO_U32, 0, "The same: wallet and channels read blocks together." },
	{ "gossip", LAMPO_OBJECT, LAMPO_OPTIONAL, "What is known of the network, and how much of it is still on its way." },
	{ "gossip.channels", LAMPO_U32, 0, "Public channels." },
	{ "gossip.nodes", LAMPO_U32, 0, "Nodes with one of these." },
	{ "gossip.synced", LAMPO_BOOL, 0, "A peer was asked for everything, and all of it has come." },
	{ "gossip.syncing", LAMPO_BOOL, 0, "A peer is being asked for all that it knows." },
	{ "gossip.sync_asked", LAMPO_U32, 0, "Channels that it was asked for; only what is missing or old is." },
	{ "gossip.sync_wanted", LAMPO_U32, 0, "Channels that are still to be asked for." },
	{ "gossip.verifying", LAMPO_U32, 0, "Messages that wait for their signatures, their channel or the chain." },
	{ "gossip.awaiting_chain", LAMPO_U32, 0, "Channels among these." },
	{ "gossip.listening_to", LAMPO_U32, 0, "Peers that send us what is new." },
	{ "gossip.accepted", LAMPO_U64, 0, "Messages that were believed since the start." },
	{ "gossip.deferred", LAMPO_U64, 0,
	  "Channels that were neither believed nor refused, because the chain source could not show the block of their funding output (a "
	  "pruned node has no old ones) or was away; they are asked for again in a later sync." },
	{ "gossip.dropped", LAMPO_U64, 0, "Messages that were more than a peer, or their origin, may send." },
	{ "gossip.log_bytes", LAMPO_U64, 0, "Size of the file of gossip." },
	{ "sync_in_progress", LAMPO_BOOL, 0, "Blocks are still being read." },
	{ "sync_progress_percent", LAMPO_U32, 0, "How far, from 0 to 100." },
};

const struct lampo_method schema_getinfo = {
	.name = "getinfo",
	.category = "node",
	.summary = "Show what this node is and how it fares",
	.results = getinfo_results,
	.result_count = ARRAY_COUNT(getinfo_results),
};

static const struct lampo_result stop_results[] = {
	{ "", LAMPO_STRING, 0, "\"Shutdown complete\": the text is the whole result." },
};

const struct lampo_method schema_stop = {
	.name = "stop",
	.category = "node",
	.summary = "End the daemon",
	.doc = "Everything that matters is on disk already.  Calls that wait fail with code -5.",
	.results = stop_results,
	.result_count = ARRAY_COUNT(stop_results),
};
