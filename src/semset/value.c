/* SPDX-License-Identifier: MIT */
/*
 * value.c - values are looked at and set, and sleepers counted.
 *
 * A word that does not say BUSY can be believed as it is. A word that says BUSY is being changed by
 * the holder of the lock, or a sleeper names it. Then it can be believed only if nobody had the
 * lock while it was read. The lock's turn tells that.
 */
#include "semset/internal.h"

#include "sync/wait.h"

enum { PATIENCE = 60 };
/* The first sleeps are shorter than 10 ms; so many last for half a second. */
enum { SLEEPS = 50 };

static const struct mdg__semset_need nothing;

/* The word without the lock. False: it takes the lock. */
static bool read_word(const struct mdg__semset *set, uint32_t number, uint64_t *ret)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	mdg__a64 *both = (mdg__a64 *)(uintptr_t)&head->lock;
	mdg__a64 *word = &mdg__semset_at(set, number)->word;
	if (mdg__load32(&head->holders1) != 0 && !mdg__holders_are_witnessed(set))
		return false;
	*ret = mdg__load64(word);
	for (int i = 0; (*ret & MDG__EXPRESS) != 0 && i < PATIENCE; i++) {
		mdg__cpu_pause();
		*ret = mdg__load64(word);
	}
	if ((*ret & MDG__WORD_FLAGS) == 0)
		return true;
	if ((*ret & MDG__BUSY) == 0)
		return false;
	uint64_t turn = mdg__load64(both);
	*ret = mdg__load64(word);
	uint32_t owner_now = mdg__load32(&head->lock);
	return owner_now == 0 && mdg__load64(both) == turn && mdg__load32(&head->note_count) == 0 &&
	       mdg__load32(&head->unserved) == 0 && mdg__load32(&head->removed) == 0;
}

/* The word under the lock, when all is settled. */
static int read_locked(struct mdg__semset *set, uint32_t number, uint32_t sleeps, uint64_t *ret)
{
	struct mdg__semset_stay stay;
	const struct mdg__semset_need need = { .sleeps = sleeps };
	int rc = mdg__semset_enter(&stay, set, need, mdg__semset_repair);
	if (rc < 0)
		return rc;
	mdg__settle(&stay);
	mdg__watch(&stay);
	mdg__claim(&stay, number);
	*ret = mdg__load64(&mdg__semset_at(set, number)->word);
	mdg__semset_leave(&stay);
	return 0;
}

static int read_any(struct mdg__semset *set, uint32_t number, uint64_t *ret)
{
	if (number >= set->count)
		return -EINVAL;
	mdg__sleep_interrupted();
	return read_word(set, number, ret) ? 0 : read_locked(set, number, 0, ret);
}

int mdg__semset_value(struct mdg__semset *set, uint32_t number)
{
	uint64_t word;
	int rc = read_any(set, number, &word);
	return rc < 0 ? rc : mdg__word_value(word);
}

int mdg__semset_pid(struct mdg__semset *set, uint32_t number, int32_t *ret_pid)
{
	uint64_t word;
	int rc = read_any(set, number, &word);
	if (rc == 0)
		*ret_pid = mdg__word_pid(word);
	return rc;
}

int mdg__semset_waiting(struct mdg__semset *set, uint32_t number, bool for_zero)
{
	struct mdg__semset_stay stay;
	int count = 0;
	if (number >= set->count)
		return -EINVAL;
	mdg__sleep_interrupted();
	int rc = mdg__semset_enter(&stay, set, nothing, mdg__semset_repair);
	if (rc < 0)
		return rc;
	mdg__settle(&stay);
	uint32_t block1 = mdg__load32(&stay.head->queue.first1);
	for (uint32_t left = stay.blocks; left > 0; left--) {
		const struct mdg__sleeper *sleeper = mdg__block_at(set, block1, MDG__SLEEPER);
		uint32_t at;
		bool zero;
		if (sleeper == NULL)
			break;
		if (mdg__sleeper_waits_at(&stay, sleeper, &at, &zero) && at == number &&
		    zero == for_zero)
			count++;
		block1 = mdg__load32(&sleeper->next1);
	}
	mdg__semset_leave(&stay);
	return count;
}

