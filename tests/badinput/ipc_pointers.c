/* SPDX-License-Identifier: MIT */
/*
 * Pointers that lead nowhere, in every argument of the calls on segments, sets of semaphores and
 * message queues: SIGSEGV at worst. Then no lock is held, whether the process dies of it or has a
 * handler that jumps out and lives on. The next call of another process works at once.
 */
#include "badinput/place.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "madang/msg.h"
#include "madang/sem.h"

enum { AT_ONCE_MS = 200 };

static mdg_namespace *ns;
static mdg_id set, queue, segment;
static void *nowhere;
static sigjmp_buf back;

static uint64_t milliseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* ---- the calls ------------------------------------------------------------------------ */

static void segment_get(void)
{
	(void)mdg_segment_get(ns, 4711, 100, MDG_CREATE | 0600, nowhere);
}
static void segment_create(void)
{
	(void)mdg_segment_create(ns, nowhere, 100, 0600, 0, &(mdg_id){ 0 });
}
static void segment_attach(void)
{
	(void)mdg_segment_attach(ns, segment, NULL, 0, nowhere);
}
static void segment_stat(void)
{
	(void)mdg_segment_stat(ns, segment, 0, nowhere);
}
static void segment_next(void)
{
	(void)mdg_segment_next(ns, nowhere, 0, &(struct mdg_segment_info){ .size = 64 });
}

static void semset_get(void)
{
	(void)mdg_semset_get(ns, 4711, 1, MDG_CREATE | 0600, nowhere);
}
static void semset_create(void)
{
	(void)mdg_semset_create(ns, nowhere, 1, 0600, 0, &(mdg_id){ 0 });
}
static void semset_op(void)
{
	(void)mdg_semset_op(ns, set, nowhere, 2, 0);
}
static void semset_pid(void)
{
	(void)mdg_semset_pid(ns, set, 0, nowhere);
}
static void semset_all(void)
{
	(void)mdg_semset_all(ns, set, nowhere, 2);
}
static void semset_set_all(void)
{
	(void)mdg_semset_set_all(ns, set, nowhere, 2);
}
static void semset_stat(void)
{
	(void)mdg_semset_stat(ns, set, 0, nowhere);
}
static void semset_next(void)
{
	(void)mdg_semset_next(ns, nowhere, &(struct mdg_semset_info){ .size = 64 });
}
static void msgqueue_get(void)
{
	(void)mdg_msgqueue_get(ns, 4711, MDG_CREATE | 0600, nowhere);
}
static void msgqueue_create(void)
{
	(void)mdg_msgqueue_create(ns, nowhere, 0600, &(mdg_id){ 0 });
}
static void msgqueue_send(void)
{
	(void)mdg_msgqueue_send(ns, queue, 1, nowhere, 10, 0);
}
static void msgqueue_send_long(void)
{
	(void)mdg_msgqueue_send(ns, queue, 1, nowhere, 3000, 0);
}
static void msgqueue_receive(void)
{
	(void)mdg_msgqueue_receive(ns, queue, 0, nowhere, 100, 0, 0, &(int64_t){ 0 },
	                           &(size_t){ 0 });
}
static void msgqueue_receive_type(void)
{
	char text[100];
	(void)mdg_msgqueue_receive(ns, queue, 0, text, 100, 0, 0, nowhere, &(size_t){ 0 });
}
static void msgqueue_receive_length(void)
{
	char text[100];
	(void)mdg_msgqueue_receive(ns, queue, 0, text, 100, 0, 0, &(int64_t){ 0 }, nowhere);
}
static void msgqueue_receive_copy(void)
{
	(void)mdg_msgqueue_receive(ns, queue, 0, nowhere, 100, MDG_MSG_COPY, 0, &(int64_t){ 0 },
	                           &(size_t){ 0 });
}
static void msgqueue_stat(void)
{
	(void)mdg_msgqueue_stat(ns, queue, 0, nowhere);
}
static void msgqueue_next(void)
{
	(void)mdg_msgqueue_next(ns, nowhere, &(struct mdg_msgqueue_info){ .size = 64 });
}

static const struct call {
	const char *name;
	void (*call)(void);
} calls[] = {
#define CALL(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
	CALL(segment_get),
	CALL(segment_create),
	CALL(segment_attach),
	CALL(segment_stat),
	CALL(segment_next),
	CALL(semset_get),
	CALL(semset_create),
	CALL(semset_op),
	CALL(semset_pid),
	CALL(semset_all),
	CALL(semset_set_all),
	CALL(semset_stat),
	CALL(semset_next),
	CALL(msgqueue_get),
	CALL(msgqueue_create),
	CALL(msgqueue_send),
	CALL(msgqueue_send_long),
	CALL(msgqueue_receive),
	CALL(msgqueue_receive_type),
	CALL(msgqueue_receive_length),
	CALL(msgqueue_receive_copy),
	CALL(msgqueue_stat),
	CALL(msgqueue_next),
};

