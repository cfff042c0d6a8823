/* SPDX-License-Identifier: MIT */
/*
 * nested.c - a handler interrupts an operation at each store, and operates on the same set. There,
 * at each store, the handler of another signal leaves it by siglongjmp. Then the first operation
 * goes on.
 *
 *     semset-nested [--all]
 *
 * Both operations name two semaphores. The first one happens once; the one that was left happens as
 * a whole or not at all. All is undone when the process ends. Without --all, every twentieth pair
 * of points is played (every fortieth under a sanitizer), and others in each minute.
 */
#include <setjmp.h>

#include "semset/set.h"
#include "semset/sound.h"
#include "sync/points/step.h"

static sigjmp_buf inside;
static volatile sig_atomic_t is_inside;
static _Atomic uint32_t *handler_is_through;

static void operate(int number)
{
	(void)number;
	if (sigsetjmp(inside, 1) == 0) {
		is_inside = 1;
		(void)op(OPS({ 0, 1, UNDO }, { 1, 1, UNDO }));
	}
	atomic_store(handler_is_through, 1);
}

static void leave(int number)
{
	(void)number;
	if (is_inside)
		siglongjmp(inside, 1);
}

static void victim(void *unused)
{
	struct sigaction first = { .sa_handler = operate }, second = { .sa_handler = leave };
	(void)unused;
	sigaction(SIGUSR1, &first, NULL);
	sigaction(SIGUSR2, &second, NULL);
	for (unsigned i = 0; i < 4; i++) /* it has a slip, and is a holder */
		if (op1(i, 1, UNDO) != 0 || op1(i, -1, UNDO) != 0)
			_exit(1);
	step_begins();
	int rc = op(OPS({ 2, 1, UNDO }, { 3, 1, UNDO }));
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

static bool victim_is_through;

/* So many points further. False: it ended before, or its handler did. */
static bool go_on(struct step *step, unsigned points)
{
	enum step_event event = STEP_POINT;
	for (unsigned at = 0; at < points && event == STEP_POINT; at++) {
		if (atomic_load(handler_is_through) != 0)
			return false;
		event = step_next(step);
	}
	victim_is_through = event == STEP_ENDED;
	CHECK(victim_is_through || event == STEP_POINT);
	return event == STEP_POINT && atomic_load(handler_is_through) == 0;
}

/* Not step by step any more. */
static void to_the_end(struct step *step)
{
	int status = 0;
	if (victim_is_through)
		return;
	step_pause(step);
	kill(step->pid, SIGCONT);
	CHECK(waitpid(step->pid, &status, WUNTRACED) == step->pid && WIFSTOPPED(status));
}

enum { NO_OUTER, NO_INNER, PLAYED };

static int play(unsigned outer, unsigned inner)
{
	struct step step;
	memset(world.base, 0, 4096);
	atomic_store(handler_is_through, 0);
	CHECK(step_start(&step, world.base, 4096, victim, NULL));
	int result = go_on(&step, outer) ? NO_INNER : NO_OUTER;
	if (result != NO_OUTER) {
		CHECK(step_signal(&step, SIGUSR1) == STEP_POINT);
		if (go_on(&step, inner)) {
			kill(step.pid, SIGUSR2);
			result = PLAYED;
		} else if (atomic_load(handler_is_through) ==
		           0) { /* it stops behind the operation */
			result = NO_OUTER;
		}
	}
	if (result != NO_OUTER) {
		to_the_end(&step);
		int both = value(0);
		CHECK((result == PLAYED ? both == 0 || both == 1 : both == 1) && value(1) == both);
		CHECK(value(2) == 1 && value(3) == 1);
	}
	step_kill(&step);
	for (unsigned i = 0; i < 4; i++)
		CHECK(value(i) == 0);
	CHECK(is_sound(engine()));
	return result;
}

int main(int argc, char **argv)
{
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	/* The handler has more than 40 points: some of them are played for each outer one. */
	unsigned stride = wants_all_points(&argc, &argv) ? 1 : POINT_STRIDE == 1 ? 20 : 40;
	unsigned turn = (unsigned)(time(NULL) / 60), played = 0, outer = 0;
	fresh(4);
	handler_is_through = shared_memory(sizeof *handler_is_through);
	for (int result = PLAYED; result != NO_OUTER && check_failures < 3; outer++) {
		unsigned inner = (turn + outer) % stride;
		while ((result = play(outer, inner)) == PLAYED && check_failures < 3) {
			played++;
			inner += stride;
		}
		if (check_failures != 0)
			fprintf(stderr, "... interrupted at point %u, and left at %u\n", outer,
			        inner);
	}
	CHECK(played > 200 / stride && outer > 10);
	printf("%u points, %u of them in the handler, too\n", outer, played);
	return test_result();
}
