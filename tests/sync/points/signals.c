/* SPDX-License-Identifier: MIT */
/*
 * signals.c - semaphore, event and condition, cut off: no unit and no wake-up is lost.
 *
 * These objects have no owner, so nobody is told of a death. But when all threads that were about
 * to wake up have done so, no thread may sleep while there is something for it.
 */
#include "sync/points/scenes.h"

static void judge_nothing(const struct outcome *outcome)
{
	MUST(outcome->told == 0);
}

static bool somebody_sleeps(const struct outcome *outcome)
{
	return outcome->through < outcome->sleepers;
}

/* ---- semaphore --------------------------------------------------------------------------- */

static int unit_post(void)
{
	return mdg_sem_post(&ON->sem, 1);
}
static int unit_post_three(void)
{
	return mdg_sem_post(&ON->sem, 3);
}
static int unit_post_two(void)
{
	return mdg_sem_post(&ON->sem, 2);
}
static int unit_take(void)
{
	return mdg_sem_wait(&ON->sem);
}
static int unit_try(void)
{
	return mdg_sem_trywait(&ON->sem);
}
static int unit_take_in_time(void)
{
	return mdg_sem_wait_until(&ON->sem, GRACE);
}
static int unit_take_briefly(void)
{
	return mdg_sem_wait_until(&ON->sem, mdg_deadline(3000000));
}

static void sem_sleeper(struct actor *me)
{
	about_to_sleep(me);
	int rc = unit_take();
	say(me, rc);
	MUST(rc == 0);
}

static void sem_holder(struct actor *me)
{
	hold_on(me);
	MUST(unit_post() == 0);
}

static void sem_two_holder(struct actor *me)
{
	hold_on(me);
	MUST(unit_post_two() == 0);
}

/* `posted` units, of which the victim has one if it has taken one. */
static void sem_settled(const struct outcome *outcome, unsigned posted, bool takes)
{
	unsigned value = (unsigned)mdg_sem_value(&ON->sem), there = value + outcome->through;
	bool done = outcome->ended || outcome->paused;
	if (value > 0 && somebody_sleeps(outcome))
		complain("%u units are there, and %u sleep", value,
		         outcome->sleepers - outcome->through);
	if (takes && there != posted && !(there + 1 == posted && outcome->released) &&
	    !(there + 1 == posted && done))
		complain("of %u units %u are there", posted, there);
	if (takes && done && stage->result == 0 && there + 1 != posted)
		complain("of %u units %u are there, and the victim took one", posted, there);
	if (!takes && there != posted && (there != 0 || done))
		complain("of %u units %u are there", posted, there);
}

static void settled_one(const struct outcome *o)
{
	sem_settled(o, 1, false);
}
static void settled_three(const struct outcome *o)
{
	sem_settled(o, 3, false);
}
static void settled_taken(const struct outcome *o)
{
	sem_settled(o, 1, true);
}
static void settled_two_taken(const struct outcome *o)
{
	sem_settled(o, 2, true);
}

static void sem_supply(struct actor *me)
{
	(void)me;
	MUST(mdg_sem_post(&ON->sem, ACTORS) == 0);
}

static void sem_finally(struct actor *me)
{
	(void)me;
	while (mdg_sem_trywait(&ON->sem) == 0)
		;
	MUST(mdg_sem_value(&ON->sem) == 0);
	MUST(unit_post_two() == 0 && unit_take() == 0 && unit_try() == 0 && unit_try() == -EAGAIN);
	MUST(mdg_sem_destroy(&ON->sem) == 0 && mdg_sem_value(&ON->sem) == 0);
}

static void sem_beside(struct actor *me)
{
	(void)me;
	int rc = mdg_sem_wait_until(&ON->sem, mdg_deadline(1000000));
	MUST(rc == 0 || rc == -ETIMEDOUT);
	MUST(rc != 0 || unit_post() == 0);
}

/* ---- event ------------------------------------------------------------------------------- */

