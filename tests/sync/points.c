/* SPDX-License-Identifier: MIT */
/*
 * points.c - death, and a pause, at every store of every operation, with others waiting.
 *
 *     points [--all] [--every N] [--list] [--only kill|pause] [--from POINT] [SCENARIO...]
 *
 * Each scenario (points/scene.h) is played again for each point of the victim's operation
 * (points/step.h): there the victim is
 *   killed: those who wait get through within WAIT_MS, the object serves whoever comes later, and
 *           MDG_OWNER_DIED is told once if the victim held it then, and else to nobody;
 *   paused: SIGSTOP, others come and try, SIGCONT: the operation ends as it would have, and
 *           nobody is told of a death. Without --all, every third point.
 * --every N: only every Nth of these points, and other ones in each minute. So the test is short
 * where what is compiled differs little from the default build, which plays all of them.
 *
 * Nothing is random. WAIT_MS are counted from the death, or from when the living holder gave
 * it back if that was later, to when the last waiter got through; what was too long is played
 * again, up to TRIES times, before it is believed: the library would wait each time, a machine
 * that held us up does not.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>

#include "sync/points/scene.h"
#include "sync/points/step.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOWNESS 4
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 4
#endif
#ifndef SLOWNESS
#define SLOWNESS 1 /* instrumented code is slower, and starts slower */
#endif

enum {
	WAIT_MS = 50 * SLOWNESS,
	TRIES = 10,
	HANG_MS = 5000 * SLOWNESS,
	POINTS_MOST = 4000,
	COMPLAINTS_MOST = 12
};

struct stage *stage;

static struct settings {
	bool all, kill, pause;
	unsigned from;
	unsigned every, turn; /* of so many points one; with turn it is not always the same one */
} settings = { false, true, true, 0, 1, 0 };

void complain(const char *format, ...)
{
	char text[300];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (atomic_fetch_add(&stage->complaints, 1) < COMPLAINTS_MOST)
		dprintf(STDERR_FILENO, "%s: %s\n", stage->context, text);
}

/* ---- on the stage ------------------------------------------------------------------------ */

void say(struct actor *me, int rc)
{
	if (me->said_count == 0)
		me->through = now_ns();
	if (me->said_count < SAID_MOST)
		me->said[me->said_count++] = rc;
}

void hold_on(struct actor *me)
{
	atomic_store(&me->stage, 1);
	while (sem_wait(&stage->go) != 0)
		;
}

void be_alone(void)
{
	MUST(atomic_fetch_add(&stage->inside, 1) == 0);
	sched_yield();
	atomic_fetch_sub(&stage->inside, 1);
}

unsigned heard(int what)
{
	unsigned count = 0;
	for (int i = 0; i < ACTORS; i++)
		for (uint32_t j = 0; j < stage->actor[i].said_count; j++)
			count += stage->actor[i].said[j] == what;
	return count;
}

static void enter(unsigned which, role *play)
{
	struct actor *me = &stage->actor[which];
	atomic_store(&me->stage, 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		play(me);
		_exit(0);
	}
	me->pid = pid;
}

static void await_exit(unsigned which)
{
	struct actor *actor = &stage->actor[which];
	uint64_t end = mdg_deadline(HANG_MS * UINT64_C(1000000));
	if (actor->pid <= 0)
		return;
	while (waitpid(actor->pid, NULL, WNOHANG) == 0) {
		if (now_ns() > end) {
			complain("%s hangs", which == 0   ? "who comes last"
			                     : which == 1 ? "the holder"
			                                  : "a sleeper");
			killed(actor->pid);
			break;
		}
		sched_yield();
	}
	actor->pid = 0;
}

/* Until it is ready (and asleep). */
static void await_stage(unsigned which, bool asleep)
{
	struct actor *actor = &stage->actor[which];
	uint64_t end = mdg_deadline(HANG_MS * UINT64_C(1000000));
	while (atomic_load(&actor->stage) == 0 || (asleep && !is_asleep(actor->pid))) {
		if (now_ns() > end) {
			complain("actor %u does not come so far", which);
			return;
		}
		sched_yield();
	}
}

static unsigned sleepers; /* that there are */

static void let_sleep(const struct scenario *scenario, unsigned count)
{
	for (; count > 0; count--) {
		unsigned which = SLEEPERS_FIRST + sleepers++;
		enter(which, scenario->sleeper);
		await_stage(which, true);
	}
}

