/* SPDX-License-Identifier: MIT */
/*
 * scaling.c - the picture of `madang-bench --scale`, alone or with another subject: a panel for
 * each operation, with a line for each side over the number of processes, or of live blocks.
 */
#include "bench/results/plot.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1000, ABOVE = 84, BELOW = 10, PANEL = 310, POINTS_MAX = 16, PANELS_MAX = 8 };

struct point {
	double x;
	struct spread side[2];
};

struct panel {
	const char *title, *across;
	struct point point[POINTS_MAX];
	unsigned points;
};

struct picture {
	const char *title, *up;
	const char *side[2];
	bool up_logarithmic;
	struct panel panel[PANELS_MAX];
	unsigned panels;
};

/* The panel with that title, or a new one; NULL: there are too many. */
static struct panel *panel_of(struct picture *picture, const char *title, const char *across)
{
	for (unsigned i = 0; i < picture->panels; i++)
		if (strcmp(picture->panel[i].title, title) == 0)
			return &picture->panel[i];
	if (picture->panels == PANELS_MAX)
		return NULL;
	picture->panel[picture->panels] = (struct panel){ .title = title, .across = across };
	return &picture->panel[picture->panels++];
}

static void point_add(struct panel *panel, double x, const struct spread side[2])
{
	if (panel == NULL || panel->points == POINTS_MAX || x < 1)
		return;
	panel->point[panel->points] = (struct point){ .x = x, .side = { side[0], side[1] } };
	panel->points++;
}

/* Where an older file has no spread, there is the median. */
static struct spread rate_of(const json_t *row, const char *member, const char *old_member)
{
	struct spread spread;

	if (results_spread(row, member, &spread) && spread.count != 0)
		return spread;
	spread.median = results_number(row, old_member);
	return (struct spread){ spread.median, spread.median, spread.median, 1 };
}

/* The tables of bench/common/scale.h. */
static const struct calls {
	const char *section, *title, *other, *rate;
} calls[] = {
	{ "scale", "Shared memory of System V: calls of all processes together", "kernel",
	  "kernel_rate" },
	{ "ipc_scale", "Semaphores and messages of System V: all processes together", "kernel",
	  "kernel_rate" },
	{ "sync_scale", "One object of synchronisation: all processes together", "glibc",
	  "glibc_rate" },
	{ "channel_scale", "One queue, one pipe: all processes together", "pipe", "pipe_rate" },
};

static void take_calls(struct picture *picture, const struct calls *kind, const json_t *rows)
{
	picture->title = kind->title;
	picture->up = "operations a second";
	picture->side[0] = "Madang";
	picture->side[1] = kind->other;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const struct spread side[2] = {
			rate_of(row, "madang_rate", "madang_per_second"),
			rate_of(row, kind->rate, "kernel_per_second"),
		};

		point_add(panel_of(picture, results_text(row, "call"), "processes"),
		          results_number(row, "processes"), side);
	}
}

/* The second table begins where there is one process again. */
static void take_heap(struct picture *picture, const json_t *rows)
{
	bool second = false;

	picture->title = "The shared heap: 64 bytes, free one and allocate another";
	picture->up = "nanoseconds of one operation";
	picture->side[0] = "Madang";
	picture->side[1] = "mimalloc";
	picture->up_logarithmic = true;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		double processes = results_number(row, "processes"),
		       live = results_number(row, "live");
		const struct spread side[2] = { rate_of(row, "madang_ns", ""),
			                        rate_of(row, "mimalloc_ns", "") };

		second = second || (i > 0 && processes <= 1);
		if (second)
			point_add(panel_of(picture, "one process", "live blocks"), live, side);
		else
			point_add(
				panel_of(picture, "1,000 live blocks in each process", "processes"),
				processes, side);
	}
}

/* ---- drawing ------------------------------------------------------------------------- */

