/* SPDX-License-Identifier: MIT */
/*
 * sem.c - a number of units, and a gate before it. Read gate.h first.
 *
 * The word's value is the number; something to be had is a unit. The gate has one bit, so the
 * word is (0, clear), (0, set) or (n, clear).
 *
 * A post of n to a set gate clears it and wakes n. Units that come while those are under way
 * find a clear gate, and cost no system call: each that was woken, when it has its unit and
 * sees more and others that may sleep, wakes the next.
 *
 * Killed in the middle: one that posts has either added its units, and then somebody is
 * woken, or it has not. One that waits and was woken has either taken its unit or not, and in
 * both cases its death wakes another, who looks for itself.
 */
#include "sync/gate.h"

_Static_assert(sizeof(mdg_sem) == sizeof(struct mdg__gated), "");

static struct mdg__gated *inside(mdg_sem *sem)
{
	return (struct mdg__gated *)(void *)sem;
}

/* ---- taking ------------------------------------------------------------------------- */

/* Says whether it was taken; at a word that has none, *seen is that word. */
static inline bool take(struct mdg__gated *gated, uint64_t *seen)
{
	*seen = mdg__gated_look(gated);
	while (mdg__gated_value(*seen) != 0)
		if (mdg__gated_change(gated, seen, *seen - 1))
			return true;
	return false;
}

static bool take_spinning(struct mdg__gated *gated)
{
	uint64_t seen;
	for (int i = 0; i < MDG__SPINS; i++) {
		if (take(gated, &seen))
			return true;
		mdg__cpu_pause();
	}
	return false;
}

/* What a notifier has to do before it leaves. */
static void settle(const struct mdg__sleeper *sleeper, struct mdg__gated *gated)
{
	uint64_t seen = mdg__gated_look(gated);
	while ((seen & MDG__GATE(0)) == 0 && mdg__gate_others(sleeper, gated) != 0) {
		if (mdg__gated_value(seen) != 0) {
			mdg__gate_wake(gated, 0, 1);
			return;
		}
		if (mdg__gated_change(gated, &seen, seen | MDG__GATE(0)))
			return;
	}
}

static int take_sleeping(struct mdg__sleeper *sleeper, struct mdg__gated *gated, uint64_t deadline)
{
	uint64_t seen;
	int rc = 0;
	for (;;) {
		if (take(gated, &seen))
			return 0;
		if (rc < 0)
			return rc;
		if ((seen & MDG__GATE(0)) != 0 ||
		    mdg__gated_change(gated, &seen, seen | MDG__GATE(0)))
			rc = mdg__gate_sleep(sleeper, gated, seen | MDG__GATE(0), deadline);
	}
}

static __attribute__((noinline)) int take_waiting(struct mdg__gated *gated, uint64_t deadline)
{
	struct mdg__sleeper sleeper;
	struct mdg__thread *thread = mdg__thread();
	if (deadline == 0)
		return -ETIMEDOUT;
	if (take_spinning(gated))
		return 0;
	if (thread == NULL)
		return -ENOSYS;
	mdg__gate_enter(&sleeper, gated, thread, 0);
	int rc = take_sleeping(&sleeper, gated, deadline);
	if (sleeper.slept)
		settle(&sleeper, gated);
	mdg__gate_leave(&sleeper, gated);
	return rc;
}

static inline int wait_until(struct mdg__gated *gated, uint64_t deadline)
{
	uint64_t seen;
	return __builtin_expect(take(gated, &seen), 1) ? 0 : take_waiting(gated, deadline);
}

int mdg_sem_wait(mdg_sem *sem)
{
	return wait_until(inside(sem), MDG_FOREVER);
}

int mdg_sem_wait_until(mdg_sem *sem, uint64_t deadline)
{
	return wait_until(inside(sem), deadline);
}

int mdg_sem_trywait(mdg_sem *sem)
{
	uint64_t seen;
	return take(inside(sem), &seen) ? 0 : -EAGAIN;
}

/* ---- giving ---------------------------------------------------------------------------- */

/* Clears the gate in the same step. */
static bool add(struct mdg__gated *gated, uint64_t seen, uint32_t count)
{
	return mdg__gated_change(gated, &seen, (seen & ~MDG__GATES) + count);
}

/* For those who sleep; whoever dies here has added and will be seen to, or has not. */
static __attribute__((noinline)) bool add_and_wake(struct mdg__gated *gated, uint64_t seen,
                                                   uint32_t count)
{
	struct mdg__thread *thread = mdg__thread(); /* NULL: no robust lists here */
	uintptr_t before = thread == NULL ? 0 : mdg__pending_begin(thread, mdg__gate(gated));
	bool added = add(gated, seen, count);
	if (added)
		mdg__gate_wake(gated, 0, count);
	if (thread != NULL)
		mdg__pending_end(thread, before);
	return added;
}

static __attribute__((noinline)) int post_other(struct mdg__gated *gated, uint32_t count)
{
	bool added = count == 0;
	while (!added) {
		uint64_t seen = mdg__gated_look(gated);
		uint32_t value = mdg__gated_value(seen);
		if (value > MDG_SEM_MAX || count > MDG_SEM_MAX - value)
			return -EOVERFLOW;
		added = (seen & MDG__GATES) == 0 ? add(gated, seen, count)
		                                 : add_and_wake(gated, seen, count);
	}
	return 0;
}

/* The common case in one step; what is rare is called last, so it needs no stack. */
int mdg_sem_post(mdg_sem *sem, uint32_t count)
{
	struct mdg__gated *gated = inside(sem);
	uint64_t seen = mdg__gated_look(gated);
	bool simple = (seen & MDG__GATES) == 0 && count != 0 && count <= MDG_SEM_MAX &&
	              mdg__gated_value(seen) <= MDG_SEM_MAX - count;
	return __builtin_expect(simple && add(gated, seen, count), 1) ? 0
	                                                              : post_other(gated, count);
}

/* ---- the rest ------------------------------------------------------------------------------ */

int mdg_sem_value(const mdg_sem *sem)
{
	const struct mdg__gated *gated = (const struct mdg__gated *)(const void *)sem;
	return (int)(mdg__gated_value(mdg__gated_look(gated)) & MDG_SEM_MAX);
}

/* One that comes meanwhile finds it as it was, or new: either is right. The counts stay, of
 * those who are about to sleep. */
int mdg_sem_destroy(mdg_sem *sem)
{
	struct mdg__gated *gated = inside(sem);
	uint64_t seen = mdg__gated_look(gated);
	if (mdg__gate_has_sleepers(gated))
		return -EBUSY;
	while (!mdg__gated_change(gated, &seen, seen & MDG__GATES))
		;
	return 0;
}
