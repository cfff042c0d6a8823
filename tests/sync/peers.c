/* SPDX-License-Identifier: MIT */
/*
 * peers.c - the same objects used by programs that were built differently: another word size,
 * another C library. tests/life/cross.sh builds the other program.
 *
 *     sync-peers OTHER            the test: this program and OTHER, on one file
 *     sync-peers ROLE FILE        one of the processes
 *
 * The two programs use all objects side by side. Each of them dies holding something, and the other
 * one is told.
 */
#include <fcntl.h>
#include <limits.h>

#include "sync/shared.h"

enum { ROUNDS = 3008, VALUE = 40, ROOM = 3 };

static struct box {
	mdg_mutex mutex, store;
	mdg_rwlock rwlock;
	mdg_cond more, less;
	mdg_sem token;
	mdg_event ping, pong;
	mdg_once once;
	mdg_barrier barrier;
	_Alignas(64) unsigned char cell[MDG_CELL_SIZE(VALUE)];
	_Alignas(64) uint64_t counted, twin, written[2], tokens;
	uint32_t stored;
	_Atomic uint32_t stage;
	_Atomic int32_t holder;
} * box;
_Static_assert(sizeof(struct box) % 64 == 0, "the same for all");

static mdg_cell *cell(void)
{
	return (mdg_cell *)(void *)box->cell;
}

/* ---- what a process does ----------------------------------------------------------------- */

static void put_or_get(bool puts)
{
	CHECK(mdg_mutex_lock_until(&box->store, GRACE) == 0);
	while (box->stored == (puts ? (uint32_t)ROOM : 0))
		CHECK(mdg_cond_wait_until(puts ? &box->less : &box->more, &box->store, GRACE) == 0);
	box->stored += puts ? 1u : UINT32_MAX;
	CHECK(mdg_cond_signal(puts ? &box->more : &box->less) == 0);
	CHECK(mdg_mutex_unlock(&box->store) == 0);
}

static void work(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		unsigned char value[VALUE];
		CHECK(mdg_mutex_lock_until(&box->mutex, GRACE) == 0);
		CHECK(box->counted++ == box->twin++);
		CHECK(mdg_mutex_unlock(&box->mutex) == 0);
		if (i % 3 == 0) {
			CHECK(mdg_rwlock_write_until(&box->rwlock, GRACE) == 0);
			box->written[0]++;
			box->written[1]++;
		} else {
			CHECK(mdg_rwlock_read_until(&box->rwlock, GRACE) == 0);
			CHECK(box->written[0] == box->written[1]);
		}
		CHECK(mdg_rwlock_unlock(&box->rwlock) == 0);
		CHECK(mdg_sem_wait_until(&box->token, GRACE) == 0);
		box->tokens++; /* one token: alone */
		CHECK(mdg_sem_post(&box->token, 1) == 0);
		memset(value, i & 255, VALUE);
		if (i % 5 == 0)
			CHECK(mdg_cell_write_until(cell(), value, VALUE, GRACE) == 0);
		CHECK(mdg_cell_read(cell(), value, VALUE, NULL) == 0);
		CHECK(memcmp(value, value + 1, VALUE - 1) == 0);
		if (i % 8 == 0)
			put_or_get(i % 16 == 0);
		if (check_failures > 10)
			return;
	}
}

static void ping(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(mdg_event_set(&box->ping) == 0);
		CHECK(mdg_event_take_until(&box->pong, GRACE) == 0);
	}
}

static void pong(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(mdg_event_take_until(&box->ping, GRACE) == 0);
		CHECK(mdg_event_set(&box->pong) == 0);
	}
}

static void meet(void)
{
	for (int i = 0; i < ROUNDS / 10; i++) {
		int rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
		CHECK(rc == 0 || rc == MDG_LAST);
	}
}

/* Holds several things, says so, and is killed. */
static void hold(void)
{
	void *place;
	CHECK(mdg_rwlock_write(&box->rwlock) == 0);
	CHECK(mdg_cell_begin(cell(), VALUE, &place) == 0);
	CHECK(mdg_mutex_lock(&box->store) == 0);
	CHECK(mdg_once_begin(&box->once) == 0);
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	CHECK(mdg_mutex_unlock(&box->store) == 0); /* from the middle of the list */
	memset(place, 1, VALUE / 2);
	atomic_store(&box->holder, getpid());
	atomic_store(&box->stage, check_failures == 0 ? 1 : 9);
	for (;;)
		pause();
}

