/* SPDX-License-Identifier: MIT */
/*
 * poll.c - the descriptor of a listener and of a caller.
 *
 * It is readable while, and only while, there is something to receive. The test also counts the
 * system calls that a talker makes.
 */
#include "channel/handles.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>

enum { CAPACITY = 4096, GRACE_MS = 20000 };

static _Atomic uint32_t *word;

static bool is_readable(int fd, int ms)
{
	struct pollfd ask = { .fd = fd, .events = POLLIN };
	int rc = poll(&ask, 1, ms);
	CHECK(rc == 0 || (rc == 1 && ask.revents == POLLIN));
	return rc == 1;
}

static int fd_of(mdg_channel *channel)
{
	int fd = mdg_channel_fd(channel);
	if (!CHECK(fd >= 0)) {
		fprintf(stderr, "the descriptor: %s\n", mdg_strerror(fd));
		_exit(1);
	}
	CHECK(mdg_channel_fd(channel) == fd); /* the same each time */
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	return fd;
}

/* The descriptor may be readable without a message, once for each talker that was stopped in the
 * middle. A peek then finds nothing, and makes it unreadable. */
static bool becomes_unreadable(mdg_channel *listens, unsigned talkers)
{
	int fd = fd_of(listens);
	for (unsigned i = 0; i < talkers && is_readable(fd, 0); i++)
		CHECK_RC(-EAGAIN, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, 0));
	return !is_readable(fd, 0);
}

/* ---- when and only when ----------------------------------------------------------------- */

static void when_and_only_when(unsigned kind)
{
	mdg_channel *talks = talker_of("poll", kind, CAPACITY);
	mdg_channel *listens = listener_of("poll", kind, CAPACITY);
	struct mdg_message message;
	int fd = fd_of(listens);
	CHECK(!is_readable(fd, 0));
	for (unsigned round = 0; round < 20; round++) {
		unsigned many = 1 + round % 4;
		for (unsigned i = 0; i < many; i++)
			CHECK_RC(0, says(talks, 30, i, 0));
		for (unsigned i = 0; i < many; i++) {
			CHECK(is_readable(fd, GRACE_MS));
			CHECK(is_readable(fd, GRACE_MS)); /* asking changes nothing */
			if (round % 3 != 0) {
				CHECK(hears(listens, 30, i));
				continue;
			}
			CHECK_RC(0, mdg_channel_peek(listens, &message, 0));
			CHECK(is_filled(message.data, 30, i));
			CHECK_RC(0, mdg_channel_release(listens));
		}
		if (round % 2 == 0)
			CHECK_RC(-EAGAIN, mdg_channel_peek(listens, &message, 0));
		CHECK(!is_readable(fd, 0));
	}
	/* What was there before it was asked for. */
	mdg_channel_close(listens);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF); /* closed with it */
	listens = listener_of("poll", kind, 0);
	CHECK_RC(0, says(talks, 30, 1, 0));
	fd = fd_of(listens);
	CHECK(is_readable(fd, GRACE_MS));
	CHECK(hears(listens, 30, 1));
	CHECK(!is_readable(fd, 0));
	/* A reservation is nothing yet, and what is cancelled never becomes something. */
	void *place = NULL;
	CHECK_RC(0, mdg_channel_reserve(talks, 10, &place, 0));
	CHECK(!is_readable(fd, 0));
	fill(place, 10, 4);
	CHECK_RC(0, mdg_channel_commit(talks, 10));
	CHECK(is_readable(fd, GRACE_MS));
	CHECK(hears(listens, 10, 4));
	CHECK_RC(-EPERM, mdg_channel_fd(talks));
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	remove_channel("poll");
}

static void of_a_call(void)
{
	mdg_channel *calls = talker_of("poll", MDG_CALL, CAPACITY);
	mdg_channel *serves = listener_of("poll", MDG_CALL, CAPACITY);
	int calling = fd_of(calls), serving = fd_of(serves);
	for (unsigned round = 0; round < 20; round++) {
		CHECK(!is_readable(calling, 0) && !is_readable(serving, 0));
		CHECK_RC(0, says(calls, 10, 1, 0));
		CHECK(is_readable(serving, GRACE_MS) && !is_readable(calling, 0));
		CHECK(hears(serves, 10, 1));
		CHECK(!is_readable(serving, 0) && !is_readable(calling, 0));
		if (round % 4 == 3) { /* a refusal is a reply, too */
			CHECK_RC(0, mdg_channel_release(serves));
			CHECK(is_readable(calling, GRACE_MS));
			CHECK_RC(-ECANCELED, mdg_channel_recv(calls, NULL, 0, NULL, 0));
		} else {
			CHECK_RC(0, says(serves, 20, 2, 0));
			CHECK(is_readable(calling, GRACE_MS));
			CHECK(hears(calls, 20, 2));
		}
	}
	CHECK(!is_readable(calling, 0) && !is_readable(serving, 0));
	mdg_channel_close(calls);
	mdg_channel_close(serves);
	remove_channel("poll");
}

