/* SPDX-License-Identifier: MIT */
/*
 * deaths.c - a process dies at each store and each system call of an operation on a set.
 *
 * A scene has a set, perhaps other processes, and a victim that does something step by step. The
 * victim is killed at point 0, at point 1, and so on to its end. After each death the set has to be
 * as before or as after, sleepers have to be served or still to wait, and the set has to be sound.
 *
 *     semset-deaths [--all] [scene]...
 *
 * Without --all, every eighth point is played, and others in each minute.
 */
#include "semset/set.h"
#include "semset/sound.h"
#include "sync/points/step.h"

enum { OTHERS = 4 };

static struct {
	pid_t pid[OTHERS];
	unsigned count;
} others;
static unsigned point; /* at which the victim is killed */
static unsigned first, stride = 8 * POINT_STRIDE;
static bool victim_ended; /* it came to its end before */

static void with(pid_t pid)
{
	others.pid[others.count++] = pid;
}

static bool is_over(unsigned which)
{
	return has_ended(others.pid[which]);
}

/* Whether it ends within 3 seconds: longer than the longest look. */
static bool gets_over(unsigned which)
{
	for (int i = 0; i < 3000 && !is_over(which); i++)
		nap_ms(1);
	return is_over(which);
}

struct scene {
	const char *name;
	void (*set_up)(void);
	int (*act)(void);     /* the victim's */
	void (*asleep)(void); /* when the victim sleeps for the first time; NULL: it never does */
	void (*warm)(void);   /* by the victim before: then it has a slip, and is a holder */
	void (*judge)(void);  /* after the death */
};

/* ---- one operation ---------------------------------------------------------------------- */

static void three(void)
{
	CHECK(set_value(0, 3) == 0);
}

static int plus(void)
{
	return op1(0, 1, 0);
}

static void four_or_three(void)
{
	CHECK(value(0) == 4 || (value(0) == 3 && !victim_ended));
}

static int minus_undo(void)
{
	return op1(0, -1, UNDO);
}

static void three_still(void)
{
	CHECK_LINE("U2", value(0) == 3);
}

static int list(void)
{
	return op(OPS({ 0, -1, 0 }, { 1, 1, UNDO }, { 0, -1, UNDO }, { 2, 0, 0 }));
}

static void list_or_none(void)
{
	CHECK_LINE("S3", value(1) == 0 && (value(0) == 2 || (value(0) == 3 && !victim_ended)));
}

/* ---- sleepers --------------------------------------------------------------------------- */

static void one_sleeper(void)
{
	with(sleeper1(0, -1, 0));
}

static void served_or_not(void)
{
	/* Not one that is neither. */
	if (victim_ended || ncount(0) == 0)
		CHECK_LINE("W1", ncount(0) == 0 && gets_over(0));
	CHECK_LINE("W1", value(0) == 0);
	if (is_over(0)) {
		CHECK(op1(0, 1, 0) == 0 && value(0) == 1);
	} else {
		CHECK(op1(0, 1, 0) == 0 && value(0) == 0 && gets_over(0));
	}
}

static void chain(void)
{
	with(sleeper1(1, -1, UNDO));
	with(sleeper(OPS({ 0, -1, UNDO }, { 1, 1, 0 })));
	with(sleeper1(2, 0, 0));
}

static void chain_served(void)
{
	if (!victim_ended && ncount(0) != 0)
		CHECK(op1(0, 1, 0) == 0);
	CHECK_LINE("W3", gets_over(0) && gets_over(1));
	/* The + of the victim was done or not; that of the sleepers is undone. */
	CHECK_LINE("U11", value(0) == 1 && value(1) == 1);
	CHECK_LINE("W4", gets_over(2));
}

static int minus(void)
{
	return op1(0, -1, 0);
}

static int minus_briefly(void)
{
	return op_timed(OPS({ 0, -1, UNDO }, { 1, 1, UNDO }), 3000000);
}

static void plus_one(void)
{
	CHECK(op1(0, 1, 0) == 0);
}

static void one_or_none(void)
{
	if (point > 0 && !victim_ended && value(0) == 0 && ncount(0) == 0)
		CHECK(op1(0, 1, 0) == 0 && value(0) == 1); /* it did not come to sleep, or had it */
	CHECK(ncount(0) == 0 && value(0) <= 1);
}

static bool plus_was_made;

