/* SPDX-License-Identifier: MIT */
/*
 * op.c - semop.
 *
 * THE FAST WAY is for a list whose operations all name the same semaphore, and of which none has
 * UNDO. The result is one new word, which is swapped in. That fails while the word says BUSY.
 *
 * THE SLOW WAY is for all other lists that the express way (express.c) cannot do, and for when the
 * fast way fails. Under the lock, what processes that have ended had is given back first
 * (settle.c). Then the list is done, if that is possible, and sleepers are served. If it cannot be
 * done now, the thread goes to sleep.
 */
#include "semset/internal.h"

#include "madang/base.h"
#include "platform/ofthread.h"
#include "sync/wait.h"

/* ---- the fast way ---------------------------------------------------------------------------- */

enum { SLOW = 1, PATIENCE = 60 };

/* What the operations make of a value: 0, or why not. SLOW: it would have to sleep. */
static int try_all(const struct mdg_semset_op *ops, uint32_t count, int32_t *value)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ops[i].change == 0 ? *value != 0 : *value + ops[i].change < 0)
			return (ops[i].flags & MDG_SEM_NOWAIT) != 0 ? -EAGAIN : SLOW;
		*value += ops[i].change;
		if (*value > MDG__VALUE_MAX)
			return -ERANGE;
	}
	return 0;
}

/* The clock is read once more only when a second has passed. */
static void stamp(const struct mdg__semset *set)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	if (set->now == 0 || mdg__load64(&head->otime) != set->now)
		mdg__semset_stamp(&head->otime);
}

static bool is_for_one_word(const struct mdg_semset_op *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].number != ops[0].number || (ops[i].flags & MDG_SEM_UNDO) != 0)
			return false;
	return true;
}

/* 0, -EAGAIN, -ERANGE or SLOW. */
static int fast(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	mdg__a64 *word = &mdg__semset_at(set, ops[0].number)->word;
	uint64_t seen = mdg__load64(word);
	int waited = 0;
	if (mdg__load32(&head->holders1) != 0 && !mdg__holders_are_witnessed(set))
		return SLOW;
	for (;;) {
		int32_t value = mdg__word_value(seen);
		if ((seen & MDG__WORD_FLAGS) != 0) {
			if ((seen & MDG__BUSY) != 0 || ++waited > PATIENCE)
				return SLOW;
			mdg__cpu_pause();
			seen = mdg__load64(word);
			continue;
		}
		int rc = try_all(ops, count, &value);
		if (rc != 0)
			return rc;
		if (value == 0 && mdg__load32(&head->lists) != 0)
			return SLOW; /* lists are looked at again, though none names this one */
		/* Both: what a program did before +1 is seen by whoever comes after its -1. */
		if (atomic_compare_exchange_weak_explicit(
			    word, &seen, mdg__word(value, 0, set->self.pid), memory_order_acq_rel,
			    memory_order_acquire))
			break;
	}
	stamp(set);
	return 0;
}

/* ---- the express way ------------------------------------------------------------------------ */

static int express(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	bool undo = false;
	if (count > MDG__SLIP_OPS ||
	    (mdg__load32(&head->holders1) != 0 && !mdg__holders_are_witnessed(set)))
		return SLOW;
	for (uint32_t i = 0; i < count; i++)
		if ((ops[i].flags & MDG_SEM_UNDO) != 0) {
			undo = true;
			if (ops[i].change > MDG__SLIP_CHANGE_MAX ||
			    ops[i].change < -MDG__SLIP_CHANGE_MAX)
				return SLOW;
		}
	int rc = mdg__express_op(set, ops, count, undo);
	if (rc == 0)
		stamp(set);
	return rc;
}

/* ---- the slow way ---------------------------------------------------------------------------- */

static uint32_t count_undo(const struct mdg_semset_op *ops, uint32_t count)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < count; i++)
		found += (ops[i].flags & MDG_SEM_UNDO) != 0;
	return found;
}

