/* SPDX-License-Identifier: MIT */
/*
 * settle.c - calls that sleep: when a step is over, and who sleeps now.
 *
 * A step is over when every call has returned or sleeps. No test can ask the
 * kernel for the sleepers of a queue, so the processes are looked at. Four facts
 * make this exact, without any time that is waited for:
 *
 *   - An actor says in the world that it begins a call that may sleep, and wakes
 *     the conductor before it makes the call. It says so again when the call has
 *     returned. From then on until its next turn it makes no call.
 *   - /proc/PID/stat says S for a process that sleeps. A process that is woken is R
 *     from the moment at which it is woken, before the call of its waker returns.
 *   - Nobody but the actors that are in a call runs while the conductor looks. So
 *     a lock has no holder, except one of them.
 *   - /proc/PID/schedstat counts how often a process came to a processor. If all
 *     sleep, are looked at once more, and none has run or returned in between, then
 *     there was a moment at which all slept. A process that held a lock would have run. So
 *     would one that had to be given a message by another sleeper.
 *
 * The last fact makes it right for a library as well, where a sleep may be a short
 * one, for a lock. A library that wakes a sleeper later than the kernel does, with
 * nobody awake who would do it, differs from the kernel, and that is to be found.
 * One exception: after a death somebody looks at the sets (sets_notice_death).
 */
#include "differential/world.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { YIELDS = 200, PAUSE = 20000 };

/* The conductor's view of an actor. */
static struct seen {
	pid_t pid; /* 0: not opened */
	int stat, schedstat;
	uint64_t runs; /* how often it had run when it was last looked at */
} seen[ACTORS];

/* Until its return is in the log: so both sides say the same at each moment. */
bool is_asleep(int actor)
{
	return world->actor[actor].untold;
}

static bool is_in_call(int actor)
{
	return world->actor[actor].in_call;
}

/* ---- the actor's part ------------------------------------------------------------------ */

static bool handed_over; /* by this process, in this step */

/* True: go on. False: the step is refused. The conductor itself must not sleep. */
bool call_begin(enum op_class class, int object, bool may_sleep, bool brief)
{
	struct actor *self = &world->actor[me];
	handed_over = may_sleep;
	if (!may_sleep)
		return true;
	if (me == CONDUCTOR) {
		handed_over = false;
		log_outcome(REFUSED);
		return false;
	}
	self->class = (uint8_t) class;
	self->object = object;
	self->brief = brief;
	self->untold = true;
	atomic_store(&self->in_call, true);
	world->handed_over = true;
	world->settling = true;
	sem_post(&world->actor[CONDUCTOR].go);
	return true;
}

static void log_call(const struct call_result *result)
{
	log_result(result->value, (int)result->error);
	if (result->has_message)
		log_message(-1, result);
}

void call_end(const struct call_result *result)
{
	if (!handed_over) {
		log_call(result);
		return;
	}
	world->actor[me].result = *result;
	atomic_store(&world->actor[me].in_call, false);
}

/* ---- looking ------------------------------------------------------------------------------ */

