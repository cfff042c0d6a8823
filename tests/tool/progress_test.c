/* SPDX-License-Identifier: MIT */
/*
 * progress_test.c - the line of long work: on a terminal only, no wider than that, and erased.
 */
#include "support/check.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/progress.h"

enum { ENOUGH_MS = 1200 };

static void work(const char *what, uint64_t total)
{
	const struct timespec moment = { 0, 20000000 };
	for (unsigned i = 0; i < ENOUGH_MS / 20; i++) {
		progress_show(what, i, total);
		nanosleep(&moment, NULL);
	}
}

/* What comes out at the other end. */
static const char *said(int fd)
{
	static char text[20000];
	size_t length = 0;
	ssize_t got;
	while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	return text;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);
	return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static void on_terminal(void)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 30 };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		SKIP("there are no terminals here");
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC), before = dup(2);
	CHECK(slave >= 0 && ioctl(slave, TIOCSWINSZ, &size) == 0);
	dup2(slave, 2);
	progress_show("short", 0, 10);
	progress_end();
	bool is_silent = said(master)[0] == '\0';
	work("checking", 600);
	progress_end();
	const char *text = said(master);
	bool is_told = strstr(text, "\r\033[Kchecking: ") != NULL &&
	               strstr(text, " of 600 (") != NULL && strstr(text, "%), 0:0") != NULL;
	bool is_erased = ends_with(text, "\r\033[K");
	work("a name that is much longer than the terminal is wide", 0);
	progress_end();
	text = said(master);
	bool is_cut = strstr(text, "\r\033[Ka name that is much longer th\r\033[K") != NULL;
	dup2(before, 2);
	CHECK(is_silent);
	CHECK(is_told);
	CHECK(is_erased);
	CHECK(is_cut);
}

static void to_a_file(void)
{
	int ends[2], before = dup(2);
	CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
	dup2(ends[1], 2);
	work("checking", 600);
	progress_end();
	dup2(before, 2);
	CHECK(said(ends[0])[0] == '\0');
}

int main(void)
{
	on_terminal();
	to_a_file();
	return test_result();
}
