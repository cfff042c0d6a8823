/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - mdg_barrier: meetings of threads and processes, and of those that remain.
 */
#include <sched.h>

#include "sync/shared.h"

enum { MANY = 4, ROUNDS = 300, PATIENCE = 4000 };

static struct box {
	mdg_barrier barrier;
	_Atomic uint32_t stage, last, came, died, go, met[MANY];
	uint32_t plain[2 * MANY]; /* of one each; read by all after a meeting */
} * box;

static void anew(void)
{
	CHECK(mdg_barrier_destroy(&box->barrier) == 0);
	atomic_store(&box->stage, 0);
	atomic_store(&box->last, 0);
	atomic_store(&box->came, 0);
	atomic_store(&box->died, 0);
	atomic_store(&box->go, 0);
}

/* ---- meetings ------------------------------------------------------------------------ */

/* Between threads this is a plain access. ThreadSanitizer does not see what other processes do, so
 * where processes take part too, the access is relaxed and atomic. */
static void show(bool plain, uint32_t number, uint32_t round)
{
	if (plain)
		box->plain[number] = round;
	else
		__atomic_store_n(&box->plain[number], round, __ATOMIC_RELAXED);
}

static uint32_t shown(bool plain, uint32_t number)
{
	return plain ? box->plain[number] : __atomic_load_n(&box->plain[number], __ATOMIC_RELAXED);
}

/* Nobody is a meeting ahead or behind, and exactly one is the last. */
static void meet(uint32_t number, uint32_t members, bool plain)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		show(plain, number, round);
		if (round % 16 == number)
			sched_yield();
		int rc = mdg_barrier_wait_until(&box->barrier, members, GRACE);
		CHECK(rc == 0 || rc == MDG_LAST);
		if (rc == MDG_LAST)
			atomic_fetch_add(&box->last, 1);
		for (uint32_t i = 0; i < members; i++)
			CHECK(shown(plain, i) == round);
		rc = mdg_barrier_wait(&box->barrier, members); /* all have read */
		CHECK(rc == 0 || rc == MDG_LAST);
		if (check_failures != 0)
			_exit(1);
	}
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

static void meet_child(void *number)
{
	meet(*(uint32_t *)number, 2 * MANY, false);
}

static void *meet_mixed(void *number)
{
	meet_child(number);
	return number;
}

static void *meet_thread(void *number)
{
	meet(*(uint32_t *)number, MANY, true);
	return number;
}

static void meetings(int children, void *(*f)(void *))
{
	pthread_t thread[MANY];
	pid_t child[MANY];
	uint32_t number[2 * MANY];
	anew();
	for (uint32_t i = 0; i < 2 * MANY; i++)
		number[i] = i;
	for (int i = 0; i < children; i++)
		child[i] = start(meet_child, &number[MANY + i]);
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&thread[i], NULL, f, &number[i]) == 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < children; i++)
		CHECK(ended_well(child[i]));
	CHECK(atomic_load(&box->last) == ROUNDS);
}

static void *come_once(void *unused)
{
	int rc = mdg_barrier_wait_until(&box->barrier, MDG_MEMBERS_MAX, GRACE);
	CHECK(rc == 0 || rc == MDG_LAST);
	atomic_fetch_add(rc == MDG_LAST ? &box->last : &box->came, 1);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
	return unused;
}

static void as_many_as_can_be(void)
{
	pthread_t thread[MDG_MEMBERS_MAX];
	anew();
	for (int i = 0; i < MDG_MEMBERS_MAX; i++)
		CHECK(pthread_create(&thread[i], NULL, come_once, NULL) == 0);
	for (int i = 0; i < MDG_MEMBERS_MAX; i++)
		pthread_join(thread[i], NULL);
	CHECK(atomic_load(&box->last) == 1);
	CHECK(atomic_load(&box->came) == MDG_MEMBERS_MAX - 1);
}

/* ---- answers ------------------------------------------------------------------------- */

static void others_find_no_place(void *unused)
{
	(void)unused;
	CHECK(mdg_barrier_join(&box->barrier, 1) == -EAGAIN);
	CHECK(mdg_barrier_wait(&box->barrier, 1) == -EAGAIN);
	CHECK(mdg_barrier_join(&box->barrier, 2) == -EINVAL);
	CHECK(mdg_barrier_wait(&box->barrier, 2) == -EINVAL);
	CHECK(mdg_barrier_leave(&box->barrier) == -EPERM);
	CHECK(mdg_barrier_destroy(&box->barrier) == -EBUSY);
}

