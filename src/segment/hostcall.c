/* SPDX-License-Identifier: MIT */
/*
 * hostcall.c - one call of the program that changes its mappings and touches an
 * attachment: what munmap, mmap and mremap have in common.
 *
 * Usually we make the system call ourselves, with our locks held. But another
 * library may want to see the call as well (a profiler, a cache of registered
 * memory). Then its function makes the call. Such a function may do anything:
 * call malloc, call shmdt, or take a lock whose holder waits for ours. So it is
 * called with none of our locks and with the program's own signal mask. What it
 * did is noted afterwards. In between two things can happen:
 *
 * - Another thread gets the addresses that were just unmapped. Its piece is
 *   younger than the call, so the call cannot have unmapped it, and it stays.
 *   attach.c removes the older piece that had the addresses before.
 * - The process forks. When the child first enters the namespace, it looks which
 *   of the pieces it has (recheck.c). Until then a piece may be counted that is
 *   unmapped already. A mapped piece is never left uncounted.
 */
#include "segment/hostcall.h"

#include <errno.h>

void mdg__host_enter(mdg__sigmask *mask)
{
	mdg__lists_enter(mask);
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__enter_blocked(ns);
}

void mdg__host_leave(const mdg__sigmask *mask)
{
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__leave_blocked(ns);
	mdg__lists_leave(mask);
}

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
	length = mdg__whole_pages(length);
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		if (length != 0)
			mdg__pieces_cut_since(ns, start, length, host->moment);
}