static int event_set(void)
{
	return mdg_event_set(&ON->event);
}
static int event_reset(void)
{
	return mdg_event_reset(&ON->event);
}
static int event_wait(void)
{
	return mdg_event_wait(&ON->event);
}
static int event_take(void)
{
	return mdg_event_take(&ON->event);
}
static int event_try(void)
{
	return mdg_event_trytake(&ON->event);
}
static int event_take_briefly(void)
{
	return mdg_event_take_until(&ON->event, mdg_deadline(3000000));
}

static void event_taker(struct actor *me)
{
	about_to_sleep(me);
	int rc = event_take();
	say(me, rc);
	MUST(rc == 0);
}

static void event_waiter(struct actor *me)
{
	about_to_sleep(me);
	int rc = event_wait();
	say(me, rc);
	MUST(rc == 0);
}

static void event_holder(struct actor *me)
{
	hold_on(me);
	MUST(event_set() == 0);
}

static void event_no_sleeper(const struct outcome *outcome)
{
	if (mdg_event_is_set(&ON->event) && somebody_sleeps(outcome))
		complain("it is set, and %u sleep", outcome->sleepers - outcome->through);
}

/* The event was set once. So either one thread has taken it, or it is still set. It may also be
 * neither: if the set was cut off, or if the victim has taken it. */
static void settled_set(const struct outcome *outcome)
{
	unsigned there = (unsigned)mdg_event_is_set(&ON->event) + outcome->through;
	event_no_sleeper(outcome);
	if (there > 1 || (there == 0 && (outcome->ended || outcome->paused)))
		complain("it was set once, and %u have it", there);
}

static void settled_event_taken(const struct outcome *outcome)
{
	unsigned there = (unsigned)mdg_event_is_set(&ON->event) + outcome->through;
	bool done = (outcome->ended || outcome->paused) && stage->result == 0;
	event_no_sleeper(outcome);
	if (there > 1 || (there == 0 && !outcome->released && !done) || (there == 1 && done))
		complain("it was set once, %u others have it", there);
}

/* All who wait pass. */
static void settled_all(const struct outcome *outcome)
{
	event_no_sleeper(outcome);
	if (outcome->through != 0 && somebody_sleeps(outcome))
		complain("%u of %u passed", outcome->through, outcome->sleepers);
	if ((outcome->ended || outcome->paused) && somebody_sleeps(outcome))
		complain("%u of %u passed", outcome->through, outcome->sleepers);
}

static void event_supply(struct actor *me)
{
	(void)me;
	for (unsigned which = SLEEPERS_FIRST; which < ACTORS; which++)
		while (stage->actor[which].pid > 0 && stage->actor[which].said_count == 0) {
			MUST(event_set() == 0);
			nap_ms(1);
		}
}

static void event_finally(struct actor *me)
{
	(void)me;
	MUST(event_reset() == 0 && event_try() == -EAGAIN && mdg_event_is_set(&ON->event) == 0);
	MUST(event_set() == 0 && event_wait() == 0 && event_take() == 0 && event_try() == -EAGAIN);
	MUST(mdg_event_destroy(&ON->event) == 0);
}

/* ---- condition --------------------------------------------------------------------------- */

static int made_ready(uint32_t count)
{
	int rc = mdg_mutex_lock(&ON->mutex);
	ON->ready += count;
	return rc == 0 ? mdg_mutex_unlock(&ON->mutex) : rc;
}

static int cond_signal(void)
{
	return mdg_cond_signal(&ON->cond);
}
static int cond_broadcast(void)
{
	return mdg_cond_broadcast(&ON->cond);
}

static int ready_and_signal(void)
{
	int rc = made_ready(1);
	return rc == 0 ? cond_signal() : rc;
}

static int ready_and_broadcast(void)
{
	int rc = made_ready(ACTORS);
	return rc == 0 ? cond_broadcast() : rc;
}

