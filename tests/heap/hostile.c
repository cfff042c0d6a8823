/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - those who use a heap into whose tables somebody writes random bytes: no call crashes
 * or goes on for ever, and what it returns lies in the heap.
 *
 * With each seed the bytes are written between two calls, and with half of them also by another
 * process, at any moment of a call. That finds a word that is looked at and then read again.
 *
 *     heap-hostile [SEEDS [FIRST]]     more of them, by hand
 */
#include "heap/heap.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static mdg_heap *heap;
static struct mdg__heap *in;
static uint64_t random_state;

static uint32_t some(uint32_t below)
{
	return next_random(&random_state) % below;
}

enum { MINE = 64, PLACES = 16 };
static void **mine; /* in memory that is shared */
static mdg_ref *place;

/* ---- random bytes ---------------------------------------------------------------------------- */

/* Where a block is that the test has had. */
static uint64_t unit_of_mine(void)
{
	mdg_ref ref = mdg_ref_of(heap, mine[some(MINE)]);
	uint64_t unit = (ref - in->parts.data) >> MDG__UNIT_SHIFT;
	return ref != 0 && unit < mdg__units_high(in) ? unit : 0;
}

/* A word of the tables that have memory. The lock is spared: who waits for it waits long. So are
 * the words of slots that the kernel follows. */
static _Atomic uint64_t *any_word(void)
{
	uint64_t high = mdg__units_high(in),
		 unit = some(2) != 0 ? unit_of_mine() : some(high != 0 ? (uint32_t)high : 1);
	switch (some(11)) {
	case 0:
		return &in->head->limit + some(2);
	case 1:
		return &in->head->high + some(8);
	case 2:
		return (_Atomic uint64_t *)&in->root[some(4)] + some(16);
	case 3:
		return &in->slot[some(8)].hands[0].ref + some(36);
	case 4:
		return &in->slot[some(8)].epoch + some(5);
	case 5:
		return &in->bits[some(MDG__BITS_ALL)][unit / 64];
	case 6:
		return &mdg__free_words(in, unit)[some(64)];
	case 7:
		return &mdg__remote_words(in, unit)[some(64)];
	case 8:
		return &in->hints[unit];
	case 9:
		if (mdg__is_labelled(in, unit))
			return &in->labels[unit * MDG__LABELS_OF_UNIT + some(512)];
		/* fallthrough */
	default:
		return &in->heads[unit];
	}
}

static uint64_t any_value(void)
{
	uint64_t value = (uint64_t)next_random(&random_state) << 33 ^
	                 (uint64_t)next_random(&random_state) << 8 ^ next_random(&random_state);
	switch (some(6)) {
	case 0:
		return value & 0xff;
	case 1: /* a word of units */
		return MDG__HEAD(some(5), some(64), some(9), some(32));
	case 2:
		return MDG__HEAD(some(5), some(64), some(9), value >> 40);
	case 3:
		return value & 0x7fffff0; /* a reference */
	case 4:
		return 0;
	default:
		return value;
	}
}

/* ---- at work --------------------------------------------------------------------------------- */

static size_t some_size(void)
{
	uint32_t kind = some(100);
	return some(kind < 70 ? 300 : kind < 90 ? 9000 : kind < 98 ? 140000 : 2000000);
}

static void *inside(void *block, size_t size, int line)
{
	uint64_t ref = mdg_ref_of(heap, block);
	if (!CHECK(block == NULL || (ref != 0 && heap->extent - ref >= size)))
		fprintf(stderr, "line %d: %llx of %llx, %zu bytes\n", line, (unsigned long long)ref,
		        (unsigned long long)heap->extent, size);
	return block;
}
#define INSIDE(block, size) inside(block, size, __LINE__)

static void one_block(void)
{
	void **one = &mine[some(MINE)];
	size_t size = some_size();
	switch (some(8)) {
	case 0:
	case 1:
		*one = INSIDE(mdg_alloc(heap, size), size);
		break;
	case 2:
		*one = INSIDE(mdg_alloc_zeroed(heap, 1, size), size);
		break;
	case 3:
		*one = INSIDE(mdg_alloc_aligned(heap, 256, size), size);
		break;
	case 4:
		*one = INSIDE(mdg_realloc(heap, *one, size), size);
		break;
	case 5:
		(void)INSIDE(*one, mdg_usable_size(heap, *one));
		break;
	default:
		(void)mdg_free(heap, *one);
		break;
	}
}

static void one_held(void)
{
	void **one = &mine[some(MINE)], *old = NULL;
	mdg_ref *at = &place[some(PLACES)];
	size_t size = some_size();
	switch (some(8)) {
	case 0:
	case 1:
		*one = INSIDE(mdg_hold(heap, size), size);
		break;
	case 2:
		*one = INSIDE(mdg_take(heap, at), 0);
		break;
	case 3:
		(void)mdg_publish(heap, *one, at, *at);
		break;
	case 4:
		(void)mdg_swap(heap, *one, at, &old);
		(void)INSIDE(old, 0);
		break;
	case 5:
		(void)mdg_keep(heap, *one);
		break;
	case 6:
		(void)mdg_retire(heap, *one);
		break;
	default:
		*at = some(2) != 0 ? any_value() : 0;
		break;
	}
}

