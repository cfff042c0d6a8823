/* SPDX-License-Identifier: MIT */
/*
 * map_reuse.c - a writer has given the lock of a part back, and is about to look whether it has to
 * wake somebody. Before it does, the map is destroyed, and the memory of its head has another use.
 *
 * Another process dies while it waits for the lock. So the word of the lock is marked, and nobody
 * sleeps on it. The writer stops at the store that gives the lock back.
 */
#include "heap/maps.h"
#include "sync/owned.h"
#include "sync/points/step.h"

enum { BLOCKS_MOST = 150 };

static mdg_map *map;
static struct step step;
static _Atomic uint32_t *word; /* of the lock of the part with the key */

static void put(void)
{
	CHECK(mdg_map_put(map, "key", 3, "value", 5, NULL) == 0);
}

static void writer(void *unused)
{
	(void)unused;
	put();
	step_begins();
	CHECK(mdg_map_remove(map, "key", 3) == 0);
	step_ends();
	_exit(check_failures == 0 ? 0 : 1);
}

static uint32_t seen(void)
{
	return atomic_load(word);
}

/* Somebody waits for the lock, and is killed. */
static void waiter_dies(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		put();
		_exit(1);
	}
	while ((seen() & MDG__WAITERS) == 0)
		usleep(100);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

/* Blocks of this size, full of words that look like a lock which sleepers wait for. One of them is
 * where the head of the map was, unless that is still in use. */
static void use_again(uint64_t head, size_t size, uint32_t *ret[BLOCKS_MOST])
{
	bool there = false;
	for (int i = 0; i < BLOCKS_MOST; i++) {
		ret[i] = mdg_alloc(heap, size);
		if (!CHECK(ret[i] != NULL))
			exit(1);
		there |= mdg_ref_of(heap, ret[i]) == head;
		for (size_t at = 0; at < size / 4; at++)
			ret[i][at] = MDG__WAITERS;
	}
	printf("the head's memory %s another use\n", there ? "has" : "has not yet");
}

static bool is_as_written(const uint32_t *block, size_t size)
{
	for (size_t at = 0; at < size / 4; at++)
		if (block[at] != MDG__WAITERS)
			return false;
	return true;
}

int main(void)
{
	const char *reason = NULL;
	int status = -1;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	open_heap();
	map = map_of("map", 0);
	struct mdg__map_part *part = mdg__map_part_of(map, mdg__map_hash(map, "key", 3));
	struct mdg__owned *lock = (struct mdg__owned *)(void *)&part->lock;
	word = &lock->robust.word;
	uint64_t ref = map->ref;
	size_t size = mdg_usable_size(heap, mdg_at(heap, ref));
	uint32_t *blocks[BLOCKS_MOST];
	if (!CHECK(step_start(&step, word, sizeof *word, writer, NULL)))
		return test_result();
	while ((seen() & MDG__TID) == 0 && step_next(&step) == STEP_POINT)
		;
	CHECK((seen() & MDG__TID) == (uint32_t)step.pid);
	waiter_dies();
	step_look(&step);
	while ((seen() & MDG__TID) != 0 && step_next(&step) == STEP_POINT)
		;
	CHECK(seen() == MDG__WAITERS);
	mdg_map_close(map);
	CHECK(mdg_map_destroy(heap, "map") == 0);
	for (int i = 0; i < 3; i++)
		(void)mdg_heap_sweep(heap);
	use_again(ref, size, blocks);
	step_pause(&step);
	kill(step.pid, SIGCONT);
	if (!CHECK(ends_within(step.pid, 20000, &status, true)))
		step_kill(&step);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int i = 0; i < BLOCKS_MOST; i++) {
		CHECK(is_as_written(blocks[i], size));
		CHECK(mdg_free(heap, blocks[i]) == 0);
	}
	for (int i = 0; i < 3; i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == 0);
	mdg_heap_close(heap);
	mdg_namespace_close(ns);
	return test_result();
}
