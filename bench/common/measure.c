/* SPDX-License-Identifier: MIT */
/*
 * measure.c - time, samples and their spread.
 *
 * The median and the 10th and 90th percentile are used throughout: on a shared
 * machine a block is now and then interrupted for milliseconds, which would
 * ruin a mean and says nothing about the calls.
 */
#include "bench/common/bench.h"

#include <stdlib.h>
#include <time.h>

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void *bench_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL) {
		fprintf(stderr, "madang-bench: out of memory\n");
		exit(1);
	}
	return memory;
}

/* ---- samples ----------------------------------------------------------- */

void samples_add(struct samples *samples, double value)
{
	if (samples->count == samples->room) {
		unsigned room = samples->room ? samples->room * 2 : 256;
		double *grown = realloc(samples->value, room * sizeof *grown);

		if (grown == NULL)
			return; /* fewer samples are still samples */
		samples->value = grown;
		samples->room = room;
	}
	samples->value[samples->count++] = value;
}

void samples_free(struct samples *samples)
{
	free(samples->value);
	*samples = (struct samples){ 0 };
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The value below which the share `share` of the sorted samples lies, between
 * two neighbours where it falls between them. */
static double quantile(const double *sorted, unsigned count, double share)
{
	double place = share * (double)(count - 1);
	unsigned below = (unsigned)place;
	double rest = place - (double)below;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] * (1.0 - rest) + sorted[below + 1] * rest;
}

struct spread samples_spread(const struct samples *samples)
{
	struct spread spread = { 0 };
	double *sorted;

	if (samples->count == 0)
		return spread;
	sorted = bench_alloc(samples->count * sizeof *sorted);
	for (unsigned i = 0; i < samples->count; i++)
		sorted[i] = samples->value[i];
	qsort(sorted, samples->count, sizeof *sorted, by_value);
	spread.low = quantile(sorted, samples->count, 0.1);
	spread.median = quantile(sorted, samples->count, 0.5);
	spread.high = quantile(sorted, samples->count, 0.9);
	spread.count = samples->count;
	free(sorted);
	return spread;
}

const char *verdict(const struct spread *ratio, double bar_low, double bar)
{
	if (bar <= 0 || ratio->count == 0)
		return "";
	return ratio->median <= bar && ratio->median >= bar_low ? "pass" : "miss";
}

/* ---- blocks ------------------------------------------------------------ */

/* Doubles the number until a block is long enough to be extrapolated from. */
unsigned block_size(block_run *run, void *context, double seconds)
{
	double wanted = seconds * 1e9;

	for (unsigned n = 1;; n *= 2) {
		uint64_t took = run(context, n);

		if (took == 0)
			return 0;
		if ((double)took >= wanted / 4 || n >= 1u << 28) {
			double fits = (double)n * wanted / (double)took;

			return fits < 1.0 ? 1 : (unsigned)fits;
		}
	}
}
