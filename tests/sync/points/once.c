/* SPDX-License-Identifier: MIT */
/*
 * once.c - once and the cell, cut off: one at a time, and what it does appears whole or not.
 */
#include "sync/cell.h"
#include "sync/points/scenes.h"

/* ---- once -------------------------------------------------------------------------------- */

static int once_begin(void)
{
	return mdg_once_begin(&ON->once);
}
static int once_done(void)
{
	return mdg_once_finish(&ON->once);
}
static int once_failed(void)
{
	return mdg_once_fail(&ON->once);
}
static int once_destroy(void)
{
	return mdg_once_destroy(&ON->once);
}

static int once_do(void)
{
	return once_begin() == 0 ? once_done() : -1;
}

static int once_end(void)
{
	int rc = once_failed();
	return rc == -EPERM ? 0 : rc; /* another had done it */
}

static void once_pass(struct actor *me, int rc)
{
	say(me, rc);
	if (rc == MDG_DONE)
		return;
	if (rc != 0 && rc != MDG_OWNER_DIED) {
		complain("once gives %d", rc);
		return;
	}
	be_alone();
	MUST(once_failed() == 0);
}

static void once_sleeper(struct actor *me)
{
	about_to_sleep(me);
	once_pass(me, once_begin());
}

static void once_holder(struct actor *me)
{
	MUST(once_begin() == 0);
	hold_on(me);
	be_alone();
	MUST(once_failed() == 0);
}

static void once_die(struct actor *me)
{
	(void)me;
	MUST(once_begin() == 0);
	die();
}

static void once_finally(struct actor *me)
{
	int rc = mdg_once_trybegin(&ON->once);
	say(me, rc);
	MUST(rc == MDG_DONE || rc == 0 || rc == MDG_OWNER_DIED);
	if (rc != MDG_DONE)
		MUST(once_begin() == -EDEADLK && once_done() == 0);
	MUST(once_begin() == MDG_DONE && once_done() == -EPERM);
	MUST(once_destroy() == 0 && once_begin() == 0 && once_failed() == 0);
	MUST(owned_is_new(&ON->once));
}

static void once_beside(struct actor *me)
{
	(void)me;
	int rc = mdg_once_begin_until(&ON->once, mdg_deadline(1000000));
	MUST(rc == 0 || rc == -ETIMEDOUT || rc == MDG_DONE);
	MUST(rc != 0 || once_failed() == 0);
}

static bool once_held(const struct outcome *outcome)
{
	return owned_by(&outcome->then.once, outcome->victim);
}

/* From one point on the work is done for all. At the points before that a death is told. */
static void judge_done(const struct outcome *outcome)
{
	unsigned done = heard(MDG_DONE), all = outcome->sleepers + 1;
	if (outcome->paused && done != all)
		complain("%u of %u are told that it is done", done, all);
	if (!outcome->paused && outcome->told > 1)
		complain("a death is told %u times", outcome->told);
	if (!outcome->paused && !outcome->held && done + outcome->told == 0)
		complain("it is neither done nor has anybody died");
	if (done != 0 && done != all)
		complain("it is done for %u of %u", done, all);
}

static void judge_once_dead(const struct outcome *outcome)
{
	bool victim_told = outcome->paused && stage->result == MDG_OWNER_DIED;
	if (outcome->told + victim_told != 1)
		complain("a death is told %u times to others", outcome->told);
}

/* Taken away with the rest, at one point. */
static void judge_at_most_once(const struct outcome *outcome)
{
	MUST(outcome->told <= 1);
}

/* ---- cell -------------------------------------------------------------------------------- */

static mdg_cell *cell(void)
{
	return (mdg_cell *)(void *)ON->cell;
}

static void fill(unsigned char value[CELL_VALUE], int with)
{
	memset(value, with, CELL_VALUE);
}

static int cell_put(int with)
{
	unsigned char value[CELL_VALUE];
	fill(value, with);
	return mdg_cell_write(cell(), value, CELL_VALUE);
}

enum { OLD = 1, NEW = 2, LATER = 3 };
static int cell_old(void)
{
	return cell_put(OLD);
}
static int cell_new(void)
{
	return cell_put(NEW);
}

static int cell_begin(void)
{
	void *place;
	int rc = mdg_cell_begin(cell(), CELL_VALUE, &place);
	if (rc == 0 || rc == MDG_OWNER_DIED)
		memset(place, NEW, CELL_VALUE);
	return rc;
}

static int cell_begin_after_old(void)
{
	int rc = cell_old();
	return rc == 0 ? cell_begin() : rc;
}

static int cell_commit(void)
{
	return mdg_cell_commit(cell());
}
static int cell_cancel(void)
{
	return mdg_cell_cancel(cell());
}
static int cell_destroy(void)
{
	return mdg_cell_destroy(cell());
}

/* What is in there: 0, OLD or NEW, and that as a whole. */
static int cell_value(void)
{
	unsigned char value[CELL_VALUE];
	uint32_t version = 0;
	MUST(mdg_cell_read(cell(), value, CELL_VALUE, &version) == 0);
	MUST(memcmp(value, value + 1, CELL_VALUE - 1) == 0);
	MUST(value[0] <= LATER);
	return value[0];
}

