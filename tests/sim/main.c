/* sim: the simulator's command line; sim --help says what it takes.  Closes with "N passed, N failed, N skipped". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/crash.h"
#include "tests/sim/networks.h"
#include "tests/sim/scenario.h"
#include "tests/sim/shrink.h"

#define STEPS_USUAL 1000u
#define SCENARIO_SEED 1u

struct cli {
	uint64_t seed, runs, steps, networks, payments;
	uint32_t jobs;
	bool has_seed, has_runs, has_steps, short_set, verbose;
	const char *scenario, *dump_blocks, *dump_trace, *tally;
	int crash_node;
	uint64_t crash_after;
};

struct totals {
	uint64_t seeds, steps, events, crashes, node_ms, blocks, paid, unpaid, channels, in_parts;
};

static uint32_t passed, failed;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void usage(FILE *out)
{
	fputs("usage: sim [OPTION ...]\n"
	      "\n"
	      "Whole nodes in one process, with a virtual clock, network, chain and disk, all from one seed.\n"
	      "Without options: every scripted scenario with a crash after each effect, a set of random runs, some networks.\n"
	      "\n"
	      "  --seed S            the first seed (1); without --runs that one random run alone\n"
	      "  --steps N           steps of unrest of each random run, after which everything must come to rest (1000);\n"
	      "                      a failure prints the smallest that still fails: the same seed and steps replay it\n"
	      "  --runs N            so many random runs, of seeds S, S + 1, ...\n"
	      "  --networks N        so many networks of 3 to 8 nodes that trade, of seeds S, S + 1, ...\n"
	      "  --payments N        of each of them (1000); --steps ends one sooner: none is shrunk\n"
	      "  --tally FILE        with --networks: adds each that has passed to FILE, leaves out those that are in it, and\n"
	      "                      sums up all of them: what was interrupted, or failed and is mended, goes on there\n"
	      "  --jobs N            runs at once (the machine's cores)\n"
	      "  --short             less of everything, for slow builds\n"
	      "  --scenario NAME     that scripted scenario alone, with a crash after each effect;\n"
	      "                      with --runs: so many times, with faults at random\n"
	      "  --crash NODE:K      with --scenario: once, and that node dies after its effect K\n"
	      "  --dump-blocks FILE  with one run: appends its blocks in hex, one a line, as submitblock takes them\n"
	      "  --dump-trace FILE   with one run: appends its blocks, offers and reorganizations (tests/sim/chain.h)\n"
	      "  --verbose           every node's log\n"
	      "\n"
	      "Scenarios:\n", out);
	for (uint32_t i = 0; scenario_at(i); i++)
		fprintf(out, "  %-18s  %s\n", scenario_at(i)->name, scenario_at(i)->what);
}

static uint64_t number(const char *option, const char *text)
{
	char *end;
	uint64_t v = text ? strtoull(text, &end, 10) : 0;

	if (!text || !*text || *end) {
		fprintf(stderr, "sim: %s wants a number\n", option);
		exit(2);
	}
	return v;
}

static void parse_crash(struct cli *c, const char *text)
{
	char *colon = text ? strchr(text, ':') : NULL;

	if (!colon) {
		fprintf(stderr, "sim: --crash wants NODE:K\n");
		exit(2);
	}
	c->crash_node = atoi(text);
	c->crash_after = number("--crash", colon + 1);
}

static void parse(struct cli *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(word, "--seed")) {
			c->seed = number(word, next), c->has_seed = true, i++;
		} else if (!strcmp(word, "--steps")) {
			c->steps = number(word, next), c->has_steps = true, i++;
		} else if (!strcmp(word, "--runs")) {
			c->runs = number(word, next), c->has_runs = true, i++;
		} else if (!strcmp(word, "--networks")) {
			c->networks = number(word, next), i++;
		} else if (!strcmp(word, "--payments")) {
			c->payments = number(word, next), i++;
		} else if (!strcmp(word, "--jobs")) {
			c->jobs = (uint32_t)number(word, next), i++;
		} else if (!strcmp(word, "--tally") && next) {
			c->tally = next, i++;
		} else if (!strcmp(word, "--scenario") && next) {
			c->scenario = next, i++;
		} else if (!strcmp(word, "--crash")) {
			parse_crash(c, next), i++;
		} else if (!strcmp(word, "--dump-blocks") && next) {
			c->dump_blocks = next, i++;
		} else if (!strcmp(word, "--dump-trace") && next) {
			c->dump_trace = next, i++;
		} else if (!strcmp(word, "--short")) {
			c->short_set = true;
		} else if (!strcmp(word, "--verbose")) {
			c->verbose = true;
		} else {
			usage(strcmp(word, "--help") ? stderr : stdout);
			exit(strcmp(word, "--help") ? 2 : 0);
		}
	}
	if (!c->jobs)
		c->jobs = 1;
}

static void say_failure(const struct job *j, const char *why)
{
	failed++;
	pool_say_failure(j, why);
}

/* --- scripted --- */

