/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - the screen and the keys of `madang top`, by ncurses.
 *
 * ncurses is opened when the screen is needed, and not linked: the tool is one file that needs libc
 * alone, and each `madang run` would load two libraries more. libncursesw is tried first. With
 * libncurses, or where the locale is not UTF-8, only ASCII is shown.
 *
 * Signals that end the program are noted, and end the wait for a key. terminal_close gives the
 * terminal back as it was.
 */
#ifndef MADANG_TOOL_TERMINAL_H
#define MADANG_TOOL_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "top/top.h"

/* Keys that are no characters. */
enum terminal_key {
	TERMINAL_NONE = -1, /* the deadline has come */
	TERMINAL_END = -2,  /* a signal came, or the terminal has gone */
	TERMINAL_SIZE = 0x10000,
	TERMINAL_UP,
	TERMINAL_DOWN,
	TERMINAL_LEFT,
	TERMINAL_RIGHT,
	TERMINAL_PAGE_UP,
	TERMINAL_PAGE_DOWN,
	TERMINAL_HOME,
	TERMINAL_LAST,
	TERMINAL_BACK_TAB,
	TERMINAL_ERASE,
	TERMINAL_ENTER,
	TERMINAL_ESCAPE
};

enum terminal_look { TERMINAL_REVERSE = 0x100, TERMINAL_UNDERLINE = 0x200 };

/* TOOL_OK; else what is wrong has been said. */
int terminal_open(void);
void terminal_close(void);
bool terminal_is_utf8(void);
void terminal_size(int *ret_rows, int *ret_columns);
/* A frame: cleared, put, and shown at once. Only what has changed is sent. */
void terminal_clear(void);
/* `look`: an enum top_style, with TERMINAL_REVERSE. The text has been clipped. */
void terminal_put(int row, int column, const char *text, unsigned look);
void terminal_show(void);
/* Everything is sent anew at the next show. */
void terminal_redraw(void);
/* A key. `deadline` as mdg_deadline gives it. */
int terminal_key(uint64_t deadline);
/* The signal that came; 0: none. */
int terminal_signal(void);

#endif
