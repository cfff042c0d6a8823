/* SPDX-License-Identifier: MIT */
/*
 * commit.c - the writer's side: what is in the segment becomes a generation.
 */
#include "replica/handle.h"

#include <errno.h>
#include <string.h>

#include "platform/clock.h"

static int ranges_check(const struct mdg_replica *replica, const struct mdg_range *ranges,
                        unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (ranges[i].offset > replica->bytes ||
		    ranges[i].length > replica->bytes - ranges[i].offset)
			return -EINVAL;
	return 0;
}

/* The segment is read once: what another process scribbles meanwhile does not get in between the
 * comparison and the store. */
static void take(struct mdg__making *change, uint64_t offset, uint64_t length, bool compare)
{
	unsigned char bytes[MDG__BLOCK];
	while (length != 0) {
		size_t part = MDG__BLOCK - (size_t)(offset % MDG__BLOCK);
		if (part > length)
			part = (size_t)length;
		memcpy(bytes, change->replica->segment + (size_t)offset, part);
		if (compare)
			mdg__making_compare(change, offset, bytes, part);
		else
			mdg__making_put(change, offset, bytes, part);
		offset += part;
		length -= part;
	}
}

static int may_commit(const struct mdg__replica_head *head)
{
	uint32_t role = atomic_load_explicit(&head->role, memory_order_relaxed);
	if (atomic_load_explicit(&head->removed, memory_order_relaxed) != 0)
		return -EIDRM;
	if (role == MDG_REPLICA_DEPOSED)
		return MDG_DEPOSED;
	return role == MDG_REPLICA_READER ? -EROFS : 0;
}

/* [lock] */
static int commit(struct mdg_replica *replica, const struct mdg_range *ranges, unsigned count,
                  uint64_t *ret_generation)
{
	struct mdg__making change;
	int rc = may_commit(replica->head);
	if (rc == 0)
		rc = mdg__making_begin(&change, replica, 0);
	if (rc < 0)
		return rc;
	/* What is shown is of another segment: these ranges alone would make a mixture. */
	bool other = atomic_load_explicit(&replica->head->source, memory_order_relaxed) !=
	             (uint32_t)replica->source + 1;
	if (ranges == NULL || change.shown == 0 || other)
		take(&change, 0, replica->bytes, true);
	else
		for (unsigned i = 0; i < count; i++)
			take(&change, ranges[i].offset, ranges[i].length, false);
	mdg__making_show(&change, mdg__realtime_nanoseconds(),
	                 atomic_load_explicit(&replica->head->fence, memory_order_relaxed), 0);
	atomic_store_explicit(&replica->head->source, (uint32_t)replica->source + 1,
	                      memory_order_relaxed);
	if (ret_generation != NULL)
		*ret_generation = change.next;
	return 0;
}

int mdg_segment_commit(mdg_replica *replica, const struct mdg_range *ranges, unsigned count,
                       uint64_t deadline, uint64_t *ret_generation)
{
	if (replica->segment == NULL)
		return -EBADF;
	int rc = ranges == NULL ? 0 : ranges_check(replica, ranges, count);
	if (rc == 0)
		rc = mdg__making_lock(replica, deadline);
	if (rc < 0)
		return rc;
	rc = commit(replica, ranges, count, ret_generation);
	mdg__making_unlock(replica);
	if (rc == 0)
		mdg__replica_wake(replica);
	return rc;
}
