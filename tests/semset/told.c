/* SPDX-License-Identifier: MIT */
/*
 * told.c - how soon sleepers learn that a process was killed which had, with UNDO, what they wait
 * for: within 1 ms in the ordinary case, and within 25 ms in every case.
 *
 * A busy machine is slow by itself. So in each try the same processes have a set of the kernel too,
 * and others sleep there. One kill ends both, and what the kernel's sleepers need is added to the
 * time that ours may need. What fails is tried again: a machine is not that busy each time, but a
 * fault comes back.
 *
 * A sleeper that nobody wakes looks from time to time. The worst moment for a death is right after
 * such a look. Looks are seen in /proc, as the times at which the sleeper has given its processor
 * away. So where a case is not ordinary, the kill waits for a look.
 */
#include <pthread.h>

#include "semset/set.h"

enum { HOLDERS_MOST = 6, SLEEPERS_MOST = 24, TRIES_MOST = 40, ROUNDS = 8 };
#define ORDINARY_NS   UINT64_C(1000000)
#define EVERY_CASE_NS UINT64_C(25000000)

static const struct scenario {
	const char *name;
	unsigned holders, sleepers, tries;
	bool ordinary;
	bool execs;         /* the holder has called exec since */
	bool is_stopped;    /* it was stopped before it is killed */
	bool has_threads;   /* the thread that operated has ended, another one goes on */
	bool loses_watcher; /* the first sleeper is killed together with the holder */
	unsigned served;    /* so many sleepers were served right before */
} scenarios[] = {
	{ "one holder, one sleeper", 1, 1, 40, .ordinary = true },
	{ "three sleepers", 1, 3, 20, .ordinary = true },
	{ "24 sleepers", 1, 24, 10, .ordinary = true },
	{ "a stopped holder", 1, 1, 20, .ordinary = true, .is_stopped = true },
	{ "two holders", 2, 1, 16, .ordinary = false },
	{ "six holders, three sleepers", 6, 3, 16, .ordinary = false },
	{ "six holders, 24 sleepers", 6, 24, 10, .ordinary = false },
	{ "exec", 1, 1, 16, .execs = true },
	{ "exec, two holders", 2, 2, 16, .execs = true },
	{ "exec, 24 sleepers", 1, 24, 10, .execs = true },
	{ "another thread", 1, 1, 16, .has_threads = true },
	{ "the watcher dies too", 1, 2, 16, .loses_watcher = true },
	{ "the watcher of 24 dies too", 1, 24, 10, .loses_watcher = true },
	{ "the first of 24 was served", 6, 24, 10, .served = 1 },
	{ "exec, 17 of 18 were served", 1, 18, 10, .execs = true, .served = 17 },
};

static _Atomic uint64_t *told; /* for each sleeper: when it was told */

/* ---- holders and sleepers ------------------------------------------------------------------ */

static void *take(void *units)
{
	for (int kernel = 0; kernel < 2; kernel++) {
		world.kernel = kernel == 1;
		if (op1(0, -*(const int *)units, UNDO) != 0)
			_exit(1);
	}
	return NULL;
}

/* Has so many units of both sets. */
static pid_t start_holder(const struct scenario *scenario, int units)
{
	int ready[2];
	char byte;
	pthread_t thread;
	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!scenario->has_threads)
			take(&units);
		else if (pthread_create(&thread, NULL, take, &units) != 0 ||
		         pthread_join(thread, NULL) != 0)
			_exit(1);
		if (scenario->execs)
			execl("/proc/self/exe", "semset-told", "wait", (char *)NULL);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 0);
	close(ready[0]);
	return pid;
}

static pid_t start_sleeper(bool kernel, unsigned which)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		world.kernel = kernel;
		int rc = op1(0, -1, 0);
		told[which] = now_ns();
		_exit(rc != 0);
	}
	return pid;
}

/* How often it has given its processor away. */
static unsigned long naps_of(pid_t pid)
{
	char path[40], line[200];
	unsigned long naps = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &naps) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return naps;
}

static void until_it_has_looked(pid_t pid)
{
	unsigned long before = naps_of(pid);
	uint64_t end = now_ns() + 2 * EVERY_CASE_NS;
	while (naps_of(pid) == before && now_ns() < end)
		usleep(100);
}

/* ---- one try ------------------------------------------------------------------------------- */

struct times {
	uint64_t own, kernel; /* until the last one was told, in nanoseconds */
};

static void fresh_sets(int units)
{
	for (int kernel = 0; kernel < 2; kernel++) {
		world.kernel = kernel == 1;
		fresh(1);
		CHECK(set_value(0, units) == 0);
	}
}

