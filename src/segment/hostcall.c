/* SPDX-License-Identifier: MIT */
/*
 * hostcall.c - one call of the program's that changes its mappings, and touches attachments.
 *
 * What makes the call in the end is the system call, with our locks held; or a
 * function of a library behind us that wants to see it as well (a profiler, a
 * cache of registered memory). Such a function may do anything: call malloc,
 * take a lock that another thread holds while that waits for ours, call shmdt.
 * So it is called with no lock of ours and with the program's own signal mask,
 * and what it did is noted afterwards. In between:
 *
 * - another thread may get the addresses that were just unmapped. A piece that
 *   is younger than the call is none of those that it unmapped, and attach.c
 *   takes an older one out where the kernel has given the addresses out anew.
 * - a process may be forked. The child looks at its first call which of the
 *   pieces it has (mdg__host_look_again); until then one may be counted that
 *   was unmapped already, never the other way round.
 */
#include "segment/hostcall.h"

#include <errno.h>

void mdg__host_enter(mdg__sigmask *mask)
{
	mdg__signals_block(mask);
	mdg__list_lock();
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__enter_blocked(ns);
}

void mdg__host_leave(const mdg__sigmask *mask)
{
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__leave_blocked(ns);
	mdg__list_unlock();
	mdg__signals_restore(mask);
}

/* Before the program's map is changed: what must not fail afterwards. */
int mdg__host_reserve(void)
{
	int rc = 0;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL && rc == 0; ns = ns->next)
		rc = mdg__pieces_reserve(ns, 2);
	return rc < 0 ? -ENOMEM : 0;
}

/* ---- passing on --------------------------------------------------------------- */

void mdg__host_begin(struct host *host)
{
	mdg__host_enter(&host->mask);
	host->moment = mdg__pieces_now();
	host->error = -1;
}

/* Gives all back; errno as the call has left it. */
void mdg__host_end(struct host *host, int rc)
{
	mdg__host_leave(&host->mask);
	if (host->error >= 0)
		errno = host->error;
	else if (rc < 0)
		errno = -rc;
}

void mdg__host_step_out(struct host *host)
{
	host->moment = mdg__pieces_end_moment();
	mdg__host_way_begin();
	mdg__host_leave(&host->mask);
}

int mdg__host_step_in(struct host *host, bool failed)
{
	host->error = errno;
	mdg__host_enter(&host->mask);
	mdg__host_way_end();
	(void)mdg__host_reserve(); /* others may have used what was; cutting does without */
	return !failed ? 0 : host->error > 0 ? -host->error : -EINVAL;
}

void mdg__host_cut(const struct host *host, uintptr_t start, size_t length)
{
	size_t page = mdg__page_size();
	length = (length + page - 1) / page * page;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		if (length != 0)
			mdg__pieces_cut_since(ns, start, length, host->moment);
}
