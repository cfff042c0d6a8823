/* SPDX-License-Identifier: MIT */
/*
 * sem.c - mdg_sem: what its functions return, and that no unit is lost or taken twice.
 *
 * Every unit is taken once. If there is a unit, one of the waiters takes it. This holds also if
 * threads are killed that were woken, or that were about to wake others.
 */
#include "sync/asleep.h"
#include "sync/stepped.h"

enum { WORKERS = 6, ROUNDS = 3000 };

static struct box {
	mdg_sem sem, back;
	_Atomic uint32_t signals;
	_Atomic uint32_t about[WORKERS]; /* to wait */
	_Atomic uint32_t taken;
} * box;

static bool is_empty(void)
{
	return mdg_sem_value(&box->sem) == 0;
}

/* ---- answers ------------------------------------------------------------------------------- */

static void answers(void)
{
	errno = 4711;
	CHECK(mdg_sem_value(&box->sem) == 0);
	CHECK(mdg_sem_trywait(&box->sem) == -EAGAIN);
	CHECK(mdg_sem_wait_until(&box->sem, 0) == -ETIMEDOUT);
	CHECK(mdg_sem_post(&box->sem, 0) == 0);
	CHECK(mdg_sem_value(&box->sem) == 0);
	CHECK(mdg_sem_post(&box->sem, 3) == 0);
	CHECK(mdg_sem_value(&box->sem) == 3);
	CHECK(mdg_sem_wait(&box->sem) == 0);
	CHECK(mdg_sem_trywait(&box->sem) == 0);
	CHECK(mdg_sem_wait_until(&box->sem, 0) == 0);
	CHECK(mdg_sem_trywait(&box->sem) == -EAGAIN);
	CHECK(mdg_sem_post(&box->sem, MDG_SEM_MAX + 1) == -EOVERFLOW);
	CHECK(mdg_sem_post(&box->sem, MDG_SEM_MAX) == 0);
	CHECK(mdg_sem_post(&box->sem, 1) == -EOVERFLOW);
	CHECK(mdg_sem_post(&box->sem, UINT32_MAX) == -EOVERFLOW);
	CHECK((uint32_t)mdg_sem_value(&box->sem) == MDG_SEM_MAX);
	CHECK(mdg_sem_destroy(&box->sem) == 0);
	CHECK(mdg_sem_value(&box->sem) == 0);
	uint64_t begin = now_ns();
	CHECK(mdg_sem_wait_until(&box->sem, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000);
	CHECK(mdg_sem_wait_until(&box->sem, 1) == -ETIMEDOUT);
	CHECK(errno == 4711);
}

static void post_and_take(void)
{
	for (int i = 0; i < 100; i++) {
		CHECK(mdg_sem_post(&box->sem, 2) == 0);
		CHECK(mdg_sem_wait(&box->sem) == 0);
		CHECK(mdg_sem_trywait(&box->sem) == 0);
	}
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* What a waiter is to get, and until when it waits. */
struct wait {
	uint64_t deadline;
	int rc, flags;
};

static void wait_once(void *argument)
{
	const struct wait *wait = argument;
	handle_signals(&box->signals, wait->flags);
	atomic_store(&box->about[0], 1);
	CHECK(mdg_sem_wait_until(&box->sem, wait->deadline) == wait->rc);
}

static pid_t start_waiting(const struct wait *wait)
{
	atomic_store(&box->about[0], 0);
	atomic_store(&box->signals, 0);
	pid_t pid = start(wait_once, (void *)(uintptr_t)wait);
	CHECK(falls_asleep(pid, &box->about[0]));
	return pid;
}

static void handlers(void)
{
	const struct wait interrupted = { MDG_FOREVER, -EINTR, 0 };
	const struct wait restarted = { MDG_FOREVER, 0, SA_RESTART };
	const struct wait limited = { GRACE, -EINTR, SA_RESTART };
	pid_t pid = start_waiting(&interrupted);
	kill(pid, SIGUSR1);
	CHECK(ended_well(pid));
	pid = start_waiting(&limited);
	kill(pid, SIGUSR1);
	CHECK(ended_well(pid));
	pid = start_waiting(&restarted);
	kill(pid, SIGUSR1);
	CHECK(HANDLERS_LATE || reaches(&box->signals, 1));
	CHECK(mdg_sem_post(&box->sem, 1) == 0);
	CHECK(ended_well(pid));
	CHECK(is_empty());
}

/* Such a deadline never passes: no clock reaches it, and with 32 bits no timespec can hold it. */
static void far_deadlines(void)
{
	const uint64_t year = UINT64_C(365) * 86400 * 1000000000;
	const struct wait far[] = { { MDG_FOREVER - 1, 0, 0 },
		                    { 100 * year, 0, 0 },
		                    { 150 * year, 0, 0 } };
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		pid_t pid = start_waiting(&far[i]);
		CHECK(mdg_sem_post(&box->sem, 1) == 0);
		CHECK(ended_well(pid));
	}
}

static void busy(void)
{
	const struct wait wait = { MDG_FOREVER, 0, 0 };
	pid_t pid = start_waiting(&wait);
	CHECK(mdg_sem_destroy(&box->sem) == -EBUSY);
	CHECK(mdg_sem_destroy(&box->sem) == -EBUSY);
	killed(pid);
	CHECK(mdg_sem_destroy(&box->sem) == 0);
}

/* Each that leaves knows of those who still sleep. */
static void one_by_one(void)
{
	static const struct wait wait = { MDG_FOREVER, 0, 0 };
	pid_t pid[WORKERS];
	for (int i = 0; i < WORKERS; i++)
		pid[i] = start_waiting(&wait);
	for (int i = 0; i < WORKERS; i++) {
		CHECK(mdg_sem_post(&box->sem, 1) == 0);
		CHECK(becomes(is_empty));
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK(ended_well(pid[i]));
}

/* ---- every unit once ------------------------------------------------------------------------ */

static void *take_all(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(mdg_sem_wait_until(&box->sem, GRACE) == 0);
		atomic_fetch_add(&box->taken, 1);
		if (i % 16 == 0)
			CHECK(mdg_sem_post(&box->back, 1) == 0);
	}
	return unused;
}

static void take_all_child(void *unused)
{
	(void)take_all(unused);
}

static void post_all_child(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(mdg_sem_post(&box->sem, i % 2 == 0 ? 2 : 1) == 0);
		CHECK(mdg_sem_post(&box->sem, i % 2 == 0 ? 0 : 1) == 0);
		if (i % 8 == 0) /* those who take fall asleep now and then */
			CHECK(mdg_sem_wait_until(&box->back, GRACE) == 0);
	}
}