static struct mdg__semset_need need_of(const struct mdg__semset *set, uint32_t count, uint32_t undo)
{
	uint32_t pages = set->count / MDG__SUMS_HERE + 1;
	uint32_t blocks = 3 + count / MDG__OPS_MORE;
	if (undo != 0)
		blocks += 1 + (undo < pages ? undo : pages);
	return (struct mdg__semset_need){ .blocks = blocks, .big_notes = count > MDG__FEW_OPS };
}

/* [lock] 0 and errors; SLOW: it has to sleep. */
static int try_locked(struct mdg__semset_stay *stay, struct mdg__attempt *attempt)
{
	int rc = 0;
	mdg__settle(stay);
	if (count_undo(attempt->ops, attempt->count) != 0)
		rc = mdg__holder_prepare(stay, attempt->ops, attempt->count, &attempt->holder1);
	if (rc < 0)
		return rc;
	if (attempt->count <= MDG__SLIP_OPS)
		mdg__slip_prepare(stay, attempt->holder1);
	for (uint32_t i = 0; i < attempt->count; i++)
		mdg__claim(stay, attempt->ops[i].number);
	rc = mdg__attempt(stay->set, attempt);
	if (rc == -EAGAIN)
		return (attempt->ops[attempt->blocked].flags & MDG_SEM_NOWAIT) != 0 ? rc : SLOW;
	if (rc < 0)
		return rc;
	mdg__perform(stay, attempt, stay->set->self.pid);
	mdg__semset_commit(stay);
	mdg__semset_stamp(&stay->head->otime);
	mdg__serve(stay);
	return 0;
}

/* [lock] Into the queue. */
static int lie_down(struct mdg__semset_stay *stay, const struct mdg__attempt *attempt, bool timed,
                    struct mdg__sleeper **ret, uint32_t *ret_block1)
{
	int rc = mdg__sleeper_make(stay, attempt->ops, attempt->count, attempt->holder1,
	                           attempt->blocked, timed, ret_block1);
	if (rc < 0) {
		(void)mdg__journal_rollback(&stay->journal);
		return rc;
	}
	mdg__semset_commit(stay);
	*ret = mdg__block_at(stay->set, *ret_block1, MDG__SLEEPER);
	return *ret == NULL ? MDG_DAMAGED : 0;
}

static __attribute__((noinline)) int slow(struct mdg__semset *set, const struct mdg_semset_op *ops,
                                          uint32_t count, uint64_t deadline)
{
	struct mdg__semset_stay stay;
	struct mdg__attempt attempt;
	struct mdg__sleeper *sleeper = NULL;
	uint32_t block1 = 0;
	attempt.ops = ops;
	attempt.count = count;
	attempt.holder1 = 0;
	int rc = mdg__semset_enter(&stay, set, need_of(set, count, count_undo(ops, count)),
	                           mdg__semset_repair);
	if (rc < 0)
		return rc;
	rc = try_locked(&stay, &attempt);
	if (rc == SLOW && deadline != MDG_FOREVER && mdg__monotonic_nanoseconds() >= deadline)
		rc = -ETIMEDOUT;
	bool sleeps = rc == SLOW;
	if (sleeps)
		rc = lie_down(&stay, &attempt, deadline != MDG_FOREVER, &sleeper, &block1);
	mdg__watch(&stay);
	mdg__semset_leave_blocked(&stay);
	if (sleeps && rc == 0)
		return mdg__sleep_in_queue(set, sleeper, block1, deadline, &stay.mask);
	mdg__signals_restore(&stay.mask);
	return rc;
}

/* ---- before a sleep ------------------------------------------------------------------ */

/* Others on other processors may be quick: then pauses help. Others may wait for this processor:
 * then it helps to give it away. Each time that a way has not helped, it is gone less often. When
 * all sleep, one wakes the other, and each time comes too late for it. So the rare tries are long:
 * longer than it takes to wake somebody. */
struct way {
	uint32_t in_vain, skipped;
};
static MDG__OF_THREAD struct {
	struct way pauses, yields;
	bool by_yield; /* helped last */
} spins;

enum { OFTEN = 4, SELDOM = 64, DOUBLINGS = 4 };

