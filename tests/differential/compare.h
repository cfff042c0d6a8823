/* SPDX-License-Identifier: MIT */
/*
 * compare.h - two runs of one program, on the kernel and on Madang, compared.
 */
#ifndef MADANG_TESTS_DIFFERENTIAL_COMPARE_H
#define MADANG_TESTS_DIFFERENTIAL_COMPARE_H

#include "differential/world.h"

struct difference {
	uint32_t step;     /* op_count: after the last one, with every actor dead */
	uint8_t kind;      /* enum op_kind of that step; OP_KINDS after the last */
	const char *field; /* what differs */
	int64_t kernel, madang;
	bool ended_early;
	char where[80]; /* of what: which slot, page, ... */
};

/* True: they differ, and *ret_difference is the first difference. */
bool compare(const struct world *kernel, const struct world *madang,
             struct difference *ret_difference);

/* The same bug, as far as can be told without understanding it. */
bool difference_alike(const struct difference *one, const struct difference *other);

#endif
