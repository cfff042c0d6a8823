/* SPDX-License-Identifier: MIT */
/*
 * event.c - mdg_event: what its functions return, who passes, and deaths.
 *
 * All threads that wait pass, and one of those that take. This holds also if the event is reset at
 * once, if signal handlers interrupt the waits, and if threads are killed while they set the event
 * or after they were woken.
 */
#include "sync/asleep.h"
#include "sync/stepped.h"

enum { WAITERS = 3, TAKERS = 2, ALL = WAITERS + TAKERS, SETS = 2000 };

static struct box {
	mdg_event event;
	_Atomic uint32_t signals, waited, taken;
	_Atomic uint32_t about[ALL + 1]; /* to wait */
	uint32_t plain;                  /* handed over by the event */
} * box;

static bool is_taken(void)
{
	return mdg_event_is_set(&box->event) == 0;
}

/* ---- answers ------------------------------------------------------------------------------- */

static void answers(void)
{
	errno = 4711;
	CHECK(mdg_event_is_set(&box->event) == 0);
	CHECK(mdg_event_trytake(&box->event) == -EAGAIN);
	CHECK(mdg_event_wait_until(&box->event, 0) == -ETIMEDOUT);
	CHECK(mdg_event_take_until(&box->event, 0) == -ETIMEDOUT);
	CHECK(mdg_event_reset(&box->event) == 0);
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(mdg_event_is_set(&box->event) == 1);
	CHECK(mdg_event_wait(&box->event) == 0);
	CHECK(mdg_event_wait_until(&box->event, 0) == 0);
	CHECK(mdg_event_take(&box->event) == 0);
	CHECK(mdg_event_trytake(&box->event) == -EAGAIN); /* set twice is set */
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(mdg_event_take_until(&box->event, 0) == 0);
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(mdg_event_reset(&box->event) == 0);
	CHECK(mdg_event_is_set(&box->event) == 0);
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(mdg_event_destroy(&box->event) == 0);
	CHECK(mdg_event_is_set(&box->event) == 0);
	uint64_t begin = now_ns();
	CHECK(mdg_event_wait_until(&box->event, BRIEFLY) == -ETIMEDOUT);
	CHECK(mdg_event_take_until(&box->event, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 100000000);
	CHECK(errno == 4711);
}

static void set_and_take(void)
{
	for (int i = 0; i < 100; i++) {
		CHECK(mdg_event_set(&box->event) == 0);
		CHECK(mdg_event_wait(&box->event) == 0);
		CHECK(mdg_event_set(&box->event) == 0);
		CHECK(mdg_event_take(&box->event) == 0);
		CHECK(mdg_event_reset(&box->event) == 0);
	}
}

/* ---- waiting -------------------------------------------------------------------------------- */

struct wait {
	uint64_t deadline;
	int (*how)(mdg_event *event, uint64_t deadline);
	int rc, flags;
};

static void wait_once(void *argument)
{
	const struct wait *wait = argument;
	handle_signals(&box->signals, wait->flags);
	atomic_store(&box->about[0], 1);
	CHECK(wait->how(&box->event, wait->deadline) == wait->rc);
}

static pid_t start_waiting(const struct wait *wait)
{
	atomic_store(&box->about[0], 0);
	atomic_store(&box->signals, 0);
	pid_t pid = start(wait_once, (void *)(uintptr_t)wait);
	CHECK(falls_asleep(pid, &box->about[0]));
	return pid;
}

static void handlers(int (*how)(mdg_event *event, uint64_t deadline))
{
	const struct wait interrupted = { MDG_FOREVER, how, -EINTR, 0 };
	const struct wait restarted = { MDG_FOREVER, how, 0, SA_RESTART };
	const struct wait limited = { GRACE, how, -EINTR, SA_RESTART };
	pid_t pid = start_waiting(&interrupted);
	CHECK(mdg_event_destroy(&box->event) == -EBUSY);
	kill(pid, SIGUSR1);
	CHECK(ended_well(pid));
	pid = start_waiting(&limited);
	kill(pid, SIGUSR1);
	CHECK(ended_well(pid));
	pid = start_waiting(&restarted);
	kill(pid, SIGUSR1);
	CHECK(HANDLERS_LATE || reaches(&box->signals, 1));
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(ended_well(pid));
	CHECK(mdg_event_is_set(&box->event) == (how == mdg_event_wait_until));
	CHECK(mdg_event_destroy(&box->event) == 0);
}

/* All threads that wait when the event is set pass, even if it is reset before any of them runs. */
static void all_pass_one_takes(void)
{
	static const struct wait wait = { MDG_FOREVER, mdg_event_wait_until, 0, 0 };
	static const struct wait take = { MDG_FOREVER, mdg_event_take_until, 0, 0 };
	pid_t pid[ALL];
	for (int i = 0; i < ALL; i++)
		pid[i] = start_waiting(i < TAKERS ? &take : &wait);
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(mdg_event_reset(&box->event) == 0);
	for (int i = TAKERS; i < ALL; i++)
		CHECK(ended_well(pid[i]));
	CHECK(mdg_event_is_set(&box->event) == 0);
	/* One that takes may have been quicker than the reset. */
	for (int i = 0; i < TAKERS; i++) {
		CHECK(becomes(is_taken));
		CHECK(mdg_event_set(&box->event) == 0);
	}
	for (int i = 0; i < TAKERS; i++)
		CHECK(ended_well(pid[i]));
	CHECK(mdg_event_destroy(&box->event) == 0);
}

/* ---- each time once ------------------------------------------------------------------------- */

static void *take_until_zero(void *unused)
{
	for (;;) {
		CHECK(mdg_event_take_until(&box->event, GRACE) == 0);
		uint32_t seen = box->plain;
		atomic_fetch_add(&box->taken, 1);
		if (seen == 0)
			return unused;
	}
}

static void take_until_zero_child(void *unused)
{
	(void)take_until_zero(unused);
}

/* It is set when it has been taken: so each time it is taken once. */
static void each_time_once(void)
{
	pthread_t thread[TAKERS];
	pid_t child[TAKERS];
	for (int i = 0; i < TAKERS; i++) {
		child[i] = start(take_until_zero_child, NULL);
		CHECK(pthread_create(&thread[i], NULL, take_until_zero, NULL) == 0);
	}
	for (uint32_t i = 1; i <= SETS + 2 * TAKERS && check_failures == 0; i++) {
		box->plain = i <= SETS ? i : 0;
		CHECK(mdg_event_set(&box->event) == 0);
		uint64_t end = GRACE;
		while (atomic_load(&box->taken) < i && now_ns() < end)
			if (i % 8 == 0) /* they fall asleep now and then */
				pause_us(20);
		CHECK(atomic_load(&box->taken) == i);
		CHECK(is_taken());
	}
	for (int i = 0; i < TAKERS; i++) {
		pthread_join(thread[i], NULL);
		CHECK(ended_well(child[i]));
	}
}

/* ---- deaths --------------------------------------------------------------------------------- */

static void pass(void *argument)
{
	uintptr_t number = (uintptr_t)argument;
	atomic_store(&box->about[number], 1);
	if (number < WAITERS) {
		CHECK(mdg_event_wait(&box->event) == 0);
		atomic_fetch_add(&box->waited, 1);
	} else {
		CHECK(mdg_event_take(&box->event) == 0);
		atomic_fetch_add(&box->taken, 1);
	}
}

static pid_t start_passing(uintptr_t number)
{
	atomic_store(&box->about[number], 0);
	pid_t pid = start(pass, (void *)number);
	CHECK(falls_asleep(pid, &box->about[number]));
	return pid;
}

static void start_all(pid_t pid[ALL])
{
	atomic_store(&box->waited, 0);
	atomic_store(&box->taken, 0);
	for (uintptr_t i = 0; i < ALL; i++)
		pid[i] = start_passing(i);
}

static void kill_all(const pid_t pid[ALL])
{
	for (int i = 0; i < ALL; i++)
		killed(pid[i]);
	CHECK(mdg_event_destroy(&box->event) == 0);
}

static bool all_waited_one_took(void)
{
	return atomic_load(&box->waited) == WAITERS && atomic_load(&box->taken) >= 1 && is_taken();
}

static void set_stepped(void *unused)
{
	(void)unused;
	stepped_here();
	stepped_end(mdg_event_set(&box->event) == 0);
}

/* A thread is killed in the middle of a set. Either it has set the event, and all pass, or it has
 * not, and the next set lets them pass. */
static bool setter_is_killed(uint32_t at)
{
	pid_t pid[ALL];
	struct stepped setter;
	if (!stepped_start(&setter, set_stepped, NULL)) {
		printf("not tried: killed in the middle (no ptrace)\n");
		return false;
	}
	start_all(pid);
	bool more = stepped_go(&setter, at) == at;
	bool set = mdg_event_is_set(&box->event) != 0;
	stepped_kill(&setter);
	set = set || atomic_load(&box->waited) + atomic_load(&box->taken) != 0;
	if (!set) /* or just now taken */
		CHECK(mdg_event_set(&box->event) == 0);
	CHECK(becomes(all_waited_one_took));
	kill_all(pid);
	return more;
}

static void wait_stepped(void *unused)
{
	(void)unused;
	stepped_here();
	stepped_end(mdg_event_wait(&box->event) == 0);
}

static void take_stepped(void *unused)
{
	(void)unused;
	stepped_here();
	stepped_end(mdg_event_take(&box->event) == 0);
}

/* One that is woken is killed in the middle; the others do not miss it. Then it is set once
 * more, and that wakes as ever. */
static bool woken_is_killed(uint32_t at, void (*how)(void *), bool reset)
{
	pid_t pid[ALL];
	struct stepped victim;
	if (!stepped_start(&victim, how, NULL))
		return false;
	CHECK(stepped_until_asleep(&victim));
	start_all(pid);
	CHECK(mdg_event_set(&box->event) == 0);
	if (reset)
		CHECK(mdg_event_reset(&box->event) == 0);
	CHECK(stepped_woken(&victim));
	bool more = stepped_go(&victim, at) == at;
	stepped_kill(&victim);
	if (!reset)
		CHECK(becomes(is_taken));
	CHECK(mdg_event_set(&box->event) == 0);
	CHECK(becomes(all_waited_one_took));
	kill_all(pid);
	return more;
}

static bool waiter_is_killed(uint32_t at)
{
	return woken_is_killed(at, wait_stepped, at / 2 % 2 == 0);
}

static bool taker_is_killed(uint32_t at)
{
	return woken_is_killed(at, take_stepped, at / 2 % 2 == 0);
}

/* The threads that have slept longest in a take are killed when the event is set, before they can
 * run. */
static void takers_are_killed(void)
{
	pid_t pid[ALL];
	for (uintptr_t i = 0; i < ALL; i++)
		pid[i] = start_passing(WAITERS + i % 2);
	CHECK(mdg_event_set(&box->event) == 0);
	for (int i = 0; i < ALL - 1; i++)
		kill(pid[i], SIGKILL);
	CHECK(becomes(is_taken));
	kill_all(pid);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	CHECK(without_system_calls(set_and_take));
	handlers(mdg_event_wait_until);
	handlers(mdg_event_take_until);
	all_pass_one_takes();
	each_time_once();
	for (int i = 0; i < 30; i++)
		takers_are_killed();
	at_many_instructions(setter_is_killed);
	at_many_instructions(waiter_is_killed);
	at_many_instructions(taker_is_killed);
	return test_result();
}
