/* SPDX-License-Identifier: MIT */
/*
 * witness.h - a word of a process in shared memory, which says that the process lives.
 *
 * One thread of the process has the word in its robust list (held.h), from now until it ends. While
 * the word contains a thread's id, that thread lives, and so does its process. The kernel marks the
 * word when the thread ends, or when the process calls exec. Then nothing is known.
 *
 * The witnesses of the room semset lie in memory that may be unmapped one day. So they are among
 * what the thread holds. A witness of this file stays for good: it is not among the locks that the
 * thread holds, and does not count in their number. It lies behind all of them in the list, so the
 * kernel comes to it last.
 */
#ifndef MADANG_SYNC_WITNESS_H
#define MADANG_SYNC_WITNESS_H

#include <stdbool.h>

#include "sync/robust.h"

/* Whether a thread has borne witness there, and has not ended since. */
static inline bool mdg__witness_stands(const struct mdg__robust *witness)
{
	return (atomic_load_explicit(&witness->word, memory_order_acquire) & MDG__TID) != 0;
}

/* The calling thread bears witness there, until it ends. The memory stays mapped until then. False:
 * it cannot, or does so elsewhere, or another thread has done so before. That thread may be of
 * another process, which has the node in its list, so nobody else may write there. [signals
 * blocked] */
bool mdg__witness_bear(struct mdg__robust *witness);

#endif
