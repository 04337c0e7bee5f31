/* What the core alone costs: two whole nodes in one process, without sockets,
 * disks, ciphers or JSON.
 *
 *	core [--no-policy] [--one-way] [--count N] [--read BYTES] [--trickle N] [IN_FLIGHT ...]
 *
 * Opens one channel, makes the invoices up front and then keeps IN_FLIGHT
 * payments open each way (--one-way: only from the first node to the second).
 * For each IN_FLIGHT one line: payments a second, processor time of a payment
 * on each side, commitments and HTLC signatures a payment.  Below it what the
 * machine itself can do, measured in the same run, and the share of a payment
 * that is elliptic curves.  `ahead` is what each side computed while it had
 * nothing else to do: work, but nobody waits for it.
 *
 * Messages are handed over as a socket would: all that wait at once, up to
 * what --read takes.  With --trickle users ask for few payments at a time, so
 * that the channel is never in step with them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"
#include "contract/memo.h"
#include "crypto/hash.h"
#include "tests/sim/funds.h"
#include "tests/sim/world.h"
#include "wire/message.h"

#define FUNDING_SAT 16000000u
#define AMOUNT_MSAT 1000000u /* above every dust limit: each payment is an output with a signature */
#define CALLS_MAX 65536u

struct letter {
	struct letter *next;
	struct bytes message;
};

struct end {
	struct sim_node sim; /* its wallet and its ids */
	struct end *peer;
	struct policy_signer *policy;
	struct memo *memo;
	struct letter *first, **last; /* to this side */
	char **invoices;              /* of this side */
	uint32_t invoice_count;
	uint32_t asked, done;         /* payments that this side makes */
	double cpu, ahead;            /* what was waited for, and what was not */
	uint64_t htlc_signatures, commitments, batches, bytes, writes;
};

static struct end ends[2];
static struct sim_chain *chain;
static uint64_t start_ms, next_connection;
static uint32_t failed;
static double started;
static bool use_policy = true, one_way;
static size_t read_size = 1u << 17; /* what one turn of the loop takes from a socket */
static uint32_t trickle = UINT32_MAX; /* payments that are ordered in one turn at most */

static uint64_t now_ms(void)
{
	return start_ms + (uint64_t)((clock_of(CLOCK_MONOTONIC) - started) * 1000);
}

static noreturn void die(const char *what)
{
	fprintf(stderr, "core: %s\n", what);
	exit(1);
}

/* --- ports --- */

static void core_step(void *context, const struct event *event, struct effects *out)
{
	node_step(((struct end *)context)->sim.node, event, out);
}

static void core_flush(void *context, uint64_t at_ms, struct effects *out)
{
	node_flush(((struct end *)context)->sim.node, at_ms, out);
}

static uint64_t core_deadline(void *context)
{
	return node_deadline(((struct end *)context)->sim.node);
}

static bool core_ahead(void *context)
{
	return node_ahead(((struct end *)context)->sim.node);
}

static void commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	struct end *d = context;

	d->writes += count;
	for (uint32_t i = 0; i < count; i++)
		d->bytes += ops[i].key.size + ops[i].value.size;
	if (!d->sim.store->commit(d->sim.store, ops, count))
		die("the store refused a commit");
	exec_committed(exec);
}

static void compute(void *context, uint64_t id, struct route_job *job)
{
	struct event e = { .kind = EVENT_COMPUTED, .now_ms = now_ms() };

	route_job_run(job);
	e.u.computed.id = id;
	exec_event(((struct end *)context)->sim.exec, &e);
}

static void deliver(struct end *to, struct bytes message)
{
	struct letter *l = NEW(struct letter);

	l->message = BYTES(memcpy(mem_alloc(message.size), message.data, message.size), message.size);
	*to->last = l;
	to->last = &l->next;
}

/* Counts what costs most. */
static void send(struct end *from, struct bytes message)
{
	uint16_t type;

	if (msg_type(message, &type) && type == MSG_COMMITMENT_SIGNED) {
		from->commitments++;
		from->htlc_signatures += load_be16(message.data + 2 + 32 + 64);
	}
	deliver(from->peer, message);
}

