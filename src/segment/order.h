/* SPDX-License-Identifier: MIT */
/*
 * order.h - finding or making an object, for the files that know a class: create.c for segments,
 * objectget.c for the others. See order.c.
 */
#ifndef MADANG_SEGMENT_ORDER_H
#define MADANG_SEGMENT_ORDER_H

#include "segment/internal.h"

/* What the caller wants to find or to make. A class's own wishes stand around it. */
struct mdg__order {
	enum mdg__class class;
	uint32_t key;     /* 0: none */
	char name[64];    /* zero-filled; "" none */
	unsigned mode;    /* nine bits: of the new one, or what is asked of the one found */
	unsigned flags;   /* MDG_CREATE, MDG_EXCL; others are the class's */
	uint32_t kind;    /* of the new one */
	uint64_t amount;  /* what it takes of the class's total: set by `prepare` */
	bool may_be_late; /* nothing outside is needed before somebody opens it: set by `prepare` */
	/* Filled in by order.c. */
	uint32_t euid; /* whose it is to be */
	bool late;     /* `make_outside` is not called now */

	/* Says whether the object that was found will do: 0 or a code. It is asked without the
	 * lock. */
	int (*accept)(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index);
	/* Says whether a new one can be made: 0 or a code. */
	int (*prepare)(struct mdg_namespace *ns, struct mdg__order *order);
	/* Fills in what the class has in the entry. [writer lock] */
	void (*fill_in)(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index);
	/* Makes what lies outside of the registry: 0 or a code. -EEXIST: somebody else's file
	 * has that name. Signals are blocked, and no lock is held. NULL: there is nothing. */
	int (*make_outside)(struct mdg_namespace *ns, struct mdg__order *order, mdg_id id);
	/* What it has made is noted in the entry, in the change that makes it LIVE. [writer lock]
	 * NULL: nothing is to be noted. */
	void (*note_outside)(struct mdg_namespace *ns, struct mdg__order *order, uint32_t index);
	/* Ends what `make_outside` began; `rc` is what has come of the object. [object lock] NULL:
	 * nothing is to be ended. */
	void (*end_outside)(struct mdg_namespace *ns, struct mdg__order *order, mdg_id id, int rc);
};

/* Takes over a name, which may be NULL. -EINVAL: it is empty or too long. */
int mdg__order_name(struct mdg__order *order, const char *name);
int mdg__order_fill(struct mdg_namespace *ns, struct mdg__order *order, mdg_id *ret_id);

#endif
