/* The composition: which machine an event is for, and what a run begins with. */
#include "node/node.h"

#include <string.h>

#include "node/deadlines.h"
#include "node/state.h"

static struct bytes peer_key(const void *p)
{
	return BYTES_OF(((const struct node_peer *)p)->peer->id.v);
}

static struct bytes connection_key(const void *p)
{
	return BYTES_OF(((const struct node_peer *)p)->connection_key);
}

static struct bytes key_of_channel(const void *p)
{
	return BYTES_OF(((const struct node_channel *)p)->key);
}

static struct bytes funding_key(const void *p)
{
	return BYTES_OF(((const struct node_channel *)p)->funding_key);
}

void node_config_default(struct node_config *c, const struct network *network)
{
	memset(c, 0, sizeof(*c));
	c->network = network;
	c->alias = "";
	c->version = LAMPO_VERSION;
	c->accept_keysend = true;
	c->keysend_min = MSAT(1000);
	c->accept_channels = true;
	c->channels_max = 10000;
	c->channels_per_peer_max = 100;
	c->openings_per_peer_max = 4;
	c->openings_max = 200;
	c->peers_max = 200;
	c->invoices_max = 1000000;
	c->autoclean_cycle_s = 3600;
	c->forwards_failed_max = 100000;
	c->payments_pending_max = 10000;
	c->htlcs_max = 483;
	c->to_self_delay_blocks = 144;
	c->minimum_depth_blocks = 3;
	c->funding_min = SAT(10000);
	c->htlc_min = MSAT(0);
	c->dust_exposure_max = MSAT(50000000);
	c->cltv_final_blocks = DEADLINE_FINAL_BLOCKS;
	c->forward_fee_base = MSAT(1);
	c->forward_fee_ppm = 10;
	c->forward_cltv_delta = DEADLINE_CLTV_DELTA;
	c->forward_htlc_max = MSAT(UINT64_MAX);
	c->failure_update = true;
	c->hold_forwards_ms = 60000;
	c->hold_invoices_ms = UINT64_MAX;
	c->slots_own_percent = 5;
	c->slots_small = MSAT(1000000);
	c->slots_small_percent = 50;
	c->slots_protected_percent = 25;
	c->slots_peer_percent = 50;
	c->slots_peer_value_percent = 75;
	c->forward_expiry_min_blocks = 6;
	c->anchor_reserve = SAT(25000);
	c->ping_interval_ms = 60000;
	c->reconnect_max_ms = 300000;
}

static void fill_features(struct node *n)
{
	n->known = feature_policy_default();
	if (n->config->trust_zeroconf) {
		feature_policy_set(&n->known, FEATURE_SCID_ALIAS, FEATURE_OPTIONAL);
		feature_policy_set(&n->known, FEATURE_ZEROCONF, FEATURE_OPTIONAL);
	}
	if (!n->config->accept_keysend)
		feature_policy_set(&n->known, FEATURE_KEYSEND, FEATURE_OFF);
	if (n->config->gossip) {
		feature_policy_set(&n->known, FEATURE_GOSSIP_QUERIES, FEATURE_OPTIONAL);
		feature_policy_set(&n->known, FEATURE_GOSSIP_QUERIES_EX, FEATURE_OPTIONAL);
	}
	if (n->config->static_remotekey_only)
		feature_policy_set(&n->known, FEATURE_ANCHORS, FEATURE_OFF);
	features_build(&n->known, FEATURES_INIT, &n->features_init);
	features_build(&n->known, FEATURES_NODE, &n->features_node);
	features_build(&n->known, FEATURES_CHANNEL, &n->features_channel);
	features_build(&n->known, FEATURES_INVOICE, &n->features_invoice);
}

static void fill_policies(struct node *n)
{
	const struct node_config *c = n->config;
	struct channel_policy *p = &n->channel_policy;

	n->peer_policy = (struct peer_policy){
		.features = buf_view(&n->features_init),
		.known = &n->known,
		.chain = c->network->genesis,
		.ping_interval_ms = c->ping_interval_ms,
		.reconnect_max_ms = c->reconnect_max_ms,
	};
	channel_policy_default(p, &c->network->genesis);
	p->htlc_minimum = c->htlc_min;
	p->max_accepted_htlcs = (uint16_t)c->htlcs_max;
	p->to_self_delay = c->to_self_delay_blocks;
	p->minimum_depth = c->minimum_depth_blocks;
	if (p->minimum_depth_max < p->minimum_depth)
		p->minimum_depth_max = p->minimum_depth;
	p->funding_min = c->funding_min;
	p->dust_exposure_max = c->dust_exposure_max;
	p->memo = c->memo;
}

