/* SPDX-License-Identifier: MIT */
/*
 * sync_partners.c - the processes that take part in a game's blocks.
 *
 * They are forked when a game begins and sleep on `turn` between blocks. A block: the
 * driver raises `turn`, waits until all are ready, and opens `go`; when it has done its
 * part it sets `stop` and waits until all are idle. One that does not come within
 * PATIENCE makes the block fail, and the game with it.
 */
#include "sync_games.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

enum { WAIT_OP = 0, WAKE_OP = 1 }; /* FUTEX_WAIT, FUTEX_WAKE */

static const uint64_t PATIENCE = UINT64_C(10000000000);

static uint32_t get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the builtin writes */
static void set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Waits until *word is `value`, without sleeping: it takes microseconds. */
static bool comes(const uint32_t *word, uint32_t value)
{
	uint64_t until = sync_now() + PATIENCE;

	for (unsigned i = 1; get(word) != value; i++) {
		if (i % 256 == 0)
			sched_yield();
		if (i % 65536 == 0 && sync_now() > until)
			return false;
	}
	return true;
}

/* How often the processor was taken from this process while it could have gone on. */
uint32_t preemptions(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint32_t)usage.ru_nivcsw : 0;
}

/* ---- processors -------------------------------------------------------------------- */

static cpu_set_t allowed; /* what the program was started with */

void processors_read(void)
{
	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		CPU_ZERO(&allowed);
}

/* The first or second of them; any, when there is only one. */
void processor_choose(int which)
{
	cpu_set_t one;

	if (CPU_COUNT(&allowed) < 2)
		return;
	for (size_t i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &allowed) && which-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(i, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
	}
}

/* Two processes have one each: else it is luck whether they meet at all. */
void driver_choose_processor(void)
{
	processors_read();
	processor_choose(0);
}

void driver_any_processor(void)
{
	if (CPU_COUNT(&allowed) > 0)
		sched_setaffinity(0, sizeof allowed, &allowed);
}

/* ---- a partner --------------------------------------------------------------------- */

static void take_part(struct sync_match_side *side, unsigned number)
{
	struct sync_control *control = side->game.control;
	uint32_t turn = 0, before;

	for (;;) {
		while (get(&control->turn) == turn)
			syscall(SYS_futex, &control->turn, WAIT_OP, turn, NULL, NULL, 0);
		turn = get(&control->turn);
		if (get(&control->quit))
			_exit(0);
		set(&control->partner[number].ready, turn);
		if (!comes(&control->go, turn))
			_exit(1);
		before = preemptions();
		set(&control->partner[number].operations,
		    side->play->partner(&side->game, number));
		set(&control->partner[number].preempted, preemptions() - before);
		set(&control->partner[number].idle, turn);
	}
}

static bool partner_start(struct sync_match_side *side, unsigned number)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGINT, SIG_IGN); /* the driver ends at the end of a block, and us with it */
		if (side->game.partners == 1)
			processor_choose(1);
		take_part(side, number);
	}
	side->pid[number] = child;
	return child > 0;
}

/* ---- the driver -------------------------------------------------------------------- */

bool partners_begin(struct sync_match_side *side, unsigned count)
{
	bool started = true;

	side->game.partners = count;
	for (unsigned i = 0; i < count && started; i++)
		started = partner_start(side, i);
	return started;
}

void partners_end(struct sync_match_side *side)
{
	for (unsigned i = 0; i < side->game.partners; i++) {
		if (side->pid[i] <= 0)
			continue;
		kill(side->pid[i], SIGKILL);
		while (waitpid(side->pid[i], NULL, 0) < 0 && errno == EINTR)
			;
		side->pid[i] = 0;
	}
}

bool partners_gather(struct sync_match_side *side, unsigned rounds)
{
	struct sync_control *control = side->game.control;
	uint32_t turn = control->turn + 1;
	bool there = true;

	set(&control->rounds, rounds);
	set(&control->stop, 0);
	set(&control->turn, turn);
	syscall(SYS_futex, &control->turn, WAKE_OP, INT_MAX, NULL, NULL, 0);
	for (unsigned i = 0; i < side->game.partners && there; i++)
		there = comes(&control->partner[i].ready, turn);
	set(&control->go, turn);
	return there;
}

bool partners_dismiss(struct sync_match_side *side, uint64_t *ret_operations)
{
	struct sync_control *control = side->game.control;
	bool done = true;

	*ret_operations = 0;
	set(&control->stop, 1);
	for (unsigned i = 0; i < side->game.partners && done; i++) {
		done = comes(&control->partner[i].idle, control->turn) &&
		       control->partner[i].operations != UINT32_MAX;
		*ret_operations += control->partner[i].operations;
		side->preempted += control->partner[i].preempted;
	}
	return done;
}
