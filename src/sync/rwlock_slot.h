/* SPDX-License-Identifier: MIT */
/*
 * rwlock_slot.h - a reader's slot in a rwlock. rwlock.h says how slots and writers work together.
 */
#ifndef MADANG_SYNC_RWLOCK_SLOT_H
#define MADANG_SYNC_RWLOCK_SLOT_H

#include "sync/rwlock.h"

/* The slot that a thread tries first. */
static inline uint32_t mdg__slot_first(const struct mdg__thread *thread)
{
	return thread->tid % MDG_READERS_MAX;
}

/* Empties the slot. False: the slot has the mark WAITERS, and mdg__slot_give_marked has to be
 * called. [pending names it] */
static inline bool mdg__slot_give(_Atomic uint32_t *word, uint32_t tid)
{
	/* Release: pairs with the acquire in await_empty (rwlock_write.c), so that what the reader
	 * read was read before the writer writes. */
	return __builtin_expect(atomic_compare_exchange_strong_explicit(
					word, &tid, 0, memory_order_release, memory_order_relaxed),
	                        1);
}

/* Whether there is somebody who may wait for a slot to become empty: a writer, or a thread that
 * found every slot taken. */
static inline bool mdg__slots_are_wanted(const struct mdg__rwlock *rw)
{
	return (atomic_load_explicit(&rw->writer.robust.word, memory_order_relaxed) |
	        (atomic_load_explicit(&rw->crowd, memory_order_relaxed) & 1)) != 0;
}

/* Whether a reader has to leave its slot by mdg__slot_give. Otherwise mdg__slot_empty will do. */
static inline bool mdg__slot_is_wanted(const struct mdg__rwlock *rw, _Atomic uint32_t *word,
                                       uint32_t tid)
{
	return mdg__slots_are_wanted(rw) || atomic_load_explicit(word, memory_order_relaxed) != tid;
}

/* Empties the slot by a plain store: see LEAVING in rwlock.h. False: somebody may have marked it
 * and sleep, and mdg__slot_wake has to be called. [pending names it] */
static inline bool mdg__slot_empty(const struct mdg__rwlock *rw, _Atomic uint32_t *word)
{
	/* Release: as in mdg__slot_give. */
	atomic_store_explicit(word, 0, memory_order_release);
	/* The look comes after it in the program. A thread that is interrupted here looks late
	 * enough: an interrupt is a fence. */
	atomic_signal_fence(memory_order_seq_cst);
	return !mdg__slots_are_wanted(rw);
}

/* Wakes those who may sleep until the slot is empty. [it was emptied, pending names it] */
void mdg__slot_wake(struct mdg__rwlock *rw, _Atomic uint32_t *word);

/* Empties a marked slot, and wakes those who may sleep until it is empty. [pending names it] */
void mdg__slot_give_marked(struct mdg__rwlock *rw, _Atomic uint32_t *word);

/* Takes slot `at`, whose word is `seen`: 0, or without a living reader's id. False: the word has
 * changed. [pending names it] */
bool mdg__slot_take(struct mdg__thread *thread, struct mdg__rwlock *rw, uint32_t at, uint32_t seen);

/* Marks a slot, so that its reader will wake those who sleep. *ret_seen becomes the marked word.
 * False: the slot has no reader. */
bool mdg__slot_mark(_Atomic uint32_t *word, uint32_t *ret_seen);

/* Sleeps, when all slots are taken, until a reader leaves one. Returns what
 * mdg__sleep_ends does. */
int mdg__slot_await(const struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline);

#endif