static int mutex_lock(void)
{
	return mdg_mutex_lock(&ON->mutex);
}
static int mutex_unlock(void)
{
	int rc = mdg_mutex_unlock(&ON->mutex);
	return rc == -EPERM ? 0 : rc;
}

/* Takes one that is ready. What a death left is as good as before. */
static int cond_get_until(uint64_t deadline)
{
	int rc = mdg_mutex_lock(&ON->mutex);
	for (;;) {
		if (rc == MDG_OWNER_DIED)
			rc = mdg_mutex_set_repaired(&ON->mutex);
		if (rc != 0 || ON->ready > 0)
			break;
		rc = mdg_cond_wait_until(&ON->cond, &ON->mutex, deadline);
	}
	if (rc == 0)
		ON->ready--;
	if (rc == 0 || rc == -ETIMEDOUT)
		MUST(mdg_mutex_unlock(&ON->mutex) == 0);
	return rc;
}

static int cond_get(void)
{
	return cond_get_until(MDG_FOREVER);
}

/* Another that was woken as well may be faster. */
static int cond_get_perhaps(void)
{
	int rc = cond_get_until(mdg_deadline(200000000));
	return rc == -ETIMEDOUT ? 0 : rc;
}

static int cond_wait_briefly(void)
{
	return mdg_cond_wait_until(&ON->cond, &ON->mutex, mdg_deadline(3000000));
}

static void cond_sleeper(struct actor *me)
{
	about_to_sleep(me);
	int rc = cond_get();
	say(me, rc);
	MUST(rc == 0);
}

static void cond_holder(struct actor *me)
{
	hold_on(me);
	int rc = mdg_mutex_lock(&ON->mutex);
	MUST(rc == 0 || rc == MDG_OWNER_DIED);
	MUST(rc == 0 || mdg_mutex_set_repaired(&ON->mutex) == 0);
	ON->ready++;
	MUST(cond_signal() == 0 && mdg_mutex_unlock(&ON->mutex) == 0);
}

static void cond_holder_of_all(struct actor *me)
{
	hold_on(me);
	int rc = mdg_mutex_lock(&ON->mutex);
	MUST(rc == 0 || (rc == MDG_OWNER_DIED && mdg_mutex_set_repaired(&ON->mutex) == 0));
	ON->ready = ACTORS;
	MUST(cond_broadcast() == 0 && mdg_mutex_unlock(&ON->mutex) == 0);
}

/* For scenarios in which the signal is given at every point: nobody may sleep while items are
 * ready. */
static void settled_signalled(const struct outcome *outcome)
{
	if (ON->ready > 0 && somebody_sleeps(outcome))
		complain("%u are ready, and %u sleep", ON->ready,
		         outcome->sleepers - outcome->through);
}

static void settled_signaller(const struct outcome *outcome)
{
	if (outcome->ended || outcome->paused)
		settled_signalled(outcome);
}

static void cond_supply(struct actor *me)
{
	(void)me;
	int rc = mdg_mutex_lock(&ON->mutex);
	MUST(rc == 0 || (rc == MDG_OWNER_DIED && mdg_mutex_set_repaired(&ON->mutex) == 0));
	ON->ready = ACTORS;
	MUST(cond_broadcast() == 0 && mdg_mutex_unlock(&ON->mutex) == 0);
}

static void cond_finally(struct actor *me)
{
	(void)me;
	int rc = mdg_mutex_lock(&ON->mutex);
	MUST(rc == 0 || (rc == MDG_OWNER_DIED && mdg_mutex_set_repaired(&ON->mutex) == 0));
	MUST(cond_wait_briefly() == -ETIMEDOUT);
	MUST(mdg_mutex_unlock(&ON->mutex) == 0);
	MUST(mdg_cond_destroy(&ON->cond) == 0);
}

static void judge_cond(const struct outcome *outcome)
{
	MUST(!outcome->paused || outcome->told == 0);
}

