/* SPDX-License-Identifier: MIT */
/*
 * heap.h - what heap.c is asked for, what heap_read.c finds out, and heap_print.c prints.
 */
#ifndef MADANG_TOOL_HEAP_H
#define MADANG_TOOL_HEAP_H

#include "base/tool.h"
#include "madang/heap.h"

/* All threads of a process that are alive, or all that are dead and not swept. */
struct heap_process {
	int32_t pid;
	bool alive;
	char command[SHOW_ROOM]; /* "?": not known, or of another pid namespace */
	uint32_t threads, slabs, held, reading;
	uint64_t blocks, bytes, retired;
};

/* Blocks of one tag whose threads have ended. Times: seconds since 1970. */
struct heap_leak {
	uint32_t tag;
	uint64_t blocks, bytes;
	int64_t oldest, newest;
};

/* A list that grows. */
struct heap_list {
	void *items;
	size_t count;
};

struct heap_view {
	mdg_id id;
	char name[MDG_NAME_MAX + 1];
	struct mdg_heap_info info;
	struct heap_list processes; /* struct heap_process */
	struct heap_list roots;     /* struct mdg_root_info */
	struct heap_list leaks;     /* struct heap_leak */
	struct heap_list findings;  /* struct mdg_heap_finding */
	int swept;                  /* threads; --sweep */
	uint64_t trimmed;           /* bytes; --trim */
};

struct heap_request {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	const char *name; /* NULL: all */
	bool classes, leaks, json;
	bool check, repair, sweep, trim, has_limit;
	uint64_t limit;
};

/* ---- heap_read.c ------------------------------------------------------ */

/* Room for one item more, at the end; NULL: no memory. The caller counts it. */
void *heap_list_room(struct heap_list *list, size_t size);
/* Fills in what is shown. `detail`: also processes, roots, and leaks if they are asked for. */
int heap_read(const struct heap_request *request, mdg_heap *heap, bool detail,
              struct heap_view *view);
void heap_view_free(struct heap_view *view);

/* ---- heap_print.c, heap_json.c ----------------------------------------- */

void heap_print_list(const struct heap_view *views, size_t count);
/* Of one heap: what comes below its line in the list. */
void heap_print_detail(const struct heap_request *request, const struct heap_view *view);
/* What was done, and what was found. */
void heap_print_actions(const struct heap_request *request, const struct heap_view *view);
void heap_print_json(const struct heap_request *request, const struct heap_view *views,
                     size_t count);
/* Says so if the heap is damaged, or of another version. False: the code means something else. */
bool heap_complain_made(const char *name, int code);
/* "table", "dead", "overrun" and the like. */
const char *heap_found_name(uint32_t kind);

#endif
