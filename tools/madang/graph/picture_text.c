/* SPDX-License-Identifier: MIT */
/*
 * picture_text.c - names and commands, which others choose, made safe for people, DOT and XML.
 *
 * First picture_text makes a text that a person can read and nobody can misread. Then put_dot and
 * put_xml write it in the language of the file.
 */
#include "graph/picture.h"

#include <stdio.h>
#include <string.h>

/* ---- for people ------------------------------------------------------- */

/* For text of which a part has been through show_text, and may have been cut. */
static void escape_unfit(char *room, size_t size, const char *shown)
{
	size_t used = 0;

	while (*shown != '\0' && used + sizeof "\\u{10ffff}" < size) {
		size_t length = utf8_length(shown);
		if (length == 0) /* cut off */
			break;
		unsigned point = utf8_point(shown, length);
		if (is_unfit(point)) {
			used += (size_t)snprintf(room + used, size - used, "\\u{%x}", point);
		} else {
			memcpy(room + used, shown, length);
			used += length;
		}
		shown += length;
	}
	room[used] = '\0';
}

void picture_cut(char *text, size_t columns)
{
	static const char ellipsis[] = "\xE2\x80\xA6";

	if (show_width(text) <= columns)
		return;
	size_t kept = 0;
	while (text[kept] != '\0') {
		size_t length = utf8_length(text + kept);
		char next = text[kept + length];
		text[kept + length] = '\0';
		bool fits = show_width(text) < columns;
		text[kept + length] = next;
		if (!fits)
			break;
		kept += length;
	}
	memcpy(text + kept, ellipsis, sizeof ellipsis);
}

char *picture_text(char room[TEXT_ROOM], const char *raw, size_t columns)
{
	show_text(room, TEXT_ROOM - sizeof "...", raw);
	if (columns > 0)
		picture_cut(room, columns);
	return room;
}

char *picture_fit_text(char room[TEXT_ROOM], const char *shown)
{
	escape_unfit(room, TEXT_ROOM, shown);
	return room;
}

char *picture_label(char room[TEXT_ROOM], const char *what, mdg_id id, int32_t key,
                    const char *name, size_t columns)
{
	char text[TEXT_ROOM];

	if (name[0] != '\0')
		snprintf(room, TEXT_ROOM, "\"%.*s\"", TEXT_ROOM - 3,
		         picture_text(text, name, columns));
	else if (key != 0)
		snprintf(room, TEXT_ROOM, "0x%08x", (unsigned)key);
	else
		snprintf(room, TEXT_ROOM, "%s %d", what, (int)id);
	return room;
}

char *show_rate(char room[SHOW_ROOM], double rate)
{
	char digits[SHOW_ROOM];
	size_t used = 0;

	if (rate < 10 && rate > 0) {
		snprintf(room, SHOW_ROOM, "%.1f/s", rate);
		return room;
	}
	int length = snprintf(digits, sizeof digits, "%.0f", rate);
	for (int i = 0; i < length && used < SHOW_ROOM - 5; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			room[used++] = ',';
		room[used++] = digits[i];
	}
	memcpy(room + used, "/s", sizeof "/s");
	return room;
}

/* ---- for files -------------------------------------------------------- */

/* In DOT a backslash begins an escape, and so does an ampersand, as in HTML. */
void put_dot(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '\\' || *text == '"')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
}

void put_xml(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if (*text == '\'')
			fputs("&#39;", out);
		else
			fputc(*text, out);
}
