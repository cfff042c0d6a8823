/* SPDX-License-Identifier: MIT */
/*
 * locked.c - a real-time program, whose memory the kernel locks as it is mapped: its heap gets
 * memory as it grows, like any other.
 */
#include "heap/heap.h"

#include "support/memlock.h"

enum { MIB = 1 << 20 };

static uint64_t resident(const char *name)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id;
	CHECK(mdg_segment_open(ns, name, 0, 0, &id) == 0);
	CHECK(mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info) == 0);
	return info.resident;
}

static void use(const char *name, uint32_t flags)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .maximum = 64 * MIB,
		                                  .flags = flags };
	mdg_heap *heap = NULL;
	if (!CHECK(mdg_heap_open(&heap, ns, name, &options) == 0))
		return;
	CHECK(resident(name) < MIB);
	unsigned char *block = mdg_alloc(heap, 3 * MIB);
	CHECK(block != NULL);
	memset(block, 1, 3 * MIB);
	CHECK(resident(name) < 6 * MIB);
	mdg_heap_close(heap);
	CHECK(mdg_heap_open(&heap, ns, name, &options) == 0);
	CHECK((flags & MDG_HEAP_HOME) == 0 || *block == 1);
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 0);
	mdg_heap_close(heap);
}

/* Something lies in the middle of where the heap would be. */
static void find_taken(void)
{
	const struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_HOME };
	mdg_heap *heap = heap_open("home", &options);
	unsigned char *at = heap->base;
	mdg_heap_close(heap);
	void *there = mmap(at + 32 * MIB, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	                   -1, 0);
	CHECK(there == at + 32 * MIB);
	CHECK(mdg_heap_open(&heap, ns, "home", &options) == MDG_HOME_TAKEN);
	CHECK(munmap(there, 4096) == 0);
	CHECK(mdg_heap_open(&heap, ns, "home", &options) == 0 && heap->base == at);
	mdg_heap_close(heap);
}

static void lock_and_use(void *limited)
{
	if (!memlock_all(limited != NULL ? 4 * MIB : 0))
		exit(0); /* not possible here */
	use("plain", 0);
	use("home", MDG_HEAP_HOME);
	find_taken();
}

static void remove_all(void)
{
	static const char *const names[] = { "plain", "home" };
	for (int i = 0; i < 2; i++) {
		int rc = mdg_heap_remove(ns, names[i]);
		CHECK(rc == 0 || rc == -ENOENT);
	}
}

int main(void)
{
	static bool limited;
	enter_namespace();
	CHECK(in_child(lock_and_use, NULL));
	remove_all();
	CHECK(in_child(lock_and_use, &limited));
	remove_all();
	mdg_namespace_close(ns);
	return test_result();
}
