/* SPDX-License-Identifier: MIT */
/*
 * pattern.h - names and patterns of names: `*` is any bytes, `?` one, a backslash quotes the next.
 */
#ifndef BRIDGE_RULES_PATTERN_H
#define BRIDGE_RULES_PATTERN_H

#include <stdbool.h>

/* Takes at most length times length steps. */
bool pattern_fits(const char *pattern, const char *name);
/* Whether it has a `*` or `?` that means something. */
bool pattern_is_pattern(const char *pattern);
/* Takes the backslashes out of one that is no pattern; in place. */
void pattern_to_name(char *pattern);

#endif
