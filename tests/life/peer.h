/* SPDX-License-Identifier: MIT */
/*
 * peer.h - a second process that takes turns with the test.
 *
 *     static void reader(struct peer *test, void *arg)
 *     {
 *             ...; peer_say(test); peer_hear(test); ...
 *     }
 *     struct peer p = peer_start(reader, &id);   // forked here
 *     CHECK(peer_hear(&p));                      // it came to its peer_say
 *     peer_say(&p);                              // and may go on
 *     CHECK(peer_join(&p) == 0);                 // all its CHECKs held
 *
 * A turn is a single byte in one of two pipes, so nothing waits for a time. The
 * child has its ends of the pipes as descriptors 0 and 1. It may close all other
 * descriptors, and it may exec a program that goes on taking turns (struct
 * peer_of_parent). Its CHECKs print to standard error. It must not print to
 * standard output.
 *
 * When the other side has died, peer_hear returns false instead of waiting. This
 * file also has what the tests of life times often ask about a segment. Include it
 * after segments.h.
 */
#ifndef MADANG_TESTS_PEER_H
#define MADANG_TESTS_PEER_H

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

/* Sanitizers keep shadows of memory, and the thread sanitizer makes a fork of vfork. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SHADOW 1
#elif __has_feature(thread_sanitizer)
#define WITH_SHADOW   1
#define WITHOUT_VFORK 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_SHADOW 1
#elif defined(__SANITIZE_THREAD__)
#define WITH_SHADOW   1
#define WITHOUT_VFORK 1
#endif
#ifndef WITH_SHADOW
#define WITH_SHADOW 0
#endif
#ifndef WITHOUT_VFORK
#define WITHOUT_VFORK 0
#endif

struct peer {
	pid_t pid; /* of the other side */
	int in, out;
};

static inline void peer_say(struct peer *peer)
{
	ssize_t done;
	do
		done = write(peer->out, ".", 1);
	while (done < 0 && errno == EINTR);
}

/* Waits for the other side's turn to end; false when it is dead. */
static inline bool peer_hear(struct peer *peer)
{
	char byte;
	ssize_t done;
	do
		done = read(peer->in, &byte, 1);
	while (done < 0 && errno == EINTR);
	return done == 1;
}

/* The test, as its child (and what that executes) sees it. */
static inline struct peer peer_of_parent(void)
{
	return (struct peer){ .pid = getppid(), .in = 0, .out = 1 };
}

static inline void peer_run(void (*f)(struct peer *, void *), void *arg, int in, int out)
{
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(1);
	struct peer test = peer_of_parent();
	check_failures = 0;
	f(&test, arg);
	fflush(stderr);
	_exit(test_result());
}

static inline struct peer peer_start(void (*f)(struct peer *, void *), void *arg)
{
	int to[2], from[2];
	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
		perror("pipe");
		exit(1);
	}
	/* A test that talks to a dead peer shall say so, not die of it. */
	signal(SIGPIPE, SIG_IGN);
	fflush(NULL);
	struct peer peer = { .pid = fork(), .in = from[0], .out = to[1] };
	if (peer.pid == 0) {
		close(from[0]);
		close(to[1]);
		peer_run(f, arg, to[0], from[1]);
	}
	CHECK(peer.pid > 0);
	close(to[0]);
	close(from[1]);
	return peer;
}

/* Waits for the end of a process: its exit code, or 128 + signal. */
static inline int reap(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits until the process ended, and leaves it a zombie. */
static inline void await_zombie(pid_t pid)
{
	siginfo_t info;
	int rc;
	do
		rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	while (rc != 0 && errno == EINTR);
	CHECK(rc == 0);
}

static inline int peer_join(struct peer *peer)
{
	int code = reap(peer->pid);
	close(peer->in);
	close(peer->out);
	return code;
}

/* Lets it come to its end, which was waiting for that. */
static inline int peer_finish(struct peer *peer)
{
	peer_say(peer);
	return peer_join(peer);
}

static inline int peer_kill(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	return peer_join(peer);
}

/* ---- a process that is expected to be killed --------------------------- */

static inline void die_plainly(void)
{
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
}

/* What killed a forked child that ran f(address): a signal, or 0. */
static inline int signal_of(void (*f)(volatile char *), char *address)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		die_plainly();
		f(address);
		_exit(0);
	}
	int code = reap(pid);
	return code > 128 ? code - 128 : code;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): of one type with write_it */
static inline void read_it(volatile char *address)
{
	char byte = *address;
	(void)byte;
}

static inline void write_it(volatile char *address)
{
	*address = 1;
}

/* ---- questions about a segment ----------------------------------------- */

static inline int attached(int id)
{
	return (int)stat_of(id).shm_nattch;
}

/* The clock that stamps segments: where time() is exact, it is a tick ahead. */
static inline time_t now_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec;
}

/* Whether a stamp lies between `since` and now; it may come from the exact clock. */
static inline bool recent(time_t stamp, time_t since)
{
	return stamp >= since && stamp <= now_seconds() + 1;
}

/* Waits until the second changes, for what can only be seen by a stamp that
 * moved. Returns the new time. */
static inline time_t next_second(void)
{
	time_t then = now_seconds();
	struct timespec moment = { 0, 5000000 };
	while (now_seconds() == then)
		nanosleep(&moment, NULL);
	return now_seconds();
}

/* An address with so many free pages, and free ones around them: what the
 * system places by itself meanwhile goes to the edge. */
static inline char *free_pages(size_t pages)
{
	size_t edge = 64 * page_size(), size = pages * page_size();
	char *all = mmap(NULL, size + 2 * edge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(all != MAP_FAILED);
	munmap(all, size + 2 * edge);
	return all + edge;
}

/* Ordinary memory of so many pages, each byte of a page its number + 1. */
static inline char *numbered_pages(size_t pages)
{
	char *all = mmap(NULL, pages * page_size(), PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(all != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		memset(all + i * page_size(), (int)i + 1, page_size());
	return all;
}

#endif
