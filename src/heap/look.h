/* SPDX-License-Identifier: MIT */
/*
 * look.h - what those who look at a heap share: a walk over its units.
 *
 * It takes no lock, and needs no permission to write. Units come and go meanwhile. Whatever the
 * words say, it ends, and stays in the tables that have memory.
 */
#ifndef MADANG_HEAP_LOOK_H
#define MADANG_HEAP_LOOK_H

#include "heap/internal.h"

/* A slab, a span, or anything else that a unit's word says. */
struct mdg__thing {
	uint64_t unit;
	uint64_t head;  /* the word, as it was read */
	uint64_t units; /* that it has; 1 for what is neither slab nor span */
	uint32_t state; /* enum mdg__unit_state, or a number that makes no sense */
	uint32_t class; /* of a slab */
	bool valid;     /* a slab or a span that lies in the heap as a whole */
};

/* A block of its own, or what a thread keeps for one (spans.c). */
static inline bool mdg__is_span(uint32_t state)
{
	return state == MDG__UNIT_SPAN || state == MDG__UNIT_KEPT;
}

/* What begins at the unit `at`, which is below `high`. */
static inline void mdg__thing_at(const struct mdg__heap *heap, uint64_t at, uint64_t high,
                                 struct mdg__thing *ret)
{
	/* Acquire: pairs with the release of who took the unit, units.c. */
	uint64_t head = atomic_load_explicit(&heap->heads[at], memory_order_acquire), units = 0;
	ret->unit = at;
	ret->head = head;
	ret->state = MDG__HEAD_STATE(head);
	ret->class = MDG__HEAD_CLASS(head);
	if (ret->state == MDG__UNIT_SLAB)
		units = mdg__heap_classes[ret->class].units;
	else if (mdg__is_span(ret->state))
		units = MDG__HEAD_UNITS(head);
	ret->valid = units != 0 && units <= high - at;
	ret->units = ret->valid ? units : 1;
}

/* Bytes of a block of a slab, or of a span. [valid] */
static inline uint64_t mdg__thing_block(const struct mdg__thing *thing)
{
	return mdg__is_span(thing->state) ? thing->units << MDG__UNIT_SHIFT
	                                  : mdg__heap_classes[thing->class].size;
}

/* How many of its blocks are allocated. [valid] */
static inline uint64_t mdg__thing_live(const struct mdg__heap *heap, const struct mdg__thing *thing)
{
	return mdg__is_span(thing->state)
	               ? thing->state == MDG__UNIT_SPAN
	               : mdg__heap_classes[thing->class].blocks -
	                         mdg__slab_count_free(heap, thing->unit, thing->class);
}

/* walk.c: what is known of a block. [valid] */
void mdg__describe_block(struct mdg__heap *heap, const struct mdg__thing *thing, uint32_t index,
                         struct mdg_block_info *ret);

/* The word of a slot, and what it says. */
static inline bool mdg__life_is_dead(uint32_t word)
{
	return (word & MDG__DIED) != 0 && (word & MDG__TID) == 0;
}
static inline bool mdg__life_is_living(uint32_t word)
{
	return (word & MDG__TID) != 0;
}

#endif
