/* sim [--crashes] [--runs N] [--seed S] [--verbose]
 *
 * Without options: the crash after every effect of one script, and 300 random
 * runs.  Closes with "N passed, N failed, N skipped". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/script.h"

static int passed, failed;

/* In a child, so that one that fails leaves the others to go on. */
static bool run_apart(const struct script_options *o, struct script_result *out)
{
	int pipes[2], status = 0;
	bool good;
	pid_t child;

	fflush(NULL);
	if (pipe(pipes))
		abort();
	child = fork();
	if (child == 0) {
		struct script_result r = script_run(o);

		_exit(write(pipes[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
	}
	close(pipes[1]);
	good = read(pipes[0], out, sizeof(*out)) == sizeof(*out);
	close(pipes[0]);
	waitpid(child, &status, 0);
	good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (good) {
		passed++;
		return true;
	}
	failed++;
	printf("FAILED: sim --seed %llu%s crash node %d after %llu\n", (unsigned long long)o->seed,
	       o->crash_one_in ? " (random crashes)" : "", o->crash_node, (unsigned long long)o->crash_after);
	return false;
}

static void every_crash(uint64_t seed, bool verbose)
{
	struct script_options o = { .seed = seed, .verbose = verbose, .payments = 10, .crash_node = -1 };
	struct script_result base, r, again, other;

	if (!run_apart(&o, &base) || !run_apart(&o, &again))
		return;
	o.memo = true;
	if (!run_apart(&o, &other))
		return;
	if (base.digest != other.digest || base.steps != other.steps) {
		printf("FAILED: seed %llu is not the same with a memo\n", (unsigned long long)seed);
		failed++;
	}
	if (base.digest != again.digest || base.steps != again.steps) {
		printf("FAILED: seed %llu is not the same twice\n", (unsigned long long)seed);
		failed++;
	}
	printf("script: %u paid, %u failed; effects %llu and %llu, a crash after each\n", base.paid, base.failed,
	       (unsigned long long)base.effects[0], (unsigned long long)base.effects[1]);
	for (int node = 0; node < WORLD_NODES; node++)
		for (uint64_t k = 1; k <= base.effects[node]; k++) {
			o.crash_node = node;
			o.crash_after = k;
			run_apart(&o, &r);
		}
}

static struct script_options random_options(uint64_t seed, bool verbose)
{
	struct script_options o = { .seed = seed, .verbose = verbose, .crash_node = -1 };

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

int main(int argc, char **argv)
{
	uint64_t seed = 1, runs = 300;
	bool crashes = true, verbose = false, one = false;
	struct script_result r;
	uint64_t steps = 0, virtual_ms = 0, died = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--runs") && i + 1 < argc) {
			runs = strtoull(argv[++i], NULL, 10);
			crashes = false;
		} else if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			seed = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--crashes")) {
			runs = 0;
		} else if (!strcmp(argv[i], "--one")) {
			one = true;
		} else if (!strcmp(argv[i], "--verbose")) {
			verbose = true;
		} else {
			fprintf(stderr, "usage: sim [--crashes | --runs N | --one] [--seed S] [--verbose]\n");
			return 2;
		}
	}
	if (one) {
		struct script_options o = random_options(seed, verbose);

		r = script_run(&o);
		printf("seed %llu: %u paid, %u failed, %llu crashes, %llu steps\n", (unsigned long long)seed, r.paid, r.failed,
		       (unsigned long long)r.crashes, (unsigned long long)r.steps);
		return 0;
	}
	if (crashes)
		every_crash(seed, verbose);
	for (uint64_t i = 0; i < runs; i++) {
		struct script_options o = random_options(seed + i, verbose);

		if (run_apart(&o, &r)) {
			steps += r.steps;
			virtual_ms += r.virtual_ms;
			died += r.crashes;
		}
	}
	if (runs)
		printf("random runs: %llu seeds, %llu steps, %llu crashes, %.1f virtual node-hours\n", (unsigned long long)runs,
		       (unsigned long long)steps, (unsigned long long)died, 2 * (double)virtual_ms / 3600000);
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed ? 1 : 0;
}
