/* SPDX-License-Identifier: MIT */
/*
 * event.c - set or not set, and a gate for two kinds of sleepers. Read gate.h first.
 *
 * The value of the word: SET; WAKING; and how often it was set, modulo 2^30. To one that
 * takes, something is to be had while SET; to one that waits, also when it was set since it
 * came, though it be reset again: who sets and resets at once lets all pass that sleep. One that
 * has looked and not fallen asleep yet may miss that, if another marks the gate again in between:
 * the kernel compares the gate, which has no room to count in.
 *
 * Setting clears the gate. It wakes all that wait, and one of those that take. Those that wait
 * are many and leave as many, so a notifier among them must not wake the others each time
 * only to be sure. WAKING says that a setter has not woken them yet: one who was woken and
 * leaves, and sees it, does it again, because the setter may have died and this be the one that
 * the kernel woke. Whoever has woken all takes WAKING away, unless it was set anew meanwhile:
 * then that setter will. (If that one had nobody to wake, WAKING stays until somebody is woken,
 * who wakes in vain once.)
 *
 * The kernel, passing a wake-up on, asks for no kind: one that waits may get that of one that
 * takes. So every notifier that leaves cares for both.
 */
#include "sync/gate.h"

_Static_assert(sizeof(mdg_event) == sizeof(struct mdg__gated), "");

enum { WAIT, TAKE };
#define SET    UINT64_C(1)
#define WAKING UINT64_C(2)
#define TIMES  UINT64_C(0xfffffffc) /* how often: one is 4 */
#define ONCE   UINT64_C(4)

static struct mdg__gated *inside(mdg_event *event)
{
	return (struct mdg__gated *)(void *)event;
}

/* ---- waking --------------------------------------------------------------------------- */

/* Wakes all that wait, who were asleep when the word was `seen`, which says WAKING. */
static void wake_all(struct mdg__gated *gated, uint64_t seen)
{
	uint64_t now = seen;
	mdg__gate_wake(gated, WAIT, UINT32_MAX);
	while ((now & WAKING) != 0 && ((now ^ seen) & TIMES) == 0)
		if (mdg__gated_change(gated, &now, now & ~WAKING))
			return;
}

/* What a notifier has to do before it leaves or sleeps again. */
static void settle(const struct mdg__sleeper *sleeper, struct mdg__gated *gated)
{
	uint64_t seen = mdg__gated_look(gated);
	uint64_t others = mdg__gate_others(sleeper, gated);
	if ((seen & WAKING) != 0 && (others & MDG__GATE(WAIT)) != 0) {
		wake_all(gated, seen);
		seen = mdg__gated_look(gated);
	}
	while ((others & ~seen) != 0) {
		if ((seen & SET) != 0) {
			if ((others & MDG__GATE(TAKE)) != 0)
				mdg__gate_wake(gated, TAKE, 1);
			return;
		}
		if (mdg__gated_change(gated, &seen, seen | others))
			return;
		others = mdg__gate_others(sleeper, gated);
	}
}

/* ---- sleeping -------------------------------------------------------------------------- */

static bool take(struct mdg__gated *gated, uint64_t *seen)
{
	*seen = mdg__gated_look(gated);
	while ((*seen & SET) != 0)
		if (mdg__gated_change(gated, seen, *seen & ~SET))
			return true;
	return false;
}

/* `since`: the word when it came, or what `seen` was last. */
static bool passes(struct mdg__gated *gated, int kind, uint64_t since, uint64_t *seen)
{
	if (kind == TAKE)
		return take(gated, seen);
	*seen = mdg__gated_look(gated);
	return (*seen & SET) != 0 || ((*seen ^ since) & TIMES) != 0;
}

static int pass_sleeping(struct mdg__sleeper *sleeper, struct mdg__gated *gated, uint64_t since,
                         uint64_t deadline)
{
	uint64_t own = MDG__GATE(sleeper->kind);
	bool notifier = false;
	int rc = 0;
	for (;;) {
		uint64_t seen;
		if (passes(gated, sleeper->kind, since, &seen))
			return 0;
		if (rc < 0)
			return rc;
		if (notifier) {
			settle(sleeper, gated);
			notifier = false; /* and looks again */
		} else if ((seen & own) != 0 || mdg__gated_change(gated, &seen, seen | own)) {
			rc = mdg__gate_sleep(sleeper, gated, seen | own, deadline);
			notifier = true;
		}
	}
}

