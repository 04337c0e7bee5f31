#include "peer/peer.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "peer/address.h"
#include "wire/message.h"

#define PING_PONG_IGNORES 65532u
#define BACKOFF_FIRST_MS 1000u
#define DIAL_TIMEOUT_MS 30000u
#define PEER_RECORD_VERSION 1

struct peer *peer_new(const struct pubkey *id)
{
	struct peer *p = NEW(struct peer);

	p->id = *id;
	buf_init(&p->features);
	return p;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	buf_release(&p->features);
	mem_free(p);
}

static struct peer_result result(enum peer_verdict verdict)
{
	return (struct peer_result){ .verdict = verdict };
}

static struct peer_result hang_up(const char *why)
{
	return (struct peer_result){ .verdict = PEER_HANG_UP, .text = why };
}

static void set_host(char *out, const char *host)
{
	snprintf(out, PEER_HOST_MAX, "%s", host);
}

/* B1.init.1: the first message.  B1.init.4: nothing in globalfeatures.  B1.init.6, 7: networks and remote_addr. */
static void send_init(struct peer *p, struct step *s, const struct peer_policy *policy)
{
	struct msg_init m = { .features = policy->features };
	struct tlv_init_networks networks = { .chains_count = 1 };
	struct block_hash chain = policy->chain;
	struct buf out = BUF_EMPTY, address = BUF_EMPTY;
	struct bytes address_view;

	networks.chains = &chain;
	m.tlvs.networks = &networks;
	if (!p->outbound && address_descriptor(&address, p->host, p->port)) {
		address_view = buf_view(&address);
		m.tlvs.remote_addr = &address_view;
	}
	msg_init_encode(&m, &out);
	effect_send(s->out, p->connection, buf_view(&out));
	buf_release(&out);
	buf_release(&address);
}

void peer_connected(struct peer *p, struct step *s, const struct peer_policy *policy, uint64_t connection,
		    bool outbound, const char *host, uint16_t port)
{
	ASSERT(p->state == PEER_AWAY && connection != 0);
	p->state = PEER_INIT;
	p->connection = connection;
	p->outbound = outbound;
	p->heard_init = false;
	p->dialing = false;
	set_host(p->host, host);
	p->port = port;
	p->since_ms = p->heard_ms = s->now_ms;
	p->ping_sent_ms = 0;
	p->ping_window_ms = 0;
	p->ping_count = 0;
	buf_clear(&p->features);
	send_init(p, s, policy);
}

/* Doubles from one second to the ceiling, less up to a quarter so that a crowd does not come back as one. */
static uint64_t backoff_ms(const struct peer *p, struct step *s, const struct peer_policy *policy)
{
	uint64_t wait = BACKOFF_FIRST_MS;
	uint16_t jitter;

	for (uint32_t i = 1; i < p->attempts && wait < policy->reconnect_max_ms; i++)
		wait *= 2;
	if (wait > policy->reconnect_max_ms)
		wait = policy->reconnect_max_ms;
	drbg_fill(s->entropy, &jitter, sizeof(jitter));
	return wait - wait * (jitter % 256) / 1024;
}

static void plan_dial(struct peer *p, struct step *s, const struct peer_policy *policy)
{
	p->attempts++;
	p->dial_at_ms = s->now_ms + backoff_ms(p, s, policy);
}

void peer_disconnected(struct peer *p, struct step *s, const struct peer_policy *policy)
{
	p->state = PEER_AWAY;
	p->connection = 0;
	p->since_ms = s->now_ms;
	p->ping_sent_ms = 0;
	plan_dial(p, s, policy);
}

static struct peer_result take_init(struct peer *p, struct step *s, const struct peer_policy *policy, struct bytes message)
{
	struct msg_init m;
	enum decode_result decoded = msg_init_decode(message, &s->out->arena, &m);
	enum feature of, missing;
	uint32_t bit;
	bool common = false;

	if (decoded != DECODE_OK) /* B1.lightning_message_format.10, 11 */
		return hang_up(arena_printf(&s->out->arena, "bad init: %s", decode_result_name(decoded)));
	features_merge(&p->features, m.globalfeatures); /* B1.init.11 */
	features_merge(&p->features, m.features);
	if (features_unknown_required(buf_view(&p->features), policy->known, &bit)) /* B1.init.14 */
		return hang_up(arena_printf(&s->out->arena, "it requires feature bit %u, which we do not know", bit));
	if (!features_complete(buf_view(&p->features), &of, &missing)) /* B1.init.15 */
		return hang_up(arena_printf(&s->out->arena, "its %s lacks %s", feature_name(of), feature_name(missing)));
	if (m.tlvs.networks) {
		for (uint32_t i = 0; i < m.tlvs.networks->chains_count; i++)
			common |= SAME(m.tlvs.networks->chains[i], policy->chain);
		if (!common)
			return hang_up("it is on another chain");
	}
	p->state = PEER_READY;
	p->since_ms = s->now_ms;
	p->attempts = 0;
	if (p->outbound) {
		memcpy(p->dial_host, p->host, sizeof(p->dial_host));
		p->dial_port = p->port;
		p->has_address = true;
	}
	return result(PEER_BECAME_READY);
}

