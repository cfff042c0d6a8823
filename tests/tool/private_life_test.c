/* SPDX-License-Identifier: MIT */
/*
 * private_life_test.c - how long the namespace of `madang run --private` is there: as long as
 * anything that was started in it, and whoever is killed.
 */
#include "tool/private.h"

#include <sched.h>
#include <sys/mount.h>

/* ---- what runs in the namespace --------------------------------------------- */

/* Attached, until the input ends. */
static int role_wait(void)
{
	char byte;
	if (hold_segment() < 0)
		return 1;
	introduce();
	while (read(0, &byte, 1) > 0)
		;
	return 5;
}

/* Leaves a daemon behind, in a session of its own and a child of nobody, and ends. The daemon lives
 * until its input ends. */
static int role_daemon(void)
{
	char byte;
	int ready[2];
	if (pipe(ready) != 0)
		return 1;
	if (fork() == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		if (hold_segment() < 0)
			_exit(1);
		printf("%d 0 %s\n", (int)getpid(), getenv("MADANG_NAMESPACE"));
		fflush(stdout);
		close(1);
		close(ready[0]);
		close(ready[1]);
		while (read(0, &byte, 1) > 0)
			;
		/* Still usable, long after the program. */
		_exit(hold_segment() < 0);
	}
	close(ready[1]);
	while (read(ready[0], &byte, 1) > 0)
		;
	return 6;
}

static int play(const char *role)
{
	if (strcmp(role, "wait") == 0)
		return role_wait();
	if (strcmp(role, "daemon") == 0)
		return role_daemon();
	if (strcmp(role, "room") == 0)
		introduce();
	return 0;
}

/* ---- the tests ------------------------------------------------------------------ */

static void run_once(void)
{
	struct run run;
	begin_run(&run, "room");
	CHECK(end_run(&run) == 0);
	CHECK(!is_there(run.room));
}

static void test_gone(void)
{
	struct run run;
	struct stat status;

	begin_run(&run, "wait");
	CHECK(stat(run.room, &status) == 0 && (status.st_mode & 07777) == 0700);
	close(run.hears);
	run.hears = -1;
	int ended = end_run(&run);
	CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 5);
	CHECK(!is_there(run.room)); /* at once, with a segment in it that nobody removed */
}

/* Where the first process waits only for its own children, as in many containers, whoever is left
 * to it stays as a zombie. Here the test is that process. */
static void test_nobody_left(void)
{
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	run_once();
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0);
}

static void test_two(void)
{
	struct run one, two;
	begin_run(&one, "wait");
	begin_run(&two, "wait");
	CHECK(strcmp(one.room, two.room) != 0);
	close(one.hears);
	one.hears = -1;
	end_run(&one);
	CHECK(!is_there(one.room) && is_there(two.room));
	close(two.hears);
	two.hears = -1;
	end_run(&two);
	CHECK(!is_there(two.room));
}

static void test_daemon(void)
{
	struct run run;
	int status = -1;

	begin_run(&run, "daemon");
	CHECK(waitpid(run.pid, &status, 0) == run.pid && WIFEXITED(status) &&
	      WEXITSTATUS(status) == 6);
	CHECK(strcmp(next_line(&run), "") == 0); /* the keeper holds no pipe */
	run_once();
	CHECK(is_there(run.room) && is_alive(run.program));
	close(run.hears);
	AWAIT(!is_there(run.room));
	AWAIT(!is_alive(run.program));
	fclose(run.says);
}

/* The proxy is killed: to its caller that is the program's death. */
static void test_proxy_killed(void)
{
	struct run run;
	begin_run(&run, "wait");
	CHECK(kill(run.pid, SIGKILL) == 0);
	int status = end_run(&run);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	AWAIT(!is_alive(run.program));
	AWAIT(!is_there(run.room));
}

/* The whole group is killed, as `timeout -k` does: the keeper is not in it. */
static void test_group_killed(void)
{
	struct run run;
	begin_run(&run, "wait");
	CHECK(kill(-run.pid, SIGKILL) == 0);
	int status = end_run(&run);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	AWAIT(!is_there(run.room));
	AWAIT(!is_alive(run.keeper));
}

