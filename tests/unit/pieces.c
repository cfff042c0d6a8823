/* SPDX-License-Identifier: MIT */
/*
 * pieces.c - what a process has attached where, against a simple model.
 *
 * The model is an array of pages: which segment's which page lies there, and
 * of which piece. At random a segment is attached over part of the arena,
 * parts are unmapped, mapped over, moved, shrunk, duplicated and detached; after
 * each step the library's pieces, the counts of attachments, and the bytes one
 * reads have to be the model's. The arena stays mapped throughout (holes are
 * filled with inaccessible pages behind the library's back), so that nothing
 * else comes to lie in it.
 */
#include "unit.h"

#include <sys/mman.h>

#include "segment/hostcalls.h"
#include "segment/internal.h"

enum { PAGES = 40, SEGMENTS = 4, STEPS = 6000 };

struct page {
	int segment; /* -1: none */
	int offset;  /* in it, in pages */
	int run;     /* the same one all over a piece */
	int call;    /* of the attach that it comes from */
};

static mdg_namespace *ns;
static mdg_id ids[SEGMENTS];
static const int sizes[SEGMENTS] = { 1, 2, 5, 9 };
static struct page model[PAGES];
static unsigned char *arena;
static size_t page_size;
static int runs, calls;
static uint64_t state = 4242;

static int random_below(int limit)
{
	return (int)(unit_random(&state) % (uint32_t)limit);
}

static unsigned char *address(int page)
{
	return arena + (size_t)page * page_size;
}

/* ---- the model ------------------------------------------------------------------- */

/* Nothing is there any more; the hole is filled where the program made one. */
static void clear(int from, int count, bool has_hole)
{
	for (int i = from; i < from + count; i++)
		model[i] = (struct page){ -1, 0, 0, 0 };
	void *filled;
	if (has_hole && count > 0)
		CHECK_RC(0, mdg__sys_mmap(address(from), (size_t)count * page_size, PROT_NONE,
		                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, &filled));
}

static void place(int at, int count, const struct page *first)
{
	struct page page = *first;
	page.run = ++runs;
	for (int i = 0; i < count; i++, page.offset++)
		model[at + i] = page;
}

static int length_of_run(int at)
{
	int end = at;
	while (end < PAGES && model[end].segment >= 0 && model[end].run == model[at].run)
		end++;
	return end - at;
}

static bool starts_piece(int at)
{
	return model[at].segment >= 0 && (at == 0 || model[at - 1].run != model[at].run);
}

static bool fit(int left, int right)
{
	return model[left].segment >= 0 && model[left].call == model[right].call &&
	       model[left].offset + 1 == model[right].offset;
}

/* The kernel's rule: what mremap puts beside the rest of its attachment joins it, on the left
 * if it fits there, else on the right. */
static void place_beside(int at, int count, const struct page *first)
{
	int end = at + count;
	place(at, count, first);
	if (at > 0 && fit(at - 1, at)) {
		do
			at--;
		while (at > 0 && !starts_piece(at));
	} else if (end < PAGES && fit(end - 1, end)) {
		end += length_of_run(end);
	}
	struct page whole = model[at];
	place(at, end - at, &whole);
}

/* ---- comparing -------------------------------------------------------------------- */

static bool agrees(void)
{
	uint32_t count = 0;
	uint32_t attached[SEGMENTS] = { 0 };
	for (int at = 0; at < PAGES; at++) {
		bool is_inside =
			model[at].segment >= 0 && model[at].offset < sizes[model[at].segment];
		if (is_inside && !CHECK(*(int *)(void *)address(at) ==
		                        model[at].segment * 100 + model[at].offset))
			return false;
		if (!starts_piece(at))
			continue;
		const struct mdg__piece *piece = &ns->pieces[count++];
		if (!CHECK(count <= ns->piece_count) ||
		    !CHECK(piece->start == (uintptr_t)address(at) &&
		           piece->length == (size_t)length_of_run(at) * page_size &&
		           piece->offset == (uint64_t)model[at].offset * page_size &&
		           piece->index == (uint32_t)ids[model[at].segment] % 32768))
			return false;
		CHECK(mdg__pieces_touch(piece->start, 1));
		attached[model[at].segment]++;
	}
	bool same = CHECK(count == ns->piece_count);
	for (int i = 0; i < SEGMENTS; i++)
		same = CHECK(unit_stat(ns, ids[i]).attached == attached[i]) && same;
	return same;
}

