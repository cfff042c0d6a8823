/* SPDX-License-Identifier: MIT */
/*
 * confined.c - Madang under exactly the system calls that docs/system-calls.md lists.
 *
 * The build makes a C table of the document's tables (CMakeLists.txt here). A child confines itself
 * to the calls in the table, so that any other call kills it. Then the child does everything that
 * work.c has.
 *
 * The last column of the document says "works" for a call without which everything works. For each
 * of these calls, the child does everything again while that call is refused: once as a kernel
 * refuses a call that it does not know, and once as a filter refuses one.
 *
 * So the document stays true: a new call in the library fails here until the document lists it.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "confined/work.c" /* NOLINT(bugprone-suspicious-include): CHECK counts in one place */
#include "reach/ban.h"
#include "support/check.h"

static const struct {
	const char *name;
	long number;
	bool works_without; /* as the document says */
} calls[] = {
#include "listed_calls.inc"
};

enum { CALLS = sizeof calls / sizeof calls[0], REFUSE = 0x00050000 /* SECCOMP_RET_ERRNO */ };
#define KILL_PROCESS 0x80000000u /* SECCOMP_RET_KILL_PROCESS */

/* All listed calls but `refused` (-1: none), which gives `error`; any other one kills. */
static void confine(int refused, int error)
{
	static struct ban_instruction code[2 * CALLS + 8];
	size_t n = 0;
	code[n++] = (struct ban_instruction){ BAN_LOAD, 0, 0, BAN_AT_NUMBER };
	for (int i = 0; i < CALLS; i++) {
		code[n++] =
			(struct ban_instruction){ BAN_IF_EQUAL, 0, 1, (uint32_t)calls[i].number };
		code[n++] = (struct ban_instruction){ BAN_RETURN, 0, 0,
			                              i == refused ? REFUSE | (uint32_t)error
			                                           : BAN_ALLOW };
	}
	code[n++] = (struct ban_instruction){ BAN_RETURN, 0, 0, KILL_PROCESS };
	struct ban_program program = { (unsigned short)n, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, BAN_FILTER_MODE, &program) != 0)
		_exit(77);
}

/* In a child: confined before the first use of Madang, or after segments are attached. */
static int run(int refused, int error, bool attached_before)
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct work *work = work_begin();
		if (attached_before)
			work_attach(work);
		confine(refused, error);
		if (!attached_before)
			work_attach(work);
		work_all(work);
		_exit(test_result());
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void check_run(int refused, int error, bool attached_before)
{
	int status = run(refused, error, attached_before);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no filter of system calls can be had here");
	if (status == 0)
		return;
	fprintf(stderr, "confined %s attaching, %s refused by %s: status %#x%s\n",
	        attached_before ? "after" : "before", refused < 0 ? "nothing" : calls[refused].name,
	        strerror(error), (unsigned)status,
	        WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
	                ? ": a call that docs/system-calls.md does not have (strace -f tells which)"
	                : "");
	check_failures++;
}

int main(void)
{
	check_run(-1, 0, false);
	check_run(-1, 0, true);
	for (int i = 0; i < CALLS && check_failures == 0; i++) {
		if (!calls[i].works_without)
			continue;
		check_run(i, ENOSYS, false);
		check_run(i, EPERM, false);
	}
	return test_result();
}
