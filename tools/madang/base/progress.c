/* SPDX-License-Identifier: MIT */
/* See progress.h. */
#include "base/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 500, AGAIN_MS = 200, ROOM = 256 };

static uint64_t began, shown_last; /* ms; 0: not yet */
static bool is_shown;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

/* The line may not be wrapped: then only a part of it could be erased. */
static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static void put(const char *what, uint64_t done, uint64_t total, uint64_t ms)
{
	char line[ROOM], far[64] = "";
	size_t most = columns() - 1;

	if (total != 0)
		snprintf(far, sizeof far, ": %" PRIu64 " of %" PRIu64 " (%.0f%%)", done, total,
		         100.0 * (double)done / (double)total);
	snprintf(line, sizeof line, "%s%s, %" PRIu64 ":%02" PRIu64, what, far, ms / 60000,
	         ms / 1000 % 60);
	if (most < sizeof line)
		line[most] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
}

static void show(const char *what, uint64_t done, uint64_t total, bool at_once)
{
	int before = errno;
	uint64_t now = now_ms();

	if (began == 0)
		began = now;
	if ((at_once || (now - began >= FIRST_MS && now - shown_last >= AGAIN_MS)) &&
	    isatty(STDERR_FILENO)) {
		put(what, done, total, now - began);
		shown_last = now;
		is_shown = true;
	}
	errno = before;
}

void progress_show(const char *what, uint64_t done, uint64_t total)
{
	show(what, done, total, false);
}

void progress_step(const char *what, uint64_t done, uint64_t total)
{
	show(what, done, total, true);
}

void progress_end(void)
{
	if (is_shown) {
		fprintf(stderr, "\r\033[K");
		fflush(stderr);
	}
	is_shown = false;
	began = shown_last = 0;
}
