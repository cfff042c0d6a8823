/* SPDX-License-Identifier: MIT */
/* See terminal.h. */
#include "top/terminal.h"

#include <dlfcn.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>

/* ---- the library ------------------------------------------------------- */

/* clang-format off */
#define CALLS(F) \
	F(setupterm) F(tigetstr) F(set_curterm) F(del_curterm) F(newterm) F(endwin) \
	F(delscreen) F(cbreak) F(noecho) F(nonl) F(keypad) F(wtimeout) F(wgetch) \
	F(wmove) F(waddnstr) F(werase) F(wattrset) F(wnoutrefresh) F(doupdate) \
	F(has_colors) F(start_color) F(use_default_colors) F(init_pair) F(COLOR_PAIR) \
	F(curs_set) F(getmaxx) F(getmaxy) F(clearok) F(set_escdelay)
/* clang-format on */

#define POINTER(name) __typeof__(name) *(name);
static struct {
	CALLS(POINTER)
	WINDOW **window; /* stdscr */
	void *library;
	bool is_wide;
} curses;

static const struct {
	const char *name;
	size_t offset;
} calls[] = {
#define ROW(name) { #name, offsetof(__typeof__(curses), name) },
	CALLS(ROW){ "stdscr", offsetof(__typeof__(curses), window) },
};

static bool curses_open(void)
{
	curses.library = dlopen("libncursesw.so.6", RTLD_NOW | RTLD_LOCAL);
	curses.is_wide = curses.library != NULL;
	if (curses.library == NULL)
		curses.library = dlopen("libncurses.so.6", RTLD_NOW | RTLD_LOCAL);
	if (curses.library == NULL)
		return false;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		void *found = dlsym(curses.library, calls[i].name);
		if (found == NULL)
			return false;
		memcpy((char *)&curses + calls[i].offset, &found, sizeof found);
	}
	return true;
}

/* ---- signals ----------------------------------------------------------- */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
enum { ENDS = sizeof ends / sizeof ends[0] };
static struct sigaction usual[ENDS];
static sigset_t while_waiting; /* the mask of a wait; else the signals are blocked */
static volatile sig_atomic_t caught;

static void note(int number)
{
	caught = number;
}

/* ncurses leaves signals alone that have a handler. They come only during a wait for a key, so
 * none is overlooked. One that was ignored stays ignored, as nohup(1) wants it. */
static void catch_signals(void)
{
	struct sigaction action;
	sigset_t blocked;

	memset(&action, 0, sizeof action);
	action.sa_handler = note;
	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	for (int i = 0; i < ENDS; i++) {
		sigaction(ends[i], NULL, &usual[i]);
		if (usual[i].sa_handler == SIG_IGN)
			continue;
		sigaction(ends[i], &action, NULL);
		sigaddset(&blocked, ends[i]);
	}
	sigaddset(&blocked, SIGWINCH); /* these two have handlers of ncurses */
	sigaddset(&blocked, SIGTSTP);
	sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
}

static void release_signals(void)
{
	for (int i = 0; i < ENDS; i++)
		sigaction(ends[i], &usual[i], NULL);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
}

int terminal_signal(void)
{
	return caught;
}

/* ---- opening ----------------------------------------------------------- */

static SCREEN *screen;
static bool has_colours, shows_utf8;

static int complain_terminal(void)
{
	const char *term = getenv("TERM");
	char room[4 * SHOW_ROOM];

	if (term == NULL || term[0] == '\0')
		complain("TERM is not set, so nothing is known about this terminal");
	else
		complain("a terminal of the kind '%s' cannot show this, or is not known here",
		         show_text(room, sizeof room, term));
	advise("Set TERM to the kind of your terminal, such as xterm or vt100; or use "
	       "'madang top --once'.");
	return TOOL_TROUBLE;
}

/* Whether the cursor can be moved there. setupterm would end the program without its last
 * argument. */
