/* SPDX-License-Identifier: MIT */
/*
 * hostobject.c - what libmadang-sysv asks of all semaphore sets or all message queues: the limits,
 * how many there are, and who is about to sleep in one.
 */
#include <stdatomic.h>

#include "segment/hostcalls.h"
#include "segment/objects.h"

int mdg__host_totals(mdg_namespace *ns, unsigned class, struct mdg__host_totals *ret)
{
	static const enum mdg__object_limit sets[] = { MDG__SEMMSL, MDG__SEMMNS, MDG__SEMOPM,
		                                       MDG__SEMMNI };
	static const enum mdg__object_limit queues[] = { MDG__MSGMAX, MDG__MSGMNB, MDG__MSGMNI };
	struct mdg__object_totals totals;
	bool is_set = class == MDG__SEMAPHORE_SETS;
	int rc = mdg__object_totals(ns, (enum mdg__class) class, &totals);
	if (rc < 0)
		return rc;
	*ret = (struct mdg__host_totals){ .used = totals.used,
		                          .highest = totals.highest < 0 ? 0 : totals.highest,
		                          .total = totals.total };
	for (unsigned i = 0; i < (is_set ? 4u : 3u); i++)
		ret->limit[i] = mdg__object_limit(ns, is_set ? sets[i] : queues[i]);
	return 0;
}

/* Relaxed: it is set before any call, and is a function, which depends on no memory. */
static void (*_Atomic watcher)(void);

void mdg__host_watch_sleeps(void (*function)(void))
{
	atomic_store_explicit(&watcher, function, memory_order_relaxed);
}

void mdg__object_sleeps(void)
{
	void (*function)(void) = atomic_load_explicit(&watcher, memory_order_relaxed);
	if (function != NULL)
		function();
}
