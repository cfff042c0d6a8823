/* SPDX-License-Identifier: MIT */
/*
 * robust.h - a word that the kernel marks when its owner ends, and the room for its node in the
 * owner's robust list. owned.h says what the bits mean, held.h how the list is kept.
 *
 * Rooms above may include this header, held.h and thread.h for words of their own.
 */
#ifndef MADANG_SYNC_ROBUST_H
#define MADANG_SYNC_ROBUST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MDG__WAITERS 0x80000000u /* FUTEX_WAITERS */
#define MDG__DIED    0x40000000u /* FUTEX_OWNER_DIED, in a word without an id */
#define MDG__CAME    0x40000000u /* in a word with an id */
#define MDG__TID     0x3fffffffu /* FUTEX_TID_MASK */

/* How many bytes after the word a C library may want its node: musl 12 (32 bits) or 28, glibc 20
 * (32 bits) or 32. The farthest one is 8 bytes long. */
enum { MDG__NODE_NEAREST = 12, MDG__NODE_FARTHEST = 32 };

/* A word, with room for its node. Half a line of memory. */
struct mdg__robust {
	/* The owner stores MDG__SHARED_MARK. At the end of a thread, musl looks for it here. */
	uint32_t mark;
	_Atomic uint32_t word;
	/* Zero. At the end of a thread, musl looks here for waiters to wake. */
	uint32_t none;
	/* The owner stores the link of its robust list somewhere in here. */
	unsigned char node[32 + 4];
};
#define MDG__SHARED_MARK 128u

_Static_assert(offsetof(struct mdg__robust, word) + MDG__NODE_FARTHEST + 8 <=
                       sizeof(struct mdg__robust),
               "");

#endif