static void victim_body(void *argument)
{
	const struct scenario *scenario = argument;
	mdg_mutex warm = { { 0 } };
	if (!scenario->cold)
		MUST(mdg_mutex_lock(&warm) == 0 && mdg_mutex_unlock(&warm) == 0);
	if (scenario->prepare != NULL)
		MUST(scenario->prepare() == 0);
	step_begins();
	stage->result = scenario->operate();
	if (atomic_load(&stage->paused) == 0)
		step_ends();
	if (scenario->undo != NULL)
		MUST(scenario->undo() == 0);
}

/* ---- one play ---------------------------------------------------------------------------- */

struct play {
	const struct scenario *scenario;
	struct step victim;
	enum step_event event;
	unsigned points;
	bool released;  /* the holder */
	uint64_t since; /* when nobody was in the way any more */
};

static void release(struct play *play)
{
	if (play->released || play->scenario->holder == NULL)
		return;
	play->released = true;
	play->since = now_ns();
	sem_post(&stage->go);
	if (play->scenario->keeps) /* nothing else happens meanwhile */
		await_exit(1);
}

static bool begin(struct play *play, const struct scenario *scenario)
{
	*play = (struct play){ .scenario = scenario };
	memset(&stage->objects, 0, sizeof(stage->objects));
	memset(stage->actor, 0, sizeof(stage->actor));
	atomic_store(&stage->paused, 0);
	atomic_store(&stage->inside, 0);
	sem_init(&stage->go, 1, 0);
	sleepers = 0;
	stage->result = -1;
	fflush(NULL);
	if (scenario->arrange != NULL) {
		enter(0, scenario->arrange);
		await_exit(0);
	}
	if (scenario->holder != NULL) {
		enter(1, scenario->holder);
		await_stage(1, false);
	}
	union {
		const struct scenario *is;
		void *passed;
	} argument = { scenario };
	if (!step_start(&play->victim, ON, sizeof(*ON), victim_body, argument.passed)) {
		complain("the victim does not come to its beginning");
		return false;
	}
	let_sleep(scenario, scenario->before);
	step_look(&play->victim);
	return true;
}

/* To this point, or its end. */
static void go(struct play *play, unsigned point)
{
	const struct scenario *scenario = play->scenario;
	play->event = STEP_POINT;
	while (play->points < point) {
		if (play->event == STEP_ASLEEP) {
			let_sleep(scenario,
			          scenario->after -
			                  (sleepers > scenario->before ? scenario->after : 0));
			if (!scenario->keeps)
				release(play);
		}
		play->event = step_next(&play->victim);
		play->points++;
		if (play->event != STEP_POINT && play->event != STEP_ASLEEP)
			break;
	}
}

static void judge(const struct play *play, struct outcome *outcome)
{
	outcome->told = heard(MDG_OWNER_DIED);
	(play->scenario->judge != NULL ? play->scenario->judge : judge_told)(outcome);
}

static struct outcome look(const struct play *play)
{
	struct outcome outcome = { .victim = play->victim.pid,
		                   .ended = play->event == STEP_ENDED,
		                   .released = play->released || play->scenario->holder == NULL };
	memcpy(&outcome.then, ON, sizeof(outcome.then));
	outcome.held = play->scenario->held != NULL && play->scenario->held(&outcome);
	return outcome;
}

/* How many sleepers have come to their end. `asleep`: whether all the others sleep. */
static unsigned through(bool *asleep)
{
	unsigned count = 0;
	*asleep = true;
	for (unsigned which = SLEEPERS_FIRST; which < SLEEPERS_FIRST + sleepers; which++) {
		struct actor *actor = &stage->actor[which];
		if (actor->pid > 0 && waitpid(actor->pid, NULL, WNOHANG) == actor->pid)
			actor->pid = 0;
		count += actor->pid == 0;
		*asleep = *asleep && (actor->pid == 0 || is_asleep(actor->pid));
	}
	return count;
}

/* Waits until each sleeper has come to its end or sleeps. A thread that was woken does not sleep,
 * and a thread that wakes another one does so before its own end. So if three looks in a row see
 * the same, nothing will change any more. */
