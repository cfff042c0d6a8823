/* SPDX-License-Identifier: MIT */
/*
 * peers.c - programs that were built unlike (32 and 64 bits, other C libraries) on one set.
 *
 *     peers PEER          PEER is such a program, which is started as
 *     peers serve FILE    and answers; FILE is the descriptor of the set's memory
 */
#include "semset/set.h"
#include "semset/sound.h"

enum { QUESTION, ANSWER, SUM, SEMAPHORES, ROUNDS = 300, KILLS = 40 };

/* Each answer adds 2 to SUM, until the peer ends. The list is too long for the express way. */
static int serve(void)
{
	for (unsigned i = 0;; i++) {
		if (op1(QUESTION, -1, 0) != 0)
			return 1;
		int rc = i % 2 == 0 ? op(OPS({ ANSWER, 1, 0 }, { SUM, 2, UNDO }))
		                    : op(OPS({ SUM, 1, UNDO }, { SUM, 1, UNDO }, { SUM, -1, UNDO },
		                             { SUM, 1, UNDO }, { ANSWER, 1, 0 }));
		if (rc != 0)
			return 1;
	}
}

static pid_t start_peer(const char *program)
{
	char file[12];
	snprintf(file, sizeof file, "%d", world.file);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, "serve", file, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void ask(void)
{
	CHECK(op1(QUESTION, 1, 0) == 0);
	CHECK(op_timed(OPS({ ANSWER, -1, 0 }), INT64_C(20000000000)) == 0);
}

/* The kernel marks the words of a program of the other kind, too. */
static void wait_for_death(const char *program)
{
	pid_t peer = start_peer(program);
	ask();
	CHECK(value(SUM) == 2 && op1(SUM, -2, 0) == 0);
	CHECK(set_value(SUM, 0) == 0);
	ask(); /* the second answer: a sum of 2 */
	pid_t sleeper = sleeper1(SUM, 0, 0);
	CHECK(zcount(SUM) == 1 && value(SUM) == 2);
	kill_to_zombie(peer);
	CHECK(value(SUM) == 0 && result(sleeper) == 0);
	ended(peer);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		world.file = atoi(argv[2]);
		world.count = SEMAPHORES;
		world.base = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, world.file, 0);
		return world.base == MAP_FAILED ? 1 : serve();
	}
	if (argc != 2)
		return 2;
	fresh(SEMAPHORES);
	CHECK(fcntl(world.file, F_SETFD, 0) == 0);
	pid_t pid = start_peer(argv[1]);
	for (int i = 1; i <= ROUNDS && check_failures == 0; i++) {
		ask();
		CHECK(value(SUM) == 2 * i && last_pid(SUM) == pid);
	}
	kill_to_zombie(pid);
	CHECK(value(SUM) == 0 && value(ANSWER) == 0 && value(QUESTION) == 0);
	ended(pid);
	wait_for_death(argv[1]);
	/* Kills at any moment: nothing of a sum is left, nobody waits, and the set is sound. */
	for (unsigned i = 0; i < KILLS && check_failures == 0; i++) {
		pid = start_peer(argv[1]);
		ask();
		CHECK(op1(QUESTION, 1, 0) == 0);
		usleep(i * 5);
		killed(pid);
		CHECK(value(SUM) == 0 && ncount(QUESTION) == 0 && value(ANSWER) <= 1);
		CHECK(set_value(QUESTION, 0) == 0 && set_value(ANSWER, 0) == 0);
		CHECK(is_sound(engine()));
	}
	return test_result();
}
