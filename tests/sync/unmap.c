/* SPDX-License-Identifier: MIT */
/*
 * unmap.c - memory that is unmapped while the thread that unmaps it holds a lock in it.
 *
 * The victim locks `older` in memory that stays, something in memory that goes, and `newer` in
 * memory that stays. The native detach refuses to unmap the memory. shmdt, munmap, mmap over it,
 * mremap, a channel's end and a replacing attach cannot refuse. After these, whoever waits for the
 * lock that went with the memory learns at once that its owner died. When the victim is killed
 * later, `older` and `newer` are recovered as always; a broken robust list would prevent that. A
 * call that fails changes nothing.
 *
 * exec unmaps everything. There the kernel recovers the locks before anyone else can.
 */
#include <madang/segment.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "sync/asleep.h"

enum { SIZE = 8 * 4096 };

static struct stays {
	mdg_mutex older, newer;
	_Atomic uint32_t stage, waiting, went_on;
} * stays;

/* What goes: one of each kind that has owners; `inner` lies far enough from the start to stay when
 * the first pages go. */
struct goes {
	mdg_mutex mutex;
	mdg_rwlock rwlock;
	mdg_barrier barrier;
	mdg_once once;
	char gap[4 * 4096];
	mdg_mutex inner;
};
_Static_assert(sizeof(struct goes) <= SIZE, "");

static mdg_namespace *ns;
static mdg_id id;
static struct goes *mine; /* the test's own attachment */

static struct goes *attach(void)
{
	void *memory = shmat(id, NULL, 0);
	CHECK(memory != (void *)-1);
	return memory;
}

/* ---- the ways that memory goes -------------------------------------------------------------- */

static void by_shmdt(struct goes *goes)
{
	CHECK(shmdt(goes) == 0);
}

static void by_munmap(struct goes *goes)
{
	CHECK(munmap(goes, SIZE) == 0);
}

