/* SPDX-License-Identifier: MIT */
/*
 * hold.c - a process for the tool to look at: has segments attached, or made, until told to end.
 *
 *     hold DIR attach ID [TIMES]    attaches a segment
 *     hold DIR make NAME SIZE       makes one and attaches nothing
 *     hold DIR fill COUNT           makes COUNT segments of a page and ends
 *     hold DIR undo ID NUMBER CHANGE    operates on a semaphore, with UNDO
 *     hold DIR lock ID                  takes the lock of a set
 *     hold DIR sleep ID NUMBER CHANGE   the same, and does not return from the operation
 *     hold DIR send ID TYPE SIZE [TIMES]  sends messages to a queue
 *     hold DIR block ID TYPE SIZE       does not return from the sending of one
 *     hold DIR receive ID TYPE [except] does not return from receiving one
 *
 * Says "ready PID" on stdout, then waits for the end of its input. Exit 2: it could not. Where it
 * is to sleep in a set or a queue, a child does both when it sees the process asleep there, and
 * ends the sleep with a signal.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "madang/msg.h"
#include "madang/segment.h"
#include "madang/sem.h"
#include "msgqueue/view.h"
#include "semset/session.h"
#include "semset/view.h"

static int attach(mdg_namespace *ns, mdg_id id, int times)
{
	void *memory;
	int rc = 0;

	for (int i = 0; i < times && rc == 0; i++)
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	return rc;
}

static int fill(mdg_namespace *ns, int count)
{
	mdg_id id;
	int rc = 0;

	for (int i = 0; i < count && rc == 0; i++)
		rc = mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &id);
	return rc;
}

static void wait_for_end(void)
{
	char end;

	while (read(STDIN_FILENO, &end, 1) > 0)
		;
}

/* ---- asleep ----------------------------------------------------------- */

static void note_set_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	(void)sleeper;
	*(int *)context = 1;
}

static void note_queue_sleeper(void *context, const struct mdg__queue_sleeper *sleeper, bool except)
{
	(void)sleeper;
	(void)except;
	*(int *)context = 1;
}

static int is_asleep(mdg_namespace *ns, mdg_id id, int in_set)
{
	int seen = 0;
	const struct mdg__set_viewer in_sets = { .sleeper = note_set_sleeper, .context = &seen };
	const struct mdg__queue_viewer in_queues = { note_queue_sleeper, &seen };

	if (in_set)
		(void)mdg__semset_view(ns, id, &in_sets);
	else
		(void)mdg__msgqueue_view(ns, id, &in_queues);
	return seen;
}

static void wake(int number)
{
	(void)number;
}

/* The child goes on for both: it speaks when the parent sleeps, and then waits. The parent returns
 * and goes to sleep. */
static void watch(mdg_namespace *ns, mdg_id id, int in_set)
{
	const struct sigaction action = { .sa_handler = wake };
	pid_t parent = getpid();

	(void)sigaction(SIGUSR1, &action, NULL);
	if (fork() != 0)
		return;
	while (!is_asleep(ns, id, in_set) && getppid() == parent)
		(void)usleep(1000);
	printf("ready %d\n", (int)parent);
	fflush(stdout);
	wait_for_end();
	(void)kill(parent, SIGUSR1);
	_exit(0);
}

static int operate(mdg_namespace *ns, char **argv, int undo)
{
	struct mdg_semset_op op = { (uint16_t)atoi(argv[4]), (int16_t)atoi(argv[5]),
		                    (int16_t)(undo ? MDG_SEM_UNDO : 0) };

	return mdg_semset_op(ns, (mdg_id)atoi(argv[3]), &op, 1, MDG_FOREVER);
}

/* Does not give it back. */
static int take_lock(mdg_namespace *ns, mdg_id id)
{
	static struct mdg__session session;
	static struct mdg__semset_stay stay;
	int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_MAKE);

	return rc < 0 ? rc
	              : mdg__semset_enter(&stay, &session.set, (struct mdg__semset_need){ 0 },
	                                  mdg__semset_repair);
}

static int send_some(mdg_namespace *ns, char **argv, int times)
{
	static const char text[65536];
	int rc = 0;

	for (int i = 0; i < times && rc == 0; i++)
		rc = mdg_msgqueue_send(ns, (mdg_id)atoi(argv[3]), atoi(argv[4]), text,
		                       (size_t)atoi(argv[5]), MDG_FOREVER);
	return rc;
}

static int receive_one(mdg_namespace *ns, char **argv, unsigned flags)
{
	static char text[65536];
	int64_t type;
	size_t length;

	return mdg_msgqueue_receive(ns, (mdg_id)atoi(argv[3]), atoi(argv[4]), text, sizeof text,
	                            flags, MDG_FOREVER, &type, &length);
}

/* Sleeps until the child ends it. -ENOSYS: that is not what was asked for. */
static int sleep_inside(mdg_namespace *ns, int argc, char **argv)
{
	int in_set = strcmp(argv[2], "sleep") == 0;

	if (!in_set && strcmp(argv[2], "block") != 0 && strcmp(argv[2], "receive") != 0)
		return -ENOSYS;
	watch(ns, (mdg_id)atoi(argv[3]), in_set);
	if (in_set)
		return operate(ns, argv, 0);
	if (strcmp(argv[2], "block") == 0)
		return send_some(ns, argv, 1);
	return receive_one(ns, argv, argc > 5 ? MDG_MSG_EXCEPT : 0);
}

static int perform(mdg_namespace *ns, int argc, char **argv)
{
	mdg_id id;

	if (strcmp(argv[2], "attach") == 0)
		return attach(ns, (mdg_id)atoi(argv[3]), argc > 4 ? atoi(argv[4]) : 1);
	if (strcmp(argv[2], "fill") == 0)
		return fill(ns, atoi(argv[3]));
	if (strcmp(argv[2], "undo") == 0)
		return operate(ns, argv, 1);
	if (strcmp(argv[2], "lock") == 0)
		return take_lock(ns, (mdg_id)atoi(argv[3]));
	if (strcmp(argv[2], "send") == 0)
		return send_some(ns, argv, argc > 6 ? atoi(argv[6]) : 1);
	return mdg_segment_create(ns, argv[3], argc > 4 ? (uint64_t)atoi(argv[4]) : 4096, 0600, 0,
	                          &id);
}

int main(int argc, char **argv)
{
	mdg_namespace *ns;

	if (argc < 4)
		return 2;
	int rc = mdg_namespace_open(&ns, argv[1], NULL);
	if (rc == 0)
		rc = sleep_inside(ns, argc, argv);
	if (rc == -EINTR || rc == -EIDRM)
		return 0;
	if (rc == -ENOSYS)
		rc = perform(ns, argc, argv);
	if (rc != 0) {
		fprintf(stderr, "hold: %s\n", mdg_strerror(rc));
		return 2;
	}
	if (strcmp(argv[2], "fill") == 0)
		return 0;
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	wait_for_end();
	return 0;
}
