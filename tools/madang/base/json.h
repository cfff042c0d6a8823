/* SPDX-License-Identifier: MIT */
/*
 * json.h - writes JSON (RFC 8259) to a stdio stream, one value after another.
 *
 * The caller opens and closes objects and arrays in pairs; commas, line ends and indentation come
 * by themselves. `key` is NULL inside an array and at the top. Errors of the stream are left for
 * ferror.
 *
 * Strings may hold any bytes, because names are chosen by others and the output may go to a
 * terminal. Control characters are escaped, those from U+0080 to U+009F among them, and each byte
 * that is no part of valid UTF-8 becomes U+FFFD. No library that we know does this: json-c writes
 * all of it as it is, and jansson refuses what is not UTF-8 and has no unsigned 64-bit numbers.
 * With either, the strings would still be our work, a whole document would have to fit in memory,
 * and there would be no tool where the library is not: musl, 32 bits, other processors.
 */
#ifndef MADANG_TOOL_JSON_H
#define MADANG_TOOL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 8 /* as deep as the tool's documents ever go */

struct json {
	FILE *out;
	unsigned depth;
	bool filled[JSON_DEPTH + 1]; /* whether the level has a member already */
};

void json_begin(struct json *json, FILE *out);
void json_end(struct json *json);                                 /* the final line end */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);                 /* '}' or ']' */
void json_string(struct json *json, const char *key, const char *text);
void json_null(struct json *json, const char *key);
void json_bool(struct json *json, const char *key, bool value);
void json_signed(struct json *json, const char *key, int64_t number);
void json_unsigned(struct json *json, const char *key, uint64_t number);

/* A document, on standard output: an object that begins with the version of its shape. docs/json.md
 * says when the version changes. Each field of each document is described in docs/json. */
enum { JSON_VERSION = 1 };
void json_begin_document(struct json *json);
/* A listing of a namespace, on standard output: an object that begins with an object "namespace".
 * The latter is left open for more members. */
void json_begin_listing(struct json *json, const char *path, bool exists);

#endif