static void take_reply(struct end *d, const struct reply *r)
{
	if (r->code != REPLY_OK) {
		failed++;
		fprintf(stderr, "core: %s\n", r->message ? r->message : "a command failed");
		return;
	}
	if (r->kind == COMMAND_INVOICE)
		d->invoices[d->invoice_count++] = strdup(r->u.invoice.bolt11);
	else if (r->kind == COMMAND_PAY)
		d->done++;
}

static void release(void *context, const struct effect *f)
{
	struct end *d = context;

	switch (f->kind) {
	case EFFECT_SEND:
		send(d, f->u.send.message);
		return;
	case EFFECT_BROADCAST:
		if (sim_chain_offer(chain, f->u.broadcast.txs, f->u.broadcast.count, (uint64_t)d->sim.index))
			die("a transaction was refused");
		return;
	case EFFECT_REPLY:
		take_reply(d, f->u.reply.reply);
		return;
	case EFFECT_DISCONNECT:
		die("a node hung up");
	case EFFECT_CONNECT:
	case EFFECT_WATCH:
	case EFFECT_NOTIFY:
	case EFFECT_FETCH: /* no funding output is ever spent here */
	case EFFECT_GOSSIP: /* nobody turned it on */
		return;
	case EFFECT_PERSIST:
	case EFFECT_SIGN:
	case EFFECT_FUNDS:
	case EFFECT_COMPUTE:
		break;
	}
	UNREACHABLE();
}

/* --- the two nodes --- */

static void log_line(void *context, enum log_level level, const char *room, const char *text)
{
	if (level >= LOG_WARN)
		fprintf(stderr, "%s %s: %s\n", ((struct end *)context)->sim.name, room, text);
}

static void open_end(int index)
{
	static struct log_sink sinks[2];
	struct end *d = &ends[index];
	struct policy_limits limits;
	struct exec_ports ports;
	uint8_t fresh[32] = { (uint8_t)(index + 1) };

	d->peer = &ends[1 - index];
	d->last = &d->first;
	d->invoices = NEW_ARRAY(char *, CALLS_MAX);
	d->sim.index = index;
	snprintf(d->sim.name, sizeof(d->sim.name), "node%d", index);
	node_config_default(&d->sim.config, network_by_name("regtest"));
	policy_limits_default(&limits);
	d->memo = limits.memo = d->sim.config.memo = memo_new();
	d->sim.signer = local_signer_new(d->sim.config.network, BYTES_OF(fresh), fresh);
	d->policy = policy_signer_new(local_signer_port(d->sim.signer), &limits);
	d->sim.id = d->sim.config.node_id = local_signer_node_id(d->sim.signer);
	sinks[index] = (struct log_sink){ log_line, d, LOG_WARN };
	d->sim.node = node_new(&d->sim.config, fresh, &sinks[index]);
	d->sim.funds = hot_funds_new(d->sim.config.network, BYTES_OF(fresh), fresh);
	sim_funds_grant(chain, BYTES_OF(fresh), 1, SAT(2 * FUNDING_SAT));
	d->sim.disk = memory_disk_new();
	d->sim.store = store_open_memory(d->sim.disk);
	ports = (struct exec_ports){
		.core = { d, core_step, core_flush, core_deadline, core_ahead },
		.signer = use_policy ? policy_signer_port(d->policy) : local_signer_port(d->sim.signer),
		.funds = hot_funds_port(d->sim.funds),
		.compute = { d, compute },
		.commit = { d, commit },
		.release = { d, release, NULL },
	};
	d->sim.exec = exec_new(&ports);
	if (!hot_funds_start(d->sim.funds, d->sim.exec))
		die("a wallet does not start");
	if (!node_start(d->sim.node, now_ms(), exec_effects(d->sim.exec)))
		die("a node does not start");
}

static void close_end(struct end *d)
{
	exec_free(d->sim.exec);
	node_free(d->sim.node);
	d->sim.store->close(d->sim.store);
	policy_signer_free(d->policy);
	memo_free(d->memo);
	local_signer_free(d->sim.signer);
	memory_disk_free(d->sim.disk);
	hot_funds_free(d->sim.funds);
	for (uint32_t i = 0; i < d->invoice_count; i++)
		free(d->invoices[i]);
	mem_free(d->invoices);
}

