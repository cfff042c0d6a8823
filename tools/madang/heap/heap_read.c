/* SPDX-License-Identifier: MIT */
/*
 * heap_read.c - looks at a heap: who uses it, its roots, and blocks of threads that have ended.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"

void *heap_list_room(struct heap_list *list, size_t size)
{
	void *more = list_grow(list->items, list->count, size);

	if (more == NULL)
		return NULL;
	list->items = more;
	return (char *)list->items + list->count * size;
}

void heap_view_free(struct heap_view *view)
{
	free(view->processes.items);
	free(view->roots.items);
	free(view->leaks.items);
	free(view->findings.items);
}

/* ---- processes -------------------------------------------------------- */

/* The row of the process; NULL: no memory. */
static struct heap_process *row_of(struct heap_list *list, int32_t pid, bool alive)
{
	struct heap_process *rows = list->items;

	for (size_t i = 0; i < list->count; i++)
		if (rows[i].pid == pid && rows[i].alive == alive)
			return &rows[i];
	struct heap_process *row = heap_list_room(list, sizeof *row);
	if (row == NULL)
		return NULL;
	list->count++;
	*row = (struct heap_process){ .pid = pid, .alive = alive, .command = "?" };
	return row;
}

/* The commands, of processes that this pid namespace knows. */
static void find_commands(mdg_namespace *ns, struct heap_view *view)
{
	struct mdg_process_info process = { .size = sizeof process };
	struct heap_process *rows = view->processes.items;
	uint32_t cursor = 0;

	while (mdg_segment_next_process(ns, view->id, &cursor, &process) > 0) {
		if (!process.same_pid_namespace || process.pid <= 0)
			continue;
		for (size_t i = 0; i < view->processes.count; i++)
			if (rows[i].pid == process.pid && rows[i].alive)
				show_command(rows[i].command, process.pid);
	}
}

static int read_processes(mdg_namespace *ns, mdg_heap *heap, struct heap_view *view)
{
	struct mdg_heap_user_info user = { .size = sizeof user };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_heap_next_user(heap, &cursor, &user)) > 0) {
		struct heap_process *row = row_of(&view->processes, user.pid, user.tid != 0);
		if (row == NULL)
			return -ENOMEM;
		row->threads++;
		row->slabs += user.slabs;
		row->held += user.held;
		row->reading += user.reading;
		row->blocks += user.blocks;
		row->bytes += user.bytes;
		row->retired += user.retired;
	}
	find_commands(ns, view);
	return rc;
}

/* ---- roots, leaks ----------------------------------------------------- */

static int read_roots(mdg_heap *heap, struct heap_view *view)
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_root_next(heap, &cursor, &root)) > 0) {
		struct mdg_root_info *room = heap_list_room(&view->roots, sizeof *room);
		if (room == NULL)
			return -ENOMEM;
		*room = root;
		view->roots.count++;
	}
	return rc;
}

static struct heap_leak *leak_of(struct heap_list *list, const struct mdg_block_info *block)
{
	struct heap_leak *leaks = list->items;

	for (size_t i = 0; i < list->count; i++)
		if (leaks[i].tag == block->tag)
			return &leaks[i];
	struct heap_leak *leak = heap_list_room(list, sizeof *leak);
	if (leak == NULL)
		return NULL;
	list->count++;
	*leak = (struct heap_leak){ .tag = block->tag,
		                    .oldest = block->time,
		                    .newest = block->time };
	return leak;
}

/* Most bytes first. */
static int compare_leaks(const void *one, const void *other)
{
	const struct heap_leak *a = one, *b = other;

	return a->bytes != b->bytes ? (a->bytes < b->bytes) - (a->bytes > b->bytes)
	                            : (a->tag > b->tag) - (a->tag < b->tag);
}

/* A block that a thread holds is given back when that one is swept. */
static int read_leaks(mdg_heap *heap, struct heap_view *view)
{
	struct mdg_block_info block = { .size = sizeof block };
	uint64_t cursor = 0;
	int rc;

	while ((rc = mdg_heap_next(heap, &cursor, &block)) > 0) {
		if (block.alive != 0 || block.held != 0 || block.time == 0)
			continue;
		struct heap_leak *leak = leak_of(&view->leaks, &block);
		if (leak == NULL)
			return -ENOMEM;
		leak->blocks++;
		leak->bytes += block.bytes;
		if (block.time < leak->oldest)
			leak->oldest = block.time;
		if (block.time > leak->newest)
			leak->newest = block.time;
	}
	if (view->leaks.count > 1)
		qsort(view->leaks.items, view->leaks.count, sizeof(struct heap_leak),
		      compare_leaks);
	return rc;
}

int heap_read(const struct heap_request *request, mdg_heap *heap, bool detail,
              struct heap_view *view)
{
	view->info.size = sizeof view->info;
	int rc = mdg_heap_stat(heap, &view->info);

	if (rc == 0 && detail)
		rc = read_processes(request->ns, heap, view);
	if (rc == 0 && detail)
		rc = read_roots(heap, view);
	if (rc == 0 && request->leaks)
		rc = read_leaks(heap, view);
	return rc;
}
