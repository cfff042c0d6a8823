/* SPDX-License-Identifier: MIT */
/*
 * hand.h - the hands of a thread, which name the blocks that it holds.
 *
 * A block is held from mdg_hold or mdg_take on, until it is published, kept, retired or freed. The
 * hand says so in shared memory. So when the thread dies, its sweeper finds the block.
 */
#ifndef MADANG_HEAP_HAND_H
#define MADANG_HEAP_HAND_H

#include <errno.h>

#include "heap/own.h"

struct mdg__block;

/* Where in the heap an address of this process is. Anything, if it is none of the heap. */
static inline uint64_t mdg__ref_of(const struct mdg__heap *heap, const void *address)
{
	return (uint64_t)((uintptr_t)address - (uintptr_t)heap->view.base);
}

/* Whether blocks of the slab at this unit may have labels. */
static inline bool mdg__is_labelled(const struct mdg__heap *heap, uint64_t unit)
{
	return (atomic_load_explicit(&heap->bits[MDG__BITS_LABELLED][unit / 64],
	                             memory_order_acquire) >>
	                (unit % 64) &
	        1) != 0;
}

/* The label, of a block that nobody holds any more. Only in a heap with labels, the rest stays. */
static inline uint64_t mdg__label_unheld(const struct mdg__heap *heap, uint64_t label)
{
	return (heap->flags & MDG_HEAP_LABELS) != 0 ? label & ~MDG__LABEL_HELD : 0;
}

/* Starts an operation of a hand; all its other fields are stored before. */
static inline __attribute__((always_inline)) void mdg__hand_set(struct mdg__hand *hand, uint64_t op)
{
	uint64_t word = MDG__LOAD(hand->op);
	word = (word & ~(MDG__HAND_COUNT - 1)) + MDG__HAND_COUNT;
	atomic_store_explicit(&hand->op, word | op, memory_order_release);
}

/* For mdg__alloc with a hand. The block becomes held; the caller clears its bit as the next thing.
 * For a span the caller has made the head with itself as the owner, and `label` is NULL.
 * [the labels of the slab are promised] */
static inline void mdg__hand_fill(struct mdg__heap_own *own, size_t i, uint64_t ref,
                                  _Atomic uint64_t *label)
{
	struct mdg__hand *hand = &own->slot->hands[i];
	own->held_label[i] = label;
	MDG__STORE(hand->ref, ref);
	MDG__STORE(hand->place, 0);
	mdg__hand_set(hand, MDG__HAND_HELD);
	if (label != NULL) /* release: behind the hand */
		atomic_store_explicit(label, own->label | MDG__LABEL_HELD, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* The hands that have nothing: a bit each. */
static inline uint32_t mdg__hands_vacant(const struct mdg__heap_own *own)
{
	return ~(own->hands | own->joined_hands) & ((1u << MDG_HELD_MOST) - 1);
}

/* A hand that has nothing, or NULL: own->why is -ENOSPC. */
static inline struct mdg__hand *mdg__hand_vacant(struct mdg__heap_own *own)
{
	uint32_t vacant = mdg__hands_vacant(own);
	if (__builtin_expect(vacant == 0, 0)) {
		own->why = -ENOSPC;
		return NULL;
	}
	int i = __builtin_ctz(vacant);
	own->held_label[i] = NULL; /* it is another block's */
	return &own->slot->hands[i];
}
/* The hand with which this thread holds the block, or NULL. What a transaction has is not found. */
struct mdg__hand *mdg__hand_find(struct mdg__heap_own *own, uint64_t ref);
/* Frees a block of which the caller does not know whether anybody holds it: as mdg_free. */
int mdg__free_any(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref);
/* Frees what a hand of this thread holds. 0, or an error of mdg__free: it is still held. */
int mdg__hand_free(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand);
/* The same as the public functions, inside of an operation of the thread. `kind` of the place:
 * MDG__HAND_POINTER or 0. */
void *mdg__hold(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size);
int mdg__publish(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref, uint64_t place,
                 uint64_t expected, uint64_t kind);
/* The call of a program: begins and ends the operation, too. */
int mdg__publish_call(struct mdg__heap *heap, uint64_t ref, const void *place, uint64_t expected,
                      uint64_t kind);
int mdg__keep(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref);
/* Returns the reference, or 0 and own->why. */
uint64_t mdg__take(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t place,
                   uint64_t kind);
/* *ret_old is the reference to the old block, or 0. */
int mdg__swap(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref, uint64_t place,
              uint64_t *ret_old);
/* Before a block of a labelled slab, or a span with an owner, is freed without a hand: 0: nobody
 * holds it from here on (it was published, and its publisher has not ended that); -EBUSY: another
 * thread holds it. */
int mdg__held_settle(struct mdg__heap *heap, const struct mdg__block *block);

#endif