/* Several handles in one epoll, each readable for itself. */
static void in_epoll(void)
{
	enum { MANY = 4 };
	mdg_channel *talks[MANY], *listens[MANY];
	char name[8];
	int all = epoll_create1(EPOLL_CLOEXEC);
	CHECK(all >= 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = i } };
		snprintf(name, sizeof name, "poll%u", i);
		talks[i] = talker_of(name, 1 + i % 3, CAPACITY);
		listens[i] = listener_of(name, 1 + i % 3, CAPACITY);
		CHECK(epoll_ctl(all, EPOLL_CTL_ADD, fd_of(listens[i]), &event) == 0);
	}
	for (unsigned round = 0; round < 30; round++) {
		struct epoll_event events[MANY];
		unsigned said = 1 + draw((1 << MANY) - 1), found = 0;
		for (unsigned i = 0; i < MANY; i++)
			if ((said & 1u << i) != 0)
				CHECK_RC(0, says(talks[i], 10, i, 0));
		while (found != said && check_failures == 0) {
			int count = epoll_wait(all, events, MANY, GRACE_MS);
			CHECK(count > 0);
			for (int j = 0; j < count; j++) {
				found |= 1u << events[j].data.u32;
				CHECK(hears(listens[events[j].data.u32], 10, events[j].data.u32));
			}
		}
		CHECK(epoll_wait(all, events, MANY, 0) == 0);
	}
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "poll%u", i);
		mdg_channel_close(talks[i]);
		mdg_channel_close(listens[i]);
		remove_channel(name);
	}
	close(all);
}

/* ---- poll as the only wait -------------------------------------------------------------- */

enum { TALKERS = 2, EACH = SLOWLY ? 300 : 2000 };

static void talk(void *argument)
{
	const unsigned *kind = argument;
	mdg_channel *talks = talker_of("poll", *kind, 0);
	for (unsigned i = 0; i < EACH; i++) {
		CHECK_RC(0, mdg_channel_send(talks, &i, sizeof i, GRACE));
		if (draw(4) == 0)
			pause_us(draw(60));
	}
	mdg_channel_close(talks);
}

static void ping(void *argument)
{
	unsigned answer = 0;
	(void)argument;
	mdg_channel *calls = talker_of("poll", MDG_CALL, 0);
	int fd = fd_of(calls);
	for (unsigned i = 0; i < EACH; i++) {
		CHECK_RC(0, mdg_channel_send(calls, &i, sizeof i, GRACE));
		while (mdg_channel_recv(calls, &answer, sizeof answer, NULL, 0) == -EAGAIN)
			if (!CHECK(is_readable(fd, GRACE_MS)))
				return;
		CHECK(answer == ~i);
	}
	mdg_channel_close(calls);
}

/* No message comes that the descriptor does not tell of. */
static void nothing_is_missed(unsigned kind)
{
	unsigned talkers = kind == MDG_STREAM ? 1 : TALKERS, got = 0, number = 0;
	mdg_channel *listens = listener_of("poll", kind, CAPACITY);
	int fd = fd_of(listens);
	pid_t pid[TALKERS];
	for (unsigned i = 0; i < talkers; i++)
		pid[i] = start(kind == MDG_CALL ? ping : talk, &kind);
	while (got < talkers * EACH && check_failures == 0) {
		if (!CHECK(is_readable(fd, GRACE_MS)))
			break;
		/* Sometimes all that is there, sometimes one. */
		for (unsigned i = draw(2) == 0 ? 1 : 1000; i > 0; i--) {
			if (mdg_channel_recv(listens, &number, sizeof number, NULL, 0) < 0)
				break;
			got++;
			number = ~number;
			if (kind == MDG_CALL)
				CHECK_RC(0, mdg_channel_send(listens, &number, sizeof number, 0));
		}
	}
	for (unsigned i = 0; i < talkers; i++)
		CHECK(ended_well(pid[i]));
	CHECK(becomes_unreadable(listens, talkers));
	mdg_channel_close(listens);
	remove_channel("poll");
}

