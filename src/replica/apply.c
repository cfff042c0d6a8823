/* SPDX-License-Identifier: MIT */
/*
 * apply.c - the bridge's side: a generation from elsewhere is put in; roles; what is known of the
 * other end.
 */
#include "replica/handle.h"

#include <errno.h>

#include "platform/clock.h"
#include "platform/sized.h"

/* Bytes of struct mdg_generation in the first release. */
#define FIRST_GENERATION 48u

static int parts_check(const struct mdg_replica *replica, const struct mdg_part *parts,
                       unsigned count)
{
	uint64_t end = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct mdg_part *part = &parts[i];
		if (part->offset < end || part->offset > replica->bytes || part->length == 0 ||
		    part->length > replica->bytes - part->offset || part->data == NULL ||
		    part->offset % MDG__BLOCK != 0)
			return -EINVAL;
		end = part->offset + part->length;
		if (end % MDG__BLOCK != 0 && end != replica->bytes)
			return -EINVAL;
	}
	return 0;
}

/* Whole blocks from `data`, or zeros if that is NULL. */
static void put(struct mdg__making *change, uint64_t from, uint64_t to, const void *data)
{
	static const unsigned char zeros[MDG__BLOCK];
	const unsigned char *in = data;
	while (from < to) {
		size_t length = to - from < MDG__BLOCK ? (size_t)(to - from) : MDG__BLOCK;
		mdg__making_compare(change, from, in != NULL ? in : zeros, length);
		from += length;
		if (in != NULL)
			in += length;
	}
}

/* [lock] */
static int check(const struct mdg_replica *replica, const struct mdg_generation *generation)
{
	struct mdg__replica_head *head = replica->head;
	uint64_t shown = atomic_load_explicit(&head->shown, memory_order_relaxed);
	if (atomic_load_explicit(&head->removed, memory_order_relaxed) != 0)
		return -EIDRM;
	if (generation->fence <
	    atomic_load_explicit(&head->copy[shown & 1].fence, memory_order_relaxed))
		return -EPERM;
	if (generation->generation <= shown >> 1)
		return -EALREADY;
	return generation->whole == 0 && generation->base > shown >> 1 ? -ESTALE : 0;
}

/* [lock] */
static int apply(struct mdg_replica *replica, const struct mdg_generation *generation,
                 const struct mdg_part *parts, unsigned count)
{
	struct mdg__making change;
	uint64_t end = 0;
	int rc = check(replica, generation);
	if (rc == 0)
		rc = mdg__making_begin(&change, replica, generation->generation);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < count; i++) {
		if (generation->whole != 0)
			put(&change, end, parts[i].offset, NULL);
		end = parts[i].offset + parts[i].length;
		put(&change, parts[i].offset, end, parts[i].data);
	}
	if (generation->whole != 0)
		put(&change, end, replica->bytes, NULL);
	atomic_store_explicit(&replica->head->role, MDG_REPLICA_READER, memory_order_relaxed);
	atomic_store_explicit(&replica->head->source, 0, memory_order_relaxed);
	mdg__making_show(&change, generation->time, generation->fence, generation->cursor);
	return 0;
}

static int lock_to_apply(struct mdg_replica *replica, uint64_t deadline)
{
	return (replica->flags & MDG_REPLICA_APPLY) != 0 ? mdg__making_lock(replica, deadline)
	                                                 : -EBADF;
}

int mdg_replica_apply(mdg_replica *replica, const struct mdg_generation *given,
                      const struct mdg_part *parts, unsigned count, uint64_t deadline)
{
	struct mdg_generation own;
	int rc = mdg__sized_take(&own, sizeof own, FIRST_GENERATION, given);
	if (rc == 0)
		rc = parts_check(replica, parts, count);
	if (rc == 0)
		rc = lock_to_apply(replica, deadline);
	if (rc < 0)
		return rc;
	rc = apply(replica, &own, parts, count);
	mdg__making_unlock(replica);
	if (rc == 0)
		mdg__replica_wake(replica);
	return rc;
}

int mdg_replica_lock(mdg_replica *replica, uint64_t deadline)
{
	return lock_to_apply(replica, deadline);
}

int mdg_replica_unlock(mdg_replica *replica)
{
	bool mine = mdg__owned_is_mine(&replica->head->lock);
	if (mine)
		mdg__making_unlock(replica);
	return mine ? 0 : -EPERM;
}

/* ---- roles ---------------------------------------------------------------------------------- */

/* [lock] What is here becomes a generation above `least`. */
static int renumber(struct mdg_replica *replica, uint64_t fence, uint64_t least)
{
	struct mdg__making change;
	if (least == UINT64_MAX)
		return -EINVAL;
	int rc = mdg__making_begin(&change, replica, least + 1);
	if (rc == 0)
		mdg__making_show(&change, mdg__realtime_nanoseconds(), fence, 0);
	return rc;
}

int mdg_replica_set_role(mdg_replica *replica, unsigned role, uint64_t fence, uint64_t least,
                         uint64_t deadline)
{
	struct mdg__replica_head *head = replica->head;
	if (role > MDG_REPLICA_DEPOSED)
		return -EINVAL;
	int rc = lock_to_apply(replica, deadline);
	if (rc < 0)
		return rc;
	if (mdg__replica_is_removed(replica))
		rc = -EIDRM;
	else if (atomic_load_explicit(&head->shown, memory_order_relaxed) >> 1 < least)
		rc = renumber(replica, fence, least);
	if (rc == 0) {
		/* What the server had for an earlier writer says nothing of this one. */
		if (role == MDG_REPLICA_WRITER)
			atomic_store_explicit(&head->far, 0, memory_order_relaxed);
		atomic_store_explicit(&head->fence, fence, memory_order_relaxed);
		atomic_store_explicit(&head->role, role, memory_order_relaxed);
	}
	mdg__making_unlock(replica);
	mdg__replica_wake(replica);
	return rc;
}

int mdg_replica_set_far(mdg_replica *replica, uint64_t far)
{
	struct mdg__replica_head *head = replica->head;
	uint64_t now = mdg__realtime_nanoseconds();
	if ((replica->flags & MDG_REPLICA_APPLY) == 0)
		return -EBADF;
	atomic_store_explicit(&head->heard, now, memory_order_relaxed);
	if (far == 0)
		return 0;
	bool differs = far != atomic_load_explicit(&head->shown, memory_order_relaxed) >> 1;
	if (!differs || atomic_load_explicit(&head->far_since, memory_order_relaxed) == 0)
		atomic_store_explicit(&head->far_since, differs ? now : 0, memory_order_relaxed);
	/* Release: pairs with the acquire in mdg_replica_settled. */
	atomic_store_explicit(&head->far, far, memory_order_release);
	mdg__replica_wake(replica);
	return 0;
}
