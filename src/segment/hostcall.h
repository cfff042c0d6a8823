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

/* Signals blocked, the list's lock and every namespace's own. */
void mdg__host_enter(mdg__sigmask *mask);
void mdg__host_leave(const mdg__sigmask *mask);
void mdg__host_begin(struct host *host);
/* Gives all back; errno as the call has left it. */
void mdg__host_end(struct host *host, int rc);
/* Around a call of another library's function: without our locks. The last one says 0, or the
 * function's errno negated if it `failed`. */
void mdg__host_step_out(struct host *host);
int mdg__host_step_in(struct host *host, bool failed);
/* Before the program's map is changed: what must not fail afterwards. */
int mdg__host_reserve(void);
/* Takes the stretch out of all attachments that are not younger than the call. */
void mdg__host_cut(const struct host *host, uintptr_t start, size_t length);

#endif
