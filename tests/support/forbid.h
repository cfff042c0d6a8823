/* SPDX-License-Identifier: MIT */
/*
 * forbid.h - a system call that the kernel does not have, or refuses: from here on it fails in this
 * process and in its children, or kills the process.
 *
 * What <linux/filter.h> and <linux/seccomp.h> define is written out: not every C library comes with
 * them.
 */
#ifndef MADANG_TESTS_FORBID_H
#define MADANG_TESTS_FORBID_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* `answer`: what the filter says of the call. False: the kernel has no such filters. */
static inline bool forbid_call_by(uint32_t call, uint32_t answer)
{
	enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06, FILTER = 2 };
	const uint32_t allowed = UINT32_C(0x7fff0000);
	struct instruction {
		uint16_t code;
		uint8_t if_true, if_false;
		uint32_t k;
	} filter[] = {
		{ LOAD, 0, 0, 0 }, /* the number of the call */
		{ JUMP_IF_EQUAL, 0, 1, call },
		{ RETURN, 0, 0, answer },
		{ RETURN, 0, 0, allowed },
	};
	struct {
		unsigned short count;
		struct instruction *first;
	} program = { sizeof filter / sizeof filter[0], filter };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, FILTER, &program, 0, 0) == 0;
}

/* The call fails with this error. */
static inline bool forbid_call(uint32_t call, unsigned error)
{
	return forbid_call_by(call, UINT32_C(0x00050000) | error);
}

/* The thread that makes the call is killed. */
static inline bool forbid_call_by_death(uint32_t call)
{
	return forbid_call_by(call, 0);
}

#endif