/* Two processes post 2 * ROUNDS units each. Two processes and two threads take them. */
static void every_unit_once(void)
{
	pthread_t thread[2];
	pid_t child[4];
	for (int i = 0; i < 4; i++)
		child[i] = start(i < 2 ? take_all_child : post_all_child, NULL);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&thread[i], NULL, take_all, NULL) == 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 4; i++)
		CHECK(ended_well(child[i]));
	CHECK(atomic_load(&box->taken) == 4 * ROUNDS);
	CHECK(is_empty());
	CHECK(mdg_sem_destroy(&box->back) == 0);
}

/* ---- deaths --------------------------------------------------------------------------------- */

static void work(void *argument)
{
	_Atomic uint32_t *about = argument;
	for (;;) {
		atomic_store(about, 1);
		CHECK(mdg_sem_wait(&box->sem) == 0);
		atomic_fetch_add(&box->taken, 1);
	}
}

static pid_t start_worker(int number)
{
	atomic_store(&box->about[number], 0);
	return start(work, &box->about[number]);
}

/* The workers that have slept longest are woken first. They are killed before they can run, and
 * only the last one is left. Each unit is taken all the same, unless a worker died after it had
 * taken it. */
static void woken_are_killed(uint32_t units)
{
	pid_t worker[WORKERS];
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = start_worker(i);
		CHECK(falls_asleep(worker[i], &box->about[i]));
	}
	CHECK(mdg_sem_post(&box->sem, units) == 0);
	for (int i = 0; i < WORKERS - 1; i++)
		kill(worker[i], SIGKILL);
	CHECK(becomes(is_empty));
	for (int i = 0; i < WORKERS; i++)
		killed(worker[i]);
}

