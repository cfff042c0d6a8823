/* SPDX-License-Identifier: MIT */
/*
 * check.h - what every test program is written with.
 *
 * A test program is a main() that calls CHECK for each fact. A failed CHECK
 * prints file, line, expression and errno, and the test goes on. test_result()
 * gives the exit code. Exit 0: all facts held. Exit 1: some did not. Exit 77: the
 * test was skipped, and SKIP has printed the reason. Nothing here depends on
 * assert or NDEBUG.
 *
 * Children report through their exit code: in_child(f, arg) runs f in a forked
 * child and returns true when every CHECK there held.
 */
#ifndef MADANG_TESTS_CHECK_H
#define MADANG_TESTS_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int check_failures;

#define CHECK(expression) check_one(!!(expression), #expression, NULL, __FILE__, __LINE__)
/* CHECK with the line of the specification that it proves: CHECK_LINE("G5", ...). */
#define CHECK_LINE(name, expression)                                                               \
	check_one(!!(expression), #expression, name, __FILE__, __LINE__)
/* Checks that the call fails with -1 and this errno. */
#define CHECK_ERRNO(name, wanted, call)                                                            \
	(errno = 0, check_one((intptr_t)(call) == -1 && errno == (wanted),                         \
	                      #call " fails with " #wanted, name, __FILE__, __LINE__))
#define SKIP(...)                                                                                  \
	do {                                                                                       \
		printf("skipped: " __VA_ARGS__);                                                   \
		printf("\n");                                                                      \
		exit(77);                                                                          \
	} while (0)

static inline bool check_one(bool held, const char *what, const char *name, const char *file,
                             int line)
{
	if (!held) {
		int error = errno;
		check_failures++;
		fprintf(stderr, "%s:%d: %s%sdoes not hold: %s (errno %d, %s)\n", file, line,
		        name ? name : "", name ? " " : "", what, error, strerror(error));
	}
	return held;
}

static inline int test_result(void)
{
	return check_failures == 0 ? 0 : 1;
}

/* Runs f(arg) in a forked child and waits: true when its CHECKs all held. */
static inline bool in_child(void (*f)(void *), void *arg)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		f(arg);
		fflush(NULL);
		_exit(test_result());
	}
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
