/* SPDX-License-Identifier: MIT */
/*
 * points.c - death, and a long pause, at every store.
 *
 *     points [--all] [--every N] [--jobs N] [--only check|use|stop] [--from POINT] [--list]
 *            [SCENARIO...]
 *
 * Each scenario (scenarios.c) is first run without harm, to learn what there is
 * to be seen before and after it. Then, for every point of it (victim.h), the
 * same world is made again, and (with --all each time, else in turns)
 *   check   the process is killed at the point; another one runs the check,
 *           which finds no damage, repairs, and finds nothing any more;
 *   use     the process is killed there; another one simply goes on working,
 *           and that alone leaves nothing for the check to find;
 *   stop    the process is stopped there: others go on, or wait when it holds
 *           the writer lock (once for a second); then it goes on, and all is as
 *           without the pause.
 * After a death the operation has happened entirely or not at all, there is one
 * point from which on it has, and doing it again works as it should then.
 *
 * When at last everybody is dead, nothing of them is left.
 *
 * --every N: only every Nth point, and other ones in each minute. So the test is short where what
 * is compiled differs little from the default build, which plays all points.
 *
 * Nothing here is random. The first call after a death may take WAIT_MS at most,
 * its own work included. What counts is when it ran and when it slept, not when
 * it was ready to run and other processes had the processor; and what was too
 * long is done again, up to TRIES times, before it is believed: the library would
 * wait each time, a machine that held us up does not.
 */
#include "crash/scenarios.h"
#include "crash/victim.h"
#include "crash/world.h"
#include "support/check.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWNESS 4
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWNESS 4
#endif
#ifndef SLOWNESS
#define SLOWNESS 1 /* instrumented code is slower, and the call's own work counts */
#endif

enum {
	HANG_MS = 5000,          /* then it is hopeless */
	STORES_MOST = 20000,     /* no operation makes as many: see victim.c */
	PAUSE_MS = 25,           /* more than twice the patience of who waits for a lock */
	LONG_PAUSE_MS = 1000,    /* once in each scenario: he asks many times, and is not misled */
	WAIT_MS = 50 * SLOWNESS, /* for the dead */
	TRIES = 10,
	TIME_STORES = 12, /* of two times: note and store */
	SECOND = 1000000000
};
/* So many system calls, at most, make sure that there is memory to look at. */
#define BEFORE_REPAIR 24
enum way { BY_CHECK, BY_USE, BY_STOP, WAYS };
static const char *const way_names[] = { "check", "use", "stop" };

struct reference {
	struct state before, after, alive; /* the process dead at once, dead at the end, alive */
	int again_before, again_after;     /* the second time, after each of the two */
	int result;                        /* of the operation */
	unsigned points;
	struct victim whole; /* as it was at its end, unharmed */
};

struct settings {
	int jobs;
	int only; /* enum way, or -1 */
	unsigned from;
	unsigned every, first; /* of so many points one; the first of them is not always the same */
	bool all;
};

/* ---- those who come later ------------------------------------------------------------- */

/* Nanoseconds in which this process ran or slept: what its scheduler says it
 * waited for a processor is taken off, where the kernel tells. */
static uint64_t now(void)
{
	struct timespec time;
	unsigned long long ran, ready = 0;
	FILE *file = fopen("/proc/self/schedstat", "re");
	if (file != NULL) {
		if (fscanf(file, "%llu %llu", &ran, &ready) != 2)
			ready = 0;
		fclose(file);
	}
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec - ready;
}

#define FOUND(kind)    (1u << MDG_FOUND_##kind)
#define FOUND_OF_DEATH (FOUND(DEAD_SLOT) | FOUND(DEAD_OWNER))

static int come_and_check(const struct world *world, void *argument)
{
	const struct scenario *scenario = argument;
	unsigned damage = (scenario->flags & SCENARIO_DAMAGED ? FOUND(DAMAGE) : 0) |
	                  (scenario->flags & SCENARIO_FILE ? FOUND(HALF_SET) : 0);
	mdg_namespace *ns = world_open(world);
	uint64_t begin = now();
	/* Nothing reaps yet, so what the dead were at is reported as it is. */
	world_check(ns, 0, FOUND_OF_DEATH | FOUND(HALF_MADE) | damage);
	desk->wait = now() - begin;
	/* Reaping comes first, and leaves nothing half made. */
	world_check(ns, MDG_CHECK_REPAIR, FOUND_OF_DEATH | damage);
	world_check(ns, 0, 0);
	world_look(world, ns, 1);
	return 0;
}

