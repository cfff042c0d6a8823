/* SPDX-License-Identifier: MIT */
/*
 * holder.c - processes that have used UNDO in this set, their sums, and their witnesses.
 *
 * A holder is a process, not a program: it is named by pid and start, and a new program after exec
 * finds the sums of the one before it. It stays in the list until the process has ended, even
 * if all its sums are 0.
 *
 * THE WITNESS is a robust word (sync/owned.h) that one thread of the process has in its list. While
 * it has a thread's id, the process lives: one load says so. The kernel marks it when that thread
 * ends, or calls exec. Then nothing is known, and settle.c asks for the process itself. Another
 * thread of the process becomes the witness at its next operation with UNDO.
 */
#include "semset/internal.h"

#include "madang/base.h"

enum { HELD_KEPT_FREE = 16 }; /* of a thread's 64 entries, for the program's own locks */

static bool is_same_start(uint64_t one, uint64_t other)
{
	return one != 0 && one == other;
}

bool mdg__holder_is_own(const struct mdg__semset *set, const struct mdg__set_holder *holder)
{
	const struct mdg__semset_self *self = &set->self;
	if (mdg__load32(&holder->pid) != (uint32_t)self->pid ||
	    mdg__load64(&holder->pid_namespace) != self->pid_namespace)
		return false;
	return is_same_start(mdg__load64(&holder->start), self->start) ||
	       (mdg__load32(&holder->slot1) == self->slot1 &&
	        mdg__load32(&holder->generation) == self->generation);
}

bool mdg__holders_are_witnessed(const struct mdg__semset *set)
{
	uint32_t block1 = mdg__load32(&mdg__semset_head(set)->holders1);
	for (uint32_t left = mdg__block_count(set); block1 != 0; left--) {
		/* The list may change meanwhile: what does not fit is looked at under the lock. */
		const struct mdg__set_holder *holder = mdg__block_at(set, block1, MDG__HOLDER);
		if (holder == NULL || left == 0)
			return false;
		if ((mdg__load32(&holder->witness.word) & MDG__TID) == 0 &&
		    !mdg__holder_is_own(set, holder))
			return false;
		block1 = mdg__load32(&holder->next1);
	}
	return true;
}

/* ---- sums ---------------------------------------------------------------------------------- */

void mdg__sums_clear(struct mdg__semset_stay *stay, uint32_t number)
{
	uint32_t holder1 = mdg__load32(&stay->head->holders1);
	for (uint32_t left = stay->blocks; left > 0; left--) {
		const struct mdg__set_holder *holder =
			mdg__block_at(stay->set, holder1, MDG__HOLDER);
		if (holder == NULL)
			return;
		mdg__a64 *sum = mdg__sum_at(stay->set, holder1, number);
		if (sum != NULL && mdg__sum_value(mdg__load64(sum)) != 0) {
			mdg__semset_put64(stay, sum, mdg__sum_with(mdg__load64(sum), 0));
			mdg__semset_commit(stay);
		}
		holder1 = mdg__load32(&holder->next1);
	}
}

static int make_page(struct mdg__semset_stay *stay, uint32_t holder1, uint32_t page)
{
	struct mdg__set_holder *holder = mdg__block_at(stay->set, holder1, MDG__HOLDER);
	uint32_t block1 = mdg__block_alloc(stay, MDG__SUMS);
	struct mdg__sums *sums = mdg__block_at(stay->set, block1, MDG__SUMS);
	if (holder == NULL || sums == NULL)
		return -ENOMEM;
	mdg__fill32(&sums->page, page);
	mdg__fill32(&sums->holder1, holder1);
	for (unsigned i = 0; i < MDG__SUMS_HERE; i++)
		mdg__fill64(&sums->sums[i], 0);
	mdg__semset_put32(stay, &sums->next1, mdg__load32(&holder->sums1));
	mdg__semset_put32(stay, &holder->sums1, block1);
	mdg__semset_commit(stay);
	return 0;
}

/* ---- this process --------------------------------------------------------------------------- */