static void show(void)
{
	for (int at = 0; at < PAGES; at++)
		if (starts_piece(at))
			fprintf(stderr, "  model: page %d, %d pages, segment %d from page %d\n", at,
			        length_of_run(at), model[at].segment, model[at].offset);
	for (uint32_t i = 0; i < ns->piece_count; i++)
		fprintf(stderr, "  pieces: page %d, %d pages, index %u from page %d\n",
		        (int)((ns->pieces[i].start - (uintptr_t)arena) / page_size),
		        (int)(ns->pieces[i].length / page_size), ns->pieces[i].index,
		        (int)(ns->pieces[i].offset / page_size));
}

/* ---- the steps ---------------------------------------------------------------------- */

static void attach_over(void)
{
	int segment = random_below(SEGMENTS), at = random_below(PAGES - sizes[segment] + 1);
	void *memory;
	CHECK_RC(0, mdg_segment_attach(ns, ids[segment], address(at), MDG_REMAP, &memory));
	place(at, sizes[segment], &(struct page){ segment, 0, 0, ++calls });
}

static void attach_refused(void)
{
	int segment = random_below(SEGMENTS), at = random_below(PAGES - sizes[segment] + 1);
	void *memory;
	CHECK_RC(-EINVAL, mdg_segment_attach(ns, ids[segment], address(at), 0, &memory));
}

static void unmap(void)
{
	int at = random_below(PAGES), count = 1 + random_below(PAGES - at < 6 ? PAGES - at : 6);
	CHECK(mdg__host_munmap(NULL, address(at), (size_t)count * page_size) == 0);
	clear(at, count, true);
}

