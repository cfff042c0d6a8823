/* SPDX-License-Identifier: MIT */
/*
 * read_points.c - retiring, freeing what was retired, and sweeping that of a dead thread: killed
 * after each store. Then somebody else sweeps, and no block is lost.
 *
 * usage: heap-read_points [--all] [retire | large | free | sweep]
 *
 * Without --all, a part of the points of what takes long is played: in each minute other ones.
 */
#include "heap/read.h"

#include <signal.h>

#include "sync/points/step.h"

static void retire_small(void *unused)
{
	(void)unused;
	void *block = mdg_hold(heap, 64);
	step_begins();
	(void)mdg_retire(heap, block); /* begins a bag */
	step_ends();
}

static void retire_second(void *unused)
{
	(void)unused;
	retire_one(64);
	void *block = mdg_hold(heap, 64);
	step_begins();
	(void)mdg_retire(heap, block);
	step_ends();
}

static void retire_large(void *unused)
{
	(void)unused;
	void *block = mdg_hold(heap, 300000);
	step_begins();
	(void)mdg_retire(heap, block); /* closes the bag, and frees all */
	step_ends();
}

static void free_bags(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++)
		retire_one(64);
	step_begins();
	(void)mdg_heap_sweep(heap);
	step_ends();
}

static void die_with_some(void)
{
	pid_t child = fork();
	if (child == 0) {
		retire_one(64);
		retire_one(300000);
		retire_one(64);
		raise(SIGKILL);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/* Its bags are there when it is swept. */
static void prepare_dead(void)
{
	CHECK_RC(0, mdg_read_begin(heap));
	die_with_some();
	CHECK_RC(0, mdg_read_end(heap));
}

static void sweep_dead(void *unused)
{
	(void)unused;
	(void)mdg_read_begin(heap); /* it has a slot after this; an allocation would sweep */
	(void)mdg_read_end(heap);
	step_begins();
	(void)mdg_heap_sweep(heap);
	step_ends();
}

static void read_section(void *unused)
{
	(void)unused;
	mdg_free(heap, mdg_alloc(heap, 64));
	step_begins();
	(void)mdg_read_begin(heap);
	(void)mdg_read_end(heap);
	step_ends();
}

/* What is to be seen changing. */
static const void *watched;
static bool all_points;
static unsigned stride = POINT_STRIDE;

static unsigned at_each_point(const char *what, void (*prepare)(void), void (*body)(void *))
{
	static struct step step;
	enum step_event event = STEP_POINT;
	unsigned point = (unsigned)(time(NULL) / 60) % stride;
	uint64_t before = live();
	for (; event == STEP_POINT && check_failures < 10; point += stride) {
		if (prepare != NULL)
			prepare();
		if (!CHECK(step_start(&step, watched, sizeof step.seen, body, NULL)))
			return 0;
		event = step_to(&step, point);
		step_kill(&step);
		sweep_all();
		if (!CHECK(live() == before))
			fprintf(stderr, "%s, point %u: %llu blocks, not %llu\n", what, point,
			        (unsigned long long)live(), (unsigned long long)before);
	}
	CHECK(event == STEP_ENDED);
	return point;
}

/* The short form plays one of so many points. */
static void play_each(unsigned of)
{
	stride = all_points ? 1 : of * POINT_STRIDE;
}

/* The slots and bitmaps are one range of memory, and the blocks and labels of each unit are others.
 * A death is played after each change in each of them. */
static void in_each_range(const char *what, void (*prepare)(void), void (*body)(void *),
                          unsigned least)
{
	enum { UNITS = 3 };
	const struct mdg__heap *inside = mdg__heap_of(heap);
	watched = inside->slot;
	unsigned count = at_each_point(what, prepare, body);
	for (uint64_t unit = 0; unit < UNITS; unit++) {
		watched = mdg__unit_at(inside, unit);
		count += at_each_point(what, prepare, body);
		watched = &inside->labels[unit * MDG__LABELS_OF_UNIT];
		count += at_each_point(what, prepare, body);
	}
	printf("%s: %u points\n", what, count);
	CHECK(count >= least || stride > 1);
}

static void points_begin(void)
{
	const char *reason;
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 1 << 21,
		                            .threads = 16 };
	if (!step_possible(&reason))
		SKIP("%s", reason);
	CHECK_RC(0, mdg_heap_open(&heap, ns, "points", &options));
	sweep_all();
}

static void points_retire(void)
{
	points_begin();
	in_each_range("read", NULL, read_section, 7);
	in_each_range("retire", NULL, retire_small, 30);
	in_each_range("retire the second", NULL, retire_second, 18);
	mdg_heap_close(heap);
}

static void points_large(void)
{
	points_begin();
	play_each(3);
	in_each_range("retire a large one", NULL, retire_large, 40);
	mdg_heap_close(heap);
}

static void points_free(void)
{
	points_begin();
	play_each(2);
	in_each_range("free bags", NULL, free_bags, 40);
	mdg_heap_close(heap);
}

static void points_sweep(void)
{
	points_begin();
	play_each(8);
	in_each_range("sweep a dead one", prepare_dead, sweep_dead, 60);
	mdg_heap_close(heap);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = { { "retire", points_retire },
		    { "large", points_large },
		    { "free", points_free },
		    { "sweep", points_sweep } };
	all_points = wants_all_points(&argc, &argv);
	ns = unit_open("read", NULL);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (argc < 2 || strcmp(argv[1], all[i].name) == 0)
			all[i].run();
	mdg_namespace_close(ns);
	return test_result();
}
