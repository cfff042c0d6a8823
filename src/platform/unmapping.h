/* SPDX-License-Identifier: MIT */
/*
 * unmapping.h - two questions that are asked before memory of this process is unmapped.
 *
 * A lock that a thread holds is a node in the thread's robust list (sync/held.h), and the node lies
 * in shared memory. When a thread dies, the kernel walks its list, and stops at a node that is not
 * mapped any more. Then nobody recovers the locks that the thread took before that one.
 *
 * The rooms that unmap memory know nothing of locks. So the room that does know (sync/unmapped.c)
 * leaves two functions here, when the first thread is set up.
 *
 * Both functions are about the calling thread alone. What other threads hold is in the memory of
 * those threads.
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
	/* Gives up what the thread holds there, as if the thread had died, and tells others. */
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