/* ---- the two ways ---------------------------------------------------------------------- */

static void jump(int number)
{
	siglongjmp(back, number);
}

static int begin(void)
{
	struct mdg_semset_op one = { 0, 1, 0 };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return mdg_semset_op(ns, set, &one, 1, 0) == 0 &&
	       mdg_msgqueue_send(ns, queue, 1, "text", 4, 0) == 0;
}

/* What the others do next. */
static void works_at_once(const char *name, const char *how)
{
	struct mdg_semset_op list[2] = { { 0, 1, MDG_SEM_UNDO }, { 1, 1, MDG_SEM_UNDO } };
	uint16_t all[2] = { 1, 1 };
	char text[3000];
	int64_t type;
	size_t length;
	mdg_id id;
	int before = check_failures;
	uint64_t since = milliseconds();
	CHECK_CODE(0, mdg_semset_op(ns, set, list, 2, 0));
	list[0].change = list[1].change = -1;
	CHECK_CODE(0, mdg_semset_op(ns, set, list, 2, 0));
	CHECK_CODE(0, mdg_semset_set_all(ns, set, all, 2));
	CHECK_CODE(0, mdg_semset_all(ns, set, all, 2));
	CHECK(all[0] == 1 && all[1] == 1);
	CHECK_CODE(0, mdg_msgqueue_send(ns, queue, 2, "more", 4, 0));
	while (mdg_msgqueue_receive(ns, queue, 0, text, sizeof text, 0, 0, &type, &length) == 0)
		;
	CHECK(type == 2 && length == 4 && memcmp(text, "more", 4) == 0);
	CHECK_CODE(0, mdg_semset_get(ns, 4711, 1, MDG_CREATE | 0600, &id));
	CHECK_CODE(0, mdg_semset_remove(ns, id));
	CHECK_CODE(0, mdg_msgqueue_get(ns, 4711, MDG_CREATE | 0600, &id));
	CHECK_CODE(0, mdg_msgqueue_remove(ns, id));
	void *memory;
	CHECK_CODE(0, mdg_segment_get(ns, 4711, 100, MDG_CREATE | 0600, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
	CHECK(milliseconds() - since < AT_ONCE_MS);
	if (check_failures != before)
		fprintf(stderr, "... after %s, %s, %d ms\n", name, how,
		        (int)(milliseconds() - since));
}

static void dies(const struct call *call)
{
	int status = -1;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (begin())
			call->call();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!CHECK((status & 0x7f) == SIGSEGV))
		fprintf(stderr, "... %s: status %#x\n", call->name, (unsigned)status);
	works_at_once(call->name, "which has killed");
}

/* The handler leaves the call, and the process lives on while the others work. Then it does so too.
 */
static void lives_on(const struct call *call)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 }, status = -1;
	char byte = 0;
	CHECK(pipe(to) == 0 && pipe(from) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, jump);
		if (sigsetjmp(back, 1) == 0) {
			if (begin())
				call->call();
			_exit(7);
		}
		check_failures = 0;
		works_at_once(call->name, "in the process itself");
		if (write(from[1], "x", 1) != 1 || read(to[0], &byte, 1) != 1)
			_exit(8);
		works_at_once(call->name, "in the process itself, later");
		_exit(test_result());
	}
	close(from[1]);
	if (read(from[0], &byte, 1) == 1) {
		works_at_once(call->name, "which was left by siglongjmp");
		CHECK(write(to[1], "x", 1) == 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!CHECK(status == 0))
		fprintf(stderr, "... %s left by siglongjmp: status %#x\n", call->name,
		        (unsigned)status);
	close(from[0]);
	close(to[0]);
	close(to[1]);
}

static void try_all(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 100, 0600, 0, &segment));
	CHECK_CODE(0, mdg_semset_create(ns, NULL, 2, 0600, 0, &set));
	CHECK_CODE(0, mdg_msgqueue_create(ns, NULL, 0600, &queue));
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		dies(&calls[i]);
		lives_on(&calls[i]);
	}
}

int main(void)
{
	place_make();
	nowhere = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(nowhere != MAP_FAILED);
	CHECK(in_child(try_all, NULL));
	return test_result();
}
