/* SPDX-License-Identifier: MIT */
/*
 * kind.h - the three kinds of objects in a namespace, as a command line names them.
 */
#ifndef MADANG_TOOL_KIND_H
#define MADANG_TOOL_KIND_H

#include "base/tool.h"

enum kind { KIND_SEGMENTS, KIND_SETS, KIND_QUEUES, KINDS };

/* For the table of options: `help` says what the kind is for. */
#define OPTION_KIND(id, help)                                                                      \
	VALUE_OF((id), "kind", "KIND", "segments semaphores queues shm sem msg", (help))

/* "segments", "semaphores", "queues", or "segment" and so on, or "shm", "sem", "msg". TOOL_OK, or
 * it is none of these, and that has been said. */
int usage_kind(const char *text, enum kind *ret_kind);
/* "segment", "semaphore set", "queue": for a message. */
const char *kind_name(enum kind kind);
/* "segments", "semaphores", "queues": what --kind takes. */
const char *kind_word(enum kind kind);

/* Whether nobody needs it any more. It was asked for with MDG_STAT_CREATOR. A heap is kept for the
 * next program that opens it, until somebody removes it by name. */
bool segment_is_orphan(const struct mdg_segment_info *info);

/* A key as the tables show it, or the name in quotes. Returns `cell`. */
char *show_label(char cell[TABLE_CELL], int32_t key, const char *name);
/* For a sentence: "segment 5 (key 0x00001234, 4.0K)". `figure` says how large it is. */
char *show_object(char *room, size_t size, enum kind kind, mdg_id id, int32_t key, const char *name,
                  const char *figure);

#endif