/* Text of a stranger, safe to print (B1.error_warning.13). */
static struct peer_result take_complaint(struct step *s, enum peer_verdict verdict, struct channel_id channel, struct bytes data)
{
	char text[512];

	log_escape(text, sizeof(text), data);
	return (struct peer_result){ .verdict = verdict, .channel = channel,
				     .text = arena_string(&s->out->arena, text) };
}

static struct peer_result take_ping(struct peer *p, struct step *s, struct bytes message)
{
	static const uint8_t zeros[PING_PONG_IGNORES];
	struct msg_ping ping;
	struct msg_pong pong;
	struct buf out = BUF_EMPTY;

	if (msg_ping_decode(message, &s->out->arena, &ping) != DECODE_OK)
		return hang_up("bad ping");
	if (s->now_ms - p->ping_window_ms >= 1000) {
		p->ping_window_ms = s->now_ms;
		p->ping_count = 0;
	}
	if (++p->ping_count > PEER_PINGS_MAX)
		return hang_up("too many pings");
	if (ping.num_pong_bytes >= PING_PONG_IGNORES) /* B1.ping_pong.7 */
		return result(PEER_DONE);
	pong.ignored = BYTES(zeros, ping.num_pong_bytes); /* B1.ping_pong.4, 5, 6 */
	msg_pong_encode(&pong, &out);
	effect_send(s->out, p->connection, buf_view(&out));
	buf_release(&out);
	return result(PEER_DONE);
}

static struct peer_result take_pong(struct peer *p, struct step *s, struct bytes message)
{
	struct msg_pong pong;

	if (msg_pong_decode(message, &s->out->arena, &pong) != DECODE_OK)
		return hang_up("bad pong");
	if (p->ping_sent_ms && pong.ignored.size == p->pong_size)
		p->ping_sent_ms = 0;
	return result(PEER_DONE);
}

struct peer_result peer_message(struct peer *p, struct step *s, const struct peer_policy *policy, struct bytes message)
{
	struct msg_error error;
	struct msg_warning warning;
	struct peer_result r;
	uint16_t type;

	ASSERT(p->state != PEER_AWAY);
	p->heard_ms = s->now_ms;
	if (!msg_type(message, &type))
		return hang_up("a message without a type");
	switch (type) {
	case MSG_ERROR:
		if (msg_error_decode(message, &s->out->arena, &error) != DECODE_OK)
			return hang_up("bad error message");
		return take_complaint(s, PEER_ERROR, error.channel_id, error.data);
	case MSG_WARNING:
		if (msg_warning_decode(message, &s->out->arena, &warning) != DECODE_OK)
			return hang_up("bad warning message");
		return take_complaint(s, PEER_WARNING, warning.channel_id, warning.data);
	}
	if (p->state == PEER_INIT) {
		p->heard_init = type == MSG_INIT;
		return p->heard_init ? take_init(p, s, policy, message) : hang_up("a message before init");
	}
	switch (type) {
	case MSG_INIT: /* Said twice means nothing new. */
		return result(PEER_DONE);
	case MSG_PING:
		return take_ping(p, s, message);
	case MSG_PONG:
		return take_pong(p, s, message);
	}
	if (!msg_codec(type)) {
		if (type % 2) /* B1.lightning_message_format.8 */
			return result(PEER_DONE);
		/* B1.lightning_message_format.9 */
		return hang_up(arena_printf(&s->out->arena, "a message of unknown even type %u", type));
	}
	r = result(PEER_PASS);
	r.type = type;
	return r;
}

static void send_ping(struct peer *p, struct step *s)
{
	struct msg_ping ping = { .num_pong_bytes = 8 };
	struct buf out = BUF_EMPTY;

	msg_ping_encode(&ping, &out); /* B1.ping_pong.1, 2: no ignored bytes at all */
	effect_send(s->out, p->connection, buf_view(&out));
	buf_release(&out);
	p->ping_sent_ms = s->now_ms;
	p->pong_size = ping.num_pong_bytes;
}