static __attribute__((noinline)) int pass_waiting(struct mdg__gated *gated, int kind,
                                                  uint64_t since, uint64_t deadline)
{
	struct mdg__sleeper sleeper;
	struct mdg__thread *thread = mdg__thread();
	uint64_t seen;
	if (deadline == 0)
		return -ETIMEDOUT;
	for (int i = 0; i < MDG__SPINS; i++) {
		if (passes(gated, kind, since, &seen))
			return 0;
		mdg__cpu_pause();
	}
	if (thread == NULL)
		return -ENOSYS;
	mdg__gate_enter(&sleeper, gated, thread, kind);
	int rc = pass_sleeping(&sleeper, gated, since, deadline);
	if (sleeper.slept)
		settle(&sleeper, gated);
	mdg__gate_leave(&sleeper, gated);
	return rc;
}

int mdg_event_wait(mdg_event *event)
{
	return mdg_event_wait_until(event, MDG_FOREVER);
}

int mdg_event_wait_until(mdg_event *event, uint64_t deadline)
{
	struct mdg__gated *gated = inside(event);
	uint64_t seen = mdg__gated_look(gated);
	return (seen & SET) != 0 ? 0 : pass_waiting(gated, WAIT, seen, deadline);
}

int mdg_event_take(mdg_event *event)
{
	return mdg_event_take_until(event, MDG_FOREVER);
}

int mdg_event_trytake(mdg_event *event)
{
	uint64_t seen;
	return take(inside(event), &seen) ? 0 : -EAGAIN;
}

int mdg_event_take_until(mdg_event *event, uint64_t deadline)
{
	struct mdg__gated *gated = inside(event);
	uint64_t seen;
	return take(gated, &seen) ? 0 : pass_waiting(gated, TAKE, 0, deadline);
}

/* ---- setting --------------------------------------------------------------------------- */

static uint64_t as_set(uint64_t seen)
{
	return (seen & WAKING) | ((seen + ONCE) & TIMES) | SET;
}

/* For those who sleep; whoever dies here has set it and will be seen to, or has not. */
static __attribute__((noinline)) bool set_and_wake(struct mdg__gated *gated, uint64_t seen)
{
	struct mdg__thread *thread = mdg__thread(); /* NULL: no robust lists here */
	uintptr_t before = thread == NULL ? 0 : mdg__pending_begin(thread, mdg__gate(gated));
	uint64_t gates = seen & MDG__GATES;
	uint64_t to = as_set(seen) | ((gates & MDG__GATE(WAIT)) != 0 ? WAKING : 0);
	bool done = mdg__gated_change(gated, &seen, to);
	if (done && (gates & MDG__GATE(WAIT)) != 0)
		wake_all(gated, to);
	if (done && (gates & MDG__GATE(TAKE)) != 0)
		mdg__gate_wake(gated, TAKE, 1);
	if (thread != NULL)
		mdg__pending_end(thread, before);
	return done;
}

/* One that is set is written too: who sees it set then, sees what was done before this. */
int mdg_event_set(mdg_event *event)
{
	struct mdg__gated *gated = inside(event);
	bool done = false;
	while (!done) {
		uint64_t seen = mdg__gated_look(gated);
		if (__builtin_expect((seen & MDG__GATES) != 0, 0))
			done = set_and_wake(gated, seen);
		else
			done = mdg__gated_change(gated, &seen,
			                         (seen & SET) != 0 ? seen : as_set(seen));
	}
	return 0;
}

int mdg_event_reset(mdg_event *event)
{
	uint64_t seen;
	(void)take(inside(event), &seen);
	return 0;
}

int mdg_event_is_set(const mdg_event *event)
{
	const struct mdg__gated *gated = (const struct mdg__gated *)(const void *)event;
	return (mdg__gated_look(gated) & SET) != 0;
}

/* As for a semaphore. */
int mdg_event_destroy(mdg_event *event)
{
	return mdg__gate_has_sleepers(inside(event)) ? -EBUSY : mdg_event_reset(event);
}
