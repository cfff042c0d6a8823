/* SPDX-License-Identifier: MIT */
/*
 * code.h - CHECK_RC, for calls of the native interface: which code they give, and which was wanted.
 */
#ifndef MADANG_TESTS_CODE_H
#define MADANG_TESTS_CODE_H

#include "support/check.h"

#include "madang/base.h"

/* The call gives this code. */
#define CHECK_RC(wanted, call) check_code((wanted), (call), #call, #wanted, __FILE__, __LINE__)

static inline bool check_code(int wanted, int got, const char *call, const char *name,
                              const char *file, int line)
{
	if (got != wanted) {
		check_failures++;
		fprintf(stderr, "%s:%d: %s gave %d (%s), not %s\n", file, line, call, got,
		        mdg_strerror(got), name);
	}
	return got == wanted;
}

#endif
