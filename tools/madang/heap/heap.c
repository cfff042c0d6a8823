/* SPDX-License-Identifier: MIT */
/*
 * heap.c - madang heap: the heaps of a namespace, who uses them, and whether they are sound.
 *
 * It opens a heap to read only where it only looks. What it shows is no snapshot: blocks come and
 * go while they are counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"
#include "heap/heap.h"

enum {
	OPTION_LEAKS = OPTION_LONG,
	OPTION_CHECK,
	OPTION_REPAIR,
	OPTION_SWEEP,
	OPTION_TRIM,
	OPTION_LIMIT
};

static const struct option_row option_rows[] = {
	FLAG('c', "classes", "also the classes of blocks, and how full their slabs are"),
	FLAG(OPTION_LEAKS, "leaks", "also blocks of threads that have ended, by tag and age"),
	FLAG(OPTION_CHECK, "check", "look for damage"),
	FLAG(OPTION_REPAIR, "repair", "look for damage, and mend what can be mended"),
	FLAG(OPTION_SWEEP, "sweep", "give back what dead threads held"),
	FLAG(OPTION_TRIM, "trim", "give free memory back to the system"),
	VALUE(OPTION_LIMIT, "limit", "SIZE", "bytes of memory that it may take; K, M, G or T"),
	OPTION_JSON,
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

/* ---- all heaps -------------------------------------------------------- */

static bool is_to_change(const struct heap_request *request)
{
	return request->repair || request->sweep || request->trim || request->has_limit;
}

static int open_heap(const struct heap_request *request, const char *name, bool writes,
                     mdg_heap **ret)
{
	struct mdg_heap_options options = {
		.size = sizeof options,
		.flags = MDG_HEAP_EXISTING | (writes ? 0 : MDG_HEAP_RDONLY),
	};

	return mdg_heap_open(ret, request->ns, name, &options);
}

/* What has gone since, what is no heap, and what may not be read is passed over. */
static bool is_passed_over(int rc)
{
	return rc == MDG_NOT_HEAP || rc == -ENOENT || rc == -EINVAL || rc == -EIDRM ||
	       rc == -EACCES;
}

static int read_one(const struct heap_request *request, const struct mdg_segment_info *segment,
                    struct heap_list *views)
{
	mdg_heap *heap;
	int rc = open_heap(request, segment->name, false, &heap);

	if (rc < 0)
		return is_passed_over(rc) ? 0 : rc;
	struct heap_view *view = heap_list_room(views, sizeof *view);
	if (view == NULL) {
		mdg_heap_close(heap);
		return -ENOMEM;
	}
	memset(view, 0, sizeof *view);
	view->id = segment->id;
	memcpy(view->name, segment->name, sizeof view->name);
	views->count++;
	rc = heap_read(request, heap, false, view);
	mdg_heap_close(heap);
	return rc;
}

/* 0, or why not all could be read. */
static int read_all(const struct heap_request *request, struct heap_list *views)
{
	struct mdg_segment_info segment = { .size = sizeof segment };
	uint32_t cursor = 0;
	int code = 0;

	while (mdg_segment_next(request->ns, &cursor, 0, &segment) > 0) {
		if (segment.kind != MDG_SEGMENT_HEAP || (segment.mode & MDG_MODE_REMOVED) != 0)
			continue;
		int rc = read_one(request, &segment, views);
		if (rc < 0 && code == 0) {
			char name[4 * MDG_NAME_MAX + 1];
			code = rc;
			show_text(name, sizeof name, segment.name);
			if (!heap_complain_made(name, rc))
				complain_code(rc, request->dir, "cannot look at the heap \"%s\"",
				              name);
		}
	}
	return code;
}

/* ---- one heap --------------------------------------------------------- */

static int note_finding(const struct mdg_heap_finding *finding, void *context)
{
	enum { FINDINGS_MOST = 1000 };
	struct heap_view *view = context;
	struct mdg_heap_finding *room = heap_list_room(&view->findings, sizeof *room);

	if (room == NULL)
		return 1;
	*room = *finding;
	return ++view->findings.count == FINDINGS_MOST;
}