/* The keeper is killed: the program goes on, its status is told, and the proxy clears up. */
static void test_keeper_killed(void)
{
	struct run run;
	begin_run(&run, "wait");
	CHECK(kill(run.keeper, SIGKILL) == 0);
	AWAIT(!is_alive(run.keeper));
	CHECK(is_alive(run.program) && is_there(run.room));
	run_once(); /* ... which does not sweep what is in use */
	CHECK(is_there(run.room));
	CHECK(kill(run.pid, SIGCONT) == 0); /* passed on, and harmless */
	close(run.hears);
	run.hears = -1;
	int status = end_run(&run);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	CHECK(!is_there(run.room));
}

/* Both are killed, the program lives: its directory is left alone while it lives, and swept by the
 * next run after that. */
static void test_both_killed(void)
{
	struct run run;
	begin_run(&run, "wait");
	CHECK(kill(run.keeper, SIGSTOP) == 0); /* so that it cannot see the proxy's death */
	CHECK(kill(run.pid, SIGKILL) == 0);
	CHECK(kill(run.keeper, SIGKILL) == 0);
	AWAIT(!is_alive(run.keeper));
	CHECK(is_alive(run.program));
	run_once();
	CHECK(is_there(run.room));
	close(run.hears);
	run.hears = -1;
	end_run(&run);
	AWAIT(!is_alive(run.program));
	CHECK(is_there(run.room));
	run_once();
	CHECK(!is_there(run.room));
}

/* What doctor says of it. */
static unsigned count_in_doctor(const char *option)
{
	char command[600], line[512];
	unsigned count = 0;
	snprintf(command, sizeof command, "%s doctor %s", madang_path, option);
	FILE *stream = popen(command, "re");
	while (stream != NULL && fgets(line, sizeof line, stream) != NULL)
		if (strncmp(line, "private ", 8) == 0)
			count += (unsigned)atoi(line + strcspn(line, "0123456789"));
	if (stream != NULL)
		pclose(stream);
	return count;
}

/* A stray is shown, and removed by --repair; one in use is neither. */
static void test_doctor(void)
{
	struct run run, used;
	begin_run(&run, "wait");
	begin_run(&used, "wait");
	CHECK(count_in_doctor("") == 0);
	CHECK(kill(run.keeper, SIGSTOP) == 0 && kill(run.pid, SIGKILL) == 0);
	CHECK(kill(run.keeper, SIGKILL) == 0 && kill(run.program, SIGKILL) == 0);
	AWAIT(!is_alive(run.keeper) && !is_alive(run.program));
	CHECK(count_in_doctor("") == 1 && is_there(run.room));
	CHECK(count_in_doctor("--repair") == 1 && !is_there(run.room));
	CHECK(is_there(used.room) && count_in_doctor("") == 0);
	end_run(&run);
	close(used.hears);
	used.hears = -1;
	end_run(&used);
}

/* Many at once, which all make, lock, sweep and remove. */
static void storm(void *unused)
{
	(void)unused;
	for (int i = 0; i < 12; i++)
		run_once();
}

static void test_storm(void)
{
	pid_t children[4];
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(in_child(storm, NULL) ? 0 : 1);
	}
	for (int i = 0; i < 4; i++) {
		int status = -1;
		CHECK(waitpid(children[i], &status, 0) == children[i] && status == 0);
	}
}

int main(int argc, char **argv)
{
	const char *role = begin_test(argc, argv);
	if (role != NULL)
		return play(role);
	/* doctor shows all strays of a user. So this runs where nobody else makes any, if the
	 * process may have such a place. */
	bool alone = unshare(CLONE_NEWNS) == 0 &&
	             mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	             mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=64m") == 0;
	if (!alone)
		printf("no mount namespace: doctor is not asked about strays\n");
	test_gone();
	test_nobody_left();
	test_two();
	test_daemon();
	test_proxy_killed();
	test_group_killed();
	test_keeper_killed();
	test_both_killed();
	test_storm();
	if (alone)
		test_doctor();
	return test_result();
}