static bool can_show(void)
{
	static char move[] = "cup"; /* for older ncurses, whose arguments are not const */
	const char *term = getenv("TERM");
	int error = 0;

	if (term == NULL || term[0] == '\0')
		return false;
	if (curses.setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return false;
	const char *found = curses.tigetstr(move);
	bool movable = found != NULL && found != (const char *)-1;
	curses.del_curterm(curses.set_curterm(NULL)); /* newterm makes one of its own */
	return movable;
}

static void choose_colours(void)
{
	const char *no = getenv("NO_COLOR");

	has_colours = (no == NULL || no[0] == '\0') && curses.has_colors() &&
	              curses.start_color() == OK && curses.use_default_colors() == OK;
	if (!has_colours)
		return;
	curses.init_pair(TOP_GOOD, COLOR_GREEN, -1);
	curses.init_pair(TOP_WARN, COLOR_YELLOW, -1);
	curses.init_pair(TOP_BAD, COLOR_RED, -1);
}

int terminal_open(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		complain("standard %s is not a terminal",
		         isatty(STDOUT_FILENO) ? "input" : "output");
		advise("'madang top --once' prints the tables for a script or a file.");
		return TOOL_TROUBLE;
	}
	if (!curses_open()) {
		complain("the library ncurses cannot be opened: %s", dlerror());
		advise("Install libncursesw6, or use 'madang top --once', which does without.");
		return TOOL_TROUBLE;
	}
	setlocale(LC_CTYPE, "");
	shows_utf8 = curses.is_wide && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (!can_show())
		return complain_terminal();
	catch_signals();
	screen = curses.newterm(NULL, stdout, stdin);
	if (screen == NULL) {
		release_signals();
		return complain_terminal();
	}
	curses.set_escdelay(50);
	curses.cbreak();
	curses.noecho();
	curses.nonl();
	curses.keypad(*curses.window, TRUE);
	curses.wtimeout(*curses.window, 0);
	curses.curs_set(0);
	choose_colours();
	return TOOL_OK;
}

void terminal_close(void)
{
	if (screen == NULL)
		return;
	curses.endwin();
	curses.delscreen(screen);
	screen = NULL;
	release_signals();
}

bool terminal_is_utf8(void)
{
	return shows_utf8;
}

/* ---- painting ---------------------------------------------------------- */

void terminal_size(int *ret_rows, int *ret_columns)
{
	*ret_rows = curses.getmaxy(*curses.window);
	*ret_columns = curses.getmaxx(*curses.window);
}

void terminal_clear(void)
{
	curses.werase(*curses.window);
}

void terminal_put(int row, int column, const char *text, unsigned look)
{
	unsigned style = look & 0xff, attributes = 0;

	if (look & TERMINAL_REVERSE)
		attributes |= (unsigned)A_REVERSE;
	if (look & TERMINAL_UNDERLINE)
		attributes |= (unsigned)A_UNDERLINE;
	if (style == TOP_STRONG || style == TOP_BAD)
		attributes |= (unsigned)A_BOLD;
	if (style == TOP_DIM)
		attributes |= (unsigned)A_DIM;
	if (has_colours && style >= TOP_GOOD)
		attributes |= (unsigned)curses.COLOR_PAIR((int)style);
	curses.wattrset(*curses.window, (int)attributes);
	curses.wmove(*curses.window, row, column);
	curses.waddnstr(*curses.window, text, -1);
}

void terminal_show(void)
{
	curses.wnoutrefresh(*curses.window);
	curses.doupdate();
}

void terminal_redraw(void)
{
	curses.clearok(*curses.window, TRUE);
}

/* ---- keys -------------------------------------------------------------- */

static int translate(int key)
{
	static const struct {
		int theirs, ours;
	} keys[] = {
		{ KEY_UP, TERMINAL_UP },         { KEY_DOWN, TERMINAL_DOWN },
		{ KEY_LEFT, TERMINAL_LEFT },     { KEY_RIGHT, TERMINAL_RIGHT },
		{ KEY_PPAGE, TERMINAL_PAGE_UP }, { KEY_NPAGE, TERMINAL_PAGE_DOWN },
		{ KEY_HOME, TERMINAL_HOME },     { KEY_END, TERMINAL_LAST },
		{ KEY_BTAB, TERMINAL_BACK_TAB }, { KEY_BACKSPACE, TERMINAL_ERASE },
		{ '\b', TERMINAL_ERASE },        { 127, TERMINAL_ERASE },
		{ KEY_ENTER, TERMINAL_ENTER },   { '\r', TERMINAL_ENTER },
		{ '\n', TERMINAL_ENTER },        { 27, TERMINAL_ESCAPE },
		{ KEY_RESIZE, TERMINAL_SIZE },
	};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].theirs == key)
			return keys[i].ours;
	return key;
}

/* The terminal has gone, or what it sends has ended. */
static bool has_gone(short events)
{
	return (events & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

int terminal_key(uint64_t deadline)
{
	for (;;) {
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
		uint64_t now = mdg_deadline(0), left = deadline > now ? deadline - now : 0;
		struct timespec wait = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
		/* A key, or a new size that the handler of ncurses has noted. */
		int key = curses.wgetch(*curses.window);
		if (key != ERR)
			return translate(key);
		int ready = ppoll(&input, 1, &wait, &while_waiting);
		if (caught != 0 || (ready > 0 && has_gone(input.revents)))
			return TERMINAL_END;
		if (ready == 0 && left == 0)
			return TERMINAL_NONE;
	}
}
