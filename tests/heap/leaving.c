/* SPDX-License-Identifier: MIT */
/*
 * leaving.c - a thread closes a heap for the last time. When it has given its slot back, and is not
 * at its end, another thread of the process closes another heap, or opens the same one.
 *
 * A process is taken through its mdg_heap_close until the slot is left. There it stops, and its
 * other thread goes on.
 */
#include "heap/heap.h"

#include <pthread.h>
#include <sys/mman.h>

#include "sync/points/step.h"

enum what { CLOSES_ANOTHER, OPENS_IT };

static mdg_heap *looker; /* of the process that steps */
static struct step step;

/* What the processes share. */
static struct shared {
	_Atomic uint32_t slot1; /* of the thread that closes; 0: not yet */
	_Atomic uint32_t ready; /* 1: the other thread has opened its heap */
	_Atomic uint32_t goes;  /* 1: the other thread may go on */
	_Atomic uint32_t done;  /* 1: it has */
	_Atomic uint32_t ended; /* 1: the heap is closed */
} * shared;

static const struct mdg_heap_options options = { .size = sizeof options,
	                                         .maximum = 4 << 20,
	                                         .threads = 16 };

static void await(_Atomic uint32_t *word)
{
	while (atomic_load(word) == 0)
		usleep(100);
}

/* ---- the process --------------------------------------------------------------------------- */

static struct mdg__heap_own *own_of(mdg_heap *heap)
{
	int why;
	return mdg__own_find(mdg__heap_of(heap), &why);
}

/* It has a slot now, and what it keeps is its own to the end. */
static void use(mdg_heap *heap)
{
	void *block = mdg_alloc(heap, 100);
	const struct mdg__heap_own *own = own_of(heap);
	CHECK(block != NULL && own != NULL);
	atomic_store(&shared->done, 1);
	await(&shared->ended);
	CHECK(own != NULL && mdg__own_lives(mdg__heap_of(heap), own));
	CHECK_RC(0, mdg_free(heap, block));
}

static void *other_thread(void *argument)
{
	const enum what *what = argument;
	mdg_heap *other = heap_open("other", &options);
	atomic_store(&shared->ready, 1);
	await(&shared->goes);
	if (*what == OPENS_IT) {
		mdg_heap *heap = heap_open("one", &options);
		use(heap);
		mdg_heap_close(heap);
	}
	mdg_heap_close(other);
	atomic_store(&shared->done, 1);
	return NULL;
}

static void victim(void *argument)
{
	pthread_t thread;
	mdg_heap *heap = heap_open("one", &options);
	mdg_heap_close(looker); /* it was open before the fork */
	CHECK_RC(0, mdg_free(heap, mdg_alloc(heap, 100)));
	atomic_store(&shared->slot1, MDG__LOAD(own_of(heap)->slot1));
	if (!CHECK(pthread_create(&thread, NULL, other_thread, argument) == 0))
		_exit(1);
	await(&shared->ready); /* or the closing thread sleeps until it has opened */
	step_begins();
	mdg_heap_close(heap);
	step_ends();
	atomic_store(&shared->ended, 1);
	pthread_join(thread, NULL);
	_exit(test_result());
}

/* ---- the one that steps -------------------------------------------------------------------- */

static bool is_left(uint32_t slot1)
{
	uint32_t word = MDG__LOAD(mdg__heap_of(looker)->slot[slot1 - 1].life.word);
	return (word & MDG__DIED) != 0 && (word & MDG__TID) == 0;
}

static void play(enum what what)
{
	int status = -1;
	memset(shared, 0, sizeof *shared);
	if (!CHECK(step_start(&step, mdg__heap_of(looker)->slot, sizeof(struct mdg__heap_slot) * 8,
	                      victim, &what)))
		return;
	enum step_event event = STEP_POINT;
	while (event == STEP_POINT && !is_left(atomic_load(&shared->slot1)))
		event = step_next(&step);
	CHECK(event == STEP_POINT);
	atomic_store(&shared->goes, 1);
	await(&shared->done);
	step_pause(&step);
	kill(step.pid, SIGCONT);
	if (!CHECK(ends_within(step.pid, 20000, &status, true)))
		step_kill(&step);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const char *reason = NULL;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	enter_namespace();
	looker = heap_open("one", &options);
	CHECK_RC(0, mdg_free(looker, mdg_alloc(looker, 100))); /* there are slots */
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (!CHECK(shared != MAP_FAILED))
		return test_result();
	play(CLOSES_ANOTHER);
	play(OPENS_IT);
	(void)mdg_heap_sweep(looker);
	CHECK_LIVE(looker, UINT64_C(0));
	mdg_heap_close(looker);
	mdg_namespace_close(ns);
	return test_result();
}