static void give(struct end *d, struct event *e)
{
	e->now_ms = now_ms();
	exec_event(d->sim.exec, e);
}

/* One turn of a node's loop: what waits is stepped, then the batch runs.  False if nothing waited. */
static bool turn(struct end *d)
{
	size_t taken = 0;
	bool any = d->first != NULL || !exec_quiet(d->sim.exec);

	while (d->first && taken < read_size) {
		struct letter *l = d->first;
		struct event e = { .kind = EVENT_MESSAGE };

		d->first = l->next;
		if (!d->first)
			d->last = &d->first;
		e.u.message.connection = next_connection;
		e.u.message.message = l->message;
		taken += l->message.size;
		give(d, &e);
		mem_free((void *)(uintptr_t)l->message.data);
		mem_free(l);
	}
	if (any) {
		d->batches++;
		exec_run(d->sim.exec, now_ms());
		(void)exec_deadline(d->sim.exec);
	}
	return any;
}

static bool timed_turn(struct end *d)
{
	double begin = clock_of(CLOCK_PROCESS_CPUTIME_ID), done;
	bool any = turn(d);

	done = clock_of(CLOCK_PROCESS_CPUTIME_ID);
	d->cpu += done - begin;
	/* The other side's answer is on its way. */
	while (!d->first && exec_ahead(d->sim.exec))
		;
	d->ahead += clock_of(CLOCK_PROCESS_CPUTIME_ID) - done;
	return any;
}

static void until_quiet(void)
{
	while (turn(&ends[0]) | turn(&ends[1]))
		;
}

static void order(struct end *d, struct command *c)
{
	static uint64_t next_call;
	struct event e = { .kind = EVENT_COMMAND };

	e.u.command.call = ++next_call;
	e.u.command.command = c;
	give(d, &e);
}

/* --- the channel --- */

static void feed(struct end *d, uint32_t height)
{
	const struct sim_block *b = sim_chain_block(chain, height);
	struct event e = { .kind = EVENT_BLOCK }, synced = { .kind = EVENT_CHAIN_SYNCED };
	struct block_tx *txs = NEW_ARRAY(struct block_tx, b->count + 1);

	for (uint32_t i = 0; i < b->count; i++)
		txs[i] = (struct block_tx){ b->txs[i], i };
	e.u.block.height = height;
	e.u.block.hash = b->hash;
	e.u.block.previous = b->prev;
	e.u.block.txs = txs;
	e.u.block.tx_count = b->count;
	give(d, &e);
	synced.u.synced.height = synced.u.synced.best_height = height;
	give(d, &synced);
	mem_free(txs);
}

static void mine(void)
{
	sim_chain_mine(chain, NULL);
	for (int i = 0; i < 2; i++)
		feed(&ends[i], sim_chain_height(chain));
	until_quiet();
}

static void connect_ends(void)
{
	next_connection++;
	for (int i = 0; i < 2; i++) {
		struct event e = { .kind = EVENT_CONNECTED };

		e.u.connected.connection = next_connection;
		e.u.connected.peer = ends[1 - i].sim.id;
		e.u.connected.outbound = i == 0;
		e.u.connected.host = "127.0.0.1";
		e.u.connected.port = 9735;
		give(&ends[i], &e);
	}
	until_quiet();
}

static const struct channel *channel_of(const struct end *d)
{
	uint32_t at = 0;

	return node_view_channel(d->sim.node, &at);
}

static void open_channel(void)
{
	struct command c = { .kind = COMMAND_FUND_CHANNEL };

	c.u.fund_channel.peer = ends[1].sim.id;
	c.u.fund_channel.amount = SAT(FUNDING_SAT);
	c.u.fund_channel.push = MSAT(FUNDING_SAT * 500ull);
	order(&ends[0], &c);
	until_quiet();
	for (int i = 0; i < 10; i++)
		mine();
	if (!channel_of(&ends[0]) || !channel_is_usable(channel_of(&ends[0])) || !channel_is_usable(channel_of(&ends[1])))
		die("the channel did not open");
}

/* --- payments --- */

