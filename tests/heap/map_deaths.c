/* SPDX-License-Identifier: MIT */
/*
 * map_deaths.c - processes that change two maps at random, and are killed at any moment.
 *
 *     map_deaths [KILLS]
 *
 * They also make a third map, and remove it while others use it.
 *
 * At the end every entry is whole, counters that were changed by put_if have lost nothing, and the
 * heap contains the blocks of the maps and no others.
 */
#include "heap/maps.h"

#include <stdatomic.h>

enum { WORKERS = 4, KEYS = 1500, COUNTERS = 8, KILLS = 120 };

static struct shared {
	_Atomic uint64_t successes[COUNTERS]; /* of put_if */
	_Atomic uint64_t steps;
	_Atomic uint32_t failures;
} * shared;
static mdg_map *map, *refs;

#define CHECK_HERE(expression)                                                                     \
	do {                                                                                       \
		if (!CHECK(expression))                                                            \
			atomic_fetch_add(&shared->failures, 1);                                    \
	} while (0)

static void count_up(uint64_t *random)
{
	char key[8];
	uint32_t which = draw(random, COUNTERS);
	size_t key_length = (size_t)snprintf(key, sizeof key, "n%u", which);
	int rc;
	do {
		uint64_t number = 0, version = 0;
		rc = mdg_map_get(map, key, key_length, &number, sizeof number, NULL, &version);
		CHECK_HERE(rc == 0 || rc == -ENOENT);
		number++;
		rc = mdg_map_put_if(map, key, key_length, &number, sizeof number, version, NULL);
	} while (rc == -ESTALE);
	CHECK_HERE(rc == 0);
	atomic_fetch_add(&shared->successes[which], 1);
}

static void change_bytes(uint64_t *random, uint32_t which, uint32_t number)
{
	char key[KEY_ROOM];
	struct value value;
	size_t key_length = key_of(which, key), length;
	uint64_t version = 0;
	mdg_ref ref;
	int rc = mdg_map_get(map, key, key_length, &value, sizeof value, &length, &version);
	CHECK_HERE(rc == -ENOENT || (rc == 0 && is_whole(which, &value, length)));
	length = value_of(which, number, &value);
	switch (draw(random, 8)) {
	case 0:
		rc = mdg_map_remove(map, key, key_length);
		break;
	case 1:
		rc = mdg_map_remove_if(map, key, key_length, version);
		break;
	case 2:
		rc = mdg_map_put_if(map, key, key_length, &value, length, version, NULL);
		break;
	case 3:
		key[key_length++] = '!'; /* nothing else is put there */
		rc = mdg_map_intern(map, key, key_length, &ref);
		if (rc == 0 && draw(random, 2) == 0)
			rc = mdg_map_remove(map, key, key_length);
		break;
	default:
		rc = mdg_map_put(map, key, key_length, &value, length, NULL);
	}
	CHECK_HERE(rc == 0 || rc == -ENOENT || rc == -ESTALE);
}

static void change_refs(uint64_t *random, uint32_t which)
{
	char key[KEY_ROOM];
	void *old = NULL;
	size_t key_length = key_of(which, key);
	int rc;
	if (draw(random, 3) == 0) {
		rc = mdg_map_take(refs, key, key_length, &old);
		CHECK_HERE(rc == 0 || rc == -ENOENT);
	} else {
		uint32_t *block = mdg_hold(heap, 16);
		CHECK_HERE(block != NULL);
		*block = which;
		rc = mdg_map_put_ref(refs, key, key_length, block, &old);
		CHECK_HERE(rc == 0);
	}
	if (old != NULL) {
		CHECK_HERE(memcmp(old, &which, sizeof which) == 0);
		CHECK_HERE(mdg_retire(heap, old) == 0);
	}
}

/* A map that others remove meanwhile. */
static void make_and_remove(uint64_t *random)
{
	mdg_map *passing;
	uint32_t which, value = 0;
	size_t length = 0;
	int rc = mdg_map_open(&passing, heap, "passing", NULL);
	CHECK_HERE(rc == 0);
	for (uint32_t i = 0; rc == 0 && i < 20; i++) {
		which = draw(random, 200);
		rc = mdg_map_put(passing, &which, sizeof which, &which, sizeof which, NULL);
		CHECK_HERE(rc == 0 || rc == -EIDRM);
		rc = mdg_map_get(passing, &which, sizeof which, &value, sizeof value, &length,
		                 NULL);
		CHECK_HERE(rc == -EIDRM || (rc == 0 && value == which));
	}
	if (draw(random, 3) == 0) {
		rc = mdg_map_destroy(heap, "passing");
		CHECK_HERE(rc == 0 || rc == -ENOENT);
	}
	mdg_map_close(passing);
}

