/* SPDX-License-Identifier: MIT */
/*
 * See view.h. Every walk along links ends after as many steps as there are blocks. The sleepers are
 * the costly ones: a circle of them ends where it closes.
 */
#include "semset/view.h"

#include "platform/identity.h"
#include "semset/session.h"

/* Private to one call; too large for the stack of a signal handler, which does not come here. */
struct view {
	const struct mdg__set_viewer *viewer;
	const struct mdg__semset *set;
	struct mdg__oplist list;
	struct mdg__attempt attempt;
	uint32_t pids; /* the caller's pid namespace */
};

static struct mdg__set_process process_of(const struct view *view, uint32_t pids, uint32_t pid,
                                          uint64_t start)
{
	enum mdg__ended ended = mdg__process_ended_in(view->pids, pids, (int32_t)pid, start);
	return (struct mdg__set_process){ .pid = (int32_t)pid,
		                          .is_seen = ended == MDG__LIVES,
		                          .is_dead = ended == MDG__HAS_ENDED };
}

static void view_semaphores(const struct view *view)
{
	const struct mdg__semset *set = view->set;
	for (uint32_t number = 0; number < set->count; number++) {
		uint64_t word =
			set->base == NULL ? 0 : mdg__load64(&mdg__semset_at(set, number)->word);
		view->viewer->semaphore(view->viewer->context, number, mdg__word_value(word),
		                        mdg__word_pid(word));
	}
}

/* The value that the operation finds: the semaphore's, or what those before it make of it. */
static int32_t value_before(const struct view *view, uint32_t at)
{
	const struct mdg_semset_op *ops = view->list.ops;
	for (uint32_t i = at; i > 0; i--)
		if (ops[i - 1].number == ops[at].number)
			return view->attempt.value[i - 1];
	return mdg__value_now(view->set, ops[at].number);
}

static void view_sleeper(struct view *view, const struct mdg__sleeper *sleeper)
{
	uint32_t word = mdg__load32(&sleeper->robust.word), about = mdg__load32(&sleeper->about);
	if (!mdg__word_sleeps(word) || !mdg__sleeper_ops(view->set, sleeper, &view->list))
		return;
	view->attempt.ops = view->list.ops;
	view->attempt.count = view->list.count;
	view->attempt.holder1 = mdg__load32(&sleeper->holder1);
	if (mdg__attempt(view->set, &view->attempt) != -EAGAIN)
		return; /* it is just being served */
	const struct mdg_semset_op *op = &view->list.ops[view->attempt.blocked];
	int32_t value = value_before(view, view->attempt.blocked);
	const struct mdg__set_sleeper found = {
		.process = process_of(view, mdg__load32(&sleeper->pids), mdg__load32(&sleeper->pid),
		                      mdg__load64(&sleeper->start)),
		.number = op->number,
		.change = op->change,
		.count = view->list.count,
		.lacks = op->change == 0 ? value : -op->change - value,
		.tid = word & MDG__TID,
		.since = about >> MDG__ABOUT_BITS,
		.is_timed = (about & MDG__TIMED) != 0,
	};
	view->viewer->sleeper(view->viewer->context, &found);
}

/* `mark` stays behind at each power of two, so that a circle comes back to it. */
static void view_sleepers(struct view *view)
{
	uint32_t block1 = mdg__load32(&mdg__semset_head(view->set)->queue.first1), mark = 0;
	uint32_t most = mdg__block_count(view->set);
	for (uint32_t step = 1; step <= most && block1 != mark; step++) {
		const struct mdg__sleeper *sleeper = mdg__block_at(view->set, block1, MDG__SLEEPER);
		if (sleeper == NULL)
			break;
		view_sleeper(view, sleeper);
		if ((step & (step - 1)) == 0)
			mark = block1;
		block1 = mdg__load32(&sleeper->next1);
	}
}

static void view_sums(const struct view *view, const struct mdg__set_process *process,
                      const struct mdg__sums *sums)
{
	uint32_t page = mdg__load32(&sums->page);
	if (page > view->set->count / MDG__SUMS_HERE)
		return;
	for (uint32_t i = 0; i < MDG__SUMS_HERE; i++) {
		const struct mdg__set_undo found = {
			.process = *process,
			.number = page * MDG__SUMS_HERE + i,
			.sum = mdg__sum_value(mdg__load64(&sums->sums[i])),
		};
		if (found.sum != 0 && found.number < view->set->count)
			view->viewer->undo(view->viewer->context, &found);
	}
}

/* Returns how many blocks may still be looked at. */
static uint32_t view_holder(const struct view *view, const struct mdg__set_holder *holder,
                            uint32_t left)
{
	struct mdg__set_process process =
		process_of(view, (uint32_t)mdg__load64(&holder->pid_namespace),
	                   mdg__load32(&holder->pid), mdg__load64(&holder->start));
	uint32_t block1 = mdg__load32(&holder->sums1);
	for (; left > 0; left--) {
		const struct mdg__sums *sums = mdg__block_at(view->set, block1, MDG__SUMS);
		if (sums == NULL)
			break;
		view_sums(view, &process, sums);
		block1 = mdg__load32(&sums->next1);
	}
	return left;
}

static void view_holders(const struct view *view)
{
	uint32_t block1 = mdg__load32(&mdg__semset_head(view->set)->holders1);
	uint32_t left = mdg__block_count(view->set);
	for (; left > 0; left--) {
		const struct mdg__set_holder *holder =
			mdg__block_at(view->set, block1, MDG__HOLDER);
		if (holder == NULL)
			break;
		left = view_holder(view, holder, left);
		if (left == 0)
			break;
		block1 = mdg__load32(&holder->next1);
	}
}

int mdg__semset_view(mdg_namespace *ns, mdg_id id, const struct mdg__set_viewer *viewer)
{
	struct mdg__session session;
	int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_LOOK);
	if (rc < 0)
		return rc;
	rc = mdg__object_may(ns, MDG__SEMAPHORE_SETS, id, 0444);
	if (rc < 0)
		return mdg__session_end(&session, rc);
	struct view view = { .viewer = viewer,
		             .set = &session.set,
		             .pids = (uint32_t)mdg__pid_namespace() };
	if (viewer->semaphore != NULL)
		view_semaphores(&view);
	if (viewer->sleeper != NULL && session.set.base != NULL)
		view_sleepers(&view);
	if (viewer->undo != NULL && session.set.base != NULL)
		view_holders(&view);
	return mdg__session_end(&session, 0);
}
