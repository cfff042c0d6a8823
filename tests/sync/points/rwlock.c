/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - the rwlock's operations, cut off.
 *
 * If a writer dies, the next thread is told. If a reader dies, nobody is told, and a thread that
 * waits for the reader to leave goes on.
 */
#include "sync/points/scenes.h"
#include "sync/rwlock.h"

static int read_it(void)
{
	return mdg_rwlock_read(&ON->rwlock);
}
static int read_in_time(void)
{
	return mdg_rwlock_read_until(&ON->rwlock, GRACE);
}
static int write_it(void)
{
	return mdg_rwlock_write(&ON->rwlock);
}
static int write_briefly(void)
{
	return mdg_rwlock_write_until(&ON->rwlock, mdg_deadline(3000000));
}
static int read_briefly(void)
{
	return mdg_rwlock_read_until(&ON->rwlock, mdg_deadline(3000000));
}
static int unlock(void)
{
	return mdg_rwlock_unlock(&ON->rwlock);
}
static int repaired(void)
{
	return mdg_rwlock_set_repaired(&ON->rwlock);
}
static int destroy(void)
{
	return mdg_rwlock_destroy(&ON->rwlock);
}

static int write_dead(void)
{
	return write_it() == MDG_OWNER_DIED ? 0 : -1;
}

static int unlock_repaired(void)
{
	int rc = repaired();
	return rc == 0 || rc == -EINVAL || rc == -EPERM ? unlock() : rc;
}

/* Whether the victim held the lock for writing and was inside. A writer that still waits for
 * readers to leave has only announced itself. */
static void pass_alone(struct actor *me, int rc)
{
	say(me, rc);
	if (rc != 0 && rc != MDG_OWNER_DIED) {
		complain("the rwlock gives %d", rc);
		return;
	}
	be_alone();
	MUST(repaired() == (rc == 0 ? -EINVAL : 0));
	MUST(unlock() == 0);
}

static void pass_reading(struct actor *me, int rc)
{
	if (rc != 0) {
		pass_alone(me, rc);
		return;
	}
	say(me, rc);
	MUST(atomic_load(&stage->inside) == 0);
	MUST(unlock() == 0);
}

static void sleeper(struct actor *me)
{
	about_to_sleep(me);
	if (me == &stage->actor[SLEEPERS_FIRST])
		pass_alone(me, write_it());
	else
		pass_reading(me, read_it());
}

/* Only readers sleep: a writer would keep the victim out. */
static void reading_sleeper(struct actor *me)
{
	about_to_sleep(me);
	pass_reading(me, read_it());
}

static void writing_sleeper(struct actor *me)
{
	about_to_sleep(me);
	pass_alone(me, write_it());
}

static void writer(struct actor *me)
{
	MUST(write_it() == 0);
	hold_on(me);
	be_alone();
	MUST(unlock() == 0);
}

static void reader(struct actor *me)
{
	MUST(read_it() == 0);
	hold_on(me);
	MUST(unlock() == 0);
}

static void die_writing(struct actor *me)
{
	(void)me;
	MUST(write_it() == 0);
	die();
}

static void die_reading(struct actor *me)
{
	(void)me;
	MUST(read_it() == 0);
	die();
}

static void finally(struct actor *me)
{
	pass_alone(me, mdg_rwlock_trywrite(&ON->rwlock));
	MUST(mdg_rwlock_tryread(&ON->rwlock) == 0 && read_it() == -EDEADLK && unlock() == 0);
	MUST(unlock() == -EPERM);
	MUST(destroy() == 0 && owned_is_new(&ON->rwlock));
	MUST(mdg_rwlock_trywrite(&ON->rwlock) == 0 && unlock() == 0);
}

/* Each lock that is had is given back at once. Where a writer sleeps, no reader may pass it. */
static void try_it(struct actor *me)
{
	(void)me;
	int rc = mdg_rwlock_tryread(&ON->rwlock);
	MUST(rc == 0 || rc == -EBUSY);
	MUST(rc != 0 || unlock() == 0);
	rc = mdg_rwlock_write_until(&ON->rwlock, mdg_deadline(1000000));
	MUST(rc == 0 || rc == -ETIMEDOUT);
	MUST(rc != 0 || unlock() == 0);
	rc = mdg_rwlock_read_until(&ON->rwlock, mdg_deadline(1000000));
	MUST(rc == 0 || rc == -ETIMEDOUT);
	MUST(rc != 0 || unlock() == 0);
}

