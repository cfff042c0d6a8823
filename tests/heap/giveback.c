/* SPDX-License-Identifier: MIT */
/*
 * giveback.c - a slab is given back while its last block is freed. Whoever frees that is killed or
 * stopped at each point on the way.
 *
 *     heap-giveback [--all] [held | last]
 *
 * held: the block was held, and its slab is the thread's own. The next life of the unit must not
 * find that the block is still held: others use the unit, and free all that they have in it.
 *
 * last: nobody owns the slab. While the thread is about to adopt it, another one adopts it,
 * allocates a block, dies, and is swept. That block must not be free when the first one goes on.
 */
#include "heap/heap.h"

#include <signal.h>

#include "sync/points/step.h"

enum { SIZE = 8000, OF_SLAB = 8, MANY = 3 * OF_SLAB, UNITS = 8 };

static mdg_heap *heap;
static struct mdg__heap *inside;
static mdg_ref *place;
static unsigned points;

/* What the tracer looks at. In `last` each instruction is a point from the moment on in which the
 * block is free. */
static struct {
	uint64_t head, bits, hint, label, lock, instructions;
} image;
static uint64_t unit; /* of the slab */
static bool each_instruction;

static void refresh(void)
{
	image.head = MDG__LOAD(inside->heads[unit]);
	image.bits = MDG__LOAD(*mdg__free_words(inside, unit)) << 32 |
	             MDG__LOAD(*mdg__remote_words(inside, unit));
	image.hint = MDG__LOAD(inside->hints[unit]);
	image.label = MDG__LOAD(inside->labels[unit * MDG__LABELS_OF_UNIT]);
	image.lock = MDG__LOAD(inside->head->lock.robust.word);
	image.instructions += each_instruction && (image.bits & 0xffffffff) != 0;
}

static bool is_locked_by(pid_t pid)
{
	return (MDG__LOAD(inside->head->lock.robust.word) & MDG__TID) == (uint32_t)pid;
}