static void one_care(void)
{
	mdg_ref *root;
	char name[2] = { (char)('a' + some(5)), '\0' };
	switch (some(7)) {
	case 0:
		if (mdg_root(heap, name, 1, 1, &root, 0) >= 0)
			(void)mdg_publish(heap, mine[some(MINE)], root, *root);
		break;
	case 1:
		(void)mdg_root_remove(heap, name);
		break;
	case 2:
		(void)mdg_read_begin(heap);
		break;
	case 3:
		(void)mdg_read_end(heap);
		break;
	case 4:
		(void)mdg_heap_sweep(heap);
		break;
	case 5:
		(void)mdg_heap_trim(heap, some(1 << 23));
		break;
	default:
		(void)mdg_heap_limit(heap, 16 << 20);
		break;
	}
}

/* Something for the sweeper. */
static void one_death(void)
{
	pid_t child = fork();
	if (child == 0) {
		(void)mdg_alloc(heap, 100);
		(void)mdg_hold(heap, some_size());
		(void)mdg_publish(heap, mdg_hold(heap, 64), &place[some(PLACES)], 0);
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The last unit says that a medium slab of this thread begins there. Its blocks would end behind
 * the heap, so there are none. The thread itself knows it as a slab that has no free block, so it
 * asks the word of the unit. */
static int end_of_heap(uint64_t unused)
{
	const struct mdg_heap_options options = { .size = sizeof options, .maximum = 1 << 20 };
	const uint32_t class = mdg__heap_class_of(100000);
	void *block, *last = NULL;
	(void)unused;
	in = mdg__heap_of(heap = heap_open("end", &options));
	while ((block = mdg_alloc(heap, 100)) != NULL)
		last = block > last ? block : last;
	uint64_t unit = (mdg_ref_of(heap, last) - in->parts.data) >> MDG__UNIT_SHIFT;
	CHECK(unit == in->capacity - 1);
	uint32_t owner = MDG__HEAD_OWNER(MDG__LOAD(in->heads[unit]));
	MDG__STORE(in->heads[unit], MDG__HEAD(MDG__UNIT_SLAB, class, owner, MDG__MEDIUM_UNITS));
	MDG__STORE(mdg__free_words(in, unit)[0], 0);
	CHECK(mdg_free(heap, mdg__unit_at(in, unit)) == -EINVAL);
	CHECK(mdg_usable_size(heap, mdg__unit_at(in, unit)) == 0);
	CHECK(mdg_alloc(heap, 100000) == NULL);
	return test_result();
}

/* The word of a unit says another class than its slab has, and its owner frees a block there. The
 * slab must not come into the lists of that class, nor others through it: here that of the last
 * unit, where a medium block would end behind the heap. */
static int another_class(uint64_t unused)
{
	const struct mdg_heap_options options = { .size = sizeof options, .maximum = 4 << 20 };
	const uint32_t class = mdg__heap_class_of(70000);
	void *block, *end = NULL;
	(void)unused;
	in = mdg__heap_of(heap = heap_open("class", &options));
	while ((block = mdg_alloc(heap, 8192)) != NULL)
		end = block > end ? block : end;
	uint64_t last = in->capacity - 1, wrong = last - 20;
	CHECK((unsigned char *)end > mdg__unit_at(in, last));
	/* So that it comes in front of the last one in the list of full slabs. */
	CHECK(mdg_free(heap, mdg__unit_at(in, wrong)) == 0);
	CHECK(mdg_alloc(heap, 8192) == mdg__unit_at(in, wrong));
	CHECK(mdg_alloc(heap, 8192) == NULL);
	uint32_t owner = MDG__HEAD_OWNER(MDG__LOAD(in->heads[wrong]));
	MDG__STORE(in->heads[wrong], MDG__HEAD(MDG__UNIT_SLAB, class, owner, MDG__MEDIUM_UNITS));
	CHECK(mdg_free(heap, mdg__unit_at(in, wrong)) == MDG_BROKEN);
	/* As if another thread had freed a block of the last unit. */
	MDG__STORE(mdg__remote_words(in, last)[0], 1);
	MDG__STORE(in->hints[last], 1);
	for (int i = 0; i < 20; i++)
		INSIDE(mdg_alloc(heap, 70000), 70000);
	return test_result();
}

static const struct mdg__heap_own *kept_by_other;

static void *close_and_open(void *block)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .flags = MDG_HEAP_EXISTING };
	mdg_heap *again = NULL;
	CHECK(mdg_free(heap, block) == 0 && mdg_alloc(heap, 100) != NULL);
	CHECK(mdg__heap_thread.first != kept_by_other);
	mdg_heap_close(heap);
	CHECK(mdg_heap_open(&again, ns, "slot", &options) == 0 && again == heap);
	return NULL;
}