static void answers(void)
{
	anew();
	errno = 4711;
	CHECK(mdg_barrier_leave(&box->barrier) == -EPERM);
	CHECK(mdg_barrier_join(&box->barrier, 0) == -EINVAL);
	CHECK(mdg_barrier_join(&box->barrier, MDG_MEMBERS_MAX + 1) == -EINVAL);
	CHECK(mdg_barrier_wait(&box->barrier, 0) == -EINVAL);
	CHECK(mdg_barrier_join(&box->barrier, 1) == 0);
	CHECK(mdg_barrier_join(&box->barrier, 1) == -EDEADLK);
	CHECK(mdg_barrier_wait(&box->barrier, 1) == MDG_LAST);
	CHECK(mdg_barrier_wait_until(&box->barrier, 1, 0) == MDG_LAST);
	CHECK(mdg_barrier_wait(&box->barrier, 2) == -EINVAL);
	CHECK(in_child(others_find_no_place, NULL));
	CHECK(mdg_barrier_destroy(&box->barrier) == -EBUSY);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
	CHECK(mdg_barrier_leave(&box->barrier) == -EPERM);
	CHECK(mdg_barrier_destroy(&box->barrier) == 0);
	CHECK(errno == 4711);
}

static void so_many_locks(void)
{
	enum { MOST = 64 };
	mdg_barrier *barrier = shared_memory(sizeof(*barrier) * (MOST + 1));
	for (int i = 0; i < MOST; i++)
		CHECK(mdg_barrier_join(&barrier[i], 1) == 0);
	CHECK(mdg_barrier_join(&barrier[MOST], 1) == -ENOLCK);
	CHECK(mdg_barrier_wait(&barrier[MOST], 1) == -ENOLCK);
	CHECK(mdg_barrier_wait(&barrier[7], 1) == MDG_LAST);
	for (int i = 0; i < MOST; i++)
		CHECK(mdg_barrier_leave(&barrier[i]) == 0);
	munmap(barrier, sizeof(*barrier) * (MOST + 1));
}

/* ---- taking back --------------------------------------------------------------------- */

static void come_and_count(void *unused)
{
	(void)unused;
	atomic_fetch_add(&box->stage, 1);
	int rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(rc == 0 || rc == MDG_LAST);
	atomic_fetch_add(&box->came, 1);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

static void too_late(void)
{
	anew();
	uint64_t begin = now_ns();
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, 0) == -ETIMEDOUT);
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000);
	pid_t other = start(come_and_count, NULL); /* waits, for the coming was taken back */
	CHECK(reaches(&box->stage, 1));
	nap_ms(60);
	CHECK(atomic_load(&box->came) == 0);
	int rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(rc == 0 || rc == MDG_LAST);
	CHECK(ended_well(other));
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&box->stage, 1);
}

