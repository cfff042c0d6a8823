/* SPDX-License-Identifier: MIT */
/*
 * made.c - the descriptor of a data file that this process has just made: it is kept for the first
 * attachment.
 *
 * Most programs attach what they make. With the descriptor at hand, the file need not be opened
 * again and compared with its entry. But a program that only makes segments, for others, would pay
 * for moving the descriptor out of the way and closing it. So a process keeps the next one only if
 * it has attached the segment that it made last.
 *
 * The descriptor lies idle until then, like that of a segment which is detached and may be attached
 * again (count.c), and at most one of both is kept. It holds on to the memory if another process
 * removes the segment: until the next call of this process, and to little, because those of large
 * segments are not kept. A child of a fork does not get it, unless another thread makes the segment
 * during the fork. Then the child has it until it calls exec or ends.
 *
 * Other threads may run while the segment is made, and one may close the descriptor or put another
 * file there. So it is marked at once, and looked at before it is used or closed.
 *
 * The maker notes the inode in the entry, in the change that makes the segment LIVE. So a
 * descriptor of a segment that is gone is not taken for one of a later segment with the same id.
 */
#include "segment/datafile.h"

#define LENGTH_MOST (UINT64_C(256) << 10)
#define ATTACHED    UINT32_MAX /* the value of `made1` if the one made last was attached */

bool mdg__made_is_wanted(struct mdg_namespace *ns, uint64_t length)
{
	return atomic_load_explicit(&ns->made1, memory_order_relaxed) == ATTACHED &&
	       length <= LENGTH_MOST && !mdg__is_shared(ns) && !mdg__is_guest(ns);
}

void mdg__made_attached(struct mdg_namespace *ns, uint32_t index)
{
	if (atomic_load_explicit(&ns->made1, memory_order_relaxed) == index + 1)
		atomic_store_explicit(&ns->made1, ATTACHED, memory_order_relaxed);
}

/* [object lock] False: the descriptor cannot be kept. The segment may be gone already. */
static bool keep(struct mdg_namespace *ns, mdg_id id, uint64_t length, const struct mdg__made *made)
{
	struct mdg__segment_cache *cache;
	uint32_t index = (uint32_t)id % MDG__IDS;
	if (mdg__cache_find(ns, index, (uint32_t)id / MDG__IDS, &cache) < 0 || cache->pieces > 0)
		return false;
	if (ns->kept_detached1 != 0)
		mdg__cache_drop_fd(ns, ns->kept_detached1 - 1);
	if (ns->kept_fds >= ns->most_kept_fds)
		return false;
	mdg__cache_keep_fd(ns, cache, index, made->fd, true, made->inode, made->mark);
	cache->mapped = length;
	ns->kept_detached1 = index + 1;
	return true;
}

void mdg__made_end(struct mdg_namespace *ns, mdg_id id, uint64_t length,
                   const struct mdg__made *made, int rc)
{
	if (rc == 0)
		atomic_store_explicit(&ns->made1, (uint32_t)id % MDG__IDS + 1,
		                      memory_order_relaxed);
	if (made->fd >= 0 && (rc < 0 || !keep(ns, id, length, made)) &&
	    mdg__data_fd_is_ours(ns, made->fd, made->inode, made->mark))
		(void)mdg__sys_close(made->fd);
}
