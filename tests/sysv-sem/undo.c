/* SPDX-License-Identifier: MIT */
/* undo.c - SEM_UNDO: group U of docs/semantics-sem.md. */
#include "support/sets.h"

#include <pthread.h>
#include <sys/prctl.h>

/* A child that does the operations, says so, and waits until it is told to end, or is killed. */
struct holder {
	pid_t pid;
	int done, end; /* pipes */
};

static struct holder hold(int id, const struct sembuf *ops, size_t count)
{
	int done[2] = { -1, -1 }, end[2] = { -1, -1 };
	char byte;
	CHECK(pipe(done) == 0 && pipe(end) == 0);
	fflush(NULL);
	struct holder holder = { fork(), done[0], end[1] };
	if (holder.pid == 0) {
		struct sembuf copy[8];
		memcpy(copy, ops, count * sizeof *ops);
		close(end[1]);
		int rc = semop(id, copy, count);
		if (rc != 0 || write(done[1], ".", 1) != 1)
			_exit(1);
		_exit(read(end[0], &byte, 1) < 0);
	}
	close(done[1]);
	close(end[0]);
	CHECK(read(holder.done, &byte, 1) == 1);
	return holder;
}
#define HOLD(id, ...)                                                                              \
	hold(id, (struct sembuf[]){ __VA_ARGS__ },                                                 \
	     sizeof((struct sembuf[]){ __VA_ARGS__ }) / sizeof(struct sembuf))

static void let_go(struct holder holder, bool kills)
{
	if (kills)
		kill(holder.pid, SIGKILL);
	else
		CHECK(write(holder.end, ".", 1) == 1);
	CHECK(result_of(holder.pid) == (kills ? -1 : 0));
	close(holder.end);
	close(holder.done);
}

static void test_ends(void)
{
	int id = private_set(2);
	for (int kills = 0; kills < 2; kills++) {
		CHECK(set_value(id, 0, 5) == 0);
		struct holder one = HOLD(id, OP(0, -1, SEM_UNDO), OP(0, -1, 0), OP(1, 0, SEM_UNDO));
		CHECK_LINE("U2", value_of(id, 0) == 3);
		let_go(one, kills);
		CHECK_LINE("U1", value_of(id, 0) == 4);
		CHECK_LINE("U2", value_of(id, 0) == 4);
		CHECK_LINE("U5", semctl(id, 0, GETPID) == one.pid);
	}
	struct holder stopped = HOLD(id, OP(0, -1, SEM_UNDO));
	CHECK(kill(stopped.pid, SIGSTOP) == 0);
	nap(20);
	CHECK_LINE("U2", value_of(id, 0) == 3);
	let_go(stopped, true);
	CHECK_LINE("U2", value_of(id, 0) == 4);
}

