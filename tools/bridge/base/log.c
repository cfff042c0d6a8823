/* SPDX-License-Identifier: MIT */
/*
 * log.c - writes each line of the log with one write, so that lines of threads do not mix.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { LINE_MAX_BYTES = 2048 };

static const char *const words[LOG_LEVELS] = { "error", "warn", "info", "debug" };
static atomic_int limit = LOG_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&limit, (int)level);
}

int log_level_of(const char *word)
{
	for (int i = 0; i < LOG_LEVELS; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -1;
}

/* Copies text; a byte that could leave the line, or move a terminal's cursor, is shown in hex. */
static size_t escaped(char *to, size_t room, const char *from)
{
	size_t n = 0;

	for (; *from && n + 5 < room; from++) {
		unsigned char c = (unsigned char)*from;

		if (c >= 0x20 && c != 0x7f && (c < 0x80 || c > 0x9f)) {
			to[n++] = *from;
		} else {
			(void)snprintf(to + n, 5, "\\x%02x", c);
			n += 4;
		}
	}
	return n;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
	char body[LINE_MAX_BYTES / 2], line[LINE_MAX_BYTES];
	struct timespec now;
	struct tm tm;
	va_list arguments;
	size_t n;

	if ((int)level > atomic_load(&limit))
		return;
	va_start(arguments, format);
	(void)vsnprintf(body, sizeof body, format, arguments);
	va_end(arguments);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, sizeof line - n, ".%03dZ %s %.64s ",
	                      (int)(now.tv_nsec / 1000000), words[level], event);
	n += escaped(line + n, sizeof line - n - 1, body);
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
}
