/* SPDX-License-Identifier: MIT */
/*
 * settle.c - what holders have left that have ended is given back: SEM_UNDO.
 *
 * Whoever is about to look at values or to change them looks at the witnesses first (holder.c). If
 * one does not say that its process lives, the process itself is asked for (process.c). If that has
 * ended, its sums are added to the values, here.
 *
 * A sum and its value change in one commit, so that a death in between adds nothing twice. The
 * holder leaves the list when no sum is left, so whoever comes after a death goes on with the rest.
 * Nobody sees the values in between: the lock is held, and the words say BUSY.
 */
#include "semset/internal.h"

static bool has_ended(struct mdg__semset *set, const struct mdg__set_holder *holder)
{
	const struct mdg__process_name name = {
		.pids = (uint32_t)mdg__load64(&holder->pid_namespace),
		.pid = (int32_t)mdg__load32(&holder->pid),
		.start = mdg__load64(&holder->start),
		.slot1 = mdg__load32(&holder->slot1),
		.generation = mdg__load32(&holder->generation),
	};
	return mdg__named_has_ended(set, &name);
}

static void undo_one(struct mdg__semset_stay *stay, uint32_t number, mdg__a64 *sum, int32_t pid)
{
	int32_t change = mdg__sum_value(mdg__load64(sum));
	if (change == 0 || number >= stay->set->count)
		return;
	mdg__a64 *word = &mdg__semset_at(stay->set, number)->word;
	mdg__claim(stay, number);
	int64_t value = (int64_t)mdg__word_value(mdg__load64(word)) + change;
	value = value < 0 ? 0 : value > MDG__VALUE_MAX ? MDG__VALUE_MAX : value;
	mdg__semset_put64(stay, word, mdg__word((int32_t)value, MDG__BUSY, pid));
	mdg__semset_put64(stay, sum, mdg__sum_with(mdg__load64(sum), 0));
	mdg__note_change(stay, false);
	mdg__semset_commit(stay);
}

/* The sums of all its pages, and the pages become free. */
static void undo_all(struct mdg__semset_stay *stay, struct mdg__set_holder *holder)
{
	int32_t pid = (int32_t)mdg__load32(&holder->pid);
	for (uint32_t left = stay->blocks; left > 0; left--) {
		uint32_t sums1 = mdg__load32(&holder->sums1);
		struct mdg__sums *sums = mdg__block_at(stay->set, sums1, MDG__SUMS);
		if (sums == NULL)
			return;
		uint64_t first = (uint64_t)mdg__load32(&sums->page) * MDG__SUMS_HERE;
		for (uint32_t i = 0; i < MDG__SUMS_HERE && first < stay->set->count; i++)
			undo_one(stay, (uint32_t)first + i, &sums->sums[i], pid);
		mdg__semset_put32(stay, &holder->sums1, mdg__load32(&sums->next1));
		mdg__block_free(stay, sums1);
		mdg__semset_commit(stay);
	}
}

static void settle_one(struct mdg__semset_stay *stay, mdg__a32 *link, uint32_t holder1,
                       struct mdg__set_holder *holder)
{
	struct mdg__sleeper *watcher =
		mdg__block_at(stay->set, mdg__load32(&holder->watcher1), MDG__SLEEPER);
	/* First what its threads had begun: that may change its sums. */
	mdg__slips_end(stay, holder);
	undo_all(stay, holder);
	if (watcher != NULL && mdg__load32(&watcher->watching1) == holder1)
		mdg__semset_put32(stay, &watcher->watching1, 0);
	mdg__note_any_zero(stay);
	mdg__semset_stamp(&stay->head->otime);
	mdg__semset_put32(stay, link, mdg__load32(&holder->next1));
	mdg__block_free(stay, holder1);
	mdg__semset_commit(stay);
}

void mdg__settle(struct mdg__semset_stay *stay)
{
	mdg__a32 *link = &stay->head->holders1;
	mdg__sleepers_reap(stay);
	if (!mdg__holders_are_witnessed(stay->set)) {
		for (uint32_t left = stay->blocks; left > 0; left--) {
			uint32_t holder1 = mdg__load32(link);
			struct mdg__set_holder *holder =
				mdg__block_at(stay->set, holder1, MDG__HOLDER);
			if (holder == NULL)
				break;
			if ((mdg__load32(&holder->witness.word) & MDG__TID) == 0 &&
			    !mdg__holder_is_own(stay->set, holder) && has_ended(stay->set, holder))
				settle_one(stay, link, holder1, holder);
			else
				link = &holder->next1;
		}
	}
	mdg__serve(stay);
}
