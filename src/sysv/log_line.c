/* SPDX-License-Identifier: MIT */
/* See log_line.h. */
#include "sysv/log_line.h"

#include "platform/identity.h"

enum { MOST_BYTES = 32 };

static void put(struct mdg__line *line, char c)
{
	if (line->used < line->limit)
		line->text[line->used++] = c;
	else
		line->is_cut = true;
}

void mdg__line_text(struct mdg__line *line, const char *text)
{
	while (*text != '\0')
		put(line, *text++);
}

void mdg__line_unsigned(struct mdg__line *line, uint64_t value, unsigned base, int least)
{
	char digits[24];
	int count = 0;
	do
		digits[count++] = "0123456789abcdef"[value % base];
	while ((value /= base) != 0 || count < least);
	while (count > 0)
		put(line, digits[--count]);
}

void mdg__line_signed(struct mdg__line *line, int64_t value)
{
	if (value < 0)
		put(line, '-');
	mdg__line_unsigned(line, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, 1);
}

void mdg__line_hex(struct mdg__line *line, uint64_t value)
{
	mdg__line_text(line, "0x");
	mdg__line_unsigned(line, value, 16, 1);
}

void mdg__line_pointer(struct mdg__line *line, uintptr_t address)
{
	if (address == 0)
		mdg__line_text(line, "NULL");
	else
		mdg__line_hex(line, address);
}

static void put_escaped(struct mdg__line *line, unsigned char byte, bool digit_follows)
{
	static const char names[] = "abtnvfr"; /* from 7 on */
	if (byte == '"' || byte == '\\') {
		put(line, '\\');
		put(line, (char)byte);
	} else if (byte >= ' ' && byte < 127) {
		put(line, (char)byte);
	} else if (byte >= 7 && byte <= 13) {
		put(line, '\\');
		put(line, names[byte - 7]);
	} else {
		put(line, '\\');
		mdg__line_unsigned(line, byte, 8, digit_follows ? 3 : 1);
	}
}

void mdg__line_bytes(struct mdg__line *line, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	size_t shown = size < MOST_BYTES ? size : MOST_BYTES;
	put(line, '"');
	for (size_t i = 0; i < shown; i++)
		put_escaped(line, at[i], i + 1 < shown && at[i + 1] >= '0' && at[i + 1] <= '9');
	mdg__line_text(line, shown < size ? "\"..." : "\"");
}

void mdg__line_field(struct mdg__line *line, const char *name, bool is_first)
{
	mdg__line_text(line, is_first ? "" : ", ");
	mdg__line_text(line, name);
	put(line, '=');
}

/* ---- flags ------------------------------------------------------------------------------- */

bool mdg__line_flags(struct mdg__line *line, uint32_t value, const struct mdg__flag *flags)
{
	bool some = false;
	for (; flags->name != NULL; flags++) {
		if ((value & flags->bit) == 0)
			continue;
		mdg__line_text(line, some ? "|" : "");
		mdg__line_text(line, flags->name);
		value &= ~flags->bit;
		some = true;
	}
	if (value == 0)
		return some;
	mdg__line_text(line, some ? "|" : "");
	mdg__line_hex(line, value);
	return true;
}

void mdg__line_mode(struct mdg__line *line, uint32_t value, const struct mdg__flag *flags)
{
	if (mdg__line_flags(line, value & ~(uint32_t)0777, flags))
		put(line, '|');
	put(line, '0');
	mdg__line_unsigned(line, value & 0777, 8, 2);
}

void mdg__line_command(struct mdg__line *line, int command, const struct mdg__flag *names)
{
	for (; names->name != NULL; names++) {
		if (names->bit == (uint32_t)command) {
			mdg__line_text(line, names->name);
			return;
		}
	}
	mdg__line_hex(line, (uint32_t)command);
}

/* ---- beginning and end ------------------------------------------------------------------- */

void mdg__line_begin(struct mdg__line *line, uint64_t realtime)
{
	const uint64_t second = 1000000000;
	uint64_t of_day = realtime / second % 86400;
	int32_t pid = mdg__pid(), tid = mdg__tid();
	line->text[0] = '\n';
	line->used = 1;
	line->limit = MDG__LINE_ROOM - MDG__LINE_END;
	line->is_cut = false;
	mdg__line_signed(line, pid);
	if (tid != pid) {
		put(line, '/');
		mdg__line_signed(line, tid);
	}
	put(line, ' ');
	mdg__line_unsigned(line, of_day / 3600, 10, 2);
	put(line, ':');
	mdg__line_unsigned(line, of_day / 60 % 60, 10, 2);
	put(line, ':');
	mdg__line_unsigned(line, of_day % 60, 10, 2);
	put(line, '.');
	mdg__line_unsigned(line, realtime % second / 1000, 10, 6);
	put(line, ' ');
}

void mdg__line_begin_end(struct mdg__line *line)
{
	line->limit = MDG__LINE_ROOM;
	if (line->is_cut)
		mdg__line_text(line, "...");
}