static uint32_t find_own(const struct mdg__semset_stay *stay)
{
	uint32_t block1 = mdg__load32(&stay->head->holders1);
	for (uint32_t left = stay->blocks; left > 0; left--) {
		const struct mdg__set_holder *holder =
			mdg__block_at(stay->set, block1, MDG__HOLDER);
		if (holder == NULL)
			return 0;
		if (mdg__holder_is_own(stay->set, holder))
			return block1;
		block1 = mdg__load32(&holder->next1);
	}
	return 0;
}

/* Not linked yet, and nobody else's. */
static void fill_in(const struct mdg__semset *set, struct mdg__set_holder *holder)
{
	const struct mdg__semset_self *self = &set->self;
	holder->witness.mark = 0;
	holder->witness.none = 0;
	mdg__fill32(&holder->witness.word, 0);
	mdg__fill32(&holder->pid, (uint32_t)self->pid);
	mdg__fill32(&holder->watcher1, 0);
	mdg__fill64(&holder->start, self->start);
	mdg__fill64(&holder->pid_namespace, self->pid_namespace);
	mdg__fill32(&holder->slot1, self->slot1);
	mdg__fill32(&holder->generation, self->generation);
	mdg__fill32(&holder->sums1, 0);
}

static uint32_t make_own(struct mdg__semset_stay *stay)
{
	uint32_t block1 = mdg__block_alloc(stay, MDG__HOLDER);
	struct mdg__set_holder *holder = mdg__block_at(stay->set, block1, MDG__HOLDER);
	if (holder == NULL)
		return 0;
	fill_in(stay->set, holder);
	mdg__semset_put32(stay, &holder->next1, mdg__load32(&stay->head->holders1));
	mdg__semset_put32(stay, &stay->head->holders1, block1);
	mdg__semset_commit(stay);
	return block1;
}

/* This thread becomes the witness, if the process has none. Not in a handler that has interrupted a
 * change of the thread's list, as the word stays there. Then the process is asked for, until the
 * next operation that comes here. */
static void bear_witness(struct mdg__semset_stay *stay, struct mdg__robust *witness)
{
	uint32_t seen = mdg__load32(&witness->word);
	struct mdg__thread *thread = (seen & MDG__TID) == 0 ? mdg__thread() : NULL;
	if (thread == NULL || thread->count >= MDG__HELD_MAX - HELD_KEPT_FREE ||
	    mdg__held_is_changing(thread))
		return;
	stay->set->host->keep(stay->set, witness);
	uintptr_t before = mdg__pending_begin(thread, &witness->word);
	if (atomic_compare_exchange_strong_explicit(&witness->word, &seen,
	                                            thread->tid | (seen & MDG__WAITERS),
	                                            memory_order_acq_rel, memory_order_relaxed)) {
		witness->mark = MDG__SHARED_MARK;
		mdg__held_enter(thread, &witness->word);
	}
	mdg__pending_end(thread, before);
}

void mdg__witness_leave(struct mdg__robust *robust)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	int at = mdg__thread_is_ready(thread) ? mdg__held_find(thread, &robust->word) : -1;
	if (at < 0)
		return;
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	mdg__held_leave(thread, at);
	mdg__pending_end(thread, before);
}

int mdg__holder_prepare(struct mdg__semset_stay *stay, const struct mdg_semset_op *ops,
                        uint32_t count, uint32_t *ret_holder1)
{
	uint32_t holder1 = find_own(stay);
	if (holder1 == 0)
		holder1 = make_own(stay);
	struct mdg__set_holder *holder = mdg__block_at(stay->set, holder1, MDG__HOLDER);
	if (holder == NULL)
		return -ENOMEM;
	bear_witness(stay, &holder->witness);
	for (uint32_t i = 0; i < count; i++) {
		if ((ops[i].flags & MDG_SEM_UNDO) == 0 ||
		    mdg__sum_at(stay->set, holder1, ops[i].number) != NULL)
			continue;
		int rc = make_page(stay, holder1, ops[i].number / MDG__SUMS_HERE);
		if (rc < 0)
			return rc;
	}
	*ret_holder1 = holder1;
	return 0;
}