static void order_invoice(struct end *d, uint32_t i)
{
	struct command c = { .kind = COMMAND_INVOICE };
	char label[32];

	snprintf(label, sizeof(label), "bench-%u", i);
	c.u.invoice.amount = MSAT(AMOUNT_MSAT);
	c.u.invoice.label = label;
	c.u.invoice.description = "bench";
	c.u.invoice.expiry_s = 86400;
	order(d, &c);
}

static void order_pay(struct end *d)
{
	struct command c = { .kind = COMMAND_PAY };

	c.u.pay.bolt11 = d->peer->invoices[d->asked++];
	order(d, &c);
}

static void make_invoices(uint32_t more)
{
	for (int i = 0; i < 2; i++) {
		double before = clock_of(CLOCK_PROCESS_CPUTIME_ID);
		uint32_t have = ends[i].invoice_count;

		if (have + more > CALLS_MAX)
			die("too many payments");
		for (uint32_t k = 0; k < more; k++) {
			order_invoice(&ends[i], have + k);
			if (k % 32 == 31)
				turn(&ends[i]);
		}
		until_quiet();
		if (i == 0)
			printf("# an invoice: %.1f us\n", (clock_of(CLOCK_PROCESS_CPUTIME_ID) - before) / more * 1e6);
	}
}

struct result {
	uint32_t in_flight, payments;
	double seconds, cpu[2], ahead;
	uint64_t signatures, commitments, batches, bytes, writes;
};

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a + b;
}

static void top_up(struct end *d, uint32_t in_flight, uint32_t limit)
{
	double before = clock_of(CLOCK_PROCESS_CPUTIME_ID);

	for (uint32_t i = 0; i < trickle && d->asked < limit && d->asked - d->done < in_flight; i++)
		order_pay(d);
	d->cpu += clock_of(CLOCK_PROCESS_CPUTIME_ID) - before;
}

static struct result run(uint32_t in_flight, uint32_t count)
{
	struct result r = { .in_flight = in_flight, .payments = one_way ? count : 2 * count };
	uint32_t limit[2];
	double begin;

	make_invoices(count);
	for (int i = 0; i < 2; i++) {
		struct end *d = &ends[i];

		limit[i] = d->done + (i == 0 || !one_way ? count : 0);
		d->asked = d->done;
		d->cpu = d->ahead = 0;
		d->htlc_signatures = d->commitments = d->batches = d->bytes = d->writes = 0;
	}
	begin = clock_of(CLOCK_MONOTONIC);
	while (!failed && (ends[0].done < limit[0] || ends[1].done < limit[1])) {
		bool any = false;

		for (int i = 0; i < 2; i++) {
			top_up(&ends[i], in_flight, limit[i]);
			any |= timed_turn(&ends[i]);
		}
		if (!any)
			die("nothing moves any more");
	}
	r.seconds = clock_of(CLOCK_MONOTONIC) - begin;
	until_quiet();
	for (int i = 0; i < 2; i++)
		r.cpu[i] = ends[i].cpu;
	r.ahead = ends[0].ahead + ends[1].ahead;
	r.signatures = sum(ends[0].htlc_signatures, ends[1].htlc_signatures);
	r.commitments = sum(ends[0].commitments, ends[1].commitments);
	r.batches = sum(ends[0].batches, ends[1].batches);
	r.bytes = sum(ends[0].bytes, ends[1].bytes);
	r.writes = sum(ends[0].writes, ends[1].writes);
	return r;
}

/* --- the machine --- */

struct limits {
	double sign, verify, ecdh, recover, point, hash; /* microseconds each */
};

#define TIME(out, times, what) \
	do { \
		double begin_ = clock_of(CLOCK_PROCESS_CPUTIME_ID); \
		for (int i_ = 0; i_ < (times); i_++) { \
			what; \
		} \
		(out) = (clock_of(CLOCK_PROCESS_CPUTIME_ID) - begin_) / (times) * 1e6; \
	} while (0)

static struct limits measure(void)
{
	uint8_t seed[32] = { 7 }, raw[65];
	struct secp *s = secp_new(seed);
	struct secret32 key = { { 1, 2, 3 } }, shared;
	struct sha256 h = sha256("a", 1);
	struct pubkey p, q;
	struct sig64 sig;
	struct limits l;

