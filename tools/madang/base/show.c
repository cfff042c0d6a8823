/* SPDX-License-Identifier: MIT */
/*
 * show.c - sizes, ages, users, commands, kinds of channels and foreign text in a form for people.
 *
 * Names of segments and commands of processes are chosen by others, so they are escaped before a
 * terminal sees them. Users are looked up once each: a list of 4,096 segments asks the user
 * database as often as there are different owners.
 */
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "madang/channel.h"

enum { SHOW_PIECE = 16 }; /* the longest is \u{10ffff} */

char *show_size(char room[SHOW_ROOM], uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	unsigned unit = 0;
	uint64_t whole = bytes;
	uint64_t rest = 0;

	if (bytes < 1024) {
		snprintf(room, SHOW_ROOM, "%u", (unsigned)bytes);
		return room;
	}
	while (whole >= 1024) {
		rest = whole % 1024;
		whole /= 1024;
		unit++;
	}
	/* Cut, not rounded: what is shown as 64M is at least 64M, and 1023.9K stays below 1M. */
	if (whole < 10)
		snprintf(room, SHOW_ROOM, "%u.%u%c", (unsigned)whole, (unsigned)(rest * 10 / 1024),
		         units[unit - 1]);
	else
		snprintf(room, SHOW_ROOM, "%u%c", (unsigned)whole, units[unit - 1]);
	return room;
}

char *show_bytes(char room[SHOW_ROOM], uint64_t bytes)
{
	if (bytes >= 1024)
		return show_size(room, bytes);
	snprintf(room, SHOW_ROOM, "%u byte%s", (unsigned)bytes, bytes == 1 ? "" : "s");
	return room;
}

char *show_age(char room[SHOW_ROOM], int64_t now, int64_t then)
{
	/* A clock that was set back must not show a negative age. */
	uint64_t seconds = then > 0 && now > then ? (uint64_t)(now - then) : 0;

	if (then == 0)
		snprintf(room, SHOW_ROOM, "-");
	else if (seconds < 60)
		snprintf(room, SHOW_ROOM, "%us", (unsigned)seconds);
	else if (seconds < 3600)
		snprintf(room, SHOW_ROOM, "%um", (unsigned)(seconds / 60));
	else if (seconds < 86400)
		snprintf(room, SHOW_ROOM, "%uh", (unsigned)(seconds / 3600));
	else
		snprintf(room, SHOW_ROOM, "%llud", (unsigned long long)(seconds / 86400));
	return room;
}

char *show_user(char room[SHOW_ROOM], uint32_t uid)
{
	static struct {
		uint32_t uid;
		char name[SHOW_ROOM];
	} known[64];
	static unsigned used;
	unsigned i;

	for (i = 0; i < used; i++)
		if (known[i].uid == uid)
			break;
	if (i == used) {
		/* Full: the last place is used over and over; slower, never wrong. */
		i = used < 64 ? used++ : 63;
		const struct passwd *user = getpwuid((uid_t)uid);
		known[i].uid = uid;
		if (user != NULL && user->pw_name[0] != '\0')
			snprintf(known[i].name, SHOW_ROOM, "%.40s", user->pw_name);
		else
			snprintf(known[i].name, SHOW_ROOM, "%u", uid);
	}
	memcpy(room, known[i].name, SHOW_ROOM);
	return room;
}

char *show_command(char room[SHOW_ROOM], int32_t pid)
{
	ssize_t length = -1;

	if (pid > 0) {
		char path[SHOW_ROOM];
		snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			length = read(fd, room, SHOW_ROOM - 1);
			close(fd);
		}
	}
	while (length > 0 && room[length - 1] == '\n')
		length--;
	if (length <= 0) {
		strcpy(room, "?");
		return room;
	}
	room[length] = '\0';
	return room;
}

size_t utf8_length(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned low = 0x80, high = 0xBF; /* what the second byte may be */
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		length = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		length = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		length = 4;
	else
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0; /* shorter forms exist */
	else if (p[0] == 0xED)
		high = 0x9F; /* surrogates */
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F; /* beyond U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (p[i] < 0x80 || p[i] > 0xBF)
			return 0;
	return length;
}

unsigned utf8_point(const char *text, size_t length)
{
	static const unsigned char first_bits[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	unsigned point = (unsigned char)text[0] & (unsigned)first_bits[length];

	for (size_t i = 1; i < length; i++)
		point = point << 6 | ((unsigned char)text[i] & 0x3Fu);
	return point;
}

bool is_unfit(unsigned point)
{
	return (point >= 0x200B && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
	       (point >= 0x2060 && point <= 0x206F) || point == 0x061C || point == 0xFEFF ||
	       (point & 0xFFFE) == 0xFFFE || (point >= 0xFDD0 && point <= 0xFDEF);
}

/* C0, DEL and C1 control characters, and the backslash, which begins what is escaped. */
static bool is_control(unsigned point)
{
	return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == '\\';
}

/* Puts what is at `text`, as it is shown, in `piece`. Returns how many of its bytes that were. */
static size_t show_piece(char piece[SHOW_PIECE], const char *text)
{
	size_t length = utf8_length(text);
	unsigned point = length > 0 ? utf8_point(text, length) : 0;

	if (length == 0 || is_control(point)) {
		snprintf(piece, SHOW_PIECE, "\\x%02x", (unsigned)(unsigned char)*text);
		return 1;
	}
	if (is_unfit(point)) {
		snprintf(piece, SHOW_PIECE, "\\u{%x}", point);
	} else {
		memcpy(piece, text, length);
		piece[length] = '\0';
	}
	return length;
}

char *show_text(char *room, size_t size, const char *text)
{
	char piece[SHOW_PIECE];
	size_t used = 0;

	while (*text != '\0') {
		text += show_piece(piece, text);
		size_t length = strlen(piece);
		if (used + length >= size)
			break;
		memcpy(room + used, piece, length);
		used += length;
	}
	room[used] = '\0';
	return room;
}

const char *channel_kind_name(uint32_t kind)
{
	switch (kind) {
	case MDG_STREAM:
		return "stream";
	case MDG_QUEUE:
		return "queue";
	case MDG_TOPIC:
		return "topic";
	case MDG_CALL:
		return "call";
	default:
		return "?";
	}
}
