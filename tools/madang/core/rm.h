/* SPDX-License-Identifier: MIT */
/*
 * rm.h - what rm.c asks of an object, whatever its kind.
 */
#ifndef MADANG_TOOL_RM_H
#define MADANG_TOOL_RM_H

#include "base/kind.h"

enum { RM_ROOM = 5 * MDG_NAME_MAX + SHOW_ROOM };

/* An object that is to be removed, as a message speaks of it. */
struct rm_object {
	char what[RM_ROOM]; /* "segment 5 (key 0x00001234, 4.0K)" */
	uint32_t uid;
	unsigned attached; /* a segment: attachments */
	unsigned waiting;  /* else: threads that sleep in it, as far as that can be seen */
};

/* Each function returns 0 or a negative code. */
struct rm_kind {
	int (*look)(mdg_namespace *ns, mdg_id id, struct rm_object *ret); /* -EINVAL: none */
	int (*remove)(mdg_namespace *ns, mdg_id id);
	/* Asking for no permission: whether it may be removed is another question. */
	int (*by_key)(mdg_namespace *ns, int32_t key, mdg_id *ret_id);
	int (*by_name)(mdg_namespace *ns, const char *name, mdg_id *ret_id);
};
extern const struct rm_kind rm_kinds[KINDS];

#endif
