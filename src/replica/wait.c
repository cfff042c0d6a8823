/* SPDX-License-Identifier: MIT */
/*
 * wait.c - sleeping until a generation comes, or until the server has one.
 *
 * Sleepers sleep on `moves`, which may be mapped read-only. A committer that is killed between
 * showing its generation and waking leaves them asleep. So nobody sleeps longer than a second at
 * once. Then they also look whether the segment was removed by who did not wake them.
 */
#include "replica/handle.h"

#include <errno.h>

#include "platform/clock.h"

#define SLICE_NS UINT64_C(1000000000)

/* What ends a wait: 0: it came; -EAGAIN: not yet; or a code. */
typedef int wait_test(const struct mdg_replica *replica, uint64_t generation);

static int removed(const struct mdg_replica *replica)
{
	uint32_t gone = atomic_load_explicit(&replica->head->removed, memory_order_relaxed);
	return gone != 0 ? -EIDRM : -EAGAIN;
}

bool mdg__replica_is_removed(struct mdg_replica *replica)
{
	struct mdg_segment_info info = { .size = sizeof info };
	if (removed(replica) == -EIDRM)
		return true;
	int rc = mdg_segment_stat(replica->ns, replica->id, MDG_STAT_ANY, &info);
	if (rc == 0 ? (info.mode & MDG_MODE_REMOVED) == 0 : rc != -EINVAL && rc != -EIDRM)
		return false;
	if ((replica->flags & (MDG_REPLICA_COMMIT | MDG_REPLICA_APPLY)) != 0) {
		atomic_store(&replica->head->removed, 1);
		mdg__replica_wake(replica);
	}
	return true;
}

static int is_newer(const struct mdg_replica *replica, uint64_t generation)
{
	/* Acquire: pairs with P in mdg__making_show. */
	uint64_t shown = atomic_load_explicit(&replica->head->shown, memory_order_acquire);
	return shown >> 1 > generation ? 0 : removed(replica);
}

static int is_settled(const struct mdg_replica *replica, uint64_t generation)
{
	/* Acquire: pairs with the release in mdg_replica_set_far. */
	uint64_t far = atomic_load_explicit(&replica->head->far, memory_order_acquire);
	uint32_t role = atomic_load_explicit(&replica->head->role, memory_order_relaxed);
	if (role == MDG_REPLICA_DEPOSED || role == MDG_REPLICA_READER)
		return MDG_DEPOSED;
	return far >= generation ? 0 : removed(replica);
}

static int wait_for(struct mdg_replica *replica, wait_test *test, uint64_t generation,
                    uint64_t deadline)
{
	for (;;) {
		/* Acquire: pairs with the release in mdg__replica_wake. */
		uint32_t moves = atomic_load_explicit(&replica->head->moves, memory_order_acquire);
		int rc = test(replica, generation);
		if (rc != -EAGAIN || deadline == 0)
			return rc;
		uint64_t slice = mdg__monotonic_nanoseconds() + SLICE_NS;
		if (slice > deadline)
			slice = deadline;
		rc = mdg__sys_futex_wait_until(&replica->head->moves, moves, slice, UINT32_MAX);
		if (rc == -ETIMEDOUT && slice == deadline)
			return test(replica, generation) == 0 ? 0 : -ETIMEDOUT;
		if (rc == -ETIMEDOUT && mdg__replica_is_removed(replica))
			return -EIDRM;
		if (rc == -EINTR)
			return -EINTR;
	}
}

int mdg_replica_wait(mdg_replica *replica, uint64_t generation, uint64_t deadline,
                     uint64_t *ret_generation)
{
	int rc = wait_for(replica, is_newer, generation, deadline);
	if (rc == 0 && ret_generation != NULL)
		*ret_generation =
			atomic_load_explicit(&replica->head->shown, memory_order_acquire) >> 1;
	return rc;
}

int mdg_replica_settled(mdg_replica *replica, uint64_t generation, uint64_t deadline)
{
	return wait_for(replica, is_settled, generation, deadline);
}
