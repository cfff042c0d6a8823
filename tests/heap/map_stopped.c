/* SPDX-License-Identifier: MIT */
/*
 * map_stopped.c - a writer was killed, and its sweeper is stopped: other writers wait for that one
 * as long as it lives. If it does not exist, they are told so.
 *
 *     map_stopped [--all]     --all: they wait longer than any time that is in the code
 */
#include "heap/map_victims.h"

enum { BESIDE = 40, NO_THREAD = 0x3ffffff0 };

static unsigned wait_ms = 500;

/* ---- where a victim stands ----------------------------------------------------------------- */

/* The slot with a hand that has published something, and has not said so. */
static struct mdg__heap_slot *publisher(void)
{
	struct mdg__heap *own = mdg__heap_of(heap);
	for (uint32_t i = 0; i < mdg__heap_slots_used(own); i++)
		for (int at = 0; at < MDG__HANDS; at++) {
			const struct mdg__hand *hand = &own->slot[i].hands[at];
			uint64_t word;
			if (MDG__HAND_OP(MDG__LOAD(hand->op)) != MDG__HAND_PUBLISH)
				continue;
			memcpy(&word, heap->base + (size_t)MDG__LOAD(hand->place), sizeof word);
			if (word == MDG__LOAD(hand->ref))
				return &own->slot[i];
		}
	return NULL;
}

static bool has_published(void)
{
	return publisher() != NULL;
}

/* Its slot has a sweeper, which has not looked at the place yet. */
static bool is_seized(void)
{
	const struct mdg__heap_slot *slot = publisher();
	return slot != NULL && (MDG__LOAD(slot->life.word) & MDG__TID) != 0 &&
	       MDG__LOAD(slot->epoch) == 0;
}

static void watch_all(void)
{
	watch_nothing();
	watch(mdg__heap_of(heap)->slot, 8 * sizeof mdg__heap_of(heap)->slot[0]);
	watch_map(bytes);
}

static void put_new_key(void *unused)
{
	(void)unused;
	have_memory();
	step_begins();
	(void)mdg_map_put(bytes, &key, sizeof key, "value", 5, NULL);
	step_ends();
}

/* ---- afterwards ---------------------------------------------------------------------------- */

static void has(uint64_t wanted)
{
	CHECK(entries_of(bytes) == wanted);
	CHECK(mdg_map_count(bytes) == wanted);
}

/* What is allocated is what the map refers to, and the other way round. */
static void nothing_is_lost(void)
{
	for (int i = 0; i < 20 && blocks_allocated() != blocks_of(bytes); i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(bytes));
}

static void all_is_well(void)
{
	CHECK_RC(0, mdg_map_clear(bytes));
	has(0);
	nothing_is_lost();
}

/* ---- the scenes ---------------------------------------------------------------------------- */

/* So many keys of the same part. */
static int put_beside(unsigned count)
{
	const struct mdg__map_part *part =
		mdg__map_part_of(bytes, mdg__map_hash(bytes, &key, sizeof key));
	int rc = 0;
	for (uint32_t other = KEY + 1; rc == 0 && count != 0; other++) {
		uint64_t hash = mdg__map_hash(bytes, &other, sizeof other);
		if (mdg__map_part_of(bytes, hash) != part)
			continue;
		rc = mdg_map_put(bytes, &other, sizeof other, "value", 5, NULL);
		count--;
	}
	return rc;
}

/* The part grows, and the table that it had is freed. */
static int write_on(void)
{
	int rc = put_beside(BESIDE);
	for (int i = 0; i < 20; i++)
		(void)mdg_heap_sweep(heap);
	return rc;
}

/* Memory as that of a small table is used for something else, if it is free. */
static void use_memory(void)
{
	enum { BLOCKS = 500 };
	static void *block[BLOCKS];
	for (size_t size = 16; size <= 512; size += 16) {
		for (int i = 0; i < BLOCKS; i++) {
			block[i] = mdg_alloc(heap, size);
			if (block[i] != NULL)
				memset(block[i], 0xff, size);
		}
		for (int i = 0; i < BLOCKS; i++)
			(void)mdg_free(heap, block[i]);
	}
}

