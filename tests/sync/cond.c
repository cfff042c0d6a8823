/* SPDX-License-Identifier: MIT */
/*
 * cond.c - mdg_cond: what its functions return, what they pass on from the mutex, and lost signals.
 *
 * Whoever dies, nothing that was signalled is left over while a thread sleeps.
 */
#include "sync/asleep.h"
#include "sync/stepped.h"

enum { WORKERS = 5, ITEMS = 4000, ROOM = 3 };

static struct box {
	mdg_mutex lock, other;
	mdg_cond filled, emptied;
	_Atomic uint32_t signals;
	_Atomic uint32_t about[WORKERS + 1]; /* to wait */
	uint32_t items, made, used;          /* guarded by lock */
	_Atomic uint32_t passed;
} * box;

/* If the owner died, the data are right all the same, because they change in one store. */
static void lock(void)
{
	int rc = mdg_mutex_lock_until(&box->lock, GRACE);
	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_set_repaired(&box->lock);
	CHECK(rc == 0);
}

static void unlock(void)
{
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

static bool nothing_is_left(void)
{
	lock();
	bool empty = box->items == 0;
	unlock();
	return empty;
}

/* ---- answers ------------------------------------------------------------------------------- */

static void lock_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	die();
}

static void answers(void)
{
	errno = 4711;
	CHECK(mdg_cond_wait(&box->filled, &box->lock) == -EPERM);
	CHECK(mdg_cond_wait_until(&box->filled, &box->lock, 0) == -EPERM);
	CHECK(mdg_cond_signal(&box->filled) == 0);
	CHECK(mdg_cond_broadcast(&box->filled) == 0);
	CHECK(mdg_cond_destroy(&box->filled) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(mdg_mutex_lock(&box->other) == 0);
	CHECK(mdg_cond_wait_until(&box->filled, &box->lock, 0) == -ETIMEDOUT);
	uint64_t begin = now_ns();
	CHECK(mdg_cond_wait_until(&box->filled, &box->lock, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->other) == 0);
	CHECK(mdg_cond_signal(&box->filled) == 0);
	/* Not repaired: it stays locked, and can still be. */
	ended(start(lock_and_die, NULL));
	CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	CHECK(mdg_cond_wait_until(&box->filled, &box->lock, BRIEFLY) == -EINVAL);
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_cond_wait_until(&box->filled, &box->lock, 0) == -ETIMEDOUT);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	CHECK(errno == 4711);
}

static void signal_nobody(void)
{
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	for (int i = 0; i < 100; i++) {
		CHECK(mdg_cond_signal(&box->filled) == 0);
		CHECK(mdg_cond_broadcast(&box->filled) == 0);
	}
	unlock();
}

/* ---- waiting -------------------------------------------------------------------------------- */

struct wait {
	uint64_t deadline;
	int rc, flags;
};

/* Until it is woken by somebody: no spurious wake-up happens here. */
static void wait_once(void *argument)
{
	const struct wait *wait = argument;
	handle_signals(&box->signals, wait->flags);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	atomic_store(&box->about[0], 1);
	CHECK(mdg_cond_wait_until(&box->filled, &box->lock, wait->deadline) == wait->rc);
	CHECK(mdg_mutex_unlock(&box->lock) == (wait->rc == MDG_BROKEN ? -EPERM : 0));
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
	CHECK(mdg_cond_destroy(&box->filled) == -EBUSY);
	kill(pid, SIGUSR1);
	CHECK(ended_well(pid));
	pid = start_waiting(&limited);
	kill(pid, SIGUSR1);
	CHECK(ended_well(pid));
	pid = start_waiting(&restarted);
	kill(pid, SIGUSR1);
	CHECK(HANDLERS_LATE || reaches(&box->signals, 1));
	CHECK(mdg_cond_signal(&box->filled) == 0);
	CHECK(ended_well(pid));
}