static void poll_and_die(void *argument)
{
	const unsigned *kind = argument;
	mdg_channel *listens = listener_of("poll", *kind, CAPACITY);
	int fd = fd_of(listens);
	CHECK_RC(-EAGAIN, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, 0));
	atomic_store(word, 1);
	(void)is_readable(fd, GRACE_MS);
}

/* A listener that is killed in poll, and the one that comes after it. */
static void killed_and_replaced(unsigned kind)
{
	mdg_channel *talks = talker_of("poll", kind, CAPACITY);
	for (unsigned round = 0; round < 8; round++) {
		atomic_store(word, 0);
		pid_t pid = start(poll_and_die, &kind);
		sleeps_after(pid, word);
		killed(pid);
		bool before = round % 2 == 0;
		if (before)
			CHECK_RC(0, says(talks, 10, round, 0));
		mdg_channel *listens = listener_of("poll", kind, 0);
		int fd = fd_of(listens);
		if (!before || kind == MDG_TOPIC)
			CHECK(!is_readable(fd, 0));
		if (!before || kind == MDG_TOPIC)
			CHECK_RC(0, says(talks, 10, round, 0));
		CHECK(is_readable(fd, GRACE_MS));
		CHECK(hears(listens, 10, round));
		CHECK(!is_readable(fd, 0));
		mdg_channel_close(listens);
	}
	mdg_channel_close(talks);
	remove_channel("poll");
}

static void serve_and_die(void *argument)
{
	(void)argument;
	mdg_channel *serves = listener_of("poll", MDG_CALL, CAPACITY);
	CHECK(hears(serves, 10, 1));
	atomic_store(word, 1);
	for (;;)
		pause();
}

/* The caller learns of the death without a call of its own if another process waits, because that
 * process finds the dead. A caller that only polls has to ask now and then, as a loop with a timer
 * does. */
static void server_dies(void)
{
	mdg_channel *calls = talker_of("poll", MDG_CALL, CAPACITY);
	int fd = fd_of(calls);
	atomic_store(word, 0);
	pid_t pid = start(serve_and_die, NULL);
	CHECK_RC(0, says(calls, 10, 1, 0));
	CHECK(reaches(word, 1));
	CHECK(!is_readable(fd, 0));
	killed(pid);
	(void)info_of(calls); /* finds the dead */
	CHECK(is_readable(fd, GRACE_MS));
	CHECK_RC(MDG_PEER_DIED, mdg_channel_recv(calls, NULL, 0, NULL, 0));
	CHECK(!is_readable(fd, 0));
	mdg_channel_close(calls);
	remove_channel("poll");
}

/* ---- system calls ----------------------------------------------------------------------- */

static struct {
	mdg_channel *talks, *listens;
	unsigned kind;
} quiet;

static void talk_quietly(void)
{
	for (unsigned i = 0; i < 100; i++) {
		CHECK_RC(0, says(quiet.talks, 100, i, MDG_FOREVER));
		CHECK_RC(0, says(quiet.talks, 1500, i, MDG_FOREVER));
		CHECK(hears(quiet.listens, 100, i));
		CHECK(hears(quiet.listens, 1500, i));
	}
}

static void ask_quietly(void)
{
	for (unsigned i = 0; i < 10; i++) {
		CHECK_RC(0, says(quiet.talks, 100, i, MDG_FOREVER));
		CHECK(hears(quiet.listens, 100, i));
		CHECK_RC(0, says(quiet.listens, 200, i, MDG_FOREVER));
		CHECK(hears(quiet.talks, 200, i));
	}
}

static void open_quiet(void)
{
	if (quiet.talks != NULL)
		return;
	quiet.talks = talker_of("poll", quiet.kind, CAPACITY);
	quiet.listens = listener_of("poll", quiet.kind, CAPACITY);
}

static void no_calls(void)
{
	open_quiet();
	(quiet.kind == MDG_CALL ? ask_quietly : talk_quietly)();
}

/* To one who polls, and has something already. */
static void talk_on_quietly(void *argument)
{
	mdg_channel *talks = talker_of("poll", *(const unsigned *)argument, 0);
	CHECK_RC(0, says(talks, 10, 0, 0));
	if (!forbid_system_calls())
		syscall(SYS_exit_group, 0);
	for (unsigned i = 1; i < 30; i++)
		CHECK_RC(0, says(talks, 10, i, MDG_FOREVER));
	syscall(SYS_exit_group, check_failures != 0);
}