static void plus_one_noted(void)
{
	plus_was_made = true;
	plus_one();
}

static void one_if_made(void)
{
	CHECK_LINE("U11", ncount(0) == 0 && value(0) == (plus_was_made ? 1 : 0));
	plus_was_made = false;
}

static void none_waits(void)
{
	CHECK_LINE("T2", ncount(0) == 0 && value(0) == 0 && value(1) == 0);
	CHECK(op1(0, 1, 0) == 0 && value(0) == 1);
}

/* ---- a death is settled ------------------------------------------------------------------- */

static void dead_holder(void)
{
	CHECK(set_value(0, 3) == 0 && set_value(1, 0) == 0);
	pid_t pid = holder(OPS({ 0, -2, UNDO }, { 1, 1, UNDO }, { 2, 4, UNDO }));
	with(sleeper1(0, -3, 0));
	kill(others.pid[0], SIGSTOP); /* so that the victim finds it, and not the sleeper */
	killed(pid);
}

static int look(void)
{
	return value(1) < 0;
}

static void settled(void)
{
	CHECK_LINE("U4", value(1) == 0 && value(2) == 0 && value(0) == 0);
	kill(others.pid[0], SIGCONT);
	CHECK_LINE("U4", gets_over(0));
}

/* ---- values are set ------------------------------------------------------------------------ */

static void held_and_waited(void)
{
	CHECK(set_value(0, 2) == 0);
	with(holder1(0, -1, UNDO));
	with(sleeper1(0, -4, 0));
}

static int set_five(void)
{
	return set_value(0, 5);
}

static void five_or_not(void)
{
	int now = value(0);
	CHECK_LINE("U9", now == 1 || (now == 1 && ncount(0) == 0));
	bool was_set = ncount(0) == 0;
	CHECK(was_set || !victim_ended);
	if (was_set)
		CHECK_LINE("W8", gets_over(1));
	killed(others.pid[0]);
	others.pid[0] = 0;
	CHECK_LINE("U9", value(0) == (was_set ? 1 : 2));
	CHECK(op1(0, 3, 0) == 0 && gets_over(1));
}

static int set_everything(void)
{
	const unsigned short values[3] = { 5, 6, 7 };
	return set_all(values);
}

static void all_or_nothing(void)
{
	bool was_set = ncount(0) == 0;
	CHECK_LINE("C4", value(1) == (was_set ? 6 : 0) && value(2) == (was_set ? 7 : 0));
	five_or_not();
}

/* ---- removal --------------------------------------------------------------------------------- */

static int remove_it(void)
{
	return remove_set();
}

static void gone_or_not(void)
{
	if (value(0) == -EINVAL) {
		CHECK_LINE("W8", gets_over(0));
		return;
	}
	CHECK(!victim_ended && remove_set() == 0);
	CHECK_LINE("W8", gets_over(0));
}

static void warm_up(void)
{
	(void)op1(2, 1, UNDO);
	(void)op1(2, -1, UNDO);
}

static int two(void)
{
	return op(OPS({ 0, -1, 0 }, { 1, 1, 0 }));
}

static void two_or_none(void)
{
	unsigned short now[3] = { 0 };
	CHECK(get_all(now) == 0 && now[2] == 0);
	CHECK_LINE("S3",
	           (now[0] == 2 && now[1] == 1) || (now[0] == 3 && now[1] == 0 && !victim_ended));
}

/* Blocks that were in use are in the list of free ones. Whoever dies with one of them puts it back
 * there. */
static void used_blocks(void)
{
	struct sembuf ops[MDG__FEW_OPS]; /* in two blocks, and without the large journal */
	for (unsigned i = 0; i < MDG__FEW_OPS; i++)
		ops[i] = (struct sembuf){ 0, -1, 0 };
	CHECK(op_timed(ops, MDG__FEW_OPS, 1000000) == -EAGAIN);
}

static void used_blocks_and_three(void)
{
	used_blocks();
	three();
}

/* Such a list needs the large journal, which is made then. */
static int large_list(void)
{
	enum { MANY = MDG__FEW_OPS + 1 };
	struct sembuf ops[MANY];
	for (unsigned i = 0; i < MANY; i++)
		ops[i] = (struct sembuf){ i > 0 ? 1 : 0, i % 2 == 0 ? -1 : 1, 0 };
	return op(ops, MANY);
}

static void large_list_again(void *unused)
{
	(void)unused;
	CHECK(large_list() == 0);
}

