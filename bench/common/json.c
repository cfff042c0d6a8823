/* SPDX-License-Identifier: MIT */
/*
 * json.c - writes JSON. It puts the commas, and quotes what has to be quoted. Nothing is read back.
 * The program never calls setlocale, so the decimal point is a point.
 *
 * A library such as json-c would save some forty lines here. But Debian does not
 * have it for musl, and not for 32-bit programs unless the system is set up for
 * their packages. Those builds of the program could then write no JSON.
 */
#include "bench/common/json.h"

static void put_text(struct json *json, const char *text)
{
	fputc('"', json->out);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(json->out, "\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			fprintf(json->out, "\\u%04x", byte);
		else
			fputc(byte, json->out);
	}
	fputc('"', json->out);
}

void json_next(struct json *json, const char *name)
{
	if (!json->first)
		fputc(',', json->out);
	if (json->depth > 0)
		fprintf(json->out, "\n%*s", json->depth * 2, "");
	json->first = false;
	if (name != NULL) {
		put_text(json, name);
		fputs(": ", json->out);
	}
}

void json_open(struct json *json, const char *name, char bracket)
{
	json_next(json, name);
	fputc(bracket, json->out);
	json->depth++;
	json->first = true;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	fprintf(json->out, "\n%*s%c", json->depth * 2, "", bracket);
	json->first = false;
}

void json_text(struct json *json, const char *name, const char *value)
{
	json_next(json, name);
	put_text(json, value);
}

void json_number(struct json *json, const char *name, double value)
{
	json_next(json, name);
	fprintf(json->out, "%.10g", value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	json_next(json, name);
	fputs(value ? "true" : "false", json->out);
}

void json_spread(struct json *json, const char *name, const struct spread *spread)
{
	json_next(json, name);
	if (spread->count == 0)
		fputs("null", json->out);
	else
		fprintf(json->out,
		        "{\"median\": %.10g, \"p10\": %.10g, \"p90\": %.10g, \"samples\": %u}",
		        spread->median, spread->low, spread->high, spread->count);
}
