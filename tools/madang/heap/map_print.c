/* SPDX-License-Identifier: MIT */
/*
 * map_print.c - the list of maps; and entries, as lines or as JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/map.h"

/* ---- entries ---------------------------------------------------------- */

static unsigned char *copy_of(const void *bytes, size_t length)
{
	unsigned char *copy = malloc(length + 1);

	if (copy == NULL)
		return NULL;
	if (length > 0)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

int map_item_copy(struct map_item *ret, const struct mdg_map_entry *entry)
{
	ret->key_length = entry->key_length;
	ret->length = (size_t)entry->length;
	ret->version = entry->version;
	ret->key = copy_of(entry->key, ret->key_length);
	ret->value = copy_of(entry->value, ret->length);
	if (ret->key != NULL && ret->value != NULL)
		return 0;
	map_item_free(ret);
	return -ENOMEM;
}

void map_item_free(struct map_item *item)
{
	free(item->key);
	free(item->value);
	item->key = item->value = NULL;
}

void map_print_item(const struct map_item *item, bool detail)
{
	map_print_text(stdout, item->key, item->key_length, false);
	if (detail)
		printf("\t%" PRIu64 "\t%zu", item->version, item->length);
	putchar('\t');
	map_print_text(stdout, item->value, item->length, false);
	putchar('\n');
}

void map_print_value(const struct map_item *item, bool escaped)
{
	bool terminal = isatty(STDOUT_FILENO) != 0;

	if (escaped || terminal)
		map_print_text(stdout, item->value, item->length, !escaped);
	else if (item->length > 0)
		(void)fwrite(item->value, 1, item->length, stdout);
	if (escaped || (terminal && item->length > 0 && item->value[item->length - 1] != '\n'))
		putchar('\n');
}

void map_json_item(struct json *json, const struct map_item *item)
{
	json_open(json, NULL, '{');
	map_json_bytes(json, "key", item->key, item->key_length);
	json_unsigned(json, "version", item->version);
	json_unsigned(json, "bytes", item->length);
	map_json_bytes(json, "value", item->value, item->length);
	json_close(json, '}');
}

/* ---- maps ------------------------------------------------------------- */

/* A line of the list. */
struct map_row {
	char heap[MDG_NAME_MAX + 1], root[MDG_ROOT_NAME_MAX + 1];
	uint64_t entries;
	bool of_blocks;
	int code; /* why it cannot be opened; 0: it could */
};

struct map_rows {
	struct map_row *rows;
	size_t count;
};

static struct map_row *add_row(struct map_rows *rows)
{
	struct map_row *more = list_grow(rows->rows, rows->count, sizeof *more);
	if (more == NULL)
		return NULL;
	rows->rows = more;
	struct map_row *row = &rows->rows[rows->count++];
	memset(row, 0, sizeof *row);
	return row;
}

/* The maps of the heap `name`, or the one with the name `only`. */
static int add_maps(mdg_heap *heap, const char *name, const char *only, struct map_rows *rows)
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;

	while (mdg_root_next(heap, &cursor, &root) > 0) {
		mdg_map *map;
		if (root.type != MDG_MAP_TYPE || (only[0] != '\0' && strcmp(only, root.name) != 0))
			continue;
		struct map_row *row = add_row(rows);
		if (row == NULL)
			return -ENOMEM;
		snprintf(row->heap, sizeof row->heap, "%s", name);
		memcpy(row->root, root.name, sizeof row->root);
		row->code = map_open_root(heap, root.name, &map, &row->of_blocks);
		if (row->code == -ENOENT) {
			rows->count--;
		} else if (row->code == 0) {
			row->entries = mdg_map_count(map);
			mdg_map_close(map);
		}
	}
	return 0;
}

static int add_heap(const struct map_request *request, const char *name, struct map_rows *rows)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .flags = MDG_HEAP_EXISTING | MDG_HEAP_RDONLY };
	mdg_heap *heap;
	int rc = mdg_heap_open(&heap, request->ns, name, &options);

	if (rc != 0)
		return rc;
	rc = add_maps(heap, name, "", rows);
	mdg_heap_close(heap);
	return rc;
}