/* The slots say that their threads are dead, or that they have ended long ago. What such a thread
 * keeps to itself stays its own, and the heap stays attached as long as it lives. */
static int dead_by_slot(uint64_t generation)
{
	const struct mdg_heap_options options = { .size = sizeof options, .maximum = 4 << 20 };
	in = mdg__heap_of(heap = heap_open("slot", &options));
	for (int round = 0; round < 3; round++) {
		pthread_t other;
		void *block = mdg_alloc(heap, 100), *kept = mdg_alloc(heap, 100);
		CHECK(block != NULL && kept != NULL);
		kept_by_other = mdg__heap_thread.first;
		struct mdg__heap_slot *slot = kept_by_other->slot;
		if (generation != 0)
			atomic_fetch_add(&slot->generation, 1);
		else
			atomic_store(&slot->life.word, MDG__DIED);
		CHECK(pthread_create(&other, NULL, close_and_open, block) == 0);
		CHECK(pthread_join(other, NULL) == 0);
		CHECK(mdg_free(heap, kept) == 0 && mdg_alloc(heap, 5000) != NULL);
	}
	return test_result();
}

/* Another process, until it is killed. A word is wrong and right again many times. So one that is
 * read twice in a call is different at the second time, and the heap stays in use. */
static pid_t start_writing(uint64_t seed)
{
	pid_t writer = fork();
	if (writer != 0)
		return writer;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	random_state = ~seed;
	for (;;) {
		_Atomic uint64_t *word = any_word();
		uint64_t before = MDG__LOAD(*word), value = any_value();
		for (uint32_t times = some(2000); times > 0; times--) {
			atomic_store(word, value);
			atomic_store(word, before);
		}
		if (some(64) == 0)
			atomic_store(word, value);
		if (some(4) == 0)
			usleep(some(200));
	}
}

static void stop_writing(pid_t writer)
{
	int status;
	(void)kill(writer, SIGKILL);
	CHECK(waitpid(writer, &status, 0) == writer && WIFSIGNALED(status));
	CHECK(WTERMSIG(status) == SIGKILL);
}

/* In a child, on a heap of its own. `meanwhile`: another process writes. */
static int use(uint64_t seed, bool meanwhile)
{
	static const uint32_t flags[] = { 0, MDG_HEAP_LABELS, MDG_HEAP_CHECKED };
	struct mdg_heap_options options = {
		.size = sizeof options, .maximum = 16 << 20, .threads = 8, .flags = flags[seed % 3]
	};
	char name[24];
	snprintf(name, sizeof name, "hostile%u-%d", (unsigned)seed, meanwhile);
	in = mdg__heap_of(heap = heap_open(name, &options));
	place = mdg_alloc_zeroed(heap, PLACES, sizeof *place);
	memset(mine, 0, MINE * sizeof *mine);
	check_failures = 0;
	random_state = seed;
	alarm(100); /* a loop */
	const uint32_t scale = meanwhile ? 20 : 1;
	pid_t writer = meanwhile ? start_writing(seed) : 0;
	for (uint32_t round = 0; round < 400 * scale; round++) {
		for (int i = 0; i < 60; i++)
			one_block();
		for (int i = 0; i < 20; i++)
			one_held();
		for (int i = 0; i < 3; i++)
			one_care();
		if (some(40 * scale) == 0)
			one_death();
		if (round >= 20 && !meanwhile)
			atomic_store(any_word(), any_value());
		if ((round + 1) % (100 * scale) == 0) /* it looks twice, and sleeps in between */
			(void)mdg_heap_check(heap, some(3) != 0 ? MDG_CHECK_REPAIR : 0, NULL, NULL);
	}
	if (meanwhile)
		stop_writing(writer);
	mdg_heap_close(heap);
	(void)mdg_heap_remove(ns, name);
	return test_result();
}

static int use_between(uint64_t seed)
{
	return use(seed, false);
}

static int use_meanwhile(uint64_t seed)
{
	return use(seed, true);
}

static void in_a_child(int (*work)(uint64_t), uint64_t seed)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		_exit(work(seed));
	}
	if (!CHECK(waitpid(child, &status, 0) == child && status == 0))
		fprintf(stderr, "seed %u%s: %x\n", (unsigned)seed,
		        work == use_meanwhile ? " meanwhile" : "", (unsigned)status);
}

int main(int argc, char **argv)
{
	uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 6;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	enter_namespace();
	mine = mmap(NULL, MINE * sizeof *mine, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	            -1, 0);
	if (!CHECK(mine != MAP_FAILED))
		return test_result();
	in_a_child(end_of_heap, 0);
	in_a_child(another_class, 0);
	in_a_child(dead_by_slot, 0);
	in_a_child(dead_by_slot, 1);
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		in_a_child(use_between, seed);
		if (seed - first < (seeds + 1) / 2)
			in_a_child(use_meanwhile, seed);
	}
	return test_result();
}
