/* SPDX-License-Identifier: MIT */
/*
 * ls_common.c - what the lists of all kinds print alike.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/ls.h"

void *listing_room(struct listing *listing, enum kind kind, size_t size)
{
	size_t count = listing->count[kind];
	void *more = list_grow(listing->objects[kind], count, size);

	if (more == NULL)
		return NULL;
	listing->objects[kind] = more;
	return (char *)listing->objects[kind] + count * size;
}

void fill_owned(struct table *table, const struct owned *owned)
{
	char room[SHOW_ROOM];

	snprintf(table->cells[0], TABLE_CELL, "%d", (int)owned->id);
	show_label(table->cells[1], owned->key, owned->name);
	snprintf(table->cells[2], TABLE_CELL, "%s", show_user(room, owned->uid));
	snprintf(table->cells[3], TABLE_CELL, "%04o", owned->mode & 0777u);
}

void json_owned(struct json *json, const struct owned *owned)
{
	char room[SHOW_ROOM];

	json_signed(json, "id", owned->id);
	json_signed(json, "key", owned->key);
	if (owned->name[0] != '\0')
		json_string(json, "name", owned->name);
	else
		json_null(json, "name");
	json_unsigned(json, "uid", owned->uid);
	json_unsigned(json, "gid", owned->gid);
	json_string(json, "owner", show_user(room, owned->uid));
	json_unsigned(json, "creator_uid", owned->cuid);
	json_unsigned(json, "creator_gid", owned->cgid);
	snprintf(room, sizeof room, "%04o", owned->mode & 0777u);
	json_string(json, "mode", room);
}

char *show_sleeper(char room[4 * SHOW_ROOM], int32_t pid, bool is_seen)
{
	char command[SHOW_ROOM];

	return show_text(room, (size_t)4 * SHOW_ROOM, show_command(command, is_seen ? pid : 0));
}
