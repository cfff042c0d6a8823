/* SPDX-License-Identifier: MIT */
/*
 * pauses.c - a process is stopped at each store and each system call of an operation on a set.
 *
 * While it is stopped, another process operates on the same semaphores. It goes on at once, unless
 * the stopped one has the set's lock: then it waits. Where an operation takes no lock, nobody ever
 * waits. After SIGCONT both come to their end, and each has been done once.
 *
 *     semset-pauses [--all] [scene]...
 *
 * Without --all, every third point is played, and another third in each minute.
 */
#include "semset/set.h"
#include "semset/sound.h"
#include "sync/points/step.h"

enum { AT_ONCE_MS = 20 };

struct scene {
	const char *name;
	int (*act)(void); /* the victim's */
	bool warm;        /* it has a slip and is a holder before */
	bool lock_free;   /* the other never waits */
	void (*set_up)(void);
	void (*judge)(void); /* when all are at their end */
};

static const struct scene *scene;
static pid_t sleeper_pid;
static _Atomic uint32_t *is_paused; /* nobody steps it any more */
static unsigned point, waited;

/* ---- what is done --------------------------------------------------------------------- */

static void three(void)
{
	const unsigned short values[3] = { 3, 0, 0 };
	CHECK(set_all(values) == 0);
}

static int plus(void)
{
	return op1(0, 1, 0);
}

static int minus_undo(void)
{
	return op1(0, -1, UNDO);
}

static int two(void)
{
	return op(OPS({ 0, -1, 0 }, { 1, 1, 0 }));
}

static int set_nine(void)
{
	return set_value(2, 9);
}

static int wait_briefly(void)
{
	int rc = op_timed(OPS({ 2, -1, UNDO }), 3000000);
	return rc == -EAGAIN ? 0 : 1;
}

static int remove_it(void)
{
	return remove_set();
}

/* The other adds 2 to the first two. */
static void be_other(void *unused)
{
	(void)unused;
	int rc = op(OPS({ 0, 1, 0 }, { 1, 2, 0 }));
	if (rc == 0)
		rc = op1(0, 1, 0);
	_exit(rc == 0 ? 0 : rc == -EINVAL || rc == -EIDRM ? 2 : 1);
}

static void check_values(int first, int second, int third)
{
	int a = value(0), b = value(1), c = value(2);
	if (!CHECK(a == first && b == second && c == third))
		fprintf(stderr, "the values are %d %d %d\n", a, b, c);
	CHECK(ncount(0) == 0 && ncount(1) == 0 && ncount(2) == 0);
}

static void one_more(void)
{
	check_values(6, 2, 0);
}

static void as_before(void) /* the victim has ended, and what it took is back */
{
	check_values(5, 2, 0);
}

static void two_moved(void)
{
	check_values(4, 3, 0);
}

static void nine(void)
{
	check_values(5, 2, 9);
}

static void sleeper_set_up(void)
{
	three();
	sleeper_pid = sleeper1(0, -6, 0);
}

static void sleeper_served(void)
{
	CHECK(result(sleeper_pid) == 0);
	check_values(0, 2, 0);
}

static void sleeper_told(void)
{
	CHECK(result(sleeper_pid) == -EIDRM);
	CHECK(value(0) == -EINVAL);
}

static const struct scene scenes[] = {
	{ "plus", plus, true, true, three, one_more },
	{ "express", minus_undo, true, true, three, as_before },
	{ "express-two", two, true, true, three, two_moved },
	{ "undo", minus_undo, false, false, three, as_before },
	{ "two", two, false, false, three, two_moved },
	{ "set", set_nine, false, false, three, nine },
	{ "time", wait_briefly, false, false, three, as_before },
	{ "serve", plus, false, false, sleeper_set_up, sleeper_served },
	{ "remove", remove_it, false, false, sleeper_set_up, sleeper_told },
};

/* ---- playing ------------------------------------------------------------------------- */

static void victim(void *unused)
{
	(void)unused;
	(void)engine();
	(void)mdg__thread();
	if (scene->warm) {
		(void)op1(2, 1, UNDO);
		(void)op1(2, -1, UNDO);
	}
	step_begins();
	int rc = scene->act();
	if (atomic_load(is_paused) == 0)
		step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* False: the victim ended before this point. */
static bool play(void)
{
	struct step step;
	int of_other = -1, of_victim = -1;
	memset(world.base, 0, 4096);
	scene->set_up();
	atomic_store(is_paused, 0);
	CHECK(step_start(&step, world.base, 4096, victim, NULL));
	enum step_event event = step_to(&step, point);
	if (event != STEP_POINT && event != STEP_ASLEEP) {
		CHECK(event == STEP_ENDED);
		step_kill(&step);
		if (sleeper_pid != 0)
			killed(sleeper_pid);
		return false;
	}
	atomic_store(is_paused, 1);
	step_pause(&step);
	pid_t other = start(be_other, NULL);
	bool over = ends_within(other, scene->lock_free ? 5000 : AT_ONCE_MS, &of_other, false);
	waited += !over;
	CHECK(over || !scene->lock_free);
	CHECK(ends_within(step.pid, 5000, &of_victim, true) && of_victim == 0);
	CHECK(over || ends_within(other, 5000, &of_other, false));
	bool removes = scene->act == remove_it;
	CHECK(of_other == 0 || (removes && WIFEXITED(of_other) && WEXITSTATUS(of_other) == 2));
	/* One that was put before the removal has served the sleeper. */
	if (removes && of_other == 0)
		CHECK(value(0) == -EINVAL && result(sleeper_pid) == -EIDRM);
	else
		scene->judge();
	if (!removes)
		CHECK(is_sound(engine()));
	return true;
}

static void run(const struct scene *which, unsigned first, unsigned stride)
{
	int before = check_failures;
	scene = which;
	waited = 0;
	for (point = first; check_failures < before + 3; point += stride) {
		int failures = check_failures;
		sleeper_pid = 0;
		bool more = play();
		if (check_failures != failures)
			fprintf(stderr, "... %s, stopped at point %u\n", scene->name, point);
		if (!more)
			break;
	}
	printf("%-12s %3u points, the other waited at %u\n", which->name, point, waited);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *reason = "";
	unsigned stride = 3 * POINT_STRIDE;
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	if (wants_all_points(&argc, &argv))
		stride = 1;
	unsigned first = (unsigned)(time(NULL) / 60) % stride;
	fresh(3);
	is_paused = shared_memory(sizeof *is_paused);
	for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
		bool wanted = argc < 2;
		for (int k = 1; k < argc; k++)
			wanted = wanted || strcmp(argv[k], scenes[i].name) == 0;
		if (wanted)
			run(&scenes[i], first, stride);
	}
	return test_result();
}
