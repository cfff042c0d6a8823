/* SPDX-License-Identifier: MIT */
/*
 * slips.c - the slips of threads (express.c): getting one, and ending those of the dead.
 *
 * A thread gets a slip in a set when it has gone the slow way with a list that the express way
 * could have done. It keeps it for its next calls. The slips of all threads are in one list.
 */
#include "semset/internal.h"

static bool is_own_process(const struct mdg__semset *set, const struct mdg__slip *slip)
{
	return mdg__load32(&slip->pid) == (uint32_t)set->self.pid &&
	       mdg__load64(&slip->start) == set->self.start &&
	       mdg__load32(&slip->pids) == mdg__pids(&set->self);
}

static bool is_of(const struct mdg__slip *slip, const struct mdg__set_holder *holder)
{
	return mdg__load32(&slip->pid) == mdg__load32(&holder->pid) &&
	       mdg__load64(&slip->start) == mdg__load64(&holder->start) &&
	       mdg__load32(&slip->pids) == (uint32_t)mdg__load64(&holder->pid_namespace);
}

static bool has_ended(struct mdg__semset *set, const struct mdg__slip *slip)
{
	const struct mdg__process_name name = {
		.pids = mdg__load32(&slip->pids),
		.pid = (int32_t)mdg__load32(&slip->pid),
		.start = mdg__load64(&slip->start),
		.slot1 = mdg__load32(&slip->slot1),
		.generation = mdg__load32(&slip->generation),
	};
	return mdg__named_has_ended(set, &name);
}

/* A slip that this thread had, or a thread of this process that has ended. Not one to which a call
 * of this thread was writing when it was interrupted: the call may go on. */
static bool is_left(const struct mdg__semset *set, const struct mdg__slip *slip, uint32_t tid)
{
	uint32_t of = mdg__load32(&slip->tid);
	if (!is_own_process(set, slip))
		return false;
	return of == tid ? mdg__load32(&slip->writing) == 0 : !mdg__sys_thread_exists((int32_t)of);
}

static uint32_t find_left(struct mdg__semset_stay *stay, uint32_t tid)
{
	uint32_t slip1 = mdg__load32(&stay->head->slips1);
	for (uint32_t left = stay->blocks; left > 0; left--) {
		const struct mdg__slip *slip = mdg__block_at(stay->set, slip1, MDG__SLIP);
		if (slip == NULL)
			return 0;
		if (is_left(stay->set, slip, tid))
			return slip1;
		slip1 = mdg__load32(&slip->next1);
	}
	return 0;
}

/* No word names it after this. */
static void end_one(struct mdg__semset_stay *stay, struct mdg__slip *slip)
{
	uint32_t count = mdg__load32(&slip->count);
	for (uint32_t i = 0; i < count && i < MDG__SLIP_ENTRIES; i++) {
		uint32_t number = mdg__load32(&slip->entries[i].number_value) & 0xffff;
		if (number < stay->set->count)
			mdg__claim(stay, number);
	}
}

static uint32_t make(struct mdg__semset_stay *stay)
{
	uint32_t slip1 = mdg__block_alloc(stay, MDG__SLIP);
	struct mdg__slip *slip = mdg__block_at(stay->set, slip1, MDG__SLIP);
	if (slip == NULL)
		return 0;
	mdg__fill64(&slip->state, 0);
	mdg__fill32(&slip->count, 0);
	mdg__fill32(&slip->pid, (uint32_t)stay->set->self.pid);
	mdg__fill64(&slip->start, stay->set->self.start);
	mdg__fill32(&slip->pids, mdg__pids(&stay->set->self));
	mdg__semset_put32(stay, &slip->next1, mdg__load32(&stay->head->slips1));
	mdg__semset_put32(stay, &stay->head->slips1, slip1);
	mdg__semset_commit(stay);
	return slip1;
}

void mdg__slip_prepare(struct mdg__semset_stay *stay, uint32_t holder1)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL || mdg__express_has(stay->set, holder1))
		return;
	uint32_t slip1 = find_left(stay, thread->tid);
	if (slip1 == 0)
		slip1 = make(stay);
	struct mdg__slip *slip = mdg__block_at(stay->set, slip1, MDG__SLIP);
	if (slip == NULL)
		return;
	end_one(stay, slip);
	/* The next number: an older call of this thread that goes on finds its own no more. */
	mdg__fill64(&slip->state, (mdg__load64(&slip->state) & ~UINT64_C(3)) + 4);
	mdg__fill32(&slip->writing, 0);
	mdg__fill32(&slip->tid, thread->tid);
	mdg__fill32(&slip->slot1, stay->set->self.slot1);
	mdg__fill32(&slip->generation, stay->set->self.generation);
	mdg__fill32(&slip->holder1, holder1);
	mdg__express_keep(stay->set, slip1);
}

void mdg__slips_end(struct mdg__semset_stay *stay, const struct mdg__set_holder *of)
{
	mdg__a32 *link = &stay->head->slips1;
	for (uint32_t left = stay->blocks; left > 0; left--) {
		uint32_t slip1 = mdg__load32(link);
		struct mdg__slip *slip = mdg__block_at(stay->set, slip1, MDG__SLIP);
		if (slip == NULL)
			return;
		if (of != NULL ? !is_of(slip, of) : !has_ended(stay->set, slip)) {
			link = &slip->next1;
			continue;
		}
		end_one(stay, slip);
		mdg__semset_put32(stay, link, mdg__load32(&slip->next1));
		mdg__block_free(stay, slip1);
		mdg__semset_commit(stay);
	}
}
