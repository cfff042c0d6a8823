/* SPDX-License-Identifier: MIT */
/*
 * checked_looks.c - mdg_heap_check looks at a free block of a checked heap while others allocate
 * it, write to it, and free it again: it finds nothing, however often they do that.
 *
 * The look is made through a handle that only reads, and some pages of that are closed. So the
 * signal handler knows where the look is: it runs when the block is read, and when it is asked once
 * more whether the block is free. It makes what another process would have made meanwhile, through
 * the handle that writes.
 */
#include "heap/checked.h"

#include <sys/mman.h>

enum { SIZE = 3000 };

static mdg_heap *reader;
static struct mdg__block block;
static uint64_t ref;
static volatile int left;   /* so often it is allocated and freed yet */
static volatile int rounds; /* so often it was */
static volatile bool allocated;

static void set_access(const void *address, int access)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const unsigned char *from = (const unsigned char *)address - (uintptr_t)address % page;
	if (mprotect((void *)(uintptr_t)from, page, access) != 0)
		_exit(3);
}

static _Atomic uint64_t *bits(mdg_heap *view)
{
	return &mdg__free_words(mdg__heap_of(view), block.unit)[block.index / 64];
}

/* The block is about to be read. Its slab is this thread's. */
static void allocate(void)
{
	uint64_t bit = UINT64_C(1) << (block.index % 64);
	MDG__STORE(*bits(heap), MDG__LOAD(*bits(heap)) & ~bit);
	memset(mdg_at(heap, ref), 7, SIZE);
	mdg__guard_write(in, ref, block.size, MDG__GUARD_LIVE, SIZE);
}

static void on_access(int number)
{
	(void)number;
	if (!allocated) {
		allocate();
		set_access(mdg_at(reader, ref), PROT_READ);
		set_access(bits(reader), PROT_NONE);
	} else {
		if (mdg_free(heap, mdg_at(heap, ref)) != 0)
			_exit(4);
		set_access(bits(reader), PROT_READ);
		rounds++;
		if (--left > 0)
			set_access(mdg_at(reader, ref), PROT_NONE);
	}
	allocated = !allocated;
}

static int looks(int times)
{
	memset(&found, 0, sizeof found);
	left = times;
	rounds = 0;
	if (times > 0)
		set_access(mdg_at(reader, ref), PROT_NONE);
	return mdg_heap_check(reader, 0, note, NULL);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_access };
	struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_RDONLY };
	enter_namespace();
	begin("looks", 0);
	/* The page of the block has no other one, and its slab stays. */
	void *others[8], *one = NULL;
	for (int i = 0; i < 8; i++)
		others[i] = mdg_alloc(heap, 8000);
	one = others[4];
	ref = mdg_ref_of(heap, one);
	CHECK(mdg__block_find(in, ref, &block) == 0);
	memset(one, 7, SIZE);
	CHECK(mdg_free(heap, one) == 0);
	reader = heap_open("looks", &options);
	CHECK(reader != heap && looks(0) == 0);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	for (int times = 1; times <= 3; times++) {
		int rc = looks(times);
		CHECK(rounds == times && !allocated);
		if (!CHECK(rc == 0))
			fprintf(stderr, "%d times: %s\n", times, found.text);
	}
	/* What stays wrong is found. */
	((unsigned char *)one)[5] = 0;
	CHECK(looks(0) == 1 && found.ref == ref && found.kind == MDG_HEAP_FOUND_AFTER_FREE);
	memset(one, MDG__FILL, 8);
	CHECK(looks(0) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(i == 4 || mdg_free(heap, others[i]) == 0);
	mdg_heap_close(reader);
	end("looks");
	mdg_namespace_close(ns);
	return test_result();
}
