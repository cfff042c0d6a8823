/* SPDX-License-Identifier: MIT */
/*
 * checked_crowd.c - a checked heap with many users at once, and with a map: nothing is found where
 * nothing is wrong, what one of them does wrong is found; and a heap of random bytes harms nobody.
 */
#include "heap/heap.h"

#include <madang/map.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static mdg_heap *heap;

#if defined(__SANITIZE_THREAD__) /* it does not see what passes through another process */
enum { PROCESSES = 0 };
#else
enum { PROCESSES = 2 };
#endif
enum { THREADS = 3, PLACES = 64 };
static const int64_t run_ns = 1500000000;

static int say(const struct mdg_heap_finding *finding, void *context)
{
	(void)context;
	if (finding->kind == MDG_HEAP_FOUND_DEAD || finding->kind == MDG_HEAP_FOUND_LOCK)
		return 0;
	fprintf(stderr, "found: %s\n", finding->text);
	return CHECK(finding->text[0] == '\0');
}

static size_t some_size(uint64_t *random)
{
	uint32_t kind = next_random(random) % 100;
	return 1 + next_random(random) % (kind < 80 ? 300 : kind < 97 ? 9000 : 300000);
}

/* ---- maps, and other heaps ----------------------------------------------------------------- */

static void map(void)
{
	mdg_map *map;
	struct mdg_map_options options = { .size = sizeof options };
	CHECK(mdg_map_open(&map, heap, "map", &options) == 0);
	for (uint32_t i = 0; i < 3000; i++)
		CHECK(mdg_map_put(map, &i, sizeof i, &i, sizeof i, NULL) >= 0);
	for (uint32_t i = 0; i < 3000; i += 2)
		CHECK(mdg_map_remove(map, &i, sizeof i) >= 0);
	CHECK(mdg_heap_check(heap, 0, say, NULL) == 0);
	mdg_map_close(map);
}

static void kinds(void)
{
	struct mdg_heap_options options = { .size = sizeof options };
	struct mdg_heap_info info = { .size = sizeof info };
	mdg_heap *other;
	CHECK(mdg_heap_stat(heap, &info) == 0 &&
	      info.flags == (MDG_HEAP_LABELS | MDG_HEAP_CHECKED));
	CHECK(mdg_heap_open(&other, ns, "crowd", &options) == 0 && other == heap);
	mdg_heap_close(other);
	options.flags = MDG_HEAP_LABELS;
	other = heap_open("unlike", &options);
	options.flags = MDG_HEAP_CHECKED;
	mdg_heap *wrong;
	CHECK(mdg_heap_open(&wrong, ns, "unlike", &options) == MDG_UNLIKE_FLAGS);
	mdg_heap_close(other);
	CHECK(mdg_heap_remove(ns, "unlike") == 0);
}

/* ---- at work --------------------------------------------------------------------------------- */

static mdg_ref *place;

/* A block that this thread has: other sizes, other contents. */
static void *play(void *block, uint64_t *random)
{
	size_t size = some_size(random);
	void *other = mdg_realloc(heap, block, size);
	if (other == NULL)
		return block;
	memset(other, (int)(size % 200), size);
	return other;
}

static void work(uint64_t seed, uint64_t until)
{
	uint64_t random = seed;
	void *mine[8] = { NULL };
	while (mdg_deadline(0) < until) {
		for (int i = 0; i < 50; i++) {
			void **one = &mine[next_random(&random) % 8];
			if (next_random(&random) % 3 == 0) {
				CHECK(mdg_free(heap, *one) == 0);
				*one = NULL;
			} else {
				*one = play(*one, &random);
			}
			mdg_ref *shared = &place[next_random(&random) % PLACES];
			void *block = mdg_take(heap, shared);
			if (block != NULL && next_random(&random) % 2 == 0) {
				CHECK(mdg_retire(heap, block) == 0);
			} else if (block != NULL) {
				CHECK(mdg_free(heap, block) == 0);
			} else if ((block = mdg_hold(heap, some_size(&random))) != NULL) {
				memset(block, 7, mdg_usable_size(heap, block));
				if (mdg_publish(heap, block, shared, 0) != 0)
					CHECK(mdg_free(heap, block) == 0);
			}
		}
	}
	for (int i = 0; i < 8; i++)
		CHECK(mdg_free(heap, mine[i]) == 0);
}

static uint64_t until;

static void *thread_works(void *argument)
{
	work((uint64_t)(uintptr_t)argument, until);
	return NULL;
}

/* A process is killed now and then, and another one goes on. */
static pid_t process_works(uint64_t seed)
{
	pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		work(seed, UINT64_MAX);
		_exit(test_result());
	}
	return child;
}

