/* SPDX-License-Identifier: MIT */
/*
 * picture.h - what `madang graph` draws: shapes, and lines between them.
 *
 * picture_make.c makes a shape for each object of a look (seen.h), and picture_edges.c the lines.
 * picture_merge.c joins shapes that are alike, and leaves out the least important ones, until the
 * picture is small enough. picture_dot.c writes it in the language of Graphviz, and
 * picture_layout.c has Graphviz' `dot` draw it. The page_*.c put it on a page, with tables.
 */
#ifndef MADANG_TOOL_PICTURE_H
#define MADANG_TOOL_PICTURE_H

#include <stdio.h>

#include "seen/seen.h"

enum shape {
	SHAPE_PROCESS,
	SHAPE_SEGMENT,
	SHAPE_CHANNEL,
	SHAPE_LOCK,
	SHAPE_SET,
	SHAPE_QUEUE,
	SHAPES
};

struct node {
	enum shape shape;
	size_t item;      /* its place in the list of that kind in `seen` */
	size_t join;      /* the node that stands for it; itself, if it is drawn on its own */
	size_t members;   /* how many it stands for */
	uint64_t bytes;   /* of segments: of all that it stands for */
	uint64_t weight;  /* the lightest are left out first */
	bool is_hidden;   /* nothing to draw: an idle lock, the segment of a channel */
	bool is_left_out; /* there was no room */
};

enum line {
	LINE_ATTACHED, /* process - segment */
	LINE_SENDS,    /* process -> channel */
	LINE_RECEIVES, /* channel -> process */
	LINE_WAITS,    /* process -> lock, set or queue: it cannot go on without */
	LINE_HOLDS,    /* lock or set -> process: it has it */
	LINE_SENT,     /* process -> queue: was the last to send */
	LINE_RECEIVED  /* queue -> process: was the last to receive */
};

struct line_between {
	enum line line;
	size_t from, to; /* nodes */
	uint32_t count;  /* attachments; of semaphores: how much it wants or has */
	uint32_t lines;  /* how many it stands for */
	uint64_t waited; /* milliseconds; the longest */
	uint64_t lag;    /* messages; the largest */
	bool has_rate;
	double rate; /* messages per second, of all */
	int circle;  /* 0 none; 1 a deadlock; 2 a circle that a deadline ends */
};

struct picture {
	const struct seen *seen;
	struct node *nodes; /* all of a kind in a row, from first[kind] on */
	size_t node_count;
	size_t first[SHAPES];
	struct line_between *lines;
	size_t line_count;
	size_t left_out[SHAPES]; /* objects */
	bool out_of_memory;
};

/* Makes the picture with at most `limit` shapes; 0: no limit. 0, or -ENOMEM. Afterwards
 * picture_free. */
int picture_make(struct picture *ret_picture, const struct seen *seen, size_t limit);
void picture_free(struct picture *picture);
/* How many shapes are drawn. */
size_t picture_count(const struct picture *picture);
bool node_is_drawn(const struct node *node);

/* ---- picture_edges.c -------------------------------------------------- */

void picture_add_lines(struct picture *picture);
/* Joins lines of one kind between the same two shapes, and drops those of shapes not drawn. */
void picture_join_lines(struct picture *picture);

/* ---- picture_merge.c -------------------------------------------------- */

/* Joins what is alike, as far as is needed, and leaves out the rest. */
void picture_fit(struct picture *picture, size_t limit);

/* ---- picture_limit.c -------------------------------------------------- */

void picture_leave_out(struct picture *picture, size_t limit);

/* ---- picture_text.c --------------------------------------------------- */

enum { TEXT_ROOM = 1024 };
/* Text that anybody may have chosen, as people may read it: control characters, what changes the
 * direction of writing, what XML forbids, backslashes and what is no UTF-8 are escaped. With
 * `columns` it is cut to so many, and ends with an ellipsis. */
char *picture_text(char room[TEXT_ROOM], const char *raw, size_t columns);
/* Cuts it, with room for the ellipsis behind it. */
void picture_cut(char *text, size_t columns);
/* The same for text that show_text has been at. */
char *picture_fit_text(char room[TEXT_ROOM], const char *shown);
/* Text from picture_text, for DOT between quotes; for XML and HTML as content or in quotes. */
void put_dot(FILE *out, const char *text);
void put_xml(FILE *out, const char *text);
/* "a name", 0x00001234, or segment 12; cut as above. */
char *picture_label(char room[TEXT_ROOM], const char *what, mdg_id id, int32_t key,
                    const char *name, size_t columns);
/* "1,234/s", "0.5/s". */
char *show_rate(char room[SHOW_ROOM], double rate);

/* ---- picture_dot.c ---------------------------------------------------- */

void picture_write_dot(const struct picture *picture, FILE *out, const char *path);

/* ---- picture_layout.c ------------------------------------------------- */

struct drawing {
	char *svg;            /* all of what dot wrote */
	const char *body;     /* what is in its <svg> element, to its end; in `svg` */
	size_t length;        /* of the body, without the end of the element */
	double width, height; /* points */
};
/* Has `dot` draw it. TOOL_OK, or it has been said. Afterwards drawing_free. */
int picture_draw(struct drawing *ret_drawing, const struct picture *picture, const char *path);
void drawing_free(struct drawing *drawing);

/* ---- page_*.c --------------------------------------------------------- */

struct page {
	const struct picture *picture;
	const struct drawing *drawing;
	const char *path;
	bool exists;      /* else there is no such namespace */
	uint64_t refresh; /* seconds, for a page that is written again and again; 0 */
};

/* Takes the tables: begin with the titles, then rows, then end. A title that begins with '#' (which
 * is not to be shown) stands above numbers. */
struct table_sink {
	void (*begin)(void *context, const char *name, const char *const *titles, size_t columns);
	/* `mark`: the row is about trouble. */
	void (*row)(void *context, const char *const *cells, size_t columns, bool mark);
	void (*end)(void *context);
	void *context;
};
void page_tables(const struct seen *seen, const struct table_sink *sink);
/* The figures of the heading, such as "4 processes"; NULL: no more. */
const char *page_figure(const struct seen *seen, size_t number, char room[SHOW_ROOM]);
/* Lines about circles of waits; calls for each; `head`: begins a circle. */
void page_circles(const struct seen *seen, void (*line)(void *, const char *, bool head),
                  void *context);
/* What the shapes and lines mean: an SVG fragment of this size. */
enum { LEGEND_WIDTH = 940, LEGEND_HEIGHT = 126 };
void page_legend(FILE *out);
void page_write_html(const struct page *page, FILE *out);
void page_write_svg(const struct page *page, FILE *out);

#endif
