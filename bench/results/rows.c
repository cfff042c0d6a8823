/* SPDX-License-Identifier: MIT */
/*
 * rows.c - a chart of rows: a label, and to the right of it dots with bars on an axis that all rows
 * share. The axis is logarithmic: twice as fast and half as fast lie equally far from the middle.
 */
#include "bench/results/plot.h"

#include <math.h>
#include <string.h>

enum {
	WIDTH = 1000, /* all in pixels */
	ABOVE = 84,
	MARGIN = 36,
	BELOW = 104,
	ROW = 19,
	ROW_MORE = 10, /* for each series after the first, if they lie one below the other */
	LETTER = 7     /* wide, about */
};

unsigned rows_row(struct rows *rows, const char *label, bool heading)
{
	unsigned row = rows->row_count;

	if (row == ROWS_MAX)
		return row;
	snprintf(rows->row[row].label, sizeof rows->row[row].label, "%s", label);
	rows->row[row].heading = heading;
	return rows->row_count++;
}

unsigned rows_series(struct rows *rows, const char *name)
{
	for (unsigned i = 0; i < rows->series_count; i++)
		if (strcmp(rows->series[i], name) == 0)
			return i;
	if (rows->series_count == SERIES_MAX)
		return SERIES_MAX;
	snprintf(rows->series[rows->series_count], sizeof *rows->series, "%s", name);
	return rows->series_count++;
}

void rows_dot(struct rows *rows, unsigned row, unsigned series, const struct spread *is)
{
	struct dot *dot = &rows->dot[rows->dot_count];
	bool bar = is->count != 0 && is->low > 0 && is->high >= is->low;

	if (rows->dot_count == DOTS_MAX || row >= ROWS_MAX || series >= SERIES_MAX ||
	    !(is->median > 0) || isinf(is->median))
		return;
	*dot = (struct dot){ .row = row,
		             .series = series,
		             .low = bar ? is->low : is->median,
		             .at = is->median,
		             .high = bar ? is->high : is->median };
	rows->dot_count++;
}

/* ---- the axis ------------------------------------------------------------------------ */

/* From a little below the least to a little above the greatest. */
static void put_range(const struct rows *rows, FILE *script)
{
	double low = rows->times ? INFINITY : 0.8, high = rows->times ? 0 : 1.25;

	for (unsigned i = 0; i < rows->dot_count; i++) {
		low = fmin(low, rows->dot[i].low);
		high = fmax(high, rows->dot[i].high);
	}
	fprintf(script, "set logscale x\nset xrange [%.6g:%.6g]\n", low / 1.15, high * 1.15);
	fprintf(script, "set xtics out (");
	if (rows->times)
		fputs("'10 ns' 10, '20 ns' 20, '50 ns' 50, '100 ns' 100, '200 ns' 200, "
		      "'500 ns' 500, '1 µs' 1e3, '2 µs' 2e3, '5 µs' 5e3, '10 µs' 1e4, "
		      "'20 µs' 2e4, '50 µs' 5e4, '100 µs' 1e5, '200 µs' 2e5, '500 µs' 5e5, "
		      "'1 ms' 1e6, '2 ms' 2e6, '5 ms' 5e6, '10 ms' 1e7, '100 ms' 1e8)\n",
		      script);
	else if (high / low > 60)
		fputs("'0.001' 0.001, '0.01' 0.01, '0.1' 0.1, '0.5' 0.5, '1' 1, '2' 2, '5' 5, "
		      "'10' 10, '100' 100, '1000' 1000)\n",
		      script);
	else
		fputs("'0.01' 0.01, '0.02' 0.02, '0.05' 0.05, '0.1' 0.1, '0.2' 0.2, '0.5' 0.5, "
		      "'1' 1, '2' 2, '5' 5, '10' 10, '20' 20, '50' 50)\n",
		      script);
}

/* ---- rows ---------------------------------------------------------------------------- */

