/* SPDX-License-Identifier: MIT */
/*
 * segments.h - what every test of the System V calls needs: keys that nobody
 * uses, segments that are removed at the end, and whether the test runs on Madang
 * or on the kernel.
 *
 * The same source runs on Madang and on the kernel's System V IPC, the oracle.
 * on_kernel() tells which. Use it only where Madang differs on purpose. alone()
 * tells whether nobody else can make segments meanwhile. Only then may a test
 * check absolute numbers (used ids, highest index).
 *
 * Every segment that was made with make_segment(), or told to keep_track(), is
 * removed when the test's first process exits. That holds also for segments of its
 * children, because the list lies in memory that forked children share.
 *
 * Include it after check.h, once in a program, and begin main() with begin().
 */
#ifndef MADANG_TESTS_SEGMENTS_H
#define MADANG_TESTS_SEGMENTS_H

#include "support/check.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <time.h>

enum { SEGMENTS_TRACKED_MAX = 65536 };

struct segments_tracked {
	atomic_int count;
	int id[SEGMENTS_TRACKED_MAX];
};

static struct segments_tracked *segments_tracked;
static pid_t segments_first_process;

/* enclose sets MADANG_ORACLE: "alone" in an IPC namespace of its own, else "together". */
static inline bool on_kernel(void)
{
	return getenv("MADANG_ORACLE") != NULL;
}

static inline bool alone(void)
{
	const char *oracle = getenv("MADANG_ORACLE");
	return oracle == NULL || strcmp(oracle, "alone") == 0;
}

static inline void keep_track(int id)
{
	int place = atomic_fetch_add(&segments_tracked->count, 1);
	if (place < SEGMENTS_TRACKED_MAX)
		segments_tracked->id[place] = id;
}

static inline void segments_remove_all(void)
{
	if (getpid() != segments_first_process)
		return;
	int count = atomic_load(&segments_tracked->count);
	if (count > SEGMENTS_TRACKED_MAX)
		count = SEGMENTS_TRACKED_MAX;
	for (int i = 0; i < count; i++)
		shmctl(segments_tracked->id[i], IPC_RMID, NULL);
}

/* Call it first in main(). It skips the test where there is no System V IPC. */
static inline void begin(void)
{
	segments_tracked = mmap(NULL, sizeof(*segments_tracked), PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (segments_tracked == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	segments_first_process = getpid();
	atexit(segments_remove_all);
	if (on_kernel() && shmget(IPC_PRIVATE, 0, 0) < 0 && errno == ENOSYS)
		SKIP("the kernel has no System V shared memory to compare with");
}

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A random key that no segment has. */
static inline key_t fresh_key(void)
{
	for (;;) {
		key_t key = IPC_PRIVATE;
		if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
			perror("getrandom");
			exit(1);
		}
		if (key != IPC_PRIVATE && shmget(key, 0, 0) < 0 && errno == ENOENT)
			return key;
	}
}

/* A shmget that must succeed. The segment is removed at the end. */
static inline int make_segment(key_t key, size_t size, int flags)
{
	int id = shmget(key, size, flags);
	CHECK(id >= 0);
	if (id >= 0)
		keep_track(id);
	return id;
}

static inline int make_private(size_t size, int mode)
{
	return make_segment(IPC_PRIVATE, size, IPC_CREAT | mode);
}

static inline void *attach(int id)
{
	void *memory = shmat(id, NULL, 0);
	CHECK(memory != (void *)-1);
	return memory;
}

/* An IPC_STAT that must succeed. The structure holds rubbish before, so that a test notices a field
 * that was not filled in. */
static inline struct shmid_ds stat_of(int id)
{
	struct shmid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	CHECK(shmctl(id, IPC_STAT, &stat) == 0);
	return stat;
}

/* The earliest second that a time stamp from now on can have. The kernel takes its stamps from the
 * coarse clock, which is behind the fine clock by up to a tick. */
static inline time_t clock_before(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec;
}

/* The latest second that a time stamp until now can have. */
static inline time_t clock_after(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* Waits until a new time stamp must differ from this one. */
static inline void wait_past(time_t stamp)
{
	while (clock_before() <= stamp)
		nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
}

/* The number that follows `label` at the start of a line of the file; -1: none. */
static inline long long number_in(const char *path, const char *label)
{
	char line[200], *end = line;
	long long number = -1;
	FILE *file = fopen(path, "r");
	while (file != NULL && end == line && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, label, strlen(label)) == 0)
			number = (long long)strtoull(line + strlen(label), &end, 10);
	if (file != NULL)
		fclose(file);
	return number;
}

static inline bool exists(int id)
{
	struct shmid_ds stat;
	return shmctl(id, IPC_STAT, &stat) == 0 || errno != EINVAL;
}

#endif
