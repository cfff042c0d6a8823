/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - blocks in one thread: their sizes, their places, and what is said of addresses where
 * no block begins.
 */
#include "heap/heap.h"

static mdg_heap *heap;

/* ---- sizes --------------------------------------------------------------------------------- */

static void each_size(void)
{
	size_t last = 0;
	for (size_t size = 0; size <= MDG__MEDIUM_MOST + 70000; size += size < 9000 ? 1 : 997) {
		void *block = mdg_alloc(heap, size);
		size_t usable = mdg_usable_size(heap, block);
		if (!CHECK(block != NULL && usable >= size && usable >= last))
			break;
		CHECK((uintptr_t)block % 16 == 0);
		CHECK(size < 128 || usable - size <= size / 4 || size > MDG__MEDIUM_MOST);
		memset(block, 0xff, usable);
		last = usable;
		CHECK(mdg_free(heap, block) == 0);
	}
	for (uint32_t class = 0; class < MDG_HEAP_CLASSES; class ++) {
		const struct mdg__size_class *about = &mdg__heap_classes[class];
		CHECK(mdg__heap_class_of(about->size) == class);
		CHECK(mdg__heap_class_of(about->size + 1) == class + 1 ||
		      class == MDG_HEAP_CLASSES - 1);
		for (uint32_t i = 0; i < about->blocks; i++)
			CHECK((uint64_t)i * about->size * about->inverse >> 32 == i);
	}
	CHECK_LIVE(heap, 0);
}

static void too_large(void)
{
	struct mdg__heap *inside = mdg__heap_of(heap);
	CHECK(mdg_alloc(heap, SIZE_MAX) == NULL && mdg_heap_why(heap) == -ENOMEM);
	CHECK(mdg_alloc(heap, SIZE_MAX - 20) == NULL && mdg_heap_why(heap) == -ENOMEM);
	CHECK(mdg_alloc(heap, (size_t)PTRDIFF_MAX) == NULL && mdg_heap_why(heap) == -ENOMEM);
	uint64_t all = inside->capacity << MDG__UNIT_SHIFT;
	if (all < SIZE_MAX)
		CHECK(mdg_alloc(heap, (size_t)all + 1) == NULL && mdg_heap_why(heap) == -ENOMEM);
	CHECK(mdg_alloc_zeroed(heap, SIZE_MAX / 2, 3) == NULL && mdg_heap_why(heap) == -ENOMEM);
	CHECK(mdg_alloc_zeroed(heap, SIZE_MAX, SIZE_MAX) == NULL);
	CHECK_LIVE(heap, 0);
}

static void check_no_memory(const void *block)
{
	CHECK(block == NULL && mdg_heap_why(heap) == -ENOMEM);
}

/* Sizes that overflow when something is added to them: for every call that takes one. */
static void overflowing(void)
{
	const size_t all = (size_t)mdg__heap_of(heap)->capacity << MDG__UNIT_SHIFT;
	unsigned char *small = mdg_alloc(heap, 100), *span = mdg_alloc(heap, 300000);
	stamp(small, 100, 3);
	stamp(span, 300000, 4);
	for (size_t less = 0; less <= 2 * MDG__UNIT_BYTES; less += less < 70 ? 1 : 4093) {
		const size_t sizes[] = { SIZE_MAX - less, SIZE_MAX / 2 - less, all + 1 + less };
		for (size_t i = 0; i < 3; i++) {
			check_no_memory(mdg_alloc(heap, sizes[i]));
			check_no_memory(mdg_alloc_zeroed(heap, 1, sizes[i]));
			check_no_memory(mdg_alloc_zeroed(heap, sizes[i], 1));
			check_no_memory(mdg_alloc_aligned(heap, 64, sizes[i]));
			check_no_memory(mdg_alloc_aligned(heap, MDG_ALIGNMENT_MOST, sizes[i]));
			check_no_memory(mdg_realloc(heap, small, sizes[i]));
			check_no_memory(mdg_realloc(heap, span, sizes[i]));
			check_no_memory(mdg_hold(heap, sizes[i]));
		}
	}
	CHECK(stamped(small, 100, 3) && stamped(span, 300000, 4));
	CHECK_LIVE(heap, 2);
	CHECK(mdg_free(heap, small) == 0 && mdg_free(heap, span) == 0);
}

static void *nothing[8];

/* Size 0 gives a block of its own. */
static void empty(void)
{
	nothing[0] = mdg_alloc(heap, 0);
	nothing[1] = mdg_alloc_zeroed(heap, 0, 10);
	nothing[2] = mdg_alloc_zeroed(heap, 10, 0);
	nothing[3] = mdg_alloc_zeroed(heap, 0, SIZE_MAX);
	nothing[4] = mdg_alloc_aligned(heap, 4096, 0);
	nothing[5] = mdg_realloc(heap, NULL, 0);
	nothing[6] = mdg_realloc(heap, mdg_alloc(heap, 300000), 0);
	nothing[7] = mdg_hold(heap, 0);
	CHECK_LIVE(heap, 8);
	for (int i = 0; i < 8; i++) {
		for (int k = 0; k < i; k++)
			CHECK(nothing[i] != nothing[k]);
		CHECK(nothing[i] != NULL && mdg_free(heap, nothing[i]) == 0);
	}
	CHECK_LIVE(heap, 0);
}