static void start_sleepers(pid_t (*pids)[SLEEPERS_MOST], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned kernel = 0; kernel < 2; kernel++) {
			pids[kernel][i] = start_sleeper(kernel == 1, kernel * SLEEPERS_MOST + i);
			if (i == 0) /* it is the first one */
				until_asleep(pids[kernel][i]);
		}
	}
	for (unsigned i = 0; i < 2 * count; i++)
		until_asleep(pids[i % 2][i / 2]);
}

static void serve(void *count)
{
	for (int kernel = 0; kernel < 2; kernel++) {
		world.kernel = kernel == 1;
		CHECK(op1(0, *(int *)count, 0) == 0);
	}
}

/* The first sleepers of each set are served, or one is killed. */
static void without_first(const struct scenario *scenario, pid_t (*pids)[SLEEPERS_MOST])
{
	int served = (int)scenario->served;
	if (served > 0)
		CHECK(in_child(serve, &served)); /* this process has nothing of a set */
	for (int kernel = 0; scenario->loses_watcher && kernel < 2; kernel++)
		kill(pids[kernel][0], SIGKILL);
}

static struct times try(const struct scenario *scenario)
{
	pid_t holders[HOLDERS_MOST] = { 0 }, sleepers[2][SLEEPERS_MOST] = { { 0 } };
	int units = (int)scenario->sleepers;
	bool no_first = scenario->loses_watcher || scenario->served > 0;
	fresh_sets(units * (int)scenario->holders);
	holders[0] = start_holder(scenario, units);
	for (unsigned i = 1; i < scenario->holders; i++)
		holders[i] = start_holder(scenario, units);
	start_sleepers(sleepers, scenario->sleepers);
	if (scenario->is_stopped) {
		kill(holders[0], SIGSTOP);
		CHECK(waitpid(holders[0], NULL, WUNTRACED) == holders[0]);
	}
	if (no_first)
		without_first(scenario, sleepers);
	else if (!scenario->ordinary)
		until_it_has_looked(sleepers[0][0]);
	uint64_t start = now_ns(), last[2] = { start, start };
	kill(holders[0], SIGKILL); /* the oldest: others are watched first */
	for (unsigned i = 0; i < 2 * scenario->sleepers; i++) {
		unsigned which = i % 2 * SLEEPERS_MOST + i / 2;
		int status = ended(sleepers[i % 2][i / 2]);
		CHECK(status == 0 || (scenario->loses_watcher && i / 2 == 0));
		last[i % 2] = told[which] > last[i % 2] ? told[which] : last[i % 2];
	}
	CHECK(WTERMSIG(ended(holders[0])) == SIGKILL);
	for (unsigned i = 1; i < scenario->holders; i++)
		killed(holders[i]);
	munmap(world.base, WINDOW);
	return (struct times){ last[0] - start, last[1] - start };
}

/* ---- many ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Half of the tries and four in five of them are looked at. A busy machine takes away more than a
 * millisecond now and then. */
static bool is_told_in_time(const struct scenario *scenario)
{
	uint64_t own[TRIES_MOST] = { 0 }, kernel[TRIES_MOST] = { 0 };
	unsigned tries = scenario->tries, last = tries - 1;
	for (unsigned i = 0; i < tries; i++) {
		struct times times = try(scenario);
		own[i] = times.own;
		kernel[i] = times.kernel;
	}
	qsort(own, tries, sizeof own[0], compare);
	qsort(kernel, tries, sizeof kernel[0], compare);
	printf("%-28s %5u us (half), %5u (most), %5u (all); the kernel %u, %u, %u\n",
	       scenario->name, (unsigned)(own[tries / 2] / 1000),
	       (unsigned)(own[tries * 4 / 5] / 1000), (unsigned)(own[last] / 1000),
	       (unsigned)(kernel[tries / 2] / 1000), (unsigned)(kernel[tries * 4 / 5] / 1000),
	       (unsigned)(kernel[last] / 1000));
	/* 24 that are woken one by one take the kernel 2 ms, too. */
	uint64_t most = scenario->ordinary ? ORDINARY_NS : EVERY_CASE_NS;
	return own[tries / 2] < most + 2 * kernel[tries / 2] &&
	       own[tries * 4 / 5] < most + 2 * kernel[tries * 4 / 5];
}

int main(int argc, char **argv)
{
	while (argc > 1 && strcmp(argv[1], "wait") == 0)
		pause();
	int probe = semget(IPC_PRIVATE, 1, 0600);
	if (probe < 0)
		SKIP("the kernel has no semaphores here");
	semctl(probe, 0, IPC_RMID);
	told = shared_memory(2 * SLEEPERS_MOST * sizeof told[0]);
	for (unsigned i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		bool in_time = false;
		for (int round = 0; round < ROUNDS && !in_time; round++)
			in_time = is_told_in_time(&scenarios[i]);
		CHECK(in_time);
	}
	set_gone();
	return test_result();
}
