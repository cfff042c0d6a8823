/* SPDX-License-Identifier: MIT */
/*
 * map_reuse.c - a writer has given the lock of a part back, and is about to look whether it has to
 * wake somebody. Before it does, the map is destroyed, and the memory of its head has another use.
 *
 * Another process dies while it waits for the lock. So the word of the lock is marked, and nobody
 * sleeps on it. The writer stops at the store that gives the lock back.
 *
 * The same of one that destroys the map, and comes not to an end, because somebody has scribbled on
 * the lock of another part. Another one destroys it then.
 */
#include "heap/maps.h"
#include "sync/owned.h"
#include "sync/points/step.h"

enum { BLOCKS_MOST = 150, NO_THREAD = 0x3ffffff0 };

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

static void destroyer(void *unused)
{
	(void)unused;
	step_begins();
	CHECK_RC(MDG_BROKEN, mdg_map_destroy(heap, "map"));
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
		if (MDG__LOAD(map->head->identity) != 0)
			put();
		(void)mdg_map_destroy(heap, "map");
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

/* Takes it to where it has the lock, or has given it back. */
static void step_until(bool taken)
{
	enum step_event event = STEP_POINT;
	while (((seen() & MDG__TID) != 0) != taken && (event == STEP_POINT || event == STEP_ASLEEP))
		event = step_next(&step);
	CHECK(((seen() & MDG__TID) != 0) == taken);
}

static _Atomic uint32_t *word_of(struct mdg__map_part *part)
{
	void *lock = &part->lock;
	return &((struct mdg__owned *)lock)->robust.word;
}

/* `scribbled`: a part on whose lock somebody has scribbled; NULL: none. */
static void play(void (*body)(void *), struct mdg__map_part *part, struct mdg__map_part *scribbled)
{
	int status = -1;
	uint64_t ref = map->ref;
	size_t size = mdg_usable_size(heap, mdg_at(heap, ref));
	uint32_t *blocks[BLOCKS_MOST];
	word = word_of(part);
	if (scribbled != NULL)
		atomic_store(word_of(scribbled), NO_THREAD);
	if (!CHECK(step_start(&step, word, sizeof *word, body, NULL)))
		return;
	step_until(true);
	CHECK((seen() & MDG__TID) == (uint32_t)step.pid);
	waiter_dies();
	step_look(&step);
	step_until(false);
	CHECK(seen() == MDG__WAITERS);
	if (scribbled != NULL)
		atomic_store(word_of(scribbled), 0);
	mdg_map_close(map);
	CHECK_RC(scribbled != NULL ? -ENOENT : 0, mdg_map_destroy(heap, "map"));
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
}

int main(void)
{
	const char *reason = NULL;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	open_heap();
	map = map_of("map", 0);
	play(writer, mdg__map_part_of(map, mdg__map_hash(map, "key", 3)), NULL);
	map = map_of("map", 0);
	play(destroyer, &map->head->part[0], &map->head->part[1]);
	mdg_heap_close(heap);
	mdg_namespace_close(ns);
	return test_result();
}
