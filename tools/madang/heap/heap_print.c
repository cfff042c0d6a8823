/* SPDX-License-Identifier: MIT */
/*
 * heap_print.c - prints heaps as tables.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "heap/heap.h"

/* Two passes over the rows of a table: one to measure, one to print. */
typedef void fill_row(struct table *table, const void *item);

static void print_table(const char *const *titles, int columns, const void *items, size_t count,
                        size_t size, fill_row *fill)
{
	struct table table;

	table_begin(&table, titles, columns);
	for (size_t i = 0; i < count; i++) {
		fill(&table, (const char *)items + i * size);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t i = 0; i < count; i++) {
		fill(&table, (const char *)items + i * size);
		table_print_row(&table);
	}
}

static void put_number(char *cell, uint64_t number)
{
	snprintf(cell, TABLE_CELL, "%" PRIu64, number);
}

static void put_size(char *cell, uint64_t bytes)
{
	char room[SHOW_ROOM];

	snprintf(cell, TABLE_CELL, "%s", show_size(room, bytes));
}

/* ---- the list --------------------------------------------------------- */

static const char *const heap_titles[] = { "NAME", "MAXIMUM", "LIMIT",   "MEMORY", "LIVE",
	                                   "FREE", "BLOCKS",  "THREADS", "DEAD",   "KIND" };

static void fill_heap(struct table *table, const void *item)
{
	const struct heap_view *view = item;
	const struct mdg_heap_info *info = &view->info;
	char(*cells)[TABLE_CELL] = table->cells, name[4 * MDG_NAME_MAX + 1];
	uint64_t memory = info->committed + info->tables;

	snprintf(cells[0], TABLE_CELL, "\"%s\"", show_text(name, sizeof name, view->name));
	put_size(cells[1], info->maximum);
	put_size(cells[2], info->limit);
	put_size(cells[3], memory);
	put_size(cells[4], info->live);
	put_size(cells[5], info->committed > info->live ? info->committed - info->live : 0);
	put_number(cells[6], info->blocks);
	put_number(cells[7], info->threads);
	put_number(cells[8], info->dead);
	snprintf(cells[9], TABLE_CELL, "%s%s%s%s",
	         (info->flags & ~(uint32_t)MDG_HEAP_RDONLY) == 0 ? "- " : "",
	         info->flags & MDG_HEAP_HOME ? "home " : "",
	         info->flags & MDG_HEAP_LABELS ? "labels " : "",
	         info->flags & MDG_HEAP_CHECKED ? "checked " : "");
	cells[9][strlen(cells[9]) - 1] = '\0';
}

void heap_print_list(const struct heap_view *views, size_t count)
{
	print_table(heap_titles, 10, views, count, sizeof *views, fill_heap);
}

/* ---- one heap --------------------------------------------------------- */

static const char *const process_titles[] = { "PROCESS", "COMMAND", "THREADS", "SLABS", "BLOCKS",
	                                      "BYTES",   "HELD",    "RETIRED", "STATE" };

static void fill_process(struct table *table, const void *item)
{
	const struct heap_process *row = item;
	char(*cells)[TABLE_CELL] = table->cells, command[4 * SHOW_ROOM];

	snprintf(cells[0], TABLE_CELL, "%d", (int)row->pid);
	snprintf(cells[1], TABLE_CELL, "%s", show_text(command, sizeof command, row->command));
	put_number(cells[2], row->threads);
	put_number(cells[3], row->slabs);
	put_number(cells[4], row->blocks);
	put_size(cells[5], row->bytes);
	put_number(cells[6], row->held);
	put_number(cells[7], row->retired);
	snprintf(cells[8], TABLE_CELL, "%s",
	         !row->alive         ? "dead"
	         : row->reading != 0 ? "reading"
	                             : "");
}

static const char *const root_titles[] = { "ROOT", "TYPE", "VERSION", "BYTES", "STATE" };

static void fill_root(struct table *table, const void *item)
{
	const struct mdg_root_info *root = item;
	char(*cells)[TABLE_CELL] = table->cells, name[4 * MDG_ROOT_NAME_MAX + 1];

	snprintf(cells[0], TABLE_CELL, "\"%s\"", show_text(name, sizeof name, root->name));
	snprintf(cells[1], TABLE_CELL, "0x%" PRIx64, root->type);
	put_number(cells[2], root->version);
	put_size(cells[3], root->bytes);
	if (root->maker != 0)
		snprintf(cells[4], TABLE_CELL, "%d fills it", (int)root->maker);
	else
		snprintf(cells[4], TABLE_CELL, "%s",
		         root->ref == 0     ? "empty"
		         : root->bytes == 0 ? "no block"
		                            : "");
}

static const char *const class_titles[] = { "CLASS", "SLABS", "BLOCKS", "LIVE", "FILL" };

static void fill_class(struct table *table, const void *item)
{
	const struct mdg_heap_class *class = item;
	char(*cells)[TABLE_CELL] = table->cells;

	put_number(cells[0], class->block);
	put_number(cells[1], class->slabs);
	put_number(cells[2], class->blocks);
	put_number(cells[3], class->live);
	snprintf(cells[4], TABLE_CELL, "%" PRIu64 "%%", class->live * 100 / class->blocks);
}