static void fill_payments(struct node *n)
{
	const struct receive_config receive = {
		.accept_keysend = n->config->accept_keysend,
		.keysend_min = n->config->keysend_min,
		.hold = n->config->hold_invoices,
		.invoices_max = n->config->invoices_max,
		.keysend_cltv_blocks = DEADLINE_TAKE_BLOCKS,
		.take_blocks_min = DEADLINE_TAKE_BLOCKS,
	};
	const struct send_config send = { .self = n->config->node_id, .pending_max = n->config->payments_pending_max };
	uint8_t seed[32];

	drbg_fill(&n->entropy, seed, 16);
	n->receive = receive_new(&receive, seed);
	drbg_fill(&n->entropy, seed, sizeof(seed));
	n->send = send_new(&send, seed);
	mem_wipe(seed, sizeof(seed));
}

/* INV-N5: of a wallet that is restored, the database that knew which ids were used is gone.  A new one begins where no
 * other has ever been. */
static uint64_t first_channel_key(struct node *n)
{
	uint8_t raw[8];

	drbg_fill(&n->entropy, raw, sizeof(raw));
	return load_be64(raw) >> 8;
}

struct node *node_new(const struct node_config *config, const uint8_t seed32[32], const struct log_sink *log)
{
	struct node *n = NEW(struct node);
	uint8_t seed[16];

	n->config = config;
	n->log = log;
	drbg_init(&n->entropy, seed32);
	n->next_channel_key = first_channel_key(n);
	drbg_fill(&n->entropy, seed, sizeof(seed));
	step_asked_init(&n->asked, seed);
	table_init(&n->peers, peer_key, seed);
	table_init(&n->connections, connection_key, seed);
	table_init(&n->channels, key_of_channel, seed);
	table_init(&n->by_funding, funding_key, seed);
	node_names_init(n, seed);
	node_closed_init(n, seed);
	table_init(&n->calls, node_call_key, seed);
	table_init(&n->openings, node_opening_key, seed);
	node_payments_init(n, seed);
	arena_init(&n->load_memory);
	for (int i = 0; i < FEE_TARGETS; i++)
		n->fees[i] = FEERATE(FEERATE_FLOOR_PER_KW);
	fill_features(n);
	fill_policies(n);
	fill_payments(n);
	node_gossip_init(n);
	node_ways_init(n);
	return n;
}

static void free_channel(struct node_channel *c)
{
	onchain_free(c->onchain);
	anchor_free(c->anchor);
	channel_free(c->channel);
	mem_free(c->terms);
	mem_free(c);
}

void node_free(struct node *n)
{
	uint32_t at;
	struct node_channel *c;
	struct node_peer *p;
	struct node_call *call;
	struct node_opening *o;

	if (!n)
		return;
	for (at = 0; (c = table_next(&n->channels, &at));)
		free_channel(c);
	for (at = 0; (p = table_next(&n->peers, &at));) {
		node_storage_release(p);
		peer_free(p->peer);
		mem_free(p);
	}
	for (at = 0; (call = table_next(&n->calls, &at));)
		node_call_free(call);
	for (at = 0; (o = table_next(&n->openings, &at));)
		node_opening_free(o);
	node_payments_free(n);
	node_outbox_release(n);
	node_backup_release(n);
	node_clean_free(n);
	node_ways_free(n);
	node_gossip_free(n);
	receive_free(n->receive);
	send_free(n->send);
	step_asked_release(&n->asked);
	table_release(&n->peers);
	table_release(&n->connections);
	table_release(&n->channels);
	table_release(&n->by_funding);
	node_names_free(n);
	node_closed_free(n);
	node_recoveries_free(n);
	node_history_free(n);
	table_release(&n->calls);
	table_release(&n->openings);
	arena_release(&n->load_memory);
	buf_release(&n->features_init);
	buf_release(&n->features_node);
	buf_release(&n->features_channel);
	buf_release(&n->features_invoice);
	mem_wipe_free(n, sizeof(*n));
}

