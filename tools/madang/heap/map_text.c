/* SPDX-License-Identifier: MIT */
/*
 * map_text.c - keys and values, which may be any bytes, as people and shells write them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/map.h"

/* ---- reading ---------------------------------------------------------- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int)((found - digits) % 16);
}

unsigned char *map_read_word(const char *word, bool escaped, size_t *ret_length)
{
	size_t length = 0;
	unsigned char *bytes = malloc(strlen(word) + 1);

	if (bytes == NULL) {
		complain("%s", strerror(ENOMEM));
		return NULL;
	}
	for (const char *at = word; *at != '\0';) {
		if (!escaped || *at != '\\') {
			bytes[length++] = (unsigned char)*at++;
			continue;
		}
		int high = at[1] == 'x' ? hex_digit(at[2]) : -1;
		int low = high < 0 ? -1 : hex_digit(at[3]);
		if (low < 0) {
			(void)usage_error("behind a backslash, --escaped wants x and two "
			                  "hexadecimal digits; a backslash itself is \\x5c");
			free(bytes);
			return NULL;
		}
		bytes[length++] = (unsigned char)(high << 4 | low);
		at += 4;
	}
	bytes[length] = '\0';
	*ret_length = length;
	return bytes;
}

unsigned char *map_read_input(size_t most, size_t *ret_length)
{
	unsigned char *bytes = NULL;
	size_t length = 0, room = 0;

	while (!feof(stdin) && !ferror(stdin) && length <= most) {
		if (length + 1 >= room) {
			room = room == 0 ? 65536 : 2 * room;
			unsigned char *more = realloc(bytes, room);
			if (more == NULL) {
				free(bytes);
				complain("cannot read the value: %s", strerror(ENOMEM));
				return NULL;
			}
			bytes = more;
		}
		length += fread(bytes + length, 1, room - length - 1, stdin);
	}
	if (!ferror(stdin) && length <= most && bytes != NULL) {
		bytes[length] = '\0';
		*ret_length = length;
		return bytes;
	}
	if (ferror(stdin))
		complain("cannot read the value from standard input: %s", strerror(errno));
	else
		complain("a value has at most %zu bytes, and standard input has more", most);
	free(bytes);
	return NULL;
}

/* ---- showing ---------------------------------------------------------- */

/* One character, or one byte that is none, made safe. Returns how many bytes that was. */
static size_t show_one(char room[4 * 4 + 1], const unsigned char *bytes)
{
	char one[5] = "";
	size_t length = *bytes == '\0' ? 0 : utf8_length((const char *)bytes);

	if (*bytes == '\0') {
		memcpy(room, "\\x00", 5);
		return 1;
	}
	length = length == 0 ? 1 : length;
	memcpy(one, bytes, length);
	show_text(room, 4 * 4 + 1, one);
	return length;
}

void map_print_text(FILE *out, const unsigned char *bytes, size_t length, bool lines)
{
	for (size_t i = 0; i < length;) {
		char room[4 * 4 + 1];
		if ((bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\') ||
		    (lines && (bytes[i] == '\n' || bytes[i] == '\t'))) {
			putc(bytes[i++], out);
			continue;
		}
		i += show_one(room, bytes + i);
		fputs(room, out);
	}
}

char *map_show_key(char room[MAP_KEY_ROOM], const unsigned char *key, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length;) {
		char one[4 * 4 + 1];
		i += show_one(one, key + i);
		if (used + strlen(one) + 4 > MAP_KEY_ROOM) {
			memcpy(room + used, "...", 3);
			used += 3;
			break;
		}
		memcpy(room + used, one, strlen(one));
		used += strlen(one);
	}
	room[used] = '\0';
	return room;
}

bool map_is_text(const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t one = bytes[i] == '\0' ? 0 : utf8_length((const char *)bytes + i);
		if (one == 0)
			return false;
		i += one;
	}
	return true;
}

void map_json_bytes(struct json *json, const char *name, const unsigned char *bytes, size_t length)
{
	char hex_name[32];

	if (map_is_text(bytes, length)) {
		json_string(json, name, (const char *)bytes);
		return;
	}
	char *digits = malloc(2 * length + 1);
	for (size_t i = 0; digits != NULL && i < length; i++)
		snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	snprintf(hex_name, sizeof hex_name, "%s_hex", name);
	if (digits != NULL)
		json_string(json, hex_name, digits);
	else
		json_null(json, hex_name);
	free(digits);
}
