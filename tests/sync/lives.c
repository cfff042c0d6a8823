/* SPDX-License-Identifier: MIT */
/*
 * lives.c - threads and processes that come and go in unusual ways, and what they held.
 *
 * Threads that end holding and not, beside robust mutexes of the C library; fork from a thread that
 * holds locks of both kinds; children of clone(2) without the C library; thread ids that mean
 * two threads, in two pid namespaces.
 */
#include <sched.h>
#include <sys/syscall.h>

#include "sync/asleep.h"
#include "sync/owned.h"

static struct box {
	mdg_mutex lock, other, third;
	pthread_mutex_t theirs[2];
	_Atomic uint32_t stage;
	_Atomic uint32_t asleep;
	_Atomic int32_t inner; /* a process in the namespace, as seen from here */
} * box;

static void again(void)
{
	pthread_mutexattr_t robust;
	memset(box, 0, sizeof(*box));
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_mutex_init(&box->theirs[i], &robust) == 0);
}

static void is_died(mdg_mutex *mutex, bool died)
{
	CHECK(mdg_mutex_lock_until(mutex, GRACE) == (died ? MDG_OWNER_DIED : 0));
	CHECK(mdg_mutex_set_repaired(mutex) == (died ? 0 : -EINVAL));
	CHECK(mdg_mutex_unlock(mutex) == 0);
}

/* ---- threads that end -------------------------------------------------------------------- */

/* Which of them it holds at its end: bits. */
enum { LOCK = 1, OTHER = 2, THEIRS_FIRST = 4, THEIRS_LAST = 8, IN_MIDDLE = 16, HOW_ALL = 32 };

static void *come_and_go(void *argument)
{
	unsigned how = (unsigned)(uintptr_t)argument;
	CHECK(pthread_mutex_lock(&box->theirs[0]) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(pthread_mutex_lock(&box->theirs[1]) == 0);
	CHECK(mdg_mutex_lock(&box->other) == 0);
	if ((how & THEIRS_FIRST) == 0)
		CHECK(pthread_mutex_unlock(&box->theirs[0]) == 0);
	if ((how & LOCK) == 0)
		CHECK(mdg_mutex_unlock(&box->lock) == 0);
	if ((how & THEIRS_LAST) == 0)
		CHECK(pthread_mutex_unlock(&box->theirs[1]) == 0);
	if ((how & OTHER) == 0)
		CHECK(mdg_mutex_unlock(&box->other) == 0);
	if ((how & IN_MIDDLE) != 0)
		pthread_exit(NULL);
	return NULL;
}

static void theirs_died(pthread_mutex_t *mutex, bool died)
{
	CHECK(pthread_mutex_lock(mutex) == (died ? EOWNERDEAD : 0));
	if (died)
		CHECK(pthread_mutex_consistent(mutex) == 0);
	CHECK(pthread_mutex_unlock(mutex) == 0);
}

static void threads_end(void *unused)
{
	(void)unused;
	for (unsigned how = 0; how < HOW_ALL; how++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, come_and_go, (void *)(uintptr_t)how) == 0);
		pthread_join(thread, NULL);
		is_died(&box->lock, (how & LOCK) != 0);
		is_died(&box->other, (how & OTHER) != 0);
		theirs_died(&box->theirs[0], (how & THEIRS_FIRST) != 0);
		theirs_died(&box->theirs[1], (how & THEIRS_LAST) != 0);
	}
}

/* Many detached ones, whose memory goes as they end. */
static void *brief(void *lock)
{
	int rc = mdg_mutex_lock(lock);
	CHECK(rc == 0 || rc == MDG_OWNER_DIED);
	if (rc == MDG_OWNER_DIED)
		CHECK(mdg_mutex_set_repaired(lock) == 0);
	if (atomic_fetch_add(&box->stage, 1) % 2 == 0)
		CHECK(mdg_mutex_unlock(lock) == 0);
	return NULL;
}

static void detached(void *unused)
{
	enum { THREADS = 400 };
	(void)unused;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, &attributes, brief, &box->lock) == 0);
		CHECK(reaches(&box->stage, i + 1));
	}
	is_died(&box->lock, true);
}

/* ---- fork and clone ---------------------------------------------------------------------- */

static void use_and_end(bool die_holding)
{
	CHECK(mdg_mutex_trylock(&box->lock) == -EBUSY);
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	CHECK(mdg_mutex_lock(&box->third) == 0);
	if (!die_holding)
		CHECK(mdg_mutex_unlock(&box->third) == 0);
	_exit(test_result());
}

static pid_t by_fork(void)
{
	return fork();
}

static pid_t by_clone(void)
{
#if defined(__s390__) /* the stack comes first there */
	return (pid_t)syscall(SYS_clone, NULL, SIGCHLD, NULL, NULL, NULL);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
#endif
}

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 34)
#define HAS_FORK_ALONE 1
#endif
#endif
#ifdef HAS_FORK_ALONE
static pid_t by_fork_alone(void)
{
	return _Fork();
}
#endif

static pid_t (*const births[])(void) = {
	by_fork,
	by_clone,
#ifdef HAS_FORK_ALONE
	by_fork_alone,
#endif
};

/* The child's locks are its own. The parent's locks stay as they were, although the child found
 * them, and the C library's locks, in memory that both share. */