/* Runs it in a process that is killed at its end. */
static bool in_corpse(bool (*body)(void))
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(body() ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static bool go_on(const struct step *step)
{
	int status = 0;
	kill(step->pid, SIGCONT);
	if (ends_within(step->pid, 20000, &status, true))
		return WIFEXITED(status) && WEXITSTATUS(status) == 0;
	kill(step->pid, SIGKILL);
	waitpid(step->pid, &status, 0);
	return false;
}

static void free_in_steps(void *block)
{
	step_begins();
	int rc = mdg_free(heap, block);
	step_ends();
	if (rc != 0)
		_exit(1);
}

/* ---- held ---------------------------------------------------------------------------------- */

/* The first slab has only the block that is held. The second one has a free block, and the third
 * one is in use. So when the block is freed, its slab goes. */
static void free_held(void *unused)
{
	int why;
	(void)unused;
	void *all[2 * OF_SLAB], *held = mdg_hold(heap, SIZE);
	for (int i = 0; i < 2 * OF_SLAB; i++)
		all[i] = mdg_alloc(heap, SIZE);
	for (int i = 0; i < OF_SLAB; i++)
		(void)mdg_free(heap, all[i]);
	for (int i = 0; i < OF_SLAB; i++) /* to be freed by others */
		place[i] = mdg_ref_of(heap, all[OF_SLAB + i]);
	struct mdg__heap_own *own = mdg__own_begin(inside, &why);
	if (own == NULL)
		_exit(1);
	own->cache[mdg__heap_class_of(SIZE)].tick = 7; /* it is time to look */
	mdg__own_end(own);
	free_in_steps(held);
}

/* Others use the unit. What they have stays theirs, and can be freed. */
static bool use_unit(void)
{
	void *all[MANY];
	check_failures = 0;
	all[0] = mdg_alloc(heap, SIZE); /* where the other one was */
	all[1] = mdg_hold(heap, SIZE);  /* now its slab has labels */
	CHECK(mdg_keep(heap, all[1]) == 0);
	for (int i = 2; i < MANY; i++)
		all[i] = mdg_alloc(heap, SIZE);
	CHECK(mdg_heap_sweep(heap) >= 0);
	for (int i = 0; i < MANY; i++)
		CHECK(mdg_usable_size(heap, all[i]) != 0 && mdg_free(heap, all[i]) == 0);
	return test_result() == 0;
}

/* False: it had ended before that point. */
static bool held_at(unsigned point, bool dies)
{
	static struct step step;
	unit = 1; /* the first one has `place` */
	if (!CHECK(step_start(&step, &image, sizeof image, free_held, NULL)))
		return false;
	CHECK(MDG__HEAD_CLASS(MDG__LOAD(inside->heads[unit])) == mdg__heap_class_of(SIZE));
	bool cut = step_to(&step, point) == STEP_POINT;
	if (dies) {
		step_kill(&step);
	} else {
		step_pause(&step);
		CHECK(is_locked_by(step.pid) || in_corpse(use_unit));
		CHECK(go_on(&step));
	}
	CHECK(in_corpse(use_unit));
	for (int i = 0; i < OF_SLAB; i++) {
		CHECK(mdg_free(heap, mdg_at(heap, place[i])) == 0);
		place[i] = 0;
	}
	(void)mdg_heap_sweep(heap);
	CHECK(MDG__LOAD(inside->heads[unit]) == 0);
	return cut;
}

/* ---- last ---------------------------------------------------------------------------------- */

static bool leave_one(void)
{
	void *block = mdg_hold(heap, SIZE);
	return block != NULL && mdg_publish(heap, block, place, 0) == 0;
}

static void free_last(void *unused)
{
	(void)unused;
	void *block = mdg_take(heap, place);
	(void)mdg_keep(heap, block);
	free_in_steps(block);
}

/* It adopts the slab, and dies with a block that is linked. */
static bool adopt_and_die(void)
{
	return leave_one();
}
static bool sweep_dead(void)
{
	return mdg_heap_sweep(heap) >= 0;
}

static bool last_at(unsigned point)
{
	static struct step step;
	CHECK(in_corpse(leave_one));
	(void)mdg_heap_sweep(heap);
	unit = (*place - inside->parts.data) >> MDG__UNIT_SHIFT;
	if (!CHECK(MDG__HEAD_OWNER(MDG__LOAD(inside->heads[unit])) == 0) ||
	    !CHECK(step_start(&step, &image, sizeof image, free_last, NULL)))
		return false;
	bool cut = step_to(&step, point) == STEP_POINT;
	step_pause(&step);
	*place = 0;
	if (!is_locked_by(step.pid)) {
		CHECK(in_corpse(adopt_and_die));
		CHECK(in_corpse(sweep_dead));
	}
	CHECK(go_on(&step));
	(void)mdg_heap_sweep(heap);
	if (*place != 0) {
		CHECK(mdg_usable_size(heap, mdg_at(heap, *place)) != 0);
		CHECK(mdg_free(heap, mdg_at(heap, *place)) == 0);
	}
	*place = 0;
	(void)mdg_heap_sweep(heap);
	return cut;
}

/* ---- all ----------------------------------------------------------------------------------- */

static void play_held(void)
{
	for (int dies = 0; dies < 2; dies++) {
		unsigned point = 0, before = points;
		for (; held_at(point, dies) && check_failures == 0; point++)
			points++;
		CHECK(points - before >= 6);
	}
}

static void play_last(unsigned stride)
{
	each_instruction = true;
	unsigned point = (unsigned)(time(NULL) / 60) % stride, before = points;
	for (; last_at(point) && check_failures == 0; point += stride)
		points++;
	CHECK(points - before >= 50 / stride);
	each_instruction = false;
}

int main(int argc, char **argv)
{
	const char *reason;
	bool all = wants_all_points(&argc, &argv);
	enter_namespace();
	if (!step_possible(&reason))
		SKIP("%s", reason);
	heap = heap_open("giveback", NULL);
	inside = mdg__heap_of(heap);
	place = mdg_alloc_zeroed(heap, OF_SLAB, sizeof *place);
	(void)mdg__tables_promise(inside, 0, UNITS);
	for (uint64_t i = 0; i < UNITS; i++)
		(void)mdg__labels_promise(inside, i, OF_SLAB);
	step_refresh = refresh;
	if (argc < 2 || strcmp(argv[1], "held") == 0)
		play_held();
	if (argc < 2 || strcmp(argv[1], "last") == 0)
		play_last(all ? 1 : 7 * POINT_STRIDE);
	printf("%u points\n", points);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "giveback") == 0);
	mdg_namespace_close(ns);
	return test_result();
}