/* The same in a checked heap, which adds bytes of its own to each size. */
static void checked(void)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .flags = MDG_HEAP_CHECKED };
	mdg_heap *before = heap;
	heap = heap_open("checked", &options);
	overflowing();
	empty();
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "checked") == 0);
	heap = before;
}

/* ---- no two overlap ------------------------------------------------------------------------ */

enum { MANY = 3000 };

static size_t some_size(uint64_t *state)
{
	uint32_t kind = next_random(state) % 100;
	if (kind < 70)
		return 1 + next_random(state) % 512;
	if (kind < 90)
		return 1 + next_random(state) % 8192;
	return 1 + next_random(state) % (kind < 98 ? 140000 : 400000);
}

struct entry {
	unsigned char *block;
	size_t size;
	uint32_t number;
};

static void change(struct entry *entry, uint32_t number, uint64_t *state)
{
	if (entry->block != NULL) {
		CHECK(stamped(entry->block, entry->size, entry->number));
		CHECK(mdg_free(heap, entry->block) == 0);
		entry->block = NULL;
		return;
	}
	entry->size = some_size(state);
	entry->number = number;
	uint32_t how = next_random(state) % 8;
	size_t alignment = (size_t)16 << next_random(state) % 13;
	if (how == 0) {
		entry->block = mdg_alloc_aligned(heap, alignment, entry->size);
		CHECK((uintptr_t)entry->block % alignment == 0);
	} else if (how == 1) {
		entry->block = mdg_alloc_zeroed(heap, entry->size, 1);
		for (size_t i = 0; entry->block != NULL && i < entry->size; i++)
			CHECK(entry->block[i] == 0);
	} else {
		entry->block = mdg_alloc(heap, entry->size);
	}
	if (CHECK(entry->block != NULL))
		stamp(entry->block, entry->size, entry->number);
}

static void resize(struct entry *entry, uint64_t *state)
{
	size_t size = some_size(state), both = size < entry->size ? size : entry->size;
	unsigned char *block = mdg_realloc(heap, entry->block, size);
	if (!CHECK(block != NULL))
		return;
	for (size_t i = 0; i + 1 < both; i += both < 4096 ? 1 : 509)
		CHECK(entry->size >= 4096 || block[i] == (unsigned char)(entry->number * 31 + i));
	entry->block = block;
	entry->size = size;
	stamp(block, size, entry->number);
}

static void churn(uint64_t seed, uint32_t steps)
{
	static struct entry entries[MANY];
	uint64_t state = seed, live = 0;
	for (uint32_t step = 0; step < steps; step++) {
		struct entry *entry = &entries[next_random(&state) % MANY];
		if (entry->block != NULL && next_random(&state) % 8 == 0)
			resize(entry, &state);
		else
			change(entry, step, &state);
	}
	for (int i = 0; i < MANY; i++)
		live += entries[i].block != NULL;
	CHECK_LIVE(heap, live);
	for (int i = 0; i < MANY; i++)
		if (entries[i].block != NULL)
			change(&entries[i], 0, &state);
	CHECK_LIVE(heap, 0);
}

/* Each block of a whole slab, and of the next ones, of every class. */
static void whole_slabs(void)
{
	enum { MOST = 4096 * 5 / 2 };
	static unsigned char *blocks[MOST];
	for (uint32_t class = 0; class < MDG_HEAP_CLASSES; class ++) {
		const struct mdg__size_class *about = &mdg__heap_classes[class];
		uint32_t count = about->blocks * 2 + about->blocks / 2;
		for (uint32_t i = 0; i < count; i++) {
			blocks[i] = mdg_alloc(heap, about->size);
			memcpy(blocks[i], &i, sizeof i);
			memcpy(blocks[i] + about->size - sizeof i, &i, sizeof i);
		}
		CHECK_LIVE(heap, (uint64_t)count);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t begin, end;
			memcpy(&begin, blocks[i], sizeof i);
			memcpy(&end, blocks[i] + about->size - sizeof i, sizeof i);
			CHECK(begin == i && end == i);
			CHECK(mdg_free(heap, blocks[i]) == 0);
		}
		CHECK_LIVE(heap, 0);
	}
}

/* ---- in place ------------------------------------------------------------------------------ */