/* Workers die all the time, and new ones take their places. In each pause all units are taken. */
static void storm(void)
{
	pid_t worker[WORKERS];
	uint32_t posted = 0, deaths = 0;
	atomic_store(&box->taken, 0);
	for (int i = 0; i < WORKERS; i++)
		worker[i] = start_worker(i);
	for (int round = 0; round < 120 && check_failures == 0; round++) {
		for (int i = 0; i < 4; i++) {
			uint32_t units = draw(4), at = draw(WORKERS);
			CHECK(mdg_sem_post(&box->sem, units) == 0);
			posted += units;
			pause_us(draw(30));
			if (draw(2) == 0)
				continue;
			killed(worker[at]);
			worker[at] = start_worker((int)at);
			deaths++;
		}
		CHECK(becomes(is_empty));
	}
	for (int i = 0; i < WORKERS; i++)
		killed(worker[i]);
	/* One that was killed may have taken a unit and not said so. */
	uint32_t taken = atomic_load(&box->taken);
	CHECK(taken <= posted && posted <= taken + deaths + WORKERS);
}

/* A thread is killed in the middle of a post. Either it has added its unit, and the unit is taken,
 * or it has not. */
static void post_stepped(void *units)
{
	stepped_here();
	stepped_end(mdg_sem_post(&box->sem, *(const uint32_t *)units) == 0);
}

static bool poster_is_killed(uint32_t at)
{
	uint32_t units = 1 + at / 2 % 2;
	struct stepped poster;
	pid_t worker = start_worker(0);
	CHECK(falls_asleep(worker, &box->about[0]));
	if (!stepped_start(&poster, post_stepped, &units)) {
		printf("not tried: killed at every instruction (no ptrace)\n");
		killed(worker);
		return false;
	}
	bool more = stepped_go(&poster, at) == at;
	stepped_kill(&poster);
	CHECK(becomes(is_empty));
	killed(worker);
	return more;
}

static void wait_stepped(void *unused)
{
	(void)unused;
	stepped_here();
	stepped_end(mdg_sem_wait(&box->sem) == 0);
}

/* A thread that was woken from its wait is killed in the middle. There are two units, and another
 * thread takes one of them. */
static bool woken_is_killed(uint32_t at)
{
	struct stepped victim;
	if (!stepped_start(&victim, wait_stepped, NULL))
		return false;
	CHECK(stepped_until_asleep(&victim));
	pid_t worker = start_worker(0);
	CHECK(falls_asleep(worker, &box->about[0]));
	CHECK(mdg_sem_post(&box->sem, 1) == 0);
	if (at / 2 % 2 == 0)
		CHECK(mdg_sem_post(&box->sem, 1) == 0);
	CHECK(stepped_woken(&victim));
	bool more = stepped_go(&victim, at) == at;
	stepped_kill(&victim);
	CHECK(becomes(is_empty));
	CHECK(mdg_sem_post(&box->sem, 1) == 0); /* and the gate is as it should be */
	CHECK(becomes(is_empty));
	killed(worker);
	return more;
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	CHECK(without_system_calls(post_and_take));
	handlers();
	far_deadlines();
	busy();
	one_by_one();
	every_unit_once();
	for (uint32_t i = 0; i < 30; i++)
		woken_are_killed(1 + i % (WORKERS - 1));
	storm();
	at_many_instructions(poster_is_killed);
	at_many_instructions(woken_is_killed);
	return test_result();
}