static int come_and_use(const struct world *world, void *argument)
{
	const struct scenario *scenario = argument;
	mdg_namespace *ns = world_open(world);
	mdg_id id = -1;
	uint64_t begin = now();
	int rc = mdg_segment_get(ns, 0, 4096, 0600, &id);
	desk->wait = now() - begin;
	if (rc < 0)
		complain("a segment cannot be made: %s", mdg_strerror(rc));
	else if ((rc = mdg_segment_remove(ns, id)) < 0)
		complain("a segment cannot be removed: %s", mdg_strerror(rc));
	world_look(world, ns, 1);
	world_check(ns, 0, scenario->flags & SCENARIO_FILE ? FOUND(HALF_SET) : 0);
	return 0;
}

static int come_and_look(const struct world *world, void *unused)
{
	(void)unused;
	mdg_namespace *ns = world_open(world);
	world_check(ns, 0, FOUND(DEAD_SLOT));
	world_look(world, ns, 1);
	world_check(ns, 0, 0);
	return 0;
}

/* Nothing is left of a process when all that had anything to do with it are dead. */
static int come_last(const struct world *world, void *unused)
{
	(void)unused;
	mdg_namespace *ns = world_open(world);
	world_check(ns, 0, FOUND_OF_DEATH);
	world_look(world, ns, 1);
	world_check(ns, 0, 0);
	for (uint32_t i = 0; i < desk->state.segments; i++)
		if (desk->state.segment[i].attached != 0 ||
		    (desk->state.segment[i].mode & MDG_MODE_REMOVED))
			complain("segment %d is still held or removed, with nobody there",
			         desk->state.segment[i].id);
	if (desk->state.processes != 0)
		complain("%u slots of the dead are still taken", desk->state.processes);
	return 0;
}

static int do_it_again(const struct world *world, void *argument)
{
	struct scene scene = { .world = world, .scenario = argument, .again = true };
	int rc = scene_body(&scene);
	if (scene.ns != NULL)
		world_check(scene.ns, 0, FOUND(DEAD_SLOT));
	return rc;
}

/* What others do while the victim is stopped. It has nothing to do with the victim, unless the
 * scenario says so. */
static int work_beside(const struct world *world, void *argument)
{
	const struct scenario *scenario = argument;
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	mdg_id id;
	desk->steps = 0;
	mdg_namespace *ns = world_open(world);
	desk->steps = 1;
	int rc = mdg_segment_get(ns, 0, 4096, 0600, &id);
	desk->steps = 2;
	if (rc == 0)
		rc = mdg_segment_remove(ns, id);
	desk->steps = 3;
	while (rc >= 0 && (rc = mdg_segment_next(ns, &cursor, 0, &info)) > 0)
		;
	desk->steps = 4;
	if (rc >= 0 && (scenario->flags & SCENARIO_MEDDLED))
		rc = mdg_segment_set(ns, world->held, geteuid(), getegid(), 0640);
	desk->steps = 5;
	if (rc < 0)
		complain("somebody who worked beside it got: %s", mdg_strerror(rc));
	return rc;
}

/* ---- one run of a scenario -------------------------------------------------------------- */

static bool prepare_world(struct world *world, const struct scenario *scenario)
{
	bool keeper = !(scenario->flags & SCENARIO_FIRST);
	return world_make(world, &scenario->options, keeper) &&
	       (scenario->arrange == NULL || scenario->arrange(world));
}

/* A forked child is driven when its parent has come to its end. */
static enum victim_event run_child(struct victim *victim, unsigned points)
{
	enum victim_event event = VICTIM_POINT;
	victim->hold_child = true;
	while (event == VICTIM_POINT || event == VICTIM_FORKED)
		event = victim_next(victim);
	if (event != VICTIM_ENDED || victim->child <= 0)
		return VICTIM_DIED;
	victim->stores = victim->calls = 0;
	event = VICTIM_POINT;
	for (unsigned point = 0; point < points && event == VICTIM_POINT; point++)
		event = victim_child_next(victim);
	return event;
}

