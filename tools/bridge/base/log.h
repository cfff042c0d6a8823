/* SPDX-License-Identifier: MIT */
/*
 * log.h - the log of the bridge: one line an event, on standard error.
 *
 *     2026-11-30T23:28:01.123Z info connected url=nats://127.0.0.1:4222 server=2.9.10
 *
 * A line has the time, the level, the name of the event, and words KEY=VALUE. A value with blanks
 * stands in quotation marks. What %s brings cannot leave its marks or its line: `"` and `\` have a
 * backslash before them, and control bytes are shown as \xNN. Any thread may write.
 */
#ifndef BRIDGE_BASE_LOG_H
#define BRIDGE_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

/* What is less important than this is not written. LOG_INFO at first. */
void log_set_level(enum log_level level);
/* "error", "warn", "info" or "debug"; -1: it is none of them. */
int log_level_of(const char *word);

/* `event` is a word with hyphens. The rest is the line's words, as for printf: %s, and
 * numbers without width or precision. */
void log_event(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