static void test_zombie(void)
{
	int id = private_set(1);
	CHECK(set_value(id, 0, 1) == 0);
	struct holder one = HOLD(id, OP(0, -1, SEM_UNDO));
	siginfo_t info;
	kill(one.pid, SIGKILL);
	CHECK(waitid(P_PID, (id_t)one.pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK_LINE("U2", value_of(id, 0) == 1);
	let_go(one, true);
}

static void test_cut(void)
{
	int id = private_set(2);
	struct holder one = HOLD(id, OP(0, 3, SEM_UNDO));
	CHECK(set_value(id, 1, 0) == 0 && OPS(id, OP(0, -2, 0)) == 0);
	let_go(one, false);
	CHECK_LINE("U3", value_of(id, 0) == 0);
	CHECK(set_value(id, 0, 5) == 0);
	one = HOLD(id, OP(0, -3, SEM_UNDO));
	CHECK(OPS(id, OP(0, 32764, 0)) == 0);
	let_go(one, true);
	CHECK_LINE("U3", value_of(id, 0) == 32767);
}

static void test_range_and_zero_sums(void)
{
	int id = private_set(1);
	CHECK(set_value(id, 0, 32767) == 0);
	struct holder one = HOLD(id, OP(0, -1, SEM_UNDO), OP(0, 1, SEM_UNDO));
	CHECK(set_value(id, 0, 9) == 0);
	time_t ctime = set_stat(id).sem_ctime;
	let_go(one, false);
	CHECK_LINE("U5", semctl(id, 0, GETPID) == getpid() && set_stat(id).sem_ctime == ctime);

	id = private_set(1);
	CHECK(OPS(id, OP(0, 32767, SEM_UNDO)) == 0); /* the sum is -32767 */
	CHECK(OPS(id, OP(0, -9, 0)) == 0);
	CHECK_LINE("U6", OPS(id, OP(0, 1, SEM_UNDO)) == 0);
	CHECK_ERRNO("U6", ERANGE, OPS(id, OP(0, 1, SEM_UNDO)));
	CHECK_LINE("U6", value_of(id, 0) == 32759);
}

static void test_all_of_a_set(void)
{
	int id = private_set(2);
	CHECK(set_value(id, 0, 1) == 0 && set_value(id, 1, 1) == 0);
	struct holder one = HOLD(id, OP(1, -1, SEM_UNDO), OP(0, -1, SEM_UNDO));
	pid_t both = SLEEPER(id, 0, 1, OP(0, -1, SEM_UNDO), OP(1, -1, SEM_UNDO));
	let_go(one, true);
	CHECK_LINE("U4", result_of(both) == 0);
	CHECK_LINE("U11", value_of(id, 0) == 1 && value_of(id, 1) == 1);
	CHECK(set_value(id, 0, 0) == 0);
	pid_t killed = SLEEPER(id, 0, 1, OP(0, -1, SEM_UNDO));
	CHECK(kill(killed, SIGKILL) == 0 && result_of(killed) == -1);
	CHECK_LINE("U11", value_of(id, 0) == 0);
}

/* ---- threads, fork, exec ----------------------------------------------------------------- */

static int set;

static void *take(void *unused)
{
	(void)unused;
	CHECK(OPS(set, OP(0, -1, SEM_UNDO)) == 0);
	return NULL;
}

static void threads(void *unused)
{
	pthread_t thread;
	(void)unused;
	CHECK(pthread_create(&thread, NULL, take, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK_LINE("U7", value_of(set, 0) == 4);
}

static void forks(void *unused)
{
	(void)unused;
	take(NULL);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	CHECK_LINE("U8", result_of(pid) == 0 && value_of(set, 0) == 4);
}

static void test_families(void)
{
	set = private_set(1);
	CHECK(set_value(set, 0, 5) == 0);
	CHECK(in_child(threads, NULL));
	CHECK_LINE("U7", value_of(set, 0) == 5);
	CHECK(in_child(forks, NULL));
	CHECK_LINE("U8", value_of(set, 0) == 5);
}

/* The program runs itself with the set as an argument. */
static void test_exec(const char *self)
{
	char text[16];
	int end[2];
	snprintf(text, sizeof text, "%d", set);
	CHECK(pipe(end) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		take(NULL);
		dup2(end[0], 0);
		close(end[1]);
		execl(self, self, text, (char *)NULL);
		_exit(99);
	}
	close(end[0]);
	for (int i = 0; i < 5000 && value_of(set, 0) != 3; i++)
		nap(1);
	CHECK_LINE("U8", value_of(set, 0) == 3); /* one before exec, one after it */
	close(end[1]);
	CHECK_LINE("U8", result_of(pid) == 0);
	for (int i = 0; i < 100 && value_of(set, 0) != 5; i++)
		nap(1); /* within 25 ms on Madang */
	CHECK_LINE("U8", value_of(set, 0) == 5);
}

static int after_exec(const char *text)
{
	char byte;
	int id = atoi(text);
	if (value_of(id, 0) != 4 || OPS(id, OP(0, -1, SEM_UNDO)) != 0)
		return 1;
	return read(0, &byte, 1) < 0;
}

/* ---- what clears ------------------------------------------------------------------------- */

static void test_clearing(void)
{
	key_t key = fresh_set_key();
	int id = make_set(key, 2, IPC_CREAT | 0600);
	unsigned short values[2] = { 5, 5 };
	CHECK(semctl(id, 0, SETALL, (union semun){ .array = values }) == 0);
	struct holder one = HOLD(id, OP(0, -1, SEM_UNDO), OP(1, -1, SEM_UNDO));
	CHECK(set_value(id, 0, 4) == 0); /* the same value */
	let_go(one, false);
	CHECK_LINE("U9", value_of(id, 0) == 4 && value_of(id, 1) == 5);
	one = HOLD(id, OP(0, -1, SEM_UNDO), OP(1, -1, SEM_UNDO));
	CHECK(semctl(id, 0, SETALL, (union semun){ .array = values }) == 0);
	let_go(one, true);
	CHECK_LINE("U9", value_of(id, 0) == 5 && value_of(id, 1) == 5);
	one = HOLD(id, OP(0, -1, SEM_UNDO));
	struct semid_ds stat = set_stat(id);
	stat.sem_perm.mode = 0200;
	CHECK(semctl(id, 0, IPC_SET, (union semun){ .buf = &stat }) == 0);
	stat.sem_perm.mode = 0600;
	CHECK(semctl(id, 0, IPC_SET, (union semun){ .buf = &stat }) == 0);
	let_go(one, true);
	CHECK_LINE("U9", value_of(id, 0) == 5);
	one = HOLD(id, OP(0, -1, SEM_UNDO));
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	id = make_set(key, 2, IPC_CREAT | 0600);
	CHECK(set_value(id, 0, 7) == 0);
	let_go(one, true);
	CHECK_LINE("U9", value_of(id, 0) == 7);
}

static void close_all(void *unused)
{
	(void)unused;
	take(NULL);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	CHECK_LINE("U10", value_of(set, 0) == 4);
}

static void test_many_holders(void)
{
	enum { HOLDERS = 20 };
	struct holder holders[HOLDERS];
	int id = private_set(1);
	CHECK(in_child(close_all, NULL));
	CHECK_LINE("U10", value_of(set, 0) == 5);
	CHECK(set_value(id, 0, HOLDERS) == 0);
	for (int i = 0; i < HOLDERS; i++)
		holders[i] = HOLD(id, OP(0, -1, SEM_UNDO));
	CHECK_LINE("U13", value_of(id, 0) == 0);
	for (int i = 0; i < HOLDERS; i++)
		let_go(holders[i], i % 2 == 0);
	CHECK_LINE("U13", value_of(id, 0) == HOLDERS);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return after_exec(argv[1]);
	begin_sets();
	test_ends();
	test_zombie();
	test_cut();
	test_range_and_zero_sums();
	test_all_of_a_set();
	test_families();
	test_exec(argv[0]);
	test_clearing();
	test_many_holders();
	return test_result();
}
