/* A crowd of peers of one node, in one process, that speak for a network nobody runs (bench/load/crowd.h).
 *
 *	crowd scripts CHANNELS NODES                                       the scriptPubKey of each channel's output
 *	crowd log CHANNELS NODES FILE                                      a log of gossip with all of it
 *	crowd flood CHANNELS NODES HEIGHT TX HOST PORT ID PEERS UPDATES    channels in one block, as scripts made them
 *	crowd sync PEERS HOST PORT ID                                      each peer asks for everything
 *
 * flood and sync say "ready" when all are connected and obey lines on their input:
 *
 *	flood:  a  every channel is announced                 g  go: all send as fast as the node reads
 *	        s  stop                                       q  quit
 *	sync:   g  go; "done" with its figures when all have everything    q  quit
 *
 * Each answer is one line of JSON.  The process runs when nothing else does (SCHED_IDLE): its peers stand for other
 * machines.  Where others keep this one busy that would be never: with CROWD_LOUD in the environment it runs as any. */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/load/client.h"
#include "bench/load/letters.h"
#include "bitcoin/network.h"
#include "crypto/hash.h"
#include "gossip/log.h"
#include "gossip/message.h"

#define EVENTS 256
#define STEP_S 7200u           /* between two updates of one origin: what a node lets through for good */
#define PAST_S (13u * 86400u)
#define QUERY_SCIDS 500u

static const struct block_hash *chain;
static struct secp *secp;
static struct client *clients;
static uint32_t client_count, ready_count;
static struct client_owner owner;

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

/* ---- Peers ---- */

static void on_ready(struct client *c)
{
	(void)c;
	ready_count++;
}

static void ignore(struct client *c, uint16_t type, struct bytes message)
{
	(void)c;
	(void)type;
	(void)message;
}

/* Whatever the sockets have, for at most this long.  False: nothing happened. */
static bool serve(int wait_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(owner.epoll, events, EVENTS, wait_ms);

	for (int i = 0; i < n; i++)
		client_event(events[i].data.ptr, events[i].events);
	return n > 0;
}

static void connect_all(uint32_t count, char **host_port_id)
{
	owner.secp = secp;
	owner.host = host_port_id[0];
	owner.port = (uint16_t)number(host_port_id[1]);
	if (!hex_decode(owner.node.v, 33, host_port_id[2], 66)) {
		fprintf(stderr, "crowd: ID is 66 hexadecimal digits\n");
		exit(2);
	}
	owner.epoll = epoll_create1(EPOLL_CLOEXEC);
	owner.ready = on_ready;
	client_count = count;
	clients = NEW_ARRAY(struct client, count);
	for (uint32_t i = 0; i < count; i++) {
		client_open(&clients[i], &owner, i);
		/* No more handshakes at a time than a node takes. */
		while (ready_count + 64 < i + 1)
			serve(1000);
	}
	while (ready_count < count)
		serve(1000);
}

/* A line on our input: its first letter, or 0. */
static char order(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	char line[64];
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return 0;
	n = read(0, line, sizeof(line));
	return n <= 0 ? 'q' : line[0];
}

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

/* ---- Flood ---- */

static struct letters letters;
static bool flooding;
static uint64_t flooded;

static void flood_letter(const void *context, uint32_t i, struct buf *out)
{
	const struct crowd *n = context;
	uint32_t update = i - n->channels, start = (uint32_t)time(NULL) - PAST_S;

	if (i < n->channels)
		crowd_announcement(n, i, out);
	else
		crowd_update(n, update / 2 % n->channels, update % 2, start + update / (2 * n->channels) * STEP_S, out);
}

static void flood_more(struct client *c)
{
	if (!flooding)
		return;
	for (int i = 0; i < 64; i++) {
		client_send(c, letter(&letters, c->at));
		c->at = (c->at + client_count) % letters.count;
		flooded++;
	}
}

/* By all, within what a node holds of each. */
static void announce(uint32_t channels)
{
	for (uint32_t i = 0; i < channels; i++)
		client_send(&clients[i % client_count], letter(&letters, i));
	for (uint32_t i = 0; i < client_count; i++) {
		client_flush(&clients[i]);
		while (clients[i].out.size && !clients[i].over)
			serve(1000);
	}
}

