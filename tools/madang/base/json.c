/* SPDX-License-Identifier: MIT */
/*
 * json.c - see json.h.
 *
 * Numbers are written in full. 64-bit ones may exceed 2^53, which readers that keep every number
 * as a double round; that is theirs to know (RFC 8259, section 6).
 */
#include "base/json.h"

#include <inttypes.h>

#include "base/text.h"

static void put_string(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text != '\0') {
		unsigned char c = (unsigned char)*text;
		size_t length = utf8_length(text);
		if (length == 0) {
			fputs("\\ufffd", out);
			text++;
		} else if (c == 0xC2 && (unsigned char)text[1] < 0xA0) {
			fprintf(out, "\\u%04x", (unsigned)(unsigned char)text[1]); /* C1 control */
			text += 2;
		} else if (length > 1) {
			fwrite(text, 1, length, out);
			text += length;
		} else {
			if (c == '"' || c == '\\')
				fprintf(out, "\\%c", c);
			else if (c < 0x20 || c == 0x7F)
				fprintf(out, "\\u%04x", c);
			else
				fputc(c, out);
			text++;
		}
	}
	fputc('"', out);
}

/* What stands before a value: comma, line end, indentation, key. */
static void put_lead(struct json *json, const char *key)
{
	if (json->depth > 0) {
		fputs(json->filled[json->depth] ? ",\n" : "\n", json->out);
		for (unsigned i = 0; i < json->depth; i++)
			fputs("  ", json->out);
	}
	json->filled[json->depth] = true;
	if (key != NULL) {
		put_string(json->out, key);
		fputs(": ", json->out);
	}
}

void json_begin(struct json *json, FILE *out)
{
	json->out = out;
	json->depth = 0;
	json->filled[0] = false;
}

void json_end(struct json *json)
{
	fputc('\n', json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
	put_lead(json, key);
	fputc(bracket, json->out);
	if (json->depth < JSON_DEPTH)
		json->depth++;
	json->filled[json->depth] = false;
}

void json_close(struct json *json, char bracket)
{
	bool filled = json->filled[json->depth];
	if (json->depth > 0)
		json->depth--;
	if (filled) {
		fputc('\n', json->out);
		for (unsigned i = 0; i < json->depth; i++)
			fputs("  ", json->out);
	}
	fputc(bracket, json->out);
}

void json_string(struct json *json, const char *key, const char *text)
{
	put_lead(json, key);
	put_string(json->out, text);
}

void json_null(struct json *json, const char *key)
{
	put_lead(json, key);
	fputs("null", json->out);
}

void json_bool(struct json *json, const char *key, bool value)
{
	put_lead(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_signed(struct json *json, const char *key, int64_t number)
{
	put_lead(json, key);
	fprintf(json->out, "%" PRId64, number);
}

void json_unsigned(struct json *json, const char *key, uint64_t number)
{
	put_lead(json, key);
	fprintf(json->out, "%" PRIu64, number);
}

void json_begin_document(struct json *json)
{
	json_begin(json, stdout);
	json_open(json, NULL, '{');
	json_unsigned(json, "version", JSON_VERSION);
}

void json_begin_listing(struct json *json, const char *path, bool exists)
{
	json_begin_document(json);
	json_open(json, "namespace", '{');
	json_string(json, "path", path);
	json_bool(json, "exists", exists);
}