/* What has gone since, what is no heap, and what may not be read is passed over. */
static int add_all(const struct map_request *request, struct map_rows *rows)
{
	struct mdg_segment_info segment = { .size = sizeof segment };
	uint32_t cursor = 0;
	int status = TOOL_OK;

	while (mdg_segment_next(request->ns, &cursor, 0, &segment) > 0) {
		if (segment.kind != MDG_SEGMENT_HEAP || (segment.mode & MDG_MODE_REMOVED) != 0)
			continue;
		int rc = add_heap(request, segment.name, rows);
		if (rc != 0 && rc != MDG_NOT_HEAP && rc != -ENOENT && rc != -EINVAL &&
		    rc != -EIDRM && rc != -EACCES)
			status = map_complain_heap(request, segment.name, rc);
	}
	return status;
}

static void print_table(const struct map_rows *rows)
{
	static const char *const titles[] = { "MAP", "ENTRIES", "VALUES", "STATE" };
	struct table table;

	table_begin(&table, titles, 4);
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			table_print_titles(&table);
		for (size_t i = 0; i < rows->count; i++) {
			const struct map_row *row = &rows->rows[i];
			char heap[4 * MDG_NAME_MAX + 1], root[4 * MDG_ROOT_NAME_MAX + 1];
			snprintf(table.cells[0], TABLE_CELL, "\"%s/%s\"",
			         show_text(heap, sizeof heap, row->heap),
			         show_text(root, sizeof root, row->root));
			snprintf(table.cells[1], TABLE_CELL, "%" PRIu64, row->entries);
			snprintf(table.cells[2], TABLE_CELL, "%s",
			         row->of_blocks ? "blocks" : "bytes");
			snprintf(table.cells[3], TABLE_CELL, "%s",
			         row->code == 0            ? ""
			         : row->code == MDG_BROKEN ? "damaged"
			                                   : mdg_strerror(row->code));
			if (pass == 0)
				table_measure(&table);
			else
				table_print_row(&table);
		}
	}
}

static void json_map(struct json *json, const char *heap, const char *root, bool of_blocks,
                     uint64_t entries)
{
	json_string(json, "heap", heap);
	json_string(json, "map", root);
	json_string(json, "values", of_blocks ? "blocks" : "bytes");
	json_unsigned(json, "count", entries);
}

static void print_json(const struct map_request *request, const struct map_rows *rows)
{
	struct json json;

	json_begin_listing(&json, request->path, request->ns != NULL);
	json_close(&json, '}');
	json_open(&json, "maps", '[');
	for (size_t i = 0; i < rows->count; i++) {
		const struct map_row *row = &rows->rows[i];
		json_open(&json, NULL, '{');
		json_map(&json, row->heap, row->root, row->of_blocks, row->entries);
		json_bool(&json, "damaged", row->code == MDG_BROKEN);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
}

static int add_named(const struct map_request *request, struct map_rows *rows)
{
	struct map_view view;
	int status = map_find_heap(request, &view);

	if (status != TOOL_OK)
		return status;
	int rc = add_maps(view.heap, view.heap_name, view.root, rows);
	if (rc != 0)
		status = map_complain_heap(request, view.heap_name, rc);
	else if (rows->count == 0 && view.root[0] != '\0')
		status = map_complain_no_map(request, &view);
	map_leave(&view);
	return status;
}

int map_print_list(const struct map_request *request)
{
	struct map_rows rows = { NULL, 0 };
	int status = request->ns == NULL     ? TOOL_OK
	             : request->name != NULL ? add_named(request, &rows)
	                                     : add_all(request, &rows);

	if (status != TOOL_OK && request->name != NULL) {
		free(rows.rows);
		return status;
	}
	if (request->json)
		print_json(request, &rows);
	else if (request->ns != NULL)
		print_table(&rows);
	free(rows.rows);
	return status;
}

void map_json_begin(struct json *json, const struct map_request *request,
                    const struct map_view *view)
{
	json_begin_listing(json, request->path, true);
	json_close(json, '}');
	json_open(json, "maps", '[');
	json_open(json, NULL, '{');
	json_map(json, view->heap_name, view->root, view->of_blocks, mdg_map_count(view->map));
	json_open(json, "entries", '[');
}

void map_json_end(struct json *json)
{
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, ']');
	json_close(json, '}');
	json_end(json);
}
