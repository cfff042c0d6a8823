/* SPDX-License-Identifier: MIT */
/*
 * private_proxy_test.c - for its caller, `madang run --private` acts as the program itself would.
 *
 * That goes for its exit status, signals, stops, terminal and descriptors.
 */
#include "tool/private.h"

#include <sys/ioctl.h>
#include <termios.h>

/* ---- what runs in the namespace --------------------------------------------- */

/* Says each signal that it gets; ends with 3 at TERM. */
static int role_signals(void)
{
	sigset_t all;
	int signal;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	introduce();
	while (sigwait(&all, &signal) == 0) {
		printf("%d\n", signal);
		fflush(stdout);
		if (signal == SIGTERM)
			return 3;
	}
	return 1;
}

static int role_stop(int signal)
{
	introduce();
	raise(signal);
	printf("went on\n");
	return 4;
}

/* Closes its output and waits for its input to end. */
static int role_quiet(void)
{
	char byte;
	introduce();
	close(1);
	while (read(0, &byte, 1) > 0)
		;
	return 5;
}

static int role_child_action(void)
{
	struct sigaction action;
	sigset_t mask;
	sigaction(SIGCHLD, NULL, &action);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	return action.sa_handler == SIG_IGN && sigismember(&mask, SIGUSR2) &&
	                       !sigismember(&mask, SIGUSR1)
	               ? 6
	               : 1;
}

/* Whether there is any descriptor beyond the three. */
static int role_descriptors(void)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 1;
	return 7;
}

static int play(const char *role)
{
	if (strcmp(role, "signals") == 0)
		return role_signals();
	if (strcmp(role, "stop") == 0)
		return role_stop(SIGSTOP);
	if (strcmp(role, "tstp") == 0)
		return role_stop(SIGTSTP);
	if (strcmp(role, "quiet") == 0)
		return role_quiet();
	if (strcmp(role, "child-action") == 0)
		return role_child_action();
	if (strcmp(role, "descriptors") == 0)
		return role_descriptors();
	if (strncmp(role, "exit=", 5) == 0)
		return atoi(role + 5);
	if (strncmp(role, "kill=", 5) == 0)
		raise(atoi(role + 5));
	return 99;
}

/* ---- the tests ------------------------------------------------------------------ */

static int status_of(const char *role)
{
	struct run run;
	start_run(&run, role);
	return end_run(&run);
}

static void test_status(void)
{
	static const int codes[] = { 0, 1, 2, 42, 126, 128, 255 };
	static const int signals[] = {
		SIGTERM, SIGKILL, SIGHUP, SIGINT, SIGPIPE, SIGSEGV, SIGABRT
	};
	char role[32];

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		snprintf(role, sizeof role, "exit=%d", codes[i]);
		int status = status_of(role);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == codes[i]);
	}
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		snprintf(role, sizeof role, "kill=%d", signals[i]);
		int status = status_of(role);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
	}
}

/* What is sent to the proxy alone comes once; what is sent to the group comes once, too. SIGUSR2,
 * sent afterwards, is passed on after the others: what is there twice would be said before it. */
static void test_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGABRT };
	struct run run;

	begin_run(&run, "signals");
	CHECK(strncmp(run.room, "/", 1) == 0 && is_there(run.room));
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		for (int group = 0; group < 2; group++) {
			CHECK(kill(group ? -run.pid : run.pid, signals[i]) == 0);
			CHECK(atoi(next_line(&run)) == signals[i]);
			CHECK(kill(run.pid, SIGUSR2) == 0);
			CHECK(atoi(next_line(&run)) == SIGUSR2);
		}
	}
	CHECK(kill(run.pid, SIGWINCH) == 0);
	CHECK(atoi(next_line(&run)) == SIGWINCH);
	CHECK(sigqueue(run.pid, SIGRTMIN + 2, (union sigval){ .sival_int = 5 }) == 0);
	CHECK(atoi(next_line(&run)) == SIGRTMIN + 2);
	CHECK(kill(run.pid, SIGTERM) == 0);
	CHECK(atoi(next_line(&run)) == SIGTERM);
	int status = end_run(&run);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CHECK(!is_there(run.room));
}

static void test_stop(const char *role, int signal)
{
	struct run run;
	int status;

	begin_run(&run, role);
	CHECK(waitpid(run.pid, &status, WUNTRACED) == run.pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == signal);
	CHECK(kill(run.pid, SIGCONT) == 0);
	CHECK(strcmp(next_line(&run), "went on") == 0);
	status = end_run(&run);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
}

/* Continued behind the proxy's back: it goes on, too. */
static void test_continue(void)
{
	struct run run;
	int status;

	begin_run(&run, "tstp");
	CHECK(waitpid(run.pid, &status, WUNTRACED) == run.pid && WIFSTOPPED(status));
	CHECK(kill(run.program, SIGCONT) == 0);
	status = end_run(&run);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
}

/* Who reads what the program writes waits for the program, and for nobody else. */
static void test_descriptors(void)
{
	struct run run;

	begin_run(&run, "quiet");
	CHECK(strcmp(next_line(&run), "") == 0 && feof(run.says));
	CHECK(is_alive(run.program));
	close(run.hears);
	run.hears = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int status = end_run(&run);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	status = status_of("descriptors");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void test_inherited(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		by_default();
		signal(SIGCHLD, SIG_IGN);
		execl(madang_path, "madang", "run", "--private", own_path, "--role", "child-action",
		      NULL);
		_exit(125);
	}
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 6);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

/* ---- at a terminal ----------------------------------------------------------------- */

static _Noreturn void sit_at_terminal(int slave, int out)
{
	by_default();
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	dup2(slave, 0);
	dup2(out, 1);
	execl(madang_path, "madang", "run", "--private", own_path, "--role", "signals", NULL);
	_exit(125);
}

/* Ctrl-C and Ctrl-\ reach the program once; the proxy does not end before it. */
static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), out[2] = { -1, -1 };
	int program = 0, keeper = 0;
	struct run run = { 0 };

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
		printf("no pseudo terminal: not tried at one\n");
		return;
	}
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(slave >= 0 && pipe2(out, O_CLOEXEC) == 0);
	run.pid = fork();
	if (run.pid == 0)
		sit_at_terminal(slave, out[1]);
	close(slave);
	close(out[1]);
	run.says = fdopen(out[0], "r");
	run.hears = -1;
	CHECK(sscanf(next_line(&run), "%d %d", &program, &keeper) == 2);
	for (int i = 0; i < 3; i++) {
		CHECK(write(master, i % 2 == 0 ? "\003" : "\034", 1) == 1);
		CHECK(atoi(next_line(&run)) == (i % 2 == 0 ? SIGINT : SIGQUIT));
		CHECK(kill(run.pid, SIGUSR2) == 0);
		CHECK(atoi(next_line(&run)) == SIGUSR2);
	}
	/* Hanging up. The session's leader, which the proxy is here, is told, and its group. */
	close(master);
	CHECK(atoi(next_line(&run)) == SIGHUP);
	AWAIT(kill(run.pid, SIGTERM) == 0 && atoi(next_line(&run)) == SIGTERM);
	int status = end_run(&run);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

int main(int argc, char **argv)
{
	const char *role = begin_test(argc, argv);
	if (role != NULL)
		return play(role);
	test_status();
	test_signals();
	test_stop("stop", SIGSTOP);
	test_stop("tstp", SIGTSTP);
	test_continue();
	test_descriptors();
	test_inherited();
	test_terminal();
	return test_result();
}