static int proc_open(pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static size_t proc_read(int fd, char *text, size_t size)
{
	ssize_t length = fd >= 0 ? pread(fd, text, size - 1, 0) : -1;
	text[length > 0 ? length : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

static char state_read(int fd)
{
	char text[512];
	proc_read(fd, text, sizeof(text));
	const char *rest = strrchr(text, ')'); /* the name may contain one, too */
	return (char)(rest != NULL && rest[1] == ' ' ? rest[2] : '\0');
}

/* How often it has left a processor: for kernels that do not count how often it came to one. */
static uint64_t switches_read(pid_t pid)
{
	char text[4096];
	unsigned long long voluntary = 0, others = 0;
	int fd = proc_open(pid, "status");
	proc_read(fd, text, sizeof(text));
	close(fd);
	const char *at = strstr(text, "voluntary_ctxt_switches:");
	if (at != NULL)
		(void)sscanf(at, "voluntary_ctxt_switches: %llu nonvoluntary_ctxt_switches: %llu",
		             &voluntary, &others);
	return voluntary + others;
}

static uint64_t runs_read(const struct seen *s)
{
	char text[128];
	unsigned long long runs = 0;
	proc_read(s->schedstat, text, sizeof(text));
	if (sscanf(text, "%*u %*u %llu", &runs) == 1 && runs != 0)
		return runs;
	return switches_read(s->pid);
}

static struct seen *seen_of(int actor)
{
	struct seen *s = &seen[actor];
	if (s->pid == world->actor[actor].pid)
		return s;
	if (s->pid != 0) {
		close(s->stat);
		close(s->schedstat);
	}
	s->pid = world->actor[actor].pid;
	s->stat = proc_open(s->pid, "stat");
	s->schedstat = proc_open(s->pid, "schedstat");
	s->runs = 0;
	return s;
}

/* Whether this actor sleeps, and has done so since it was last looked at. How often it has run is
 * read before and after its state. Else it could come to a processor and fall asleep again between
 * two of the readings, unseen. */
static bool is_still(int actor, bool alone)
{
	struct seen *s = seen_of(actor);
	uint64_t last = s->runs, before = alone ? 0 : runs_read(s);
	char state = state_read(s->stat);
	if (state == '\0' && s->pid != 0) { /* of another process that had this number */
		close(s->stat);
		close(s->schedstat);
		s->pid = 0;
	}
	if (state != 'S' || world->actor[actor].brief)
		return false;
	if (alone)
		return true;
	s->runs = before;
	return before == last && runs_read(s) == before;
}

/* One look at everybody who is in a call. If one of them returns meanwhile, it may have woken
 * others that had been looked at already. So this look counts for nothing. */
static bool all_still(void)
{
	bool in_call[ACTORS], still = true;
	int sleepers = 0;
	for (int i = 0; i < ACTORS; i++)
		sleepers += in_call[i] = is_in_call(i);
	for (int i = 0; i < ACTORS; i++)
		if (in_call[i])
			still = is_still(i, sleepers == 1) && still;
	for (int i = 0; i < ACTORS; i++)
		still = still && in_call[i] == is_in_call(i);
	return still;
}

static void let_others_run(unsigned tries)
{
	if (tries < YIELDS)
		sched_yield();
	else
		nanosleep(&(struct timespec){ 0, PAUSE }, NULL);
}

void wait_zombie(pid_t pid)
{
	int fd = proc_open(pid, "stat");
	for (unsigned tries = 0; state_read(fd) != 'Z'; tries++)
		let_others_run(tries);
	close(fd);
}

/* ---- the conductor's part -------------------------------------------------------------------- */

/* How many sleep there. */
int asleep_in(enum op_class class, int object)
{
	int count = 0;
	for (int i = 0; i < ACTORS; i++)
		count += world->actor[i].untold && world->actor[i].class == class &&
		         world->actor[i].object == object;
	return count;
}

/* Whether the step may have woken anybody. */
bool needs_settling(const struct op *op)
{
	enum op_class class = op_class(op->kind);
	int slot = op_slot(op);
	if (world->death_unseen)
		return true;
	for (int i = 0; i < ACTORS; i++) {
		const struct actor *actor = &world->actor[i];
		if (!actor->untold) /* it may have been woken, and have returned already */
			continue;
		if (op->kind == OP_SIGNAL)
			return true;
		if (slot >= 0 && actor->class == class &&
		    actor->object == (class == OF_SETS ? world->set[slot] : world->queue[slot]))
			return true;
	}
	return false;
}

/* Those that were asleep before this step, in an order that does not depend on the run. */
static void log_returns(void)
{
	for (int i = 0; i < ACTORS; i++) {
		struct actor *actor = &world->actor[i];
		if (!actor->untold || actor->in_call)
			continue;
		const struct call_result *result = &actor->result;
		const int64_t fields[RETURN_FIELDS] = { i, result->value, result->error };
		log_record(REC_RETURN, fields, RETURN_FIELDS);
		if (result->has_message)
			log_message(-1, result);
		actor->untold = false;
	}
}

void settle(void)
{
	if (world->death_unseen)
		sets_notice_death();
	world->death_unseen = false;
	for (unsigned tries = 0; world->crash_signal == 0 && !all_still(); tries++)
		let_others_run(tries);
	if (world->crash_signal == 0 && !world->handed_over)
		log_returns();
}

/* docs/semaphores.md, "What differs from the kernel": a signal does not end a sleep of Madang's if
 * it comes while the sleeper has woken up to look at the set. So it is sent again. The summary
 * says how often. A kind of signal that never ends a sleep is found all the same. */
static void signal_again(const struct op *op)
{
	enum { ENOUGH = 5 };
	if (op->kind != OP_SIGNAL || op->arg[0] < 0 || op->arg[0] >= ACTORS || op->arg[1] > 1)
		return;
	const struct actor *actor = &world->actor[op->arg[0]];
	for (int i = 0; i < ENOUGH && actor->in_call && world->crash_signal == 0; i++) {
		world->signals_again++;
		kill(actor->pid, op->arg[1] == 0 ? SIGUSR1 : SIGUSR2);
		settle();
	}
}

/* Ends a step that an actor, or the death of one, has begun. */
void settle_step(void)
{
	const struct op *op = &world->op[world->step];
	struct actor *actor = &world->actor[op->actor];
	bool its_own = world->handed_over;
	world->settling = false;
	settle();
	signal_again(op);
	if (world->crash_signal != 0)
		return;
	world->handed_over = false;
	if (its_own && actor->in_call) {
		log_outcome(ASLEEP);
	} else if (its_own) {
		log_call(&actor->result);
		actor->untold = false;
	}
	log_returns();
	observe(op, op_class(op->kind) == OF_LIFE && world->watch == WATCH_TOUCHED);
	step_end();
}
