#include "tests/sim/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The figures of one network, or of all: what a line of a tally has, in this order. */
enum figure {
	FIGURE_NODES, FIGURE_STEPS, FIGURE_EVENTS, FIGURE_NODE_MS, FIGURE_CRASHES, FIGURE_REORGS, FIGURE_TERMS, FIGURE_BLOCKS,
	FIGURE_CHANNELS, FIGURE_HTLCS, FIGURE_PAID, FIGURE_IN_PARTS, FIGURE_UNPAID, FIGURES,
};

struct outcome {
	uint64_t figures[FIGURES];
	struct play_reason reasons[PLAY_REASONS_MAX]; /* of payments that were not made */
	bool known;     /* it has passed, now or before */
};

struct networks {
	const struct networks_options *o;
	struct job *jobs;       /* those that are played */
	struct outcome *list;   /* of all seeds that are asked for */
	int tally;              /* -1: none */
	uint64_t before;        /* that were in it */
	uint32_t *passed, *failed;
};

#define TALLY_HEADER "networks of the simulator, 1: seed payments"
#define LINE_MAX_SIZE 2000u

static struct outcome outcome_of(const struct play_result *r)
{
	struct outcome n = { .known = true, .figures = {
		[FIGURE_NODES] = r->nodes, [FIGURE_STEPS] = r->steps, [FIGURE_EVENTS] = r->events,
		[FIGURE_NODE_MS] = r->virtual_ms * r->nodes, [FIGURE_CRASHES] = r->crashes, [FIGURE_REORGS] = r->reorgs,
		[FIGURE_TERMS] = r->new_terms, [FIGURE_BLOCKS] = r->blocks, [FIGURE_CHANNELS] = r->channels, [FIGURE_HTLCS] = r->htlcs,
		[FIGURE_PAID] = r->paid, [FIGURE_IN_PARTS] = r->paid_in_parts, [FIGURE_UNPAID] = r->failed,
	} };

	memcpy(n.reasons, r->reasons, sizeof(n.reasons));
	return n;
}

static noreturn void give_up(const struct networks *n, const char *why)
{
	fprintf(stderr, "sim: %s: %s\n", n->o->tally, why);
	exit(2);
}

/* --- the tally --- */

static void tally_add(const struct networks *n, uint64_t seed, const struct outcome *w)
{
	char line[LINE_MAX_SIZE];
	int size = snprintf(line, sizeof(line), "%llu %u", (unsigned long long)seed, n->o->payments);

	for (int i = 0; i < FIGURES; i++)
		size += snprintf(line + size, sizeof(line) - (size_t)size, " %llu", (unsigned long long)w->figures[i]);
	for (uint32_t i = 0; i < PLAY_REASONS_MAX && w->reasons[i].count; i++)
		size += snprintf(line + size, sizeof(line) - (size_t)size, " %d %d %u", (int)w->reasons[i].kind, (int)w->reasons[i].code,
				 w->reasons[i].count);
	line[size++] = '\n';
	if (write(n->tally, line, (size_t)size) != size)
		give_up(n, "cannot be written");
}

/* Whether the next word is a number. */
static bool take_number(char **at, long long *out)
{
	char *end;

	*out = strtoll(*at, &end, 10);
	if (end == *at)
		return false;
	*at = end;
	return true;
}

static void tally_take(struct networks *n, char *line)
{
	long long seed, payments, v[3];
	struct outcome w = { .known = true };
	uint32_t reasons = 0;

	if (!take_number(&line, &seed) || !take_number(&line, &payments))
		give_up(n, "is no tally");
	if (payments != n->o->payments)
		give_up(n, "is a tally of networks with another number of payments");
	for (int i = 0; i < FIGURES; i++) {
		if (!take_number(&line, &v[0]))
			give_up(n, "is no tally, or was not written to its end");
		w.figures[i] = (uint64_t)v[0];
	}
	while (reasons < PLAY_REASONS_MAX && take_number(&line, &v[0]) && take_number(&line, &v[1]) && take_number(&line, &v[2]))
		w.reasons[reasons++] = (struct play_reason){ (enum wish_kind)v[0], (enum reply_code)v[1], (uint32_t)v[2] };
	if ((uint64_t)seed >= n->o->seed && (uint64_t)seed - n->o->seed < n->o->count)
		n->list[(uint64_t)seed - n->o->seed] = w;
}

