/* SPDX-License-Identifier: MIT */
/*
 * pattern.c - whether a name fits a pattern, without recursion.
 */
#include "rules/pattern.h"

#include <stddef.h>

/* The byte that the pattern wants at `at`, and where the pattern goes on. */
static char wanted(const char *at, const char **ret_next)
{
	if (at[0] == '\\' && at[1] != '\0')
		at++;
	*ret_next = at + 1;
	return *at;
}

bool pattern_fits(const char *pattern, const char *name)
{
	const char *star = NULL, *from = NULL; /* behind the last star; where its bytes end */

	for (;;) {
		const char *next;
		if (*pattern == '*') {
			star = ++pattern;
			from = name;
			continue;
		}
		if (*name == '\0' && *pattern == '\0')
			return true;
		if (*name != '\0' && *pattern == '?') {
			pattern++;
			name++;
		} else if (*name != '\0' && *pattern != '\0' && wanted(pattern, &next) == *name) {
			pattern = next;
			name++;
		} else if (star != NULL && *from != '\0') { /* the star takes one byte more */
			pattern = star;
			name = ++from;
		} else {
			return false;
		}
	}
}

bool pattern_is_pattern(const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '*' || *pattern == '?')
			return true;
		if (pattern[0] == '\\' && pattern[1] != '\0')
			pattern++;
	}
	return false;
}

void pattern_to_name(char *pattern)
{
	char *to = pattern;

	while (*pattern != '\0') {
		const char *next;
		*to++ = wanted(pattern, &next);
		pattern += next - pattern;
	}
	*to = '\0';
}