static void wait_interrupted(void *unused)
{
	struct sigaction action = { .sa_handler = on_signal };
	(void)unused;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	atomic_store(&box->go, 1);
	CHECK(mdg_barrier_wait(&box->barrier, 2) == -EINTR);
	int rc = mdg_barrier_wait_until(&box->barrier, 2, BRIEFLY);
	CHECK(rc == -ETIMEDOUT || rc == -EINTR);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

static void interrupted(void)
{
	anew();
	pid_t child = start(wait_interrupted, NULL);
	CHECK(reaches(&box->go, 1));
	int status = -1;
	for (uint64_t end = GRACE; waitpid(child, &status, WNOHANG) == 0 && now_ns() < end;
	     nap_ms(60))
		kill(child, SIGUSR1); /* one of them while it sleeps */
	CHECK(status == 0);
	CHECK(atomic_load(&box->stage) >= 1);
}

/* Two members meet again and again. Each waits with a deadline, which is longer after each failure.
 * At each meeting either both meet or neither does. The slots between theirs belong to many dead
 * members, so that looking at all slots takes its time. */
static void impatient(void *unused)
{
	(void)unused;
	CHECK(mdg_barrier_join(&box->barrier, MDG_MEMBERS_MAX) == 0);
	atomic_fetch_add(&box->stage, 1);
	CHECK(mdg_barrier_wait_until(&box->barrier, MDG_MEMBERS_MAX, GRACE) == MDG_OWNER_DIED);
	for (uint32_t met = 0, failed = 0; met < PATIENCE; failed++) {
		int rc = mdg_barrier_wait_until(&box->barrier, MDG_MEMBERS_MAX,
		                                mdg_deadline(failed * UINT64_C(2000)));
		CHECK(rc == 0 || rc == MDG_LAST || rc == -ETIMEDOUT);
		if (rc == MDG_LAST)
			atomic_fetch_add(&box->last, 1);
		if (rc >= 0) {
			met++;
			failed = 0;
		}
		if (check_failures != 0 || failed > 10000)
			_exit(1);
	}
}

static void *join_and_end(void *unused)
{
	CHECK(mdg_barrier_join(&box->barrier, MDG_MEMBERS_MAX) == 0);
	return unused;
}

static void one_or_both(void)
{
	pthread_t thread;
	anew();
	pid_t one = start(impatient, NULL);
	CHECK(reaches(&box->stage, 1));
	for (int i = 0; i < MDG_MEMBERS_MAX - 2; i++) {
		CHECK(pthread_create(&thread, NULL, join_and_end, NULL) == 0);
		pthread_join(thread, NULL);
	}
	pid_t two = start(impatient, NULL);
	CHECK(ended_well(one) && ended_well(two));
	CHECK(atomic_load(&box->last) == PATIENCE);
}

/* ---- deaths -------------------------------------------------------------------------- */

static void join_and_stay(void *members)
{
	CHECK(mdg_barrier_join(&box->barrier, *(uint32_t *)members) == 0);
	atomic_fetch_add(&box->stage, 1);
	for (;;)
		pause();
}

static void wait_and_stay(void *members)
{
	CHECK(mdg_barrier_join(&box->barrier, *(uint32_t *)members) == 0);
	atomic_fetch_add(&box->stage, 1);
	(void)mdg_barrier_wait(&box->barrier, *(uint32_t *)members);
	CHECK(false);
}

static pid_t member(void (*f)(void *), uint32_t *members)
{
	uint32_t before = atomic_load(&box->stage);
	pid_t pid = start(f, members);
	CHECK(reaches(&box->stage, before + 1));
	return pid;
}

/* A member that is told of a death once, and then meets three times without being told again. */
static void told_once(void *members)
{
	uint32_t all = *(uint32_t *)members;
	CHECK(mdg_barrier_join(&box->barrier, all) == 0);
	atomic_fetch_add(&box->stage, 1);
	CHECK(mdg_barrier_wait_until(&box->barrier, all, GRACE) == MDG_OWNER_DIED);
	for (int i = 0; i < 3; i++) {
		int rc = mdg_barrier_wait_until(&box->barrier, all, GRACE);
		CHECK(rc == 0 || rc == MDG_LAST);
		if (rc == MDG_LAST)
			atomic_fetch_add(&box->last, 1);
	}
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

/* A member dies in one of three moments: before anybody has come, while the others wait, or after
 * it has come itself. */
static void deaths(int when)
{
	uint32_t members = 3;
	anew();
	pid_t dead = member(when == 2 ? wait_and_stay : join_and_stay, &members);
	if (when == 2)
		nap_ms(20);
	if (when != 1)
		killed(dead);
	pid_t one = member(told_once, &members), two = member(told_once, &members);
	if (when == 1) {
		nap_ms(30);
		killed(dead);
	}
	CHECK(ended_well(one) && ended_well(two));
	CHECK(atomic_load(&box->last) == 3);
}

static void *join_in_thread(void *unused)
{
	CHECK(mdg_barrier_join(&box->barrier, 2) == 0);
	return unused;
}

/* A thread ends without leaving the barrier. Then the only other member meets alone. */
static void end_of_a_thread(void)
{
	pthread_t thread;
	anew();
	CHECK(pthread_create(&thread, NULL, join_in_thread, NULL) == 0);
	pthread_join(thread, NULL);
	CHECK(mdg_barrier_join(&box->barrier, 2) == 0); /* in the place that nobody had yet */
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, GRACE) == MDG_LAST);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

static void come_twice(void *unused)
{
	(void)unused;
	int rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(atomic_load(&box->go) == 1 ? rc == MDG_OWNER_DIED : rc == 0 || rc == MDG_LAST);
	rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(rc == 0 || rc == MDG_LAST);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

/* Until it sleeps. The notes of sleepers lie where a mutex has them; those who were killed asleep
 * seem to sleep on. */
static void asleep(pid_t pid)
{
	struct mdg_sync_state state = { .size = sizeof state };
	bool found = false;
	for (uint64_t end = GRACE; !found && now_ns() < end; nap_ms(1)) {
		CHECK(mdg_sync_look(&box->barrier, MDG_SYNC_MUTEX, &state) == 0);
		for (uint32_t i = 0; i < state.waiters; i++)
			found = found || state.waiter[i].thread == (uint32_t)pid;
	}
	CHECK(found);
}

/* A new member takes the slot of a dead one. From then on the barrier waits for all members again.
 * If nobody was told of the death before, both members are told. */
static void in_its_place(bool told)
{
	uint32_t members = 2;
	anew();
	CHECK(mdg_barrier_join(&box->barrier, 2) == 0);
	killed(member(join_and_stay, &members));
	if (told) {
		CHECK(mdg_barrier_wait_until(&box->barrier, 2, GRACE) == MDG_OWNER_DIED);
		CHECK(mdg_barrier_wait_until(&box->barrier, 2, GRACE) == MDG_LAST);
	}
	atomic_store(&box->go, !told);
	pid_t other = start(come_twice, NULL);
	asleep(other); /* it waits for this one */
	int rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(told ? rc == 0 || rc == MDG_LAST : rc == MDG_OWNER_DIED);
	rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(rc == 0 || rc == MDG_LAST);
	CHECK(ended_well(other));
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

/* The dead member had come to the meeting. That does not count for the new member in its slot. */
static void came_before(void)
{
	uint32_t members = 2;
	anew();
	CHECK(mdg_barrier_join(&box->barrier, 2) == 0);
	pid_t dead = member(wait_and_stay, &members);
	asleep(dead);
	killed(dead);
	pid_t other = member(join_and_stay, &members);
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, BRIEFLY) == -ETIMEDOUT);
	killed(other);
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, GRACE) == MDG_OWNER_DIED);
	CHECK(mdg_barrier_wait_until(&box->barrier, 2, GRACE) == MDG_LAST);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

