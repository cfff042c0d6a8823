/* SPDX-License-Identifier: MIT */
/*
 * map_renamed.c - a process has found the root of a map by its name, and has not looked yet what it
 * refers to. Meanwhile the map is destroyed, and the entry of its root becomes that of another one.
 *
 * The process stops when its read section has begun: that is after the root was found.
 */
#include "heap/maps.h"
#include "sync/points/step.h"

enum { SLOTS = 8 };

static struct step step;

static void opener(void *argument)
{
	const uint32_t *flags = argument;
	struct mdg_map_options options = { .size = sizeof options, .flags = *flags };
	mdg_map *map = NULL;
	CHECK(mdg_read_begin(heap) == 0 && mdg_read_end(heap) == 0); /* it has a slot */
	step_begins();
	int rc = mdg_map_open(&map, heap, "one", &options);
	step_ends();
	if (*flags == MDG_MAP_EXISTING)
		CHECK(rc == -ENOENT);
	else
		CHECK(rc == 0 && mdg_map_put(map, "key", 3, "value", 5, NULL) == 0);
	_exit(check_failures == 0 ? 0 : 1);
}

static bool somebody_reads(void)
{
	const struct mdg__heap *own = mdg__heap_of(heap);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (MDG__LOAD(own->slot[i].epoch) != 0)
			return true;
	return false;
}

static void play(uint32_t flags)
{
	int status = -1;
	mdg_map *one = map_of("one", 0), *two;
	mdg_ref *place = mdg__map_place(one->place);
	if (!CHECK(step_start(&step, mdg__heap_of(heap)->slot,
	                      SLOTS * sizeof(struct mdg__heap_slot), opener, &flags)))
		return;
	while (!somebody_reads() && step_next(&step) == STEP_POINT)
		;
	CHECK(somebody_reads());
	CHECK(mdg_map_destroy(heap, "one") == 0);
	two = map_of("two", 0);
	CHECK(mdg__map_place(two->place) == place); /* the same entry */
	step_pause(&step);
	kill(step.pid, SIGCONT);
	if (!CHECK(ends_within(step.pid, 20000, &status, true)))
		step_kill(&step);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(mdg_map_count(two) == 0);
	mdg_map_close(one);
	mdg_map_close(two);
	int rc = mdg_map_destroy(heap, "one");
	CHECK(rc == (flags == MDG_MAP_EXISTING ? -ENOENT : 0));
	CHECK(mdg_map_destroy(heap, "two") == 0);
}

int main(void)
{
	const char *reason = NULL;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	open_heap();
	/* There are as many slots as are looked at. */
	CHECK(mdg_read_begin(heap) == 0 && mdg_read_end(heap) == 0);
	play(0);
	play(MDG_MAP_EXISTING);
	mdg_heap_close(heap);
	mdg_namespace_close(ns);
	return test_result();
}
