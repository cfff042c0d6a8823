/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the operations of sleepers are done for them, by whoever has changed a value.
 *
 * ONE SLEEPER is served in three steps:
 *   1. `serving1` says who it is. Committed.
 *   2. The sleeper's word is swapped from its thread's id to ENDED_DONE. If the kernel has marked
 *      the word before, because the thread is dead, this fails, and the sleeper is only taken away.
 *   3. Its operations are done, it leaves the queue, and `serving1` becomes 0. Committed together.
 * Step 2 decides. If the server dies before it, nothing has happened. If the server dies after it,
 * the next holder of the lock finds ENDED_DONE at `serving1`, and does step 3. The values are still
 * those of step 1, because nobody else had the lock.
 *
 * THE ORDER is the kernel's. Those who only wait for zero come first, because they change nothing:
 * first those with one operation, then those with several.
 * Then the others by arrival. After one of them that has several operations, or if there are such
 * sleepers, all are looked at again from the first: what it did may help an older one. If all
 * sleepers have one operation, only a decrease was served, which helps nobody but those who wait
 * for zero.
 */
#include "semset/internal.h"

enum kind { WAITS_ONCE, WAITS, ALTERS }; /* for zero, with one operation or several */
/* Whether a sleeper has gone, and what it left. */
enum fate { SLEEPS_ON, TAKEN_AWAY, CHANGED, CHANGED_TO_ZERO };

struct service {
	struct mdg__semset_stay *stay;
	struct mdg__oplist list; /* of the sleeper that is looked at */
	struct mdg__attempt attempt;
};

/* Reads the sleeper's operations and claims what they name. False: they cannot be. */
static bool read_ops(struct mdg__semset_stay *stay, struct service *service,
                     const struct mdg__sleeper *sleeper)
{
	if (!mdg__sleeper_ops(stay->set, sleeper, &service->list))
		return false;
	for (uint32_t i = 0; i < service->list.count; i++) {
		uint32_t number = service->list.ops[i].number;
		if ((mdg__load64(&mdg__semset_at(stay->set, number)->word) & MDG__BUSY) == 0)
			mdg__claim(stay, number);
	}
	service->attempt.ops = service->list.ops;
	service->attempt.count = service->list.count;
	service->attempt.holder1 = mdg__load32(&sleeper->holder1);
	return true;
}

static bool only_waits(const struct mdg__oplist *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->ops[i].change != 0)
			return false;
	return true;
}

static enum kind kind_of(const struct mdg__oplist *list)
{
	return !only_waits(list) ? ALTERS : list->count == 1 ? WAITS_ONCE : WAITS;
}

/* What the attempt, just made, means for a sleeper: a word to end its sleep by, or 0. */
static uint32_t ending(const struct mdg__attempt *attempt, int rc)
{
	if (rc == 0)
		return MDG__ENDED_DONE;
	if (rc == -ERANGE)
		return MDG__ENDED_RANGE;
	return (attempt->ops[attempt->blocked].flags & MDG_SEM_NOWAIT) != 0 ? MDG__ENDED_AGAIN : 0;
}

/* Step 2. False: it is dead, or has left, perhaps just now. */
static bool end_sleep(struct mdg__semset_stay *stay, struct mdg__sleeper *sleeper, uint32_t how)
{
	uint32_t seen = mdg__load32(&sleeper->robust.word);
	if (mdg__word_sleeps(seen) && (mdg__load32(&sleeper->about) & MDG__UNWITNESSED) != 0 &&
	    mdg__sleeper_has_ended(&stay->set->self, sleeper))
		return false;
	while (mdg__word_sleeps(seen))
		/* Release: the sleeper reads nothing else by it but what comes under the lock. */
		if (atomic_compare_exchange_weak_explicit(&sleeper->robust.word, &seen, how,
		                                          memory_order_acq_rel,
		                                          memory_order_acquire)) {
			mdg__sleeper_wake(stay, sleeper);
			return true;
		}
	return false;
}

