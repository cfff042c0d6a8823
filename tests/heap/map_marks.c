/* SPDX-License-Identifier: MIT */
/*
 * map_marks.c - a thread takes a block out of a place, and is killed while its mark stands there.
 *
 *     map_marks [SCENE]...
 *
 * Whoever comes next, to the map or to the place itself, finds the place empty. The victims stand
 * at exactly that point: a hand holds the block already, and the place has the mark. The same is
 * done with a sweeper that stands there, and with a writer that dies while it repairs the part of
 * another dead one.
 */
#include "heap/map_victims.h"

static mdg_map *blocks;
static mdg_ref *place; /* in a block of the program's own */

/* ---- where a victim stands ----------------------------------------------------------------- */

/* Whether a hand with this operation names a place that has its mark. */
static bool has_mark(uint32_t op)
{
	struct mdg__heap *own = mdg__heap_of(heap);
	for (uint32_t i = 0; i < mdg__heap_slots_used(own); i++)
		for (int at = 0; at < MDG__HANDS; at++) {
			const struct mdg__hand *hand = &own->slot[i].hands[at];
			uint64_t where = MDG__LOAD(hand->place), word;
			if (MDG__HAND_OP(MDG__LOAD(hand->op)) != op || where == 0)
				continue;
			memcpy(&word, heap->base + (size_t)where, sizeof word);
			if (word == mdg__holder_mark(own, mdg__holder_slot(own, i)))
				return true;
		}
	return false;
}

static bool takes(void)
{
	return has_mark(MDG__HAND_TAKE);
}

static bool holds(void)
{
	return has_mark(MDG__HAND_HELD);
}

static bool node_is_empty(void)
{
	struct mdg__map_view view;
	struct mdg__map_seen seen;
	return find(blocks, &view, &seen) && MDG__LOAD(seen.node->value) == 0;
}

static void watch_all(void)
{
	watch_nothing();
	watch(mdg__heap_of(heap)->slot, 8 * sizeof mdg__heap_of(heap)->slot[0]);
	watch_map(bytes);
	watch_map(blocks);
	watch(place, sizeof *place);
	watch(mdg__heap_of(heap)->root, 4 * sizeof mdg__heap_of(heap)->root[0]);
}

/* ---- victims ------------------------------------------------------------------------------- */

static void remove_key(void *unused)
{
	(void)unused;
	have_memory();
	step_begins();
	(void)mdg_map_remove(bytes, &key, sizeof key);
	step_ends();
}

static void take_key(void *unused)
{
	void *block;
	(void)unused;
	have_memory();
	step_begins();
	(void)mdg_map_take(blocks, &key, sizeof key, &block);
	step_ends();
}

static void put_key(void *unused)
{
	void *block, *old;
	(void)unused;
	have_memory();
	block = mdg_hold(heap, 32);
	step_begins();
	(void)mdg_map_put_ref(blocks, &key, sizeof key, block, &old);
	step_ends();
}

static void take_from_place(void *unused)
{
	(void)unused;
	have_memory();
	step_begins();
	(void)mdg_take(heap, place);
	step_ends();
}

static void destroy_map(void *unused)
{
	(void)unused;
	have_memory();
	step_begins();
	(void)mdg_map_destroy(heap, "passing");
	step_ends();
}

/* ---- who comes next ------------------------------------------------------------------------ */

static void put_bytes(void)
{
	CHECK_RC(0, mdg_map_put(bytes, &key, sizeof key, "value", 5, NULL));
}

static int put_block(void)
{
	void *old = NULL, *block = mdg_hold(heap, 32);
	int rc = block == NULL ? mdg_heap_why(heap)
	                       : mdg_map_put_ref(blocks, &key, sizeof key, block, &old);
	if (rc == 0 && old != NULL)
		rc = mdg_free(heap, old);
	return rc;
}

static void has(mdg_map *map, uint64_t wanted)
{
	CHECK(entries_of(map) == wanted);
	CHECK(mdg_map_count(map) == wanted);
}

/* Both maps can be used, and nothing was lost. */
static void all_is_well(void)
{
	CHECK_RC(0, mdg_map_clear(bytes));
	CHECK_RC(0, mdg_map_clear(blocks));
	has(bytes, 0);
	has(blocks, 0);
	uint64_t wanted = 1 + blocks_of(bytes) + blocks_of(blocks); /* and that with the place */
	for (int i = 0; i < 20 && blocks_allocated() != wanted; i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == wanted);
}

