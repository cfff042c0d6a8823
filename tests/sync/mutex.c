/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - mdg_mutex: exclusion, misuse, and every way in which an owner can end.
 */
#include <sys/time.h>

#include "sync/shared.h"

static struct box {
	mdg_mutex lock, other, third;
	pthread_mutex_t theirs[3];
	_Atomic uint32_t stage;
	_Atomic uint32_t tid;
	uint32_t plain[2]; /* guarded by lock; always the same */
	uint64_t released;
} * box;

/* ---- exclusion ------------------------------------------------------------------------ */

enum { ROUNDS = 20000, MANY = 4 };

static void *add(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(mdg_mutex_lock(&box->lock) == 0);
		CHECK(box->plain[0] == box->plain[1]);
		box->plain[0]++;
		box->plain[1]++;
		CHECK(mdg_mutex_unlock(&box->lock) == 0);
	}
	return unused;
}

static void add_child(void *unused)
{
	(void)add(unused);
}

static void excludes(void)
{
	pthread_t thread[MANY];
	pid_t child[MANY];
	for (int i = 0; i < MANY; i++)
		child[i] = start(add_child, NULL);
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&thread[i], NULL, add, NULL) == 0);
	for (int i = 0; i < MANY; i++) {
		pthread_join(thread[i], NULL);
		CHECK(ended_well(child[i]));
	}
	CHECK(box->plain[0] == 2 * MANY * ROUNDS);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void others_see_it_held(void *unused)
{
	(void)unused;
	uint64_t begin = now_ns();
	CHECK(mdg_mutex_trylock(&box->lock) == -EBUSY);
	CHECK(mdg_mutex_lock_until(&box->lock, 0) == -ETIMEDOUT);
	CHECK(mdg_mutex_lock_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000);
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	CHECK(mdg_mutex_set_repaired(&box->lock) == -EPERM);
	CHECK(mdg_mutex_destroy(&box->lock) == -EBUSY);
}

static void answers(void)
{
	errno = 4711;
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == -EDEADLK);
	CHECK(mdg_mutex_trylock(&box->lock) == -EDEADLK);
	CHECK(mdg_mutex_destroy(&box->lock) == -EBUSY);
	CHECK(mdg_mutex_set_repaired(&box->lock) == -EINVAL);
	CHECK(in_child(others_see_it_held, NULL));
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	CHECK(mdg_mutex_lock_until(&box->lock, 0) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	CHECK(mdg_mutex_destroy(&box->lock) == 0);
	CHECK(errno == 4711);
}

static void so_many(void)
{
	enum { MOST = 64 };
	mdg_mutex *lock = shared_memory(sizeof(*lock) * (MOST + 1));
	for (int i = 0; i < MOST; i++)
		CHECK(mdg_mutex_lock(&lock[i]) == 0);
	CHECK(mdg_mutex_lock(&lock[MOST]) == -ENOLCK);
	CHECK(mdg_mutex_trylock(&lock[MOST]) == -ENOLCK);
	CHECK(mdg_mutex_lock(&lock[7]) == -EDEADLK);
	for (int i = 0; i < MOST; i += 2) /* in an order that is not that of locking */
		CHECK(mdg_mutex_unlock(&lock[i]) == 0);
	CHECK(mdg_mutex_lock(&lock[MOST]) == 0);
	for (int i = 1; i <= MOST; i += i == MOST - 1 ? 1 : 2)
		CHECK(mdg_mutex_unlock(&lock[i]) == 0);
	munmap(lock, sizeof(*lock) * (MOST + 1));
}

/* ---- deaths --------------------------------------------------------------------------------- */

static void lock_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	die();
}

static void lock_and_exit(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == 0);
}

static void lock_and_exec(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	box->released = now_ns();
	execl("/bin/sleep", "sleep", "30", (char *)NULL);
	abort();
}

static void *lock_in_thread(void *unused)
{
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	return unused;
}

