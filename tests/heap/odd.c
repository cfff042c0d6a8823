/* SPDX-License-Identifier: MIT */
/*
 * odd.c - an odd number in a place that is nobody's mark: no call waits for it, mdg_heap_check
 * mends it in a root, and a mark is never taken for one.
 */
#include "heap/heap.h"

#include <madang/map.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/held.h"
#include "sync/points/step.h"

#define SECOND UINT64_C(1000000000)

static mdg_heap *heap;
static struct mdg__heap *in;

/* What the place contains while the thread with this slot takes something out of it. */
static uint64_t mark_of(uint32_t index, uint32_t later)
{
	struct mdg__holder holder = mdg__holder_slot(in, index);
	holder.generation += later;
	return mdg__holder_mark(in, holder);
}

enum { WORDS = 6 };
static void odd_words(uint64_t ret[WORDS])
{
	ret[0] = 3;
	ret[1] = UINT64_MAX;
	ret[2] = mark_of(0, 1); /* of another generation, */
	ret[3] = mark_of(0, UINT32_MAX);
	ret[4] = mark_of(0, 0) ^ UINT64_C(1) << 40; /* of another heap, */
	ret[5] = mark_of(0, 0) | 0x7ffe;            /* and of a slot that there is not */
}

static void fill(mdg_ref *place)
{
	CHECK_RC(0, mdg_publish(heap, mdg_hold(heap, 64), place, 0));
}

/* ---- roots ----------------------------------------------------------------------------------- */

static int note(const struct mdg_heap_finding *finding, void *context)
{
	*(int *)context += finding->kind == MDG_HEAP_FOUND_ROOT &&
	                   strstr(finding->text, "an odd number") != NULL;
	return 0;
}

static int look_only(uint64_t unused)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .flags = MDG_HEAP_RDONLY };
	mdg_ref *place;
	int found = 0;
	(void)unused;
	mdg_heap_close(heap);
	heap = heap_open("odd", &options);
	CHECK_RC(MDG_BROKEN, mdg_root(heap, "root", 7, 1, &place, mdg_deadline(2 * SECOND)));
	CHECK(mdg_heap_check(heap, 0, note, &found) == 1 && found == 1);
	return test_result();
}

static void in_a_child(int (*work)(uint64_t), uint64_t argument)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		_exit(work(argument));
	}
	if (!CHECK(waitpid(child, &status, 0) == child && status == 0))
		fprintf(stderr, "status %x\n", (unsigned)status);
}

static void roots(void)
{
	uint64_t words[WORDS];
	mdg_ref *place, *again;
	void *old, *block = mdg_hold(heap, 64);
	odd_words(words);
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "root", 7, 1, &place, 0));
	for (int i = 0; i < WORDS; i++) {
		int found = 0;
		*place = words[i];
		CHECK_RC(MDG_BROKEN, mdg_root(heap, "root", 7, 1, &again, 0));
		CHECK_RC(MDG_BROKEN,
		         mdg_root(heap, "root", 7, 1, &again, mdg_deadline(2 * SECOND)));
		CHECK_RC(MDG_UNLIKE_TYPE, mdg_root(heap, "root", 8, 1, &again, 0));
		CHECK_RC(MDG_BROKEN, mdg_root_remove(heap, "root"));
		CHECK(mdg_take(heap, place) == NULL && mdg_heap_why(heap) == MDG_BROKEN);
		CHECK_RC(MDG_BROKEN, mdg_swap(heap, block, place, &old));
		CHECK_RC(-EAGAIN, mdg_publish(heap, block, place, 0));
		CHECK_RC(-EAGAIN, mdg_publish(heap, block, place, *place));
		in_a_child(look_only, 0);
		CHECK(mdg_heap_check(heap, 0, note, &found) == 1 && found == 1);
		CHECK(*place == words[i]);
		CHECK(mdg_heap_check(heap, MDG_CHECK_REPAIR, note, &found) == 0 && found == 2);
		CHECK(*place == 0 && mdg_heap_check(heap, 0, NULL, NULL) == 0);
		CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "root", 7, 1, &again, 0));
	}
	CHECK_RC(0, mdg_free(heap, block));
	CHECK_RC(0, mdg_root_remove(heap, "root"));
}

