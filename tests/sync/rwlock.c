/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - mdg_rwlock: exclusion, answers, and every way in which a reader or a writer can end.
 */
#include <sched.h>

#include "sync/shared.h"

static struct box {
	mdg_rwlock lock, other;
	_Atomic uint32_t stage, in, done, stop, alternate;
	uint32_t plain[2]; /* guarded by lock; always the same */
} * box;

/* ---- exclusion -------------------------------------------------------------------------- */

enum { ROUNDS = 4000, MANY = 4 };

/* Yields in between, so that each thread meets the others in the middle of a call, also on one
 * processor. */
static void *read_and_write(void *own_number)
{
	uint32_t number = *(uint32_t *)own_number;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		bool write = (i + number) % 4 == 0;
		CHECK((write ? mdg_rwlock_write(&box->lock) : mdg_rwlock_read(&box->lock)) == 0);
		if (write)
			box->plain[0]++;
		if (i % 64 == number)
			sched_yield();
		if (write)
			box->plain[1]++;
		CHECK(box->plain[0] == box->plain[1]);
		CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	}
	return own_number;
}

static void read_and_write_child(void *number)
{
	(void)read_and_write(number);
}

static void excludes(void)
{
	pthread_t thread[MANY];
	pid_t child[MANY];
	uint32_t number[2 * MANY];
	box->plain[0] = box->plain[1] = 0;
	for (uint32_t i = 0; i < MANY; i++) {
		number[i] = i;
		number[MANY + i] = MANY + i;
		child[i] = start(read_and_write_child, &number[i]);
	}
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&thread[i], NULL, read_and_write, &number[MANY + i]) == 0);
	for (int i = 0; i < MANY; i++) {
		pthread_join(thread[i], NULL);
		CHECK(ended_well(child[i]));
	}
	CHECK(box->plain[0] == 2 * MANY * ROUNDS / 4);
}

/* ---- answers ---------------------------------------------------------------------------- */

