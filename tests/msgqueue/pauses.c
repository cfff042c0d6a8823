/* SPDX-License-Identifier: MIT */
/*
 * pauses.c - a process is stopped at each store and each system call of an operation on a queue.
 *
 * While it is stopped, another process sends a message and receives one. It goes on at once, unless
 * the stopped one has the queue's lock: then it waits. After SIGCONT all come to their end, each
 * message has been received once or is still there once, and the figures are right.
 *
 *     pauses [--all] [SCENE...]
 *
 * Without --all, every third point is played, and another third in each minute.
 */
#include "msgqueue/queue.h"
#include "sync/points/step.h"

enum { WATCHED = 20480, AT_ONCE_MS = 20 };

static struct world *world;
static unsigned point, waited;

#define HOLDS(scene, expression)                                                                   \
	do {                                                                                       \
		if (!CHECK(expression))                                                            \
			fprintf(stderr, "    %s, stopped at point %u\n", (scene)->name, point);    \
	} while (0)

/* ---- what is done ---------------------------------------------------------------------- */

/* Whoever receives adds the first letter of the text, as a bit, to what came out. */
static uint32_t letter(const char *text)
{
	return UINT32_C(1) << (text[0] - 'a');
}

static bool came(const struct got *got)
{
	return got->rc == 0 &&
	       (atomic_fetch_or(&world->said[0], letter(got->text)) & letter(got->text)) == 0;
}

static int send_one(void)
{
	return snd(world, 5, "v, by the victim", FAR);
}

static int receive_one(void)
{
	return came(rcv(world, 0, FAR)) ? 0 : 1;
}

static int look_once(void)
{
	struct mdg__queue queue = queue_of(world);
	struct mdg__queue_figures figures;
	return mdg__queue_look(&queue, &figures);
}

static int remove_once(void)
{
	struct mdg__queue queue = queue_of(world);
	return mdg__queue_remove(&queue);
}

static void be_other(void *unused)
{
	(void)unused;
	int rc = snd(world, 5, "o, by the other", FAR);
	if (rc == -EIDRM)
		_exit(2);
	const struct got *got = rcv(world, 0, FAR);
	_exit(rc == 0 && came(got) ? 0 : rc == 0 && got->rc == -EIDRM ? 2 : 1);
}

static void be_sleeper(void *unused)
{
	(void)unused;
	const struct got *got = rcv(world, 0, FAR);
	_exit(came(got) ? 0 : got->rc == -EIDRM ? 2 : 1);
}

static const struct scene {
	const char *name;
	int (*act)(void);
	bool sleeper; /* one sleeps for any message; else there are three messages */
	bool removes;
	uint32_t sent; /* in the end, received or not */
} scenes[] = {
#define BIT(l) (UINT32_C(1) << ((l) - 'a'))
	{ "send", send_one, false, false, BIT('a') | BIT('b') | BIT('c') | BIT('v') | BIT('o') },
	{ "receive", receive_one, false, false, BIT('a') | BIT('b') | BIT('c') | BIT('o') },
	{ "hand", send_one, true, false, BIT('v') | BIT('o') },
	{ "look", look_once, false, false, BIT('a') | BIT('b') | BIT('c') | BIT('o') },
	{ "remove", remove_once, true, true, 0 },
};

/* ---- playing ----------------------------------------------------------------------------- */

static const struct scene *scene;

static void victim(void *unused)
{
	(void)unused;
	struct world *other = world_make(10);
	CHECK(snd(other, 1, "x", 0) == 0 && rcv(other, 0, 0)->rc == 0);
	step_begins();
	int rc = scene->act();
	if (atomic_load(&world->word) == 0)
		step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* What is left comes out, and was there once. */
static void judge(void)
{
	struct mdg__queue_figures figures = look(world);
	uint64_t count = 0, bytes = 0;
	const struct got *got;
	while ((got = rcv(world, 0, 0))->rc == 0) {
		count++;
		bytes += got->length;
		HOLDS(scene, came(got));
	}
	HOLDS(scene, figures.qnum == count && figures.cbytes == bytes && figures.claims == 0);
	HOLDS(scene, atomic_load(&world->said[0]) == scene->sent);
	HOLDS(scene, holds(world, 0, 0));
}

static void set_up(pid_t *ret_sleeper)
{
	world = world_make(16384);
	*ret_sleeper = 0;
	if (!scene->sleeper) {
		HOLDS(scene, snd(world, 1, "a", 0) == 0 && snd(world, 2, "b", 0) == 0 &&
		                     snd(world, 3, "c", 0) == 0);
		return;
	}
	*ret_sleeper = start(be_sleeper, NULL);
	HOLDS(scene, sleeps_in(world, 1, *ret_sleeper));
}

static bool is_fine(int status)
{
	return WIFEXITED(status) &&
	       (WEXITSTATUS(status) == 0 || (scene->removes && WEXITSTATUS(status) == 2));
}

/* The two that go on; and the sleeper, to whom one of them has sent. */
static void go_on(struct step *step, pid_t sleeper)
{
	int status = -1;
	atomic_store(&world->word, 1);
	step_pause(step);
	pid_t other = start(be_other, NULL);
	bool over = ends_within(other, AT_ONCE_MS, &status, false);
	HOLDS(scene, !over || is_fine(status));
	waited += !over;
	HOLDS(scene, ends_within(step->pid, 5000, &status, true) && status == 0);
	/* The sleeper and the other take one each, and there are two. */
	HOLDS(scene, over || (ends_within(other, 5000, &status, false) && is_fine(status)));
	HOLDS(scene,
	      sleeper == 0 || (ends_within(sleeper, 5000, &status, false) && is_fine(status)));
	if (!scene->removes)
		judge();
}

/* False: the victim ended before this point. */
static bool play(void)
{
	struct step step;
	pid_t sleeper;
	set_up(&sleeper);
	CHECK(step_start(&step, world->memory, WATCHED, victim, NULL));
	enum step_event event = step_to(&step, point);
	bool more = event == STEP_POINT || event == STEP_ASLEEP;
	if (more) {
		go_on(&step, sleeper);
	} else {
		HOLDS(scene, event == STEP_ENDED);
		step_kill(&step);
		if (sleeper != 0)
			killed(sleeper);
	}
	world_drop(world);
	return more;
}

static void run(const struct scene *which, unsigned first, unsigned stride)
{
	int before = check_failures;
	scene = which;
	waited = 0;
	for (point = first; check_failures < before + 3 && play(); point += stride)
		;
	printf("%-12s %3u points, the other waited at %u\n", which->name, point, waited);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *reason = "";
	unsigned stride = 3;
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	if (wants_all_points(&argc, &argv))
		stride = 1;
	unsigned first = (unsigned)(now_ns() / UINT64_C(60000000000)) % stride;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		bool named = argc < 2;
		for (int k = 1; k < argc; k++)
			named = named || strcmp(scenes[i].name, argv[k]) == 0;
		if (named)
			run(&scenes[i], first, stride);
	}
	return test_result();
}