static void print_classes(const struct mdg_heap_info *info)
{
	struct mdg_heap_class classes[MDG_HEAP_CLASSES];
	char room[SHOW_ROOM];
	size_t count = 0;

	for (size_t i = 0; i < MDG_HEAP_CLASSES; i++)
		if (info->classes[i].slabs != 0 && info->classes[i].blocks != 0)
			classes[count++] = info->classes[i];
	putchar('\n');
	print_table(class_titles, 5, classes, count, sizeof classes[0], fill_class);
	printf("larger: %" PRIu64 " block%s, %s\n", info->spans, info->spans == 1 ? "" : "s",
	       show_bytes(room, info->span_bytes));
}

static const char *const leak_titles[] = { "TAG", "BLOCKS", "BYTES", "OLDEST", "NEWEST" };

static void fill_leak(struct table *table, const void *item)
{
	const struct heap_leak *leak = item;
	char(*cells)[TABLE_CELL] = table->cells, room[SHOW_ROOM];
	int64_t now = (int64_t)time(NULL);

	put_number(cells[0], leak->tag);
	put_number(cells[1], leak->blocks);
	put_size(cells[2], leak->bytes);
	snprintf(cells[3], TABLE_CELL, "%s", show_age(room, now, leak->oldest));
	snprintf(cells[4], TABLE_CELL, "%s", show_age(room, now, leak->newest));
}

void heap_print_detail(const struct heap_request *request, const struct heap_view *view)
{
	if (view->processes.count > 0) {
		putchar('\n');
		print_table(process_titles, 9, view->processes.items, view->processes.count,
		            sizeof(struct heap_process), fill_process);
	}
	if (view->roots.count > 0) {
		putchar('\n');
		print_table(root_titles, 5, view->roots.items, view->roots.count,
		            sizeof(struct mdg_root_info), fill_root);
	}
	if (request->classes)
		print_classes(&view->info);
	if (!request->leaks)
		return;
	putchar('\n');
	if (view->leaks.count == 0)
		puts("no blocks of threads that have ended");
	else
		print_table(leak_titles, 5, view->leaks.items, view->leaks.count,
		            sizeof(struct heap_leak), fill_leak);
}

/* ---- what cannot be opened --------------------------------------------- */

bool heap_complain_made(const char *name, int code)
{
	if (code == MDG_VERSION_UNLIKE) {
		complain("an incompatible version or machine made the heap \"%s\"", name);
		advise("Use the madang that made it. 'madang rm --name NAME' removes it.");
		return true;
	}
	if (code == MDG_BROKEN) {
		complain("the heap \"%s\" is damaged", name);
		advise("If 'madang heap --repair NAME' says so too, it can only be removed: "
		       "'madang rm --name NAME'.");
		return true;
	}
	return false;
}

/* ---- what was done ---------------------------------------------------- */

const char *heap_found_name(uint32_t kind)
{
	static const char *const names[] = {
		[MDG_HEAP_FOUND_TABLE] = "table",     [MDG_HEAP_FOUND_DEAD] = "dead",
		[MDG_HEAP_FOUND_LOCK] = "lock",       [MDG_HEAP_FOUND_ROOT] = "root",
		[MDG_HEAP_FOUND_OVERRUN] = "overrun", [MDG_HEAP_FOUND_AFTER_FREE] = "after-free"
	};

	return kind > 0 && kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

/* What helps against the findings that remain. */
static void print_advice(const struct heap_request *request, const struct heap_view *view)
{
	const struct mdg_heap_finding *findings = view->findings.items;
	bool dead = false, others = false;

	for (size_t i = 0; i < view->findings.count; i++) {
		if (findings[i].repaired != 0)
			continue;
		dead |= findings[i].kind == MDG_HEAP_FOUND_DEAD;
		others |= findings[i].kind != MDG_HEAP_FOUND_DEAD;
	}
	if (dead)
		puts("  --sweep gives back what the dead had.");
	if (others && !request->repair)
		puts("  --repair mends what can be mended.");
}

void heap_print_actions(const struct heap_request *request, const struct heap_view *view)
{
	const struct mdg_heap_finding *findings = view->findings.items;
	char room[SHOW_ROOM];

	if (request->has_limit)
		printf("the limit is %s\n", show_bytes(room, view->info.limit));
	if (request->sweep)
		printf("swept %d dead thread%s\n", view->swept, view->swept == 1 ? "" : "s");
	if (request->trim)
		printf("gave %s back\n", show_bytes(room, view->trimmed));
	if (!request->check && !request->repair)
		return;
	for (size_t i = 0; i < view->findings.count; i++)
		printf("%s: %s\n",
		       findings[i].repaired ? "mended" : heap_found_name(findings[i].kind),
		       findings[i].text);
	if (view->findings.count == 0)
		puts("nothing is wrong");
	print_advice(request, view);
}