/* Who has left is waited for, or rather somebody else is. */
static void leaving(void)
{
	uint32_t members = 2;
	anew();
	CHECK(mdg_barrier_join(&box->barrier, 2) == 0);
	pid_t other = member(come_and_count, &members);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
	nap_ms(60);
	CHECK(atomic_load(&box->came) == 0);
	int rc = mdg_barrier_wait_until(&box->barrier, 2, GRACE);
	CHECK(rc == 0 || rc == MDG_LAST);
	CHECK(ended_well(other));
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

/* ---- killed at any point ----------------------------------------------------------------- */

static void come_until_killed(void *met)
{
	for (;;) {
		int rc = mdg_barrier_wait_until(&box->barrier, MANY, GRACE);
		CHECK(rc == 0 || rc == MDG_LAST || rc == MDG_OWNER_DIED);
		if (rc == MDG_OWNER_DIED)
			atomic_fetch_add(&box->died, 1);
		if (check_failures != 0)
			_exit(1);
		atomic_fetch_add((_Atomic uint32_t *)met, 1);
	}
}

static pid_t come(_Atomic uint32_t *met)
{
	atomic_store(met, 0);
	return start(come_until_killed, met);
}

/* The other members go on, and each is told of the death once. The new member may be told as well,
 * if it had already joined. */
static void killed_anywhere(void)
{
	enum { KILLS = 60 };
	pid_t child[MANY];
	anew();
	for (int i = 0; i < MANY; i++)
		child[i] = come(&box->met[i]);
	for (int i = 0; i < MANY; i++)
		CHECK(reaches(&box->met[i], 2));
	for (int i = 0; i < KILLS; i++) {
		struct timespec moment = { 0, i * 7919 % 700 * 1000 };
		nanosleep(&moment, NULL);
		atomic_store(&box->died, 0);
		kill(child[i % MANY], SIGKILL);
		int status = ended(child[i % MANY]);
		CHECK(WIFSIGNALED(status)); /* found nothing wrong */
		child[i % MANY] = come(&box->met[i % MANY]);
		CHECK(reaches(&box->met[i % MANY], 2));
		uint32_t died = atomic_load(&box->died);
		CHECK(died == MANY - 1 || died == MANY);
	}
	for (int i = 0; i < MANY; i++)
		killed(child[i]);
}

/* ---- fork ------------------------------------------------------------------------------ */

static void child_is_no_member(void *unused)
{
	(void)unused;
	CHECK(mdg_barrier_leave(&box->barrier) == -EPERM);
	CHECK(mdg_barrier_join(&box->barrier, 1) == -EAGAIN);
}

static void after_fork(void)
{
	anew();
	CHECK(mdg_barrier_join(&box->barrier, 1) == 0);
	CHECK(in_child(child_is_no_member, NULL));
	CHECK(mdg_barrier_wait(&box->barrier, 1) == MDG_LAST);
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	so_many_locks();
	meetings(0, meet_thread);
	meetings(MANY, meet_mixed);
	as_many_as_can_be();
	too_late();
	interrupted();
	one_or_both();
	for (int when = 0; when < 3; when++)
		deaths(when);
	end_of_a_thread();
	in_its_place(true);
	in_its_place(false);
	came_before();
	leaving();
	killed_anywhere();
	after_fork();
	return test_result();
}