void mdg__sleeper_wake(struct mdg__semset_stay *stay, struct mdg__sleeper *sleeper)
{
	struct mdg__set_holder *holder =
		mdg__block_at(stay->set, mdg__load32(&sleeper->watching1), MDG__HOLDER);
	mdg__wake_later(stay, &sleeper->robust.word);
	if (holder == NULL)
		return;
	/* watch.c says why a bit is flipped. */
	mdg__a32 *witness = &holder->witness.word;
	uint32_t seen = mdg__load32(witness);
	while ((seen & MDG__TID) != 0 &&
	       !atomic_compare_exchange_weak_explicit(witness, &seen, seen ^ MDG__CAME,
	                                              memory_order_acq_rel, memory_order_acquire))
		;
	mdg__wake_later(stay, witness);
}

/* [lock] A sleeper that does not sleep any more, or whose operations cannot be read. One that has
 * left, or is told to, gives its block back itself, and perhaps only when it runs again: until then
 * the block must be nobody else's. A dead one cannot. */
static void take_away(struct mdg__semset_stay *stay, uint32_t block1, struct mdg__sleeper *sleeper)
{
	uint32_t word = mdg__load32(&sleeper->robust.word);
	if (mdg__word_sleeps(word) || (word & MDG__TID) == 0) {
		mdg__sleeper_free(stay, block1);
		return;
	}
	mdg__sleeper_retire(stay, block1);
	mdg__semset_commit(stay);
}

static enum fate change_of(const struct mdg__semset *set, const struct mdg__attempt *attempt)
{
	enum fate fate = TAKEN_AWAY;
	bool zero = false;
	for (uint32_t i = 0; i < attempt->count; i++) {
		zero = zero || mdg__value_now(set, attempt->ops[i].number) == 0;
		if (attempt->ops[i].change != 0)
			fate = CHANGED;
	}
	return fate == CHANGED && zero ? CHANGED_TO_ZERO : fate;
}

/* Step 3. [the attempt was made] */
static void complete(struct service *service, uint32_t block1, int32_t pid, bool done)
{
	struct mdg__semset_stay *stay = service->stay;
	if (done)
		mdg__perform(stay, &service->attempt, pid);
	mdg__sleeper_retire(stay, block1);
	mdg__semset_put32(stay, &stay->head->serving1, 0);
	mdg__semset_commit(stay);
	if (done)
		mdg__semset_stamp(&stay->head->otime);
}

/* All three steps. */
static enum fate serve_one(struct service *service, uint32_t block1, struct mdg__sleeper *sleeper)
{
	struct mdg__semset_stay *stay = service->stay;
	int rc = mdg__attempt(stay->set, &service->attempt);
	uint32_t how = ending(&service->attempt, rc);
	if (how == 0) {
		mdg__fill16(&sleeper->blocked, service->attempt.blocked);
		return SLEEPS_ON;
	}
	mdg__semset_put32(stay, &stay->head->serving1, block1);
	mdg__semset_commit(stay);
	if (!end_sleep(stay, sleeper, how)) {
		mdg__semset_put32(stay, &stay->head->serving1, 0);
		mdg__semset_commit(stay);
		take_away(stay, block1, sleeper);
		return TAKEN_AWAY;
	}
	complete(service, block1, (int32_t)mdg__load32(&sleeper->pid), how == MDG__ENDED_DONE);
	return how == MDG__ENDED_DONE ? change_of(stay->set, &service->attempt) : TAKEN_AWAY;
}

/* Looks at one, if it is of that kind. */
static enum fate look_at(struct service *service, uint32_t block1, struct mdg__sleeper *sleeper,
                         enum kind kind)
{
	struct mdg__semset_stay *stay = service->stay;
	bool sleeps = mdg__word_sleeps(mdg__load32(&sleeper->robust.word));
	if (!sleeps || !read_ops(stay, service, sleeper)) {
		if (sleeps) /* nobody knows what it waits for */
			(void)end_sleep(stay, sleeper, MDG__ENDED_REMOVED);
		take_away(stay, block1, sleeper);
		return TAKEN_AWAY;
	}
	if (kind_of(&service->list) != kind)
		return SLEEPS_ON;
	return serve_one(service, block1, sleeper);
}

