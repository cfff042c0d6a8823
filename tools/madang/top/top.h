/* SPDX-License-Identifier: MIT */
/*
 * top.h - the tables of `madang top`, and the files that fill, arrange, print and paint them.
 *
 * A table is one kind of objects: a list of columns, and functions that fill one cell, or the page
 * about one row. They read two looks at the namespace (seen.h), and nothing else. top_list.c
 * filters and sorts the rows, top_layout.c fits columns into a width, top_once.c prints tables,
 * top_paint.c paints them on the terminal, and top_keys.c changes what is shown.
 *
 * All text in a cell or on a page is safe for a terminal (show_text).
 */
#ifndef MADANG_TOOL_TOP_H
#define MADANG_TOOL_TOP_H

#include "base/command.h"
#include "seen/seen.h"

enum top_tab {
	TOP_SEGMENTS,
	TOP_PROCESSES,
	TOP_LOCKS,
	TOP_CHANNELS,
	TOP_SETS,
	TOP_QUEUES,
	TOP_TABS
};

enum top_style { TOP_PLAIN, TOP_DIM, TOP_STRONG, TOP_GOOD, TOP_WARN, TOP_BAD };

/* Two looks at a namespace. A rate is the difference between them. */
struct top_look {
	struct seen now, before;
	bool is_there;   /* else there is no namespace, and both looks are empty */
	bool has_before; /* `before` is of the same namespace */
	double seconds;  /* between the two */
	int code;        /* why not all could be read, or why there is nothing; 0 */
};

/* ---- tables ----------------------------------------------------------- */

struct top_cell {
	char text[TABLE_CELL];
	bool has_number; /* it is sorted by this number, else by its text */
	double number;
	double part; /* a bar of which so much is full, 0 to 1; below 0: no bar */
	enum top_style style;
};

struct top_column {
	const char *title;
	unsigned char width; /* columns of the terminal; at least that of the title */
	unsigned char most;  /* of one that grows with the screen; 0: it does not */
	bool right;          /* its text stands at the right */
	unsigned char rank;  /* the highest goes first where the screen is narrow; 0: never */
};

enum { TOP_COLUMNS = 14 };

/* What tells a row from the others, also in the next look. */
struct top_key {
	uint64_t high, low;
};

/* Lines of text about one object. */
struct top_line {
	char *text;
	enum top_style style;
};
struct top_page {
	struct top_line *lines;
	size_t count;
};

struct top_table {
	const char *title; /* "Segments" */
	const char *word;  /* what --tab takes: "segments" */
	const struct top_column *columns;
	int count;       /* of columns */
	int sort;        /* the column by which it is sorted at first */
	bool descending; /* from the largest on */
	size_t (*rows)(const struct top_look *look);
	void (*cell)(const struct top_look *look, size_t row, int column, struct top_cell *ret);
	struct top_key (*key)(const struct top_look *look, size_t row);
	/* Whether it is in a circle of waits, as top_lock_circle; NULL: never. Then all of the row
	 * is shown so. */
	int (*circle)(const struct seen *seen, size_t row);
	void (*page)(const struct top_look *look, size_t row, struct top_page *page);
};
extern const struct top_table top_segments, top_processes, top_locks, top_channels, top_sets,
	top_queues;
extern const struct top_table *const top_tables[TOP_TABS];

/* ---- top_cell.c: what cells and pages are filled with ------------------ */

void top_cell_begin(struct top_cell *cell);
void top_text(struct top_cell *cell, const char *format, ...) TOOL_PRINTF(2, 3);
/* There is no number, or it is not known: it stands below all of them. */
void top_none(struct top_cell *cell, const char *text);
void top_number(struct top_cell *cell, double number, const char *format, ...) TOOL_PRINTF(3, 4);
void top_count(struct top_cell *cell, uint64_t count);
void top_size(struct top_cell *cell, uint64_t bytes);
void top_age(struct top_cell *cell, int64_t now, int64_t then);
void top_wait(struct top_cell *cell, uint64_t milliseconds);
/* Per second, as "1.2K"; `of_bytes`: powers of 1024, with a sign if it is a change. */
void top_rate(struct top_cell *cell, double rate);
void top_change(struct top_cell *cell, double bytes);
void top_bar(struct top_cell *cell, uint64_t used, uint64_t room);