/* What happened to the mutex is told, and counts more than a deadline. */
static void mutex_is_passed_on(void)
{
	static struct wait wait = { 0, MDG_OWNER_DIED, 0 };
	wait.deadline = GRACE;
	pid_t pid = start_waiting(&wait);
	ended(start(lock_and_die, NULL));
	CHECK(mdg_cond_broadcast(&box->filled) == 0);
	CHECK(ended_well(pid)); /* unlocked without repair */
	CHECK(mdg_mutex_lock(&box->lock) == MDG_BROKEN);
	CHECK(mdg_mutex_destroy(&box->lock) == 0);

	wait = (struct wait){ BRIEFLY, MDG_OWNER_DIED, 0 };
	atomic_store(&box->about[0], 0);
	pid = start(wait_once, &wait);
	CHECK(reaches(&box->about[0], 1));
	ended(start(lock_and_die, NULL));
	CHECK(ended_well(pid));
	CHECK(mdg_mutex_destroy(&box->lock) == 0);

	wait = (struct wait){ MDG_FOREVER, MDG_BROKEN, 0 };
	pid = start_waiting(&wait);
	ended(start(lock_and_die, NULL));
	CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	CHECK(mdg_cond_signal(&box->filled) == 0);
	CHECK(ended_well(pid));
	CHECK(mdg_mutex_destroy(&box->lock) == 0);
}

static void broadcast_wakes_all(void)
{
	static const struct wait wait = { MDG_FOREVER, 0, 0 };
	pid_t pid[WORKERS];
	for (int i = 0; i < WORKERS; i++)
		pid[i] = start_waiting(&wait);
	CHECK(mdg_cond_broadcast(&box->filled) == 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK(ended_well(pid[i]));
}

/* ---- a box with little room ----------------------------------------------------------------- */

static void *make(void *unused)
{
	for (int i = 0; i < ITEMS; i++) {
		lock();
		while (box->items == ROOM)
			CHECK(mdg_cond_wait_until(&box->emptied, &box->lock, GRACE) == 0);
		box->items++;
		box->made++;
		CHECK(mdg_cond_signal(&box->filled) == 0);
		unlock();
	}
	return unused;
}

static void *use(void *unused)
{
	for (int i = 0; i < ITEMS; i++) {
		lock();
		while (box->items == 0)
			CHECK(mdg_cond_wait_until(&box->filled, &box->lock, GRACE) == 0);
		box->items--;
		box->used++;
		unlock();
		CHECK(mdg_cond_signal(&box->emptied) == 0); /* without the mutex */
	}
	return unused;
}

static void make_child(void *unused)
{
	(void)make(unused);
}

static void use_child(void *unused)
{
	(void)use(unused);
}

static void little_room(void)
{
	pthread_t thread[2];
	pid_t child[2] = { start(make_child, NULL), start(use_child, NULL) };
	CHECK(pthread_create(&thread[0], NULL, make, NULL) == 0);
	CHECK(pthread_create(&thread[1], NULL, use, NULL) == 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		CHECK(ended_well(child[i]));
	}
	CHECK(box->made == 2 * ITEMS && box->used == 2 * ITEMS && box->items == 0);
}

/* ---- deaths --------------------------------------------------------------------------------- */

/* Takes what there is, one after the other, for ever. */
static void work(void *argument)
{
	lock();
	atomic_store((_Atomic uint32_t *)argument, 1);
	for (;;) {
		while (box->items == 0) {
			int rc = mdg_cond_wait(&box->filled, &box->lock);
			if (rc == MDG_OWNER_DIED)
				rc = mdg_mutex_set_repaired(&box->lock);
			CHECK(rc == 0);
		}
		box->items--;
		unlock();
		lock();
	}
}

static pid_t start_worker(int number)
{
	atomic_store(&box->about[number], 0);
	return start(work, &box->about[number]);
}

static void fill(uint32_t items)
{
	lock();
	box->items += items;
	unlock();
	CHECK(mdg_cond_signal(&box->filled) == 0);
}

/* All but the last to come are killed when they are woken. */
static void woken_are_killed(void)
{
	pid_t worker[WORKERS];
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = start_worker(i);
		CHECK(falls_asleep(worker[i], &box->about[i]));
	}
	fill(1);
	for (int i = 0; i < WORKERS - 1; i++)
		kill(worker[i], SIGKILL);
	CHECK(becomes(nothing_is_left));
	for (int i = 0; i < WORKERS; i++)
		killed(worker[i]);
}

