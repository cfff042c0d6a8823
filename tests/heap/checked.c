/* SPDX-License-Identifier: MIT */
/*
 * checked.c - a checked heap: each kind of damage is found, named and mended; and what is whole is
 * never found.
 */
#include "heap/checked.h"

static const size_t sizes[] = { 0,    1,     15,     16,     48,     100,    112,    1000,
	                        8000, 20000, 100000, 131056, 131060, 200000, 3 << 20 };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* ---- behind the end -------------------------------------------------------------------------- */

static void each_size(void)
{
	for (int i = 0; i < SIZES; i++) {
		unsigned char *block = mdg_alloc(heap, sizes[i]);
		CHECK(block != NULL && mdg_usable_size(heap, block) == sizes[i]);
		memset(block, 0, sizes[i]);
		CHECK_CLEAN();
		CHECK(mdg_free(heap, block) == 0);
		CHECK(mdg_free(heap, block) == MDG_FREED_TWICE);
		CHECK(mdg_usable_size(heap, block) == 0);
		if (sizes[i] < 2 << 20)
			CHECK(is_filled(block, sizes[i]));
		CHECK_CLEAN();
	}
}

/* One byte, found by who frees it; and it does not come back. */
static void overrun_at_free(void)
{
	for (int i = 0; i < SIZES; i++) {
		unsigned char *block = mdg_alloc(heap, sizes[i]);
		memset(block, 1, sizes[i] + 1);
		CHECK(mdg_free(heap, block) == MDG_OVERRUN);
		CHECK(mdg_free(heap, block) == MDG_OVERRUN && mdg_usable_size(heap, block) == 0);
		CHECK(block[sizes[i]] == 1);
		CHECK_FINDS(block, OVERRUN, "behind its end; it is set aside");
		CHECK_MENDS();
		CHECK(mdg_free(heap, block) == MDG_FREED_TWICE);
	}
}

static void overrun_by(size_t size, int by, unsigned char with)
{
	char words[40];
	unsigned char *block = mdg_alloc(heap, size);
	snprintf(words, sizeof words, "of %zu bytes, of process %d, tag 9", size, (int)getpid());
	memset(block + size, with, (size_t)by);
	CHECK_FINDS(block, OVERRUN, words);
	CHECK(mdg_realloc(heap, block, size + 1) == NULL && mdg_heap_why(heap) == MDG_OVERRUN);
	CHECK_MENDS();
	CHECK(mdg_usable_size(heap, block) == size && mdg_free(heap, block) == 0);
}

/* Found by the check, mended, and freed as any other. */
static void overrun_found(void)
{
	(void)mdg_alloc_tag(heap, 9);
	for (int i = 0; i < SIZES; i++)
		for (int with = 0; with < 255; with += 254)
			for (int by = 1; by <= 8; by += 7)
				overrun_by(sizes[i], by, (unsigned char)with);
	/* All that lies between the blocks of a slab, and the beginning of the next one. */
	unsigned char *two[2] = { mdg_alloc(heap, 900), mdg_alloc(heap, 900) };
	CHECK(two[1] == two[0] + 1024);
	memset(two[0] + 900, 0, 124);
	CHECK_FINDS(two[0], OVERRUN, "its size is lost");
	CHECK(mdg_usable_size(heap, two[0]) == 0);
	CHECK_MENDS();
	CHECK(mdg_usable_size(heap, two[0]) == 1024 - 16);
	/* In front of a block. */
	unsigned char *second = two[1];
	*(second - 1) ^= 1;
	CHECK_FINDS(two[0], OVERRUN, "its size is lost");
	CHECK(mdg_free(heap, two[1]) == 0 && mdg_free(heap, two[0]) == MDG_OVERRUN);
	CHECK_FINDS(two[0], OVERRUN, "it is set aside");
	CHECK_MENDS();
	CHECK_LIVE(heap, 0);
}

/* ---- after the end of its life --------------------------------------------------------------- */

/* It is not given out, whoever asks. */
static void written_after_free(size_t size, size_t at)
{
	enum { MANY = 400 };
	static void *got[MANY];
	unsigned char *block = mdg_alloc(heap, size);
	CHECK(mdg_free(heap, block) == 0);
	block[at] ^= 1;
	CHECK_FINDS(block, AFTER_FREE, "was written to while it was free");
	int many = size > 10000 ? 30 : MANY;
	for (int i = 0; i < many; i++) {
		got[i] = mdg_alloc(heap, size);
		CHECK(got[i] != NULL && got[i] != block);
	}
	for (int i = 0; i < many; i++)
		CHECK(mdg_free(heap, got[i]) == 0);
	CHECK(mdg_heap_trim(heap, UINT64_MAX) == 0);
	CHECK_FINDS(block, AFTER_FREE, "it is set aside");
	CHECK(mdg_free(heap, block) == MDG_FREED_TWICE && mdg_usable_size(heap, block) == 0);
	CHECK_LIVE(heap, 1);
	CHECK_MENDS();
	CHECK_LIVE(heap, 0);
}