static void replace(pid_t *one, uint64_t seed)
{
	int status;
	(void)kill(*one, SIGKILL);
	CHECK(waitpid(*one, &status, 0) == *one && WIFSIGNALED(status));
	*one = process_works(seed);
}

static void crowd(void)
{
	pthread_t thread[THREADS];
	pid_t child[PROCESSES + 1];
	int status, checks = 0;
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 64 << 20,
		                            .flags = MDG_HEAP_CHECKED };
	heap = heap_open("crowd", &options);
	place = mdg_alloc_zeroed(heap, PLACES, sizeof *place);
	until = mdg_deadline((uint64_t)run_ns);
	for (int i = 0; i < PROCESSES; i++)
		child[i] = process_works(100 + (uint64_t)i);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, thread_works, (void *)(i + 1)) == 0);
	for (uint64_t i = 0; mdg_deadline(0) < until || checks < 3; i++) {
		(void)mdg_heap_check(heap, i % 4 == 3 ? MDG_CHECK_REPAIR : 0, say, NULL);
		checks++;
		for (int k = 0; k < PROCESSES; k++)
			if (k == (int)(i % 2))
				replace(&child[k], 200 + i);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		(void)kill(child[i], SIGKILL);
		CHECK(waitpid(child[i], &status, 0) == child[i]);
	}
	for (int i = 0; i < 10 && mdg_heap_sweep(heap) != 0; i++)
		;
	CHECK(mdg_heap_check(heap, 0, say, NULL) == 0);
	map();
	kinds();
	/* What is wrong is found among all that. */
	char *block = mdg_alloc(heap, 40);
	block[40] = 1;
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 1);
	CHECK(mdg_heap_check(heap, MDG_CHECK_REPAIR, NULL, NULL) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "crowd") == 0);
}

/* ---- random bytes ---------------------------------------------------------------------------- */

static void check_inside(const void *block, size_t size)
{
	CHECK(block == NULL ||
	      (mdg_ref_of(heap, block) != 0 && heap->extent - mdg_ref_of(heap, block) >= size));
}

/* Anywhere in the blocks, and behind them. */
static void scribble(struct mdg__heap *in, uint64_t *random)
{
	uint64_t bytes = mdg__units_high(in) << MDG__UNIT_SHIFT;
	for (int i = 0; i < 200; i++) {
		uint64_t at = ((uint64_t)next_random(random) << 20 ^ next_random(random)) % bytes;
		in->data[at] = (unsigned char)next_random(random);
	}
	uint64_t unit = next_random(random) % mdg__units_high(in);
	if (next_random(random) % 4 == 0)
		MDG__STORE(mdg__free_words(in, unit)[0], (uint64_t)next_random(random) << 20);
	if (next_random(random) % 16 == 0)
		MDG__STORE(in->heads[unit],
		           next_random(random) % 8 | (uint64_t)next_random(random) % 9 << 32);
}

static int all_wrong(uint64_t seed)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 8 << 20,
		                            .flags = MDG_HEAP_CHECKED };
	char name[16];
	snprintf(name, sizeof name, "wrong%u", (unsigned)seed);
	heap = heap_open(name, &options);
	check_failures = 0;
	uint64_t random = seed;
	void *mine[100] = { NULL };
	for (int round = 0; round < 150; round++) {
		for (int i = 0; i < 100; i++) {
			void **one = &mine[next_random(&random) % 100];
			size_t size = some_size(&random);
			if (*one == NULL) {
				*one = next_random(&random) % 4 == 0 ? mdg_hold(heap, size)
				                                     : mdg_alloc(heap, size);
				check_inside(*one, size);
			} else if (next_random(&random) % 2 == 0) {
				(void)mdg_free(heap, *one);
				*one = NULL;
			} else {
				void *other = mdg_realloc(heap, *one, size);
				check_inside(other, size);
				*one = other;
			}
			(void)mdg_usable_size(heap, *one);
		}
		scribble(mdg__heap_of(heap), &random);
		if (round % 50 == 0)
			(void)mdg_heap_check(heap, round == 50 ? MDG_CHECK_REPAIR : 0, NULL, NULL);
		if (round % 50 == 0)
			(void)mdg_heap_trim(heap, 0);
	}
	return test_result();
}

int main(void)
{
	enter_namespace();
	crowd();
	for (uint64_t seed = 1; seed <= 3; seed++) {
		int status;
		pid_t child = fork();
		if (child == 0)
			_exit(all_wrong(seed));
		if (!CHECK(waitpid(child, &status, 0) == child && status == 0))
			fprintf(stderr, "seed %u: %x\n", (unsigned)seed, (unsigned)status);
	}
	mdg_namespace_close(ns);
	return test_result();
}
