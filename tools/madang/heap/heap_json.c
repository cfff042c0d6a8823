/* SPDX-License-Identifier: MIT */
/*
 * heap_json.c - prints heaps as JSON.
 */
#include <string.h>

#include "base/json.h"
#include "heap/heap.h"

static void json_processes(struct json *json, const struct heap_view *view)
{
	const struct heap_process *rows = view->processes.items;

	json_open(json, "processes", '[');
	for (size_t i = 0; i < view->processes.count; i++) {
		json_open(json, NULL, '{');
		json_signed(json, "pid", rows[i].pid);
		if (strcmp(rows[i].command, "?") != 0)
			json_string(json, "command", rows[i].command);
		else
			json_null(json, "command");
		json_bool(json, "alive", rows[i].alive);
		json_unsigned(json, "threads", rows[i].threads);
		json_unsigned(json, "slabs", rows[i].slabs);
		json_unsigned(json, "blocks", rows[i].blocks);
		json_unsigned(json, "bytes", rows[i].bytes);
		json_unsigned(json, "held", rows[i].held);
		json_unsigned(json, "reading", rows[i].reading);
		json_unsigned(json, "retired", rows[i].retired);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_roots(struct json *json, const struct heap_view *view)
{
	const struct mdg_root_info *roots = view->roots.items;

	json_open(json, "roots", '[');
	for (size_t i = 0; i < view->roots.count; i++) {
		json_open(json, NULL, '{');
		json_string(json, "name", roots[i].name);
		json_unsigned(json, "type", roots[i].type);
		json_unsigned(json, "version", roots[i].version);
		json_unsigned(json, "place", roots[i].place);
		json_unsigned(json, "ref", roots[i].ref);
		json_unsigned(json, "bytes", roots[i].bytes);
		json_signed(json, "maker", roots[i].maker);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_classes(struct json *json, const struct mdg_heap_info *info)
{
	json_open(json, "classes", '[');
	for (size_t i = 0; i < MDG_HEAP_CLASSES; i++) {
		json_open(json, NULL, '{');
		json_unsigned(json, "block", info->classes[i].block);
		json_unsigned(json, "slabs", info->classes[i].slabs);
		json_unsigned(json, "blocks", info->classes[i].blocks);
		json_unsigned(json, "live", info->classes[i].live);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_leaks(struct json *json, const struct heap_view *view)
{
	const struct heap_leak *leaks = view->leaks.items;

	json_open(json, "leaks", '[');
	for (size_t i = 0; i < view->leaks.count; i++) {
		json_open(json, NULL, '{');
		json_unsigned(json, "tag", leaks[i].tag);
		json_unsigned(json, "blocks", leaks[i].blocks);
		json_unsigned(json, "bytes", leaks[i].bytes);
		json_signed(json, "oldest_time", leaks[i].oldest);
		json_signed(json, "newest_time", leaks[i].newest);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_findings(struct json *json, const struct heap_view *view)
{
	const struct mdg_heap_finding *findings = view->findings.items;

	json_open(json, "findings", '[');
	for (size_t i = 0; i < view->findings.count; i++) {
		json_open(json, NULL, '{');
		json_string(json, "kind", heap_found_name(findings[i].kind));
		json_string(json, "text", findings[i].text);
		json_unsigned(json, "ref", findings[i].ref);
		json_bool(json, "repaired", findings[i].repaired != 0);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_heap(struct json *json, const struct heap_view *view)
{
	const struct mdg_heap_info *info = &view->info;

	json_string(json, "name", view->name);
	json_signed(json, "segment", view->id);
	json_bool(json, "labels", (info->flags & MDG_HEAP_LABELS) != 0);
	json_bool(json, "checked", (info->flags & MDG_HEAP_CHECKED) != 0);
	if ((info->flags & MDG_HEAP_HOME) != 0)
		json_unsigned(json, "home", info->home);
	else
		json_null(json, "home");
	json_unsigned(json, "maximum", info->maximum);
	json_unsigned(json, "limit", info->limit);
	json_unsigned(json, "keep", info->keep);
	json_unsigned(json, "committed", info->committed);
	json_unsigned(json, "tables", info->tables);
	json_unsigned(json, "live", info->live);
	json_unsigned(json, "blocks", info->blocks);
	json_unsigned(json, "spans", info->spans);
	json_unsigned(json, "span_bytes", info->span_bytes);
	json_unsigned(json, "threads", info->threads);
	json_unsigned(json, "threads_max", info->threads_max);
	json_unsigned(json, "dead", info->dead);
	json_unsigned(json, "retired", info->retired);
}

void heap_print_json(const struct heap_request *request, const struct heap_view *views,
                     size_t count)
{
	struct json json;

	json_begin_listing(&json, request->path, request->ns != NULL);
	json_close(&json, '}');
	json_open(&json, "heaps", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(&json, NULL, '{');
		json_heap(&json, &views[i]);
		if (request->name != NULL) {
			json_processes(&json, &views[i]);
			json_roots(&json, &views[i]);
		}
		if (request->classes)
			json_classes(&json, &views[i].info);
		if (request->leaks)
			json_leaks(&json, &views[i]);
		if (request->check || request->repair)
			json_findings(&json, &views[i]);
		if (request->sweep)
			json_signed(&json, "swept", views[i].swept);
		if (request->trim)
			json_unsigned(&json, "trimmed", views[i].trimmed);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
}