static void hold_reading(void)
{
	CHECK(mdg_rwlock_read(&box->rwlock) == 0);
	atomic_store(&box->holder, getpid());
	atomic_store(&box->stage, check_failures == 0 ? 1 : 9);
	for (;;)
		pause();
}

/* One is told of each death, asleep when it comes. */
static void be_told(void)
{
	unsigned char value[VALUE] = { 0 };
	CHECK(mdg_mutex_lock_until(&box->mutex, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&box->mutex) == 0 && mdg_mutex_unlock(&box->mutex) == 0);
	CHECK(mdg_mutex_trylock(&box->store) == 0 && mdg_mutex_unlock(&box->store) == 0);
	CHECK(mdg_rwlock_read_until(&box->rwlock, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_rwlock_set_repaired(&box->rwlock) == 0 && mdg_rwlock_unlock(&box->rwlock) == 0);
	CHECK(mdg_cell_read(cell(), value, VALUE, NULL) == 0);
	CHECK(memcmp(value, value + 1, VALUE - 1) == 0);
	CHECK(mdg_cell_write_until(cell(), value, VALUE, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_once_begin_until(&box->once, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_once_fail(&box->once) == 0);
}

static void write_after_reader(void)
{
	CHECK(mdg_rwlock_write_until(&box->rwlock, GRACE) == 0);
	CHECK(mdg_rwlock_unlock(&box->rwlock) == 0);
}

static const struct {
	const char *name;
	void (*play)(void);
} roles[] = {
	{ "work", work },       { "ping", ping },
	{ "pong", pong },       { "meet", meet },
	{ "hold", hold },       { "hold-reading", hold_reading },
	{ "be-told", be_told }, { "write-after-reader", write_after_reader },
};

/* ---- the test ---------------------------------------------------------------------------- */

static char file[] = "/tmp/madang-peers-XXXXXX";

static bool map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)sizeof(*box)) != 0)
		return false;
	box = mmap(NULL, sizeof(*box), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return box != MAP_FAILED;
}

static pid_t run(const char *program, const char *role)
{
	return start_program(program, role, file);
}

static void side_by_side(const char *one, const char *other)
{
	pid_t worker[4];
	for (int i = 0; i < 4; i++)
		worker[i] = run(i % 2 == 0 ? one : other, "work");
	for (int i = 0; i < 4; i++)
		CHECK(ended_well(worker[i]));
	CHECK(box->counted == 4 * ROUNDS && box->twin == 4 * ROUNDS);
	CHECK(box->tokens == 4 * ROUNDS && box->written[0] == 4 * ((ROUNDS + 2) / 3));
	CHECK(mdg_sem_value(&box->token) == 1);
	worker[0] = run(one, "ping");
	worker[1] = run(other, "pong");
	CHECK(ended_well(worker[0]));
	CHECK(ended_well(worker[1]));
	worker[0] = run(one, "meet");
	worker[1] = run(other, "meet");
	CHECK(ended_well(worker[0]));
	CHECK(ended_well(worker[1]));
}

static void dies(const char *role, const char *dying, const char *next_role, const char *next)
{
	atomic_store(&box->stage, 0);
	pid_t holder = run(dying, role);
	CHECK(reaches(&box->stage, 1) && atomic_load(&box->stage) == 1);
	pid_t told = run(next, next_role);
	nap_ms(30); /* better asleep; not necessarily */
	kill(atomic_load(&box->holder), SIGKILL);
	CHECK(WIFSIGNALED(ended(holder)));
	CHECK(ended_well(told));
}

static void test(const char *own, const char *other)
{
	CHECK(mdg_sem_post(&box->token, 1) == 0);
	side_by_side(own, other);
	for (int i = 0; i < 2; i++) {
		const char *one = i == 0 ? own : other, *two = i == 0 ? other : own;
		dies("hold", one, "be-told", two);
		dies("hold-reading", one, "write-after-reader", two);
	}
}

int main(int argc, char **argv)
{
	static char own[PATH_MAX];
	for (size_t i = 0; argc == 3 && i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(argv[1], roles[i].name) == 0 && CHECK(map(argv[2]))) {
			roles[i].play();
			return test_result();
		}
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (argc != 2 || length < 0) {
		fprintf(stderr, "usage: %s OTHER\n", argv[0]);
		return 2;
	}
	int fd = mkstemp(file);
	CHECK(fd >= 0 && map(file));
	if (test_result() == 0)
		test(own, argv[1]);
	unlink(file);
	return test_result();
}
