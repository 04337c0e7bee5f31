#include "tests/sim/crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS_MAX 64u
#define TIME_LIMIT_S 300u

struct slot {
	pid_t child; /* 0: free */
	FILE *words; /* what it says */
	int node;
	uint64_t effect;
};

struct forest {
	const struct scenario *s;
	struct play_options o;
	const uint64_t *strides; /* by node */
	uint32_t jobs;
	struct slot slots[SLOTS_MAX];
	uint32_t running;
	bool child;
	struct crash_totals t;
};

static void say(struct forest *f, const struct slot *s)
{
	char text[4096], *line, *end;
	size_t size;

	rewind(s->words);
	size = fread(text, 1, sizeof(text) - 1, s->words);
	text[size] = 0;
	line = strstr(text, "sim: ");
	if (!line)
		line = strstr(text, "ERROR: ");
	if (!line)
		line = text;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	printf("FAILED sim --scenario %s --seed %llu --crash %d:%llu: %s\n", f->s->name, (unsigned long long)f->o.seed, s->node,
	       (unsigned long long)s->effect, line);
	fflush(stdout);
}

static void reap(struct forest *f)
{
	int status;
	pid_t child = wait(&status);

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *s = &f->slots[i];

		if (child <= 0 || s->child != child)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			f->t.passed++;
		} else {
			f->t.failed++;
			say(f, s);
		}
		fclose(s->words);
		s->child = 0;
		f->running--;
	}
}

static bool on_effect(void *context, struct sim_node *n, const struct effect *effect)
{
	struct forest *f = context;
	struct slot *s = f->slots;

	(void)effect;
	if (f->child || !f->strides[n->index] || n->effects % f->strides[n->index])
		return true;
	if (f->running == f->jobs)
		reap(f);
	while (s->child)
		s++;
	fflush(NULL);
	*s = (struct slot){ .node = n->index, .effect = n->effects, .words = tmpfile() };
	if (!s->words)
		abort();
	s->child = fork();
	if (s->child < 0)
		abort();
	if (s->child) {
		f->running++;
		return true;
	}
	dup2(fileno(s->words), STDERR_FILENO);
	alarm(TIME_LIMIT_S);
	f->child = true;
	f->o.crash_node = n->index;
	f->o.crash_after = n->effects;
	n->crash_after = 1;
	return true;
}

/* In a process of its own, so that a failure of the run without a crash does not end the simulator. */
static void grow(struct forest *f, int result)
{
	const struct sim_hook hook = { .context = f, .effect = on_effect };
	struct play_result r;

	f->o.hook = &hook;
	r = scenario_run(f->s, &f->o);
	fflush(NULL);
	if (f->child)
		_exit(0);
	while (f->running)
		reap(f);
	for (uint32_t i = 0; i < r.nodes; i++)
		f->t.effects += r.effects[i];
	f->t.steps = r.steps;
	f->t.events = r.events;
	_exit(write(result, &f->t, sizeof(f->t)) == sizeof(f->t) ? 0 : 1);
}

bool crash_everywhere(const struct scenario *s, const struct play_options *o, const uint64_t *strides, uint32_t jobs,
		      struct crash_totals *out)
{
	struct forest f = { .s = s, .o = *o, .strides = strides, .jobs = jobs > SLOTS_MAX ? SLOTS_MAX : jobs };
	int pipes[2], status;
	pid_t child;
	bool good;

	fflush(NULL);
	if (pipe(pipes))
		abort();
	child = fork();
	if (child < 0)
		abort();
	if (child == 0)
		grow(&f, pipes[1]);
	close(pipes[1]);
	good = read(pipes[0], out, sizeof(*out)) == sizeof(*out);
	close(pipes[0]);
	waitpid(child, &status, 0);
	return good;
}
