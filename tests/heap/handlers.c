/* SPDX-License-Identifier: MIT */
/*
 * handlers.c - a signal handler interrupts an operation at each instruction, and allocates, frees,
 * holds, publishes and takes.
 *
 * A child makes the operations. Its parent traces it: it lets the child make so many instructions
 * of an operation, then the child's handler runs, and the operation goes on to its end. Each time
 * it is one instruction more. An operation of more than a few hundred instructions is interrupted
 * at some of them only; which ones, depends on the time of day.
 *
 *     heap-handlers [SCENARIO]...
 */
#include "heap/heap.h"

#include "heap/guard.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>

enum { KEPT = 16, DENSE = 400 };

static mdg_heap *heap;
static struct kept {
	unsigned char *block;
	size_t size;
	uint32_t number;
} kept[KEPT];
static volatile uint32_t handled;
/* Places: of the program, and of the handler. */
static mdg_ref *place, *handlers_place;

/* ---- the child ------------------------------------------------------------------------------ */

/* Frees what is kept there, or allocates what is kept from now on. So after each handler other
 * blocks are allocated than before it. */
static void change(uint32_t at, size_t size)
{
	struct kept *here = &kept[at % KEPT];
	if (here->block != NULL) {
		CHECK(stamped(here->block, here->size, here->number));
		CHECK(mdg_free(heap, here->block) == 0);
		here->block = NULL;
		return;
	}
	*here = (struct kept){ mdg_alloc(heap, size), size, at };
	if (CHECK(here->block != NULL))
		stamp(here->block, size, at);
}

static void handler(int number)
{
	static const size_t sizes[] = { 64, 64, 5000, 64, 20000, 64, 1000, 200000 };
	uint32_t at = handled++;
	int saved = errno;
	(void)number;
	change(at, sizes[at % 8]);
	void *block = mdg_alloc(heap, 64);
	CHECK(block != NULL && mdg_free(heap, block) == 0);
	block = mdg_hold(heap, 64);
	CHECK(block != NULL && mdg_publish(heap, block, handlers_place, 0) == 0);
	CHECK(mdg_take(heap, handlers_place) == block && mdg_free(heap, block) == 0);
	CHECK(errno == saved);
}

static void *blocks[100000];
static int count;

static void alloc_one(void)
{
	blocks[count] = mdg_alloc(heap, 64);
	CHECK(blocks[count] != NULL);
	count++;
}

static void free_one(void)
{
	CHECK(mdg_free(heap, blocks[--count]) == 0);
}

static void alloc_medium(void)
{
	blocks[count] = mdg_alloc(heap, 30000);
	CHECK(blocks[count++] != NULL);
}

static void alloc_span(void)
{
	blocks[count] = mdg_alloc(heap, 300000);
	CHECK(blocks[count++] != NULL);
}

static void hold_one(void)
{
	blocks[count] = mdg_hold(heap, 64);
	CHECK(blocks[count++] != NULL);
}

static void publish_one(void)
{
	CHECK(mdg_publish(heap, blocks[count - 1], place, 0) == 0);
}

static void take_one(void)
{
	CHECK(mdg_take(heap, place) == blocks[count - 1]);
}

static void hold_and_publish(void)
{
	hold_one();
	publish_one();
}

static void empty_place(void)
{
	take_one();
	free_one();
}

/* Fills the slabs up to the last block, so that the next one needs another slab. */
static void fill_slab(void)
{
	const uint32_t class = mdg__heap_class_of(mdg__guarded(mdg__heap_of(heap), 64));
	alloc_one();
	struct mdg__heap_cache *cache = &mdg__heap_thread.first->cache[class];
	while (cache->unit1 == 0 || cache->partial != 0 ||
	       mdg__slab_count_free(mdg__heap_of(heap), cache->unit1 - 1, class) != 0)
		alloc_one();
}

/* A block of which another process has the slab. */
static void make_foreign(void)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		void *block = mdg_alloc(heap, 64);
		(void)!write(ends[1], &block, sizeof block);
		kill(getpid(), SIGKILL);
	}
	CHECK(read(ends[0], &blocks[count], sizeof blocks[0]) == sizeof blocks[0]);
	close(ends[0]);
	close(ends[1]);
	waitpid(pid, NULL, 0);
	count++;
}

static void free_all(void)
{
	while (count > 0)
		free_one();
}

static void nothing(void)
{
}

