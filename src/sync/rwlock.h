/* SPDX-License-Identifier: MIT */
/*
 * rwlock.h - a lock for many readers or one writer: how it works, and how it lies in memory.
 *
 * HOW IT WORKS. There are 64 slots for readers, each in a line of memory of its own, and one word
 * for the writer.
 *   - A READER writes its thread id into a free slot, and then looks at the writer's word.
 *   - A WRITER writes its thread id into the writer's word, and then looks at the slots.
 * These four operations are sequentially consistent. So if a reader and a writer come at the same
 * time, at least one of them sees the other. The reader gives way: it takes its id out of the slot
 * and sleeps on the writer's word. The writer owns that word, so no new reader gets in. It
 * sleeps on one slot after the other until all are empty. So a writer does not starve.
 *
 * LEAVING is a plain store, if nobody waits: a locked instruction less, which is a third of the
 * time. The reader looks whether somebody waits before the store, and again after it. A writer that
 * came in between may have marked the slot, and the store has dropped the mark. Then the reader
 * wakes whoever sleeps there. But a processor may look before others see its store, and no fence
 * keeps it from that. So a reader may miss a writer that marks the slot in these few nanoseconds.
 * The writer has spun for longer than that before it marks, so this is not to be expected. It
 * is allowed for all the same: a writer that sleeps on a slot looks again by itself, after 20 ms at
 * first, then after twice as long each time, and after about a second at most.
 *
 * DEATHS, and what each leaves behind:
 * - A reader that is in, or has its id in a slot: the kernel marks the slot and wakes the writer
 *   that sleeps there. The next thread that sees the mark takes it away. Nobody is told.
 * - A reader that has emptied its slot and not yet woken the writer: `pending` (held.h) names the
 *   slot, and the kernel wakes the writer. If the slot had lost its mark, and another reader has
 *   just taken it, the kernel wakes nobody, and the writer looks again by itself. So do threads
 *   that wait for any free slot.
 * - A writer that still waits for readers: the kernel marks the word, and the next writer takes it.
 *   `inside` is 0, so the data were not touched and nobody is told. The marks that the dead writer
 *   left in slots cost one useless wake-up each.
 * - A writer that is inside: the same, but `inside` is 1, and the next thread to get in is told. If
 *   that thread gives up first (its deadline), or dies, `inside` stays 1 for the one after it.
 * - A writer that was woken to become the owner: as in owned.h.
 * - A reader that was woken on the writer's word: it does not take the word, so no unlock of its
 *   own would wake the threads that sleep beside it. Therefore it first of all wakes all readers
 *   and one writer. If it is killed before that, `pending` names the word: the kernel wakes the
 *   next sleeper, unless the word has an owner, and then it has the mark WAITERS too.
 *
 * WHAT IT DOES NOT DO. Writers that follow each other without a gap keep readers out.
 *
 * THE FILES, from the ground up: rwlock_slot.c (the readers' slots), rwlock_write.c,
 * rwlock_read.c, rwlock_unlock.c, rwlock.c (its state).
 */
#ifndef MADANG_SYNC_RWLOCK_H
#define MADANG_SYNC_RWLOCK_H

#include "sync/owned.h"

/* A reader's slot, a line of memory. Its word is as in owned.h:
 *   - the reader's thread id;
 *   - WAITERS: a thread may sleep until the reader leaves. It may sleep without the mark as well,
 *     if the mark came while the reader left;
 *   - OWNER_DIED: the reader died; nobody needs to be told.
 * A reader takes a slot by CAS. It keeps the mark WAITERS if the word had it, and sets it if the
 * word was that of a dead reader. */
struct mdg__reader {
	uint32_t none;
	struct mdg__robust robust;
	uint32_t more[3];
};

struct mdg__rwlock {
	/* The writer, or the thread that keeps new readers out until it can write. Readers that
	 * were kept out sleep on its word. `state` is as in mutex.c. */
	struct mdg__owned writer;
	/* 1: a writer is at the data, or died there and nobody has been told. The owner of the
	 * writer's word writes it, relaxed; it is published together with the word. */
	_Atomic uint32_t inside;
	/* A bit for each slot that was ever taken. The thread that takes the slot sets it,
	 * seq_cst. It is never cleared. */
	_Atomic uint32_t used[MDG_READERS_MAX / 32];
	/* Threads that found every slot taken sleep on this. It is odd while there may be some.
	 * Such a thread makes it odd, by CAS. A reader that leaves a marked slot makes it even,
	 * by CAS, and wakes them. */
	_Atomic uint32_t crowd;
	uint32_t none[12];
	struct mdg__reader slot[MDG_READERS_MAX];
};

_Static_assert(sizeof(struct mdg__reader) == 64, "");
_Static_assert(offsetof(struct mdg__reader, robust.word) == 8,
               "a node is aligned as in mdg__owned");
_Static_assert(offsetof(struct mdg__rwlock, inside) == 128, "");
_Static_assert(offsetof(struct mdg__rwlock, used) == 132, "");
_Static_assert(offsetof(struct mdg__rwlock, crowd) == 140, "");
_Static_assert(offsetof(struct mdg__rwlock, slot) == 192, "");
_Static_assert(sizeof(struct mdg__rwlock) == 4288, "");
_Static_assert(sizeof(mdg_rwlock) == sizeof(struct mdg__rwlock), "");

static inline struct mdg__rwlock *mdg__rwlock_of(mdg_rwlock *lock)
{
	return (struct mdg__rwlock *)(void *)lock;
}

/* The index of this lock among what the thread holds, for reading or for writing; -1: it does not
 * hold it. */
static inline int mdg__rwlock_held_at(const struct mdg__thread *thread,
                                      const struct mdg__rwlock *rw)
{
	return mdg__held_find_within(thread, rw, sizeof(*rw));
}

#endif
