/* SPDX-License-Identifier: MIT */
/*
 * read.c - read sections. readers.c says how somebody knows that they have ended.
 *
 * A section is two stores to the thread's slot, and no fence.
 */
#include "heap/internal.h"

#include "platform/fence.h"
#include "platform/processors.h"

/* What the thread knows of membarrier. */
enum { FENCES_UNKNOWN = 0, FENCES_BY_OTHERS = 1, FENCES_ITSELF = 2 };

/* ---- reading ----------------------------------------------------------------------------- */

/* Others can make the threads of this process pass a fence only if it has registered. A forked
 * child registers anew. */
static void learn_fences(struct mdg__heap_own *own)
{
	own->fences = mdg__sys_fence_register() == 0 ? FENCES_BY_OTHERS : FENCES_ITSELF;
}

static inline void begin(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	struct mdg__heap_head *head = heap->head;
	if (__builtin_expect(own->fences == FENCES_UNKNOWN, 0))
		learn_fences(own);
	/* Acquire: 1 in readers.c. */
	uint64_t epoch = atomic_load_explicit(&head->epoch, memory_order_acquire);
	MDG__STORE(own->slot->epoch,
	           epoch | (epoch == 0));          /* never 0, whatever was scribbled there */
	atomic_signal_fence(memory_order_seq_cst); /* 2 in readers.c */
	if (__builtin_expect(own->fences != FENCES_BY_OTHERS || MDG__LOAD(head->fences) != 0, 0))
		mdg__fence(memory_order_seq_cst);
}

int mdg_read_begin(mdg_heap *view)
{
	int rc = 0;
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (__builtin_expect(own == NULL, 0))
		return rc;
	if (own->reading++ == 0)
		begin(heap, own);
	mdg__own_end(own);
	return 0;
}

int mdg_read_end(mdg_heap *view)
{
	int rc = 0;
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (__builtin_expect(own == NULL, 0))
		return rc;
	if (__builtin_expect(own->reading == 0, 0))
		rc = -EPERM;
	else if (--own->reading == 0) /* Release: what was read is read before. */
		atomic_store_explicit(&own->slot->epoch, 0, memory_order_release);
	mdg__own_end(own);
	return rc;
}
