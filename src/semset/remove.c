/* SPDX-License-Identifier: MIT */
/*
 * remove.c - the set is gone, and all its sleepers are told.
 *
 * The store to `removed` is the removal. Whoever gets the lock after that finds it, and so does
 * whoever wakes. So a death right after the store harms nobody. The sleepers find out at their next
 * look.
 *
 * If a process keeps the lock and does not go on, this waits for half a second. Then the set is
 * removed all the same, without the lock. Nobody is told. The sleepers find out at their next look,
 * within three seconds (sleep.c).
 */
#include "semset/internal.h"

enum { SLEEPS = 50 }; /* signed_lock.h */

static void tell(struct mdg__semset_stay *stay, struct mdg__sleeper *sleeper)
{
	uint32_t seen = mdg__load32(&sleeper->robust.word);
	while (mdg__word_sleeps(seen) && !atomic_compare_exchange_weak_explicit(
						 &sleeper->robust.word, &seen, MDG__ENDED_REMOVED,
						 memory_order_acq_rel, memory_order_acquire))
		;
	mdg__sleeper_wake(stay, sleeper);
}

int mdg__semset_remove(struct mdg__semset *set)
{
	struct mdg__semset_stay stay;
	const struct mdg__semset_need need = { .sleeps = SLEEPS };
	int rc = mdg__semset_enter(&stay, set, need, mdg__semset_repair);
	if (rc == -ETIMEDOUT)
		mdg__fill32(&mdg__semset_head(set)->removed, 1); /* the sleepers find that out */
	if (rc < 0)
		return rc == -ETIMEDOUT ? 0 : rc;
	/* The fast way fails from now on, and whoever fails there looks at `removed`. */
	for (uint32_t number = 0; number < set->count; number++)
		mdg__claim(&stay, number);
	mdg__fill32(&stay.head->removed, 1);
	uint32_t block1 = mdg__load32(&stay.head->queue.first1);
	for (uint32_t left = stay.blocks; left > 0; left--) {
		struct mdg__sleeper *sleeper = mdg__block_at(set, block1, MDG__SLEEPER);
		if (sleeper == NULL)
			break;
		tell(&stay, sleeper);
		block1 = mdg__load32(&sleeper->next1);
	}
	mdg__semset_leave(&stay);
	return 0;
}