static void after_free(void)
{
	for (int i = 0; i < SIZES; i++) {
		if (sizes[i] >= 2 << 20)
			continue;
		if (sizes[i] > 0)
			written_after_free(sizes[i], 0);
		written_after_free(sizes[i], sizes[i] / 2 + 3);
		written_after_free(sizes[i], sizes[i] + 9); /* most often in the guard word */
	}
	/* Mended where it is. */
	unsigned char *block = mdg_alloc(heap, 70);
	CHECK(mdg_free(heap, block) == 0);
	block[69] = 0;
	CHECK_FINDS(block, AFTER_FREE, "of 70 bytes, of process");
	CHECK_MENDS();
	CHECK(is_filled(block, 70));
}

/* What a killed thread may leave is no damage. Nor is a block that was never given out. */
static void between(void)
{
	const uint64_t room = 128;
	unsigned char *block = mdg_alloc(heap, 100), *other = mdg_alloc(heap, 100);
	CHECK(other == block + room && mdg_free(heap, other) == 0);
	mdg__guard_write(in, mdg_ref_of(heap, other), room, MDG__GUARD_LIVE, 5);
	CHECK_CLEAN();
	mdg__guard_write(in, mdg_ref_of(heap, block), room, MDG__GUARD_FREED, 100);
	memset(block, MDG__FILL, 50);
	CHECK_CLEAN();
	CHECK(mdg_free(heap, block) == 0 && is_filled(block, 100));
	CHECK(mdg_heap_trim(heap, 0) == 0);
	CHECK_LIVE(heap, 0);
	/* A new slab where another one was. */
	block = mdg_alloc(heap, 1000);
	block[1024] = 0;
	CHECK_FINDS(block + 1024, AFTER_FREE, "never allocated: was written to while it was free");
	CHECK_MENDS();
	CHECK(mdg_free(heap, block) == 0);
}

/* What was freed lately is not given out, unless memory is short. */
static void quarantine(void)
{
	void *block = mdg_alloc(heap, 500);
	CHECK(mdg_free(heap, block) == 0);
	for (int i = 0; i < 31; i++) {
		void *other = mdg_alloc(heap, 500);
		CHECK(other != block && mdg_free(heap, other) == 0);
		CHECK(mdg_free(heap, block) == MDG_FREED_TWICE);
	}
	/* One at a time, for ever: no memory is lost. */
	struct mdg_heap_info info = { .size = sizeof info };
	for (int i = 0; i < SIZES; i++)
		for (int n = 0; n < 2000 && (n < 50 || sizes[i] < 10000); n++) {
			block = mdg_alloc(heap, sizes[i]);
			CHECK(block != NULL && mdg_free(heap, block) == 0);
		}
	CHECK(mdg_heap_stat(heap, &info) == 0 && info.committed < 48u << 20);
	CHECK(mdg_heap_trim(heap, 0) == 0 && mdg_heap_stat(heap, &info) == 0);
	CHECK(info.committed == 0 && info.blocks == 0);
}

static void full(void)
{
	enum { MANY = 4096 };
	static void *got[MANY];
	begin("full", 4 << 20);
	for (int round = 0; round < 3; round++) {
		int count = 0;
		size_t size = round == 1 ? 30000 : 5000;
		while (count < MANY && (got[count] = mdg_alloc(heap, size)) != NULL)
			count++;
		CHECK(mdg_heap_why(heap) == -ENOMEM);
		if (!CHECK(count >= (int)((4 << 20) / size / 3)))
			fprintf(stderr, "%d blocks of %zu\n", count, size);
		/* One of them is free, in quarantine, and all the memory there is. */
		CHECK(mdg_free(heap, got[count / 2]) == 0);
		got[count / 2] = mdg_alloc(heap, size);
		CHECK(got[count / 2] != NULL);
		CHECK_CLEAN();
		while (count > 0)
			CHECK(mdg_free(heap, got[--count]) == 0);
		CHECK_CLEAN();
	}
	CHECK_LIVE(heap, 0);
	end("full");
	begin("checked", 0);
}

/* ---- all calls ------------------------------------------------------------------------------- */