static void by_mmap(struct goes *goes)
{
	CHECK(mmap(goes, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == goes);
}

static void by_moving(struct goes *goes)
{
	void *to = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mremap(goes, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void by_growing(struct goes *goes)
{
	/* Something in the way, so that it has to move. */
	char *next = (char *)goes + SIZE;
	(void)mmap(next, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
	void *moved = mremap(goes, SIZE, 2 * (size_t)SIZE, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && moved != goes);
}

static void by_being_moved_over(struct goes *goes)
{
	void *from = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mremap(from, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, goes) == goes);
}

static void by_replacing(struct goes *goes)
{
	void *memory;
	CHECK(mdg_segment_attach(ns, id, goes, MDG_REMAP, &memory) == 0 && memory == goes);
}

static void (*const ways[])(struct goes *) = {
	by_shmdt, by_munmap, by_mmap, by_moving, by_growing, by_being_moved_over, by_replacing,
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* ---- a victim ------------------------------------------------------------------------------- */

static void victim(void *way)
{
	struct goes *goes = attach();
	CHECK(mdg_mutex_lock(&stays->older) == 0);
	CHECK(mdg_mutex_lock(&goes->mutex) == 0);
	CHECK(mdg_rwlock_write(&goes->rwlock) == 0);
	CHECK(mdg_mutex_lock(&goes->inner) == 0);
	CHECK(mdg_mutex_lock(&stays->newer) == 0);
	CHECK(mdg_segment_detach(ns, goes) == -EBUSY);
	atomic_store(&stays->stage, 1);
	CHECK(reaches(&stays->stage, 2));
	ways[(uintptr_t)way](goes);
	CHECK(mdg_mutex_trylock(&stays->older) == -EDEADLK);
	CHECK(mdg_mutex_unlock(&stays->newer) == 0); /* the list is whole */
	CHECK(mdg_mutex_lock(&stays->newer) == 0);
	fflush(NULL);
	atomic_store(&stays->stage, test_result() == 0 ? 3 : 4);
	for (;;)
		pause();
}

static void wait_for_inner(void *unused)
{
	(void)unused;
	atomic_store(&stays->waiting, 1);
	CHECK(mdg_mutex_lock_until(&mine->inner, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&mine->inner) == 0 && mdg_mutex_unlock(&mine->inner) == 0);
}

static void goes_away(uintptr_t way)
{
	memset(stays, 0, sizeof(*stays));
	memset(mine, 0, sizeof(*mine));
	pid_t pid = start(victim, (void *)way);
	CHECK(reaches(&stays->stage, 1));
	pid_t waiter = start(wait_for_inner, NULL);
	CHECK(falls_asleep(waiter, &stays->waiting));
	atomic_store(&stays->stage, 2);
	CHECK(reaches(&stays->stage, 3));
	CHECK(atomic_load(&stays->stage) == 3);
	/* While the victim lives. */
	CHECK(ended_well(waiter));
	CHECK(mdg_mutex_lock_until(&mine->mutex, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_rwlock_write_until(&mine->rwlock, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_rwlock_unlock(&mine->rwlock) == 0);
	CHECK(mdg_mutex_trylock(&stays->older) == -EBUSY);
	CHECK(mdg_mutex_unlock(&mine->mutex) == 0);
	killed(pid);
	CHECK(mdg_mutex_lock_until(&stays->older, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_lock_until(&stays->newer, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_unlock(&stays->older) == 0 && mdg_mutex_unlock(&stays->newer) == 0);
	if (check_failures != 0)
		fprintf(stderr, "the way is %d\n", (int)way);
}

/* ---- the native detach ---------------------------------------------------------------------- */

static void refuses(void *unused)
{
	struct goes *goes = attach();
	(void)unused;
	CHECK(mdg_mutex_lock(&goes->mutex) == 0);
	CHECK(mdg_segment_detach(ns, goes) == -EBUSY);
	CHECK(mdg_mutex_unlock(&goes->mutex) == 0);
	CHECK(mdg_rwlock_read(&goes->rwlock) == 0);
	CHECK(mdg_segment_detach(ns, goes) == -EBUSY);
	CHECK(mdg_rwlock_unlock(&goes->rwlock) == 0);
	CHECK(mdg_barrier_join(&goes->barrier, 2) == 0);
	CHECK(mdg_segment_detach(ns, goes) == -EBUSY);
	CHECK(mdg_barrier_leave(&goes->barrier) == 0);
	CHECK(mdg_once_begin(&goes->once) == 0);
	CHECK(mdg_segment_detach(ns, goes) == -EBUSY);
	CHECK(mdg_once_finish(&goes->once) == 0);
	/* Held elsewhere, also in the same segment at another address. */
	CHECK(mdg_mutex_lock(&stays->older) == 0 && mdg_mutex_lock(&mine->mutex) == 0);
	CHECK(mdg_segment_detach(ns, goes) == 0);
	CHECK(mdg_segment_detach(ns, goes) == -EINVAL);
	CHECK(mdg_mutex_unlock(&mine->mutex) == 0 && mdg_mutex_unlock(&stays->older) == 0);
}

/* ---- calls that fail, and calls that leave the memory where it is --------------------------- */

static void costs_nothing(void *unused)
{
	struct goes *goes = attach();
	char *start = (char *)goes;
	(void)unused;
	CHECK(mdg_mutex_lock(&goes->mutex) == 0);
	CHECK(munmap(start + 1, SIZE) == -1);
	CHECK(munmap(start, 0) == -1);
	CHECK(mmap(start, SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, -1, 0) == MAP_FAILED);
	CHECK(mremap(start, SIZE, 0, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(mremap(start, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, start + 4096) == MAP_FAILED);
	CHECK(mremap(start, SIZE, SIZE, MREMAP_MAYMOVE) == start);
	CHECK(shmdt(start + 4096) == -1);
	/* The tail goes, and what is held before it stays. */
	CHECK(mdg_mutex_lock(&goes->inner) == 0);
	CHECK(mremap(start, SIZE, 4096, 0) == start);
	CHECK(mdg_mutex_trylock(&mine->inner) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_unlock(&mine->inner) == 0);
	/* Held all along. */
	CHECK(mdg_mutex_trylock(&mine->mutex) == -EBUSY);
	CHECK(mdg_mutex_unlock(&goes->mutex) == 0);
	CHECK(mdg_mutex_trylock(&mine->mutex) == 0 && mdg_mutex_unlock(&mine->mutex) == 0);
	CHECK(munmap(start, 4096) == 0);
}

/* ---- room that comes and goes ----------------------------------------------------- */

static _Atomic bool enough;

static void *take_and_give(void *place)
{
	while (!atomic_load(&enough)) {
		void *got =
			mmap(place, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
		if (got != MAP_FAILED)
			(void)munmap(got, 4096);
	}
	return NULL;
}

/* Another thread takes the addresses behind the memory and gives them back, all the time. Memory
 * that may move grows all the same. */
static void grows_beside_others(void *unused)
{
	enum { ROOM = 4 * 4096, ROUNDS = 3000 };
	pthread_t thread;
	char *room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)unused;
	CHECK(room != MAP_FAILED && munmap(room + 4096, ROOM - 4096) == 0);
	CHECK(pthread_create(&thread, NULL, take_and_give, room + 4096) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		mdg_mutex *mutex = mmap(room, 4096, PROT_READ | PROT_WRITE,
		                        MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(mutex != MAP_FAILED && mdg_mutex_lock(mutex) == 0);
		mdg_mutex *longer = mremap(mutex, 4096, 8192, MREMAP_MAYMOVE);
		if (!CHECK(longer != MAP_FAILED))
			break;
		/* The lock is still held, or it was let go. It may also have been let go when the
		 * addresses behind were free again at the second look. */
		if (longer != mutex || mdg_mutex_unlock(longer) != 0)
			CHECK(mdg_mutex_trylock(longer) == MDG_OWNER_DIED &&
			      mdg_mutex_unlock(longer) == 0);
		CHECK(munmap(longer, 8192) == 0);
	}
	atomic_store(&enough, true);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* Memory that no segment is. */
static void not_attached(void *unused)
{
	mdg_mutex *other = shared_memory(2 * 4096), *last = (mdg_mutex *)((char *)other + 4096);
	(void)unused;
	CHECK(mdg_mutex_lock(&stays->older) == 0);
	CHECK(mdg_mutex_lock(other) == 0 && mdg_mutex_lock(last) == 0);
	CHECK(munmap(other, 4096) == 0);
	CHECK(mdg_mutex_unlock(last) == 0);
	fflush(NULL);
	if (test_result() == 0)
		die();
}

/* ---- exec ----------------------------------------------------------------------------------- */

static void hold_and_exec(void *program)
{
	struct goes *goes = attach();
	CHECK(mdg_mutex_lock(&stays->older) == 0);
	CHECK(mdg_mutex_lock(&goes->mutex) == 0);
	CHECK(mdg_mutex_lock(&stays->newer) == 0);
	atomic_store(&stays->stage, 1);
	execl(program, program, "sleep", (char *)NULL);
}

static void execs(char *program)
{
	memset(stays, 0, sizeof(*stays));
	memset(mine, 0, sizeof(*mine));
	pid_t pid = start(hold_and_exec, program);
	CHECK(reaches(&stays->stage, 1));
	CHECK(mdg_mutex_lock_until(&stays->older, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_lock_until(&mine->mutex, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_lock_until(&stays->newer, GRACE) == MDG_OWNER_DIED);
	CHECK(kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0); /* it lives on */
	killed(pid);
}

static void in_process(void (*f)(void *), bool dies)
{
	memset(stays, 0, sizeof(*stays));
	memset(mine, 0, sizeof(*mine));
	int status = ended(start(f, NULL));
	CHECK(dies ? WIFSIGNALED(status) : status == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return pause();
	stays = shared_memory(sizeof(*stays));
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	id = shmget(IPC_PRIVATE, SIZE, 0600);
	mine = attach();
	if (check_failures != 0)
		return test_result();
	for (uintptr_t way = 0; way < WAYS; way++)
		goes_away(way);
	in_process(refuses, false);
	in_process(costs_nothing, false);
	in_process(grows_beside_others, false);
	in_process(not_attached, true);
	CHECK(mdg_mutex_lock_until(&stays->older, GRACE) == MDG_OWNER_DIED);
	execs(argv[0]);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	return test_result();
}