static struct play_options scripted(const struct cli *c)
{
	return (struct play_options){ .seed = c->has_seed ? c->seed : SCENARIO_SEED, .verbose = c->verbose, .crash_node = -1,
				      .payments = c->short_set ? 2 : 5, .dump_blocks = c->dump_blocks, .dump_trace = c->dump_trace };
}

static bool one(const struct job *j, struct job_result *out)
{
	if (pool_one(j, out)) {
		passed++;
		return true;
	}
	say_failure(j, out->why);
	return false;
}

static void same(const struct job *j, const struct play_result *a, const struct play_result *b, const char *how)
{
	if (a->digest == b->digest && a->steps == b->steps)
		return;
	say_failure(j, how);
}

/* Between two crashes of that node; 0: none. */
static uint64_t stride_of(const struct cli *c, const struct scenario *s, uint32_t node, uint64_t effects)
{
	uint32_t places = s->crash_places * (c->scenario ? 8 : 1);

	if (!places)
		return c->short_set ? 11 : 1;
	return s->crash_node < 0 || (int)node == s->crash_node ? effects / places + 1 : 0;
}

/* A crash after each effect of each node's first life, or after some. */
static void every_crash(const struct cli *c, const struct scenario *s)
{
	struct job j = { .scenario = s, .o = scripted(c) };
	struct job_result base, again;
	struct crash_totals t;
	uint64_t strides[SIM_NODES_MAX], effects = 0;
	double begun = now_s();

	if (!one(&j, &base) || !one(&j, &again))
		return;
	same(&j, &base.r, &again.r, "it is not the same twice");
	j.o.memo = true;
	if (one(&j, &again))
		same(&j, &base.r, &again.r, "it is not the same with a memo");
	for (uint32_t n = 0; n < base.r.nodes; n++) {
		strides[n] = stride_of(c, s, n, base.r.effects[n]);
		effects += strides[n] ? base.r.effects[n] : 0;
	}
	if (!crash_everywhere(s, &j.o, strides, c->jobs, &t)) {
		say_failure(&j, "the run that is cut off after each effect did not end");
		return;
	}
	passed += t.passed;
	failed += t.failed;
	printf("%s: %u paid, %u failed; a crash after %u of %llu effects (%.1f s)\n", s->name, base.r.paid, base.r.failed,
	       t.passed + t.failed, (unsigned long long)effects, now_s() - begun);
	fflush(stdout);
}

/* A scripted scenario with faults at random places, all drawn from the seed. */
static struct play_options faults_of(const struct cli *c, uint64_t seed)
{
	struct play_options o = { .seed = seed, .verbose = c->verbose, .crash_node = -1 };

	o.payments = 1 + (uint32_t)(seed % 7);
	o.concurrent = seed / 7 % 2;
	o.crash_one_in = seed / 14 % 3 ? (uint32_t)(40 + seed % 300) : 0;
	o.cut_one_in = seed / 42 % 2 ? (uint32_t)(10 + seed % 100) : 0;
	o.slow_signer = seed / 5 % 3 == 0;
	o.static_remotekey = seed / 3 % 4 == 0;
	o.fees = seed / 11 % 2;
	o.memo = seed / 2 % 2;
	return o;
}

static void faults_everywhere(const struct cli *c, const struct scenario *s, uint32_t runs)
{
	struct job *jobs = NEW_ARRAY(struct job, runs);
	struct job_result *results = NEW_ARRAY(struct job_result, runs);
	uint64_t steps = 0, crashes = 0;
	double begun = now_s();

	for (uint32_t i = 0; i < runs; i++)
		jobs[i] = (struct job){ .scenario = s, .faults = true, .o = faults_of(c, c->seed + i) };
	pool_run(jobs, runs, c->jobs, results, NULL);
	for (uint32_t i = 0; i < runs; i++) {
		if (results[i].good) {
			passed++;
			steps += results[i].r.steps;
			crashes += results[i].r.crashes;
		} else {
			say_failure(&jobs[i], results[i].why);
		}
	}
	printf("%s: %u runs with faults at random, %llu steps, %llu crashes (%.1f s)\n", s->name, runs, (unsigned long long)steps,
	       (unsigned long long)crashes, now_s() - begun);
	fflush(stdout);
	mem_free(jobs);
	mem_free(results);
}