static void no_calls_with_poll(unsigned kind)
{
	mdg_channel *listens = listener_of("poll", kind, CAPACITY);
	int fd = fd_of(listens);
	CHECK(!is_readable(fd, 0));
	CHECK(ended_well(start(talk_on_quietly, &kind)));
	for (unsigned i = 0; i < 30; i++) {
		CHECK(is_readable(fd, 0));
		CHECK(hears(listens, 10, i));
	}
	CHECK(!is_readable(fd, 0));
	mdg_channel_close(listens);
	remove_channel("poll");
}

/* A server looks whether its caller lives, with system calls, once in each tick of the kernel's
 * clock. So a try may meet the end of a tick, but not each of many. */
static bool some_try_makes_no_calls(void)
{
	for (int i = 0; i < 20; i++)
		if (without_system_calls(no_calls))
			return true;
	return false;
}

static void makes_no_calls(void)
{
	for (unsigned kind = MDG_STREAM; kind <= MDG_CALL; kind++) {
		quiet.kind = kind;
		CHECK(kind == MDG_CALL ? some_try_makes_no_calls()
		                       : without_system_calls(no_calls));
		remove_channel("poll");
		if (kind != MDG_CALL)
			no_calls_with_poll(kind);
	}
}

/* System calls that the child makes between its two stops. */
static unsigned calls_between(pid_t pid)
{
	unsigned stops = 0;
	int status = 0;
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD) == 0);
	for (;;) {
		CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
		if (!CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)))
			return 0;
		if (WSTOPSIG(status) == SIGSTOP)
			break;
		stops++;
	}
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	/* The stops are the end of the first kill, two for each system call, and the beginning of
	 * the second kill. */
	return (stops - 1) / 2;
}

static void talk_between_stops(void *argument)
{
	const unsigned *kind = argument;
	mdg_channel *talks = talker_of("poll", *kind, CAPACITY);
	unsigned char bytes[10];
	pid_t self = getpid();
	fill(bytes, sizeof bytes, 1);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	kill(self, SIGSTOP);
	int rc = mdg_channel_send(talks, bytes, sizeof bytes, MDG_FOREVER);
	kill(self, SIGSTOP);
	CHECK_RC(0, rc);
	mdg_channel_close(talks);
}

static void listen_once(void *argument)
{
	const unsigned *kind = argument;
	mdg_channel *listens = listener_of("poll", *kind, CAPACITY);
	atomic_store(word, 1);
	CHECK(hears(listens, 10, 1));
	atomic_store(word, 2);
	for (;;)
		pause();
}

static void poll_once(void *argument)
{
	const unsigned *kind = argument;
	mdg_channel *listens = listener_of("poll", *kind, CAPACITY);
	int fd = fd_of(listens);
	CHECK_RC(-EAGAIN, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, 0));
	atomic_store(word, 1);
	CHECK(is_readable(fd, GRACE_MS));
	CHECK(hears(listens, 10, 1));
	atomic_store(word, 2);
	for (;;)
		pause();
}

static void listen_never(void *argument)
{
	const unsigned *kind = argument;
	(void)listener_of("poll", *kind, CAPACITY);
	atomic_store(word, 1);
	for (;;)
		pause();
}

static bool may_trace(void)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
	return ended_well(pid);
}

/* None while it does not sleep, one to wake it, a few when it polls. */
static void counts_calls(void)
{
	static void (*const listeners[])(void *) = { listen_never, listen_once, poll_once };
	static const unsigned most[] = { 0, 1, 8 };
	if (HANDLERS_LATE || !may_trace())
		return;
	for (unsigned kind = MDG_STREAM; kind <= MDG_TOPIC; kind++)
		for (unsigned i = 0; i < 3; i++) {
			atomic_store(word, 0);
			pid_t listens = start(listeners[i], &kind);
			sleeps_after(listens, word);
			pid_t talks = start(talk_between_stops, &kind);
			unsigned count = calls_between(talks);
			/* A sleeper looks up now and then: what comes then needs no call. */
			if (!CHECK(count == 0 || (i == 2 ? count <= most[i] : count == most[i])))
				fprintf(stderr, "%u calls, kind %u, way %u\n", count, kind, i);
			CHECK(i == 0 || reaches(word, 2));
			CHECK(ended_well(talks));
			killed(listens);
			remove_channel("poll");
		}
}

int main(void)
{
	word = shared_memory(sizeof *word);
	open_namespace();
	for (unsigned kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		when_and_only_when(kind);
		killed_and_replaced(kind);
	}
	for (unsigned kind = MDG_STREAM; kind <= MDG_CALL; kind++)
		nothing_is_missed(kind);
	of_a_call();
	in_epoll();
	server_dies();
	makes_no_calls();
	counts_calls();
	mdg_namespace_close(ns);
	return test_result();
}
