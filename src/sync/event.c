/* SPDX-License-Identifier: MIT */
/*
 * event.c - an event that is set or not set, with a gate for two kinds of sleepers. Read gate.h
 * first.
 *
 * The value of the word has three parts: SET; WAKING (below); and how often the event was set,
 * modulo 2^30.
 *
 * WHAT IS AVAILABLE. `take` succeeds while the event is SET. `wait` succeeds while it is SET, and
 * also when it was set at any time since the wait began, even if it has been reset since. So a set
 * followed at once by a reset releases every sleeper. A thread that has looked, and has not fallen
 * asleep yet, may miss that: if yet another thread sets the gate's bit again in between, the
 * gate looks the same to the kernel, for it has no room to count in.
 *
 * WAKING. `set` clears the gate. It wakes all threads in `wait` and one thread in `take`. Those in
 * `wait` can be many, and each of them is a notifier when it leaves. They must not all wake the
 * others just to be sure. So WAKING says that a setter has not woken them yet. A woken thread
 * that leaves and sees WAKING wakes them all again: the setter may have died, and this may be the
 * one sleeper that the kernel woke in its place. A thread that has woken all takes WAKING away,
 * unless the event was set anew meanwhile; then that setter will. (If that setter had nobody to
 * wake, WAKING stays until a thread is woken, and that one wakes in vain once.)
 *
 * BOTH KINDS. When the kernel passes a wake-up on, it does not look at kinds. A thread in `wait`
 * may get the wake-up of one in `take`. So every notifier that leaves looks after both.
 */
#include "sync/gate.h"

_Static_assert(sizeof(mdg_event) == sizeof(struct mdg__gated), "");

enum { WAIT, TAKE };
#define SET    UINT64_C(1)
#define WAKING UINT64_C(2)
#define TIMES  UINT64_C(0xfffffffc) /* how often it was set, as a multiple of ONCE */
#define ONCE   UINT64_C(4)

static struct mdg__gated *inside(mdg_event *event)
{
	return (struct mdg__gated *)(void *)event;
}

/* ---- waking --------------------------------------------------------------------------- */

/* Wakes all threads in `wait` that were asleep when the word was `seen`. [`seen` has WAKING] */
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

/* Takes the event. False: it was not set, and *seen is the word that said so. */
static inline bool take(struct mdg__gated *gated, uint64_t *seen)
{
	*seen = mdg__gated_look(gated);
	while ((*seen & SET) != 0)
		if (mdg__gated_change(gated, seen, *seen & ~SET))
			return true;
	return false;
}

/* Whether the thread may go on. `since` is the word as it was when the thread came. */
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
			notifier = false; /* now look again */
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

/* Sets the event while threads sleep. If this thread dies here, either it has not set it, or the
 * kernel wakes a sleeper. */
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

static __attribute__((noinline)) int set_other(struct mdg__gated *gated)
{
	bool done = false;
	while (!done) {
		uint64_t seen = mdg__gated_look(gated);
		if ((seen & MDG__GATES) != 0)
			done = set_and_wake(gated, seen);
		else
			done = mdg__gated_change(gated, &seen,
			                         (seen & SET) != 0 ? seen : as_set(seen));
	}
	return 0;
}

/* This writes the word even if the event is set already, so that a thread that sees it set after
 * that also sees what the caller did before. The common case takes one step. The rare ones are a
 * call at the end, so the common one needs no stack. */
int mdg_event_set(mdg_event *event)
{
	struct mdg__gated *gated = inside(event);
	uint64_t seen = mdg__gated_look(gated);
	bool simple = (seen & (MDG__GATES | SET)) == 0;
	return __builtin_expect(simple && mdg__gated_change(gated, &seen, as_set(seen)), 1)
	               ? 0
	               : set_other(gated);
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

/* As mdg_sem_destroy. */
int mdg_event_destroy(mdg_event *event)
{
	return mdg__gate_has_sleepers(inside(event)) ? -EBUSY : mdg_event_reset(event);
}
