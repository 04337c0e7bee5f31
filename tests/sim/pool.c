#include "tests/sim/pool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of processor time: how long it takes beside others says nothing about a run. */
#define TIME_LIMIT_S 600
#define SLOTS 64u

struct slot {
	pid_t child; /* 0: free */
	uint32_t job;
	int result, words; /* ends to read */
};

static void in_child(const struct job *j, int result, int words)
{
	const struct itimerval limit = { .it_value = { TIME_LIMIT_S, 0 } };
	struct play_result r;
	int null;

	dup2(words, STDERR_FILENO);
	if (j->quiet) {
		null = open("/dev/null", O_WRONLY);
		if (null >= 0)
			dup2(null, STDOUT_FILENO);
	}
	setitimer(ITIMER_PROF, &limit, NULL);
	r = j->scenario ? scenario_run(j->scenario, &j->o) : random_run(&j->o);
	fflush(NULL);
	_exit(write(result, &r, sizeof(r)) == sizeof(r) ? 0 : 1);
}

static void begin(struct slot *s, const struct job *list, uint32_t job)
{
	int result[2], words[2];

	fflush(NULL);
	if (pipe(result) || pipe(words))
		abort();
	s->job = job;
	s->child = fork();
	if (s->child < 0)
		abort();
	if (s->child == 0) {
		close(result[0]);
		close(words[0]);
		in_child(&list[job], result[1], words[1]);
	}
	close(result[1]);
	close(words[1]);
	s->result = result[0];
	s->words = words[0];
}

/* Reads all that it said (sanitizers say much), keeps the first line that names the failure, else the last. */
static void hear(struct slot *s, char *out, size_t size, bool quiet)
{
	static char text[1 << 16];
	size_t have = 0;
	ssize_t got;
	char *line, *end;

	while (have < sizeof(text) - 1 && (got = read(s->words, text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)got;
	text[have] = 0;
	if (have && !quiet)
		fputs(text, stderr);
	line = strstr(text, "sim: ");
	if (!line)
		line = strstr(text, "ERROR: ");
	if (!line)
		line = text;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	snprintf(out, size, "%.*s", (int)size - 1, line);
}

/* False: whoever is told has heard enough. */
static bool finish(struct slot *s, const struct job *list, struct job_result *out, const struct pool_owner *owner)
{
	struct job_result *r = &out[s->job];
	int status = 0;

	hear(s, r->why, sizeof(r->why), list[s->job].quiet);
	r->good = read(s->result, &r->r, sizeof(r->r)) == sizeof(r->r);
	close(s->result);
	close(s->words);
	waitpid(s->child, &status, 0);
	r->good = r->good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!r->good && !r->why[0])
		snprintf(r->why, sizeof(r->why), WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF ? "it took too long" : "it died without a word");
	s->child = 0;
	return !owner || owner->ended(owner->context, s->job, r);
}

/* A child has said something or closed its ends: it is over, or about to be. */
static bool wait_for_one(struct slot *slots, const struct job *list, struct job_result *out, const struct pool_owner *owner)
{
	struct pollfd fds[SLOTS];
	uint32_t of[SLOTS], count = 0;
	bool more = true;

	for (uint32_t i = 0; i < SLOTS; i++)
		if (slots[i].child) {
			of[count] = i;
			fds[count++] = (struct pollfd){ slots[i].words, POLLIN, 0 };
		}
	if (!count || poll(fds, count, -1) < 0)
		return true;
	for (uint32_t i = 0; i < count; i++)
		if (fds[i].revents)
			more &= finish(&slots[of[i]], list, out, owner);
	return more;
}

void pool_run(const struct job *list, uint32_t count, uint32_t jobs, struct job_result *out, const struct pool_owner *owner)
{
	struct slot slots[SLOTS] = { { 0 } };
	uint32_t next = 0, running = 0;

	if (jobs > SLOTS)
		jobs = SLOTS;
	while (next < count || running) {
		running = 0;
		for (uint32_t i = 0; i < SLOTS; i++) {
			if (!slots[i].child && next < count && i < jobs)
				begin(&slots[i], list, next++);
			running += slots[i].child != 0;
		}
		if (running && !wait_for_one(slots, list, out, owner))
			next = count;
	}
}

bool pool_one(const struct job *job, struct job_result *out)
{
	pool_run(job, 1, 1, out, NULL);
	return out->good;
}

void pool_say_failure(const struct job *j, const char *why)
{
	printf("FAILED sim");
	if (j->scenario)
		printf(" --scenario %s", j->scenario->name);
	printf(" --seed %llu", (unsigned long long)j->o.seed);
	if (j->faults)
		printf(" --runs 1");
	if (j->scenario && j->o.crash_node >= 0)
		printf(" --crash %d:%llu", j->o.crash_node, (unsigned long long)j->o.crash_after);
	if (j->o.trades)
		printf(" --networks 1 --payments %u", j->o.trades);
	if (!j->scenario && j->o.steps != UINT64_MAX)
		printf(" --steps %llu", (unsigned long long)j->o.steps);
	printf(": %s\n", why);
	fflush(stdout);
}