static void storm(void)
{
	pid_t worker[WORKERS];
	for (int i = 0; i < WORKERS; i++)
		worker[i] = start_worker(i);
	for (int round = 0; round < 80 && check_failures == 0; round++) {
		for (int i = 0; i < 4; i++) {
			uint32_t at = draw(WORKERS);
			fill(draw(3));
			pause_us(draw(60));
			if (draw(2) == 0)
				continue;
			killed(worker[at]);
			worker[at] = start_worker((int)at);
		}
		CHECK(becomes(nothing_is_left));
	}
	for (int i = 0; i < WORKERS; i++)
		killed(worker[i]);
}

static void work_stepped(void *unused)
{
	(void)unused;
	stepped_here();
	lock();
	while (box->items == 0) {
		int rc = mdg_cond_wait(&box->filled, &box->lock);
		if (rc == MDG_OWNER_DIED)
			rc = mdg_mutex_set_repaired(&box->lock);
		if (rc != 0)
			stepped_end(false);
	}
	box->items--;
	stepped_end(mdg_mutex_unlock(&box->lock) == 0);
}

/* Killed before or after it has the mutex, and after it has used it. */
static bool woken_is_killed(uint32_t at)
{
	struct stepped victim;
	if (!stepped_start(&victim, work_stepped, NULL)) {
		printf("not tried: killed in the middle (no ptrace)\n");
		return false;
	}
	CHECK(stepped_until_asleep(&victim));
	pid_t worker = start_worker(0);
	CHECK(falls_asleep(worker, &box->about[0]));
	fill(2);
	CHECK(stepped_woken(&victim));
	bool more = stepped_go(&victim, at) == at;
	stepped_kill(&victim);
	CHECK(becomes(nothing_is_left));
	fill(1);
	CHECK(becomes(nothing_is_left));
	killed(worker);
	return more;
}

static void wait_stepped(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	stepped_here();
	int rc = 0;
	while (rc == 0 && box->items == 0)
		rc = mdg_cond_wait(&box->filled, &box->lock);
	box->items = 0;
	stepped_end(rc == 0);
}

/* A waiter that has unlocked the mutex misses no signal, wherever it is on its way to sleep. */
static bool waiter_is_held_up(uint32_t at)
{
	struct stepped victim;
	if (!stepped_start(&victim, wait_stepped, NULL))
		return false;
	bool more = stepped_go(&victim, at) == at;
	if (mdg_mutex_trylock(&box->lock) == 0) {
		box->items = 1;
		unlock();
		CHECK(mdg_cond_signal(&box->filled) == 0);
		CHECK(stepped_woken(&victim));
		ptrace(PTRACE_DETACH, victim.pid, NULL, NULL);
		CHECK(becomes(nothing_is_left));
		killed(victim.pid);
	} else {
		stepped_kill(&victim);
	}
	lock(); /* repaired */
	unlock();
	return more;
}

static void signal_stepped(void *unused)
{
	(void)unused;
	stepped_here();
	stepped_end(mdg_cond_signal(&box->filled) == 0);
}

/* If a thread is killed in the middle of a signal, it has not signalled. The next signal works. */
static bool signaller_is_killed(uint32_t at)
{
	struct stepped victim;
	pid_t worker = start_worker(0);
	CHECK(falls_asleep(worker, &box->about[0]));
	if (!stepped_start(&victim, signal_stepped, NULL)) {
		killed(worker);
		return false;
	}
	bool more = stepped_go(&victim, at) == at;
	stepped_kill(&victim);
	fill(1);
	CHECK(becomes(nothing_is_left));
	killed(worker);
	return more;
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	CHECK(without_system_calls(signal_nobody));
	handlers();
	mutex_is_passed_on();
	broadcast_wakes_all();
	little_room();
	for (int i = 0; i < 30; i++)
		woken_are_killed();
	storm();
	at_many_instructions(waiter_is_held_up);
	at_many_instructions(woken_is_killed);
	at_many_instructions(signaller_is_killed);
	return test_result();
}