static int flood(char **argv)
{
	struct crowd *n = crowd_new(number(argv[0]), number(argv[1]), chain);
	char what;

	crowd_place(n, number(argv[2]), number(argv[3]), n->channels);
	letters_write(&letters, n->channels + number(argv[8]), flood_letter, n);
	owner.message = ignore;
	owner.room = flood_more;
	connect_all(number(argv[7]), argv + 4);
	/* In the order of time whoever sends them: one each in turn. */
	for (uint32_t i = 0; i < client_count; i++)
		clients[i].at = i % letters.count;
	say("ready");
	while ((what = order()) != 'q') {
		if (what == 'a') {
			announce(n->channels);
			say("{}");
		} else if (what == 'g') {
			flooding = true;
			flooded = 0;
			say("{}");
		} else if (what == 's') {
			flooding = false;
			printf("{\"sent\": %llu}\n", (unsigned long long)flooded);
			fflush(stdout);
		}
		for (uint32_t i = 0; flooding && i < client_count; i++)
			if (!clients[i].waiting && !clients[i].over)
				client_event(&clients[i], 0);
		serve(flooding ? 0 : 20);
	}
	letters_release(&letters);
	crowd_free(n);
	return 0;
}

/* ---- Sync ---- */

struct sync {
	struct scid *wanted;
	uint32_t count, capacity, at;
	bool done;
	double took;
};

static double began;
static uint32_t done_count;

static void send_query(struct client *c)
{
	struct sync *y = c->work;
	uint32_t count = y->count - y->at < QUERY_SCIDS ? y->count - y->at : QUERY_SCIDS;
	struct msg_query_short_channel_ids m = { .chain_hash = *chain };
	struct buf ids = BUF_EMPTY, raw = BUF_EMPTY;

	if (!count) {
		y->done = true;
		y->took = now() - began;
		done_count++;
		return;
	}
	scids_encode(y->wanted + y->at, count, &ids);
	y->at += count;
	m.encoded_short_ids = buf_view(&ids);
	msg_query_short_channel_ids_encode(&m, &raw);
	client_send(c, buf_view(&raw));
	buf_release(&ids);
	buf_release(&raw);
}

static void want(struct sync *y, const struct scid *scids, uint32_t count)
{
	if (y->count + count > y->capacity) {
		y->capacity = 2 * (y->count + count);
		y->wanted = mem_realloc(y->wanted, y->capacity, sizeof(*y->wanted));
	}
	memcpy(y->wanted + y->count, scids, count * sizeof(*scids));
	y->count += count;
}

static void take_range(struct client *c, struct bytes message)
{
	struct msg_reply_channel_range m;
	struct sync *y = c->work;
	struct scid *scids;
	uint32_t count;
	struct arena a;

	arena_init(&a);
	if (msg_reply_channel_range_decode(message, &a, &m) != DECODE_OK || !scids_decode(m.encoded_short_ids, &a, &scids, &count)) {
		fprintf(stderr, "crowd: a reply that cannot be read\n");
		exit(1);
	}
	want(y, scids, count);
	if (m.sync_complete)
		send_query(c);
	arena_release(&a);
}

/* The node may ask as well: we know nothing. */
static void say_nothing(struct client *c, struct bytes message)
{
	struct msg_query_channel_range m;
	struct msg_reply_channel_range none = { .sync_complete = 1, .encoded_short_ids = BYTES("", 1) };
	struct buf raw = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	if (msg_query_channel_range_decode(message, &a, &m) == DECODE_OK) {
		none.chain_hash = m.chain_hash;
		none.first_blocknum = m.first_blocknum;
		none.number_of_blocks = m.number_of_blocks;
		msg_reply_channel_range_encode(&none, &raw);
		client_send(c, buf_view(&raw));
	}
	arena_release(&a);
	buf_release(&raw);
}

static void sync_message(struct client *c, uint16_t type, struct bytes message)
{
	if (type == MSG_QUERY_CHANNEL_RANGE)
		say_nothing(c, message);
	else if (type == MSG_REPLY_CHANNEL_RANGE)
		take_range(c, message);
	else if (type == MSG_REPLY_SHORT_CHANNEL_IDS_END)
		send_query(c);
}

static void begin_sync(struct client *c)
{
	struct msg_query_channel_range m = { .chain_hash = *chain, .number_of_blocks = 0xffffffff };
	struct buf raw = BUF_EMPTY;

	msg_query_channel_range_encode(&m, &raw);
	client_send(c, buf_view(&raw));
	client_flush(c);
	buf_release(&raw);
}

