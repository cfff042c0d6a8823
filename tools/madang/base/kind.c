/* SPDX-License-Identifier: MIT */
/* See kind.h. */
#include "base/kind.h"

#include <stdio.h>
#include <string.h>

/* `brief`: the word of ipcrm(1) and of the files in /proc/sysvipc. */
static const struct {
	const char *word, *brief, *name;
} kinds[KINDS] = {
	[KIND_SEGMENTS] = { "segments", "shm", "segment" },
	[KIND_SETS] = { "semaphores", "sem", "semaphore set" },
	[KIND_QUEUES] = { "queues", "msg", "queue" },
};

const char *kind_name(enum kind kind)
{
	return kinds[kind].name;
}

const char *kind_word(enum kind kind)
{
	return kinds[kind].word;
}

int usage_kind(const char *text, enum kind *ret_kind)
{
	size_t length = strlen(text);

	for (int kind = 0; kind < KINDS; kind++) {
		const char *word = kinds[kind].word;
		size_t whole = strlen(word);
		bool is_word =
			(length == whole || length + 1 == whole) && memcmp(text, word, length) == 0;
		if (is_word || strcmp(text, kinds[kind].brief) == 0) {
			*ret_kind = (enum kind)kind;
			return TOOL_OK;
		}
	}
	return usage_error("'%s' is not a kind (segments, semaphores or queues; or shm, sem, msg)",
	                   text);
}

bool segment_is_orphan(const struct mdg_segment_info *info)
{
	return info->attached == 0 && !info->creator_alive && info->kind != MDG_SEGMENT_HEAP;
}

char *show_label(char cell[TABLE_CELL], int32_t key, const char *name)
{
	char room[4 * MDG_NAME_MAX + 1];

	if (name[0] != '\0')
		snprintf(cell, TABLE_CELL, "\"%s\"", show_text(room, sizeof room, name));
	else
		snprintf(cell, TABLE_CELL, "0x%08x", (unsigned)key);
	return cell;
}

char *show_object(char *room, size_t size, enum kind kind, mdg_id id, int32_t key, const char *name,
                  const char *figure)
{
	char shown[4 * MDG_NAME_MAX + 1];

	if (name[0] != '\0')
		snprintf(room, size, "%s %d (name \"%s\", %s)", kind_name(kind), (int)id,
		         show_text(shown, sizeof shown, name), figure);
	else if (key != 0)
		snprintf(room, size, "%s %d (key 0x%08x, %s)", kind_name(kind), (int)id,
		         (unsigned)key, figure);
	else
		snprintf(room, size, "%s %d (%s)", kind_name(kind), (int)id, figure);
	return room;
}
