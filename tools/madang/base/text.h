/* SPDX-License-Identifier: MIT */
/*
 * text.h - what a person reads: sizes, ages, names of others, tables. The bridge has it too.
 */
#ifndef MADANG_TOOL_TEXT_H
#define MADANG_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- show.c: what a person reads -------------------------------------- */

#define SHOW_ROOM 64 /* enough for a size, an age, a user */

/* The string is in `room`, which is returned. */
char *show_size(char room[SHOW_ROOM], uint64_t bytes);
/* The same for a sentence, where no heading says what it is: "1023 bytes", "4.0K". */
char *show_bytes(char room[SHOW_ROOM], uint64_t bytes);
char *show_age(char room[SHOW_ROOM], int64_t now, int64_t then);
char *show_user(char room[SHOW_ROOM], uint32_t uid);
/* The command of a process from /proc, "?" where that shows nothing. Raw bytes. */
char *show_command(char room[SHOW_ROOM], int32_t pid);
/* Text that may hold anything, safe for a terminal: control bytes, backslash and what is not
 * UTF-8 as \xNN, what is_unfit as \u{NNNN}. `room` should be 4 times the length and 1. */
char *show_text(char *room, size_t size, const char *text);
/* Of an mdg_channel_kind: "stream"; "?" if there is no such kind. */
const char *channel_kind_name(uint32_t kind);
/* Length of the valid UTF-8 sequence at `text`, 0 when it is not one. */
size_t utf8_length(const char *text);
/* Its code point. */
unsigned utf8_point(const char *text, size_t length);
/* Whether it changes the direction of other text, has no shape, or may not stand in XML. */
bool is_unfit(unsigned point);

/* ---- table.c: columns for a person ------------------------------------- */

/* Columns that text takes on a terminal: two for a wide character, none for an accent. */
size_t show_width(const char *text);

/* A table. Each row is put into `cells` twice: first to be measured, then to be printed. */
enum { TABLE_COLUMNS = 11, TABLE_CELL = 4 * SHOW_ROOM + 64 /* a name, a command */ };
struct table {
	const char *const *titles;
	int columns;
	size_t width[TABLE_COLUMNS];
	char cells[TABLE_COLUMNS][TABLE_CELL];
};
void table_begin(struct table *table, const char *const *titles, int columns);
/* Makes each column wide enough for its cell. */
void table_measure(struct table *table);
/* Overwrites the cells. */
void table_print_titles(struct table *table);
/* Empty cells at the end leave no blanks. */
void table_print_row(const struct table *table);

#endif