static void in_place(void)
{
	mdg_heap *before = heap;
	heap = heap_open("place", NULL); /* where nothing is in the way */
	unsigned char *block = mdg_alloc(heap, 100);
	CHECK(mdg_realloc(heap, block, 112) == block && mdg_realloc(heap, block, 60) == block);
	unsigned char *small = mdg_realloc(heap, block, 10);
	CHECK(small != NULL && mdg_usable_size(heap, small) == 16);
	CHECK(mdg_free(heap, small) == 0);
	/* A span grows where it is while the units behind it are free. */
	unsigned char *span = mdg_alloc(heap, 300000), *same = span;
	stamp(span, 300000, 7);
	for (size_t size = 400000; size < 8000000 && same == span; size += 300000)
		same = mdg_realloc(heap, span, size);
	CHECK(same == span && stamped(span, 300000, 7));
	CHECK(mdg_usable_size(heap, span) >= 7900000);
	CHECK_LIVE(heap, 1);
	CHECK(mdg_realloc(heap, span, 200000) == span && mdg_usable_size(heap, span) < 270000);
	unsigned char *behind = mdg_alloc(heap, 200000);
	unsigned char *moved = mdg_realloc(heap, span, 8000000);
	CHECK(behind > span && moved != span && moved != NULL);
	CHECK_LIVE(heap, 2);
	CHECK(mdg_free(heap, moved) == 0 && mdg_free(heap, behind) == 0);
	CHECK(mdg_realloc(heap, NULL, 5) != NULL);
	CHECK_LIVE(heap, 1);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "place") == 0);
	heap = before;
}

/* ---- addresses that are none --------------------------------------------------------------- */

static void wrong_addresses(void)
{
	static char outside[64];
	unsigned char *small = mdg_alloc(heap, 48), *medium = mdg_alloc(heap, 50000);
	unsigned char *span = mdg_alloc(heap, 500000);
	struct mdg__heap *inside = mdg__heap_of(heap);
	CHECK(mdg_free(heap, NULL) == 0);
	for (uintptr_t i = 1; i < 48; i++)
		CHECK(mdg_free(heap, small + i) == -EINVAL);
	for (size_t i = 1; i < 50000; i += 777)
		CHECK(mdg_free(heap, medium + i) == -EINVAL);
	for (size_t i = 1; i < 500000; i += 4097)
		CHECK(mdg_free(heap, span + i) == -EINVAL);
	CHECK(mdg_free(heap, span + MDG__UNIT_BYTES) == -EINVAL);
	CHECK(mdg_free(heap, outside) == -EINVAL && mdg_free(heap, &small) == -EINVAL);
	CHECK(mdg_free(heap, heap->base) == -EINVAL && mdg_free(heap, heap->base + 64) == -EINVAL);
	CHECK(mdg_free(heap, inside->slot) == -EINVAL &&
	      mdg_free(heap, inside->data - 16) == -EINVAL);
	CHECK(mdg_free(heap, heap->base + heap->extent - 64) == -EINVAL);
	CHECK(mdg_free(heap, (void *)(uintptr_t)16) == -EINVAL);
	CHECK(mdg_free(heap, (void *)(UINTPTR_MAX - 15)) == -EINVAL);
	CHECK(mdg_usable_size(heap, small + 16) == 0 && mdg_usable_size(heap, NULL) == 0);
	CHECK(mdg_realloc(heap, small + 16, 5) == NULL && mdg_heap_why(heap) == -EINVAL);
	mdg_heap *other = heap_open("other", NULL);
	CHECK(mdg_free(other, small) == -EINVAL);
	void *foreign = mdg_alloc(other, 10);
	CHECK(mdg_free(heap, foreign) == -EINVAL && mdg_free(other, foreign) == 0);
	mdg_heap_close(other);
	CHECK(mdg_heap_remove(ns, "other") == 0);
	CHECK_LIVE(heap, 3);
	CHECK(mdg_free(heap, small) == 0);
	CHECK(mdg_free(heap, small) == MDG_FREED_TWICE);
	CHECK(mdg_free(heap, medium) == 0);
	CHECK(mdg_free(heap, medium) == MDG_FREED_TWICE);
	CHECK(mdg_free(heap, span) == 0);
	CHECK(mdg_free(heap, span) == MDG_FREED_TWICE);
	CHECK(mdg_usable_size(heap, small) == 0);
	CHECK(mdg_realloc(heap, small, 5) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK_LIVE(heap, 0);
}

static void alignments(void)
{
	CHECK(mdg_alloc_aligned(heap, 0, 10) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK(mdg_alloc_aligned(heap, 24, 10) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK(mdg_alloc_aligned(heap, 131072, 10) == NULL && mdg_heap_why(heap) == -EINVAL);
	for (size_t alignment = 1; alignment <= MDG_ALIGNMENT_MOST; alignment *= 2)
		for (size_t size = 1; size < 300000; size = size * 3 + 1) {
			void *block = mdg_alloc_aligned(heap, alignment, size);
			CHECK(block != NULL && (uintptr_t)block % alignment == 0);
			CHECK(mdg_usable_size(heap, block) >= size && mdg_free(heap, block) == 0);
		}
	CHECK_LIVE(heap, 0);
}

int main(void)
{
	enter_namespace();
	heap = heap_open("blocks", NULL);
	errno = 4711;
	each_size();
	too_large();
	overflowing();
	empty();
	checked();
	alignments();
	wrong_addresses();
	whole_slabs();
	churn(1, 100000);
	churn(2, 100000);
	in_place();
	CHECK(errno == 4711);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "blocks") == 0);
	mdg_namespace_close(ns);
	return test_result();
}