static const struct scenario {
	const char *name;
	void (*before)(void), (*operation)(void), (*after)(void);
} scenarios[] = {
	{ "allocate", nothing, alloc_one, free_all },
	{ "free", alloc_one, free_one, nothing },
	{ "another slab", fill_slab, alloc_one, free_all },
	{ "a block of a dead process", make_foreign, free_one, nothing },
	{ "allocate a medium one", nothing, alloc_medium, free_all },
	{ "free a medium one", alloc_medium, free_one, nothing },
	{ "allocate a span", nothing, alloc_span, free_all },
	{ "free a span", alloc_span, free_one, nothing },
	{ "hold", nothing, hold_one, free_all },
	{ "publish", hold_one, publish_one, empty_place },
	{ "take", hold_and_publish, take_one, free_all },
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* The compiler takes it that no handler runs in these calls of the C library. */
static void send_self(int signal)
{
	__asm__ volatile("" ::: "memory");
	syscall(SYS_kill, getpid(), signal);
	__asm__ volatile("" ::: "memory");
}

/* Stops before and after each operation. The stop before is a system call that the parent leaves by
 * single steps. */
static void child(void *argument)
{
	const struct scenario *scenario = argument;
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_NODEFER };
	sigaction(SIGUSR1, &action, NULL);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	for (;;) {
		scenario->before();
		send_self(SIGSTOP);
		scenario->operation();
		send_self(SIGCONT); /* it has ended */
		send_self(SIGSTOP);
		scenario->after();
		for (int i = 0; i < KEPT; i++)
			if (kept[i].block != NULL)
				CHECK(stamped(kept[i].block, kept[i].size, kept[i].number));
		if (check_failures != 0)
			_exit(1);
	}
}

/* ---- the parent ----------------------------------------------------------------------------- */

/* Until the child has stopped itself. */
static bool goes_to_stop(pid_t pid, int signal)
{
	int status = 0;
	for (;;) {
		if (ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal) != 0 ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return false;
		signal = WSTOPSIG(status) == SIGCONT || WSTOPSIG(status) == SIGTRAP
		                 ? 0
		                 : WSTOPSIG(status);
		if (signal == SIGSTOP)
			return true;
	}
}

/* So many instructions. 1: the operation ended before; 0: it did not; -1: the child has died. */
static int steps(pid_t pid, unsigned many)
{
	int status = 0;
	for (unsigned i = 0; i < many; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return -1;
		if (WSTOPSIG(status) == SIGCONT)
			return 1;
		if (WSTOPSIG(status) != SIGTRAP)
			return -1;
	}
	return 0;
}

static void play(const struct scenario *scenario)
{
	unsigned at = 0, played = 0;
	bool well = true, ended = false;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		child((void *)(uintptr_t)scenario);
	}
	int status = 0;
	well = waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
	if (well && WSTOPSIG(status) != SIGSTOP) /* a child of it has ended */
		well = goes_to_stop(pid, 0);
	while (well && !ended) {
		int rc = steps(pid, at);
		ended = rc == 1;
		well = rc >= 0 && (ended ? goes_to_stop(pid, 0) : goes_to_stop(pid, SIGUSR1));
		well = well && goes_to_stop(pid, 0); /* to the next operation */
		at += at < DENSE ? 1 : 1 + at / 16 + (unsigned)(time(NULL) / 60) % 7;
		played++;
	}
	if (!CHECK(well))
		fprintf(stderr, "%s: after %u instructions\n", scenario->name, at);
	CHECK(played > 20);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) > 0 && !WIFSIGNALED(status) && !WIFEXITED(status))
		;
	printf("%s: %u instructions, interrupted %u times\n", scenario->name, at, played - 1);
}

static bool can_trace(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
	int status = -1;
	waitpid(pid, &status, 0);
	return status == 0;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
#if defined(__SANITIZE_THREAD__)
	SKIP("ThreadSanitizer puts signals off");
#endif
	if (!can_trace())
		SKIP("no process can be traced here");
	enter_namespace();
	heap = heap_open("handlers", NULL);
	place = mdg_alloc_zeroed(heap, 2, sizeof *place);
	if (!CHECK(place != NULL))
		return test_result();
	handlers_place = place + 1;
	for (int i = 0; i < SCENARIOS; i++) {
		if (!is_wanted(scenarios[i].name, argc, argv))
			continue;
		play(&scenarios[i]);
		CHECK(mdg_heap_sweep(heap) >= 1);
		CHECK(look(heap).wrong == 0);
	}
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "handlers") == 0);
	mdg_namespace_close(ns);
	return test_result();
}
