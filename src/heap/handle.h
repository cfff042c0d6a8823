/* SPDX-License-Identifier: MIT */
/*
 * handle.h - a heap that this process has open: where its parts are.
 *
 * Addresses are computed from the private pointers in here. So whatever the tables in shared memory
 * say, what is read and written lies in the heap.
 */
#ifndef MADANG_HEAP_HANDLE_H
#define MADANG_HEAP_HANDLE_H

#include <stdbool.h>

#include "heap/sizes.h"
#include "segment/segment.h"

#define MDG__LOAD(field)       atomic_load_explicit(&(field), memory_order_relaxed)
#define MDG__STORE(field, new) atomic_store_explicit(&(field), (new), memory_order_relaxed)

struct mdg__heap_own;

struct mdg__heap {
	mdg_heap view;          /* first: what the program sees. base is where the head lies */
	struct mdg__heap *next; /* in the list of this process [mdg__lists_enter] */
	mdg_namespace *ns;
	mdg_id id;
	uint32_t users;          /* opens that were not closed [mdg__lists_enter] */
	_Atomic uint32_t closed; /* 1: there are none. Written with `users`; read by anybody */
	uint32_t flags;          /* MDG_HEAP_HOME, RDONLY, LABELS, CHECKED */
	uint32_t slots;          /* how many there are */
	uint64_t capacity;       /* units */
	size_t data_bytes;       /* the same in bytes */
	size_t at_once;          /* smaller blocks are allocated at once; 0 in a heap with labels */
	/* Bytes of data whose tables have memory, as far as this process knows. [A] Only grows. */
	_Atomic size_t known;
	_Atomic uint32_t
		broken; /* [A] 1: the lock did not come free, and nobody seems to have it */
	_Atomic uint32_t suspect; /* [A] 1: the same of a lock of a map in it */
	struct mdg__parts parts;
	/* Pointers to the parts, in this process. */
	struct mdg__heap_head *head;
	struct mdg__heap_root *root;
	struct mdg__heap_slot *slot;
	_Atomic uint64_t *heads, *hints, *bits[MDG__BITS_ALL], *free, *remote, *labels;
	unsigned char *data;
	_Atomic(struct mdg__heap_own *)
		owns; /* all that threads of this process keep; grows only */
};

static inline struct mdg__heap *mdg__heap_of(const mdg_heap *heap)
{
	return (struct mdg__heap *)(uintptr_t)heap;
}

/* Whether the program has closed it. Then it may be detached, and no pointer in it may be used. */
static inline bool mdg__is_closed(const struct mdg__heap *heap)
{
	return MDG__LOAD(heap->closed) != 0;
}

/* The words of the slab that begins at this unit. [unit < capacity, and promised] */
static inline _Atomic uint64_t *mdg__free_words(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->free + unit * MDG__SLAB_WORDS;
}
static inline _Atomic uint64_t *mdg__remote_words(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->remote + unit * MDG__SLAB_WORDS;
}
static inline unsigned char *mdg__unit_at(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->data + (size_t)(unit << MDG__UNIT_SHIFT);
}

/* ---- bits of units ------------------------------------------------------------------------- */

static inline bool mdg__bit_is_set(const struct mdg__heap *heap, enum mdg__unit_bits which,
                                   uint64_t unit)
{
	return (MDG__LOAD(heap->bits[which][unit / 64]) >> (unit % 64) & 1) != 0;
}
static inline void mdg__bit_set(struct mdg__heap *heap, enum mdg__unit_bits which, uint64_t unit)
{
	atomic_fetch_or_explicit(&heap->bits[which][unit / 64], UINT64_C(1) << (unit % 64),
	                         memory_order_acq_rel);
}
static inline void mdg__bit_clear(struct mdg__heap *heap, enum mdg__unit_bits which, uint64_t unit)
{
	atomic_fetch_and_explicit(&heap->bits[which][unit / 64], ~(UINT64_C(1) << (unit % 64)),
	                          memory_order_acq_rel);
}

#endif