#define SEM   .finally = sem_finally, .supply = sem_supply, .judge = judge_nothing
#define EVENT .finally = event_finally, .supply = event_supply, .judge = judge_nothing
#define COND  .finally = cond_finally, .supply = cond_supply, .judge = judge_cond
const struct scenario signal_scenes[] = {
	{ "sem-post", 1, SEM, .operate = unit_post, .settled = settled_one },
	{ "sem-post-awaited", 3, SEM, .operate = unit_post, .sleeper = sem_sleeper, .before = 3,
	  .settled = settled_one, .beside = sem_beside },
	{ "sem-post-three-awaited", 3, SEM, .operate = unit_post_three, .sleeper = sem_sleeper,
	  .before = 3, .settled = settled_three, .beside = sem_beside },
	{ "sem-wait", 1, SEM, .prepare = unit_post, .operate = unit_take,
	  .settled = settled_taken },
	{ "sem-wait-two-awaited", 1, SEM, .prepare = unit_post_two, .operate = unit_try,
	  .settled = settled_two_taken },
	{ "sem-wait-sleeps", 6, SEM, .holder = sem_holder, .operate = unit_take,
	  .sleeper = sem_sleeper, .after = 2, .settled = settled_taken, .beside = sem_beside },
	{ "sem-wait-sleeps-for-two", 6, SEM, .holder = sem_two_holder, .operate = unit_take_in_time,
	  .sleeper = sem_sleeper, .after = 1, .settled = settled_two_taken, .beside = sem_beside },
	{ "sem-wait-in-vain", 6, SEM, .holder = sem_holder, .operate = unit_take_briefly,
	  .sleeper = sem_sleeper, .after = 1, .keeps = true, .settled = settled_taken },
	{ "event-set", 1, EVENT, .operate = event_set, .settled = settled_set },
	{ "event-set-for-takers", 3, EVENT, .operate = event_set, .sleeper = event_taker,
	  .before = 3, .settled = settled_set },
	{ "event-set-for-waiters", 3, EVENT, .operate = event_set, .sleeper = event_waiter,
	  .before = 3, .settled = settled_all },
	{ "event-reset", 1, EVENT, .prepare = event_set, .operate = event_reset,
	  .settled = event_no_sleeper },
	{ "event-take", 1, EVENT, .prepare = event_set, .operate = event_take,
	  .settled = settled_event_taken },
	{ "event-take-sleeps", 6, EVENT, .holder = event_holder, .operate = event_take,
	  .sleeper = event_taker, .after = 2, .settled = settled_event_taken },
	{ "event-take-in-vain", 6, EVENT, .holder = event_holder, .operate = event_take_briefly,
	  .sleeper = event_taker, .after = 1, .keeps = true, .settled = settled_event_taken },
	{ "event-wait-sleeps", 6, EVENT, .holder = event_holder, .operate = event_wait,
	  .sleeper = event_waiter, .after = 2, .settled = event_no_sleeper },
	{ "cond-signal", 0, COND, .operate = ready_and_signal, .settled = settled_signaller },
	{ "cond-signal-awaited", 3, COND, .operate = ready_and_signal, .sleeper = cond_sleeper,
	  .before = 2, .settled = settled_signaller },
	{ "cond-broadcast-awaited", 3, COND, .operate = ready_and_broadcast,
	  .sleeper = cond_sleeper, .before = 3, .settled = settled_signaller },
	{ "cond-wait", 12, COND, .holder = cond_holder, .operate = cond_get_perhaps,
	  .sleeper = cond_sleeper, .after = 2, .settled = settled_signalled },
	{ "cond-wait-queued", 12, COND, .holder = cond_holder_of_all, .operate = cond_get,
	  .sleeper = cond_sleeper, .before = 1, .after = 1, .settled = settled_signalled },
	{ "cond-wait-in-vain", 10, COND, .holder = cond_holder, .prepare = mutex_lock,
	  .operate = cond_wait_briefly, .undo = mutex_unlock, .sleeper = cond_sleeper, .before = 0,
	  .after = 1, .keeps = true, .settled = settled_signalled },
	{ .name = NULL }
};