static void tally_open(struct networks *n)
{
	char line[LINE_MAX_SIZE];
	FILE *f;

	n->tally = open(n->o->tally, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (n->tally < 0 || !(f = fdopen(dup(n->tally), "r")))
		give_up(n, strerror(errno));
	if (!fgets(line, sizeof(line), f)) {
		if (write(n->tally, TALLY_HEADER "\n", sizeof(TALLY_HEADER)) != sizeof(TALLY_HEADER))
			give_up(n, "cannot be written");
	} else if (strcmp(line, TALLY_HEADER "\n") != 0) {
		give_up(n, "is no tally");
	}
	while (fgets(line, sizeof(line), f))
		tally_take(n, line);
	fclose(f);
}

/* --- what is said --- */

static const char *reason_words(enum reply_code code)
{
	static const struct { enum reply_code code; const char *words; } of[] = {
		{ REPLY_OK, "nobody said why" }, { REPLY_PAY_IN_PROGRESS, "in progress" }, { REPLY_PAY_UNREADABLE, "an unreadable failure" },
		{ REPLY_PAY_DESTINATION, "refused by the payee" }, { REPLY_PAY_TRY_OTHER_ROUTE, "refused on the way" },
		{ REPLY_PAY_NO_ROUTE, "no route" }, { REPLY_PAY_TOO_EXPENSIVE, "too expensive" }, { REPLY_PAY_EXPIRED, "expired" },
		{ REPLY_PAY_STOPPED, "stopped after trying" }, { REPLY_FAILED, "failed" }, { REPLY_INVALID, "invalid" },
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(of); i++)
		if (of[i].code == code)
			return of[i].words;
	return "another code";
}

static void say_reasons(const struct outcome *all)
{
	static const char *const kinds[] = { [WISH_PAY] = "pay", [WISH_KEYSEND] = "keysend", [WISH_ROUTE] = "sendpay" };

	printf("not made:");
	for (uint32_t i = 0; i < PLAY_REASONS_MAX && all->reasons[i].count; i++)
		printf("%s %s %u %s", i ? "," : "", kinds[all->reasons[i].kind], all->reasons[i].count, reason_words(all->reasons[i].code));
	printf("\n");
}

static void say_row(const char *what, uint64_t figure)
{
	printf("| %s | %llu |\n", what, (unsigned long long)figure);
}

static void say_table(const struct networks *n, uint32_t failures)
{
	struct outcome all = { .known = true };
	uint64_t count = 0;
	const uint64_t *f = all.figures;

	for (uint64_t i = 0; i < n->o->count; i++) {
		const struct outcome *w = &n->list[i];

		count += w->known;
		for (int k = 0; k < FIGURES; k++)
			all.figures[k] += w->figures[k];
		for (uint32_t k = 0; k < PLAY_REASONS_MAX && w->reasons[k].count; k++)
			play_count_reason(all.reasons, w->reasons[k].kind, w->reasons[k].code, w->reasons[k].count);
	}
	printf("\n| seeds %llu to %llu | |\n|---|---:|\n", (unsigned long long)n->o->seed, (unsigned long long)(n->o->seed + n->o->count - 1));
	say_row("networks that passed", count);
	if (n->before)
		say_row("of them before, by the tally", n->before);
	say_row("failures", failures);
	say_row("nodes", f[FIGURE_NODES]);
	say_row("payments wished for", f[FIGURE_PAID] + f[FIGURE_UNPAID]);
	say_row("made", f[FIGURE_PAID]);
	say_row("of them in parts", f[FIGURE_IN_PARTS]);
	say_row("not made", f[FIGURE_UNPAID]);
	say_row("HTLCs", f[FIGURE_HTLCS]);
	say_row("crashes", f[FIGURE_CRASHES]);
	say_row("reorganizations", f[FIGURE_REORGS]);
	say_row("changes of terms", f[FIGURE_TERMS]);
	say_row("channels", f[FIGURE_CHANNELS]);
	say_row("blocks", f[FIGURE_BLOCKS]);
	say_row("events", f[FIGURE_EVENTS]);
	say_row("virtual node-hours", f[FIGURE_NODE_MS] / 3600000);
	say_reasons(&all);
}

static bool on_ended(void *context, uint32_t index, const struct job_result *r)
{
	struct networks *n = context;
	const struct job *j = &n->jobs[index];
	struct outcome w;
	const uint64_t *f = w.figures;

	if (!r->good) {
		(*n->failed)++;
		pool_say_failure(j, r->why);
		return false;
	}
	w = outcome_of(&r->r);
	n->list[j->o.seed - n->o->seed] = w;
	(*n->passed)++;
	if (n->tally >= 0)
		tally_add(n, j->o.seed, &w);
	printf("network %llu: %llu nodes, %llu payments made (%llu in parts) and %llu not, %llu crashes, %llu reorganizations, "
	       "%llu changes of terms, %llu blocks\n",
	       (unsigned long long)j->o.seed, (unsigned long long)f[FIGURE_NODES], (unsigned long long)f[FIGURE_PAID],
	       (unsigned long long)f[FIGURE_IN_PARTS], (unsigned long long)f[FIGURE_UNPAID], (unsigned long long)f[FIGURE_CRASHES],
	       (unsigned long long)f[FIGURE_REORGS], (unsigned long long)f[FIGURE_TERMS], (unsigned long long)f[FIGURE_BLOCKS]);
	fflush(stdout);
	return true;
}

void networks_play(const struct networks_options *o, uint32_t *passed, uint32_t *failed)
{
	struct networks n = { .o = o, .tally = -1, .passed = passed, .failed = failed };
	struct job_result *results = NEW_ARRAY(struct job_result, o->count);
	uint32_t count = 0;

	n.jobs = NEW_ARRAY(struct job, o->count);
	n.list = NEW_ARRAY(struct outcome, o->count);
	if (o->tally)
		tally_open(&n);
	for (uint64_t i = 0; i < o->count; i++)
		if (n.list[i].known)
			n.before++;
		else
			n.jobs[count++] = (struct job){ .o = { .seed = o->seed + i, .steps = o->steps, .verbose = o->verbose,
							       .crash_node = -1, .trades = o->payments } };
	pool_run(n.jobs, count, o->jobs, results, &(struct pool_owner){ &n, on_ended });
	say_table(&n, *failed);
	if (n.tally >= 0)
		close(n.tally);
	mem_free(n.jobs);
	mem_free(n.list);
	mem_free(results);
}