static unsigned settle(void)
{
	uint64_t end = mdg_deadline(HANG_MS * UINT64_C(1000000));
	unsigned last = UINT32_MAX;
	for (int same = 0; same < 3 && now_ns() < end;) {
		bool asleep;
		unsigned count = through(&asleep);
		same = asleep && count == last ? same + 1 : 0;
		last = count;
		sched_yield();
	}
	return last;
}

/* Lets all others go on to their ends. Returns how long the last sleeper needed. */
static uint64_t end_of(struct play *play, struct outcome *outcome, bool paused)
{
	uint64_t helped = UINT64_MAX;
	release(play);
	outcome->paused = paused;
	outcome->sleepers = sleepers;
	if (play->scenario->supply != NULL) {
		await_exit(1);
		outcome->through = settle();
		play->scenario->settled(outcome);
		helped = now_ns();
		enter(0, play->scenario->supply);
		await_exit(0);
	}
	uint64_t last = play->since;
	for (unsigned which = 1; which < SLEEPERS_FIRST + sleepers; which++)
		await_exit(which);
	for (unsigned which = SLEEPERS_FIRST; which < SLEEPERS_FIRST + sleepers; which++)
		if (stage->actor[which].through > last && stage->actor[which].through < helped)
			last = stage->actor[which].through;
	uint64_t took = last - play->since;
	enter(0, play->scenario->finally);
	await_exit(0);
	return took;
}

void judge_told(const struct outcome *outcome)
{
	bool should = outcome->paused ? false : outcome->held;
	if (outcome->told != (should ? 1u : 0u))
		complain("a death is told %u times, and the victim %s%s", outcome->told,
		         outcome->paused ? "lives"
		         : outcome->held ? "held it"
		                         : "did not hold it",
		         outcome->ended ? " (it had ended)" : "");
}

/* False: the operation ended before this point. `took`: until all were through. */
static bool kill_at(const struct scenario *scenario, unsigned point, uint64_t *took)
{
	struct play play;
	if (!begin(&play, scenario))
		return false;
	go(&play, point);
	struct outcome outcome = look(&play);
	if (play.event == STEP_DIED || play.event == STEP_STUCK)
		complain(play.event == STEP_DIED ? "it dies of itself" : "nobody wakes it");
	play.since = now_ns();
	step_kill(&play.victim);
	*took = end_of(&play, &outcome, false);
	judge(&play, &outcome);
	return play.event == STEP_POINT || play.event == STEP_ASLEEP;
}

static bool kill_in_time(const struct scenario *scenario, unsigned point, uint64_t *longest)
{
	const uint64_t most = WAIT_MS * UINT64_C(1000000);
	uint64_t took = 0;
	bool more = true;
	for (int tries = 0; tries < TRIES; tries++) {
		more = kill_at(scenario, point, &took);
		if (took <= most || atomic_load(&stage->complaints) != 0)
			break;
	}
	if (took > most)
		complain("others get through after %u ms each time", (unsigned)(took / 1000000));
	*longest = took > *longest ? took : *longest;
	return more;
}

/* That ends by itself. */
static void await_victim(pid_t pid)
{
	uint64_t end = mdg_deadline(HANG_MS * UINT64_C(1000000));
	int status = -1;
	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG | WUNTRACED);
		if (got == pid && WIFSTOPPED(status))
			kill(pid, SIGCONT); /* it was just about to say that it had ended */
		else if (got != 0)
			break;
		if (now_ns() > end) {
			complain("it does not go on to its end after the pause");
			killed(pid);
			return;
		}
		sched_yield();
	}
	if (status != 0)
		complain("after the pause it ends with status %#x", (unsigned)status);
}

static bool pause_at(const struct scenario *scenario, unsigned point, int wanted)
{
	struct play play;
	if (!begin(&play, scenario))
		return false;
	go(&play, point);
	struct outcome outcome = look(&play);
	bool more = play.event == STEP_POINT || play.event == STEP_ASLEEP;
	if (!more) {
		step_kill(&play.victim);
		(void)end_of(&play, &outcome, false);
		return false;
	}
	atomic_store(&stage->paused, 1);
	step_pause(&play.victim);
	if (scenario->beside != NULL) {
		enter(0, scenario->beside);
		await_exit(0);
	}
	kill(play.victim.pid, SIGCONT);
	if (!scenario->keeps)
		release(&play);
	await_victim(play.victim.pid);
	(void)end_of(&play, &outcome, true);
	if (stage->result != wanted)
		complain("after the pause it returns %d, not %d", stage->result, wanted);
	judge(&play, &outcome);
	return true;
}

