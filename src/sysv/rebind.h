/* SPDX-License-Identifier: MIT */
/*
 * rebind.h - points the references of loaded objects at this library.
 *
 * This is for objects that were loaded with RTLD_DEEPBIND. The dynamic linker
 * has bound these to the C library, past us. See rebind.c.
 */
#ifndef MADANG_SYSV_REBIND_H
#define MADANG_SYSV_REBIND_H

#include "sysv/names.h"

#include <stddef.h>
#include <stdint.h>

struct mdg__rebound {
	const char *name;
	uintptr_t ours;      /* our definition */
	uintptr_t libc;      /* the C library's */
	uintptr_t low, high; /* where the object with that lies */
	uintptr_t reached;   /* what the loaded module's own search finds */
};

struct mdg__rebinding {
	struct mdg__rebound names[MDG__NAMES_COUNT];
	size_t count;
	uint64_t loads; /* objects loaded before it, by the linker's count */
};

/* Before a load. */
void mdg__rebind_begin(struct mdg__rebinding *rebinding);
/* Call it after the load. It rebinds what came with this handle. NULL: the load failed. */
void mdg__rebind_end(struct mdg__rebinding *rebinding, void *handle);

#endif