static void lock_in_thread_that_ends(void *unused)
{
	pthread_t thread;
	pthread_create(&thread, NULL, lock_in_thread, unused);
	pthread_join(thread, NULL);
	CHECK(mdg_mutex_lock_until(&box->lock, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	pthread_create(&thread, NULL, lock_in_thread, unused);
	pthread_join(thread, NULL);
}

static void lock_among_others(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->other) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(mdg_mutex_lock(&box->third) == 0);
	CHECK(mdg_mutex_unlock(&box->other) == 0);
	die();
}

/* The next one is told, once; repairs; and then all is as before. */
static void death_is_told_once(void (*f)(void *), bool wait_for_end)
{
	pid_t pid = start(f, NULL);
	if (wait_for_end)
		ended(pid);
	else
		nap_ms(20);
	CHECK(mdg_mutex_lock_until(&box->lock, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_mutex_set_repaired(&box->lock) == -EINVAL);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	if (!wait_for_end)
		killed(pid);
}

static void deaths(void)
{
	death_is_told_once(lock_and_die, true);
	death_is_told_once(lock_and_exit, true);
	death_is_told_once(lock_in_thread_that_ends, true);
	death_is_told_once(lock_among_others, true);
	CHECK(mdg_mutex_trylock(&box->other) == 0);
	CHECK(mdg_mutex_trylock(&box->third) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&box->third) == 0);
	CHECK(mdg_mutex_unlock(&box->other) == 0);
	CHECK(mdg_mutex_unlock(&box->third) == 0);
}

static void exec_is_a_death(void)
{
	box->released = 0;
	pid_t pid = start(lock_and_exec, NULL);
	uint64_t end = GRACE;
	while (__atomic_load_n(&box->released, __ATOMIC_ACQUIRE) == 0 && now_ns() < end)
		nap_ms(1);
	CHECK(mdg_mutex_lock_until(&box->lock, GRACE) == MDG_OWNER_DIED);
	CHECK(kill(pid, 0) == 0);
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	killed(pid);
}

static void hold_until_killed(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	atomic_store(&box->stage, 1);
	for (;;)
		pause();
}

/* Asleep on it when the owner dies. */
static void sleeper_is_woken(void)
{
	atomic_store(&box->stage, 0);
	pid_t owner = start(hold_until_killed, NULL);
	CHECK(reaches(&box->stage, 1));
	pid_t killer = fork();
	if (killer == 0) {
		nap_ms(50);
		kill(owner, SIGKILL);
		_exit(0);
	}
	CHECK(mdg_mutex_lock_until(&box->lock, GRACE) == MDG_OWNER_DIED);
	ended(owner);
	CHECK(ended_well(killer));
	CHECK(mdg_mutex_unlock(&box->lock) == 0); /* not repaired */
}

static void wait_in_vain(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock_until(&box->lock, GRACE) == MDG_BROKEN);
}