	pubkey_of(s, &p, &key);
	ecdsa_sign(s, &sig, &h, &key, false);
	ecdsa_sign_recoverable(s, raw, &h, &key);
	TIME(l.sign, 5000, ecdsa_sign(s, &sig, &h, &key, false));
	TIME(l.verify, 5000, if (!ecdsa_verify(&sig, &h, &p)) die("verify"));
	TIME(l.ecdh, 5000, if (!ecdh(s, &shared, &p, &key)) die("ecdh"));
	TIME(l.recover, 5000, if (!ecdsa_recover(&q, raw, &h)) die("recover"));
	TIME(l.point, 5000, pubkey_of(s, &q, &key));
	TIME(l.hash, 200000, h = sha256(h.v, sizeof(h.v)));
	secp_free(s);
	return l;
}

static void print(const struct result *r, const struct limits *l)
{
	double n = r->payments, side0 = r->cpu[0] / n * 1e6, side1 = r->cpu[1] / n * 1e6;
	/* Both ends: the HTLC signatures and the commitments' own, made and checked once; then the onion's
	 * point and two shared secrets, and the invoice's signature read. */
	double curves = ((double)(r->signatures + r->commitments) * (l->sign + l->verify)) / n + l->point + 2 * l->ecdh + l->recover;

	printf("%9u %10.0f %8.1f %8.1f %8.1f %9.1f %12.3f %10.2f %9.3f %8.1f %8.0f %7.0f%%\n", r->in_flight, n / r->seconds, side0, side1,
	       (side0 + side1) / 2, r->ahead / n / 2 * 1e6, (double)r->commitments / n, (double)r->signatures / n, (double)r->batches / n,
	       (double)r->writes / n, (double)r->bytes / n, 100 * curves / (side0 + side1 + r->ahead / n * 1e6));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t flights[16], flight_count = 0, count = 4000;
	struct limits l;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--no-policy"))
			use_policy = false;
		else if (!strcmp(argv[i], "--one-way"))
			one_way = true;
		else if (!strcmp(argv[i], "--count") && i + 1 < argc)
			count = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--read") && i + 1 < argc)
			read_size = strtoul(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--trickle") && i + 1 < argc)
			trickle = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (argv[i][0] != '-' && flight_count < ARRAY_COUNT(flights))
			flights[flight_count++] = (uint32_t)strtoul(argv[i], NULL, 10);
		else
			die("usage: core [--no-policy] [--one-way] [--count N] [--read BYTES] [--trickle N] [IN_FLIGHT ...]");
	}
	if (!flight_count) {
		static const uint32_t usual[] = { 1, 50, 400 };

		memcpy(flights, usual, sizeof(usual));
		flight_count = ARRAY_COUNT(usual);
	}
	started = clock_of(CLOCK_MONOTONIC);
	start_ms = 1700000000000ull;
	chain = sim_chain_new(1);
	open_end(0);
	open_end(1);
	sim_chain_mine(chain, NULL);
	for (uint32_t h = 101; h <= sim_chain_height(chain); h++)
		for (int i = 0; i < 2; i++)
			feed(&ends[i], h);
	connect_ends();
	open_channel();
	l = measure();
	printf("# one core, microseconds: sign %.1f, verify %.1f, ecdh %.1f, recover %.1f, point %.1f, SHA256 %.2f\n", l.sign,
	       l.verify, l.ecdh, l.recover, l.point, l.hash);
	printf("# %s, payments %s\n", use_policy ? "with the policy" : "without the policy", one_way ? "one way" : "both ways");
	printf("%9s %10s %8s %8s %8s %9s %12s %10s %9s %8s %8s %8s\n", "in-flight", "payments/s", "us-first", "us-other", "us-side", "ahead",
	       "commitments", "htlc-sigs", "batches", "writes", "bytes", "curves");
	for (uint32_t i = 0; i < flight_count && !failed; i++) {
		struct result r = run(flights[i], flights[i] == 1 && count > 1000 ? 1000 : count);

		print(&r, &l);
	}
	close_end(&ends[0]);
	close_end(&ends[1]);
	sim_chain_free(chain);
	return failed ? 1 : 0;
}