static int trim(mdg_heap *heap, struct heap_view *view)
{
	struct mdg_heap_info before = { .size = sizeof before }, after = before;

	(void)mdg_heap_stat(heap, &before);
	int rc = mdg_heap_trim(heap, 0);
	(void)mdg_heap_stat(heap, &after);
	if (before.committed > after.committed)
		view->trimmed = before.committed - after.committed;
	return rc;
}

/* What is asked for besides looking, in an order that makes sense. Returns how many findings
 * remain, or a negative code. */
static int act(const struct heap_request *request, mdg_heap *heap, struct heap_view *view)
{
	int rc = 0, left = 0;

	if (request->has_limit)
		rc = mdg_heap_limit(heap, request->limit);
	if (rc >= 0 && request->sweep)
		rc = view->swept = mdg_heap_sweep(heap);
	if (rc >= 0 && (request->check || request->repair))
		rc = left = mdg_heap_check(heap, request->repair ? MDG_CHECK_REPAIR : 0,
		                           note_finding, view);
	if (rc >= 0 && request->trim)
		rc = trim(heap, view);
	return rc < 0 ? rc : left;
}

static int complain_heap(const struct heap_request *request, int rc)
{
	char name[4 * MDG_NAME_MAX + 1];

	show_text(name, sizeof name, request->name);
	if (rc == -ENOENT || rc == -EINVAL) {
		complain("there is no heap \"%s\"", name);
		advise("See them all with 'madang heap'.");
	} else if (rc == MDG_NOT_HEAP) {
		complain("the segment \"%s\" is not a heap", name);
		advise("See all heaps with 'madang heap'.");
	} else if (rc == -EACCES) {
		complain("you may not open the heap \"%s\"", name);
		advise("To look needs permission to read it; to change it, also to write.");
	} else if (!heap_complain_made(name, rc)) {
		complain_code(rc, request->dir, "cannot use the heap \"%s\"", name);
	}
	return TOOL_TROUBLE;
}

static int complain_limit(mdg_heap *heap)
{
	struct mdg_heap_info info = { .size = sizeof info };
	char room[SHOW_ROOM];

	(void)mdg_heap_stat(heap, &info);
	complain("the limit is larger than the heap's maximum, which is %s",
	         show_bytes(room, info.maximum));
	advise("Whoever makes a heap chooses its maximum.");
	return TOOL_TROUBLE;
}

/* Something remains wrong: trouble. */
static int print_one(const struct heap_request *request, const struct heap_view *view, int left)
{
	if (request->json) {
		heap_print_json(request, view, 1);
	} else {
		heap_print_list(view, 1);
		heap_print_detail(request, view);
		if (request->check || request->repair || request->sweep || request->trim ||
		    request->has_limit)
			putchar('\n');
		heap_print_actions(request, view);
	}
	return left > 0 ? TOOL_TROUBLE : TOOL_OK;
}

static int show_one(const struct heap_request *request)
{
	struct heap_view view = { .id = 0 };
	mdg_heap *heap = NULL;
	int left = 0, rc = open_heap(request, request->name, is_to_change(request), &heap);

	if (rc < 0)
		return complain_heap(request, rc);
	(void)mdg_segment_open(request->ns, request->name, 0, 0, &view.id);
	snprintf(view.name, sizeof view.name, "%s", request->name);
	left = act(request, heap, &view);
	if (left >= 0 && is_to_change(request)) { /* so as not to be one of those who use it */
		mdg_heap_close(heap);
		heap = NULL;
		if ((rc = open_heap(request, request->name, false, &heap)) < 0)
			left = rc;
	}
	if (left == -EINVAL && request->has_limit) {
		rc = complain_limit(heap);
	} else if (left < 0 || (rc = heap_read(request, heap, true, &view)) < 0) {
		rc = complain_heap(request, left < 0 ? left : rc);
	} else if (request->leaks && (view.info.flags & MDG_HEAP_LABELS) == 0) {
		complain("the heap has no labels, so nobody knows whose its blocks are");
		advise("Make it with MDG_HEAP_LABELS.");
		rc = TOOL_TROUBLE;
	} else {
		rc = print_one(request, &view, left);
	}
	heap_view_free(&view);
	mdg_heap_close(heap);
	return rc;
}

