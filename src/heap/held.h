/* SPDX-License-Identifier: MIT */
/*
 * held.h - where it is written who holds a block: in the label of a block of a slab, and in the
 * head of a span.
 *
 * Whoever takes a block out of a place writes itself there. Whoever has published one takes itself
 * away again, but only if it is still there: another thread may have taken the block since.
 */
#ifndef MADANG_HEAP_HELD_H
#define MADANG_HEAP_HELD_H

#include "heap/internal.h"

/* A thread that may hold blocks. */
struct mdg__holder {
	uint32_t slot1, generation;
};

static inline struct mdg__holder mdg__holder_own(const struct mdg__heap_own *own)
{
	return (struct mdg__holder){ MDG__LOAD(own->slot1), MDG__LOAD(own->generation) };
}
static inline struct mdg__holder mdg__holder_slot(const struct mdg__heap *heap, uint32_t index)
{
	return (struct mdg__holder){ index + 1, MDG__LOAD(heap->slot[index].generation) };
}

/* What a place contains while this thread takes a block out of it. */
static inline uint64_t mdg__holder_mark(const struct mdg__heap *heap, struct mdg__holder holder)
{
	return MDG__PLACE_MARK(holder.slot1, holder.generation, MDG__LOAD(heap->head->identity[0]));
}

/* Whether this is the mark of a slot, as that one is now. */
static inline bool mdg__is_mark(const struct mdg__heap *heap, uint64_t value)
{
	uint32_t slot1 = MDG__MARK_SLOT1(value);
	return (value & 1) != 0 && slot1 != 0 && slot1 <= mdg__heap_slots_used(heap) &&
	       value == mdg__holder_mark(heap, mdg__holder_slot(heap, slot1 - 1));
}

/* The slot of the thread that holds the block, as it is written; 0: nobody. */
uint32_t mdg__held_by(const struct mdg__heap *heap, const struct mdg__block *block);
bool mdg__is_held_by(const struct mdg__heap *heap, const struct mdg__block *block,
                     struct mdg__holder holder);
/* Whoever it was, now it is this one. [the labels are promised; the block is the holder's] */
void mdg__held_set(struct mdg__heap *heap, const struct mdg__block *block,
                   struct mdg__holder holder);
/* Nobody, if it was this one. */
void mdg__held_clear(struct mdg__heap *heap, const struct mdg__block *block,
                     struct mdg__holder holder);

/* The label, of a block that this one holds now. The tag and the time stay: who has allocated it,
 * people want to know also after it was taken. */
static inline uint64_t mdg__label_held(uint64_t label, struct mdg__holder holder)
{
	return MDG__LABEL_HELD | MDG__LABEL(holder.slot1, holder.generation, 0, 0) |
	       (label & ((UINT64_C(1) << 40) - 1));
}
static inline bool mdg__label_names(uint64_t label, struct mdg__holder holder)
{
	return (label & MDG__LABEL_HELD) != 0 && MDG__LABEL_SLOT1(label) == holder.slot1 &&
	       MDG__LABEL_GENERATION(label) == (holder.generation & 0xff);
}

/* The same for a block of a slab, whose label is this one. */
static inline void mdg__held_clear_label(const struct mdg__heap *heap, _Atomic uint64_t *label,
                                         struct mdg__holder holder)
{
	/* Acquire: who reads that it is another's sees what that one has written before. */
	uint64_t word = atomic_load_explicit(label, memory_order_acquire);
	uint64_t now = mdg__label_unheld(heap, word);
	if (mdg__label_names(word, holder))
		(void)atomic_compare_exchange_strong_explicit(
			label, &word, now, memory_order_acq_rel, memory_order_relaxed);
}

/* A reference as it stands in a place of this kind (MDG__HAND_POINTER or 0), and back. */
static inline uint64_t mdg__place_value(const struct mdg__heap *heap, uint64_t ref, uint64_t kind)
{
	return (kind & MDG__HAND_POINTER) == 0 || ref == 0 ? ref
	                                                   : ref + MDG__LOAD(heap->head->home);
}
static inline uint64_t mdg__place_ref(const struct mdg__heap *heap, uint64_t value, uint64_t kind)
{
	return (kind & MDG__HAND_POINTER) == 0 || value == 0 ? value
	                                                     : value - MDG__LOAD(heap->head->home);
}

/* ---- verdict.c ----------------------------------------------------------------------------- */

enum mdg__verdict {
	MDG__NOT_COMMITTED,
	MDG__COMMITTED,         /* and its records are copied for good */
	MDG__COMMITTED_JUST,    /* its records may be copied once more */
	MDG__VERDICT_NOT_KNOWN, /* the lock does not come */
};
/* Whether the transaction of this hand, which is TXN_*, has committed. Its thread is dead, or has
 * it no more. */
enum mdg__verdict mdg__txn_verdict(struct mdg__heap *heap, const struct mdg__hand *hand);
/* [the transaction at `txn` is this thread's] Tells the hands that have this number that it has
 * committed, and is carried out. */
void mdg__txn_tell(struct mdg__heap *heap, uint64_t txn, uint64_t number);

/* ---- settle.c ------------------------------------------------------------------------------ */

/* After the caller has replaced the block `ref` in this place: if a thread is just about to end
 * that it has published it there, its hand is told that it has. */
void mdg__published_tell(struct mdg__heap *heap, uint64_t ref, uint64_t place);

enum mdg__judgement { MDG__NOT_PUBLISHED, MDG__PUBLISHED, MDG__NOT_KNOWN };
/* [sweeper of the dead slot] Whether its hand, which was about to publish or to swap, has done so.
 * NOT_KNOWN: too many others change the same place at this moment, or the lock does not come. */
enum mdg__judgement mdg__published_judge(struct mdg__heap *heap, uint32_t index,
                                         const struct mdg__hand *hand);

/* Reads a place in which a dead thread may have died. 0 if the memory is not there any more. A
 * negative code: the lock. */
int mdg__place_read(struct mdg__heap *heap, uint64_t place, uint64_t *ret);
/* Makes `from` to 0 there. */
int mdg__place_empty(struct mdg__heap *heap, uint64_t place, uint64_t from);

/* ---- rootwake.c ---------------------------------------------------------------------------- */

/* After `by` has filled a place of the table of roots: nobody is to fill it any more, and those who
 * wait are woken. A sweeper may say so late. */
void mdg__root_changed(struct mdg__heap *heap, uint64_t place, struct mdg__holder by);

/* ---- sweep.c ------------------------------------------------------------------------------- */

/* [no lock is held] A place contained `value`, which may be the mark of a taker. If that one is
 * dead, it is swept. True: the place contains something else now, and the caller may look again.
 * Somebody might write one mark after the other. So *rounds counts, from 0, what one call does, and
 * at last the place counts as one from which somebody takes at this moment. */
bool mdg__taker_settle(struct mdg__heap *heap, const _Atomic uint64_t *word, uint64_t value,
                       int *rounds);

/* A place contained `value`. Whether that is an odd number which no call has put there, and is
 * there still: no mark of a taker, and not that of a root which was removed. */
bool mdg__place_is_nonsense(const struct mdg__heap *heap, const _Atomic uint64_t *word,
                            uint64_t value);

/* ---- bury.c -------------------------------------------------------------------------------- */

/* [sweeper of the dead slot] Gives back what its hands hold. `passed`: no reader is in what was
 * taken. False: something is left, and the slot stays dead. */
bool mdg__sweep_hands(struct mdg__heap *heap, uint32_t index, bool passed);

#endif