/* The mark of a thread that lives. */
static void marks(void)
{
	mdg_ref *place, *again;
	void *old, *block = mdg_hold(heap, 64);
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "mark", 7, 1, &place, 0));
	_Atomic uint64_t *word = (_Atomic uint64_t *)(void *)place;
	*place = mark_of(0, 0);
	CHECK_RC(-EAGAIN, mdg_root(heap, "mark", 7, 1, &again, 0));
	CHECK_RC(-ETIMEDOUT, mdg_root(heap, "mark", 7, 1, &again, mdg_deadline(SECOND / 50)));
	CHECK_RC(-EBUSY, mdg_root_remove(heap, "mark"));
	CHECK(mdg_take(heap, place) == NULL && mdg_heap_why(heap) == 0);
	CHECK_RC(-EAGAIN, mdg_swap(heap, block, place, &old));
	CHECK(mdg_heap_check(heap, MDG_CHECK_REPAIR, NULL, NULL) == 0 && *place == mark_of(0, 0));
	/* It was the mark of a slot that is another's by now, and so the place has lost it. */
	*place = 0;
	CHECK(!mdg__place_is_nonsense(in, word, mark_of(0, UINT32_MAX)));
	*place = MDG__PLACE_REMOVED;
	CHECK(!mdg__place_is_nonsense(in, word, MDG__PLACE_REMOVED));
	*place = 0;
	CHECK_RC(0, mdg_free(heap, block));
	CHECK_RC(0, mdg_root_remove(heap, "mark"));
}

/* ---- places in blocks ------------------------------------------------------------------------ */

static void places(void)
{
	mdg_ref *place = mdg_alloc_zeroed(heap, 2, sizeof *place);
	void *old, *block = mdg_hold(heap, 64);
	*place = MDG__PLACE_REMOVED; /* that says nothing here */
	CHECK(mdg_take(heap, place) == NULL && mdg_heap_why(heap) == MDG_BROKEN);
	CHECK_RC(MDG_BROKEN, mdg_swap(heap, block, place, &old));
	*place = 0;
	CHECK(mdg_take(heap, place) == NULL && mdg_heap_why(heap) == 0);
	CHECK_RC(0, mdg_swap(heap, block, place, &old));
	CHECK(mdg_take(heap, place) == block && *place == 0);
	CHECK_RC(0, mdg_free(heap, block));
	CHECK_RC(0, mdg_free(heap, place));
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void map_of_bytes(void)
{
	struct mdg_map_options options = { .size = sizeof options };
	mdg_map *map, *again;
	mdg_ref *place;
	options.deadline = mdg_deadline(20 * SECOND);
	CHECK_RC(0, mdg_map_open(&map, heap, "map", &options));
	CHECK_RC(0, mdg_root(heap, "map", MDG_MAP_TYPE, 2, &place, 0));
	mdg_ref head = *place;
	*place = 3;
	options.deadline = mdg_deadline(2 * SECOND);
	CHECK_RC(MDG_BROKEN, mdg_map_open(&again, heap, "map", &options));
	options.flags = MDG_MAP_EXISTING;
	CHECK_RC(MDG_BROKEN, mdg_map_open(&again, heap, "map", &options));
	CHECK_RC(MDG_BROKEN, mdg_map_destroy(heap, "map"));
	*place = mark_of(0, 0); /* somebody removes it just now */
	CHECK_RC(-ENOENT, mdg_map_open(&again, heap, "map", &options));
	*place = head;
	CHECK_RC(0, mdg_map_destroy(heap, "map"));
	mdg_map_close(map);
}

/* The place of a value in a node. */
static void map_of_blocks(void)
{
	struct mdg_map_options options = { .size = sizeof options, .flags = MDG_MAP_REFS };
	struct mdg_map_entry entry = { .size = sizeof entry };
	mdg_map *map;
	void *old = NULL, *block = mdg_hold(heap, 64);
	CHECK_RC(0, mdg_map_open(&map, heap, "blocks", &options));
	CHECK_RC(0, mdg_map_put_ref(map, "key", 3, block, &old));
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_map_see(map, "key", 3, &entry));
	/* It lies 24 bytes before the key. */
	mdg_ref *place = (mdg_ref *)(uintptr_t)((uintptr_t)entry.key - 24);
	CHECK_RC(0, mdg_read_end(heap));
	if (!CHECK(*place == mdg_ref_of(heap, block)))
		return;
	*place = 3;
	block = mdg_hold(heap, 64);
	CHECK_RC(MDG_BROKEN, mdg_map_put_ref(map, "key", 3, block, &old));
	CHECK_RC(MDG_BROKEN, mdg_map_take(map, "key", 3, &old));
	CHECK_RC(0, mdg_map_clear(map));
	CHECK_RC(0, mdg_map_put_ref(map, "key", 3, block, &old));
	mdg_map_close(map);
	CHECK_RC(0, mdg_map_destroy(heap, "blocks"));
}