static void others_see_a_writer(void *unused)
{
	(void)unused;
	uint64_t begin = now_ns();
	CHECK(mdg_rwlock_tryread(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_trywrite(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_read_until(&box->lock, 0) == -ETIMEDOUT);
	CHECK(mdg_rwlock_write_until(&box->lock, 0) == -ETIMEDOUT);
	CHECK(mdg_rwlock_read_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
	CHECK(mdg_rwlock_write_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 100000000);
	CHECK(mdg_rwlock_unlock(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_set_repaired(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_destroy(&box->lock) == -EBUSY);
}

static void others_see_a_reader(void *unused)
{
	(void)unused;
	uint64_t begin = now_ns();
	CHECK(mdg_rwlock_trywrite(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_write_until(&box->lock, 0) == -ETIMEDOUT);
	CHECK(mdg_rwlock_write_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000);
	CHECK(mdg_rwlock_unlock(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_destroy(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_tryread(&box->lock) == 0); /* the writer that gave up keeps nobody out */
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_read_until(&box->lock, 0) == 0);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

static void held_in_either_way(void)
{
	CHECK(mdg_rwlock_read(&box->lock) == -EDEADLK);
	CHECK(mdg_rwlock_tryread(&box->lock) == -EDEADLK);
	CHECK(mdg_rwlock_read_until(&box->lock, 0) == -EDEADLK);
	CHECK(mdg_rwlock_write(&box->lock) == -EDEADLK);
	CHECK(mdg_rwlock_trywrite(&box->lock) == -EDEADLK);
	CHECK(mdg_rwlock_write_until(&box->lock, 0) == -EDEADLK);
	CHECK(mdg_rwlock_destroy(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_read(&box->other) == 0); /* beside it */
	CHECK(mdg_rwlock_read(&box->lock) == -EDEADLK);
	CHECK(mdg_rwlock_unlock(&box->other) == 0);
}

static void answers(void)
{
	errno = 4711;
	CHECK(mdg_rwlock_unlock(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_set_repaired(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	held_in_either_way();
	CHECK(mdg_rwlock_set_repaired(&box->lock) == -EPERM);
	CHECK(in_child(others_see_a_reader, NULL));
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_unlock(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_write(&box->lock) == 0);
	held_in_either_way();
	CHECK(mdg_rwlock_set_repaired(&box->lock) == -EINVAL);
	CHECK(in_child(others_see_a_writer, NULL));
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_trywrite(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_write_until(&box->lock, 0) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_destroy(&box->lock) == 0);
	CHECK(errno == 4711);
}

static void so_many_locks(void)
{
	enum { MOST = 64 };
	mdg_rwlock *lock = shared_memory(sizeof(*lock) * (MOST + 1));
	for (int i = 0; i < MOST; i++)
		CHECK((i % 3 == 0 ? mdg_rwlock_write(&lock[i]) : mdg_rwlock_read(&lock[i])) == 0);
	CHECK(mdg_rwlock_read(&lock[MOST]) == -ENOLCK);
	CHECK(mdg_rwlock_tryread(&lock[MOST]) == -ENOLCK);
	CHECK(mdg_rwlock_write(&lock[MOST]) == -ENOLCK);
	CHECK(mdg_rwlock_read(&lock[7]) == -EDEADLK);
	for (int i = 0; i < MOST; i += 2) /* in an order that is not that of locking */
		CHECK(mdg_rwlock_unlock(&lock[i]) == 0);
	for (int i = 1; i < MOST; i += 2)
		CHECK(mdg_rwlock_unlock(&lock[i]) == 0);
	for (int i = 0; i < MOST; i++)
		CHECK(mdg_rwlock_destroy(&lock[i]) == 0);
	munmap(lock, sizeof(*lock) * (MOST + 1));
}

/* ---- those who hold it until told, or killed -------------------------------------------- */

static void stay(void)
{
	atomic_fetch_add(&box->in, 1);
	CHECK(reaches(&box->stop, 1));
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

static void read_and_stay(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read_until(&box->lock, GRACE) == 0);
	stay();
}

static void write_and_stay(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write_until(&box->lock, GRACE) == 0);
	stay();
}

static pid_t start_in(void (*f)(void *))
{
	uint32_t before = atomic_load(&box->in);
	pid_t pid = start(f, NULL);
	CHECK(reaches(&box->in, before + 1));
	return pid;
}

/* Waits until so many living threads sleep, or are about to. A rwlock begins with the same fields
 * as a mutex, so it can be looked at as one. */
static void asleep(uint32_t count)
{
	struct mdg_sync_state state = { .size = sizeof state };
	uint64_t end = GRACE;
	uint32_t found = 0;
	while (found < count && now_ns() < end) {
		nap_ms(2);
		CHECK(mdg_sync_look(&box->lock, MDG_SYNC_MUTEX, &state) == 0);
		found = 0;
		for (uint32_t i = 0; i < state.waiters; i++)
			found += kill((pid_t)state.waiter[i].thread, 0) == 0;
	}
	CHECK(found >= count);
}

/* ---- order ------------------------------------------------------------------------------ */

/* Two readers take turns, and each comes before the other leaves. So the lock is never without a
 * reader. False: a reader was kept out. */
static bool relay(_Atomic uint32_t *mine, _Atomic uint32_t *theirs)
{
	while (atomic_load(&box->stop) == 0) {
		if (mdg_rwlock_read_until(&box->lock, GRACE) != 0)
			return false;
		uint32_t turn = atomic_fetch_add(mine, 1) + 1;
		uint64_t end = mdg_deadline(UINT64_C(20000000));
		while (atomic_load(theirs) < turn && atomic_load(&box->stop) == 0 && now_ns() < end)
			sched_yield();
		CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	}
	return true;
}

static void relay_one(void *unused)
{
	(void)unused;
	CHECK(relay(&box->stage, &box->alternate));
}

static void relay_two(void *unused)
{
	(void)unused;
	CHECK(relay(&box->alternate, &box->stage));
}

/* A writer gets in, although the readers never leave a gap by themselves. */
static void writer_is_not_starved(void)
{
	atomic_store(&box->stop, 0);
	atomic_store(&box->stage, 0);
	atomic_store(&box->alternate, 0);
	pid_t one = start(relay_one, NULL), two = start(relay_two, NULL);
	CHECK(reaches(&box->stage, 3) && reaches(&box->alternate, 3));
	for (int i = 0; i < 5; i++) {
		CHECK(mdg_rwlock_write_until(&box->lock, GRACE) == 0);
		CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	}
	atomic_store(&box->stop, 1);
	CHECK(ended_well(one) && ended_well(two));
}

static void tryread_in_vain(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_tryread(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_read_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
}

/* One that waits keeps new readers out, until it gives up. */
static void waiting_writer_keeps_readers_out(void)
{
	atomic_store(&box->stop, 0);
	pid_t reader = start_in(read_and_stay);
	pid_t writer = start(write_and_stay, NULL);
	asleep(1);
	CHECK(in_child(tryread_in_vain, NULL));
	atomic_store(&box->stop, 1);
	CHECK(ended_well(reader) && ended_well(writer));
	CHECK(mdg_rwlock_trywrite(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
}

/* ---- as many readers as there is room for ----------------------------------------------- */

static void read_at_last(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_tryread(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_read_until(&box->lock, 0) == -ETIMEDOUT);
	CHECK(mdg_rwlock_read_until(&box->lock, BRIEFLY) == -ETIMEDOUT);
	atomic_fetch_add(&box->stage, 1);
	CHECK(mdg_rwlock_read_until(&box->lock, GRACE) == 0);
	atomic_fetch_add(&box->done, 1);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

static void *one_of_many(void *result)
{
	int rc = mdg_rwlock_read(&box->lock);
	atomic_fetch_add(&box->in, 1);
	while (atomic_load(&box->stop) == 0)
		nap_ms(1);
	*(int *)result = rc == 0 ? mdg_rwlock_unlock(&box->lock) : rc;
	return result;
}

static void read_until_told(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	atomic_fetch_add(&box->in, 1);
	CHECK(reaches(&box->alternate, 1));
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

/* The readers are threads of this process and one thread of another process, which leaves or is
 * killed. Two more readers find no room. They get in one after the other. When the threads leave, a
 * writer gets in. */
static void full_house(bool kill_one)
{
	enum { THREADS = MDG_READERS_MAX - 1 };
	int result[THREADS];
	pthread_t thread[THREADS];
	atomic_store(&box->in, 0);
	atomic_store(&box->done, 0);
	atomic_store(&box->stage, 0);
	atomic_store(&box->alternate, 0);
	atomic_store(&box->stop, 0);
	pid_t one = start_in(read_until_told);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, one_of_many, &result[i]) == 0);
	CHECK(reaches(&box->in, MDG_READERS_MAX));
	pid_t first = start(read_at_last, NULL), second = start(read_at_last, NULL);
	CHECK(reaches(&box->stage, 2));
	nap_ms(30);
	CHECK(atomic_load(&box->done) == 0);
	if (kill_one)
		killed(one);
	atomic_store(&box->alternate, 1);
	CHECK(kill_one || ended_well(one));
	CHECK(ended_well(first) && ended_well(second));
	pid_t writer = start(write_and_stay, NULL);
	asleep(1);
	CHECK(atomic_load(&box->in) == MDG_READERS_MAX);
	atomic_store(&box->stop, 1);
	CHECK(ended_well(writer));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		CHECK(result[i] == 0);
	}
}

/* ---- deaths of readers ------------------------------------------------------------------ */

static void read_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	die();
}

static void *read_in_thread(void *unused)
{
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	return unused;
}

/* One that is gone is nobody's business. */
static void dead_readers(void)
{
	pthread_t thread;
	ended(start(read_and_die, NULL));
	CHECK(mdg_rwlock_trywrite(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
	for (int i = 0; i < 2 * MDG_READERS_MAX; i++) { /* their places can be had again */
		CHECK(pthread_create(&thread, NULL, read_in_thread, NULL) == 0);
		pthread_join(thread, NULL);
	}
	CHECK(mdg_rwlock_write_until(&box->lock, GRACE) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_destroy(&box->lock) == 0);
}

/* Asleep for a reader to leave, when it dies. */
static void writer_is_woken_by_a_death(void)
{
	atomic_store(&box->stop, 0);
	pid_t reader = start_in(read_and_stay);
	pid_t writer = start(write_and_stay, NULL);
	asleep(1);
	uint32_t before = atomic_load(&box->in);
	killed(reader);
	CHECK(reaches(&box->in, before + 1));
	atomic_store(&box->stop, 1);
	CHECK(ended_well(writer));
}

/* ---- deaths of writers ------------------------------------------------------------------ */

static void write_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write(&box->lock) == 0);
	die();
}

static void write_and_exit(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write(&box->lock) == 0);
}

static void told_and_dies(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->lock) == MDG_OWNER_DIED);
	die();
}

static void repair(void)
{
	CHECK(mdg_rwlock_read(&box->lock) == -EDEADLK);
	CHECK(in_child(others_see_a_writer, NULL));
	CHECK(mdg_rwlock_set_repaired(&box->lock) == 0);
	CHECK(mdg_rwlock_set_repaired(&box->lock) == -EINVAL);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_read(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_write(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
}

/* Told once, for writing, whatever was asked for. */
static void dead_writers(void)
{
	ended(start(write_and_die, NULL));
	CHECK(mdg_rwlock_write(&box->lock) == MDG_OWNER_DIED);
	repair();
	ended(start(write_and_exit, NULL));
	CHECK(mdg_rwlock_read(&box->lock) == MDG_OWNER_DIED);
	repair();
	ended(start(write_and_die, NULL));
	CHECK(mdg_rwlock_tryread(&box->lock) == MDG_OWNER_DIED);
	repair();
	ended(start(write_and_die, NULL));
	CHECK(mdg_rwlock_trywrite(&box->lock) == MDG_OWNER_DIED);
	repair();
	ended(start(write_and_die, NULL));
	ended(start(told_and_dies, NULL)); /* the next one is told again */
	CHECK(mdg_rwlock_read_until(&box->lock, 0) == MDG_OWNER_DIED);
	repair();
}

static void broken(void)
{
	ended(start(write_and_die, NULL));
	CHECK(mdg_rwlock_read(&box->lock) == MDG_OWNER_DIED);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0); /* not repaired */
	CHECK(mdg_rwlock_read(&box->lock) == MDG_BROKEN);
	CHECK(mdg_rwlock_tryread(&box->lock) == MDG_BROKEN);
	CHECK(mdg_rwlock_write(&box->lock) == MDG_BROKEN);
	CHECK(mdg_rwlock_trywrite(&box->lock) == MDG_BROKEN);
	CHECK(mdg_rwlock_unlock(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_destroy(&box->lock) == 0);
	CHECK(mdg_rwlock_read(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
}

static void read_in_vain(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read_until(&box->lock, GRACE) == MDG_BROKEN);
}

static void write_in_vain(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write_until(&box->lock, GRACE) == MDG_BROKEN);
}

static void broken_for_those_who_wait(void)
{
	pid_t child[MANY];
	ended(start(write_and_die, NULL));
	CHECK(mdg_rwlock_write(&box->lock) == MDG_OWNER_DIED);
	for (int i = 0; i < MANY; i++)
		child[i] = start(i % 2 == 0 ? read_in_vain : write_in_vain, NULL);
	asleep(MANY);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK(ended_well(child[i]));
	CHECK(mdg_rwlock_destroy(&box->lock) == 0);
}

/* A writer killed while it waits for a reader has written nothing. */
static void dead_before_it_was_in(void)
{
	for (int i = 0; i < 3; i++) {
		atomic_store(&box->stop, 0);
		pid_t reader = start_in(read_and_stay);
		pid_t writer = start(write_and_stay, NULL);
		asleep(1);
		killed(writer);
		if (i == 0) {
			CHECK(mdg_rwlock_tryread(&box->lock) == 0);
			CHECK(mdg_rwlock_unlock(&box->lock) == 0);
		}
		if (i == 1)
			killed(reader);
		atomic_store(&box->stop, 1);
		if (i != 1)
			CHECK(ended_well(reader));
		CHECK(mdg_rwlock_write_until(&box->lock, GRACE) == 0);
		CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	}
}

/* ---- waiters that are killed ------------------------------------------------------------ */

/* Some of the threads that sleep behind a writer are killed. Then the writer unlocks or dies, and
 * all the others get in. */
static void wait_and_count(void *write)
{
	int rc = write != NULL ? mdg_rwlock_write_until(&box->lock, GRACE)
	                       : mdg_rwlock_read_until(&box->lock, GRACE);
	CHECK(rc == 0 || rc == MDG_OWNER_DIED);
	if (rc == MDG_OWNER_DIED)
		CHECK(mdg_rwlock_set_repaired(&box->lock) == 0);
	atomic_fetch_add(&box->done, 1);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

static void some_are_killed(bool kill_the_writer)
{
	enum { WAITERS = 8 };
	pid_t child[WAITERS];
	atomic_store(&box->stop, 0);
	atomic_store(&box->done, 0);
	pid_t writer = start_in(write_and_stay);
	for (int i = 0; i < WAITERS; i++) {
		child[i] = start(wait_and_count, i % 4 == 2 ? box : NULL);
		asleep((uint32_t)i + 1);
	}
	for (int i = 0; i < WAITERS; i += 3)
		killed(child[i]);
	if (kill_the_writer)
		kill(writer, SIGKILL);
	atomic_store(&box->stop, 1);
	CHECK(kill_the_writer ? !ended_well(writer) : ended_well(writer));
	for (int i = 0; i < WAITERS; i++)
		if (i % 3 != 0)
			CHECK(ended_well(child[i]));
	CHECK(atomic_load(&box->done) == WAITERS - 3);
}

/* A thread is killed when it is woken, before it has woken those behind it. */
static void killed_when_woken(void)
{
	enum { TIMES = 10, BEHIND = 3 };
	pid_t behind[BEHIND];
	for (int i = 0; i < TIMES; i++) {
		atomic_store(&box->done, 0);
		CHECK(mdg_rwlock_write(&box->lock) == 0);
		pid_t first = start(wait_and_count, i % 3 == 2 ? box : NULL);
		asleep(1);
		for (int k = 0; k < BEHIND; k++)
			behind[k] = start(wait_and_count, k == i % BEHIND ? box : NULL);
		asleep(1 + BEHIND);
		CHECK(mdg_rwlock_unlock(&box->lock) == 0);
		killed(first);
		for (int k = 0; k < BEHIND; k++)
			CHECK(ended_well(behind[k]));
	}
}

/* Threads are killed at any point, again and again. Those that are left get in. */
static void use_until_killed(void *unused)
{
	(void)unused;
	for (uint32_t i = 0;; i++) {
		int rc = i % 4 == 0 ? mdg_rwlock_write(&box->lock) : mdg_rwlock_read(&box->lock);
		CHECK(rc == 0 || rc == MDG_OWNER_DIED);
		if (rc == MDG_OWNER_DIED) {
			box->plain[1] = box->plain[0];
			CHECK(mdg_rwlock_set_repaired(&box->lock) == 0);
		}
		CHECK(box->plain[0] == box->plain[1]);
		if (i % 4 == 0) {
			box->plain[0]++;
			box->plain[1]++;
		}
		CHECK(mdg_rwlock_unlock(&box->lock) == 0);
		if (check_failures != 0)
			_exit(1);
		atomic_fetch_add(&box->done, 1);
	}
}

static void killed_anywhere(void)
{
	enum { USERS = 5, KILLS = 150 };
	pid_t child[USERS];
	box->plain[0] = box->plain[1] = 0;
	for (int i = 0; i < USERS; i++)
		child[i] = start(use_until_killed, NULL);
	for (int i = 0; i < KILLS; i++) {
		struct timespec moment = { 0, 300000 + i * 7919 % 700 * 1000 };
		nanosleep(&moment, NULL);
		int status;
		kill(child[i % USERS], SIGKILL);
		status = ended(child[i % USERS]);
		CHECK(WIFSIGNALED(status)); /* found nothing wrong */
		child[i % USERS] = start(use_until_killed, NULL);
		atomic_store(&box->done, 0);
		CHECK(reaches(&box->done, 3)); /* they go on */
	}
	for (int i = 0; i < USERS; i++)
		killed(child[i]);
	int rc = mdg_rwlock_write_until(&box->lock, GRACE);
	CHECK(rc == 0 || rc == MDG_OWNER_DIED);
	if (rc == MDG_OWNER_DIED)
		CHECK(mdg_rwlock_set_repaired(&box->lock) == 0);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

/* ---- fork ------------------------------------------------------------------------------- */

static void child_holds_nothing(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_unlock(&box->lock) == -EPERM);
	CHECK(mdg_rwlock_trywrite(&box->lock) == -EBUSY);
	CHECK(mdg_rwlock_read(&box->lock) == 0); /* in a slot of its own */
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

static void after_fork(void)
{
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	CHECK(in_child(child_holds_nothing, NULL));
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
	CHECK(mdg_rwlock_trywrite(&box->lock) == 0 && mdg_rwlock_unlock(&box->lock) == 0);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	so_many_locks();
	excludes();
	writer_is_not_starved();
	waiting_writer_keeps_readers_out();
	full_house(false);
	full_house(true);
	dead_readers();
	writer_is_woken_by_a_death();
	dead_writers();
	broken();
	broken_for_those_who_wait();
	dead_before_it_was_in();
	some_are_killed(false);
	some_are_killed(true);
	killed_when_woken();
	killed_anywhere();
	after_fork();
	return test_result();
}
