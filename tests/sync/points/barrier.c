/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - the barrier's operations, cut off.
 *
 * The other members meet twice. If the victim dies, it is missing at the first meeting or, if it
 * had come to that one, at the second. In both cases each of the others is told once.
 */
#include "sync/points/scenes.h"

enum { THREE = 3 };

static int join_three(void)
{
	return mdg_barrier_join(&ON->barrier, THREE);
}
static int join_alone(void)
{
	return mdg_barrier_join(&ON->barrier, 1);
}
static int leave(void)
{
	return mdg_barrier_leave(&ON->barrier);
}

static int met(int rc)
{
	return rc == MDG_LAST ? 0 : rc;
}

static int meet(void)
{
	return met(mdg_barrier_wait(&ON->barrier, THREE));
}
static int meet_in_time(void)
{
	return met(mdg_barrier_wait_until(&ON->barrier, THREE, GRACE));
}
static int meet_alone(void)
{
	return met(mdg_barrier_wait(&ON->barrier, 1));
}
static int meet_briefly(void)
{
	return mdg_barrier_wait_until(&ON->barrier, THREE, mdg_deadline(3000000));
}

static int meet_and_leave(void)
{
	int rc = meet();
	return rc == 0 ? leave() : rc;
}

/* Leaves only after two meetings. Otherwise its slot would be empty too early, and the others would
 * wait for somebody to take it. */
static void meet_twice(struct actor *me)
{
	about_to_sleep(me);
	for (int i = 0; i < 2; i++) {
		int rc = meet_in_time();
		say(me, rc);
		MUST(rc == 0 || rc == MDG_OWNER_DIED);
	}
	MUST(leave() == 0);
}

static void holder(struct actor *me)
{
	MUST(join_three() == 0);
	hold_on(me);
	meet_twice(me);
}

static void finally(struct actor *me)
{
	(void)me;
	MUST(mdg_barrier_destroy(&ON->barrier) == 0);
	MUST(mdg_barrier_wait(&ON->barrier, 1) == MDG_LAST && meet_alone() == 0);
	MUST(join_alone() == -EDEADLK && mdg_barrier_destroy(&ON->barrier) == -EBUSY);
	MUST(leave() == 0);
	MUST(leave() == -EPERM);
	MUST(mdg_barrier_destroy(&ON->barrier) == 0);
}

/* Alone after it: told at most once, then never more. */
static void finally_alone(struct actor *me)
{
	int rc = meet_alone();
	say(me, rc);
	MUST(rc == 0 || rc == MDG_OWNER_DIED);
	MUST(meet_alone() == 0 && leave() == 0);
	finally(me);
}

static void judge_members(const struct outcome *outcome)
{
	unsigned others = THREE - 1;
	if (outcome->told != (outcome->paused ? 0 : others))
		complain("%u of %u are told of a death", outcome->told, others);
}

static void judge_alone(const struct outcome *outcome)
{
	MUST(outcome->told <= (outcome->paused ? 0u : 1u));
}

#define BARRIER .finally = finally, .judge = judge_members
const struct scenario barrier_scenes[] = {
	{ "barrier-join", 4, .finally = finally_alone, .operate = join_alone, .undo = leave,
	  .judge = judge_alone },
	{ "barrier-meet-alone", 4, .finally = finally_alone, .operate = meet_alone, .undo = leave,
	  .judge = judge_alone },
	{ "barrier-leave", 4, .finally = finally_alone, .prepare = meet_alone, .operate = leave,
	  .judge = judge_alone },
	{ "barrier-meet-last", 3, BARRIER, .prepare = join_three, .operate = meet,
	  .undo = meet_and_leave, .sleeper = meet_twice, .before = 2 },
	{ "barrier-meet-sleeps", 5, BARRIER, .holder = holder, .prepare = join_three,
	  .operate = meet, .undo = meet_and_leave, .sleeper = meet_twice, .before = 1 },
	{ "barrier-meet-in-vain", 5, .finally = finally, .operate = meet_briefly, .undo = leave,
	  .judge = judge_alone },
	{ .name = NULL }
};