/* ---- all points of a scenario ------------------------------------------------------------ */

/* Unharmed, to learn what it returns and how many points it has. */
static unsigned learn(const struct scenario *scenario, int *result)
{
	struct play play;
	snprintf(stage->context, sizeof(stage->context), "%s: unharmed", scenario->name);
	if (!begin(&play, scenario))
		return 0;
	go(&play, POINTS_MOST);
	*result = stage->result;
	enum step_event event = play.event;
	struct outcome outcome = look(&play);
	step_kill(&play.victim);
	(void)end_of(&play, &outcome, false);
	if (event == STEP_ENDLESS) {
		printf("skipped: stores do not end: this processor loses exclusive access at "
		       "each step\n");
		exit(77);
	}
	if (event != STEP_ENDED)
		complain("it does not come to its end");
	return play.points;
}

static void run(const struct scenario *scenario)
{
	uint64_t longest = 0;
	int result = 0;
	unsigned plays = 0;
	bool more = true;
	unsigned points = learn(scenario, &result);
	if (points < scenario->least)
		complain("%u points cannot be all of them", points);
	unsigned every = settings.every;
	for (unsigned point = settings.from + settings.turn % every; more && settings.kill;
	     point += every, plays++) {
		snprintf(stage->context, sizeof(stage->context), "%s: killed at point %u of %u",
		         scenario->name, point, points);
		more = kill_in_time(scenario, point, &longest) &&
		       atomic_load(&stage->complaints) < COMPLAINTS_MOST;
	}
	more = settings.pause;
	every *= settings.all ? 1 : 3;
	for (unsigned point = settings.from + settings.turn % every; more;
	     point += every, plays++) {
		snprintf(stage->context, sizeof(stage->context), "%s: paused at point %u of %u",
		         scenario->name, point, points);
		more = pause_at(scenario, point, result) &&
		       atomic_load(&stage->complaints) < COMPLAINTS_MOST;
	}
	printf("%-30s %3u points, %3u deaths and pauses, longest wait %2u ms%s\n", scenario->name,
	       points, plays, (unsigned)(longest / 1000000),
	       atomic_load(&stage->complaints) != 0 ? "; FAILED" : "");
	CHECK(atomic_load(&stage->complaints) == 0);
	atomic_store(&stage->complaints, 0);
	settings.turn++; /* similar scenarios are cut off at different points */
}

/* Tracer and victim wait for each other: cheaper on one processor. */
static void stay_on_one_processor(void)
{
	cpu_set_t all, one;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	unsigned which = (unsigned)getpid() % (unsigned)CPU_COUNT(&all);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && which-- == 0)
			CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static bool is_named(const char *name, int argc, char **argv, bool *any)
{
	bool named = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--from") == 0 || strcmp(argv[i], "--only") == 0 ||
		    strcmp(argv[i], "--every") == 0)
			i++;
		else if (argv[i][0] != '-') {
			*any = true;
			named = named || strncmp(argv[i], name, strlen(argv[i])) == 0;
		}
	}
	return named;
}

int main(int argc, char **argv)
{
	const char *reason = "";
	bool list = false;
	for (int i = 1; i < argc; i++) {
		settings.all = settings.all || strcmp(argv[i], "--all") == 0;
		list = list || strcmp(argv[i], "--list") == 0;
		if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			settings.from = (unsigned)atoi(argv[i + 1]);
		if (strcmp(argv[i], "--every") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 1) {
			settings.every = (unsigned)atoi(argv[i + 1]);
			settings.turn = (unsigned)(time(NULL) / 60);
		}
		if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
			settings.kill = strcmp(argv[i + 1], "kill") == 0;
			settings.pause = !settings.kill;
		}
	}
	if (!list && !step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	stage = shared_memory(sizeof(*stage));
	stay_on_one_processor();
	for (unsigned i = 0; scene_lists[i] != NULL; i++)
		for (const struct scenario *scenario = scene_lists[i]; scenario->name != NULL;
		     scenario++) {
			bool any = false;
			bool named = is_named(scenario->name, argc, argv, &any);
			if (any && !named)
				continue;
			if (list)
				printf("%s\n", scenario->name);
			else
				run(scenario);
			fflush(stdout);
		}
	return test_result();
}
