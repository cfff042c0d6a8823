/* SPDX-License-Identifier: MIT */
/*
 * sem.c - a number of units, with a gate. Read gate.h first.
 *
 * The value of the word is the number of units. Something is available while it is not 0. There is
 * one kind of sleeper, so the word is one of these:
 *     number 0, gate clear;      number 0, gate set;      number not 0, gate clear.
 *
 * A post of n units to a set gate clears the gate and wakes n sleepers. While these are on their
 * way, further posts find a clear gate and make no system call. Each woken thread takes its unit.
 * If it then sees more units, and others may sleep, it wakes the next one.
 *
 * DEATHS. A thread that is killed in `post` has added all its units or none. If it has added
 * them, a sleeper is woken. A woken thread that is killed has taken its unit or not. In both
 * cases its death wakes another sleeper, which looks for itself.
 */
#include "sync/gate.h"

_Static_assert(sizeof(mdg_sem) == sizeof(struct mdg__gated), "");

static struct mdg__gated *inside(mdg_sem *sem)
{
	return (struct mdg__gated *)(void *)sem;
}

/* ---- taking ------------------------------------------------------------------------- */

/* Takes a unit. False: there was none, and *seen is the word that said so. */
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

/* Adds units to the word `seen`, and clears the gate in the same step. */
static bool add(struct mdg__gated *gated, uint64_t seen, uint32_t count)
{
	return mdg__gated_change(gated, &seen, (seen & ~MDG__GATES) + count);
}

/* Adds units while threads sleep. If this thread dies here, either it has added nothing, or the
 * kernel wakes a sleeper. */
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

/* The common case takes one step. The rare ones are a call at the end, so the common one needs no
 * stack. */
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

/* A thread that comes meanwhile finds the number as it was, or zero; both are right. The count of
 * sleepers stays, because some threads may be about to sleep. */
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