/* Each returns `room`. */
char *top_show_count(char room[SHOW_ROOM], double number);
/* "segment 32769 "weather"", "815 teller", "815/820 teller". */
char *top_show_segment(char room[TABLE_CELL], const struct seen *seen, size_t segment);
char *top_show_process(char room[TABLE_CELL], const struct seen *seen, size_t process);
const char *top_show_thread(char room[TABLE_CELL], const struct seen *seen, size_t thread);

void top_line(struct top_page *page, enum top_style style, const char *format, ...)
	TOOL_PRINTF(3, 4);
void top_page_free(struct top_page *page);
/* "  NAME   VALUE" */
void top_fact(struct top_page *page, const char *name, const char *format, ...) TOOL_PRINTF(3, 4);

/* ---- top_locks.c, for the other tables and the alarm -------------------- */

/* Whether a lock, or a process, is in a circle of waits: 0 no, 1 yes, 2 but a deadline ends it. */
int top_lock_circle(const struct seen *seen, size_t lock);
int top_process_circle(const struct seen *seen, size_t process);
/* Each circle that the lock, or the process, is part of; NOBODY: of any. */
void top_circles(const struct seen *seen, size_t lock, size_t process, struct top_page *page);

/* ---- top_look.c -------------------------------------------------------- */

/* Looks again at the namespace in `dir`: the look of before is then `before`. Takes no lock and no
 * process slot there. */
void top_look_again(struct top_look *look, const char *dir);
void top_look_free(struct top_look *look);

/* ---- top_list.c: rows, filtered and sorted ------------------------------ */

struct top_list {
	int sort;
	bool descending;
	size_t *order; /* rows that pass the filter */
	size_t count;
	size_t all;   /* rows before the filter */
	size_t at;    /* the selected one, as a place in `order` */
	size_t first; /* the first one on the screen */
	bool follows; /* the selection stays with its object */
	struct top_key selected;
};

void top_list_begin(struct top_list *list, const struct top_table *table);
/* Arranges the rows anew. False: no memory. */
bool top_list_arrange(struct top_list *list, const struct top_table *table,
                      const struct top_look *look, const char *filter);
/* Moves the selection by so many rows. */
void top_list_move(struct top_list *list, const struct top_table *table,
                   const struct top_look *look, long by);
/* Scrolls so that the selection is among the `height` rows that are seen. */
void top_list_scroll(struct top_list *list, size_t height);
void top_list_free(struct top_list *list);
/* The column of that title, in any case of letters, or the first that begins so; -1: none. */
int top_column_find(const struct top_table *table, const char *title);

/* ---- top_layout.c: columns and widths; knows no terminal ---------------- */

enum { TOP_GAP = 2 }; /* between two columns */

/* Fills in how wide each column is in `width` columns of a screen; 0: it is left out. `wanted` is
 * how wide the text of those that grow is. */
void top_layout(const struct top_table *table, const int wanted[TOP_COLUMNS], int width,
                int ret_width[TOP_COLUMNS]);
/* `text`, cut to `width` columns with a mark where something was cut. `utf8`: the terminal shows
 * more than ASCII; else other characters become '?'. Returns the columns it takes. */
int top_clip(char *room, size_t size, const char *text, int width, bool utf8);
/* A bar of `width` columns. */
void top_draw_bar(char *room, size_t size, double part, int width, bool utf8);

/* ---- the command ------------------------------------------------------- */

enum top_mode { TOP_LIST, TOP_PAGE, TOP_HELP, TOP_FILTER };

struct top_request {
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	uint64_t interval; /* nanoseconds */
	bool once, has_tab, descending, has_sort;
	enum top_tab tab;
	const char *sort;
	const char *filter;
};

enum { TOP_FILTER_ROOM = 64 };

/* All that is shown. */
struct top {
	const struct top_request *request;
	struct top_look look;
	struct top_list lists[TOP_TABS];
	enum top_tab tab;
	enum top_mode mode;
	bool paused, ended;
	bool again; /* look again at once */
	char filter[TOP_FILTER_ROOM];
	struct top_key subject; /* what the page is about */
	size_t scroll;          /* of the page, or of the help */
	size_t page_lines;      /* as painted last */
	size_t height;          /* of the list or the page, as painted last */
	uint64_t interval;
	uint64_t took; /* nanoseconds of the last look */
};

/* top_once.c: the tables on standard output. */
int top_print(const struct top_request *request, struct top *top);
/* top_paint.c */
void top_paint(struct top *top);
/* top_keys.c */
void top_press(struct top *top, int key);
/* The help, for the screen. */
void top_help(struct top_page *page);
void top_arrange_all(struct top *top);

#endif