static int by_took(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void tell_sync(void)
{
	double *took = NEW_ARRAY(double, client_count);
	uint64_t messages = 0, bytes = 0;
	uint32_t over = 0;

	for (uint32_t i = 0; i < client_count; i++) {
		took[i] = ((struct sync *)clients[i].work)->took;
		messages += clients[i].messages;
		bytes += clients[i].received;
		over += clients[i].over;
	}
	qsort(took, client_count, sizeof(*took), by_took);
	printf("{\"peers\": %u, \"lost\": %u, \"messages\": %llu, \"bytes\": %llu, \"seconds\": %.3f, \"median_s\": %.3f}\n", client_count,
	       over, (unsigned long long)messages, (unsigned long long)bytes, took[client_count - 1], took[client_count / 2]);
	fflush(stdout);
	mem_free(took);
}

static int sync_all(char **argv)
{
	bool running = false;
	char what;

	owner.message = sync_message;
	connect_all(number(argv[0]), argv + 1);
	for (uint32_t i = 0; i < client_count; i++)
		clients[i].work = NEW(struct sync);
	say("ready");
	while ((what = order()) != 'q') {
		if (what == 'g') {
			running = true;
			began = now();
			for (uint32_t i = 0; i < client_count; i++)
				begin_sync(&clients[i]);
		}
		serve(20);
		if (running && done_count == client_count) {
			running = false;
			tell_sync();
		}
	}
	for (uint32_t i = 0; i < client_count; i++)
		mem_free(((struct sync *)clients[i].work)->wanted);
	return 0;
}

/* ---- Files ---- */

static int write_scripts(char **argv)
{
	struct crowd *n = crowd_new(number(argv[0]), number(argv[1]), chain);
	struct buf hex = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	for (uint32_t i = 0; i < n->channels; i++) {
		buf_clear(&hex);
		buf_add_hex(&hex, crowd_script(n, &a, i));
		buf_add_u8(&hex, 0);
		puts((const char *)hex.data);
		arena_reset(&a);
	}
	arena_release(&a);
	buf_release(&hex);
	crowd_free(n);
	return 0;
}

static void log_letter(const void *context, uint32_t i, struct buf *out)
{
	const struct crowd *n = context;
	uint32_t timestamp = (uint32_t)time(NULL) - 86400;
	uint8_t fixed[40] = { 0 };
	struct buf raw = BUF_EMPTY;

	if (i >= 3 * n->channels) {
		crowd_node(n, i - 3 * n->channels, timestamp, &raw);
		log_record_encode(LOG_NODE, BYTES_NONE, buf_view(&raw), out);
	} else if (i % 3) {
		crowd_update(n, i / 3, i % 3 - 1, timestamp, &raw);
		log_record_encode(LOG_UPDATE, BYTES_NONE, buf_view(&raw), out);
	} else {
		crowd_announcement(n, i / 3, &raw);
		store_be64(fixed, 1000000);
		store_be64(fixed + 8, n->scids[i / 3].v);
		log_record_encode(LOG_CHANNEL, BYTES_OF(fixed), buf_view(&raw), out);
	}
	buf_release(&raw);
}

static int write_log(char **argv)
{
	struct crowd *n = crowd_new(number(argv[0]), number(argv[1]), chain);
	uint8_t header[LOG_HEADER_SIZE];
	FILE *f = fopen(argv[2], "w");
	bool good;

	letters_write(&letters, 3 * n->channels + n->nodes, log_letter, n);
	log_header_encode(header, chain);
	good = f && fwrite(header, 1, sizeof(header), f) == sizeof(header) &&
	       fwrite(letters.text.data, 1, letters.text.size, f) == letters.text.size;
	if (f && fclose(f))
		good = false;
	if (!good)
		perror(argv[2]);
	letters_release(&letters);
	crowd_free(n);
	return good ? 0 : 1;
}

static const struct {
	const char *name;
	int arguments;
	bool queries;
	int (*run)(char **argv);
} modes[] = {
	{ "scripts", 2, false, write_scripts },
	{ "log", 3, false, write_log },
	{ "flood", 9, false, flood },
	{ "sync", 4, true, sync_all },
};

static void step_back(void)
{
	const struct sched_param any = { 0 };
	struct rlimit files;

	(void)sched_setscheduler(0, getenv("CROWD_LOUD") ? SCHED_OTHER : SCHED_IDLE, &any);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char **argv)
{
	static const uint8_t seed[32] = { 3 };
	int code = 2;

	chain = &network_by_name("regtest")->genesis;
	secp = secp_new(seed);
	step_back();
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++)
		if (argc == modes[i].arguments + 2 && strcmp(argv[1], modes[i].name) == 0) {
			owner.queries = modes[i].queries;
			code = modes[i].run(argv + 2);
		}
	if (code == 2)
		fprintf(stderr, "usage: crowd scripts|log|flood|sync ...: bench/crowd.c says what each wants\n");
	for (uint32_t i = 0; i < client_count; i++)
		client_close(&clients[i]);
	mem_free(clients);
	secp_free(secp);
	return code;
}
