/* SPDX-License-Identifier: MIT */
/*
 * queue.c - sleepers, their operations, and the two lists of them.
 *
 * A sleeper in `queue` waits for its operations to be done. When another process has ended its
 * sleep, it moves to `done`. There it stays until its own thread has run and given the block back.
 * `done` is only needed to find the blocks of threads that never run again.
 */
#include "semset/internal.h"

#include "madang/base.h"
#include "platform/clock.h"
#include "platform/identity.h"

/* ---- lists ---------------------------------------------------------------------------------- */

static struct mdg__sleeper *linked(const struct mdg__semset *set, uint32_t block1)
{
	struct mdg__sleeper *sleeper = mdg__block_at(set, block1, MDG__SLEEPER);
	return sleeper != NULL ? sleeper : mdg__block_at(set, block1, MDG__SERVED);
}

static void append(struct mdg__semset_stay *stay, struct mdg__semset_list *list, uint32_t block1,
                   struct mdg__sleeper *sleeper)
{
	uint32_t last1 = mdg__load32(&list->last1);
	struct mdg__sleeper *last = linked(stay->set, last1);
	mdg__semset_put32(stay, &sleeper->next1, 0);
	mdg__semset_put32(stay, &sleeper->previous1, last == NULL ? 0 : last1);
	mdg__semset_put32(stay, last == NULL ? &list->first1 : &last->next1, block1);
	mdg__semset_put32(stay, &list->last1, block1);
}

static void take_out(struct mdg__semset_stay *stay, struct mdg__semset_list *list,
                     struct mdg__sleeper *sleeper)
{
	uint32_t next1 = mdg__load32(&sleeper->next1);
	uint32_t previous1 = mdg__load32(&sleeper->previous1);
	struct mdg__sleeper *next = linked(stay->set, next1);
	struct mdg__sleeper *previous = linked(stay->set, previous1);
	mdg__semset_put32(stay, previous == NULL ? &list->first1 : &previous->next1, next1);
	mdg__semset_put32(stay, next == NULL ? &list->last1 : &next->previous1, previous1);
}

/* ---- operations ----------------------------------------------------------------------------- */

static uint64_t pack(struct mdg_semset_op op)
{
	return op.number | (uint64_t)(uint16_t)op.change << 16 | (uint64_t)(uint16_t)op.flags << 32;
}

static struct mdg_semset_op unpack(uint64_t packed)
{
	return (struct mdg_semset_op){ (uint16_t)packed, (int16_t)(uint16_t)(packed >> 16),
		                       (int16_t)(uint16_t)(packed >> 32) };
}

bool mdg__sleeper_ops(const struct mdg__semset *set, const struct mdg__sleeper *sleeper,
                      struct mdg__oplist *ret)
{
	uint32_t count = mdg__load16(&sleeper->count), at = 0;
	if (count == 0 || count > MDG__OPS_MAX)
		return false;
	for (; at < count && at < MDG__OPS_HERE; at++)
		ret->ops[at] = unpack(mdg__load64(&sleeper->operations[at]));
	uint32_t more1 = mdg__load32(&sleeper->more1);
	while (at < count) {
		const struct mdg__block *more = mdg__block_at(set, more1, MDG__MORE);
		if (more == NULL)
			return false;
		for (uint32_t i = 0; i < MDG__OPS_MORE && at < count; i++, at++)
			ret->ops[at] = unpack(mdg__load64(&more->content[i]));
		more1 = mdg__load32(&more->next1);
	}
	ret->count = count;
	for (at = 0; at < count; at++)
		if (ret->ops[at].number >= set->count)
			return false;
	return true;
}

/* Writes the operations behind the first four. Fails halfway if there is no room; the caller gives
 * the sleeper back then. */
