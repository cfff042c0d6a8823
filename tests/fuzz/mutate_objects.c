/* SPDX-License-Identifier: MIT */
/*
 * mutate_objects - damaged sets of semaphores and message queues: many of them, each with every
 * call.
 *
 *     mutate_objects [--seed N] [--count N] [--from N] [--cut N]
 *     mutate_objects --save DIRECTORY ...
 *
 * The n-th damage of a seed is always the same, and n says whether it is a set's or a queue's. A
 * process does BATCH of them, then a new one goes on. Then --cut N files are cut to any length
 * before a process opens them.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/objects.h"

enum { BATCH = 100, FAILURES_MOST = 5 };

struct settings {
	uint64_t seed, from, count, cut;
	const char *save;
};

static struct objects objects;

static enum object_kind draw(const struct settings *settings, uint64_t number, struct mutation *ret,
                             struct dice *ret_dice)
{
	enum object_kind kind = number % OBJECT_KINDS;
	*ret_dice = dice_of(settings->seed, number);
	object_draw(&objects, kind, ret_dice, ret);
	return kind;
}

static mdg_namespace *enter(void)
{
	mdg_namespace *ns;
	if (mdg_namespace_open(&ns, objects.path, NULL) < 0)
		_exit(EXIT_WRONG);
	return ns;
}

static void run_batch(const struct settings *settings, struct progress *progress, uint64_t from,
                      uint64_t to)
{
	struct caller caller = { .progress = progress };
	mdg_namespace *ns = enter();
	for (uint64_t number = from; number < to; number++) {
		struct mutation mutation;
		atomic_store(&progress->number, number);
		enum object_kind kind = draw(settings, number, &mutation, &caller.dice);
		object_damage(&objects, kind, &mutation, 0);
		call_start(&caller);
		object_call(&caller, &objects, kind, ns);
	}
}

/* The file is cut, and holds what it held up to there. */
static void run_cut(const struct settings *settings, struct progress *progress, uint64_t number)
{
	struct caller caller = { .progress = progress, .dice = dice_of(settings->seed, number) };
	const struct mutation none = { 0 };
	enum object_kind kind = number % OBJECT_KINDS;
	uint32_t size = objects.of[kind].size, length = 1 + roll_below(&caller.dice, size);
	if (one_in(&caller.dice, 2))
		length = 4096 * (1 + roll_below(&caller.dice, size / 4096));
	atomic_store(&progress->number, number);
	object_damage(&objects, kind, &none, length);
	call_start(&caller);
	object_call(&caller, &objects, kind, enter());
}

/* What a child has made anew, the others have to know: so it writes down what it knows. */
static int in_child(const struct settings *settings, struct progress *progress, uint64_t from,
                    uint64_t to, bool cut)
{
	int say[2];
	fflush(NULL);
	if (pipe(say) < 0)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		atomic_store(&progress->phase, cut ? "with a file that was cut" : "after damage");
		if (cut)
			run_cut(settings, progress, from);
		else
			run_batch(settings, progress, from, to);
		_exit(write(say[1], &objects, sizeof objects) != (ssize_t)sizeof objects);
	}
	close(say[1]);
	int failed = pid < 0 || watch(pid, progress) != 0;
	if (!failed && read(say[0], &objects, sizeof objects) != (ssize_t)sizeof objects)
		failed = 1;
	close(say[0]);
	if (failed) {
		objects_remove(&objects); /* nobody knows what it had made anew */
		objects_make(&objects);
		fprintf(stderr, "number %llu of seed %llu, in those from %llu on%s\n",
		        (unsigned long long)atomic_load(&progress->number),
		        (unsigned long long)settings->seed, (unsigned long long)from,
		        cut ? ", cut" : "");
	}
	return failed;
}

static void save_all(const struct settings *settings)
{
	for (uint64_t number = settings->from; number < settings->from + settings->count;
	     number++) {
		struct mutation mutation;
		struct dice dice;
		char path[4096];
		unsigned char kind = (unsigned char)draw(settings, number, &mutation, &dice);
		size_t size = mutation.count * sizeof mutation.edits[0];
		snprintf(path, sizeof path, "%s/%llu-%llu", settings->save,
		         (unsigned long long)settings->seed, (unsigned long long)number);
		FILE *file = fopen(path, "wbe");
		if (file == NULL || fwrite(&kind, 1, 1, file) != 1 ||
		    fwrite(mutation.edits, 1, size, file) != size || fclose(file) != 0)
			perror(path);
	}
}

static struct settings read_settings(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "count", required_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' }, { "cut", required_argument, NULL, 'u' },
		{ "save", required_argument, NULL, 'w' }, { NULL, 0, NULL, 0 },
	};
	struct settings settings = { .seed = 1, .count = 1000, .cut = 100 };
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t value =
			option == 'w' ? 0 : strtoull(optarg == NULL ? "" : optarg, NULL, 0);
		if (option == 's')
			settings.seed = value;
		else if (option == 'c')
			settings.count = value;
		else if (option == 'f')
			settings.from = value;
		else if (option == 'u')
			settings.cut = value;
		else if (option == 'w')
			settings.save = optarg;
		else
			exit(2);
	}
	return settings;
}

int main(int argc, char **argv)
{
	const struct settings settings = read_settings(argc, argv);
	struct progress *progress = progress_new();
	uint64_t end = settings.from + settings.count;
	int failures = 0;
	objects_make(&objects);
	if (settings.save != NULL) {
		save_all(&settings);
		objects_remove(&objects);
		return 0;
	}
	for (uint64_t at = settings.from; at < end && failures < FAILURES_MOST; at += BATCH)
		failures += in_child(&settings, progress, at, end - at < BATCH ? end : at + BATCH,
		                     false);
	for (uint64_t at = 0; at < settings.cut && failures < FAILURES_MOST; at++)
		failures += in_child(&settings, progress, at, at + 1, true);
	printf("seed %llu: %llu damages and %llu cuts, %llu calls (%llu of them succeeded), %d "
	       "failures\n",
	       (unsigned long long)settings.seed, (unsigned long long)settings.count,
	       (unsigned long long)settings.cut,
	       (unsigned long long)atomic_load(&progress->call_number),
	       (unsigned long long)atomic_load(&progress->calls_ok), failures);
	objects_remove(&objects);
	return failures == 0 ? 0 : 1;
}
