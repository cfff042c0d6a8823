/* SPDX-License-Identifier: MIT */
/*
 * token.c - writes and reads tokens. Reading is strict, because tokens come from the network.
 */
#include <string.h>

#include "base/token.h"

static const char digits[] = "0123456789abcdef";

static bool stays(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

int token_make(char *ret, size_t room, const char *name)
{
	size_t n = 0;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (n + (stays(*name) ? 1 : 3) >= room)
			return -1;
		if (stays(*name)) {
			ret[n++] = *name;
		} else {
			ret[n++] = '=';
			ret[n++] = digits[c >> 4];
			ret[n++] = digits[c & 15];
		}
	}
	if (n == 0)
		return -1;
	ret[n] = '\0';
	return 0;
}

static int digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int token_name(char *ret, size_t room, const char *token, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		char c = token[i];

		if (n + 1 >= room)
			return -1;
		if (c == '=') {
			int high = i + 2 < length ? digit(token[i + 1]) : -1;
			int low = i + 2 < length ? digit(token[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			if (c == '\0' || stays(c))
				return -1;
			i += 2;
		} else if (!stays(c)) {
			return -1;
		}
		ret[n++] = c;
	}
	if (n == 0)
		return -1;
	ret[n] = '\0';
	return 0;
}
