/* SPDX-License-Identifier: MIT */
/*
 * map_threads.c - threads of one process on one handle. ThreadSanitizer watches.
 */
#include "heap/maps.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, KEYS = 400, STEPS = 15000 };

static mdg_map *map, *refs;
static _Atomic uint64_t successes;
static _Atomic uint32_t failures;

#define CHECK_HERE(expression)                                                                     \
	do {                                                                                       \
		if (!(expression)) {                                                               \
			fprintf(stderr, "line %d: %s\n", __LINE__, #expression);                   \
			atomic_fetch_add(&failures, 1);                                            \
		}                                                                                  \
	} while (0)

static void count_up(void)
{
	int rc;
	do {
		uint64_t number = 0, version = 0;
		rc = mdg_map_get(map, "n", 1, &number, sizeof number, NULL, &version);
		CHECK_HERE(rc == 0 || rc == -ENOENT);
		number++;
		rc = mdg_map_put_if(map, "n", 1, &number, sizeof number, version, NULL);
	} while (rc == -ESTALE);
	CHECK_HERE(rc == 0);
	atomic_fetch_add(&successes, 1);
}

static void change(uint64_t *random, uint32_t which, uint32_t number)
{
	char key[KEY_ROOM];
	struct value value;
	size_t key_length = key_of(which, key), length = value_of(which, number, &value);
	int rc = draw(random, 3) == 0 ? mdg_map_remove(map, key, key_length)
	                              : mdg_map_put(map, key, key_length, &value, length, NULL);
	CHECK_HERE(rc == 0 || rc == -ENOENT);
}

static void change_block(uint64_t *random, uint32_t which)
{
	char key[KEY_ROOM];
	void *old = NULL;
	size_t key_length = key_of(which, key);
	int rc;
	if (draw(random, 3) == 0) {
		rc = mdg_map_take(refs, key, key_length, &old);
	} else {
		uint32_t *block = mdg_hold(heap, 16);
		*block = which;
		rc = mdg_map_put_ref(refs, key, key_length, block, &old);
	}
	CHECK_HERE(rc == 0 || rc == -ENOENT);
	if (old != NULL)
		CHECK_HERE(mdg_retire(heap, old) == 0);
}

static void look(uint32_t which)
{
	char key[KEY_ROOM];
	size_t key_length = key_of(which, key);
	struct mdg_map_entry entry = { .size = sizeof entry };
	uint32_t there;
	CHECK_HERE(mdg_read_begin(heap) == 0);
	if (mdg_map_see(map, key, key_length, &entry) == 0)
		CHECK_HERE(is_whole(which, entry.value, entry.length));
	if (mdg_map_see(refs, key, key_length, &entry) == 0) {
		memcpy(&there, entry.value, sizeof there);
		CHECK_HERE(there == which);
	}
	CHECK_HERE(mdg_read_end(heap) == 0);
}

static void walk(void)
{
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct mdg_map_entry entry = { .size = sizeof entry };
	uint64_t count = 0;
	int rc = 1;
	while (rc == 1) {
		CHECK_HERE(mdg_read_begin(heap) == 0);
		for (int i = 0; i < 20 && (rc = mdg_map_next(map, &cursor, &entry)) == 1; i++)
			count++;
		CHECK_HERE(mdg_read_end(heap) == 0);
	}
	CHECK_HERE(rc == 0 && count <= KEYS + 1);
}

static void *work(void *argument)
{
	uint64_t random = (uint64_t)(uintptr_t)argument;
	for (uint32_t step = 0; step < STEPS && atomic_load(&failures) == 0; step++) {
		uint32_t which = draw(&random, step / 2048 % 2 ? KEYS / 32 : KEYS);
		uint32_t what = draw(&random, 1000);
		if (what < 50)
			count_up();
		else if (what < 400)
			change(&random, which, step);
		else if (what < 600)
			change_block(&random, which);
		else if (what < 998)
			look(which);
		else
			walk();
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	uint64_t number = 0;
	open_heap();
	map = map_of("bytes", 0);
	refs = map_of("blocks", MDG_MAP_REFS);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(atomic_load(&failures) == 0);
	CHECK_RC(0, mdg_map_get(map, "n", 1, &number, sizeof number, NULL, NULL));
	CHECK(number == atomic_load(&successes));
	CHECK_RC(0, mdg_map_remove(map, "n", 1));
	CHECK(walk_whole(map) == mdg_map_count(map) && walk_whole(refs) == mdg_map_count(refs));
	for (int i = 0; i < 20 && blocks_allocated() != blocks_of(map) + blocks_of(refs); i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(map) + blocks_of(refs));
	return test_result();
}