static unsigned row_height(const struct rows *rows)
{
	unsigned more = rows->one_line || rows->series_count == 0 ? 0 : rows->series_count - 1;

	return ROW + more * ROW_MORE;
}

static void put_labels(const struct rows *rows, FILE *script)
{
	size_t longest = 0;

	fputs("set ytics scale 0 (", script);
	for (unsigned i = 0; i < rows->row_count; i++) {
		const char *label = rows->row[i].label;

		if (rows->row[i].heading)
			continue;
		if (strlen(label) > longest)
			longest = strlen(label);
		plot_quote(script, label);
		fprintf(script, " %u, ", i);
	}
	/* gnuplot wants one after the last comma: it lies outside of the range. */
	fprintf(script, "'' -9)\nset lmargin at screen %.4f\n",
	        (MARGIN + (double)longest * LETTER) / WIDTH);
	for (unsigned i = 0; i < rows->row_count; i++) {
		if (!rows->row[i].heading)
			continue;
		fputs("set label ", script);
		plot_quote(script, rows->row[i].label);
		fprintf(script,
		        " at screen 0.02, first %u left noenhanced font ',14' "
		        "tc rgb '" PLOT_GREY "'\n",
		        i);
	}
}

/* One series' dots as a block of data. */
static void put_data(const struct rows *rows, unsigned series, FILE *script)
{
	double step = rows->one_line ? 0 : (double)ROW_MORE / row_height(rows);
	double lift = (series - (rows->series_count - 1) / 2.0) * step;

	fprintf(script, "$s%u << END\n", series);
	for (unsigned i = 0; i < rows->dot_count; i++) {
		const struct dot *dot = &rows->dot[i];

		if (dot->series == series)
			fprintf(script, "%.8g %.4f %.8g %.8g\n", dot->at, dot->row + lift, dot->low,
			        dot->high);
	}
	fputs("END\n", script);
}

static void put_plots(const struct rows *rows, FILE *script)
{
	static const int marks[SERIES_MAX] = { 7, 9, 5, 13, 11, 15, 6, 4 };

	fputs("plot ", script);
	for (unsigned i = 0; i < rows->series_count; i++) {
		fprintf(script,
		        "%s$s%u using 1:2:3:4 with xerrorbars pt %d ps 0.7 lw 1.6 lc rgb '%s' "
		        "title ",
		        i == 0 ? "" : ", ", i, marks[i], plot_colour[i % PLOT_COLOURS]);
		plot_quote(script, rows->series[i]);
	}
	fputc('\n', script);
}

void rows_draw(const struct rows *rows, const struct results *results, FILE *script)
{
	unsigned below =
		BELOW + (rows->series_count > 2 ? ROW : 0); /* the key may have two lines */
	unsigned height = ABOVE + below + rows->row_count * row_height(rows);

	plot_head(script, results, rows->title, WIDTH, height);
	plot_line(script, rows->bars, 62, height);
	put_range(rows, script);
	put_labels(rows, script);
	fprintf(script,
	        "set yrange [%.1f:-0.5]\nset tmargin at screen %.4f\nset bmargin at screen %.4f\n"
	        "set rmargin at screen 0.98\nset bars 0.4\nset key horizontal center bottom at "
	        "screen 0.5, screen %.4f\n%sset xlabel ",
	        rows->row_count - 0.5, 1.0 - (double)ABOVE / height, (double)below / height,
	        8.0 / height, rows->series_count < 2 ? "unset key\n" : "");
	plot_quote(script, rows->unit);
	fputs(" noenhanced tc rgb '" PLOT_GREY "'\n", script);
	if (!rows->times)
		fputs("set arrow from 1, graph 0 to 1, graph 1 nohead back lw 1.5 lc rgb "
		      "'" PLOT_GREY "'\n",
		      script);
	for (unsigned i = 0; i < rows->series_count; i++)
		put_data(rows, i, script);
	put_plots(rows, script);
}