struct peer_result peer_tick(struct peer *p, struct step *s, const struct peer_policy *policy)
{
	switch (p->state) {
	case PEER_AWAY:
		/* An EFFECT_CONNECT is lost only with the process; yet never trust an edge for ever. */
		if (p->dialing && s->now_ms - p->since_ms >= 2 * DIAL_TIMEOUT_MS)
			peer_dial_failed(p, s, policy);
		return result(PEER_DONE);
	case PEER_INIT:
		return s->now_ms - p->since_ms >= PEER_INIT_TIMEOUT_MS ? hang_up("no init in time") : result(PEER_DONE);
	case PEER_READY:
		/* B1.ping_pong.3: only the connection goes, no channel fails. */
		if (p->ping_sent_ms && s->now_ms - p->ping_sent_ms >= PEER_PONG_TIMEOUT_MS)
			return hang_up("no pong in time");
		if (!p->ping_sent_ms && s->now_ms - p->heard_ms >= policy->ping_interval_ms)
			send_ping(p, s);
		return result(PEER_DONE);
	}
	UNREACHABLE();
}

uint64_t peer_deadline(const struct peer *p, const struct peer_policy *policy)
{
	switch (p->state) {
	case PEER_AWAY:
		if (p->dialing)
			return p->since_ms + 2 * DIAL_TIMEOUT_MS;
		return p->keep && p->has_address ? p->dial_at_ms : UINT64_MAX;
	case PEER_INIT:
		return p->since_ms + PEER_INIT_TIMEOUT_MS;
	case PEER_READY:
		return p->ping_sent_ms ? p->ping_sent_ms + PEER_PONG_TIMEOUT_MS : p->heard_ms + policy->ping_interval_ms;
	}
	UNREACHABLE();
}

bool peer_dial(struct peer *p, struct step *s, const char *host, uint16_t port)
{
	if (!host && !p->has_address)
		return false;
	if (p->state != PEER_AWAY || p->dialing)
		return true;
	if (!host) {
		host = p->dial_host;
		port = p->dial_port;
	}
	p->dialing = true;
	p->since_ms = s->now_ms;
	effect_connect(s->out, &p->id, host, port);
	return true;
}

void peer_dial_failed(struct peer *p, struct step *s, const struct peer_policy *policy)
{
	p->dialing = false;
	plan_dial(p, s, policy);
}

void peer_send_error(struct peer *p, struct step *s, const struct channel_id *channel, const char *text)
{
	struct msg_error m = { .channel_id = *channel, .data = bytes_from_string(text) };
	struct buf out = BUF_EMPTY;

	if (p->state != PEER_READY)
		return;
	msg_error_encode(&m, &out);
	effect_send(s->out, p->connection, buf_view(&out));
	buf_release(&out);
}

void peer_send_warning(struct peer *p, struct step *s, const struct channel_id *channel, const char *text)
{
	struct msg_warning m = { .channel_id = *channel, .data = bytes_from_string(text) };
	struct buf out = BUF_EMPTY;

	if (p->state == PEER_AWAY || !p->heard_init) /* INV-P2 */
		return;
	msg_warning_encode(&m, &out);
	effect_send(s->out, p->connection, buf_view(&out));
	buf_release(&out);
}

void peer_encode(const struct peer *p, struct buf *out)
{
	size_t size = strlen(p->dial_host);

	buf_add_u8(out, PEER_RECORD_VERSION);
	buf_add_u8(out, p->keep);
	buf_add_u8(out, p->has_address);
	buf_add_be16(out, p->dial_port);
	buf_add_be16(out, (uint16_t)size);
	buf_add(out, p->dial_host, size);
}

struct peer *peer_decode(struct bytes key, struct bytes value)
{
	struct cursor c = cursor_of(value);
	struct pubkey id;
	struct peer *p;
	uint16_t size;

	if (key.size != sizeof(id.v) || cursor_u8(&c) != PEER_RECORD_VERSION)
		return NULL;
	memcpy(id.v, key.data, sizeof(id.v));
	p = peer_new(&id);
	p->keep = cursor_u8(&c) == 1;
	p->has_address = cursor_u8(&c) == 1;
	p->dial_port = cursor_be16(&c);
	size = cursor_be16(&c);
	if (size < PEER_HOST_MAX)
		cursor_copy(&c, p->dial_host, size);
	if (size >= PEER_HOST_MAX || !cursor_done(&c)) {
		peer_free(p);
		return NULL;
	}
	return p;
}
