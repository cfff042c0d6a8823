/* SPDX-License-Identifier: MIT */
/*
 * json.h - a small emitter of JSON: commas, quotes, levels (json.c).
 */
#ifndef MADANG_BENCH_JSON_H
#define MADANG_BENCH_JSON_H

#include "bench/common/bench.h"

struct json {
	FILE *out;
	int depth;
	bool first; /* nothing stands yet in the innermost object or array */
};

/* Comma, new line, and the name when it is a member of an object; NULL: of an array. */
void json_next(struct json *json, const char *name);

/* An object or an array: '{' and '}', or '[' and ']'. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);

void json_text(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, double value);
void json_bool(struct json *json, const char *name, bool value);
/* On one line: there are many. One without samples is null. */
void json_spread(struct json *json, const char *name, const struct spread *spread);

#endif
