/* SPDX-License-Identifier: MIT */
/*
 * results.h - what the files of this directory share: results of runs as they are in the files of
 * `madang-bench --json`, compared (`--compare`) and drawn (`--plot`).
 *
 * A run's own results are written as JSON and read from there, like those of an older run. So both
 * are what a file says, and a picture can also be drawn from a file.
 */
#ifndef MADANG_BENCH_RESULTS_H
#define MADANG_BENCH_RESULTS_H

#include "bench/common/bench.h"

#ifdef WITH_JANSSON
#include <jansson.h>
#endif

/* ---- reading (read.c) ---------------------------------------------------------------- */

struct results;

/* False, and it says so: the program was built without the library that reads JSON. */
bool results_readable(void);
/* NULL, and it says why: it cannot be read, or is not madang-bench's. */
struct results *results_load(const char *path);
/* The results of this run, as they were written. */
struct results *results_parse(const char *text, size_t length);
void results_free(struct results *results);

/* The word for what a run with these settings measures: "cases", "sync", "heap_scale". */
const char *results_section(const struct settings *settings);
/* False, and it says what the file has: nothing of that section. */
bool results_have(const struct results *results, const char *section);

/* ---- what is done with them ---------------------------------------------------------- */

/* Prints a table (compare.c). 0, or 1 and it says why: there is nothing in common. */
int results_compare(const struct results *old, const struct results *new, FILE *out);

/* True: there is a gnuplot. Otherwise it says so (plot.c). */
bool plot_possible(void);
/* Draws a picture into the file. 0, or 1 and it says why not. */
int results_plot(const struct results *results, const char *path);

/* ---- within this directory ----------------------------------------------------------- */

#ifdef WITH_JANSSON

struct results {
	char name[256]; /* of the file, or "this run" */
	json_t *root;
};

/* A number that one case found, with its spread. */
struct figure {
	char section[16]; /* the name of the array that it is in */
	char name[48];    /* of the case */
	char what[80];    /* it does; "" */
	char beside[40];  /* the side that Madang is compared with, or another condition; "" */
	unsigned place;   /* a table may have a row twice: which of them this is */
	struct spread is; /* count 0: only the median is known */
	bool ratio;       /* to something else; otherwise nanoseconds, bytes or a part */
	bool more_is_better;
	bool time; /* "faster" and "slower" are the words for it */
};

struct figures {
	struct figure *figure;
	unsigned count, room;
};

/* All figures of a run, in the order of the file (figures.c). */
struct figures figures_of(const struct results *results);
/* They stand for the same thing, in two runs. */
bool figure_same(const struct figure *left, const struct figure *right);
void figures_free(struct figures *figures);

/* A member's text or number; "" or 0 where there is none (read.c). */
const char *results_text(const json_t *object, const char *name);
double results_number(const json_t *object, const char *name);
/* False where it is not there, or null. */
bool results_spread(const json_t *object, const char *name, struct spread *ret_spread);

#endif

#endif