static void look_on(uint32_t which)
{
	char key[KEY_ROOM];
	size_t key_length = key_of(which, key);
	struct mdg_map_entry entry = { .size = sizeof entry };
	CHECK_HERE(mdg_read_begin(heap) == 0);
	int rc = mdg_map_see(refs, key, key_length, &entry);
	CHECK_HERE(rc == -ENOENT || (rc == 0 && memcmp(entry.value, &which, sizeof which) == 0));
	rc = mdg_map_see(map, key, key_length, &entry);
	CHECK_HERE(rc == -ENOENT || (rc == 0 && is_whole(which, entry.value, entry.length)));
	CHECK_HERE(mdg_read_end(heap) == 0);
}

static void work(uint64_t random)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t step = 0; check_failures == 0; step++) {
		/* For a while only few keys are used, and the maps shrink. */
		uint32_t which = draw(&random, step / 4096 % 2 ? KEYS / 64 : KEYS);
		uint32_t what = draw(&random, 100);
		if (what < 10)
			count_up(&random);
		else if (what < 50)
			change_bytes(&random, which, step);
		else if (what < 80)
			change_refs(&random, which);
		else
			look_on(which);
		if (draw(&random, 500) == 0)
			make_and_remove(&random);
		if (draw(&random, 20000) == 0)
			CHECK_HERE(mdg_map_clear(refs) == 0);
		atomic_fetch_add(&shared->steps, 1);
	}
	_exit(1);
}

static pid_t worker(uint64_t seed)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		work(seed);
	return pid;
}

/* What walks a map that others have used. Counters are not as other entries. */
static void counters_are_right(unsigned kills)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		char key[8];
		uint64_t number = 0, wanted = atomic_load(&shared->successes[i]);
		size_t key_length = (size_t)snprintf(key, sizeof key, "n%u", i);
		int rc = mdg_map_get(map, key, key_length, &number, sizeof number, NULL, NULL);
		CHECK(rc == 0 || (rc == -ENOENT && wanted == 0));
		CHECK(number >= wanted && number <= wanted + kills);
		CHECK(rc != 0 || mdg_map_remove(map, key, key_length) == 0);
	}
	for (uint32_t which = 0; which < KEYS; which++) {
		char key[KEY_ROOM];
		size_t key_length = key_of(which, key);
		key[key_length++] = '!';
		(void)mdg_map_remove(map, key, key_length);
	}
}

static void nothing_is_lost(void)
{
	for (int i = 0; i < 20 && blocks_allocated() != blocks_of(map) + blocks_of(refs); i++)
		(void)mdg_heap_sweep(heap);
	if (!CHECK(blocks_allocated() == blocks_of(map) + blocks_of(refs)))
		fprintf(stderr, "%llu allocated, %llu and %llu in maps\n",
		        (unsigned long long)blocks_allocated(), (unsigned long long)blocks_of(map),
		        (unsigned long long)blocks_of(refs));
}

int main(int argc, char **argv)
{
	unsigned kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : KILLS;
	uint64_t random = now_ns();
	pid_t pids[WORKERS];
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	open_heap();
	map = map_of("bytes", 0);
	refs = map_of("blocks", MDG_MAP_REFS);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = worker(random + (unsigned)i);
	for (unsigned i = 0; i < kills && atomic_load(&shared->failures) == 0; i++) {
		usleep(draw(&random, 20000));
		pid_t *victim = &pids[draw(&random, WORKERS)];
		kill(*victim, SIGKILL);
		waitpid(*victim, NULL, 0);
		*victim = worker(random + i);
	}
	uint64_t steps = atomic_load(&shared->steps);
	for (int i = 0; i < 500 && atomic_load(&shared->steps) < steps + 1000; i++)
		usleep(20000);
	CHECK(atomic_load(&shared->steps) >= steps + 1000); /* nobody waits for the dead */
	for (int i = 0; i < WORKERS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	CHECK(atomic_load(&shared->failures) == 0);
	(void)mdg_heap_sweep(heap);
	/* What the last ones had begun is ended by the next writer of each part. */
	for (uint32_t i = 0; i < 2000; i++) {
		char key[KEY_ROOM];
		size_t key_length = key_of(KEYS + i, key);
		void *old;
		CHECK_RC(0, mdg_map_put(map, key, key_length, "", 0, NULL));
		CHECK_RC(0, mdg_map_remove(map, key, key_length));
		CHECK_RC(-ENOENT, mdg_map_take(refs, key, key_length, &old));
	}
	int rc = mdg_map_destroy(heap, "passing");
	CHECK(rc == 0 || rc == -ENOENT);
	CHECK_RC(-ENOENT, mdg_map_destroy(heap, "passing"));
	counters_are_right(kills + WORKERS);
	CHECK(walk_whole(map) == mdg_map_count(map));
	CHECK(walk_whole(refs) == mdg_map_count(refs));
	nothing_is_lost();
	printf("%u kills, %llu steps\n", kills, (unsigned long long)atomic_load(&shared->steps));
	return test_result();
}