struct step node_begin(struct node *n, uint64_t now_ms, struct effects *out)
{
	struct step s = { .out = out, .now_ms = now_ms, .height = n->height, .entropy = &n->entropy, .log = n->log,
			  .asked = &n->asked, .next_ask = &n->next_ask, .next_reservation = &n->next_reservation };

	n->reservations_stored = n->next_reservation;
	n->now_ms = now_ms;
	memcpy(s.fees, n->fees, sizeof(s.fees));
	return s;
}

static void on_tick(struct node *n, struct step *s)
{
	node_peers_tick(n, s);
	node_channels_tick(n, s);
	node_payments_tick(n, s);
	node_calls_tick(n, s);
	node_close_tick(n, s);
	node_storage_tick(n, s);
	node_clean_tick(n, s);
	node_gossip_tick(n, s);
	node_ways_tick(n, s);
}

static void dispatch(struct node *n, struct step *s, const struct event *e)
{
	switch (e->kind) {
	case EVENT_TICK:
		on_tick(n, s);
		return;
	case EVENT_CONNECTED:
		node_on_connected(n, s, e);
		return;
	case EVENT_CONNECT_FAILED:
		node_on_connect_failed(n, s, e);
		return;
	case EVENT_DISCONNECTED:
		node_on_disconnected(n, s, e);
		return;
	case EVENT_MESSAGE:
		node_on_message(n, s, e);
		return;
	case EVENT_SIGNED:
		node_on_signed(n, s, e);
		return;
	case EVENT_FUNDS:
		node_on_funds(n, s, e);
		return;
	case EVENT_BLOCK:
		node_on_block(n, s, e);
		node_gossip_block(n, s, e);
		return;
	case EVENT_BLOCK_UNDONE:
		node_on_undone(n, s, e);
		node_gossip_undone(n, s, e->u.undone.height);
		return;
	case EVENT_CHAIN_SYNCED:
		node_on_synced(n, s, e);
		node_payments_synced(n, s);
		return;
	case EVENT_FEES:
		node_on_fees(n, s, e);
		return;
	case EVENT_BROADCAST:
		node_on_broadcast(n, s, e);
		return;
	case EVENT_COMMAND:
		node_on_command(n, s, e);
		return;
	case EVENT_CALL_GONE:
		node_on_call_gone(n, s, e);
		return;
	case EVENT_FETCHED:
		node_on_fetched(n, s, e);
		return;
	case EVENT_GOSSIP:
		node_gossip_answered(n, s, e->u.gossip);
		return;
	case EVENT_COMPUTED:
		node_ways_computed(n, s, e->u.computed.id);
		return;
	}
	UNREACHABLE();
}

void node_step(struct node *n, const struct event *event, struct effects *out)
{
	struct step s = node_begin(n, event->now_ms > n->now_ms ? event->now_ms : n->now_ms, out);

	dispatch(n, &s, event);
	node_counters_flush(n, &s);
	node_bury(n, &s);
}

void node_flush(struct node *n, uint64_t now_ms, struct effects *out)
{
	struct step s = node_begin(n, now_ms > n->now_ms ? now_ms : n->now_ms, out);

	/* What a channel says while it is flushed may make a payment plan again, and that fills channels. */
	do {
		node_pay_flush(n, &s);
		node_channels_flush(n, &s);
	} while (node_pay_wants_flush(n));
	node_pay_learned(n, &s);
	node_counters_flush(n, &s);
	node_bury(n, &s);
	receive_flush(n->receive, &s);
	send_put_away(n->send, &s);
	node_closed_flush(n, &s);
	node_backup_flush(n, &s);
	node_gossip_flush(n, &s);
	node_ways_flush(n, &s);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t node_deadline(const struct node *n)
{
	uint64_t first = earlier(node_peers_deadline(n), node_calls_deadline(n));
	uint32_t at = 0;
	const struct node_channel *c;

	first = earlier(first, node_payments_deadline(n));
	first = earlier(first, node_close_deadline(n));
	first = earlier(first, node_storage_deadline(n));
	first = earlier(first, node_clean_deadline(n));
	first = earlier(first, node_closed_deadline(n));
	first = earlier(first, node_gossip_deadline(n));
	first = earlier(first, node_ways_deadline(n));
	while ((c = table_next(&n->channels, &at)))
		first = earlier(first, channel_deadline(c->channel));
	return first;
}
