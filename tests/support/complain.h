/* SPDX-License-Identifier: MIT */
/*
 * complain.h - for tests with many processes, some of which are killed.
 *
 * When something goes wrong in one of the processes, it is counted in memory that all of them
 * share. The message also says what the test is doing at that moment. The program defines
 * complain().
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
