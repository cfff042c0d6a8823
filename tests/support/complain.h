/* SPDX-License-Identifier: MIT */
/*
 * complain.h - for tests with many processes, of which some are killed: what goes wrong in one of
 * them is counted in memory that all share, and said with what is being played just then. The
 * program brings complain().
 */
#ifndef MADANG_TESTS_COMPLAIN_H
#define MADANG_TESTS_COMPLAIN_H

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define MUST(expression)                                                                           \
	do {                                                                                       \
		if (!(expression))                                                                 \
			complain("%s:%d: does not hold: %s", __FILE__, __LINE__, #expression);     \
	} while (0)

#endif
