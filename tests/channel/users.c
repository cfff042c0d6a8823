/* SPDX-License-Identifier: MIT */
/*
 * users.c - channels in a namespace that users share: the segment's mode says who may use one.
 *
 * Skipped where the test cannot become another user.
 */
#include "channel/handles.h"

#include <grp.h>
#include <poll.h>
#include <sys/stat.h>

enum { CAPACITY = 1024, NOBODY = 65534 };

static _Atomic uint32_t *word;

static void become_nobody(void)
{
	CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	ns = NULL;
	open_namespace();
}

static mdg_channel *make(unsigned role, unsigned mode)
{
	struct mdg_channel_options options = options_of(MDG_QUEUE, CAPACITY);
	options.mode = mode;
	return enter_as("users", role, &options);
}

static void mode_is(unsigned mode)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id;
	CHECK_RC(0, mdg_segment_open(ns, "users", 0, 0, &id));
	CHECK_RC(0, mdg_segment_stat(ns, id, 0, &info));
	CHECK(info.mode == mode);
}

static unsigned walked(void)
{
	struct mdg_channel_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	unsigned count = 0;
	int rc;
	while ((rc = mdg_channel_next(ns, &cursor, &info)) == 1)
		count++;
	CHECK_RC(0, rc);
	return count;
}

static void may_not(void *argument)
{
	const unsigned *readable = argument;
	mdg_channel *channel = NULL;
	become_nobody();
	for (unsigned role = MDG_OBSERVER; role <= MDG_LISTENER; role++)
		CHECK_RC(-EACCES, mdg_channel_open(&channel, ns, "users", role, NULL));
	CHECK(channel == NULL);
	int rc = mdg_channel_remove(ns, "users");
	CHECK(rc == -EPERM || rc == -EACCES);
	CHECK(walked() == *readable);
}

static void may(void *argument)
{
	unsigned char byte;
	(void)argument;
	become_nobody();
	mdg_channel *listens = listener_of("users", MDG_QUEUE, 0);
	mdg_channel *talks = talker_of("users", MDG_QUEUE, 0);
	atomic_store(word, 1);
	CHECK(hears(listens, 70, 1)); /* woken by another user's */
	CHECK_RC(0, says(talks, 70, 2, 0));
	mdg_channel_close(listens);
	atomic_store(word, 2);
	CHECK(reaches(word, 3));
	listens = listener_of("users", MDG_QUEUE, 0);
	CHECK_RC(-EAGAIN, mdg_channel_recv(listens, &byte, 1, NULL, 0));
	CHECK(walked() == 1);
	CHECK_RC(-EPERM, mdg_channel_remove(ns, "users"));
	mdg_channel_close(listens);
	mdg_channel_close(talks);
}

static void die_holding(void *argument)
{
	(void)argument;
	become_nobody();
	mdg_channel *listens = listener_of("users", MDG_QUEUE, 0);
	CHECK_RC(0, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, GRACE));
	if (check_failures != 0)
		_exit(1);
	die();
}

static void poll_as_nobody(void *argument)
{
	(void)argument;
	become_nobody();
	mdg_channel *listens = listener_of("users", MDG_QUEUE, 0);
	CHECK(mdg_channel_fd(listens) >= 0);
	CHECK_RC(-EAGAIN, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, 0));
	atomic_store(word, 1);
	struct pollfd ask = { .fd = mdg_channel_fd(listens), .events = POLLIN };
	CHECK(poll(&ask, 1, 20000) == 1);
	CHECK(hears(listens, 10, 1));
	mdg_channel_close(listens);
}

int main(void)
{
	if (geteuid() != 0)
		SKIP("needs root: becomes another user");
	word = shared_memory(sizeof *word);
	open_namespace();
	mdg_channel *talks = make(MDG_TALKER, 0);
	mode_is(0600);
	unsigned readable = 0;
	CHECK(in_child(may_not, &readable));
	mdg_channel_close(talks);
	remove_channel("users");
	talks = make(MDG_TALKER, 0644); /* may be looked at from outside, and no more */
	mode_is(0644);
	readable = 1;
	CHECK(in_child(may_not, &readable));
	mdg_channel_close(talks);
	remove_channel("users");

	talks = make(MDG_TALKER, 0666);
	mode_is(0666);
	pid_t pid = start(may, NULL);
	sleeps_after(pid, word);
	CHECK_RC(0, says(talks, 70, 1, 0));
	CHECK(reaches(word, 2));
	mdg_channel *listens = listener_of("users", MDG_QUEUE, 0);
	CHECK(hears(listens, 70, 2));
	atomic_store(word, 3);
	CHECK(ended_well(pid));
	/* The death of another user's process. */
	mdg_channel_close(listens);
	CHECK_RC(0, says(talks, 10, 5, 0));
	CHECK(WIFSIGNALED(ended(start(die_holding, NULL))));
	listens = listener_of("users", MDG_QUEUE, 0);
	CHECK(hears_with(listens, 10, 5, MDG_REDELIVERED));
	mdg_channel_close(listens);
	/* Another user's descriptor. */
	atomic_store(word, 0);
	pid = start(poll_as_nobody, NULL);
	CHECK(reaches(word, 1));
	CHECK_RC(0, says(talks, 10, 1, 0));
	CHECK(ended_well(pid));
	mdg_channel_close(talks);
	remove_channel("users");
	mdg_namespace_close(ns);
	return test_result();
}
