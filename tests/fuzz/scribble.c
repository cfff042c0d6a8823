/* SPDX-License-Identifier: MIT */
/*
 * scribble - a process that scribbles on the registry while others use it.
 *
 *     scribble [--shared] [--seed N] [--rounds N]
 *
 * The scribbler writes one mutation after the other (mutation.h) into the shared
 * registry, and now and then what was there at first, so that calls get far
 * enough to be hurt again. Two series of callers make every call meanwhile
 * (calls.h): errors are fine, crashes and hangs are not. Each caller opens the
 * namespace, makes a few rounds and ends; then the next one of its series comes.
 *
 * What happens depends on who runs when: a failure need not come again with the
 * same seed. Damage that is the same each time is the part of mutate.c.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/calls.h"
#include "fuzz/mutation.h"
#include "fuzz/scene.h"

enum { ROUNDS_EACH = 4, SERIES = 2 };

static void be_scribbler(const struct scene *scene, uint64_t seed)
{
	const struct timespec pause = { 0, 50000 };
	for (uint64_t number = 0;; number++) {
		struct dice dice = dice_of(seed, number);
		struct mutation mutation;
		mutation_draw(&mutation, scene->image, scene->size, &dice);
		mutation_apply(&mutation, scene->map);
		if (one_in(&dice, 4))
			memcpy(scene->map, scene->image, scene->size);
		if (one_in(&dice, 32))
			scene_restore(scene); /* the files as well */
		nanosleep(&pause, NULL);
	}
}

/* A process that has never opened the namespace. */
static void be_caller(const struct scene *scene, struct progress *progress, struct dice dice)
{
	struct caller caller = { .scene = scene, .progress = progress, .dice = dice };
	atomic_store(&progress->phase, "while another process scribbles");
	mdg_namespace *ns = call_open(&caller);
	for (int round = 0; round < ROUNDS_EACH && ns != NULL; round++) {
		call_start(&caller);
		call_everything(&caller, ns);
	}
	_exit(0);
}

static int run_series(const struct scene *scene, struct progress *progress, uint64_t seed,
                      uint64_t rounds, uint64_t series)
{
	for (uint64_t number = 0; number * ROUNDS_EACH < rounds; number++) {
		pid_t pid = fork();
		if (pid == 0) {
			close(scene->lifeline);
			be_caller(scene, progress, dice_of(seed + series + 1, number));
		}
		if (pid < 0 || watch(pid, progress) != 0) {
			fprintf(stderr, "in series %llu, process %llu; seed %llu\n",
			        (unsigned long long)series, (unsigned long long)number,
			        (unsigned long long)seed);
			return 1;
		}
	}
	return 0;
}

static uint64_t number_of(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);
	if (end == text || *end != '\0') {
		fprintf(stderr, "not a number: %s\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
		                                 { "rounds", required_argument, NULL, 'r' },
		                                 { "shared", no_argument, NULL, 'S' },
		                                 { NULL, 0, NULL, 0 } };
	uint64_t seed = 1, rounds = 400, calls = 0, ok = 0;
	bool shared = false;
	int option, failures = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			seed = number_of(optarg);
		else if (option == 'r')
			rounds = number_of(optarg);
		else if (option == 'S')
			shared = true;
		else
			return 2;
	}
	struct scene scene;
	struct progress *progress[SERIES];
	pid_t series[SERIES];
	scene_make(&scene, shared);
	fflush(NULL);
	pid_t scribbler = fork();
	if (scribbler == 0)
		be_scribbler(&scene, seed);
	for (int i = 0; i < SERIES; i++) {
		progress[i] = progress_new();
		series[i] = fork();
		if (series[i] == 0)
			_exit(run_series(&scene, progress[i], seed, rounds, (uint64_t)i));
	}
	for (int i = 0; i < SERIES; i++) {
		int status = -1;
		while (waitpid(series[i], &status, 0) < 0 && errno == EINTR)
			;
		failures += status != 0;
		calls += atomic_load(&progress[i]->call_number);
		ok += atomic_load(&progress[i]->calls_ok);
	}
	kill(scribbler, SIGKILL);
	while (waitpid(scribbler, NULL, 0) < 0 && errno == EINTR)
		;
	printf("seed %llu: %d times %llu rounds, %llu calls (%llu of them succeeded), %d "
	       "failures\n",
	       (unsigned long long)seed, SERIES, (unsigned long long)rounds,
	       (unsigned long long)calls, (unsigned long long)ok, failures);
	scene_remove(&scene);
	return failures == 0 ? 0 : 1;
}
