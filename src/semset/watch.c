/* SPDX-License-Identifier: MIT */
/*
 * watch.c - which sleeper sleeps on whose witness, so that a death wakes it at once.
 *
 * When a holder is killed, the kernel marks its witness and wakes one sleeper on that word. So a
 * sleeper that waits for something that a holder has sleeps on the holder's witness, and not on its
 * own word: it WATCHES the holder. It then settles what the holder has left, and so serves
 * everybody. A holder has at most one watcher, and a sleeper watches at most one holder. Whoever is
 * not matched looks from time to time (sleep.c).
 *
 * The two are matched under the lock, at the end of each stay that changed the queue or a sum. If
 * the sleeper sleeps already, the kernel moves it to the other word.
 *
 * Whoever ends the sleep of a watcher has to wake it on the witness, and must not change what that
 * word means. It flips bit 30, which the kernel does not look at beside a thread's id. A watcher
 * reads the witness, then its own word, and then goes to sleep on the witness as it was. Whoever
 * ends the sleep changes the own word first, and flips the bit after that. So either the watcher
 * sees its own word, or the kernel sees that the witness has changed.
 */
#include "semset/internal.h"

enum { SLEEPERS_MOST = 4, HOLDERS_MOST = 16 };

/* [lock] Marks the witness as slept on, so that the kernel wakes somebody when its thread dies. The
 * mark stays. A sleeper itself writes nothing there: it has no lock, and the block may be another's
 * by now. False: the thread is dead. */
static bool expect_sleeper(mdg__a32 *witness)
{
	uint32_t seen = mdg__load32(witness);
	while ((seen & MDG__TID) != 0 && (seen & MDG__WAITERS) == 0)
		if (atomic_compare_exchange_weak_explicit(witness, &seen, seen | MDG__WAITERS,
		                                          memory_order_acq_rel,
		                                          memory_order_acquire))
			return true;
	return (seen & MDG__TID) != 0;
}

/* Whether the holder is another process than the sleeper's, and has something of what the sleeper's
 * operations name. */
static bool may_help(const struct mdg__semset *set, uint32_t holder1,
                     const struct mdg__set_holder *holder, const struct mdg__sleeper *sleeper,
                     const struct mdg__oplist *list)
{
	if (mdg__load32(&holder->pid) == mdg__load32(&sleeper->pid))
		return false;
	for (uint32_t i = 0; i < list->count; i++) {
		const mdg__a64 *sum = mdg__sum_at(set, holder1, list->ops[i].number);
		if (sum != NULL && mdg__sum_value(mdg__load64(sum)) != 0)
			return true;
	}
	return false;
}

static bool can_be_watched(const struct mdg__set_holder *holder)
{
	return mdg__load32(&holder->watcher1) == 0 &&
	       (mdg__load32(&holder->witness.word) & MDG__TID) != 0;
}

unsigned mdg__holders_for(const struct mdg__semset *set, const struct mdg__sleeper *sleeper)
{
	struct mdg__oplist list;
	uint32_t holder1 = mdg__load32(&mdg__semset_head(set)->holders1);
	unsigned result = 0;
	if (!mdg__sleeper_ops(set, sleeper, &list))
		return HOLDERS_MOST;
	for (unsigned left = HOLDERS_MOST; holder1 != 0; left--) {
		const struct mdg__set_holder *holder = mdg__block_at(set, holder1, MDG__HOLDER);
		if (holder == NULL || left == 0)
			return HOLDERS_MOST;
		result += may_help(set, holder1, holder, sleeper, &list);
		holder1 = mdg__load32(&holder->next1);
	}
	return result;
}

/* There is a second holder now whose death would help a sleeper that watches the first one. It has
 * to look from time to time from now on, so it is woken, and sleeps again in another way. */
static void tell(struct mdg__semset_stay *stay, struct mdg__sleeper *sleeper)
{
	if (mdg__holders_for(stay->set, sleeper) == 2)
		mdg__sleeper_wake(stay, sleeper);
}

static void match(struct mdg__semset_stay *stay, uint32_t sleeper1, struct mdg__sleeper *sleeper,
                  uint32_t holder1, struct mdg__set_holder *holder)
{
	uint32_t own = mdg__load32(&sleeper->robust.word);
	if (!mdg__word_sleeps(own) || !expect_sleeper(&holder->witness.word))
		return;
	mdg__semset_put32(stay, &holder->watcher1, sleeper1);
	mdg__semset_put32(stay, &sleeper->watching1, holder1);
	mdg__semset_commit(stay);
	(void)mdg__sys_futex_move(&sleeper->robust.word, own, &holder->witness.word);
	/* Dead in between: the kernel has woken nobody. */
	if ((mdg__load32(&holder->witness.word) & MDG__TID) == 0)
		mdg__wake_later(stay, &holder->witness.word);
}

static void find_for(struct mdg__semset_stay *stay, uint32_t sleeper1, struct mdg__sleeper *sleeper)
{
	struct mdg__oplist list;
	uint32_t holder1 = mdg__load32(&stay->head->holders1);
	if (!mdg__sleeper_ops(stay->set, sleeper, &list))
		return;
	for (unsigned left = HOLDERS_MOST; left > 0; left--) {
		struct mdg__set_holder *holder = mdg__block_at(stay->set, holder1, MDG__HOLDER);
		if (holder == NULL)
			return;
		if (can_be_watched(holder) &&
		    may_help(stay->set, holder1, holder, sleeper, &list)) {
			match(stay, sleeper1, sleeper, holder1, holder);
			return;
		}
		holder1 = mdg__load32(&holder->next1);
	}
}

/* The first sleeper has to look often from now on, if it is not told of each death. One call is
 * enough, as it does not say any more that it looks seldom. If it is just about to sleep, it misses
 * the call, and learns of a death 100 ms late at most. For that it must have come to the head from
 * behind the first 16 within a microsecond. */
static void hasten_first(struct mdg__semset_stay *stay, struct mdg__sleeper *first)
{
	if (first == NULL || (mdg__load32(&first->about) & MDG__SELDOM) == 0 ||
	    (mdg__load32(&first->watching1) != 0 && mdg__holders_for(stay->set, first) == 1))
		return;
	mdg__sleeper_wake(stay, first);
}

void mdg__watch(struct mdg__semset_stay *stay)
{
	uint32_t block1 = mdg__load32(&stay->head->queue.first1);
	struct mdg__sleeper *first = mdg__block_at(stay->set, block1, MDG__SLEEPER);
	if (mdg__load32(&stay->head->holders1) == 0)
		return;
	for (unsigned left = SLEEPERS_MOST; left > 0; left--) {
		struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SLEEPER);
		if (sleeper == NULL)
			break;
		if (mdg__load32(&sleeper->watching1) == 0)
			find_for(stay, block1, sleeper);
		else
			tell(stay, sleeper);
		block1 = mdg__load32(&sleeper->next1);
	}
	hasten_first(stay, first);
}