static void *hold_and_multiply(void *argument)
{
	pid_t (*birth)(void) = births[(uintptr_t)argument];
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(pthread_mutex_lock(&box->theirs[0]) == 0);
	CHECK(mdg_mutex_lock(&box->other) == 0);
	for (int die_holding = 0; die_holding < 2; die_holding++) {
		pid_t pid = birth();
		if (pid == 0)
			use_and_end(die_holding != 0);
		CHECK(pid > 0 && ended_well(pid));
		is_died(&box->third, die_holding != 0);
	}
	atomic_store(&box->stage, 1);
	while (atomic_load(&box->stage) == 1)
		pause();
	return NULL;
}

static void multiply(void *argument)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, hold_and_multiply, argument) == 0);
	CHECK(reaches(&box->stage, 1));
	fflush(NULL);
	if (test_result() == 0)
		die();
}

static void multiply_first_thread(void *argument)
{
	atomic_store(&box->stage, 0);
	(void)hold_and_multiply(argument);
}

static void forks(void)
{
	for (uintptr_t i = 0; i < sizeof(births) / sizeof(births[0]); i++)
		for (int first = 0; first < 2; first++) {
			again();
			pid_t pid = start(first ? multiply_first_thread : multiply, (void *)i);
			CHECK(reaches(&box->stage, 1));
			if (first)
				killed(pid);
			else
				CHECK(WIFSIGNALED(ended(pid)));
			is_died(&box->lock, true);
			is_died(&box->other, true);
			theirs_died(&box->theirs[0], true);
		}
}

/* A child of a thread that had never used locks. */
static void use_in_clone(void *unused)
{
	(void)unused;
	pid_t pid = by_clone();
	if (pid == 0) {
		CHECK(mdg_mutex_lock(&box->lock) == 0);
		_exit(test_result());
	}
	CHECK(ended_well(pid));
	is_died(&box->lock, true);
}

/* ---- one id, two threads ----------------------------------------------------------------- */

enum { DENIED = 99 };

/* Runs f in a new pid namespace, as its process 1. */
static void inside(void (*f)(void *), void *argument)
{
	if (unshare(CLONE_NEWPID) != 0)
		_exit(DENIED);
	pid_t pid = start(f, argument);
	atomic_store(&box->inner, pid);
	_exit(ended_well(pid) ? 0 : 1);
}

static void hold_as_one(void *unused)
{
	(void)unused;
	CHECK(getpid() == 1);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	atomic_store(&box->stage, 1);
	while (atomic_load(&box->stage) == 1)
		nap_ms(1);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

static void ask_as_one(void *unused)
{
	(void)unused;
	CHECK(getpid() == 1);
	CHECK(mdg_mutex_trylock(&box->lock) == -EBUSY);
	CHECK(mdg_mutex_lock_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	CHECK(mdg_mutex_set_repaired(&box->lock) == -EPERM);
	CHECK(mdg_mutex_destroy(&box->lock) == -EBUSY);
}

static void sleep_as_one(void *wanted)
{
	CHECK(getpid() == 1);
	atomic_store(&box->asleep, 1);
	int rc = mdg_mutex_lock_until(&box->lock, GRACE);
	CHECK(rc == (int)(intptr_t)wanted);
	if (rc == MDG_OWNER_DIED)
		CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

static void inside_hold(void *unused)
{
	inside(hold_as_one, unused);
}
static void inside_ask(void *unused)
{
	inside(ask_as_one, unused);
}
static void inside_sleep(void *wanted)
{
	inside(sleep_as_one, wanted);
}

static pid_t asleep_inside(int wanted)
{
	atomic_store(&box->asleep, 0);
	atomic_store(&box->inner, 0);
	pid_t pid = start(inside_sleep, (void *)(intptr_t)wanted);
	while (atomic_load(&box->inner) == 0)
		nap_ms(1);
	CHECK(falls_asleep(atomic_load(&box->inner), &box->asleep));
	return pid;
}

static void namesakes(void)
{
	again();
	pid_t holder = start(inside_hold, NULL);
	while (atomic_load(&box->stage) == 0 && waitpid(holder, NULL, WNOHANG) == 0)
		nap_ms(1);
	if (atomic_load(&box->stage) == 0) {
		printf("not tried: ids in two pid namespaces (needs root)\n");
		return;
	}
	CHECK(ended_well(start(inside_ask, NULL)));
	/* A thread that dies asleep takes nothing away from another thread with the same id, nor
	 * from others. */
	pid_t victim = asleep_inside(0);
	kill(atomic_load(&box->inner), SIGKILL);
	ended(victim);
	CHECK(mdg_mutex_trylock(&box->lock) == -EBUSY);
	/* Given back, it goes to a namesake; and so does word of a death. */
	pid_t next = asleep_inside(0);
	atomic_store(&box->stage, 2);
	CHECK(ended_well(holder));
	CHECK(ended_well(next));
	atomic_store(&box->stage, 0);
	atomic_store(&box->inner, 0); /* not the one before */
	holder = start(inside_hold, NULL);
	CHECK(reaches(&box->stage, 1));
	pid_t inner_holder = 0;
	while ((inner_holder = atomic_load(&box->inner)) == 0)
		nap_ms(1);
	next = asleep_inside(MDG_OWNER_DIED);
	kill(inner_holder, SIGKILL);
	ended(holder);
	CHECK(ended_well(next));
	is_died(&box->lock, false);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	again();
	CHECK(ended_well(start(threads_end, NULL)));
	again();
	CHECK(ended_well(start(detached, NULL)));
	forks();
	again();
	CHECK(ended_well(start(use_in_clone, NULL)));
	namesakes();
	return test_result();
}