/* ---- the scenes ---------------------------------------------------------------------------- */

static void bytes_removed(void)
{
	put_bytes();
	if (kill_at(remove_key, holds)) {
		put_bytes();
		has(bytes, 1);
	}
	put_bytes();
	if (kill_at(remove_key, holds))
		CHECK_RC(0, mdg_map_clear(bytes));
}

static void block_taken(void)
{
	CHECK_RC(0, put_block());
	if (kill_at(take_key, holds)) {
		CHECK_RC(0, put_block());
		has(blocks, 1);
	}
	void *block;
	if (kill_at(take_key, holds)) {
		CHECK_RC(-ENOENT, mdg_map_take(blocks, &key, sizeof key, &block));
		has(blocks, 0);
	}
}

/* A sweeper stands where the dead taker might have stood. A writer waits until that is ended. */
static void swept_halfway(void)
{
	static struct step sweeper;
	int status = -1;
	CHECK_RC(0, put_block());
	if (!kill_at(take_key, takes) || !bring(&sweeper, sweep, holds))
		return;
	fflush(NULL);
	pid_t writer = fork();
	if (writer == 0)
		_exit(put_block() == 0 ? 0 : 1);
	usleep(100000);
	CHECK(waitpid(writer, &status, WNOHANG) == 0);
	step_kill(&sweeper);
	CHECK(ends_within(writer, 5000, &status, false));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	has(blocks, 1);
}

/* The first one leaves a node without a value. Who takes that away dies, too. */
static void repaired_halfway(void)
{
	if (kill_at(put_key, node_is_empty) && kill_at(put_key, holds)) {
		CHECK_RC(0, put_block());
		has(blocks, 1);
	}
	CHECK_RC(0, mdg_map_clear(blocks));
	if (kill_at(put_key, node_is_empty) && kill_at(put_key, takes))
		CHECK_RC(0, mdg_map_clear(blocks));
}

/* Who has so many locks that it cannot sweep is told so at once. The next one goes on. */
static void too_many_locks(void)
{
	enum { MANY = 62 };
	static mdg_mutex locks[MANY];
	put_bytes();
	if (!kill_at(remove_key, holds))
		return;
	for (int i = 0; i < MANY; i++)
		CHECK_RC(0, mdg_mutex_lock(&locks[i]));
	uint64_t begun = now_ns();
	CHECK_RC(-ENOLCK, mdg_map_put(bytes, &key, sizeof key, "value", 5, NULL));
	CHECK(now_ns() - begun < UINT64_C(5000000000));
	for (int i = 0; i < MANY; i++)
		CHECK_RC(0, mdg_mutex_unlock(&locks[i]));
	put_bytes();
	has(bytes, 1);
}

static bool root_is_marked(void)
{
	struct mdg__heap *own = mdg__heap_of(heap);
	for (uint32_t at = 0; at < MDG_ROOTS_MOST; at++)
		if ((MDG__LOAD(own->root[at].place) & 1) != 0 &&
		    MDG__LOAD(own->root[at].place) != MDG__PLACE_REMOVED)
			return takes() || holds();
	return false;
}

/* Who removes a map dies while it takes the head out of the root. The next one ends that. It is a
 * long way there, so under a sanitizer it is gone once. */
static void head_taken(void)
{
	for (int i = 0; i < (POINT_STRIDE == 1 ? 2 : 1); i++) {
		struct mdg_root_info root = { .size = sizeof root };
		uint32_t cursor = 0;
		mdg_map_close(map_of("passing", 0));
		if (!kill_at(destroy_map, root_is_marked))
			return;
		if (i == 0)
			CHECK_RC(-ENOENT, mdg_map_destroy(heap, "passing"));
		else
			mdg_map_close(map_of("passing", 0));
		if (i == 1)
			CHECK_RC(0, mdg_map_destroy(heap, "passing"));
		while (mdg_root_next(heap, &cursor, &root) > 0)
			CHECK(strcmp(root.name, "passing") != 0);
	}
}

/* The place itself, without a map: the taken block is gone, and whoever wants it can use it. */
static void place_taken(bool (*stands)(void))
{
	void *old, *block = mdg_hold(heap, 32);
	CHECK_RC(0, mdg_publish(heap, block, place, 0));
	if (kill_at(take_from_place, stands)) {
		CHECK_RC(0, mdg_publish(heap, mdg_hold(heap, 32), place, 0));
		CHECK_RC(0, mdg_free(heap, mdg_take(heap, place)));
	}
	CHECK_RC(0, mdg_publish(heap, mdg_hold(heap, 32), place, 0));
	if (kill_at(take_from_place, stands)) {
		old = &old;
		CHECK_RC(0, mdg_swap(heap, mdg_hold(heap, 32), place, &old));
		CHECK(old == NULL);
	}
	if (kill_at(take_from_place, stands)) {
		CHECK(mdg_take(heap, place) == NULL && mdg_heap_why(heap) == 0);
		CHECK(*place == 0);
	}
}