/* The room for the journal is taken once, however often somebody dies. */
static void two_and_one_journal(void)
{
	const uint32_t room = MDG__BIG_NOTES * sizeof(struct mdg__undo) / MDG__BLOCK;
	int now = value(0);
	CHECK_LINE("S3", now == 2 || (now == 3 && !victim_ended));
	CHECK(in_child(large_list_again, NULL) && value(0) == now - 1);
	CHECK(mdg__load32(&mdg__semset_head(engine())->fresh) < 2 * room);
}

static const struct scene scenes[] = {
	{ "plus", three, plus, NULL, NULL, four_or_three },
	{ "undo", three, minus_undo, NULL, NULL, three_still },
	{ "list", three, list, NULL, NULL, list_or_none },
	{ "serve", one_sleeper, plus, NULL, NULL, served_or_not },
	{ "chain", chain, plus, NULL, NULL, chain_served },
	{ "sleep", NULL, minus, plus_one, NULL, one_or_none },
	{ "sleep-undo", NULL, minus_undo, plus_one_noted, NULL, one_if_made },
	{ "undo-used", used_blocks_and_three, minus_undo, NULL, NULL, three_still },
	{ "sleep-used", used_blocks, minus, plus_one, NULL, one_or_none },
	{ "time", NULL, minus_briefly, NULL, NULL, none_waits },
	{ "settle", dead_holder, look, NULL, NULL, settled },
	{ "set", held_and_waited, set_five, NULL, NULL, five_or_not },
	{ "set-all", held_and_waited, set_everything, NULL, NULL, all_or_nothing },
	{ "remove", one_sleeper, remove_it, NULL, NULL, gone_or_not },
	{ "journal", three, large_list, NULL, NULL, two_and_one_journal },
	{ "express", three, minus_undo, NULL, warm_up, three_still },
	{ "express-list", three, list, NULL, warm_up, list_or_none },
	{ "express-two", three, two, NULL, warm_up, two_or_none },
};

/* ---- playing ------------------------------------------------------------------------- */

static const struct scene *scene;

static void victim(void *unused)
{
	(void)unused;
	(void)engine();
	(void)mdg__thread();
	if (scene->warm != NULL)
		scene->warm();
	step_begins();
	(void)scene->act();
	step_ends();
}

static void end_others(void)
{
	for (unsigned i = 0; i < others.count; i++)
		if (others.pid[i] != 0)
			killed(others.pid[i]);
	others.count = 0;
}

/* False: the victim ended before this point. */
static bool play(void)
{
	struct step step;
	enum step_event event = STEP_POINT;
	bool was_asleep = false;
	memset(world.base, 0, 4096);
	if (scene->set_up != NULL)
		scene->set_up();
	CHECK(step_start(&step, world.base, 4096, victim, NULL));
	for (unsigned at = 0; at < point && (event == STEP_POINT || event == STEP_ASLEEP); at++) {
		event = step_next(&step);
		if (event == STEP_ASLEEP && !was_asleep && scene->asleep != NULL) {
			was_asleep = true;
			scene->asleep();
		}
	}
	CHECK(event == STEP_POINT || event == STEP_ASLEEP || event == STEP_ENDED);
	victim_ended = event == STEP_ENDED;
	step_kill(&step);
	scene->judge();
	if (ncount(0) >= 0) /* whoever has the lock after a death sets it right */
		CHECK(is_sound(engine()));
	end_others();
	return !victim_ended;
}

static void run(const struct scene *which)
{
	uint64_t began = now_ns();
	int before = check_failures;
	scene = which;
	for (point = first; check_failures < before + 3; point += stride) {
		int failures = check_failures;
		bool more = play();
		if (check_failures != failures)
			fprintf(stderr, "... %s, killed at point %u\n", scene->name, point);
		if (!more)
			break;
	}
	printf("%-12s %3u points, %u ms\n", which->name, point,
	       (unsigned)((now_ns() - began) / 1000000));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	if (wants_all_points(&argc, &argv))
		stride = 1;
	first = (unsigned)(time(NULL) / 60) % stride;
	fresh(3);
	for (unsigned i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		bool wanted = argc < 2;
		for (int k = 1; k < argc; k++)
			wanted = wanted || strcmp(argv[k], scenes[i].name) == 0;
		if (wanted)
			run(&scenes[i]);
	}
	return test_result();
}