static void cell_sleeper(struct actor *me)
{
	about_to_sleep(me);
	say(me, cell_put(LATER));
	MUST(cell_value() == LATER);
}

static void cell_die(struct actor *me)
{
	(void)me;
	MUST(cell_old() == 0 && cell_begin() == 0);
	die();
}

static void cell_holder(struct actor *me)
{
	MUST(cell_begin_after_old() == 0);
	hold_on(me);
	MUST(cell_cancel() == 0);
}

static void cell_finally(struct actor *me)
{
	int was = cell_value();
	int rc = mdg_cell_trywrite(cell(), (unsigned char[CELL_VALUE]){ 0 }, CELL_VALUE);
	say(me, rc);
	MUST(rc == 0 || rc == MDG_OWNER_DIED);
	me->said[SAID_MOST - 1] = was;
	MUST(cell_value() == 0);
	MUST(cell_new() == 0 && cell_value() == NEW);
	MUST(cell_destroy() == 0 && cell_value() == 0 && owned_is_new(cell()));
}

/* A reader is never in anybody's way, nor is anybody in its. */
static void cell_beside(struct actor *me)
{
	(void)me;
	(void)cell_value();
	int rc = mdg_cell_write_until(cell(), (unsigned char[CELL_VALUE]){ 0 }, CELL_VALUE,
	                              mdg_deadline(1000000));
	MUST(rc == 0 || rc == -ETIMEDOUT);
	(void)cell_value();
}

static bool cell_held(const struct outcome *outcome)
{
	return owned_by(outcome->then.cell, outcome->victim);
}

static int cell_version(const struct outcome *outcome)
{
	const struct mdg__cell *seen = (const void *)outcome->then.cell;
	return (int)atomic_load(&seen->version);
}

/* Nobody else wrote: what is there is what the version says. */
static void judge_value(const struct outcome *outcome)
{
	int was = stage->actor[0].said[SAID_MOST - 1];
	judge_told(outcome);
	if (!outcome->paused && outcome->sleepers == 0 && was != cell_version(outcome))
		complain("version %d has the value %d", cell_version(outcome), was);
}

#define CELL .finally = cell_finally, .held = cell_held
#define ONCE .finally = once_finally, .held = once_held
const struct scenario once_scenes[] = {
	{ "once-begin", 6, ONCE, .operate = once_begin, .undo = once_end, .beside = once_beside },
	{ "once-begin-waits", 10, ONCE, .holder = once_holder, .operate = once_begin,
	  .undo = once_end, .sleeper = once_sleeper, .after = 2, .beside = once_beside },
	{ "once-begin-dead", 6, .finally = once_finally, .arrange = once_die, .operate = once_begin,
	  .undo = once_end, .judge = judge_once_dead },
	{ "once-done", 5, ONCE, .prepare = once_begin, .operate = once_done, .judge = judge_done },
	{ "once-done-awaited", 8, ONCE, .prepare = once_begin, .operate = once_done,
	  .sleeper = once_sleeper, .before = 3, .judge = judge_done, .beside = once_beside },
	{ "once-failed", 4, ONCE, .prepare = once_begin, .operate = once_failed,
	  .beside = once_beside },
	{ "once-failed-awaited", 6, ONCE, .prepare = once_begin, .operate = once_failed,
	  .sleeper = once_sleeper, .before = 3, .beside = once_beside },
	{ "once-destroy", 6, ONCE, .prepare = once_do, .operate = once_destroy,
	  .judge = judge_at_most_once },
	{ "cell-first-write", 8, CELL, .operate = cell_old, .beside = cell_beside },
	{ "cell-write", 8, CELL, .prepare = cell_old, .operate = cell_new, .judge = judge_value },
	{ "cell-write-waits", 12, CELL, .holder = cell_holder, .operate = cell_new,
	  .sleeper = cell_sleeper, .after = 2, .beside = cell_beside },
	{ "cell-begin", 7, CELL, .prepare = cell_old, .operate = cell_begin, .undo = cell_cancel,
	  .judge = judge_value },
	{ "cell-begin-dead", 7, .finally = cell_finally, .arrange = cell_die, .operate = cell_begin,
	  .undo = cell_cancel, .judge = judge_once_dead },
	{ "cell-commit", 5, CELL, .prepare = cell_begin_after_old, .operate = cell_commit,
	  .judge = judge_value },
	{ "cell-commit-awaited", 7, CELL, .prepare = cell_begin_after_old, .operate = cell_commit,
	  .sleeper = cell_sleeper, .before = 2, .beside = cell_beside },
	{ "cell-cancel-awaited", 6, CELL, .prepare = cell_begin_after_old, .operate = cell_cancel,
	  .sleeper = cell_sleeper, .before = 2, .beside = cell_beside },
	{ "cell-destroy", 8, CELL, .prepare = cell_old, .operate = cell_destroy },
	{ .name = NULL }
};