static void broken_for_all(void)
{
	CHECK(mdg_mutex_lock(&box->lock) == MDG_BROKEN);
	CHECK(mdg_mutex_trylock(&box->lock) == MDG_BROKEN);
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	CHECK(in_child(wait_in_vain, NULL));
	CHECK(mdg_mutex_destroy(&box->lock) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

/* All who sleep on one that becomes broken are told. */
static void broken_for_those_who_wait(void)
{
	pid_t child[MANY];
	ended(start(lock_and_die, NULL));
	CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	for (int i = 0; i < MANY; i++)
		child[i] = start(wait_in_vain, NULL);
	nap_ms(50);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK(ended_well(child[i]));
	CHECK(mdg_mutex_destroy(&box->lock) == 0);
}

static void told_and_dies(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	die();
}

static void dies_while_repairing(void)
{
	ended(start(lock_and_die, NULL));
	ended(start(told_and_dies, NULL));
	CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

/* ---- ids that are used again ---------------------------------------------------------------- */

static void just_be_there(void *unused)
{
	(void)unused;
	atomic_store(&box->stage, 2);
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	for (;;)
		pause();
}

/* A process that has the id of the dead owner; false: the kernel does not let us. */
static bool id_again(pid_t wanted)
{
	char text[16];
	FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
	if (last == NULL)
		return false;
	snprintf(text, sizeof(text), "%d", wanted - 1);
	bool set = fputs(text, last) >= 0 && fflush(last) == 0;
	pid_t pid = set ? start(just_be_there, NULL) : 0;
	fclose(last);
	if (pid > 0 && pid != wanted)
		killed(pid);
	return pid == wanted;
}

static void id_is_used_again(void)
{
	atomic_store(&box->stage, 0);
	pid_t owner = start(hold_until_killed, NULL);
	CHECK(reaches(&box->stage, 1));
	killed(owner);
	bool again = false;
	for (int i = 0; i < 50 && !again; i++)
		again = id_again(owner);
	if (!again) {
		printf("not tried: an id used again (needs root)\n");
		CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	} else {
		CHECK(reaches(&box->stage, 2));
		CHECK(mdg_mutex_lock_until(&box->lock, GRACE) == MDG_OWNER_DIED);
		killed(owner); /* the new one */
	}
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

/* ---- beside the C library's own robust mutexes ---------------------------------------------- */

static void mixed_and_die(void *unused)
{
	(void)unused;
	CHECK(pthread_mutex_lock(&box->theirs[0]) == 0);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	CHECK(pthread_mutex_lock(&box->theirs[1]) == 0);
	CHECK(mdg_mutex_lock(&box->other) == 0);
	CHECK(pthread_mutex_lock(&box->theirs[2]) == 0);
	CHECK(mdg_mutex_lock(&box->third) == 0);
	CHECK(pthread_mutex_unlock(&box->theirs[1]) == 0);
	CHECK(mdg_mutex_unlock(&box->other) == 0);
	CHECK(pthread_mutex_unlock(&box->theirs[0]) == 0);
	CHECK(pthread_mutex_lock(&box->theirs[1]) == 0);
	die();
}

static void mixed(void)
{
#ifdef MDG__OWN_ROBUST_LIST /* which takes the place of the C library's */
	return;
#endif
	pthread_mutexattr_t robust;
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_mutex_init(&box->theirs[i], &robust) == 0);
	ended(start(mixed_and_die, NULL));
	CHECK(pthread_mutex_trylock(&box->theirs[0]) == 0);
	CHECK(pthread_mutex_trylock(&box->theirs[1]) == EOWNERDEAD);
	CHECK(pthread_mutex_trylock(&box->theirs[2]) == EOWNERDEAD);
	CHECK(mdg_mutex_trylock(&box->lock) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_trylock(&box->other) == 0);
	CHECK(mdg_mutex_trylock(&box->third) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_unlock(&box->other) == 0);
	CHECK(mdg_mutex_set_repaired(&box->lock) == 0 && mdg_mutex_unlock(&box->lock) == 0);
	CHECK(mdg_mutex_set_repaired(&box->third) == 0 && mdg_mutex_unlock(&box->third) == 0);
}

/* ---- fork, handlers ------------------------------------------------------------------------- */

static void child_holds_nothing(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_unlock(&box->lock) == -EPERM);
	CHECK(mdg_mutex_trylock(&box->lock) == -EBUSY);
	CHECK(mdg_mutex_lock(&box->other) == 0);
	die();
}

static void after_fork(void)
{
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	ended(start(child_holds_nothing, NULL));
	CHECK(mdg_mutex_lock(&box->other) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&box->other) == 0);
	CHECK(mdg_mutex_unlock(&box->other) == 0);
	CHECK(mdg_mutex_unlock(&box->lock) == 0);
}

static void on_alarm(int number)
{
	(void)number;
	if (mdg_mutex_trylock(&box->other) == 0) {
		CHECK(mdg_mutex_unlock(&box->other) == 0);
		atomic_fetch_add(&box->stage, 1);
	}
}

/* A handler in the middle of everything; what is held stays known to the kernel. */
static void interrupted(void *unused)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	(void)unused;
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	setitimer(ITIMER_REAL, &often, NULL);
	CHECK(mdg_mutex_lock(&box->third) == 0);
	atomic_store(&box->stage, 0);
	for (uint64_t end = GRACE; atomic_load(&box->stage) < 300 && now_ns() < end;) {
		CHECK(mdg_mutex_lock(&box->lock) == 0);
		CHECK(mdg_mutex_unlock(&box->lock) == 0);
	}
	CHECK(atomic_load(&box->stage) >= 300);
	CHECK(mdg_mutex_lock(&box->lock) == 0);
	setitimer(ITIMER_REAL, &never, NULL);
	die();
}

static void handlers(void)
{
	ended(start(interrupted, NULL));
	CHECK(mdg_mutex_lock(&box->lock) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_lock(&box->third) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_trylock(&box->other) == 0);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	excludes();
	so_many();
	deaths();
	exec_is_a_death();
	sleeper_is_woken();
	broken_for_all();
	broken_for_those_who_wait();
	dies_while_repairing();
	id_is_used_again();
	mixed();
	after_fork();
	handlers();
	return test_result();
}
