/* SPDX-License-Identifier: MIT */
/*
 * mutate - damaged registries: many of them, each with every call.
 *
 *     mutate [--shared] [--seed N] [--count N] [--from N] [--only N] [--verbose]
 *     mutate --save DIRECTORY ...
 *
 * For each mutation (mutation.h) of a small namespace (scene.h), every call
 * (calls.h) is made by a process that had the namespace open before the damage,
 * by one that opens it afterwards, and by one that only looks. Errors are fine;
 * crashes, hangs, and what a sanitizer says are not. The
 * n-th mutation of a seed is always the same:
 * what fails is printed, with the command that makes it again. --save writes the
 * mutations to files instead, for a fuzzer to start from (registry_fuzzer.c).
 *
 * One process plays all parts one after the other: it forgets its namespace
 * object in between as if it had never been. That is what this takes the
 * library's internals for. A process does BATCH of them, then a new one goes on.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/calls.h"
#include "fuzz/mutation.h"
#include "fuzz/scene.h"

enum { BATCH = 100, FAILURES_MOST = 5 };

struct settings {
	uint64_t seed, from, count;
	bool verbose, shared;
	const char *save; /* directory, NULL none */
};

/* ---- one mutation ----------------------------------------------------------------- */

static void attach_some(const struct scene *scene, mdg_namespace *ns)
{
	void *memory;
	for (int i = 0; i < 2; i++) {
		int rc = mdg_segment_attach(ns, scene->ids[i], NULL, 0, &memory);
		if (rc < 0) {
			fprintf(stderr, "before the damage: %s\n", mdg_strerror(rc));
			_exit(EXIT_WRONG);
		}
	}
}

static void open_before(struct caller *caller, const struct mutation *mutation)
{
	atomic_store(&caller->progress->phase, "opened before the damage");
	call_start(caller);
	scene_restore(caller->scene);
	mdg_namespace *ns = call_open(caller);
	if (ns == NULL) {
		fprintf(stderr, "the scene itself cannot be opened\n");
		_exit(EXIT_WRONG);
	}
	attach_some(caller->scene, ns);
	mutation_apply(mutation, caller->scene->map);
	call_everything(caller, ns);
	call_forget(ns);
}

/* As by a process that opens the namespace after the damage; `open` says how. */
static void open_damaged(struct caller *caller, const struct mutation *mutation, const char *phase,
                         mdg_namespace *(*open)(struct caller *caller))
{
	atomic_store(&caller->progress->phase, phase);
	call_start(caller);
	scene_restore(caller->scene);
	mutation_apply(mutation, caller->scene->map);
	mdg_namespace *ns = open(caller);
	if (ns == NULL)
		return;
	call_everything(caller, ns);
	call_forget(ns);
}

static void draw(const struct scene *scene, const struct settings *settings, uint64_t number,
                 struct mutation *ret, struct dice *ret_dice)
{
	*ret_dice = dice_of(settings->seed, number);
	mutation_draw(ret, scene->image, scene->size, ret_dice);
}

static void run_batch(const struct scene *scene, const struct settings *settings,
                      struct progress *progress, uint64_t from, uint64_t to)
{
	struct caller caller = { .scene = scene, .progress = progress, .quiet = true };
	for (uint64_t number = from; number < to; number++) {
		struct mutation mutation;
		atomic_store(&progress->number, number);
		draw(scene, settings, number, &mutation, &caller.dice);
		open_before(&caller, &mutation);
		open_damaged(&caller, &mutation, "opened after the damage", call_open);
		open_damaged(&caller, &mutation, "opened for a look", call_open_to_look);
	}
}

/* ---- all of them ------------------------------------------------------------------- */

static void tell(const struct scene *scene, const struct settings *settings, uint64_t first,
                 uint64_t number)
{
	struct mutation mutation;
	struct dice dice;
	draw(scene, settings, number, &mutation, &dice);
	fprintf(stderr,
	        "mutation %llu of seed %llu; again: --seed %llu --only %llu, or with those "
	        "before it: --seed %llu --from %llu --count %llu\n",
	        (unsigned long long)number, (unsigned long long)settings->seed,
	        (unsigned long long)settings->seed, (unsigned long long)number,
	        (unsigned long long)settings->seed, (unsigned long long)first,
	        (unsigned long long)number - (unsigned long long)first + 1);
	mutation_print(&mutation, scene->image, scene->size, stderr);
}

/* Runs [from, to) in a child; returns how far it came, and counts a failure. */
static uint64_t run_in_child(const struct scene *scene, const struct settings *settings,
                             struct progress *progress, uint64_t from, uint64_t to, int *failures)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(scene->lifeline);
		run_batch(scene, settings, progress, from, to);
		_exit(0);
	}
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (watch(pid, progress) == 0)
		return to;
	uint64_t number = atomic_load(&progress->number);
	tell(scene, settings, from, number);
	++*failures;
	return number + 1;
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

static struct settings read_settings(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "count", required_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' }, { "only", required_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },    { "save", required_argument, NULL, 'w' },
		{ "shared", no_argument, NULL, 'S' },     { NULL, 0, NULL, 0 },
	};
	struct settings settings = { .seed = 1, .count = 2000 };
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			settings.seed = number_of(optarg);
			break;
		case 'c':
			settings.count = number_of(optarg);
			break;
		case 'f':
			settings.from = number_of(optarg);
			break;
		case 'o':
			settings.from = number_of(optarg);
			settings.count = 1;
			break;
		case 'v':
			settings.verbose = true;
			break;
		case 'S':
			settings.shared = true;
			break;
		case 'w':
			settings.save = optarg;
			break;
		default:
			exit(2);
		}
	}
	return settings;
}

static void save_all(const struct scene *scene, const struct settings *settings)
{
	for (uint64_t number = settings->from; number < settings->from + settings->count;
	     number++) {
		struct mutation mutation;
		struct dice dice;
		char path[4096];
		draw(scene, settings, number, &mutation, &dice);
		snprintf(path, sizeof path, "%s/%llu-%llu", settings->save,
		         (unsigned long long)settings->seed, (unsigned long long)number);
		FILE *file = fopen(path, "wbe");
		size_t size = mutation.count * sizeof mutation.edits[0];
		if (file == NULL || fwrite(mutation.edits, 1, size, file) != size ||
		    fclose(file) != 0)
			perror(path);
	}
}

int main(int argc, char **argv)
{
	struct settings settings = read_settings(argc, argv);
	struct progress *progress = progress_new();
	struct scene scene;
	int failures = 0;
	scene_make(&scene, settings.shared);
	if (settings.save != NULL) {
		save_all(&scene, &settings);
		scene_remove(&scene);
		return 0;
	}
	uint64_t end = settings.from + settings.count;
	for (uint64_t at = settings.from; at < end && failures < FAILURES_MOST;) {
		uint64_t to = end - at < BATCH ? end : at + BATCH;
		if (settings.verbose)
			for (uint64_t number = at; number < to && settings.count == 1; number++)
				tell(&scene, &settings, at, number);
		at = run_in_child(&scene, &settings, progress, at, to, &failures);
	}
	printf("seed %llu: %llu mutations from %llu, %llu calls (%llu of them succeeded), %d "
	       "failures\n",
	       (unsigned long long)settings.seed, (unsigned long long)settings.count,
	       (unsigned long long)settings.from,
	       (unsigned long long)atomic_load(&progress->call_number),
	       (unsigned long long)atomic_load(&progress->calls_ok), failures);
	scene_remove(&scene);
	return failures == 0 ? 0 : 1;
}
