/* SPDX-License-Identifier: MIT */
/*
 * unmapping.h - asked before memory of this process is unmapped.
 *
 * Whoever holds a lock has its node in the robust list of the thread (sync/held.h), and the node
 * lies in shared memory. The kernel's walk of the list ends at memory that is not there: then the
 * locks that the thread took before are recovered by nobody. The rooms that unmap know nothing of
 * locks; so the room that does leaves two functions here, when the first thread is set up.
 *
 * Both are about the calling thread alone: what other threads hold is in their own memory.
 */
#ifndef MADANG_PLATFORM_UNMAPPING_H
#define MADANG_PLATFORM_UNMAPPING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mdg__unmapping {
	/* Whether the thread holds or waits for something there. */
	bool (*holds)(uintptr_t start, size_t length);
	/* What the thread holds there is as if the thread had died: others are told. */
	void (*let_go)(uintptr_t start, size_t length);
};

/* NULL: no thread of this process has used locks. */
extern const struct mdg__unmapping *_Atomic mdg__unmapping;

static inline bool mdg__unmapping_holds(uintptr_t start, size_t length)
{
	const struct mdg__unmapping *unmapping =
		atomic_load_explicit(&mdg__unmapping, memory_order_acquire);
	return unmapping != NULL && unmapping->holds(start, length);
}

static inline void mdg__unmapping_let_go(uintptr_t start, size_t length)
{
	const struct mdg__unmapping *unmapping =
		atomic_load_explicit(&mdg__unmapping, memory_order_acquire);
	if (unmapping != NULL)
		unmapping->let_go(start, length);
}

#endif
