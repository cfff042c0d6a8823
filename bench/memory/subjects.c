/* SPDX-License-Identifier: MIT */
/*
 * subjects.c - the objects whose memory is looked at: Madang's, and beside each what the kernel or
 * the C library has in its place. Each is used once, because what is not used costs little.
 */
#include "bench/memory/memory.h"
#include "bench/segment/segment.h"

#include <madang/channel.h>
#include <madang/heap.h>
#include <madang/segment.h>
#include <madang/sync.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- segments ------------------------------------------------------------------------ */

static int kernel_id[MEMORY_ADDED] = { -1, -1 };

static bool segment_on(const struct side *side, int *ret_id)
{
	char *memory;

	*ret_id = side->get(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	if (*ret_id < 0)
		return false;
	memory = side->at(*ret_id, NULL, 0);
	if (memory == (void *)-1)
		return false;
	memory[0] = 1;
	return true;
}

static bool segment_make(unsigned number)
{
	int id;

	(void)number;
	return segment_on(bench_sides[MADANG], &id);
}

static bool segment_kernel_make(unsigned number)
{
	return segment_on(bench_sides[KERNEL], &kernel_id[number]);
}

static void segment_kernel_remove(void)
{
	for (unsigned i = 0; i < MEMORY_ADDED; i++)
		if (kernel_id[i] >= 0)
			bench_sides[KERNEL]->ctl(kernel_id[i], IPC_RMID, NULL);
}

/* ---- channels ------------------------------------------------------------------------ */

static mdg_namespace *space;

static bool space_open(void)
{
	return space != NULL || mdg_namespace_open(&space, NULL, NULL) == 0;
}

static bool channel_make(unsigned number)
{
	struct mdg_channel_options options = { .size = sizeof options };
	char name[] = "memory-0", message[64] = { 0 };
	mdg_channel *in, *out;

	name[sizeof name - 2] = (char)('0' + number);
	return space_open() && mdg_channel_open(&in, space, name, MDG_LISTENER, &options) == 0 &&
	       mdg_channel_open(&out, space, name, MDG_TALKER, &options) == 0 &&
	       mdg_channel_send(out, message, sizeof message, MDG_FOREVER) == 0 &&
	       mdg_channel_recv(in, message, sizeof message, NULL, MDG_FOREVER) >= 0;
}

static bool pipe_make(unsigned number)
{
	char message[64] = { 0 };
	int ends[2];

	(void)number;
	return pipe(ends) == 0 && write(ends[1], message, sizeof message) == sizeof message &&
	       read(ends[0], message, sizeof message) == sizeof message;
}

/* ---- locks --------------------------------------------------------------------------- */

/* In shared memory that is there before the first look. */
static char *page;

static void page_prepare(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		exit(1);
	memset(page, 0, 4096);
}

static bool mutex_make(unsigned number)
{
	mdg_mutex *mutex = (mdg_mutex *)page + number; /* zeros are a mutex */

	return mdg_mutex_lock(mutex) == 0 && mdg_mutex_unlock(mutex) == 0;
}

static bool pthread_make(unsigned number)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)page + number;
	pthread_mutexattr_t robust;

	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	return pthread_mutex_init(mutex, &robust) == 0 && pthread_mutex_lock(mutex) == 0 &&
	       pthread_mutex_unlock(mutex) == 0;
}

/* ---- heaps --------------------------------------------------------------------------- */

static bool heap_make(unsigned number)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 1 << 20 };
	char name[] = "memory-heap-0";
	mdg_heap *heap;
	char *block;

	name[sizeof name - 2] = (char)('0' + number);
	if (!space_open() || mdg_heap_open(&heap, space, name, &options) != 0)
		return false;
	block = mdg_alloc(heap, 64);
	if (block != NULL)
		memset(block, 1, 64);
	return block != NULL;
}

static bool malloc_make(unsigned number)
{
	static char *volatile block[MEMORY_ADDED];

	block[number] = malloc(64);
	if (block[number] != NULL)
		memset(block[number], 1, 64);
	return block[number] != NULL;
}

const struct memory_subject memory_subjects[] = {
	{ "segment", "shmget, shmat, one byte written", NULL, NULL, segment_make, NULL },
	{ "segment", "the same", "kernel", NULL, segment_kernel_make, segment_kernel_remove },
	{ "channel", "a stream, both ends, 64 bytes sent and received", NULL, NULL, channel_make,
	  NULL },
	{ "channel", "a pipe, both ends, the same", "kernel", NULL, pipe_make, NULL },
	{ "lock", "mdg_mutex, lock and unlock, in memory that is there", NULL, page_prepare,
	  mutex_make, NULL },
	{ "lock", "pthread_mutex, shared and robust, the same", "libc", page_prepare, pthread_make,
	  NULL },
	{ "heap", "a heap of 1 MiB at most, one block of 64 bytes", NULL, NULL, heap_make, NULL },
	{ "heap", "malloc, one block of 64 bytes", "libc", NULL, malloc_make, NULL },
};

const unsigned memory_subject_count = sizeof memory_subjects / sizeof *memory_subjects;
_Static_assert(sizeof memory_subjects / sizeof *memory_subjects <= MEMORY_SUBJECTS_MAX,
               "room for every subject");
