/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - the mutex's operations, cut off.
 */
#include "sync/owned.h"
#include "sync/points/scenes.h"

/* ---- what happens ------------------------------------------------------------------------ */

static int lock(void)
{
	return mdg_mutex_lock(&ON->mutex);
}
static int try(void)
{
	return mdg_mutex_trylock(&ON->mutex);
}
static int lock_in_time(void)
{
	return mdg_mutex_lock_until(&ON->mutex, GRACE);
}
static int lock_briefly(void)
{
	return mdg_mutex_lock_until(&ON->mutex, mdg_deadline(3000000));
}
static int unlock(void)
{
	return mdg_mutex_unlock(&ON->mutex);
}
static int repaired(void)
{
	return mdg_mutex_set_repaired(&ON->mutex);
}
static int destroy(void)
{
	return mdg_mutex_destroy(&ON->mutex);
}

static int lock_dead(void)
{
	return lock() == MDG_OWNER_DIED ? 0 : -1;
}

static int lock_and_repair(void)
{
	return lock() == MDG_OWNER_DIED ? repaired() : -1;
}

static int unlock_repaired(void)
{
	int rc = repaired();
	return rc == 0 || rc == -EINVAL ? unlock() : rc;
}

static int lock_three(void)
{
	return mdg_mutex_lock(&ON->second) != 0 || lock() != 0 || mdg_mutex_lock(&ON->third) != 0;
}

static int unlock_two(void)
{
	return mdg_mutex_unlock(&ON->third) != 0 || mdg_mutex_unlock(&ON->second) != 0;
}

/* ---- the others -------------------------------------------------------------------------- */

void mutex_pass(struct actor *me, int rc)
{
	say(me, rc);
	if (rc != 0 && rc != MDG_OWNER_DIED) {
		complain("the mutex gives %d", rc);
		return;
	}
	be_alone();
	MUST(mdg_mutex_set_repaired(&ON->mutex) == (rc == 0 ? -EINVAL : 0));
	MUST(mdg_mutex_unlock(&ON->mutex) == 0);
}

static void sleeper(struct actor *me)
{
	about_to_sleep(me);
	mutex_pass(me, lock());
}

void mutex_holder(struct actor *me)
{
	MUST(lock() == 0);
	hold_on(me);
	be_alone();
	MUST(unlock() == 0);
}

static void die_with_it(struct actor *me)
{
	(void)me;
	MUST(lock() == 0);
	die();
}

static void break_it(struct actor *me)
{
	(void)me;
	if (fork() == 0)
		die_with_it(me);
	wait(NULL);
	MUST(lock() == MDG_OWNER_DIED && unlock() == 0);
}

/* A sleeper that is no more leaves its mark behind. */
static void leave_mark(struct actor *me)
{
	(void)me;
	MUST(lock() == 0);
	pid_t other = fork();
	if (other == 0) {
		(void)lock_in_time();
		_exit(0);
	}
	const struct mdg__owned *owned = (const void *)&ON->mutex;
	while ((atomic_load(&owned->robust.word) & MDG__WAITERS) == 0)
		nap_ms(1);
	killed(other);
	die();
}

bool owned_is_new(const void *object)
{
	const struct mdg__owned *owned = object;
	return atomic_load(&owned->state) == 0 && atomic_load(&owned->robust.word) == 0;
}

bool owned_by(const void *object, pid_t pid)
{
	const struct mdg__owned *owned = object;
	return (atomic_load(&owned->robust.word) & MDG__TID) == (uint32_t)pid;
}

void mutex_finally(struct actor *me)
{
	mutex_pass(me, try());
	MUST(lock() == 0);
	MUST(lock() == -EDEADLK && unlock() == 0);
	MUST(unlock() == -EPERM);
	MUST(destroy() == 0);
	MUST(owned_is_new(&ON->mutex));
}

static void finally_three(struct actor *me)
{
	mutex_finally(me);
	for (int i = 0; i < 2; i++) {
		mdg_mutex *mutex = i == 0 ? &ON->second : &ON->third;
		int rc = mdg_mutex_trylock(mutex);
		MUST(rc == 0 || rc == MDG_OWNER_DIED);
		me->said[SAID_MOST - 1 - i] = rc;
		MUST(mdg_mutex_set_repaired(mutex) == (rc == 0 ? -EINVAL : 0));
		MUST(mdg_mutex_unlock(mutex) == 0);
	}
}

/* Who was there when it broke is told so. */
static void finally_broken(struct actor *me)
{
	int rc = try();
	if (rc == MDG_BROKEN) {
		say(me, rc);
		MUST(destroy() == 0);
		rc = try();
		MUST(rc == 0);
	} else {
		say(me, rc);
	}
	if (rc == MDG_OWNER_DIED)
		MUST(repaired() == 0);
	MUST(unlock() == 0);
	MUST(destroy() == 0 && owned_is_new(&ON->mutex));
}

static void sleeper_on_broken(struct actor *me)
{
	about_to_sleep(me);
	int rc = lock();
	say(me, rc);
	MUST(rc == 0 || rc == MDG_OWNER_DIED || rc == MDG_BROKEN);
	if (rc == MDG_OWNER_DIED)
		MUST(repaired() == 0);
	if (rc != MDG_BROKEN)
		MUST(unlock() == 0);
}

