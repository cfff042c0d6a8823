/* SPDX-License-Identifier: MIT */
/*
 * map_peers.c - programs that were built unlike (32 and 64 bits, other C libraries) on one map.
 *
 *     map_peers PEER      PEER is such a program, which is started as
 *     map_peers work      and changes the map until it is killed, or
 *     map_peers check     and says whether all entries are whole
 */
#include "heap/maps.h"

enum { KEYS = 800, KILLS = 12, STEPS = 4000 };

static mdg_map *map, *refs;

enum { REMOVE = 0, PUT = 3, GET = 6, TAKE = 8, PUT_REF = 9, STEPS_ALL = 10 };

static void step_at(uint32_t which, uint32_t what, uint32_t number)
{
	char key[KEY_ROOM];
	struct value value;
	void *old = NULL;
	size_t key_length = key_of(which, key), length = 0;
	int rc;
	if (what < PUT) {
		rc = mdg_map_remove(map, key, key_length);
	} else if (what < GET) {
		length = value_of(which, number, &value);
		rc = mdg_map_put(map, key, key_length, &value, length, NULL);
	} else if (what < TAKE) {
		rc = mdg_map_get(map, key, key_length, &value, sizeof value, &length, NULL);
		CHECK(rc != 0 || is_whole(which, &value, length));
	} else if (what == TAKE) {
		rc = mdg_map_take(refs, key, key_length, &old);
	} else {
		uint32_t *block = mdg_hold(heap, 16);
		*block = which;
		rc = mdg_map_put_ref(refs, key, key_length, block, &old);
	}
	CHECK(rc == 0 || rc == -ENOENT);
	if (old != NULL) {
		CHECK(memcmp(old, &which, sizeof which) == 0);
		CHECK_RC(0, mdg_retire(heap, old));
	}
}

static void step(uint64_t *random, uint32_t number)
{
	uint32_t which = draw(random, KEYS);
	step_at(which, draw(random, STEPS_ALL), number);
}

/* Changes each key of both maps. After that, each part in which somebody was killed has had another
 * writer, so that its count is exact again. */
static void settle(uint64_t *random)
{
	for (uint32_t which = 0; which < KEYS; which++) {
		step_at(which, PUT, which);
		step_at(which, PUT_REF, which);
		if (draw(random, 2) == 0)
			step_at(which, REMOVE, which);
		if (draw(random, 2) == 0)
			step_at(which, TAKE, which);
	}
}

static void open_maps(void)
{
	open_heap_of(UINT64_C(0x4000000), 0);
	map = map_of("bytes", 0);
	refs = map_of("blocks", MDG_MAP_REFS);
}

static pid_t start(const char *program, const char *what)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, what, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static bool ends_well(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int work(void)
{
	uint64_t random = (uint64_t)getpid();
	open_maps();
	for (uint32_t i = 0; check_failures == 0; i++) {
		step(&random, i);
		if (i == 100)
			CHECK_RC(0, mdg_map_put(map, "!", 1, "", 0, NULL));
	}
	return 1;
}

static int check(void)
{
	open_maps();
	CHECK(walk_whole(map) == mdg_map_count(map));
	CHECK(walk_whole(refs) == mdg_map_count(refs));
	return test_result();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "work") == 0)
		return work();
	if (strcmp(argv[1], "check") == 0)
		return check();
	uint64_t random = 1;
	open_maps();
	for (unsigned i = 0; i < KILLS && check_failures == 0; i++) {
		pid_t peer = start(argv[1], "work");
		int rc = -ENOENT;
		for (uint32_t k = 0; k < STEPS || rc == -ENOENT; k++) {
			step(&random, k);
			rc = mdg_map_get(map, "!", 1, NULL, 0, NULL, NULL);
			if (rc == -ENOENT && !CHECK(waitpid(peer, NULL, WNOHANG) == 0))
				break;
		}
		kill(peer, SIGKILL);
		waitpid(peer, NULL, 0);
		(void)mdg_heap_sweep(heap);
		settle(&random);
		(void)mdg_map_remove(map, "!", 1);
		CHECK(walk_whole(map) <= KEYS);
		CHECK(ends_well(start(argv[1], "check")));
	}
	for (int i = 0; i < 20 && blocks_allocated() != blocks_of(map) + blocks_of(refs); i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(map) + blocks_of(refs));
	return test_result();
}
