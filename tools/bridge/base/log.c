/* SPDX-License-Identifier: MIT */
/*
 * log.c - writes each line of the log with one write, so that lines of threads do not mix.
 *
 * What the format says itself is written as it is. What %s brings is a value, and may come from
 * anywhere: so it is escaped while it is put in its place. For this, the format is read here.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { LINE_MAX_BYTES = 2048, LONGEST_BYTE = 5 };

struct line {
	char text[LINE_MAX_BYTES];
	size_t length;
};

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

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f || (c >= 0x80 && c <= 0x9f);
}

/* A byte that could leave the line, or move a terminal's cursor, is shown in hex; and in a value,
 * those that could end it have a backslash before them. */
static void put_byte(struct line *line, char byte, bool is_value)
{
	unsigned char c = (unsigned char)byte;
	char *to = line->text + line->length;
	size_t room = sizeof line->text - line->length;

	if (room <= LONGEST_BYTE + 1)
		return;
	if (is_control(c))
		line->length += (size_t)snprintf(to, room, "\\x%02x", c);
	else if (is_value && (c == '"' || c == '\\'))
		line->length += (size_t)snprintf(to, room, "\\%c", c);
	else
		line->text[line->length++] = byte;
}

static void put(struct line *line, const char *text, bool is_value)
{
	while (*text)
		put_byte(line, *text++, is_value);
}

/* The numbers that the bridge writes: %d %i %u %ld %lu %lld %llu %zu. Returns what is behind. */
static const char *put_number(struct line *line, const char *at, va_list *arguments)
{
	char digits[24];
	int longs = 0;

	for (; *at == 'l' || *at == 'z'; at++)
		longs += *at == 'l' || sizeof(size_t) > sizeof(unsigned);
	if (*at == 'u') {
		uint64_t value = longs > 1   ? va_arg(*arguments, unsigned long long)
		                 : longs > 0 ? va_arg(*arguments, unsigned long)
		                             : va_arg(*arguments, unsigned);

		(void)snprintf(digits, sizeof digits, "%" PRIu64, value);
	} else {
		int64_t value = longs > 1   ? va_arg(*arguments, long long)
		                : longs > 0 ? va_arg(*arguments, long)
		                            : va_arg(*arguments, int);

		(void)snprintf(digits, sizeof digits, "%" PRId64, value);
	}
	put(line, digits, true);
	return *at ? at + 1 : at;
}

static void put_all(struct line *line, const char *format, va_list *arguments)
{
	while (*format) {
		if (*format != '%' || *++format == '%') {
			put_byte(line, *format++, false);
		} else if (*format == 's') {
			const char *value = va_arg(*arguments, const char *);

			put(line, value ? value : "", true);
			format++;
		} else {
			format = put_number(line, format, arguments);
		}
	}
}

static void put_head(struct line *line, enum log_level level, const char *event)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(line->text, sizeof line->text, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line->text + n, sizeof line->text - n, ".%03dZ %s %.64s ",
	                      (int)(now.tv_nsec / 1000000), words[level], event);
	line->length = n;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
	struct line line;
	va_list arguments;

	if ((int)level > atomic_load(&limit))
		return;
	put_head(&line, level, event);
	va_start(arguments, format);
	put_all(&line, format, &arguments);
	va_end(arguments);
	while (line.length > 0 && line.text[line.length - 1] == ' ')
		line.length--;
	line.text[line.length++] = '\n';
	(void)!write(STDERR_FILENO, line.text, line.length);
}