static int fill_more(struct mdg__semset_stay *stay, struct mdg__sleeper *sleeper,
                     const struct mdg_semset_op *ops, uint32_t count)
{
	mdg__a32 *link = &sleeper->more1;
	for (uint32_t at = MDG__OPS_HERE; at < count;) {
		uint32_t block1 = mdg__block_alloc(stay, MDG__MORE);
		struct mdg__block *more = mdg__block_at(stay->set, block1, MDG__MORE);
		if (more == NULL)
			return -ENOMEM;
		mdg__fill32(&more->next1, 0);
		for (uint32_t i = 0; i < MDG__OPS_MORE && at < count; i++, at++)
			mdg__fill64(&more->content[i], pack(ops[at]));
		mdg__fill32(link, block1);
		link = &more->next1;
	}
	return 0;
}

/* ---- the sleeper's own word ------------------------------------------------------------------ */

/* From here on the kernel marks the word if this thread dies. */
static void enter_word(struct mdg__sleeper *sleeper)
{
	struct mdg__thread *thread = mdg__thread();
	struct mdg__robust *robust = &sleeper->robust;
	bool can = thread != NULL && thread->count < MDG__HELD_MAX;
	mdg__fill32(&sleeper->about,
	            mdg__load32(&sleeper->about) | (can ? 0 : (uint32_t)MDG__UNWITNESSED));
	robust->mark = MDG__SHARED_MARK;
	robust->none = 0;
	if (!can) {
		mdg__fill32(&robust->word, (uint32_t)mdg__tid());
		return;
	}
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	mdg__fill32(&robust->word, thread->tid);
	mdg__held_enter(thread, &robust->word);
	mdg__pending_end(thread, before);
}

/* ---- making and ending --------------------------------------------------------------- */

static void count_names(struct mdg__semset_stay *stay, const struct mdg_semset_op *ops,
                        uint32_t count, uint32_t difference)
{
	for (uint32_t i = 0; i < count; i++) {
		mdg__a32 *named = &mdg__semset_at(stay->set, ops[i].number)->named;
		mdg__semset_put32(stay, named, mdg__load32(named) + difference);
	}
}

static void count_sleeper(struct mdg__semset_stay *stay, uint32_t ops, uint32_t difference)
{
	struct mdg__semset_head *head = stay->head;
	mdg__semset_put32(stay, &head->sleepers, mdg__load32(&head->sleepers) + difference);
	if (ops > 1)
		mdg__semset_put32(stay, &head->lists, mdg__load32(&head->lists) + difference);
}

int mdg__sleeper_make(struct mdg__semset_stay *stay, const struct mdg_semset_op *ops,
                      uint32_t count, uint32_t holder1, uint32_t blocked, bool timed,
                      uint32_t *ret_block1)
{
	uint32_t block1 = mdg__block_alloc(stay, MDG__SLEEPER);
	struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SLEEPER);
	if (sleeper == NULL)
		return -ENOMEM;
	mdg__fill32(&sleeper->pid, (uint32_t)stay->set->self.pid);
	mdg__fill64(&sleeper->start, stay->set->self.start);
	mdg__fill32(&sleeper->pids, mdg__pids(&stay->set->self));
	mdg__fill16(&sleeper->count, count);
	mdg__fill32(&sleeper->more1, 0);
	mdg__fill32(&sleeper->holder1, holder1);
	mdg__fill32(&sleeper->watching1, 0);
	mdg__fill16(&sleeper->blocked, blocked);
	uint32_t now = (uint32_t)(mdg__monotonic_nanoseconds() / 1000000);
	mdg__fill32(&sleeper->about, now << MDG__ABOUT_BITS | (timed ? (uint32_t)MDG__TIMED : 0));
	for (uint32_t i = 0; i < count && i < MDG__OPS_HERE; i++)
		mdg__fill64(&sleeper->operations[i], pack(ops[i]));
	int rc = fill_more(stay, sleeper, ops, count);
	if (rc < 0)
		return rc;
	enter_word(sleeper);
	append(stay, &stay->head->queue, block1, sleeper);
	count_names(stay, ops, count, 1);
	count_sleeper(stay, count, 1);
	*ret_block1 = block1;
	return 0;
}

