/* SPDX-License-Identifier: MIT */
/*
 * turns.c - two processes that spin and share a processor: each gives it to the other at once.
 *
 * A process that spins until the kernel takes the processor away uses it for nothing. So the time
 * of the processor that a round takes shows it, however busy the machine is. It was 80 us when each
 * side spun for 40 us first, and is about 2 us.
 */
#include "channel/handles.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { ROUNDS = 1000, MOST_US = 20 }; /* of both processes, for each round */

static uint64_t used_us(int who)
{
	struct rusage usage;
	CHECK(getrusage(who, &usage) == 0);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static mdg_channel *spinner(const char *name, unsigned role)
{
	struct mdg_channel_options options = options_of(MDG_STREAM, 4096);
	options.wait = MDG_WAIT_SPIN;
	return enter_as(name, role, &options);
}

/* Answers each message. */
static void answer(void)
{
	mdg_channel *listens = spinner("there", MDG_LISTENER), *talks = spinner("back", MDG_TALKER);
	for (unsigned i = 0; i < ROUNDS && check_failures == 0; i++) {
		CHECK(hears(listens, 30, i));
		CHECK_RC(0, says(talks, 30, i, GRACE));
	}
	mdg_channel_close(listens);
	mdg_channel_close(talks);
}

static void ask(void)
{
	mdg_channel *talks = spinner("there", MDG_TALKER), *listens = spinner("back", MDG_LISTENER);
	for (unsigned i = 0; i < ROUNDS && check_failures == 0; i++) {
		CHECK_RC(0, says(talks, 30, i, GRACE));
		CHECK(hears(listens, 30, i));
	}
	mdg_channel_close(talks);
	mdg_channel_close(listens);
}

static void play(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		answer();
		_exit(check_failures != 0);
	}
	int status = -1;
	uint64_t before = used_us(RUSAGE_SELF), others = used_us(RUSAGE_CHILDREN);
	ask();
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	uint64_t used = used_us(RUSAGE_SELF) - before + used_us(RUSAGE_CHILDREN) - others;
	printf("a round takes %.1f us of the processor\n", (double)used / ROUNDS);
	CHECK(used < (uint64_t)MOST_US * ROUNDS);
}

int main(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu() % CPU_SETSIZE, &one);
	if (SLOWLY)
		SKIP("instrumented code takes its own time");
	if (sched_setaffinity(0, sizeof one, &one) != 0)
		SKIP("no processor can be chosen: %s", strerror(errno));
	open_namespace();
	play();
	remove_channel("there");
	remove_channel("back");
	mdg_namespace_close(ns);
	return test_result();
}
