/* SPDX-License-Identifier: MIT */
/*
 * token.h - names as parts of subjects, streams and keys of NATS.
 *
 * Letters, digits, `-` and `_` stay. Every other byte becomes `=` and two hexadecimal digits, so a
 * token has no `.`, `*`, `>`, blank or control byte, and stands for one name alone.
 */
#ifndef BRIDGE_BASE_TOKEN_H
#define BRIDGE_BASE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum { TOKEN_ROOM = 3 * 63 + 1 };

/* 0, or -1: the name is empty, or there is no room. */
int token_make(char *ret, size_t room, const char *name);
/* Back. Only what token_make makes is taken: else -1, and *ret has nothing of use. */
int token_name(char *ret, size_t room, const char *token, size_t length);

#endif
