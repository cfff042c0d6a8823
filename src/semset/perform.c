/* SPDX-License-Identifier: MIT */
/*
 * perform.c - whether a list of operations can be done, and doing it.
 *
 * The operations are looked at in their order, and each sees what those before it would do. The
 * first one that cannot be done decides what the whole list does.
 */
#include "semset/internal.h"

/* The latest operation before this one that names the same semaphore and has all these flags; or
 * -1. `seen` has a bit for each 64th semaphore that was named, so that a long list of different
 * ones is rarely searched. */
static int before(const struct mdg__attempt *attempt, uint32_t at, uint64_t seen, int flags)
{
	const struct mdg_semset_op *ops = attempt->ops;
	if ((seen >> (ops[at].number & 63) & 1) == 0)
		return -1;
	for (int i = (int)at - 1; i >= 0; i--)
		if (ops[i].number == ops[at].number && (ops[i].flags & flags) == flags)
			return i;
	return -1;
}

int32_t mdg__value_now(const struct mdg__semset *set, uint32_t number)
{
	return mdg__word_value(mdg__load64(&mdg__semset_at(set, number)->word));
}

static int32_t sum_now(const struct mdg__semset *set, uint32_t holder1, uint32_t number)
{
	const mdg__a64 *sum = mdg__sum_at(set, holder1, number);
	return sum == NULL ? 0 : mdg__sum_value(mdg__load64(sum));
}

/* One operation: 0, -EAGAIN, -ERANGE. */
static int attempt_one(const struct mdg__semset *set, struct mdg__attempt *attempt, uint32_t at,
                       uint64_t seen)
{
	const struct mdg_semset_op *op = &attempt->ops[at];
	int same = before(attempt, at, seen, 0);
	int32_t value = same >= 0 ? attempt->value[same] : mdg__value_now(set, op->number);
	if (op->change == 0 ? value != 0 : value + op->change < 0)
		return -EAGAIN;
	value += op->change;
	if (value > MDG__VALUE_MAX)
		return -ERANGE;
	attempt->value[at] = value;
	if ((op->flags & MDG_SEM_UNDO) == 0)
		return 0;
	same = before(attempt, at, seen, MDG_SEM_UNDO);
	int32_t sum = same >= 0 ? attempt->sum[same] : sum_now(set, attempt->holder1, op->number);
	sum -= op->change;
	if (sum < -MDG__VALUE_MAX - 1 || sum > MDG__VALUE_MAX)
		return -ERANGE;
	attempt->sum[at] = sum;
	return 0;
}

int mdg__attempt(const struct mdg__semset *set, struct mdg__attempt *attempt)
{
	uint64_t seen = 0;
	for (uint32_t i = 0; i < attempt->count; i++) {
		int rc = attempt_one(set, attempt, i, seen);
		if (rc < 0) {
			attempt->blocked = i;
			return rc;
		}
		seen |= UINT64_C(1) << (attempt->ops[i].number & 63);
	}
	return 0;
}

void mdg__perform(struct mdg__semset_stay *stay, const struct mdg__attempt *attempt, int32_t pid)
{
	for (uint32_t i = 0; i < attempt->count; i++) {
		const struct mdg_semset_op *op = &attempt->ops[i];
		mdg__semset_put64(stay, &mdg__semset_at(stay->set, op->number)->word,
		                  mdg__word(attempt->value[i], MDG__BUSY, pid));
		mdg__a64 *sum = (op->flags & MDG_SEM_UNDO) != 0
		                        ? mdg__sum_at(stay->set, attempt->holder1, op->number)
		                        : NULL;
		if (sum != NULL)
			mdg__semset_put64(stay, sum,
			                  mdg__sum_with(mdg__load64(sum), attempt->sum[i]));
	}
	bool changes = false, zero = false;
	for (uint32_t i = 0; i < attempt->count; i++) {
		changes = changes || attempt->ops[i].change != 0;
		zero = zero || mdg__value_now(stay->set, attempt->ops[i].number) == 0;
	}
	if (changes)
		mdg__note_change(stay, zero);
}

void mdg__note_change(struct mdg__semset_stay *stay, bool to_zero)
{
	struct mdg__semset_head *head = stay->head;
	uint32_t change = to_zero ? MDG__VALUE_IS_ZERO : MDG__VALUE_CHANGED;
	if (mdg__load32(&head->sleepers) != 0 && mdg__load32(&head->unserved) < change)
		mdg__semset_put32(stay, &head->unserved, change);
}

void mdg__note_any_zero(struct mdg__semset_stay *stay)
{
	bool zero = false;
	if (mdg__load32(&stay->head->sleepers) == 0)
		return;
	for (uint32_t number = 0; number < stay->set->count && !zero; number++)
		zero = mdg__value_now(stay->set, number) == 0;
	mdg__note_change(stay, zero);
}

void mdg__semset_stamp(mdg__a64 *time)
{
	uint64_t now = (uint64_t)mdg__now_seconds();
	if (mdg__load64(time) != now)
		atomic_store_explicit(time, now, memory_order_release);
}