void mdg__sleeper_retire(struct mdg__semset_stay *stay, uint32_t block1)
{
	struct mdg__oplist list;
	struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SLEEPER);
	if (sleeper == NULL)
		return;
	struct mdg__set_holder *watched =
		mdg__block_at(stay->set, mdg__load32(&sleeper->watching1), MDG__HOLDER);
	if (watched != NULL && mdg__load32(&watched->watcher1) == block1)
		mdg__semset_put32(stay, &watched->watcher1, 0);
	if (mdg__sleeper_ops(stay->set, sleeper, &list)) {
		for (uint32_t i = 0; i < list.count; i++)
			mdg__claim(stay, list.ops[i].number); /* to be given back at the end */
		count_names(stay, list.ops, list.count, UINT32_MAX);
		count_sleeper(stay, list.count, UINT32_MAX);
	}
	take_out(stay, &stay->head->queue, sleeper);
	mdg__semset_put32(stay, &sleeper->kind, MDG__SERVED);
	append(stay, &stay->head->done, block1, sleeper);
}

void mdg__sleeper_free(struct mdg__semset_stay *stay, uint32_t block1)
{
	mdg__sleeper_retire(stay, block1);
	mdg__semset_commit(stay);
	struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SERVED);
	if (sleeper == NULL)
		return;
	/* One block at a time, so that few notes do. */
	for (uint32_t left = MDG__OPS_MAX; left > 0; left--) {
		uint32_t more1 = mdg__load32(&sleeper->more1);
		const struct mdg__block *more = mdg__block_at(stay->set, more1, MDG__MORE);
		if (more == NULL)
			break;
		mdg__semset_put32(stay, &sleeper->more1, mdg__load32(&more->next1));
		mdg__block_free(stay, more1);
		mdg__semset_commit(stay);
	}
	take_out(stay, &stay->head->done, sleeper);
	mdg__block_free(stay, block1);
	mdg__semset_commit(stay);
}

/* Whether the thread needs the block no more: it has said so, or it is dead. `ask`: also about
 * those of whose death the kernel writes nothing into the word. */
static bool is_over(const struct mdg__semset *set, const struct mdg__sleeper *sleeper, bool ask)
{
	const uint32_t back = MDG__ENDED | MDG__ENDED_BACK;
	uint32_t word = mdg__load32(&sleeper->robust.word);
	if ((word & MDG__TID) == 0 || (word & back) == back)
		return true;
	bool witnessed =
		mdg__word_sleeps(word) && (mdg__load32(&sleeper->about) & MDG__UNWITNESSED) == 0;
	return ask && !witnessed && mdg__sleeper_has_ended(&set->self, sleeper);
}

static void take_back(struct mdg__semset_stay *stay, uint32_t most, bool ask)
{
	uint32_t block1 = mdg__load32(&stay->head->done.first1);
	for (uint32_t left = most; left > 0; left--) {
		const struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SERVED);
		if (sleeper == NULL)
			return;
		uint32_t next1 = mdg__load32(&sleeper->next1);
		if (is_over(stay->set, sleeper, ask))
			mdg__sleeper_free(stay, block1);
		block1 = next1;
	}
}

/* Those of calls that were left by longjmp, and of the dead. They are still in the queue, and most
 * likely the newest there: such a thread sleeps again, and a program that was killed is begun anew.
 * When sleepers are served, all are found, but perhaps nobody ever changes a value. */
static void take_back_left(struct mdg__semset_stay *stay, uint32_t most, bool ask)
{
	uint32_t block1 = mdg__load32(&stay->head->queue.last1);
	for (uint32_t left = most; left > 0; left--) {
		const struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SLEEPER);
		if (sleeper == NULL)
			return;
		uint32_t previous1 = mdg__load32(&sleeper->previous1);
		if (is_over(stay->set, sleeper, ask))
			mdg__sleeper_free(stay, block1);
		block1 = previous1;
	}
}

void mdg__sleepers_reap(struct mdg__semset_stay *stay)
{
	enum { FEW = 8 };
	take_back(stay, FEW, false);
	take_back_left(stay, FEW, false);
}

void mdg__sleepers_sweep(struct mdg__semset_stay *stay)
{
	take_back_left(stay, stay->blocks, true);
	take_back(stay, stay->blocks, true);
}