static int one_crash(const struct cli *c, const struct scenario *s)
{
	struct job j = { .scenario = s, .o = scripted(c) };
	struct job_result r;

	j.o.crash_node = c->crash_node;
	j.o.crash_after = c->crash_after;
	if (one(&j, &r))
		printf("%s: %u paid, %u failed, %llu steps, %llu crashes\n", s->name, r.r.paid, r.r.failed,
		       (unsigned long long)r.r.steps, (unsigned long long)r.r.crashes);
	return failed ? 1 : 0;
}

/* --- random --- */

static void add(struct totals *t, const struct play_result *r)
{
	t->seeds++;
	t->steps += r->steps;
	t->events += r->events;
	t->crashes += r->crashes;
	t->node_ms += r->virtual_ms * r->nodes;
	t->blocks += r->blocks;
	t->paid += r->paid;
	t->unpaid += r->failed;
	t->channels += r->channels;
	t->in_parts += r->paid_in_parts;
}

static void say_totals(const struct totals *t, const char *what, double seconds)
{
	printf("%s: %llu seeds, %llu steps, %llu crashes, %llu channels, %llu payments made (%llu in parts) and %llu not, %llu blocks\n",
	       what, (unsigned long long)t->seeds, (unsigned long long)t->steps, (unsigned long long)t->crashes,
	       (unsigned long long)t->channels, (unsigned long long)t->paid, (unsigned long long)t->in_parts, (unsigned long long)t->unpaid,
	       (unsigned long long)t->blocks);
	printf("figures: %.1f virtual node-hours, %llu events, %.1f s, %.0f events a second, %.0f times as fast as time\n",
	       (double)t->node_ms / 3600000, (unsigned long long)t->events, seconds, (double)t->events / seconds,
	       (double)t->node_ms / 1000 / seconds);
}

static void trading_networks(const struct cli *c, uint64_t first, uint64_t count, uint32_t payments)
{
	const struct networks_options o = { .seed = first, .count = count, .steps = c->has_steps ? c->steps : UINT64_MAX,
					    .payments = payments, .jobs = c->jobs, .verbose = c->verbose, .tally = c->tally };

	networks_play(&o, &passed, &failed);
}

static void shrunk(struct job *j, char *why, size_t size)
{
	j->o.dump_blocks = j->o.dump_trace = NULL;
	j->o.steps = shrink(j, why, size);
	say_failure(j, why);
}

#define BATCH 256u

static void random_runs(const struct cli *c, uint64_t first, uint64_t runs)
{
	struct job *jobs = NEW_ARRAY(struct job, BATCH);
	struct job_result *results = NEW_ARRAY(struct job_result, BATCH);
	struct totals t = { 0 };
	double begun = now_s();

	for (uint64_t done = 0; done < runs;) {
		uint32_t count = runs - done < BATCH ? (uint32_t)(runs - done) : BATCH;

		for (uint32_t i = 0; i < count; i++)
			jobs[i] = (struct job){ .o = { .seed = first + done + i, .steps = c->steps, .verbose = c->verbose,
						       .crash_node = -1, .dump_blocks = c->dump_blocks, .dump_trace = c->dump_trace } };
		pool_run(jobs, count, c->jobs, results, NULL);
		for (uint32_t i = 0; i < count; i++) {
			if (results[i].good) {
				passed++;
				add(&t, &results[i].r);
			} else {
				shrunk(&jobs[i], results[i].why, sizeof(results[i].why));
			}
		}
		done += count;
	}
	say_totals(&t, "random runs", now_s() - begun);
	mem_free(jobs);
	mem_free(results);
}

int main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct cli c = { .seed = 1, .steps = STEPS_USUAL, .jobs = cores > 0 ? (uint32_t)cores : 1, .crash_node = -1 };
	const struct scenario *s = NULL;

	parse(&c, argc, argv);
	if (c.scenario && !(s = scenario_named(c.scenario))) {
		fprintf(stderr, "sim: no scenario %s; see sim --help\n", c.scenario);
		return 2;
	}
	if (s && c.crash_node >= 0)
		return one_crash(&c, s);
	if (c.networks) {
		trading_networks(&c, c.seed, c.networks, c.payments ? (uint32_t)c.payments : NETWORK_PAYMENTS_USUAL);
	} else if (s && c.has_runs) {
		faults_everywhere(&c, s, (uint32_t)c.runs);
	} else if (s) {
		every_crash(&c, s);
	} else if (c.has_runs || c.has_seed || c.has_steps) {
		random_runs(&c, c.seed, c.has_runs ? c.runs : 1);
	} else {
		for (uint32_t i = 0; scenario_at(i); i++)
			every_crash(&c, scenario_at(i));
		faults_everywhere(&c, &scenario_pair, c.short_set ? 10 : 60);
		random_runs(&c, 1, c.short_set ? 20 : 100);
		trading_networks(&c, 1, c.short_set ? 2 : 8, c.short_set ? 40 : 60);
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed ? 1 : 0;
}