static void other_sizes(void)
{
	for (int i = 0; i < SIZES; i++)
		for (int j = 0; j < SIZES; j++) {
			size_t least = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
			unsigned char *block = mdg_alloc(heap, sizes[i]);
			if (least > 0)
				stamp(block, least, 5);
			block = mdg_realloc(heap, block, sizes[j]);
			CHECK(block != NULL && mdg_usable_size(heap, block) == sizes[j]);
			CHECK(least == 0 || stamped(block, least, 5));
			memset(block, 1, sizes[j]);
			CHECK(mdg_free(heap, block) == 0);
		}
	/* Where it is: what is given up becomes guard. */
	unsigned char *block = mdg_alloc(heap, 1000);
	memset(block, 1, 1000);
	CHECK(mdg_realloc(heap, block, 800) == block && mdg_usable_size(heap, block) == 800);
	CHECK_CLEAN();
	block[800] = 1;
	CHECK_FINDS(block, OVERRUN, "of 800 bytes");
	CHECK_MENDS();
	CHECK(mdg_realloc(heap, block, 1008) == block && mdg_usable_size(heap, block) == 1008);
	memset(block, 1, 1008);
	CHECK(mdg_free(heap, block) == 0);
	for (size_t alignment = 16; alignment <= MDG_ALIGNMENT_MOST; alignment *= 2)
		for (int i = 0; i < SIZES; i++) {
			block = mdg_alloc_aligned(heap, alignment, sizes[i]);
			CHECK(block != NULL && (uintptr_t)block % alignment == 0);
			CHECK(mdg_usable_size(heap, block) == sizes[i]);
			CHECK(mdg_free(heap, block) == 0);
		}
	block = mdg_alloc_zeroed(heap, 10, 30);
	CHECK(block[0] == 0 && block[299] == 0 && mdg_free(heap, block) == 0);
	CHECK(mdg_alloc(heap, SIZE_MAX) == NULL && mdg_heap_why(heap) == -ENOMEM);
	CHECK(mdg_alloc(heap, PTRDIFF_MAX) == NULL && mdg_heap_why(heap) == -ENOMEM);
	CHECK_CLEAN();
	CHECK_LIVE(heap, 0);
}

static void held(size_t size)
{
	void *old = NULL;
	mdg_ref *place = mdg_alloc_zeroed(heap, 2, sizeof *place);
	unsigned char *block = mdg_hold(heap, size);
	CHECK(mdg_publish(heap, block, place, 0) == 0);
	block = mdg_hold(heap, size);
	memset(block, 1, size + 1);
	CHECK(mdg_publish(heap, block, &place[1], 0) == MDG_OVERRUN && place[1] == 0);
	CHECK(mdg_swap(heap, block, place, &old) == MDG_OVERRUN && place[0] != 0);
	CHECK(mdg_keep(heap, block) == MDG_OVERRUN && mdg_retire(heap, block) == MDG_OVERRUN);
	CHECK_FINDS(block, OVERRUN, "was written to behind its end");
	CHECK_MENDS();
	CHECK(mdg_swap(heap, block, place, &old) == 0 && old != NULL);
	CHECK(mdg_retire(heap, old) == 0 && mdg_heap_sweep(heap) == 0);
	CHECK(mdg_take(heap, place) == block && mdg_free(heap, block) == 0);
	CHECK_CLEAN();
	/* Freed while it is held: the hand is free again. */
	for (int i = 0; i < 10; i++) {
		block = mdg_hold(heap, size);
		if (!CHECK(block != NULL))
			return;
		memset(block, 1, size + 1);
		CHECK(mdg_free(heap, block) == MDG_OVERRUN);
		CHECK(mdg_keep(heap, block) == -EPERM);
	}
	CHECK(finds(MDG_CHECK_REPAIR) == 0 && found.count == 10);
	CHECK(mdg_free(heap, place) == 0);
	if (size >= 200000) /* freed at once */
		return;
	/* Retired, and overrun by a reader. */
	block = mdg_hold(heap, size);
	CHECK(mdg_retire(heap, block) == 0);
	block[size] = 1;
	CHECK(mdg_heap_sweep(heap) == 0);
	CHECK_FINDS(block, OVERRUN, "it is set aside");
	CHECK_MENDS();
	CHECK(mdg_heap_trim(heap, 0) == 0);
}

int main(void)
{
	enter_namespace();
	begin("checked", 0);
	errno = 4711;
	each_size();
	overrun_at_free();
	overrun_found();
	after_free();
	between();
	quarantine();
	full();
	other_sizes();
	held(100);
	held(30000);
	held(200000);
	CHECK(errno == 4711);
	end("checked");
	mdg_namespace_close(ns);
	return test_result();
}
