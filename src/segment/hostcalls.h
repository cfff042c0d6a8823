/* SPDX-License-Identifier: MIT */
/*
 * hostcalls.h - what libmadang offers to libmadang-sysv and to nobody else:
 * exported under the version MADANG_PRIVATE. See hostmap.c and forked.c.
 *
 * `next` is the function that makes the call in the end; NULL: the system call
 * itself.
 */
#ifndef MADANG_SEGMENT_HOSTCALLS_H
#define MADANG_SEGMENT_HOSTCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/segment.h"
#include "registry/class.h"

#define MDG__MAP_FIXED_ANY (MAP_FIXED | 0x100000 /* MAP_FIXED_NOREPLACE */)

typedef int mdg__munmap_function(void *, size_t);
typedef void *mdg__mmap_function(void *, size_t, int, int, int, uint64_t);
typedef void *mdg__mremap_function(void *, size_t, size_t, int, ...);

/* Before each such call of the program's. What the calling thread holds in memory that goes is let
 * go (hostheld.c). Whether the call touches an attachment: if not, it may be passed on at once.
 * No lock is taken. The flags of an mremap may be changed. */
MDG_API bool mdg__host_before_munmap(const void *address, size_t length);
MDG_API bool mdg__host_before_mmap(const void *address, size_t length, int protection, int flags,
                                   int fd, uint64_t offset);
MDG_API bool mdg__host_before_mremap(const void *address, size_t old_length, size_t length,
                                     int *flags, const void *new_address);
/* After an mremap with changed flags that failed: whether to make it once more, as the program
 * wished it (`flags` is that again). What the thread holds there is let go. */
MDG_API bool mdg__host_mremap_again(const void *address, size_t old_length, int wished, int *flags);
/* The call itself. `next`: who makes it, with no lock of ours held; NULL: the kernel. */
MDG_API int mdg__host_munmap(mdg__munmap_function *next, void *address, size_t length);
MDG_API void *mdg__host_mmap(mdg__mmap_function *next, void *address, size_t length, int protection,
                             int flags, int fd, uint64_t offset);
MDG_API void *mdg__host_mremap(mdg__mremap_function *next, void *address, size_t old_length,
                               size_t length, int flags, void *new_address);
/* After an mlockall() of the program: what is the library's own is not to stay locked. */
MDG_API void mdg__host_unlock_own(void);
/* shmdt: as mdg_segment_detach, but it does not refuse. */
MDG_API int mdg__host_detach(mdg_namespace *ns, const void *memory);
/* This thread's fork has returned the pid of a child. */
MDG_API void mdg__host_forked(int pid);

/* What platform/identity.h says of mdg__identity_watch and mdg__identity_changed. */
MDG_API void mdg__host_identity_watch(void);
/* Before each such call: see hostidentity.c. */
MDG_API void mdg__host_identity_changing(void);
MDG_API void mdg__host_identity_changed(void);

/* A setting of the namespace (enum mdg__setting, see settings.c) as text that ends with a
 * newline: its length, or a negative code. */
#define MDG__SETTING_ROOM 64 /* for the text of a setting */
MDG_API int mdg__host_setting_text(mdg_namespace *ns, unsigned setting,
                                   char ret[MDG__SETTING_ROOM]);
/* Whether the caller may write it. */
MDG_API bool mdg__host_setting_allowed(mdg_namespace *ns);
/* A descriptor to write it through, numbered as open(2) numbers it, with its `flags`; or
 * -errno. */
MDG_API int mdg__host_setting_open(mdg_namespace *ns, unsigned setting, int flags);
/* Which setting's file that is, -1 for none. */
MDG_API int mdg__host_setting_of_file(mdg_namespace *ns, uint64_t device, uint64_t inode);

/* All semaphore sets, or all message queues: see hostobject.c. */
struct mdg__host_totals {
	uint32_t used;     /* objects */
	int32_t highest;   /* index in use; 0 if there is none */
	uint64_t total;    /* semaphores in all sets */
	uint64_t limit[4]; /* SEMMSL SEMMNS SEMOPM SEMMNI, or MSGMAX MSGMNB MSGMNI */
};
/* `class` is an enum mdg__class, not MDG__SEGMENTS. 0 or a negative code. */
MDG_API int mdg__host_totals(mdg_namespace *ns, unsigned class, struct mdg__host_totals *ret);

/* Sleeps in message queues (msgqueue/calls.c). `function` is called right before each and right
 * after it, in the sleeping thread, with none of our locks held and signals as the caller has them.
 * Between the two the thread may be cancelled. What it had mapped for the call stays mapped. */
MDG_API void mdg__host_on_sleep(void (*function)(bool begins));

/* `function` is called in each thread that is about to sleep in a semaphore set or a message queue,
 * with none of our locks held. Signals may be blocked. For the log of calls. */
MDG_API void mdg__host_watch_sleeps(void (*function)(void));

#endif