static void place_alone(void)
{
	place_taken(takes);
	place_taken(holds);
}

/* ---- marks without end --------------------------------------------------------------------- */

static mdg_ref *flooded;        /* in a root */
static _Atomic int64_t *answer; /* in the heap */
static unsigned flood_steps;

/* While the victim makes its steps, the place gets the mark of one slot after the other. */
static void flood(void)
{
	enum { STEPS_EACH = 31, SLOTS = 8 };
	struct mdg__heap *own = mdg__heap_of(heap);
	struct mdg__holder who = mdg__holder_slot(own, flood_steps++ / STEPS_EACH % SLOTS);
	MDG__STORE(*(_Atomic mdg_ref *)flooded, mdg__holder_mark(own, who));
	refresh();
}

static int64_t take_flooded(void *block)
{
	(void)block;
	return mdg_take(heap, flooded) == NULL ? mdg_heap_why(heap) : 1;
}

static int64_t publish_flooded(void *block)
{
	return mdg_publish(heap, block, flooded, 0);
}

static int64_t swap_flooded(void *block)
{
	return mdg_swap(heap, block, flooded, &block);
}

static int64_t remove_flooded(void *block)
{
	(void)block;
	return mdg_root_remove(heap, "flooded");
}

static const struct {
	int64_t (*act)(void *block), wanted;
} floods[] = { { take_flooded, 0 },
	       { publish_flooded, -EAGAIN },
	       { swap_flooded, -EAGAIN },
	       { remove_flooded, -EBUSY } };

static void act_flooded(void *which)
{
	void *block = mdg_hold(heap, 32);
	step_begins();
	MDG__STORE(*answer, floods[*(const size_t *)which].act(block));
	step_ends();
}

/* Somebody writes one mark after the other. Each call ends, as if somebody took the block at that
 * moment. */
static void marks_without_end(void)
{
	static struct step step;
	void *block = mdg_hold(heap, 32);
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "flooded", 1, 1, &flooded, 0));
	CHECK_RC(0, mdg_publish(heap, block, flooded, 0));
	mdg_ref ref = *flooded;
	answer = (_Atomic int64_t *)(void *)(place + 1);
	watch_nothing();
	for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
		enum step_event event = STEP_POINT;
		MDG__STORE(*answer, INT64_MAX);
		if (!CHECK(step_start(&step, watched, watched_size, act_flooded, &i)))
			return;
		step_refresh = flood;
		for (unsigned n = 0; n < POINTS_MOST && event == STEP_POINT; n++)
			event = step_next(&step);
		step_refresh = refresh;
		CHECK(event == STEP_ENDED && MDG__LOAD(*answer) == floods[i].wanted);
		step_kill(&step);
	}
	*flooded = ref;
	CHECK_RC(0, mdg_free(heap, mdg_take(heap, flooded)));
	CHECK_RC(0, mdg_root_remove(heap, "flooded"));
}

static const struct {
	const char *name;
	void (*play)(void);
} scenes[] = {
	{ "bytes", bytes_removed },   { "block", block_taken },
	{ "sweeper", swept_halfway }, { "repair", repaired_halfway },
	{ "locks", too_many_locks },  { "head", head_taken },
	{ "place", place_alone },     { "flood", marks_without_end },
};

int main(int argc, char **argv)
{
	const char *reason = NULL;
	void *block;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	step_refresh = refresh;
	open_heap_of(UINT64_C(0x1000000), 0);
	bytes = map_of("bytes", 0);
	blocks = map_of("blocks", MDG_MAP_REFS);
	block = mdg_alloc_zeroed(heap, 1, 64);
	if (!CHECK(block != NULL))
		return test_result();
	place = block;
	for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
		bool wanted = argc == 1;
		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], scenes[i].name) == 0;
		int before = check_failures;
		if (wanted) {
			scenes[i].play();
			all_is_well();
		}
		if (check_failures != before)
			fprintf(stderr, "in scene %s\n", scenes[i].name);
	}
	return test_result();
}
