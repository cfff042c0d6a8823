/* SPDX-License-Identifier: MIT */
/*
 * set.c - values are set, and everybody's sums of them cleared.
 *
 * That can be more changes than the journal has room for. So it is made to be begun anew: the
 * values are written to `staged`, and one commit says that they count. Then they are stored one by
 * one. If the process dies in the middle, the next holder of the lock stores all of them again.
 */
#include "semset/internal.h"

static void set_one(struct mdg__semset_stay *stay, uint32_t number, int32_t pid)
{
	struct mdg__semaphore *semaphore = mdg__semset_at(stay->set, number);
	int32_t value = (int32_t)(mdg__load32(&semaphore->staged) & MDG__VALUE_MAX);
	mdg__claim(stay, number);
	mdg__semset_put64(stay, &semaphore->word, mdg__word(value, MDG__BUSY, pid));
	mdg__note_change(stay, false);
	mdg__semset_commit(stay);
	mdg__sums_clear(stay, number);
}

void mdg__set_again(struct mdg__semset_stay *stay)
{
	struct mdg__semset_head *head = stay->head;
	uint32_t which1 = mdg__load32(&head->setting1);
	int32_t pid = (int32_t)mdg__load32(&head->setting_pid);
	if (which1 == 0)
		return;
	if (which1 == MDG__SETTING_ALL) {
		for (uint32_t number = 0; number < stay->set->count; number++)
			set_one(stay, number, pid);
	} else if (which1 <= stay->set->count) {
		set_one(stay, which1 - 1, pid);
	}
	mdg__semset_stamp(&head->ctime);
	mdg__note_any_zero(stay);
	mdg__semset_put32(stay, &head->setting1, 0);
	mdg__semset_commit(stay);
}

void mdg__set_staged(struct mdg__semset_stay *stay, uint32_t which1, int32_t pid)
{
	mdg__semset_put32(stay, &stay->head->setting_pid, (uint32_t)pid);
	mdg__semset_put32(stay, &stay->head->setting1, which1);
	mdg__semset_commit(stay);
	mdg__set_again(stay);
}
