/* SPDX-License-Identifier: MIT */
/*
 * rebind.h - points the references of loaded objects at this library.
 *
 * For objects that were loaded with RTLD_DEEPBIND, which the dynamic linker
 * bound to the C library past us. See rebind.c.
 */
#ifndef MADANG_SYSV_REBIND_H
#define MADANG_SYSV_REBIND_H

#include <stddef.h>
#include <stdint.h>

enum { MDG__REBOUND_MAX = 64 };

struct mdg__rebound {
	const char *name;
	uintptr_t ours;      /* our definition */
	uintptr_t next;      /* the definition behind ours: the C library's */
	uintptr_t low, high; /* where the object with `next` lies */
	uintptr_t reached;   /* what the loaded module's own search finds */
};

struct mdg__rebinding {
	struct mdg__rebound names[MDG__REBOUND_MAX];
	size_t count;
	uint64_t loads; /* objects loaded before it, by the linker's count */
};

/* Before a load. `self` is a handle of this library. */
void mdg__rebind_begin(struct mdg__rebinding *rebinding, void *self);
/* After it: what came with this handle, which is NULL when the load failed. */
void mdg__rebind_end(struct mdg__rebinding *rebinding, void *handle);

#endif
