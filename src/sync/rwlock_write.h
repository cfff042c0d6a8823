/* SPDX-License-Identifier: MIT */
/*
 * rwlock_write.h - getting into a rwlock as its writer, for the other files of the rwlock.
 */
#ifndef MADANG_SYNC_RWLOCK_WRITE_H
#define MADANG_SYNC_RWLOCK_WRITE_H

#include "sync/rwlock.h"

static inline bool mdg__rwlock_is_taken(int rc)
{
	return rc == 0 || rc == MDG_OWNER_DIED;
}

/* Whether a writer died inside, or left the data unrepaired. [the writer's word is held, or is seen
 * to be free] */
static inline bool mdg__rwlock_was_left(struct mdg__rwlock *rw)
{
	return (atomic_load_explicit(&rw->inside, memory_order_relaxed) |
	        atomic_load_explicit(&rw->writer.state, memory_order_relaxed)) != 0;
}

/* Whether entry `at` of what the thread holds is this lock, held for writing. */
static inline bool mdg__rwlock_held_for_writing(const struct mdg__rwlock *rw,
                                                const struct mdg__thread *thread, int at)
{
	return at >= 0 && thread->held[at].word == &rw->writer.robust.word;
}

/* Gives the writer's word back, and returns `rc`. [the word is held] */
static inline int mdg__rwlock_give_up(struct mdg__rwlock *rw, int rc)
{
	(void)mdg__owned_give(&rw->writer);
	return rc;
}

/* Waits until no reader is in. Returns 0, -ETIMEDOUT or -EINTR. [the writer's word is held] */
int mdg__rwlock_drain(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline);

/* Whether a reader is in at this moment. */
bool mdg__rwlock_has_readers(struct mdg__rwlock *rw);

/* Goes in as a writer, once the readers have left. Returns 0 or MDG_OWNER_DIED: this thread is
 * inside. Returns another code: it is not, and the word has been given back. [the word is held,
 * perhaps taken from a dead owner] */
int mdg__rwlock_go_in(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline);

#endif
