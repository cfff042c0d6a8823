/* SPDX-License-Identifier: MIT */
/*
 * repair.c - the lock was taken over from a process that died: what it had begun is set right.
 */
#include "semset/internal.h"

/* Who died may have had to wake them. */
static void wake_served(struct mdg__semset_stay *stay)
{
	uint32_t block1 = mdg__load32(&stay->head->done.first1);
	for (uint32_t left = stay->blocks; left > 0; left--) {
		struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SERVED);
		if (sleeper == NULL)
			return;
		mdg__sleeper_wake(stay, sleeper);
		block1 = mdg__load32(&sleeper->next1);
	}
}

int mdg__semset_repair(void *context)
{
	struct mdg__semset_stay *stay = context;
	int rc = mdg__semset_map_used(stay);
	if (rc < 0)
		return rc;
	rc = mdg__journal_rollback(&stay->journal);
	if (mdg__load32(&stay->head->removed) != 0)
		return rc;
	mdg__serve_again(stay); /* before anything else changes a value */
	mdg__set_again(stay);
	mdg__serve(stay);
	wake_served(stay);
	return rc;
}