/* Whether the victim held the lock for writing and was inside. A writer that still waits for
 * readers to leave has only announced itself. */
static bool held(const struct outcome *outcome)
{
	const struct mdg__rwlock *lock = (const void *)&outcome->then.rwlock;
	return owned_by(lock, outcome->victim) && atomic_load(&lock->inside) != 0;
}

static void judge_dead(const struct outcome *outcome)
{
	bool victim_told = outcome->paused && stage->result == MDG_OWNER_DIED;
	if (outcome->told + victim_told != 1)
		complain("a death is told %u times to others", outcome->told);
}

#define RWLOCK .finally = finally, .held = held
const struct scenario rwlock_scenes[] = {
	{ "rwlock-read", 6, RWLOCK, .operate = read_it, .undo = unlock, .beside = try_it },
	{ "rwlock-write", 6, RWLOCK, .operate = write_it, .undo = unlock, .beside = try_it },
	{ "rwlock-unlock-read", 4, RWLOCK, .prepare = read_it, .operate = unlock },
	{ "rwlock-unlock-read-awaited", 6, RWLOCK, .prepare = read_it, .operate = unlock,
	  .sleeper = sleeper, .before = 3, .beside = try_it },
	{ "rwlock-unlock-write", 4, RWLOCK, .prepare = write_it, .operate = unlock },
	{ "rwlock-unlock-write-awaited", 6, RWLOCK, .prepare = write_it, .operate = unlock,
	  .sleeper = sleeper, .before = 3, .beside = try_it },
	{ "rwlock-unlock-write-to-readers", 6, RWLOCK, .prepare = write_it, .operate = unlock,
	  .sleeper = reading_sleeper, .before = 3, .beside = try_it },
	{ "rwlock-read-beside-reader", 6, RWLOCK, .holder = reader, .operate = read_it,
	  .undo = unlock, .keeps = true, .beside = try_it },
	{ "rwlock-write-drains", 10, RWLOCK, .holder = reader, .operate = write_it, .undo = unlock,
	  .sleeper = reading_sleeper, .after = 2, .beside = try_it },
	{ "rwlock-write-drains-in-vain", 8, RWLOCK, .holder = reader, .operate = write_briefly,
	  .sleeper = reading_sleeper, .after = 2, .keeps = true, .beside = try_it },
	{ "rwlock-write-queued", 10, RWLOCK, .holder = writer, .operate = write_it, .undo = unlock,
	  .sleeper = sleeper, .after = 3, .beside = try_it },
	{ "rwlock-read-waits", 10, RWLOCK, .holder = writer, .operate = read_in_time,
	  .undo = unlock, .sleeper = sleeper, .after = 3, .beside = try_it },
	{ "rwlock-read-waits-in-vain", 8, RWLOCK, .holder = writer, .operate = read_briefly,
	  .sleeper = writing_sleeper, .after = 2, .keeps = true, .beside = try_it },
	{ "rwlock-read-dead", 6, .finally = finally, .arrange = die_writing, .operate = read_it,
	  .undo = unlock_repaired, .judge = judge_dead },
	{ "rwlock-write-dead", 6, .finally = finally, .arrange = die_writing, .operate = write_it,
	  .undo = unlock_repaired, .judge = judge_dead },
	{ "rwlock-write-dead-reader", 6, RWLOCK, .arrange = die_reading, .operate = write_it,
	  .undo = unlock, .beside = try_it },
	{ "rwlock-repaired", 1, RWLOCK, .arrange = die_writing, .prepare = write_dead,
	  .operate = repaired, .undo = unlock, .sleeper = sleeper, .before = 3 },
	{ "rwlock-destroy", 6, RWLOCK, .operate = destroy },
	{ .name = NULL }
};
