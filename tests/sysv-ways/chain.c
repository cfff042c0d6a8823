/* SPDX-License-Identifier: MIT */
/*
 * chain.c - a library that watches the program's mappings stands in line with us.
 *
 *     chain [front]
 *
 * Run with observer.c preloaded behind Madang, before it ("front"), and without
 * Madang. Every call of the program's is seen, once, and what the observer does
 * meanwhile (call malloc, attach and detach, wait for a lock whose owner attaches,
 * refuse, fork) neither hangs nor makes the counts wrong. A hang is ended by the
 * test's time limit.
 */
#include "support/check.h"
#include "observer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

static struct observer *observer;
static size_t page;

static long attached(int id)
{
	struct shmid_ds stat = { .shm_nattch = 99 };
	return shmctl(id, IPC_STAT, &stat) == 0 ? (long)stat.shm_nattch : -1;
}

static int make(size_t pages, char **ret_memory)
{
	int id = shmget(IPC_PRIVATE, pages * page, 0600);
	char *memory = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;
	CHECK((intptr_t)memory != -1);
	*ret_memory = memory;
	return id;
}

static void drop(int id)
{
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void *room(size_t pages)
{
	void *memory = mmap(NULL, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

/* ---- what is seen ------------------------------------------------------------------ */

static void test_strangers(void)
{
	struct observer before = *observer;
	for (int i = 0; i < 10; i++) {
		void *memory = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memory = mremap(memory, 2 * page, page, MREMAP_MAYMOVE);
		CHECK(memory != MAP_FAILED && munmap(memory, page) == 0);
	}
	CHECK(observer->maps - before.maps == 10 && observer->unmaps - before.unmaps == 10 &&
	      observer->remaps - before.remaps == 10);
	CHECK_ERRNO("strangers", EINVAL, munmap((void *)1, page));
	CHECK_ERRNO("strangers", EINVAL, munmap(NULL, 0));
}

static void test_attachments(void)
{
	char *memory, *other = room(3);
	int id = make(3, &memory);
	struct observer before = *observer;
	CHECK(munmap(memory + page, page) == 0 && attached(id) == 2);
	CHECK(munmap(memory, page) == 0 && attached(id) == 1);
	CHECK(mmap(memory + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	           0) == memory + 2 * page);
	CHECK(attached(id) == 0);
	CHECK(observer->unmaps - before.unmaps == 2 && observer->maps - before.maps == 1);
	memory = shmat(id, NULL, 0);
	CHECK(mremap(memory, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other);
	CHECK(attached(id) == 1 && observer->remaps - before.remaps == 1);
	CHECK(mremap(other, 3 * page, page, 0) == other && attached(id) == 1);
	CHECK(shmdt(other) == 0 && attached(id) == 0);
	drop(id);
}

/* ---- what it may do ------------------------------------------------------------------ */

static int refuse(int is_after)
{
	return is_after ? 0 : EXDEV;
}

static void test_refusal(void)
{
	char *memory, *other = room(1);
	int id = make(1, &memory);
	observer->hook = refuse;
	CHECK_ERRNO("refused", EXDEV, munmap(memory, page));
	CHECK_ERRNO("refused", EXDEV,
	            mmap(memory, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CHECK_ERRNO("refused", EXDEV,
	            mremap(memory, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, other));
	observer->hook = NULL;
	CHECK(attached(id) == 1);
	memory[0] = 1;
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
	drop(id);
}

static int busy_id;

/* Meanwhile an observer may allocate, use shared memory, and unmap. Such calls come here again, and
 * `depth` ends that. */
static int be_busy(int is_after)
{
	static int depth;
	(void)is_after;
	if (depth > 0)
		return 0;
	depth++;
	void *large = malloc((size_t)4 << 20);
	CHECK(large != NULL);
	free(large);
	char *memory = shmat(busy_id, NULL, 0);
	CHECK((intptr_t)memory != -1 && shmdt(memory) == 0);
	memory = shmat(busy_id, NULL, 0);
	CHECK(munmap(memory, page) == 0);
	CHECK(attached(busy_id) == 0);
	depth--;
	return 0;
}

static void test_busy(void)
{
	char *memory, *other = room(1);
	int id = make(1, &memory);
	busy_id = shmget(IPC_PRIVATE, 1, 0600);
	observer->hook = be_busy;
	CHECK(mremap(memory, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other);
	CHECK(attached(id) == 1);
	CHECK(munmap(other, page) == 0 && attached(id) == 0);
	observer->hook = NULL;
	drop(busy_id);
	drop(id);
}

/* ---- a lock of its own ------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static int lock_id;

static int take_lock(int is_after)
{
	if (is_after)
		return 0;
	pthread_barrier_wait(&both); /* the other one has the lock by now */
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void *attach_with_lock(void *arg)
{
	pthread_mutex_lock(&lock);
	pthread_barrier_wait(&both);
	usleep(100000); /* let the other one wait for the lock; no harm if it does not yet */
	char *memory = shmat(lock_id, NULL, 0);
	CHECK((intptr_t)memory != -1 && shmdt(memory) == 0);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void test_lock(void)
{
	pthread_t thread;
	char *memory;
	lock_id = make(1, &memory);
	CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
	observer->hook = take_lock;
	CHECK(pthread_create(&thread, NULL, attach_with_lock, NULL) == 0);
	CHECK(munmap(memory, page) == 0);
	observer->hook = NULL;
	CHECK(pthread_join(thread, NULL) == 0 && attached(lock_id) == 0);
	drop(lock_id);
}

/* ---- before we know of it ------------------------------------------------------------------ */

static char *wanted;
static int new_id;

/* The addresses are free, and somebody else gets them at once. */
static int take_addresses(int is_after)
{
	static int depth;
	if (!is_after || wanted == NULL || depth > 0)
		return 0;
	depth++;
	for (int i = 0; i < 3; i++) { /* what was there and is not gone for us yet is in no way */
		char *memory = shmat(new_id, wanted, 0);
		CHECK(memory == wanted && attached(new_id) == 1);
		if (i == 0)
			CHECK(shmdt(wanted) == 0 && attached(new_id) == 0);
		if (i == 1)
			CHECK(munmap(wanted + page, page) == 0 && munmap(wanted, page) == 0 &&
			      attached(new_id) == 0);
	}
	wanted = NULL;
	depth--;
	return 0;
}

static void test_new_tenant(void)
{
	char *memory = room(2);
	int id = shmget(IPC_PRIVATE, 1, 0600);
	CHECK(munmap(memory, 2 * page) == 0 && shmat(id, memory, 0) == memory);
	new_id = shmget(IPC_PRIVATE, 2 * page, 0600);
	wanted = memory;
	observer->hook = take_addresses;
	CHECK(munmap(memory, page) == 0);
	observer->hook = NULL;
	CHECK(attached(id) == 0 && attached(new_id) == 1);
	memory[0] = 1;
	CHECK(shmdt(memory) == 0 && attached(new_id) == 0);
	drop(id);
	drop(new_id);
}

static int fork_id, told[2];
static pid_t forked;

/* A child that is there while the parent's count is not right yet. */
static int fork_within(int is_after)
{
	char byte = 0;
	if (!is_after || forked != 0)
		return 0;
	forked = fork();
	if (forked != 0)
		return 0;
	/* Its own is gone, and the parent's too once it has said so. */
	bool held = read(told[0], &byte, 1) == 1 && attached(fork_id) == 0;
	_exit(held ? 0 : 1);
}

static void test_fork_within(void)
{
	char *memory, *kept, byte = 0;
	int status = -1, id;
	CHECK(pipe(told) == 0);
	fork_id = make(1, &memory);
	id = make(2, &kept);
	CHECK(mprotect(kept, page, PROT_READ) == 0); /* two areas, and nothing missing */
	observer->hook = fork_within;
	CHECK(munmap(memory, page) == 0);
	observer->hook = NULL;
	CHECK(write(told[1], &byte, 1) == 1);
	CHECK(waitpid(forked, &status, 0) == forked && status == 0);
	CHECK(attached(fork_id) == 0 && shmdt(kept) == 0);
	drop(fork_id);
	drop(id);
}

int main(int argc, char **argv)
{
	(void)argv;
	page = (size_t)sysconf(_SC_PAGESIZE);
	observer = dlsym(RTLD_DEFAULT, "observer");
	if (!CHECK(observer != NULL))
		return test_result();
	test_strangers();
	test_attachments();
	test_refusal();
	test_busy();
	test_lock();
	test_new_tenant();
	test_fork_within();
	if (argc > 1) { /* the observer is the first, and hands a call on to us */
		int before = observer->gets, id = shmget(IPC_PRIVATE, 1, 0600);
		CHECK(observer->gets == before + 1);
		drop(id);
	}
	return test_result();
}