static void map_over(void)
{
	int at = random_below(PAGES), count = 1 + random_below(PAGES - at < 6 ? PAGES - at : 6);
	CHECK(mdg__host_mmap(NULL, address(at), (size_t)count * page_size, PROT_NONE,
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address(at));
	clear(at, count, false);
}

/* A part of some piece: from which page, how many. -1: nothing is attached. */
static int choose_part(int *ret_count)
{
	for (int tries = 0; tries < 200; tries++) {
		int at = random_below(PAGES);
		if (model[at].segment < 0)
			continue;
		*ret_count = 1 + random_below(length_of_run(at));
		return at;
	}
	return -1;
}

/* A place of so many pages that does not touch the part; -1: none found. */
static int choose_target(int from, int from_count, int count)
{
	for (int tries = 0; tries < 200; tries++) {
		int to = random_below(PAGES - count + 1);
		if (to + count <= from || to >= from + from_count)
			return to;
	}
	return -1;
}

static void move(void)
{
	int count, from = choose_part(&count);
	int to = from < 0 ? -1 : choose_target(from, count, count);
	if (to < 0)
		return;
	struct page first = model[from];
	size_t length = (size_t)count * page_size;
	CHECK(mdg__host_mremap(NULL, address(from), length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
	                       address(to)) == address(to));
	clear(from, count, true);
	place_beside(to, count, &first);
}

static void duplicate(void)
{
	int count, from = choose_part(&count);
	int to = from < 0 ? -1 : choose_target(from, count, count);
	if (to < 0)
		return;
	struct page first = model[from];
	CHECK(mdg__host_mremap(NULL, address(from), 0, (size_t)count * page_size,
	                       MREMAP_MAYMOVE | MREMAP_FIXED, address(to)) == address(to));
	place_beside(to, count, &first);
}

static void shrink(void)
{
	int count, from = choose_part(&count);
	if (from < 0 || count < 2)
		return;
	int left = 1 + random_below(count - 1);
	CHECK(mdg__host_mremap(NULL, address(from), (size_t)count * page_size,
	                       (size_t)left * page_size, 0, NULL) == address(from));
	clear(from + left, count - left, true);
}

/* The last page of a piece is followed by another one, beyond the segment's end
 * perhaps. */
static void grow(void)
{
	int at = random_below(PAGES - 1);
	while (at > 0 && !starts_piece(at))
		at--;
	int end = at + length_of_run(at);
	if (end == at || end >= PAGES || model[end].segment >= 0)
		return;
	int from = at + random_below(end - at);
	CHECK_RC(0, mdg__sys_munmap(address(end), page_size));
	CHECK(mdg__host_mremap(NULL, address(from), (size_t)(end - from) * page_size,
	                       (size_t)(end - from + 1) * page_size, 0, NULL) == address(from));
	/* A new number: what was cut off this piece before may lie behind it. */
	struct page first = model[at];
	place(at, end - at + 1, &first);
}

/* The kernel's rule: the first piece whose start is as far above the address as
 * its content above the segment's start, and all such ones of the same attach
 * that end within its length. */
static void detach(void)
{
	int at = random_below(PAGES), segment = -1, call = -1;
	bool gone[PAGES] = { false };
	for (int i = at; i < PAGES; i++) {
		bool belongs = starts_piece(i) && model[i].offset == i - at;
		bool is_first = belongs && segment < 0;
		if (is_first) {
			segment = model[i].segment;
			call = model[i].call;
		}
		if (belongs && model[i].call == call &&
		    (is_first || i + length_of_run(i) - at <= sizes[segment]))
			memset(&gone[i], true, (size_t)length_of_run(i) * sizeof gone[0]);
	}
	CHECK_RC(segment < 0 ? -EINVAL : 0, mdg_segment_detach(ns, address(at)));
	for (int i = 0; i < PAGES; i++)
		if (gone[i])
			clear(i, 1, true);
}

static void make_segments(void)
{
	for (int i = 0; i < SEGMENTS; i++) {
		void *memory;
		CHECK_RC(0, mdg_segment_create(ns, NULL, (uint64_t)sizes[i] * page_size, 0600, 0,
		                               &ids[i]));
		CHECK_RC(0, mdg_segment_attach(ns, ids[i], NULL, 0, &memory));
		for (int page = 0; page < sizes[i]; page++)
			*(int *)(void *)((char *)memory + (size_t)page * page_size) =
				i * 100 + page;
		CHECK_RC(0, mdg_segment_detach(ns, memory));
	}
}

int main(void)
{
	static void (*const steps[])(
		void) = { attach_over, attach_over, attach_refused, unmap,  map_over, move,  move,
		          duplicate,   shrink,      grow,           detach, detach,   detach };
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	ns = unit_open("pieces", NULL);
	make_segments();
	void *memory;
	CHECK_RC(0, mdg__sys_mmap(NULL, PAGES * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	                          -1, 0, &memory));
	arena = memory;
	clear(0, PAGES, false);
	for (int step = 0; step < STEPS; step++) {
		steps[random_below((int)(sizeof steps / sizeof steps[0]))]();
		if (!agrees()) {
			fprintf(stderr, "after step %d\n", step);
			show();
			return 1;
		}
	}
	CHECK(mdg__host_munmap(NULL, arena, PAGES * page_size) == 0);
	for (int i = 0; i < SEGMENTS; i++) {
		CHECK(unit_stat(ns, ids[i]).attached == 0);
		CHECK_RC(0, mdg_segment_remove(ns, ids[i]));
	}
	CHECK(ns->piece_count == 0);
	unit_is_sound(ns);
	return test_result();
}
