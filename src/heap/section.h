/* SPDX-License-Identifier: MIT */
/*
 * section.h - the beginning and the end of a read section, inside of an operation of the thread.
 *
 * They are two stores to the thread's slot, and no fence. readers.c says why that is enough.
 */
#ifndef MADANG_HEAP_SECTION_H
#define MADANG_HEAP_SECTION_H

#include "heap/internal.h"

#include "platform/fence.h"

/* What the thread knows of membarrier: own->fences. */
enum { MDG__FENCES_UNKNOWN = 0, MDG__FENCES_BY_OTHERS = 1, MDG__FENCES_ITSELF = 2 };

/* ---- read.c -------------------------------------------------------------------------------- */

/* Passes a fence, and finds out whether the next sections need one. */
void mdg__section_fence(struct mdg__heap_own *own);

/* Stores the number. False: the thread has to pass a fence. */
static inline bool mdg__section_enter(const struct mdg__heap *heap, const struct mdg__heap_own *own)
{
	struct mdg__heap_head *head = heap->head;
	/* Acquire: 1 in readers.c. */
	uint64_t epoch = atomic_load_explicit(&head->epoch, memory_order_acquire);
	MDG__STORE(own->slot->epoch,
	           epoch + (epoch == 0));          /* never 0, whatever was scribbled there */
	atomic_signal_fence(memory_order_seq_cst); /* 2 in readers.c */
	return __builtin_expect(
		own->fences == MDG__FENCES_BY_OTHERS && MDG__LOAD(head->fences) == 0, 1);
}

static inline void mdg__section_begin(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	if (own->reading++ == 0 && !mdg__section_enter(heap, own))
		mdg__section_fence(own);
}

/* [in a section] */
static inline void mdg__section_end(struct mdg__heap_own *own)
{
	if (--own->reading == 0) /* Release: what was read is read before. */
		atomic_store_explicit(&own->slot->epoch, 0, memory_order_release);
}

/* A section that begins and ends within one operation, without a call. False: it has not begun. The
 * other sections of the thread are not counted: nobody asks in between. */
static inline bool mdg__section_begin_at_once(const struct mdg__heap *heap,
                                              const struct mdg__heap_own *own)
{
	if (own->reading != 0 || mdg__section_enter(heap, own))
		return true;
	MDG__STORE(own->slot->epoch, 0);
	return false;
}
static inline void mdg__section_end_at_once(const struct mdg__heap_own *own)
{
	if (own->reading == 0) /* Release: as above. */
		atomic_store_explicit(&own->slot->epoch, 0, memory_order_release);
}

#endif