/* 0: do not; otherwise whether it is a usual try or a rare one. */
enum worth { NOT_WORTH, USUAL, RARE };

static enum worth worth(struct way *way)
{
	if (way->in_vain < OFTEN)
		return USUAL;
	uint32_t doublings = way->in_vain - OFTEN;
	if (++way->skipped < (uint32_t)SELDOM << (doublings < DOUBLINGS ? doublings : DOUBLINGS))
		return NOT_WORTH;
	way->skipped = 0;
	return RARE;
}

static int helped(struct way *way, int rc)
{
	if (rc == SLOW) {
		way->in_vain++;
	} else {
		way->in_vain = 0;
		spins.by_yield = way == &spins.yields;
	}
	return rc;
}

static int once(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count)
{
	return is_for_one_word(ops, count) ? fast(set, ops, count) : express(set, ops, count);
}

/* Tries again if the word has changed. */
static int once_more(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                     uint64_t *seen)
{
	uint64_t now = mdg__load64(&mdg__semset_at(set, ops[0].number)->word);
	if (now == *seen)
		return SLOW;
	*seen = now;
	return once(set, ops, count);
}

static int by_pauses(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                     uint64_t *seen)
{
	enum { ROUNDS = 40, LONG_ROUNDS = 500, PAUSES = 8 };
	enum worth is = worth(&spins.pauses);
	if (is == NOT_WORTH)
		return SLOW;
	int rc = SLOW;
	for (int i = is == RARE ? LONG_ROUNDS : ROUNDS; i > 0 && rc == SLOW; i--) {
		for (int k = 0; k < PAUSES; k++)
			mdg__cpu_pause();
		rc = once_more(set, ops, count, seen);
	}
	return helped(&spins.pauses, rc);
}

/* Somebody who calculates may have got the processor, and keep it for long. A sleeper would have
 * been woken sooner, so that was in vain. */
static int by_yields(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                     uint64_t *seen)
{
	enum { YIELDS = 2, LONG_NS = 100000 };
	if (worth(&spins.yields) == NOT_WORTH)
		return SLOW;
	uint64_t began = mdg__monotonic_nanoseconds();
	int rc = SLOW;
	for (int i = 0; i < YIELDS && rc == SLOW; i++) {
		mdg__sys_yield();
		rc = once_more(set, ops, count, seen);
	}
	if (mdg__monotonic_nanoseconds() - began > LONG_NS)
		(void)helped(&spins.yields, SLOW);
	else
		(void)helped(&spins.yields, rc);
	return rc;
}

/* Tries again for a few microseconds. */
static int spin(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count)
{
	uint64_t seen = mdg__load64(&mdg__semset_at(set, ops[0].number)->word);
	bool yield_first = spins.by_yield;
	set->now = 0; /* it may take long */
	int rc = yield_first ? by_yields(set, ops, count, &seen) : SLOW;
	if (rc == SLOW)
		rc = by_pauses(set, ops, count, &seen);
	if (rc == SLOW && !yield_first)
		rc = by_yields(set, ops, count, &seen);
	return rc;
}

/* Nobody sleeps there, and only the value is in the way: somebody may change it soon. */
static bool may_change_soon(const struct mdg__semset *set, const struct mdg_semset_op *ops,
                            uint64_t deadline)
{
	uint64_t word = mdg__load64(&mdg__semset_at(set, ops[0].number)->word);
	return deadline == MDG_FOREVER && (word & MDG__BUSY) == 0 &&
	       (ops[0].flags & MDG_SEM_NOWAIT) == 0 &&
	       (ops[0].change == 0 ? mdg__word_value(word) != 0
	                           : mdg__word_value(word) + ops[0].change < 0);
}

int mdg__semset_op(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                   uint64_t deadline)
{
	if (count == 0)
		return -EINVAL;
	if (count > MDG__OPS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].number >= set->count)
			return -EFBIG;
	mdg__sleep_interrupted();
	int rc = once(set, ops, count);
	if (rc == SLOW && may_change_soon(set, ops, deadline))
		rc = spin(set, ops, count);
	return rc == SLOW ? slow(set, ops, count, deadline) : rc;
}