/* Starts the operation and lets it come to this point, 0 being its beginning.
 * `whole`: how it went before, or NULL. */
static enum victim_event run(struct victim *victim, struct scene *scene, unsigned points,
                             const struct victim *whole)
{
	enum victim_event event = VICTIM_POINT;
	if (!victim_start(victim, scene->world->registry, scene_body, scene))
		return VICTIM_DIED;
	if (scene->scenario->flags & SCENARIO_CHILD)
		return run_child(victim, points);
	if (whole != NULL)
		event = victim_skip(victim, whole, points);
	while (event == VICTIM_POINT && victim_points(victim) < points)
		event = victim_next(victim);
	return event;
}

static void kill_victim(struct victim *victim, const struct scenario *scenario)
{
	if (scenario->flags & SCENARIO_CHILD)
		victim_child_kill(victim);
	else
		victim_kill(victim);
}

static void end_run(struct victim *victim, struct world *world)
{
	victim_kill(victim);
	victim_child_kill(victim);
	world_end(world);
}

/* ---- what is to be expected --------------------------------------------------------------- */

/* Kills the process at the beginning of the operation, or lets the operation end. Notes what others
 * see then, and what doing it again returns. */
static bool learn_one(const struct scenario *scenario, bool whole, struct reference *reference)
{
	struct world world;
	struct victim victim = { 0 };
	struct scene scene = { .world = &world, .scenario = scenario };
	if (!prepare_world(&world, scenario))
		return false;
	victim.watched = whole;
	enum victim_event event = run(&victim, &scene, whole ? STORES_MOST : 0, NULL);
	if (event != (whole ? VICTIM_ENDED : VICTIM_POINT)) {
		if (event == VICTIM_POINT)
			printf("skipped: stores do not end: this processor loses exclusive access "
			       "at each fault\n");
		else
			complain("it does not come to its end");
		end_run(&victim, &world);
		exit(event == VICTIM_POINT ? 77 : 1);
	}
	if (whole) {
		if (victim.missed != 0)
			complain("the registry changed %u times between its stores", victim.missed);
		reference->points = victim_points(&victim);
		reference->whole = victim;
		reference->result = victim_result();
		world_run(&world, come_and_look, NULL, HANG_MS);
		reference->alive = desk->state;
	}
	kill_victim(&victim, scenario);
	union {
		const struct scenario *is;
		void *passed;
	} argument = { scenario };
	world_run(&world, come_and_check, argument.passed, HANG_MS);
	*(whole ? &reference->after : &reference->before) = desk->state;
	*(whole ? &reference->again_after : &reference->again_before) =
		world_run(&world, do_it_again, argument.passed, HANG_MS);
	end_run(&victim, &world);
	return true;
}

static bool learn(const struct scenario *scenario, struct reference *reference)
{
	snprintf(world_context, sizeof(world_context), "%s: unharmed", scenario->name);
	return learn_one(scenario, false, reference) && learn_one(scenario, true, reference);
}

/* ---- killed --------------------------------------------------------------------------------- */

/* System calls change the owner and mode of a data file, and stores change the registry. After a
 * death between the two, one may have its old value and the other its new value. A check mends
 * that, and so does setting them again. */
static void set_owners_apart(const struct reference *reference)
{
	for (uint32_t i = 0; i < desk->state.segments; i++) {
		const struct seen *now = &desk->state.segment[i];
		const struct seen *before = &reference->before.segment[i];
		const struct seen *after = &reference->after.segment[i];
		if ((now->file_mode != before->file_mode && now->file_mode != after->file_mode) ||
		    (now->file_uid != before->file_uid && now->file_uid != after->file_uid))
			complain("the file of segment %d has the mode %o and the owner %u", now->id,
			         now->file_mode, now->file_uid);
	}
	bool set = desk->state.segment[0].mode == reference->after.segment[0].mode;
	state_set_file_owners(&desk->state, set ? &reference->after : &reference->before);
}

/* What is known from one point to the next: whether the operation has happened, and at which point
 * that was first seen. */
struct course {
	bool happened;
	unsigned since;
};

/* Complains if it cannot be told whether the operation has happened. A time is stored only when its
 * second has changed. So one run may have TIME_STORES more points than another, and the later
 * points move by that. */
