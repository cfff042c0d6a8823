/* SPDX-License-Identifier: MIT */
/*
 * windows.c - nobody sleeps beside a message or beside room, wherever another thread stands still.
 *
 * A victim is taken through a call instruction by instruction (tests/sync/points/step.h), and left
 * standing at a point. In the first two scenes another process makes the opposite call then, and
 * the victim goes on. Both come to their end. In the others two sleep and both are called, and the
 * victim is one of them. It is left standing when it has been woken. The other one comes to its end
 * without it.
 */
#include "msgqueue/layout.h"
#include "msgqueue/queue.h"
#include "sync/points/step.h"

enum { WATCHED = 20480, POINTS_MOST = 400, SOON_MS = 2500 }; /* less than LOOK_SELDOM_NS, wait.c */

static struct world *world;
static struct step step;
static unsigned point;
static const char *scene_name;

#define HOLDS(expression)                                                                          \
	do {                                                                                       \
		if (!CHECK(expression))                                                            \
			fprintf(stderr, "    %s, at point %u\n", scene_name, point);               \
	} while (0)

static void receive_low(void *steps)
{
	if (steps != NULL)
		step_begins();
	const struct got *got = rcv(world, -2, FAR);
	if (steps != NULL && atomic_load(&world->word) == 0)
		step_ends();
	_exit(got->rc == 0 ? 0 : 1);
}

static void send_low(void *steps)
{
	if (steps != NULL)
		step_begins();
	int rc = snd(world, 1, "0123456789", FAR);
	if (steps != NULL && atomic_load(&world->word) == 0)
		step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* Each thread goes the express way where it can: it has a slip. */
static void warm_up(void)
{
	for (int i = 0; i < 4; i++)
		CHECK(snd(world, 1, "x", 0) == 0 && rcv(world, 0, 0)->rc == 0);
}

static bool ends_soon(pid_t pid, bool goes_on)
{
	int status = 0;
	uint64_t end = now_ns() + SOON_MS * UINT64_C(1000000);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ns() > end) {
			kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			return false;
		}
		if (goes_on)
			kill(pid, SIGCONT);
		usleep(200);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool victim_has_lock(void)
{
	struct mdg__queue_head *head = (struct mdg__queue_head *)(void *)world->memory;
	return (atomic_load(&head->lock.robust.word) & MDG__TID) == (uint32_t)step.pid;
}

/* The victim up to the point, or until it sleeps. False: it had ended before. */
static bool go_to(unsigned to)
{
	enum step_event event = STEP_POINT;
	for (unsigned i = 0; i <= to && event == STEP_POINT; i++)
		event = step_next(&step);
	CHECK(event == STEP_POINT || event == STEP_ENDED || event == STEP_ASLEEP);
	return event == STEP_POINT;
}

/* ---- the opposite call at each point ------------------------------------------------------- */

/* A receiver meets a sender, and a sender a receiver. */
static bool meet(bool victim_sends, bool full)
{
	world = world_make(full ? 10 : 16384);
	if (full)
		CHECK(snd(world, 1, "abcdefghij", 0) == 0);
	else
		warm_up();
	int yes = 1;
	CHECK(step_start(&step, world->memory, WATCHED, victim_sends ? send_low : receive_low,
	                 &yes));
	bool more = go_to(point);
	atomic_store(&world->word, 1);
	pid_t other = start(victim_sends ? receive_low : send_low, NULL);
	for (int i = 0; i < 20 && !victim_has_lock() && !is_asleep(other); i++)
		usleep(500);
	step_pause(&step);
	HOLDS(ends_soon(step.pid, true));
	HOLDS(ends_soon(other, false));
	HOLDS(look(world).qnum == (full ? 1 : 0));
	world_drop(world);
	return more;
}

/* ---- two are called ------------------------------------------------------------------------ */

static bool call_two(bool senders)
{
	int yes = 1;
	void (*body)(void *) = senders ? send_low : receive_low;
	world = world_make(20);
	if (senders)
		CHECK(snd(world, 3, "0123456789abcdefghij", 0) == 0);
	CHECK(step_start(&step, world->memory, WATCHED, body, &yes));
	while (go_to(POINTS_MOST))
		;
	CHECK(sleeps_in(world, 1, step.pid));
	pid_t other = start(body, NULL);
	CHECK(sleeps_in(world, 2, other));
	struct mdg__queue queue = queue_of(world);
	if (senders)
		CHECK(rcv(world, 3, 0)->rc == 0);
	else
		CHECK(mdg__queue_changed(&queue) == 0);
	step_look(&step);
	bool more = go_to(point);
	if (!victim_has_lock()) {
		if (!senders) /* one for each */
			CHECK(snd(world, 1, "a", 0) == 0 && snd(world, 1, "b", 0) == 0);
		HOLDS(ends_soon(other, false));
		step_kill(&step);
	} else {
		step_kill(&step);
		kill(other, SIGKILL);
		(void)waitpid(other, NULL, 0);
	}
	world_drop(world);
	return more;
}

int main(void)
{
	static const char *names[] = { "a receiver meets a sender", "a sender meets a receiver",
		                       "a sender meets room", "two receivers", "two senders" };
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	for (int scene = 0; scene < 5; scene++) {
		scene_name = names[scene];
		bool more = true;
		for (point = 0; more && point < POINTS_MOST && check_failures < 6; point++)
			more = scene < 3 ? meet(scene != 0, scene == 2) : call_two(scene == 4);
		printf("%s: %u points\n", scene_name, point);
	}
	return test_result();
}