/* While the victim is stopped. */
static void try_it(struct actor *me)
{
	(void)me;
	for (int i = 0; i < 2; i++) {
		int rc = i == 0 ? try() : mdg_mutex_lock_until(&ON->mutex, mdg_deadline(1000000));
		MUST(rc == 0 || rc == (i == 0 ? -EBUSY : -ETIMEDOUT));
		if (rc == 0) {
			be_alone();
			MUST(unlock() == 0);
		}
	}
}

/* ---- what is to be told ------------------------------------------------------------------ */

static bool held(const struct outcome *outcome)
{
	return owned_by(&outcome->then.mutex, outcome->victim);
}

/* An owner died before the operation. One thread is told: the victim or another one. If the victim
 * was told and then died too, another thread is told of that. */
static void judge_dead(const struct outcome *outcome)
{
	bool victim_told = outcome->paused && stage->result == MDG_OWNER_DIED;
	if (outcome->told + victim_told != 1)
		complain("a death is told %u times to others", outcome->told);
}

/* The victim unlocks the mutex without repairing the data. Either this has broken the mutex, and
 * all are told MDG_BROKEN, or the victim died first, and one thread is told of its death. */
static void judge_breaking(const struct outcome *outcome)
{
	const struct mdg__owned *owned = (const void *)&outcome->then.mutex;
	bool broke = outcome->paused || atomic_load(&owned->state) == MDG__BROKEN;
	if (heard(MDG_BROKEN) != (broke ? outcome->sleepers + 1 : 0))
		complain("%u of %u are told that it is broken", heard(MDG_BROKEN),
		         outcome->sleepers + 1);
	if (outcome->told != (broke ? 0 : 1))
		complain("the death is told %u times", outcome->told);
}

/* The other two are held from beginning to end. */
static void judge_three(const struct outcome *outcome)
{
	const struct actor *last = &stage->actor[0];
	int wanted = outcome->paused ? 0 : MDG_OWNER_DIED;
	judge_told(outcome);
	if (last->said[SAID_MOST - 1] != wanted || last->said[SAID_MOST - 2] != wanted)
		complain("of the others %d and %d is told", last->said[SAID_MOST - 1],
		         last->said[SAID_MOST - 2]);
}

static void judge_made_new(const struct outcome *outcome)
{
	(void)outcome; /* told once or never: destroying takes it away at one point */
	MUST(outcome->told <= 1);
}

#define MUTEX .finally = mutex_finally, .held = held
const struct scenario mutex_scenes[] = {
	{ "mutex-lock", 6, MUTEX, .operate = lock, .undo = unlock, .beside = try_it },
	{ "mutex-trylock", 6, MUTEX, .operate = try, .undo = unlock },
	{ "mutex-first-lock", 10, MUTEX, .operate = lock, .undo = unlock, .cold = true,
	  .beside = try_it },
	{ "mutex-unlock", 4, MUTEX, .prepare = lock, .operate = unlock, .beside = try_it },
	{ "mutex-unlock-awaited", 6, MUTEX, .prepare = lock, .operate = unlock, .sleeper = sleeper,
	  .before = 3, .beside = try_it },
	{ "mutex-unlock-mark-left", 6, MUTEX, .arrange = leave_mark, .prepare = lock_and_repair,
	  .operate = unlock, .beside = try_it },
	{ "mutex-lock-held", 10, MUTEX, .holder = mutex_holder, .operate = lock, .undo = unlock,
	  .sleeper = sleeper, .after = 2, .beside = try_it },
	{ "mutex-lock-until", 10, MUTEX, .holder = mutex_holder, .operate = lock_in_time,
	  .undo = unlock, .sleeper = sleeper, .after = 2, .beside = try_it },
	{ "mutex-lock-queued", 10, MUTEX, .holder = mutex_holder, .operate = lock, .undo = unlock,
	  .sleeper = sleeper, .before = 1, .after = 1, .beside = try_it },
	{ "mutex-lock-times-out", 8, MUTEX, .holder = mutex_holder, .operate = lock_briefly,
	  .sleeper = sleeper, .before = 1, .keeps = true, .beside = try_it },
	{ "mutex-lock-dead", 6, .finally = mutex_finally, .arrange = die_with_it, .operate = lock,
	  .undo = unlock_repaired, .judge = judge_dead },
	{ "mutex-lock-dead-marked", 6, .finally = mutex_finally, .arrange = leave_mark,
	  .operate = lock, .undo = unlock_repaired, .judge = judge_dead },
	{ "mutex-repaired", 1, MUTEX, .arrange = die_with_it, .prepare = lock_dead,
	  .operate = repaired, .undo = unlock, .sleeper = sleeper, .before = 2, .beside = try_it },
	{ "mutex-unlock-unrepaired", 6, .finally = finally_broken, .held = held,
	  .arrange = die_with_it, .prepare = lock_dead, .operate = unlock,
	  .sleeper = sleeper_on_broken, .before = 2, .judge = judge_breaking },
	{ "mutex-lock-broken", 8, .finally = finally_broken, .arrange = break_it, .operate = lock,
	  .judge = judge_made_new },
	{ "mutex-destroy", 6, MUTEX, .operate = destroy },
	{ "mutex-destroy-dead", 6, .finally = mutex_finally, .arrange = die_with_it,
	  .operate = destroy, .judge = judge_made_new },
	{ "mutex-unlock-from-middle", 6, .finally = finally_three, .held = held,
	  .prepare = lock_three, .operate = unlock, .undo = unlock_two, .sleeper = sleeper,
	  .before = 1, .judge = judge_three },
	{ .name = NULL }
};