static void judge(const struct reference *reference, struct course *course, unsigned point)
{
	bool before = state_same(&desk->state, &reference->before);
	bool after = state_same(&desk->state, &reference->after);
	if (before && after)
		return; /* nothing of it outlives the process */
	if (!before && !after) {
		complain("it has happened in part");
		state_print("before", &reference->before);
		state_print("after", &reference->after);
		state_print("now", &desk->state);
	} else if (before && course->since != 0 && point > course->since + TIME_STORES) {
		complain("it had happened at point %u, and has not at this one", course->since);
	}
	if (after && course->since == 0)
		course->since = point;
	course->happened = after;
}

static void judge_again(const struct reference *reference, int rc, bool happened)
{
	bool same = state_same(&reference->before, &reference->after);
	int wanted = happened ? reference->again_after : reference->again_before;
	if (rc != wanted &&
	    !(same && (rc == reference->again_before || rc == reference->again_after)))
		complain("the second time gives %d (%s), not %d", rc,
		         rc < 0 ? mdg_strerror(rc) : "", wanted);
}

/* Only the check mends a damaged registry. But if a check has begun to and died, the next process
 * that takes the lock finishes its work. */
static bool is_to_be_used(const struct world *world, bool *mending)
{
	static struct raw raw;
	*mending = *mending ||
	           (raw_read(world, &raw) && raw_head(&raw)->undo_count == MDG__REBUILDING);
	return *mending;
}

/* False: the operation ended before it got to this point. */
static bool kill_at(const struct scenario *scenario, const struct reference *reference,
                    enum way way, unsigned point, struct course *course)
{
	struct world world;
	struct victim victim = { 0 };
	struct scene scene = { .world = &world, .scenario = scenario };
	if (!prepare_world(&world, scenario))
		return false;
	enum victim_event event = run(&victim, &scene, point, &reference->whole);
	if (event == VICTIM_DIED)
		complain("it dies of itself");
	kill_victim(&victim, scenario);
	union {
		const struct scenario *is;
		void *passed;
	} argument = { scenario };
	bool damaged = (scenario->flags & SCENARIO_DAMAGED) && way == BY_USE;
	if (event != VICTIM_DIED && (!damaged || is_to_be_used(&world, &course->happened))) {
		world_run(&world, way == BY_CHECK ? come_and_check : come_and_use, argument.passed,
		          HANG_MS);
		if ((scenario->flags & SCENARIO_FILE) && way == BY_USE)
			set_owners_apart(reference);
		judge(reference, course, point);
		course->happened = course->happened || damaged;
		judge_again(reference, world_run(&world, do_it_again, argument.passed, HANG_MS),
		            course->happened);
	}
	victim_kill(&victim);
	victim_child_kill(&victim);
	world_leave(&world);
	if (!damaged || course->happened)
		world_run(&world, come_last, NULL, HANG_MS);
	end_run(&victim, &world);
	if (event == VICTIM_ENDED && !course->happened &&
	    !state_same(&reference->before, &reference->after))
		complain("it ended, and has not happened");
	return event == VICTIM_POINT;
}

/* Kills at the point, and again if the first call after the death took too long, up to TRIES times.
 * `longest`: the longest first call of all points. */
static bool kill_in_time(const struct scenario *scenario, const struct reference *reference,
                         enum way way, unsigned point, struct course *course, uint64_t *longest)
{
	const uint64_t most = (uint64_t)WAIT_MS * 1000000;
	bool more = true;
	for (int tries = 0; tries < TRIES; tries++) {
		desk->wait = 0;
		more = kill_at(scenario, reference, way, point, course);
		if (desk->wait <= most)
			break;
	}
	if (desk->wait > most)
		complain("the first call after it takes %llu ms each time",
		         (unsigned long long)(desk->wait / 1000000));
	*longest = desk->wait > *longest ? desk->wait : *longest;
	return more;
}

/* ---- stopped -------------------------------------------------------------------------------- */

/* Ids depend on who came first. */
static void forget_ids(struct state *state)
{
	for (uint32_t i = 0; i < state->segments; i++)
		state->segment[i].id = state->segment[i].found = 0;
}