/* ---- the command ------------------------------------------------------ */

static int show_all(const struct heap_request *request)
{
	struct heap_list views = { NULL, 0 };
	int rc = request->ns != NULL ? read_all(request, &views) : 0;

	if (request->json)
		heap_print_json(request, views.items, views.count);
	else if (request->ns != NULL)
		heap_print_list(views.items, views.count);
	for (size_t i = 0; i < views.count; i++)
		heap_view_free((struct heap_view *)views.items + i);
	free(views.items);
	return rc == 0 ? TOOL_OK : TOOL_TROUBLE;
}

static int take(int option, const char *value, void *context)
{
	struct heap_request *request = context;

	switch (option) {
	case 'c':
		request->classes = true;
		break;
	case OPTION_LEAKS:
		request->leaks = true;
		break;
	case OPTION_CHECK:
		request->check = true;
		break;
	case OPTION_REPAIR:
		request->repair = true;
		break;
	case OPTION_SWEEP:
		request->sweep = true;
		break;
	case OPTION_TRIM:
		request->trim = true;
		break;
	case OPTION_LIMIT:
		request->has_limit = true;
		if (!parse_size(value, &request->limit))
			return usage_error("'%s' is not a size", value);
		break;
	case 'j':
		request->json = true;
		break;
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct heap_request *request)
{
	int rc = options_parse(command, argc, argv, take, request);

	if (rc != TOOL_OK)
		return rc;
	if (optind < argc)
		request->name = argv[optind++];
	if (optind < argc)
		return usage_error("unexpected argument '%s'", argv[optind]);
	bool needs_name = request->classes || request->leaks || request->check || request->repair ||
	                  request->sweep || request->trim || request->has_limit;
	if (request->name == NULL && needs_name)
		return usage_error("which heap? Give its name");
	return request->name != NULL ? usage_name(request->name) : TOOL_OK;
}

static int heap_main(const struct command *command, int argc, char **argv)
{
	struct heap_request request = { .ns = NULL };
	int rc = parse_arguments(command, argc, argv, &request);

	if (rc != TOOL_OK)
		return rc;
	namespace_path(request.path, request.dir);
	rc = namespace_open_to_look(&request.ns, request.dir);
	if (rc == -ENOENT) {
		request.ns = NULL;
		complain("no namespace at %s; nothing is shared", request.path);
		remains_complain(request.path);
		rc = request.name == NULL ? show_all(&request) : TOOL_TROUBLE;
	} else if (rc != 0) {
		rc = TOOL_TROUBLE;
	} else {
		rc = request.name == NULL ? show_all(&request) : show_one(&request);
	}
	mdg_namespace_close(request.ns);
	return rc;
}

const struct command heap_command = {
	.name = "heap",
	.summary = "show the shared heaps, who uses them, and whether they are sound",
	.synonyms = "heaps malloc memory leaks",
	.usage = "heap [-c] [--leaks] [--check] [--repair] [--sweep] [--trim]\n"
		 "                   [--limit SIZE] [--json] [--namespace DIR] [NAME]",
	.about = "Shows the heaps of a namespace, or one of them with the processes that use it\n"
		 "and its roots.\n",
	.options = option_rows,
	.notes = "Columns:\n"
		 "  NAME     the heap\n"
		 "  MAXIMUM  bytes of blocks that it can ever have\n"
		 "  LIMIT    bytes that it may take at present\n"
		 "  MEMORY   bytes that it has taken, with its tables\n"
		 "  LIVE     bytes of blocks that are allocated\n"
		 "  FREE     bytes that it has for more blocks\n"
		 "  BLOCKS   how many are allocated\n"
		 "  THREADS  living ones that use it\n"
		 "  DEAD     dead ones whose blocks are not given back yet ('--sweep')\n"
		 "  KIND     home, labels, checked: how it was made\n"
		 "Exit status 1: something is wrong, and remains so.\n",
	.operands = "heaps",
	.run = heap_main,
};