/* ---- those who die while they take ----------------------------------------------------------- */

/* The block that it takes is none any more. So its sweeper has only the place to empty. */
static int die_taking(uint64_t place)
{
	(void)mdg_hold(heap, 64);
	uint32_t index = 0, used = mdg__heap_slots_used(in);
	while (index + 1 < used && in->slot[index].pid != getpid())
		index++;
	struct mdg__hand *hand = &in->slot[index].hands[1];
	MDG__STORE(hand->ref, in->parts.data + 8);
	MDG__STORE(hand->place, place);
	mdg__hand_set(hand, MDG__HAND_TAKE);
	*(mdg_ref *)mdg_at(heap, place) = mark_of(index, 0);
	return 0;
}

static void nothing_taken(void)
{
	mdg_ref *place;
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "none", 7, 1, &place, 0));
	in_a_child(die_taking, mdg_ref_of(heap, place));
	CHECK((*place & 1) != 0);
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "none", 7, 1, &place, mdg_deadline(10 * SECOND)));
	CHECK_RC(0, mdg_root_remove(heap, "none"));
}

static void take(void *unused)
{
	mdg_ref *place;
	(void)unused;
	if (mdg_root(heap, "stepped", 7, 1, &place, MDG_FOREVER) == MDG_ROOT_NEW)
		fill(place);
	step_begins();
	(void)mdg_take(heap, place);
	step_ends();
}

/* Looks and takes all the time, beside those who die. */
static int watch(uint64_t unused)
{
	(void)unused;
	for (;;) {
		mdg_ref *place;
		int rc = mdg_root(heap, "stepped", 7, 1, &place, 0);
		if (!CHECK(rc == 0 || rc == MDG_ROOT_NEW || rc == -EAGAIN))
			return fprintf(stderr, "%s\n", mdg_strerror(rc));
		if (rc == MDG_ROOT_NEW)
			(void)mdg_publish(heap, mdg_hold(heap, 64), place, 0);
		if (rc < 0)
			continue;
		void *block = mdg_take(heap, place);
		if (!CHECK(block != NULL || mdg_heap_why(heap) == 0) ||
		    !CHECK(block == NULL || mdg_free(heap, block) == 0))
			return 1;
	}
}

static void points(void)
{
	static struct step step;
	const char *reason;
	unsigned point = 0, marked = 0;
	enum step_event event = STEP_POINT;
	mdg_ref *place;
	if (!step_possible(&reason)) {
		printf("no points: %s\n", reason);
		return;
	}
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "stepped", 7, 1, &place, 0));
	fill(place);
	for (int round = 0; round < 2; round++, event = STEP_POINT) {
		int status;
		pid_t watcher = round == 0 ? 0 : fork();
		if (round == 1 && watcher == 0)
			_exit(watch(0));
		for (point = 0; event == STEP_POINT && check_failures < 10; point += POINT_STRIDE) {
			if (!CHECK(step_start(&step, heap->base, sizeof step.seen, take, NULL)))
				return;
			event = step_to(&step, point);
			marked += (*(_Atomic uint64_t *)(void *)place & 1) != 0;
			step_kill(&step);
			int rc = mdg_root(heap, "stepped", 7, 1, &place, mdg_deadline(10 * SECOND));
			if (CHECK(rc == 0 || rc == MDG_ROOT_NEW) && rc == MDG_ROOT_NEW)
				fill(place);
		}
		if (round == 0)
			continue;
		CHECK(waitpid(watcher, &status, WNOHANG) == 0);
		CHECK(kill(watcher, SIGKILL) == 0 && waitpid(watcher, &status, 0) == watcher);
	}
	CHECK(marked > 0 || POINT_STRIDE > 1);
	printf("take: %u points, %u with a mark\n", point, marked);
}

int main(void)
{
	const struct mdg_heap_options options = { .size = sizeof options, .maximum = 16 << 20 };
	enter_namespace();
	alarm(200); /* a call that waits */
	in = mdg__heap_of(heap = heap_open("odd", &options));
	CHECK_RC(0, mdg_free(heap, mdg_hold(heap, 16))); /* it has slot 0 */
	roots();
	marks();
	places();
	map_of_bytes();
	map_of_blocks();
	nothing_taken();
	points();
	mdg_heap_close(heap);
	return test_result();
}