/* Whether others have to wait: for the writer lock, or until there is a registry. */
static bool must_wait(const struct world *world, const struct scenario *scenario)
{
	static struct raw raw;
	if ((scenario->flags & SCENARIO_FIRST) &&
	    (!raw_read(world, &raw) || raw_head(&raw)->magic == 0))
		return true;
	return raw_lock_is_held(world);
}

static void pause_and_go_on(struct victim *victim, const struct world *world,
                            const struct scenario *scenario, int wanted)
{
	static bool paused_long; /* in this scenario's process */
	bool wait = must_wait(world, scenario);
	int pause = paused_long ? PAUSE_MS : LONG_PAUSE_MS;
	paused_long = paused_long || wait;
	desk->rc = -1;
	union {
		const struct scenario *is;
		void *passed;
	} argument = { scenario };
	pid_t other = world_begin(world, work_beside, argument.passed);
	int status = world_await(other, wait ? pause : HANG_MS);
	if (status == -1 && !wait)
		complain("others do not go on at their step %u, and nobody holds the lock",
		         desk->steps);
	if (status != -1 && wait && !(scenario->flags & SCENARIO_FIRST))
		complain("others went on though a living process holds the writer lock");
	if (!victim_go_on(victim, HANG_MS))
		complain("it does not go on to its end after the pause");
	else if (victim_result() != wanted)
		complain("it gives %d (%s) after the pause, not %d", victim_result(),
		         mdg_strerror(victim_result()), wanted);
	if (status == -1 && world_await(other, HANG_MS) == -1) {
		complain("others hang at their step %u", desk->steps);
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
}

static bool stop_at(const struct scenario *scenario, const struct reference *reference,
                    unsigned point)
{
	struct world world;
	struct victim victim = { 0 };
	struct scene scene = { .world = &world, .scenario = scenario };
	if (!prepare_world(&world, scenario))
		return false;
	enum victim_event event = run(&victim, &scene, point, &reference->whole);
	if (event == VICTIM_POINT) {
		victim_stop(&victim);
		pause_and_go_on(&victim, &world, scenario, reference->result);
		world_run(&world, come_and_look, NULL, HANG_MS);
		struct state wanted = reference->alive, seen = desk->state;
		forget_ids(&wanted);
		forget_ids(&seen);
		/* Who comes last is right; that the file is too, was checked. */
		if (!(scenario->flags & SCENARIO_MEDDLED) && !state_same(&wanted, &seen)) {
			complain("after the pause it is not as without");
			state_print("without", &wanted);
			state_print("now", &seen);
		}
	}
	end_run(&victim, &world);
	return event == VICTIM_POINT;
}

/* Without --all, each point is a death once, and check and use take turns. Every fifth point is
 * also a pause. A repair has hundreds of points at similar stores, so only some of them are
 * chosen. With --every, all this is done with that share of the points, and with the last ones. */
static bool is_chosen(const struct settings *settings, const struct scenario *scenario,
                      const struct reference *reference, enum way way, unsigned point)
{
	unsigned step = settings->every * (scenario->flags & SCENARIO_DAMAGED ? 7 : 1);
	unsigned turn = point / step;
	if (point + 2 > reference->points)
		return true;
	/* Similar scenarios are cut off at different points. */
	unsigned number = settings->every > 1 ? (unsigned)(scenario - scenarios) : 0;
	if (point % step != (settings->first + number) % step)
		return false;
	/* As long as a stopped process has not begun to repair, the others work with the damage. */
	if (way == BY_STOP && (scenario->flags & SCENARIO_DAMAGED) && point <= BEFORE_REPAIR)
		return false;
	if (way == BY_STOP && (scenario->flags & SCENARIO_MEDDLED))
		return true;
	return way == BY_STOP ? turn % 5 == 2 : turn % 2 == (way == BY_CHECK);
}

/* ---- all of a scenario ---------------------------------------------------------------------- */

static unsigned run_way(const struct scenario *scenario, const struct reference *reference,
                        enum way way, const struct settings *settings, uint64_t *longest)
{
	struct course course = { false, 0 };
	bool more = true;
	unsigned point = settings->from, runs = 0;
	/* If the second changes, the operation has one store of a time more or less. So the loop
	 * ends where the operation ends this time, not where it ended before. */
	for (; more && desk->complaints < 12; point++) {
		snprintf(world_context, sizeof(world_context), "%s: %s at point %u of %u",
		         scenario->name, way_names[way], point, reference->points);
		if (!settings->all && !is_chosen(settings, scenario, reference, way, point))
			continue;
		more = way == BY_STOP
		               ? stop_at(scenario, reference, point)
		               : kill_in_time(scenario, reference, way, point, &course, longest);
		runs++;
	}
	if (!more && point + 4 < reference->points)
		complain("it ended, and had %u points before", reference->points);
	return runs;
}

/* Tracer, victim and helper always wait for each other. That is cheaper on one processor. */
static void stay_on_one_processor(unsigned which)
{
	cpu_set_t all, one;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	which %= (unsigned)CPU_COUNT(&all);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && which-- == 0)
			CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

/* In a process of its own. */
static int run_scenario(const struct scenario *scenario, const struct settings *settings)
{
	static struct reference reference;
	stay_on_one_processor((unsigned)(scenario - scenarios));
	world_init();
	victim_init();
	if (!learn(scenario, &reference))
		return 1;
	unsigned points = reference.points, runs = 0;
	uint64_t longest = 0;
	snprintf(world_context, sizeof(world_context), "%s", scenario->name);
	if (points < scenario->least)
		complain("%u points cannot be all of them", points);
	for (int way = 0; way < WAYS; way++)
		if ((settings->only < 0 || settings->only == way) &&
		    !(way == BY_STOP && (scenario->flags & SCENARIO_CHILD)))
			runs += run_way(scenario, &reference, (enum way)way, settings, &longest);
	dprintf(STDOUT_FILENO,
	        "%-20s %4u points: %3u stores, %2u calls; %4u deaths and pauses; "
	        "longest wait %2llu ms%s\n",
	        scenario->name, points, reference.whole.stores, reference.whole.calls, runs,
	        (unsigned long long)(longest / 1000000), desk->complaints != 0 ? "; FAILED" : "");
	return desk->complaints == 0 ? 0 : 1;
}

/* ---- all scenarios -------------------------------------------------------------------------- */

static struct settings read_settings(int argc, char **argv, bool *chosen)
{
	struct settings settings = { .jobs = 6, .only = -1, .from = 1, .every = 1 };
	bool all = true;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		unsigned which = 0;
		while (which < scenario_count && strcmp(scenarios[which].name, argv[i]) != 0)
			which++;
		if (which < scenario_count) {
			chosen[which] = true;
			all = false;
		} else if (strcmp(argv[i], "--jobs") == 0) {
			settings.jobs = atoi(value);
			i++;
		} else if (strcmp(argv[i], "--from") == 0) {
			settings.from = (unsigned)atoi(value);
			i++;
		} else if (strcmp(argv[i], "--every") == 0) {
			settings.every = atoi(value) > 0 ? (unsigned)atoi(value) : 1;
			settings.first = settings.every > 1 ? (unsigned)(time(NULL) / 60) : 0;
			i++;
		} else if (strcmp(argv[i], "--all") == 0) {
			settings.all = true;
		} else if (strcmp(argv[i], "--only") == 0) {
			for (int way = 0; way < WAYS; way++)
				if (strcmp(value, way_names[way]) == 0)
					settings.only = way;
			i++;
		} else {
			for (which = 0; which < scenario_count; which++)
				printf("%s\n", scenarios[which].name);
			exit(strcmp(argv[i], "--list") == 0 ? 0 : 2);
		}
	}
	for (unsigned which = 0; which < scenario_count; which++)
		chosen[which] = chosen[which] || all;
	return settings;
}

static void take_result(void)
{
	int status = -1;
	waitpid(-1, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		exit(77);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
	static bool chosen[64];
	struct settings settings = read_settings(argc, argv, chosen);
	const char *reason = "";
	if (!victim_possible(&reason))
		SKIP("no process can be held at its stores here: ptrace: %s", reason);
	int running = 0;
	for (unsigned which = 0; which < scenario_count; which++) {
		if (!chosen[which])
			continue;
		if (running == settings.jobs) {
			take_result();
			running--;
		}
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			_exit(run_scenario(&scenarios[which], &settings));
		}
		running += pid > 0;
		CHECK(pid > 0);
	}
	for (; running > 0; running--)
		take_result();
	return test_result();
}
