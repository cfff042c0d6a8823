/* SPDX-License-Identifier: MIT */
/*
 * scale.c - how the cost of an operation grows with the number of processes, and with the number of
 * live blocks: `madang-bench --heap --scale`.
 *
 * What grows on both sides is the memory's: with ten million live blocks, each that is freed has to
 * be fetched. So what is judged is how Madang's ratio to mimalloc grows.
 */
#include "base/progress.h" /* of the tool */
#include "bench/heap/heap.h"

#include <stdlib.h>

static const struct row {
	unsigned members;
	uint32_t live; /* of each */
} rows[] = {
	{ 1, 1000 },  { 2, 1000 },   { 8, 1000 },    { 64, 1000 },    { 1, 1000 },
	{ 1, 10000 }, { 1, 100000 }, { 1, 1000000 }, { 1, 10000000 },
};
_Static_assert(sizeof rows / sizeof *rows <= HEAP_SCALES_MAX, "room for every row");

enum { FIRST_OF_LIVE = 4 };

static void measure_row(const struct settings *settings, const struct row *row,
                        struct heap_scale *ret_scale)
{
	struct heap_case what = { .name = "scale",
		                  .kind = HEAP_PAIR,
		                  .least = 64,
		                  .most = 64,
		                  .live = row->live,
		                  .members = row->members,
		                  .fast_only = true,
		                  .weight = row->members };
	struct heap_case_result *result = bench_alloc(sizeof *result);

	heap_case_measure(settings, &what, result);
	*ret_scale = (struct heap_scale){ .members = row->members,
		                          .live = row->live,
		                          .ns = { result->value[HEAP_MADANG],
		                                  result->value[HEAP_MIMALLOC] },
		                          .ratio = result->ratio[HEAP_MADANG] };
	free(result);
}

void heap_scale_measure(const struct settings *settings, struct heap_result *result)
{
	static const char *const what[] = { "1, 2, 8 and 64 processes",
		                            "1,000 to 10,000,000 live blocks" };
	unsigned count = sizeof rows / sizeof *rows;

	for (unsigned i = 0; i < count && !stop_asked(); i++) {
		struct heap_scale *scale = &result->scales[result->scale_count];
		const struct heap_scale *first = &result->scales[result->first_of_live];

		if (settings->quick && (rows[i].members > 8 || rows[i].live > 100000))
			continue;
		if (i == FIRST_OF_LIVE) {
			result->first_of_live = result->scale_count;
			first = scale;
		}
		progress_step(what[i >= FIRST_OF_LIVE], i, count);
		measure_row(settings, &rows[i], scale);
		for (int side = 0; side < 2; side++)
			if (first->ns[side].median > 0)
				scale->growth[side] =
					scale->ns[side].median / first->ns[side].median;
		result->scale_count++;
	}
}