static void put_axis_across(const struct panel *panel, FILE *script)
{
	fputs("set xtics out (", script);
	for (unsigned i = 0; i < panel->points; i++) {
		double x = panel->point[i].x;

		fprintf(script, "%s'%.0f%s' %.0f", i == 0 ? "" : ", ",
		        x >= 1e6   ? x / 1e6
		        : x >= 1e4 ? x / 1e3
		                   : x,
		        x >= 1e6   ? "M"
		        : x >= 1e4 ? "k"
		                   : "",
		        x);
	}
	fprintf(script, ")\nset xrange [%.6g:%.6g]\nset xlabel ", panel->point[0].x / 1.25,
	        panel->point[panel->points - 1].x * 1.25);
	plot_quote(script, panel->across);
	fputs(" noenhanced offset 0,0.5 tc rgb '" PLOT_GREY "'\n", script);
}

static void put_panel(const struct picture *picture, unsigned number, FILE *script)
{
	const struct panel *panel = &picture->panel[number];

	fputs("set title ", script);
	plot_quote(script, panel->title);
	fputs(" noenhanced offset 0,-0.5 tc rgb '" PLOT_GREY "'\nset ylabel ", script);
	plot_quote(script, picture->up);
	fputs(" noenhanced tc rgb '" PLOT_GREY "'\n", script);
	put_axis_across(panel, script);
	for (int side = 0; side < 2; side++) {
		fprintf(script, "$p%us%d << END\n", number, side);
		for (unsigned i = 0; i < panel->points; i++) {
			const struct spread *is = &panel->point[i].side[side];

			if (is->median > 0)
				fprintf(script, "%.8g %.8g %.8g %.8g\n", panel->point[i].x,
				        is->median, is->low, is->high);
		}
		fputs("END\n", script);
	}
	fprintf(script, "plot ");
	for (int side = 0; side < 2; side++) {
		fprintf(script,
		        "%s$p%us%d using 1:2:3:4 with yerrorlines pt %d ps 0.7 lw 1.6 lc rgb "
		        "'%s' title '%s'",
		        side == 0 ? "" : ", ", number, side, side == 0 ? 7 : 9, plot_colour[side],
		        picture->side[side]);
	}
	fputc('\n', script);
}

static void picture_draw(const struct picture *picture, const struct results *results, FILE *script)
{
	unsigned lines = (picture->panels + 1) / 2, height = ABOVE + BELOW + lines * PANEL;

	plot_head(script, results, picture->title, WIDTH, height);
	plot_line(script, "Medians of the turns; bars from the 10th to the 90th percentile", 62,
	          height);
	fprintf(script,
	        "set border 3\nset logscale x\n%s"
	        "set key horizontal right top at screen 0.98, screen %.4f\nset bars 0.4\n"
	        "set multiplot layout %u,2 margins screen 0.09,0.98,%.4f,%.4f "
	        "spacing screen 0.11,%.4f\n",
	        picture->up_logarithmic ? "set logscale y\nset format y '%g'\n"
	                                : "set yrange [0:*]\nset format y '%.1s%c'\n",
	        1.0 - 12.0 / height, lines, (BELOW + 56.0) / height, 1.0 - (ABOVE + 34.0) / height,
	        96.0 / height);
	for (unsigned i = 0; i < picture->panels; i++) {
		put_panel(picture, i, script);
		fputs("unset label\nunset key\n", script); /* they stand once */
	}
	fputs("unset multiplot\n", script);
}

bool plot_scale(const struct results *results, FILE *script)
{
	struct picture *picture = bench_alloc(sizeof *picture);
	const json_t *heap = json_object_get(results->root, "heap_scale");
	bool something;

	for (unsigned i = 0; i < sizeof calls / sizeof *calls && picture->panels == 0; i++)
		take_calls(picture, &calls[i], json_object_get(results->root, calls[i].section));
	if (picture->panels == 0)
		take_heap(picture, heap);
	something = picture->panels != 0;
	for (unsigned i = 0; i < picture->panels; i++)
		something = something && picture->panel[i].points != 0;
	if (something)
		picture_draw(picture, results, script);
	free(picture);
	return something;
}
