/* SPDX-License-Identifier: MIT */
/*
 * open_together.c - two threads of a process open a heap at its home address for the first time.
 *
 * The first one stops when the heap lies there, and has no handle yet; or a few system calls later.
 * The other one must not take the heap for something else. Once the first one finds the heap, and
 * once it makes it.
 */
#include "heap/heap.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "sync/points/step.h"

enum { POINTS = 4, POINTS_MAKING = 3 };

static struct step step;
static uintptr_t home;

/* What the processes share. */
static struct shared {
	_Atomic uint32_t goes, begun, done;
} * shared;

static struct mdg_heap_options options = {
	.size = sizeof options, .flags = MDG_HEAP_HOME, .maximum = 4 << 20, .threads = 16
};

static void await(_Atomic uint32_t *word)
{
	while (atomic_load(word) == 0)
		usleep(100);
}

static void *other_thread(void *ret_heap)
{
	await(&shared->goes);
	atomic_store(&shared->begun, 1);
	CHECK_RC(0, mdg_heap_open(ret_heap, ns, "together", &options));
	atomic_store(&shared->done, 1);
	return NULL;
}

static void victim(void *unused)
{
	pthread_t thread;
	mdg_heap *other = NULL;
	(void)unused;
	if (!CHECK(pthread_create(&thread, NULL, other_thread, &other) == 0))
		_exit(1);
	step_begins();
	mdg_heap *heap = heap_open("together", &options);
	step_ends();
	pthread_join(thread, NULL);
	CHECK(other == heap && (uintptr_t)heap->base == home);
	CHECK_RC(0, mdg_free(heap, mdg_alloc(heap, 100)));
	_exit(test_result());
}

/* Whether something lies at the home address in that process. */
static bool lies_there(pid_t pid)
{
	char path[64], line[512], begin[32];
	bool found = false;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	snprintf(begin, sizeof begin, "%lx-", (unsigned long)home);
	FILE *maps = fopen(path, "r");
	while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
		found = strncmp(line, begin, strlen(begin)) == 0 && strstr(line, " rw-s ") != NULL;
	if (maps != NULL)
		fclose(maps);
	return found;
}

/* Whether its head is made. */
static bool is_ready(pid_t pid)
{
	const struct mdg__heap_head *head = (const void *)home; /* NOLINT(*-int-to-ptr) */
	uint32_t ready = 0;
	struct iovec here = { &ready, sizeof ready };
	struct iovec there = { (void *)(uintptr_t)&head->ready, sizeof ready };
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)sizeof ready && ready != 0;
}

/* The first thread stops `more` points after the heap lies there, with its head. False: it has
 * ended before. */
static bool play(unsigned more)
{
	int status = -1;
	memset(shared, 0, sizeof *shared);
	if (!CHECK(step_start(&step, shared, sizeof *shared, victim, NULL)))
		return false;
	enum step_event event = STEP_POINT;
	while (event == STEP_POINT && !(lies_there(step.pid) && is_ready(step.pid)))
		event = step_next(&step);
	if (event == STEP_POINT)
		event = step_to(&step, more);
	atomic_store(&shared->goes, 1);
	await(&shared->begun);
	for (int i = 0; i < 300 && atomic_load(&shared->done) == 0; i++)
		usleep(1000); /* perhaps it waits for the first one */
	step_pause(&step);
	kill(step.pid, SIGCONT);
	if (!CHECK(ends_within(step.pid, 20000, &status, true)))
		step_kill(&step);
	if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		fprintf(stderr, "%u points after it was mapped\n", more);
	return event == STEP_POINT;
}

/* Each time the first thread makes the heap anew. */
static void play_making(void)
{
	options.flags &= ~(uint32_t)MDG_HEAP_EXISTING;
	options.address = home;
	for (unsigned point = 0; point < POINTS_MAKING && check_failures == 0; point++) {
		CHECK_RC(0, mdg_heap_remove(ns, "together"));
		CHECK(play(point));
	}
}

int main(void)
{
	const char *reason = NULL;
	unsigned point = 0;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	enter_namespace();
	mdg_heap *heap = heap_open("together", &options);
	home = (uintptr_t)heap->base;
	CHECK_RC(0, mdg_free(heap, mdg_alloc(heap, 100)));
	mdg_heap_close(heap);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (!CHECK(shared != MAP_FAILED))
		return test_result();
	options.flags |= MDG_HEAP_EXISTING;
	while (point < POINTS && play(point))
		point++;
	CHECK(point == POINTS);
	play_making();
	mdg_namespace_close(ns);
	return test_result();
}
