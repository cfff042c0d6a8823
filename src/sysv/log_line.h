/* SPDX-License-Identifier: MIT */
/*
 * log_line.h - builds a line of the log of calls, in memory of the caller's.
 *
 * What is too long is cut, and "..." stands in its place. The end of a line, with the result, is
 * never cut.
 */
#ifndef MADANG_SYSV_LOG_LINE_H
#define MADANG_SYSV_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pipe takes this many bytes in one piece. */
enum { MDG__LINE_ROOM = 1024, MDG__LINE_END = 200 };

struct mdg__line {
	size_t used, limit;
	bool is_cut;
	/* A newline, which is written only if what came before was torn off; then the line. */
	char text[MDG__LINE_ROOM];
};

/* "PID 12:34:56.123456 ", or "PID/TID ..." in a thread that is not the first. UTC. */
void mdg__line_begin(struct mdg__line *line, uint64_t realtime);
/* What follows has the room that was kept for the end. */
void mdg__line_begin_end(struct mdg__line *line);

void mdg__line_text(struct mdg__line *line, const char *text);
void mdg__line_signed(struct mdg__line *line, int64_t value);
/* At least so many digits; base 8, 10 or 16. */
void mdg__line_unsigned(struct mdg__line *line, uint64_t value, unsigned base, int digits);
void mdg__line_hex(struct mdg__line *line, uint64_t value); /* with 0x */
/* "NULL", or the address. */
void mdg__line_pointer(struct mdg__line *line, uintptr_t address);
/* In quotes, as C writes it. Beyond 32 bytes "..." follows. */
void mdg__line_bytes(struct mdg__line *line, const void *bytes, size_t size);
/* "NAME=", after ", " if it is not the first. */
void mdg__line_field(struct mdg__line *line, const char *name, bool is_first);

struct mdg__flag {
	uint32_t bit;
	const char *name; /* NULL: the end */
};
/* The flags joined by '|', and the rest of the bits in hexadecimal. True: there was something. */
bool mdg__line_flags(struct mdg__line *line, uint32_t value, const struct mdg__flag *flags);
/* The same, and then the nine bits of a mode in octal. */
void mdg__line_mode(struct mdg__line *line, uint32_t value, const struct mdg__flag *flags);
/* The name of a command, or its number. */
void mdg__line_command(struct mdg__line *line, int command, const struct mdg__flag *names);

#endif