int mdg__semset_set_value(struct mdg__semset *set, uint32_t number, int32_t value)
{
	struct mdg__semset_stay stay;
	if (value < 0 || value > MDG__VALUE_MAX)
		return -ERANGE;
	if (number >= set->count)
		return -EINVAL;
	mdg__sleep_interrupted();
	int rc = mdg__semset_enter(&stay, set, nothing, mdg__semset_repair);
	if (rc < 0)
		return rc;
	mdg__settle(&stay);
	mdg__fill32(&mdg__semset_at(set, number)->staged, (uint32_t)value);
	mdg__set_staged(&stay, number + 1, set->self.pid);
	mdg__serve(&stay);
	mdg__watch(&stay);
	mdg__semset_leave(&stay);
	return 0;
}

int mdg__semset_set_all(struct mdg__semset *set, const uint16_t *values)
{
	struct mdg__semset_stay stay;
	for (uint32_t number = 0; number < set->count; number++)
		if (values[number] > MDG__VALUE_MAX)
			return -ERANGE;
	mdg__sleep_interrupted();
	int rc = mdg__semset_enter(&stay, set, nothing, mdg__semset_repair);
	if (rc < 0)
		return rc;
	mdg__settle(&stay);
	for (uint32_t number = 0; number < set->count; number++) {
		mdg__claim(&stay, number); /* nobody sees some of them set, and others not */
		mdg__fill32(&mdg__semset_at(set, number)->staged, values[number]);
	}
	mdg__set_staged(&stay, MDG__SETTING_ALL, set->self.pid);
	mdg__serve(&stay);
	mdg__watch(&stay);
	mdg__semset_leave(&stay);
	return 0;
}

int mdg__semset_all(struct mdg__semset *set, uint16_t *ret_values)
{
	struct mdg__semset_stay stay;
	mdg__sleep_interrupted();
	int rc = mdg__semset_enter(&stay, set, nothing, mdg__semset_repair);
	if (rc < 0)
		return rc;
	mdg__settle(&stay);
	for (uint32_t number = 0; number < set->count; number++)
		mdg__claim(&stay, number);
	for (uint32_t number = 0; number < set->count; number++)
		ret_values[number] =
			(uint16_t)mdg__word_value(mdg__load64(&mdg__semset_at(set, number)->word));
	mdg__semset_leave(&stay);
	return 0;
}

static int64_t stamp_of(struct mdg__semset *set, const mdg__a64 *stamp)
{
	uint64_t ignored;
	if (!mdg__holders_are_witnessed(set))
		(void)read_locked(set, 0, SLEEPS, &ignored);
	return (int64_t)mdg__load64(stamp);
}

int64_t mdg__semset_otime(struct mdg__semset *set)
{
	return stamp_of(set, &mdg__semset_head(set)->otime);
}

int64_t mdg__semset_ctime(struct mdg__semset *set)
{
	return (int64_t)mdg__load64(&mdg__semset_head(set)->ctime);
}

bool mdg__semset_is_stuck(struct mdg__semset *set)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	mdg__a64 *both = (mdg__a64 *)(uintptr_t)&head->lock;
	uint64_t first = mdg__load64(both), now = first;
	/* The low half of both is the owner; a waiter's mark in it makes no new turn. */
	for (int i = 0; i < 2 * SLEEPS; i++) {
		uint32_t word = mdg__load32(&head->lock);
		if (word == 0 || now >> 32 != first >> 32)
			return false;
		if (i == 1 && set->host->sign_is_gone(set, word & ~UINT32_C(0x8000), 1))
			return false;
		(void)mdg__sys_futex_wait(&head->lock, word, true, 5000000u);
		now = mdg__load64(both);
	}
	return mdg__load32(&head->lock) != 0 && now >> 32 == first >> 32;
}
