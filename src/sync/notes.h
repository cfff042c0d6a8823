/* SPDX-License-Identifier: MIT */
/*
 * notes.h - the notes that sleepers leave in an object, for those who ask who waits there.
 *
 * A thread that goes to sleep writes its id and the time into one of the object's eight notes. If
 * all eight are taken, it sleeps without a note. Only mdg_sync_look reads notes, and nothing
 * else depends on them. When a thread is killed asleep, its note stays until another thread needs
 * the room. So a reader of notes must ask whether the thread still lives.
 */
#ifndef MADANG_SYNC_NOTES_H
#define MADANG_SYNC_NOTES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { MDG__NOTES = 8 };
struct mdg__notes {
	/* Thread id << 32 | milliseconds of CLOCK_MONOTONIC; 0 is a free note. A thread takes a
	 * free one by CAS and clears it itself. Relaxed, because a note publishes nothing else. */
	_Atomic uint64_t note[MDG__NOTES];
};

/* Leaves a note that the thread `tid` sleeps. Returns the note, or NULL: all are taken. */
_Atomic uint64_t *mdg__note_sleep(struct mdg__notes *notes, uint32_t tid);

/* Clears the note; it may be NULL. */
static inline void mdg__note_awake(_Atomic uint64_t *note)
{
	if (note != NULL)
		atomic_store_explicit(note, 0, memory_order_relaxed);
}

#endif
