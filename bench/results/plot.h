/* SPDX-License-Identifier: MIT */
/*
 * plot.h - within the files that draw: a gnuplot that is being told what to draw, and charts of
 * rows with dots.
 *
 * Pictures have no background. Their colours can be read on white and on black.
 */
#ifndef MADANG_BENCH_PLOT_H
#define MADANG_BENCH_PLOT_H

#include "bench/results/results.h"

/* ---- gnuplot (plot.c) ---------------------------------------------------------------- */

#define PLOT_GREY  "#808080"   /* of text and axes */
#define PLOT_FAINT "#a0808080" /* of guide lines; the first byte says how little is seen of it */

enum { PLOT_COLOURS = 6 };
extern const char *const plot_colour[PLOT_COLOURS];

/* Text as gnuplot takes it, quoted: nothing in it means anything. */
void plot_quote(FILE *script, const char *text);
/* Terminal, title, and a line below it that says which machine and when. In pixels. */
void plot_head(FILE *script, const struct results *results, const char *title, unsigned width,
               unsigned height);
/* A line of text `down` pixels from the upper edge. */
void plot_line(FILE *script, const char *text, unsigned down, unsigned height);

/* ---- a chart of rows (rows.c) -------------------------------------------------------- */

struct dot {
	unsigned row, series;
	double low, at, high;
};

enum { ROWS_MAX = 160, SERIES_MAX = 8, DOTS_MAX = 480 };

struct rows {
	const char *title;
	const char *bars, *unit; /* what a bar says; what the axis has */
	bool times;              /* nanoseconds; else ratios, with a line at 1 */
	bool one_line;           /* all dots of a row on one line; else one below the other */
	struct {
		char label[80];
		bool heading; /* of the rows below */
	} row[ROWS_MAX];
	char series[SERIES_MAX][40];
	struct dot dot[DOTS_MAX];
	unsigned row_count, series_count, dot_count;
};

/* They return the number; what is too much is left out. */
unsigned rows_row(struct rows *rows, const char *label, bool heading);
unsigned rows_series(struct rows *rows, const char *name);
void rows_dot(struct rows *rows, unsigned row, unsigned series, const struct spread *is);
void rows_draw(const struct rows *rows, const struct results *results, FILE *script);

/* ---- pictures ------------------------------------------------------------------------ */

/* Each returns false where the results have nothing for it. */
bool plot_ratios(const struct results *results, FILE *script); /* ratios.c */
bool plot_rounds(const struct results *results, FILE *script); /* rounds.c */
bool plot_scale(const struct results *results, FILE *script);  /* scaling.c */

#endif
