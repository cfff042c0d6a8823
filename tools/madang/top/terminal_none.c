/* SPDX-License-Identifier: MIT */
/* Takes the place of terminal.c where this was built without the headers of ncurses. */
#include "top/terminal.h"

int terminal_open(void)
{
	complain("this build of madang has no screen: it was made without ncurses");
	advise("'madang top --once' prints the same tables. To have the screen, install "
	       "libncurses-dev and build again.");
	return TOOL_TROUBLE;
}

/* Without a screen none of these is called. */
void terminal_close(void)
{
}

bool terminal_is_utf8(void)
{
	return false;
}

void terminal_size(int *ret_rows, int *ret_columns)
{
	*ret_rows = *ret_columns = 0;
}

void terminal_clear(void)
{
}

void terminal_put(int row, int column, const char *text, unsigned look)
{
	(void)row;
	(void)column;
	(void)text;
	(void)look;
}

void terminal_show(void)
{
}

void terminal_redraw(void)
{
}

int terminal_key(uint64_t deadline)
{
	(void)deadline;
	return TERMINAL_END;
}

int terminal_signal(void)
{
	return 0;
}