/* Looks at all of a kind, from the first, until one has changed something that may matter to those
 * before it. Returns that change, or SLEEPS_ON. */
static enum fate look_at_all(struct service *service, enum kind kind)
{
	struct mdg__semset_stay *stay = service->stay;
	uint32_t block1 = mdg__load32(&stay->head->queue.first1);
	for (uint32_t left = stay->blocks; left > 0; left--) {
		struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SLEEPER);
		if (sleeper == NULL)
			return SLEEPS_ON;
		uint32_t next1 = mdg__load32(&sleeper->next1);
		bool several = mdg__load16(&sleeper->count) > 1;
		enum fate fate = look_at(service, block1, sleeper, kind);
		if (fate == CHANGED_TO_ZERO ||
		    (fate == CHANGED && (several || mdg__load32(&stay->head->lists) != 0)))
			return fate;
		block1 = next1;
	}
	return SLEEPS_ON;
}

void mdg__serve(struct mdg__semset_stay *stay)
{
	struct mdg__semset_head *head = stay->head;
	struct service service;
	if (mdg__load32(&head->unserved) == 0)
		return;
	service.stay = stay;
	enum fate fate =
		mdg__load32(&head->unserved) == MDG__VALUE_CHANGED ? CHANGED : CHANGED_TO_ZERO;
	/* Each round but the last takes one sleeper away. */
	for (uint32_t left = stay->blocks; left > 0 && fate != SLEEPS_ON; left--) {
		if (mdg__load32(&head->queue.first1) == 0)
			break;
		if (fate == CHANGED_TO_ZERO) {
			(void)look_at_all(&service, WAITS_ONCE);
			(void)look_at_all(&service, WAITS);
		}
		fate = look_at_all(&service, ALTERS);
	}
	mdg__semset_put32(stay, &head->unserved, 0);
	mdg__semset_commit(stay);
}

void mdg__serve_again(struct mdg__semset_stay *stay)
{
	uint32_t block1 = mdg__load32(&stay->head->serving1);
	struct mdg__sleeper *sleeper = mdg__block_at(stay->set, block1, MDG__SLEEPER);
	struct service service;
	service.stay = stay;
	if (block1 == 0)
		return;
	uint32_t word = sleeper == NULL ? 0 : mdg__load32(&sleeper->robust.word);
	word &= ~(uint32_t)MDG__ENDED_BACK; /* it does not wait for who serves it */
	if (sleeper != NULL && word >= MDG__ENDED_DONE && word <= MDG__ENDED_RANGE &&
	    read_ops(stay, &service, sleeper)) {
		int rc = mdg__attempt(stay->set, &service.attempt);
		mdg__sleeper_wake(stay, sleeper);
		complete(&service, block1, (int32_t)mdg__load32(&sleeper->pid),
		         word == MDG__ENDED_DONE && rc == 0);
		return;
	}
	mdg__semset_put32(stay, &stay->head->serving1, 0);
	mdg__semset_commit(stay);
}

/* The kernel looks again at a list that only waits for zero when something has become 0, and until
 * then counts it where it was. */
bool mdg__sleeper_waits_at(struct mdg__semset_stay *stay, const struct mdg__sleeper *sleeper,
                           uint32_t *ret_number, bool *ret_for_zero)
{
	struct service service;
	service.stay = stay;
	if (!mdg__word_sleeps(mdg__load32(&sleeper->robust.word)) ||
	    !read_ops(stay, &service, sleeper))
		return false;
	uint32_t at = mdg__load16(&sleeper->blocked);
	if (!only_waits(&service.list) || at >= service.list.count) {
		if (mdg__attempt(stay->set, &service.attempt) != -EAGAIN)
			return false;
		at = service.attempt.blocked;
	}
	*ret_number = service.list.ops[at].number;
	*ret_for_zero = service.list.ops[at].change == 0;
	return true;
}
