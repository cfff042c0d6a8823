/* SPDX-License-Identifier: MIT */
/*
 * wild.c - those who look at a heap of random bytes, and mend it: they end, and harm nobody.
 */
#include "heap/heap.h"

#include <sys/wait.h>
#include <unistd.h>

static mdg_heap *heap;
static struct mdg__heap *in;

static void fill(void)
{
	mdg_ref *root;
	CHECK(mdg_alloc(heap, 48) != NULL && mdg_alloc(heap, 20000) != NULL);
	CHECK(mdg_alloc(heap, 300000) != NULL && mdg_hold(heap, 100) != NULL);
	CHECK(mdg_root(heap, "root", 1, 1, &root, 0) == MDG_ROOT_NEW);
	CHECK(mdg_publish(heap, mdg_hold(heap, 1000), root, 0) == 0);
}

/* A word of the tables that have memory. The lock is spared: who waits for it waits long. */
static _Atomic uint64_t *any_word(uint64_t *random)
{
	uint64_t high = mdg__units_high(in), n = next_random(random);
	uint64_t unit = next_random(random) % (high != 0 ? high : 1);
	switch (n % 8) {
	case 0:
		return &in->head->limit + n / 8 % 2;
	case 1:
		return &in->head->high + n / 8 % 8;
	case 2:
		return (_Atomic uint64_t *)&in->root[n / 8 % MDG_ROOTS_MOST] +
		       next_random(random) % 16;
	case 3:
		return &in->slot[n / 8 % 8].hands[0].ref + next_random(random) % 36;
	case 4:
		return &in->bits[n / 8 % MDG__BITS_ALL][unit / 64];
	case 5:
		return &mdg__free_words(in, unit)[n / 8 % 64];
	case 6:
		return &mdg__remote_words(in, unit)[n / 8 % 64];
	default:
		return &in->heads[unit];
	}
}

static uint64_t any_value(uint64_t *random)
{
	uint64_t value = (uint64_t)next_random(random) << 33 ^ (uint64_t)next_random(random) << 8 ^
	                 next_random(random);
	switch (next_random(random) % 4) {
	case 0:
		return value & 0xff;
	case 1:
		return value & 0x1f00000003;
	case 2:
		return value & 0x7fffff0;
	default:
		return value;
	}
}

/* In a child, on a heap of its own: it ends, and finds something in the end. */
static int scribble(uint64_t seed)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 16 << 20,
		                            .flags = MDG_HEAP_LABELS };
	char name[16];
	snprintf(name, sizeof name, "wild%u", (unsigned)seed);
	in = mdg__heap_of(heap = heap_open(name, &options));
	fill();
	check_failures = 0;
	struct mdg_heap_info info = { .size = sizeof info };
	struct mdg_block_info block = { .size = sizeof block };
	struct mdg_heap_user_info user = { .size = sizeof user };
	uint64_t random = seed;
	for (int round = 0; round < 60; round++) {
		uint64_t cursor = 0, blocks = 0;
		uint32_t users = 0, count = 0;
		for (int i = 0; i < 4; i++)
			atomic_store(any_word(&random), any_value(&random));
		CHECK(mdg_heap_stat(heap, &info) == 0);
		while (mdg_heap_next(heap, &cursor, &block) == 1 && blocks <= 16 * 65536)
			blocks++;
		while (mdg_heap_next_user(heap, &users, &user) == 1 && count <= in->slots)
			count++;
		CHECK(blocks <= 16 * 65536 && count <= in->slots);
		(void)mdg_heap_check(heap, round % 3 == 0 ? MDG_CHECK_REPAIR : 0, NULL, NULL);
	}
	return test_result();
}

int main(void)
{
	enter_namespace();
	for (uint64_t seed = 1; seed <= 12; seed++) {
		int status;
		pid_t child = fork();
		if (child == 0)
			_exit(scribble(seed));
		if (!CHECK(waitpid(child, &status, 0) == child && status == 0))
			fprintf(stderr, "seed %u: %x\n", (unsigned)seed, (unsigned)status);
	}
	return test_result();
}
