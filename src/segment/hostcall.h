/* SPDX-License-Identifier: MIT */
/* hostcall.h - what munmap, mmap and mremap of the program have in common. See hostcall.c. */
#ifndef MADANG_SEGMENT_HOSTCALL_H
#define MADANG_SEGMENT_HOSTCALL_H

#include "segment/internal.h"

/* One call of the program's. */
struct host {
	mdg__sigmask mask;
	uint32_t moment; /* pieces that are younger are not meant */
	int error;       /* errno after the last call of `next`; -1: there was none */
};

/* Blocks signals, and takes the lock of the list and the lock of every namespace. */
void mdg__host_enter(mdg__sigmask *mask);
void mdg__host_leave(const mdg__sigmask *mask);
void mdg__host_begin(struct host *host);
/* Gives the locks back, and sets errno as the call has left it. */
void mdg__host_end(struct host *host, int rc);
/* Around a call of another library's function: between the two, none of our locks is held.
 * mdg__host_step_in returns 0, or the function's errno negated if it `failed`. */
void mdg__host_step_out(struct host *host);
int mdg__host_step_in(struct host *host, bool failed);
/* To be called before the program's map is changed: takes the memory that is needed afterwards,
 * when nothing may fail any more. */
int mdg__host_reserve(void);
/* Takes these addresses out of all attachments that are not younger than the call. */
void mdg__host_cut(const struct host *host, uintptr_t start, size_t length);

#endif