/* The table has the node, and the sweeper is to find that out. No wait is too long. Meanwhile the
 * read sections of the writer end. */
static void sweeper_stopped(void)
{
	static struct step sweeper;
	int status = -1;
	CHECK_RC(0, put_beside(1));
	if (!kill_at(put_new_key, has_published) || !bring(&sweeper, sweep, is_seized))
		return;
	step_pause(&sweeper);
	fflush(NULL);
	pid_t writer = fork();
	if (writer == 0) {
		MDG__STORE(mdg__heap_of(heap)->suspect, 1); /* so it soon takes it for nonsense */
		_exit(write_on() != 0);
	}
	usleep(wait_ms * 1000);
	uint64_t turn = mdg__readers_turn(mdg__heap_of(heap)), begun = now_ns();
	while (mdg__readers_oldest(mdg__heap_of(heap)) <= turn &&
	       CHECK(now_ns() - begun < UINT64_C(5000000000)))
		usleep(1000);
	CHECK(waitpid(writer, &status, WNOHANG) == 0);
	use_memory();
	CHECK(ends_within(sweeper.pid, 5000, &status, true));
	CHECK(ends_within(writer, 5000, &status, false));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	has(1 + BESIDE);
	nothing_is_lost();
	char value[8];
	CHECK_RC(0, mdg_map_get(bytes, &key, sizeof key, value, sizeof value, NULL, NULL));
}

/* The number in the slot of the dead writer is none that a thread can have; or is that of a dead
 * process, and it is known that somebody scribbles. The part is as it was after that. */
static void sweeper_is_nobody(void)
{
	static struct step step;
	uint64_t begun = now_ns();
	bool stood = bring(&step, put_new_key, has_published);
	struct mdg__heap_slot *slot = publisher();
	step_kill(&step);
	if (!stood || !CHECK(slot != NULL))
		return;
	uint32_t word = MDG__LOAD(slot->life.word);
	CHECK(word == MDG__DIED);
	MDG__STORE(slot->life.word, NO_THREAD);
	CHECK_RC(MDG_BROKEN, put_beside(1));
	CHECK(MDG__LOAD(mdg__heap_of(heap)->suspect) == 1);
	MDG__STORE(slot->life.word, (uint32_t)step.pid);
	CHECK_RC(MDG_BROKEN, put_beside(1));
	CHECK(now_ns() - begun < UINT64_C(8000000000));
	MDG__STORE(slot->life.word, word);
	CHECK_RC(0, put_beside(1));
	has(2);
}

/* The slot that is said to be the dead writer's is that of the thread itself: it would wait for
 * itself. */
static void sweeper_is_self(void)
{
	int rc;
	mdg_ref ref = mdg_ref_of(heap, mdg_hold(heap, 32));
	struct mdg__heap_own *own = mdg__own_begin(mdg__heap_of(heap), &rc);
	struct mdg__hand *hand = own == NULL ? NULL : mdg__hand_find(own, ref);
	if (!CHECK(hand != NULL))
		return;
	mdg__own_end(own);
	struct mdg__map_part *part =
		mdg__map_part_of(bytes, mdg__map_hash(bytes, &key, sizeof key));
	void *lock = &part->lock;
	_Atomic uint32_t *state = &((struct mdg__owned *)lock)->state;
	MDG__STORE(part->writer, (uint64_t)own->generation << 32 | own->slot1);
	MDG__STORE(hand->place, ref);
	MDG__STORE(*state, MDG__UNREPAIRED);
	CHECK_RC(-EDEADLK, put_beside(1));
	MDG__STORE(hand->place, 0);
	CHECK_RC(0, put_beside(1));
	CHECK_RC(0, mdg_free(heap, mdg_at(heap, ref)));
}

int main(int argc, char **argv)
{
	const char *reason = NULL;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	if (wants_all_points(&argc, &argv))
		wait_ms = 30000;
	alarm(wait_ms / 1000 + 60);
	step_refresh = refresh;
	open_heap_of(UINT64_C(0x1000000), 0);
	bytes = map_of("bytes", 0);
	sweeper_stopped();
	all_is_well();
	sweeper_is_nobody();
	all_is_well();
	sweeper_is_self();
	all_is_well();
	return test_result();
}
