/* SPDX-License-Identifier: MIT */
/*
 * change.c - making a generation in the copy that is not shown, and showing it. layout.h has the
 * steps, and says what a death leaves.
 */
#include "replica/handle.h"

#include <limits.h>
#include <string.h>

#include "platform/fence.h"

int mdg__making_lock(struct mdg_replica *replica, uint64_t deadline)
{
	/* A death needs no repair of its own: see layout.h. */
	int rc = mdg__owned_take(&replica->head->lock, deadline);
	return rc == MDG_OWNER_DIED ? 0 : rc;
}

void mdg__making_unlock(struct mdg_replica *replica)
{
	(void)mdg__owned_give(&replica->head->lock);
}

/* ---- stamps --------------------------------------------------------------------------------- */

static uint64_t relaxed(const mdg__stamp *stamp)
{
	return atomic_load_explicit(stamp, memory_order_relaxed);
}

static void set(mdg__stamp *stamp, uint64_t value)
{
	atomic_store_explicit(stamp, value, memory_order_relaxed);
}

/* After this the block's bytes may be stored. The compiler keeps the order; the processor's does
 * not matter, because all that a killed thread has stored arrives. */
static void stamp_block(const struct mdg__making *change, uint64_t block)
{
	mdg__stamp *group = &mdg__groups(change->replica)[block / MDG__GROUP];
	mdg__stamp *stamp = &mdg__stamps(change->replica)[block];
	if (relaxed(group) < change->next)
		set(group, change->next);
	atomic_signal_fence(memory_order_seq_cst);
	if (relaxed(stamp) != change->next)
		set(stamp, change->next);
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- step 2 --------------------------------------------------------------------------------- */

static size_t block_length(const struct mdg_replica *replica, uint64_t block)
{
	uint64_t left = replica->bytes - block * MDG__BLOCK;
	return left < MDG__BLOCK ? (size_t)left : MDG__BLOCK;
}

static void catch_up(const struct mdg__making *change, uint64_t block)
{
	unsigned char bytes[MDG__BLOCK];
	struct mdg_replica *replica = change->replica;
	size_t length = block_length(replica, block), at = (size_t)(block * MDG__BLOCK);
	/* What a dead one has stamped keeps a stamp above the shown generation. */
	if (relaxed(&mdg__stamps(replica)[block]) > change->shown)
		stamp_block(change, block);
	mdg__bytes_load(bytes, mdg__copy(replica, change->from) + at, length);
	mdg__bytes_store(mdg__copy(replica, change->to) + at, bytes, length);
}

static void catch_up_all(const struct mdg__making *change)
{
	const struct mdg__replica_parts *parts = &change->replica->parts;
	const mdg__stamp *stamps = mdg__stamps(change->replica);
	mdg__stamp *groups = mdg__groups(change->replica);
	uint64_t least = change->shown != 0 ? change->shown : 1;
	for (uint64_t group = 0; group < parts->groups; group++) {
		uint64_t end = (group + 1) * MDG__GROUP;
		if (relaxed(&groups[group]) < least)
			continue;
		for (uint64_t i = group * MDG__GROUP; i < end && i < parts->blocks; i++)
			if (relaxed(&stamps[i]) >= least)
				catch_up(change, i);
		/* A dead one's number may be far above. Those below it have been looked at. */
		if (relaxed(&groups[group]) > change->next)
			set(&groups[group], change->next);
	}
}

int mdg__making_begin(struct mdg__making *change, struct mdg_replica *replica, uint64_t next)
{
	struct mdg__replica_head *head = replica->head;
	uint64_t shown = atomic_load_explicit(&head->shown, memory_order_relaxed);
	*change = (struct mdg__making){ .replica = replica,
		                        .shown = shown >> 1,
		                        .next = next != 0 ? next : (shown >> 1) + 1,
		                        .from = shown & 1,
		                        .to = (shown & 1) ^ 1 };
	if (change->next <= change->shown || change->next > UINT64_MAX >> 2)
		return MDG_BROKEN;
	set(&head->copy[change->to].number, change->next);
	/* F1: pairs with F2 in mdg_replica_check. */
	mdg__fence(memory_order_release);
	catch_up_all(change);
	return 0;
}

/* ---- step 3 --------------------------------------------------------------------------------- */

void mdg__making_put(struct mdg__making *change, uint64_t offset, const void *data, size_t length)
{
	stamp_block(change, offset / MDG__BLOCK);
	mdg__bytes_store(mdg__copy(change->replica, change->to) + (size_t)offset, data, length);
}

void mdg__making_compare(struct mdg__making *change, uint64_t offset, const void *data,
                         size_t length)
{
	/* [lock] Nobody stores into these copies, so an ordinary look is enough. */
	const unsigned char *here = mdg__copy(change->replica, change->to) + (size_t)offset;
	if (memcmp(here, data, length) != 0)
		mdg__making_put(change, offset, data, length);
}

/* ---- steps 4 and 5 -------------------------------------------------------------------------- */

void mdg__replica_wake(struct mdg_replica *replica)
{
	/* Release: who sees this sees why. Pairs with the acquire in wait.c. */
	atomic_fetch_add_explicit(&replica->head->moves, 1, memory_order_release);
	(void)mdg__sys_futex_wake_bits(&replica->head->moves, INT_MAX, UINT32_MAX);
}

void mdg__making_show(struct mdg__making *change, uint64_t time, uint64_t fence, uint64_t cursor)
{
	struct mdg__replica_head *head = change->replica->head;
	struct mdg__replica_copy *copy = &head->copy[change->to];
	set(&copy->time, time);
	set(&copy->fence, fence);
	set(&copy->cursor, cursor);
	/* P: pairs with the acquire in mdg_replica_begin. */
	atomic_store_explicit(&head->shown, change->next << 1 | change->to, memory_order_release);
}
