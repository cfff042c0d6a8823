/* SPDX-License-Identifier: MIT */
/*
 * map_locks.c - locks in a heap on which somebody has scribbled: who needs one is told soon that
 * the thread that seems to have it does not exist. A thread that exists is waited for.
 *
 *     map_locks [--all]     also the wait of 10 seconds
 */
#include "heap/maps.h"

enum { NO_THREAD = 0x3ffffff0, PARTS = 20 };

static mdg_map *map;
static uint32_t dead; /* the number of a thread that has ended */

static _Atomic uint32_t *lock_of(int part)
{
	void *lock = &map->head->part[part].lock;
	return &((struct mdg__owned *)lock)->robust.word;
}

static int part_of(const char *key)
{
	return (int)(mdg__map_part_of(map, mdg__map_hash(map, key, strlen(key))) - map->head->part);
}

static int put(const char *key)
{
	return mdg_map_put(map, key, strlen(key), "value", 5, NULL);
}

static uint64_t seconds_since(uint64_t begun)
{
	return (now_ns() - begun) / 1000000000u;
}

/* No thread ever has such a number. */
static void impossible(void *unused)
{
	(void)unused;
	uint64_t begun = now_ns();
	int part = part_of("a");
	mdg_map *other;
	struct mdg_map_options existing = { .size = sizeof existing, .flags = MDG_MAP_EXISTING };
	char bytes[8];
	atomic_store(lock_of(part), NO_THREAD);
	CHECK_RC(MDG_BROKEN, put("a"));
	CHECK_RC(MDG_BROKEN, mdg_map_remove(map, "a", 1));
	CHECK_RC(0, mdg_map_get(map, "a", 1, bytes, sizeof bytes, NULL, NULL));
	for (char key[2] = "b"; key[0] <= 'z'; key[0]++)
		if (part_of(key) != part)
			CHECK_RC(0, put(key));
	CHECK_RC(MDG_BROKEN, mdg_map_clear(map));
	CHECK_RC(MDG_BROKEN, mdg_map_destroy(heap, "locks"));
	CHECK_RC(MDG_BROKEN, mdg_map_open(&other, heap, "locks", &existing));
	CHECK(seconds_since(begun) < 8);
	/* The lock is as it was: whoever looks for the map ends the removal. */
	atomic_store(lock_of(part), 0);
	CHECK_RC(-ENOENT, mdg_map_open(&other, heap, "locks", &existing));
	CHECK_RC(-EIDRM, put("a"));
}

/* Once a lock was nobody's, nobody waits long for another one. */
static void many(void *unused)
{
	(void)unused;
	uint64_t begun = now_ns();
	int parts = 0;
	atomic_store(lock_of(part_of("a")), NO_THREAD);
	CHECK_RC(MDG_BROKEN, put("a"));
	for (uint32_t i = 0; parts < PARTS; i++) {
		char key[16];
		snprintf(key, sizeof key, "%u", i);
		if (MDG__LOAD(*lock_of(part_of(key))) != 0)
			continue;
		atomic_store(lock_of(part_of(key)), dead);
		CHECK_RC(MDG_BROKEN, put(key));
		parts++;
	}
	CHECK(seconds_since(begun) < 9 * PARTS);
}

/* A thread that exists is waited for, for it may be stopped. */
static void lives(void *unused)
{
	(void)unused;
	int status = -1;
	atomic_store(lock_of(part_of("a")), (uint32_t)getpid());
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		MDG__STORE(mdg__heap_of(heap)->suspect, 1);
		CHECK_RC(0, put("a"));
		_exit(check_failures != 0);
	}
	usleep(500 * 1000);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	atomic_store(lock_of(part_of("a")), 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void on_signal(int number)
{
	(void)number;
}

/* A thread whose waits for locks end by signal handlers waits for this one all the same. */
static void interrupted(void *unused)
{
	(void)unused;
	struct sigaction action = { .sa_handler = on_signal };
	int status = -1;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	atomic_store(lock_of(part_of("a")), (uint32_t)getpid());
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK_RC(0, mdg_sync_set_interruptible(1));
		CHECK_RC(0, put("a"));
		_exit(check_failures != 0);
	}
	for (int i = 0; i < 20; i++) {
		usleep(10000);
		kill(pid, SIGUSR1);
	}
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	atomic_store(lock_of(part_of("a")), 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* The heap's own lock. */
static void of_heap(void *unused)
{
	(void)unused;
	uint64_t begun = now_ns();
	atomic_store(&mdg__heap_of(heap)->head->lock.robust.word, NO_THREAD);
	CHECK(mdg_alloc(heap, 1 << 20) == NULL && mdg_heap_why(heap) == MDG_BROKEN);
	CHECK(mdg_alloc(heap, 1 << 20) == NULL && mdg_heap_why(heap) == MDG_BROKEN);
	CHECK(seconds_since(begun) < 8);
}

/* The number might be that of a thread of another pid namespace, which is stopped. */
static void patience(void *unused)
{
	(void)unused;
	uint64_t begun = now_ns();
	atomic_store(lock_of(part_of("a")), dead);
	CHECK_RC(MDG_BROKEN, put("a"));
	CHECK(seconds_since(begun) >= 9);
	atomic_store(&mdg__heap_of(heap)->head->lock.robust.word, dead);
	begun = now_ns();
	CHECK(mdg_alloc(heap, 1 << 20) == NULL && mdg_heap_why(heap) == MDG_BROKEN);
	CHECK(seconds_since(begun) >= 9);
}

/* In a child, with a new heap. */
static void alone(void (*scene)(void *))
{
	open_heap();
	map = map_of("locks", 0);
	CHECK_RC(0, put("a"));
	CHECK(in_child(scene, NULL));
	mdg_map_close(map);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "maps"));
	mdg_namespace_close(ns);
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	dead = (uint32_t)pid;
	alarm(all ? 120 : 60);
	alone(impossible);
	alone(many);
	alone(lives);
	alone(interrupted);
	alone(of_heap);
	if (all)
		alone(patience);
	return test_result();
}
