/* SPDX-License-Identifier: MIT */
/*
 * map_growth.c - readers while the map grows and shrinks, and while a writer is stopped.
 */
#include "heap/maps.h"

#include <stdatomic.h>

enum { READERS = 2, FIXED = 300, MANY = 20000, ROUNDS = 3 };

static struct shared {
	_Atomic uint64_t looks, walks;
	_Atomic uint32_t end, failures;
} * shared;
static mdg_map *map;

static pid_t start(void (*body)(void))
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
		fflush(NULL);
		_exit(test_result());
	}
	return pid;
}

static bool ends_well(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Entries that are always there are always found, and shown once in each walk. */
static void walk_once(void)
{
	static uint32_t shown[FIXED];
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct mdg_map_entry entry = { .size = sizeof entry };
	int rc = 1;
	memset(shown, 0, sizeof shown);
	while (rc == 1) {
		/* A read section for some steps of the walk, and another one for the next. */
		CHECK_RC(0, mdg_read_begin(heap));
		for (int i = 0; i < 50 && (rc = mdg_map_next(map, &cursor, &entry)) == 1; i++) {
			uint32_t number;
			memcpy(&number, entry.value, sizeof number);
			CHECK(is_whole(number, entry.value, entry.length));
			if (number < FIXED)
				shown[number]++;
		}
		CHECK_RC(0, mdg_read_end(heap));
	}
	CHECK_RC(0, rc);
	for (uint32_t i = 0; i < FIXED; i++)
		CHECK(shown[i] == 1);
	atomic_fetch_add(&shared->walks, 1);
}

static void read_on(void)
{
	uint64_t random = (uint64_t)getpid();
	while (!atomic_load(&shared->end) && check_failures == 0) {
		for (int i = 0; i < 2000; i++) {
			char key[KEY_ROOM];
			struct value value;
			size_t length = 0;
			uint32_t which = draw(&random, FIXED);
			CHECK_RC(0, mdg_map_get(map, key, key_of(which, key), &value, sizeof value,
			                        &length, NULL));
			CHECK(is_whole(which, &value, length));
			atomic_fetch_add(&shared->looks, 1);
		}
		walk_once();
	}
}

static int drop(uint32_t which)
{
	char key[KEY_ROOM];
	return mdg_map_remove(map, key, key_of(which, key));
}

static void grow_and_shrink(void)
{
	for (uint32_t round = 0; round < ROUNDS && check_failures == 0; round++) {
		for (uint32_t i = FIXED; i < FIXED + MANY; i++) {
			CHECK_RC(0, put_number(map, i, round));
			CHECK_RC(0, put_number(map, i % FIXED,
			                       i)); /* also those that are always there */
		}
		for (uint32_t i = FIXED; i < FIXED + MANY; i++)
			CHECK_RC(0, drop(i));
	}
	CHECK(mdg_map_count(map) == FIXED);
}

static void write_on(void)
{
	for (uint32_t i = 0;; i++)
		if (put_number(map, FIXED + i % MANY, i) != 0)
			_exit(1);
}

/* A writer that is stopped keeps at most one part, and no reader. */
static void stopped_writer(void)
{
	unsigned held = 0, stops = 0;
	pid_t writer = start(write_on);
	for (; check_failures == 0 && stops < 200 && (held < 3 || stops < 20); stops++) {
		usleep(stops % 7 * 300);
		kill(writer, SIGSTOP);
		waitpid(writer, NULL, WUNTRACED);
		unsigned busy = 0;
		for (int i = 0; i < MDG__MAP_PARTS; i++) {
			int rc = mdg_mutex_trylock(&map->head->part[i].lock);
			CHECK(rc == 0 || rc == -EBUSY);
			if (rc == 0)
				CHECK_RC(0, mdg_mutex_unlock(&map->head->part[i].lock));
			busy += rc == -EBUSY;
		}
		CHECK(busy <= 1);
		held += busy;
		uint64_t looks = atomic_load(&shared->looks);
		for (int i = 0; i < 1000 && atomic_load(&shared->looks) == looks; i++)
			usleep(1000);
		CHECK(atomic_load(&shared->looks) > looks);
		kill(writer, SIGCONT);
	}
	printf("%u stops, %u with a lock\n", stops, held);
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	CHECK_RC(0, put_number(map, FIXED, 1)); /* and killed, it keeps nothing */
	for (uint32_t i = 0; i < MANY; i++)
		CHECK_RC(0, put_number(map, FIXED + i, 1));
}

int main(void)
{
	pid_t readers[READERS];
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	open_heap();
	map = map_of("bytes", 0);
	for (uint32_t i = 0; i < FIXED; i++)
		CHECK_RC(0, put_number(map, i, 0));
	for (int i = 0; i < READERS; i++)
		readers[i] = start(read_on);
	CHECK(ends_well(start(grow_and_shrink)));
	stopped_writer();
	atomic_store(&shared->end, 1);
	for (int i = 0; i < READERS; i++)
		CHECK(ends_well(readers[i]));
	CHECK(atomic_load(&shared->walks) > READERS);
	printf("%llu looks, %llu walks\n", (unsigned long long)atomic_load(&shared->looks),
	       (unsigned long long)atomic_load(&shared->walks));
	for (int i = 0; i < 20 && blocks_allocated() != blocks_of(map); i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(map));
	return test_result();
}
