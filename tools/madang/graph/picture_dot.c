/* SPDX-License-Identifier: MIT */
/*
 * picture_dot.c - writes a picture in DOT, the language of Graphviz.
 *
 * A kind of object has a shape of its own, and a kind of line a pattern of its own, so that the
 * picture can be read without colours. Everything that others have chosen goes through
 * picture_text and put_dot.
 */
#include "graph/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/kind.h"

enum { NAME_COLUMNS = 28, IN_A_ROW = 5 };

/* ---- shapes ----------------------------------------------------------- */

static const struct look {
	const char *letter; /* its id begins with */
	const char *attributes;
} looks[SHAPES] = {
	[SHAPE_PROCESS] = { "p", "shape=box, fillcolor=\"#ffffff\", color=\"#334155\"" },
	[SHAPE_SEGMENT] = { "s", "shape=cylinder, margin=\"0.14,0.1\", fillcolor=\"#dbeafe\", "
	                         "color=\"#1e40af\"" },
	[SHAPE_CHANNEL] = { "c", "shape=cds, height=0.75, margin=\"0.24,0.1\", "
	                         "fillcolor=\"#dcfce7\", color=\"#166534\"" },
	[SHAPE_LOCK] = { "l", "shape=octagon, margin=\"0.02,0\", fillcolor=\"#fef3c7\", "
	                      "color=\"#92400e\"" },
	[SHAPE_SET] = { "e", "shape=hexagon, margin=\"0.02,0\", fillcolor=\"#f3e8ff\", "
	                     "color=\"#6b21a8\"" },
	[SHAPE_QUEUE] = { "q", "shape=parallelogram, margin=\"0.02,0\", fillcolor=\"#cffafe\", "
	                       "color=\"#155e75\"" },
};

/* The same in each picture of the same objects. */
static void put_id(const struct picture *picture, size_t place, FILE *out)
{
	const struct node *node = &picture->nodes[place];
	const struct seen *seen = picture->seen;
	size_t item = node->item;

	fputs(looks[node->shape].letter, out);
	switch (node->shape) {
	case SHAPE_PROCESS:
		fprintf(out, "%d", (int)seen->processes[item].pid);
		if (!seen->processes[item].is_here)
			fprintf(out, "_elsewhere_%u", seen->processes[item].uid);
		break;
	case SHAPE_SEGMENT:
		fprintf(out, "%d", (int)seen->segments[item].info->id);
		break;
	case SHAPE_CHANNEL:
		fprintf(out, "%d", (int)seen->channels.entries[item].info.id);
		break;
	case SHAPE_LOCK:
		fprintf(out, "%d_%" PRIu64,
		        (int)seen->segments[seen->locks.locks[item].segment].info->id,
		        seen->locks.locks[item].entry.offset);
		break;
	case SHAPE_SET:
		fprintf(out, "%d", (int)seen->sets[item].info.id);
		break;
	default:
		fprintf(out, "%d", (int)seen->queues[item].info.id);
		break;
	}
}

static void put_process(const struct seen_process *process, FILE *out)
{
	char text[TEXT_ROOM];

	put_dot(out, picture_text(text, process->command, NAME_COLUMNS));
	fprintf(out, "\\n%d%s", (int)process->pid, process->is_here ? "" : " (elsewhere)");
}

static void put_segment(const struct seen_segment *segment, FILE *out)
{
	const struct mdg_segment_info *info = segment->info;
	char text[TEXT_ROOM], size[SHOW_ROOM];

	put_dot(out, picture_label(text, "segment", info->id, info->key, info->name, NAME_COLUMNS));
	fprintf(out, "\\n%s%s%s",
	        info->kind == MDG_SEGMENT_HEAP      ? "heap, "
	        : info->kind == MDG_SEGMENT_CHANNEL ? "channel, " /* it may not be read */
	                                            : "",
	        show_bytes(size, info->bytes),
	        info->mode & MDG_MODE_REMOVED ? "\\nremoved"
	        : segment->is_orphan          ? "\\norphan"
	                                      : "");
}

static void put_channel(const struct channels_entry *entry, FILE *out)
{
	const struct mdg_channel_info *info = &entry->info;
	char text[TEXT_ROOM], rate[SHOW_ROOM];

	put_dot(out, picture_label(text, "channel", info->id, 0, info->name, NAME_COLUMNS));
	fprintf(out, "\\n%s%s%s", channel_kind_name(info->kind), entry->has_rate ? ", " : "",
	        entry->has_rate ? show_rate(rate, entry->rate) : "");
	if (info->waiting > 0)
		fprintf(out, "\\n%" PRIu64 " %s", info->waiting,
		        info->kind == MDG_TOPIC ? "kept" : "waiting");
}

static void put_lock(const struct lock *lock, FILE *out)
{
	char text[TEXT_ROOM], room[SHOW_ROOM];

	put_dot(out, picture_label(text, "", 0, 0, lock->entry.name, NAME_COLUMNS));
	fprintf(out, "\\n%s, %s", locks_kind_name(lock->entry.state.kind),
	        locks_state_name(room, lock));
}

static void put_set(const struct seen_set *set, FILE *out)
{
	const struct mdg_semset_info *info = &set->info;
	char text[TEXT_ROOM];

	put_dot(out, picture_label(text, "set", info->id, info->key, info->name, NAME_COLUMNS));
	fprintf(out, "\\n%u semaphore%s", info->count, info->count == 1 ? "" : "s");
	if (set->has_waiting && set->waiting > 0)
		fprintf(out, "\\n%u waiting", set->waiting);
}

static void put_queue(const struct seen_queue *queue, FILE *out)
{
	const struct mdg_msgqueue_info *info = &queue->info;
	char text[TEXT_ROOM];

	put_dot(out, picture_label(text, "queue", info->id, info->key, info->name, NAME_COLUMNS));
	fprintf(out, "\\n%" PRIu64 " message%s", info->messages, info->messages == 1 ? "" : "s");
}

/* Of several that are alike. */
static void put_group(const struct picture *picture, const struct node *node, FILE *out)
{
	static const char *const names[SHAPES] = { "",      "segments", "channels",
		                                   "locks", "sets",     "queues" };
	const struct seen *seen = picture->seen;
	char text[TEXT_ROOM], size[SHOW_ROOM];

	if (node->shape == SHAPE_PROCESS) {
		put_dot(out, picture_text(text, seen->processes[node->item].command, NAME_COLUMNS));
		fprintf(out, "\\n%zu processes", node->members);
		return;
	}
	fprintf(out, "%zu %s", node->members, names[node->shape]);
	if (node->shape != SHAPE_SEGMENT)
		return;
	const struct seen_segment *segment = &seen->segments[node->item];
	fprintf(out, "\\n%s%s", show_bytes(size, node->bytes),
	        segment->info->mode & MDG_MODE_REMOVED ? "\\nremoved"
	        : segment->is_orphan                   ? "\\norphans"
	                                               : "");
}

static void put_label(const struct picture *picture, const struct node *node, FILE *out)
{
	const struct seen *seen = picture->seen;
	size_t item = node->item;

	if (node->members > 1) {
		put_group(picture, node, out);
		return;
	}
	switch (node->shape) {
	case SHAPE_PROCESS:
		put_process(&seen->processes[item], out);
		break;
	case SHAPE_SEGMENT:
		put_segment(&seen->segments[item], out);
		break;
	case SHAPE_CHANNEL:
		put_channel(&seen->channels.entries[item], out);
		break;
	case SHAPE_LOCK:
		put_lock(&seen->locks.locks[item], out);
		break;
	case SHAPE_SET:
		put_set(&seen->sets[item], out);
		break;
	default:
		put_queue(&seen->queues[item], out);
		break;
	}
}

/* Whether the node is part of a circle of waits. */
static int circle_at(const struct picture *picture, size_t place)
{
	int worst = 0;

	for (size_t i = 0; i < picture->line_count; i++) {
		const struct line_between *line = &picture->lines[i];
		if (line->circle != 0 && (line->from == place || line->to == place) && worst != 1)
			worst = line->circle;
	}
	return worst;
}

static bool is_faint(const struct picture *picture, const struct node *node)
{
	if (node->shape != SHAPE_SEGMENT)
		return false;
	const struct seen_segment *segment = &picture->seen->segments[node->item];
	return segment->is_orphan || (segment->info->mode & MDG_MODE_REMOVED) != 0;
}

static void put_node(const struct picture *picture, size_t place, FILE *out)
{
	const struct node *node = &picture->nodes[place];

	fputs("\t", out);
	put_id(picture, place, out);
	fputs(" [label=\"", out);
	put_label(picture, node, out);
	fprintf(out, "\", %s", looks[node->shape].attributes);
	if (node->shape == SHAPE_PROCESS)
		fputs(", style=\"filled,rounded\"", out);
	else if (is_faint(picture, node))
		fputs(", style=\"filled,dashed\"", out);
	if (circle_at(picture, place) != 0)
		fputs(", color=\"#b91c1c\", penwidth=3", out);
	else if (node->members > 1)
		fputs(", penwidth=2.5", out);
	fputs("];\n", out);
}

/* ---- lines ------------------------------------------------------------ */

static void put_line_label(const struct line_between *line, FILE *out)
{
	char room[SHOW_ROOM];

	switch (line->line) {
	case LINE_ATTACHED:
		if (line->lines == 1 && line->count > 1)
			fprintf(out, "%u times", line->count);
		break;
	case LINE_SENDS:
	case LINE_RECEIVES:
		if (line->has_rate)
			fputs(show_rate(room, line->rate), out);
		if (line->lag > 0)
			fprintf(out, "%slag %" PRIu64, line->has_rate ? "\\n" : "", line->lag);
		break;
	case LINE_WAITS:
		fputs(line->lines > 1 ? "wait" : "waits", out);
		if (line->waited > 0)
			fprintf(out, " %s", locks_show_wait(room, line->waited));
		break;
	case LINE_HOLDS:
		fputs("held by", out);
		break;
	case LINE_SENT:
		fputs("sent last", out);
		break;
	case LINE_RECEIVED:
		fputs("received last", out);
		break;
	}
	if (line->circle != 0)
		fputs(line->circle == 1 ? "\\ndeadlock" : "\\ncircle", out);
}

/* Ten times the messages, a little thicker. */
static double width_of(double rate)
{
	static const double steps[] = { 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };
	double width = 1.2;

	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && rate >= steps[i]; i++)
		width += 0.5;
	return width;
}

static void put_line_style(const struct line_between *line, FILE *out)
{
	static const char *const styles[] = {
		[LINE_ATTACHED] = "dir=none, color=\"#64748b\"",
		[LINE_SENDS] = "color=\"#166534\"",
		[LINE_RECEIVES] = "color=\"#166534\"",
		[LINE_WAITS] = "style=dashed, arrowhead=vee, color=\"#92400e\"",
		[LINE_HOLDS] = "arrowhead=dot, penwidth=2, color=\"#92400e\"",
		[LINE_SENT] = "style=dotted, color=\"#155e75\"",
		[LINE_RECEIVED] = "style=dotted, color=\"#155e75\"",
	};

	fputs(styles[line->line], out);
	if (line->line == LINE_SENDS || line->line == LINE_RECEIVES)
		fprintf(out, ", penwidth=%.1f", width_of(line->rate));
	if (line->circle != 0)
		fputs(", color=\"#b91c1c:#ffffff:#b91c1c\", penwidth=2, fontcolor=\"#b91c1c\"",
		      out);
}

static void put_line(const struct picture *picture, const struct line_between *line, FILE *out)
{
	fputs("\t", out);
	put_id(picture, line->from, out);
	fputs(" -> ", out);
	put_id(picture, line->to, out);
	fputs(" [label=\"", out);
	put_line_label(line, out);
	fputs("\", ", out);
	put_line_style(line, out);
	fputs("];\n", out);
}

/* ---- the whole -------------------------------------------------------- */

/* The locks of a segment stand with it in a frame. */
static void put_frame(const struct picture *picture, size_t segment, FILE *out)
{
	const struct survey *locks = &picture->seen->locks;
	bool open = false;

	for (size_t i = 0; i < locks->lock_count; i++) {
		size_t place = picture->first[SHAPE_LOCK] + i;
		if (locks->locks[i].segment != segment || !node_is_drawn(&picture->nodes[place]))
			continue;
		if (!open)
			fprintf(out,
			        "\tsubgraph cluster_%d {\n\tlabel=\"\"; style=\"rounded\"; "
			        "color=\"#94a3b8\"; margin=10;\n",
			        (int)picture->seen->segments[segment].info->id);
		open = true;
		put_node(picture, place, out);
	}
	size_t place = picture->first[SHAPE_SEGMENT] + segment;
	if (node_is_drawn(&picture->nodes[place]))
		put_node(picture, place, out);
	if (open)
		fputs("\t}\n", out);
}

/* What has no lines is set in rows, by lines that are not seen. */
static void put_rows(const struct picture *picture, FILE *out)
{
	size_t in_row = 0, at = 0;
	bool *has_line = calloc(picture->node_count + 1, sizeof *has_line);

	for (size_t i = 0; has_line != NULL && i < picture->line_count; i++)
		has_line[picture->lines[i].from] = has_line[picture->lines[i].to] = true;
	for (size_t i = 0; has_line != NULL && i < picture->node_count; i++) {
		const struct node *node = &picture->nodes[i];
		if (has_line[i] || !node_is_drawn(node) || node->shape == SHAPE_LOCK)
			continue;
		if (in_row > 0) {
			fputs("\t", out);
			put_id(picture, at, out);
			fputs(" -> ", out);
			put_id(picture, i, out);
			fputs(" [style=invis];\n", out);
		}
		at = i;
		in_row = in_row + 1 < IN_A_ROW ? in_row + 1 : 0;
	}
	free(has_line);
}

static void put_rest(const struct picture *picture, FILE *out)
{
	static const char *const one[SHAPES] = { "process", "segment",       "channel",
		                                 "lock",    "semaphore set", "queue" };
	static const char *const more[SHAPES] = { "processes", "segments",       "channels",
		                                  "locks",     "semaphore sets", "queues" };
	bool any = false;

	for (int shape = 0; shape < SHAPES; shape++) {
		if (picture->left_out[shape] == 0)
			continue;
		fputs(any ? "\\n"
		          : "\trest [shape=note, fillcolor=\"#ffffff\", "
		            "color=\"#64748b\", label=\"not drawn:\\n",
		      out);
		fprintf(out, "%zu %s", picture->left_out[shape],
		        picture->left_out[shape] == 1 ? one[shape] : more[shape]);
		any = true;
	}
	if (any)
		fputs("\"];\n", out);
	if (!any && picture_count(picture) == 0)
		fputs("\tnothing [shape=plaintext, fillcolor=\"#ffffff\", "
		      "label=\"Nothing is shared here.\"];\n",
		      out);
}

void picture_write_dot(const struct picture *picture, FILE *out, const char *path)
{
	char text[TEXT_ROOM];

	fputs("digraph madang {\n\ttooltip=\"", out);
	put_dot(out, picture_text(text, path, 0));
	fputs("\"; rankdir=LR; ranksep=0.6; nodesep=0.3; charset=\"UTF-8\"; "
	      "bgcolor=\"#ffffff\";\n"
	      "\tnode [fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, style=filled, "
	      "margin=\"0.14,0.07\", penwidth=1.3];\n"
	      "\tedge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=10, arrowsize=0.8];\n",
	      out);
	for (size_t i = 0; i < picture->node_count; i++) {
		const struct node *node = &picture->nodes[i];
		if (node->shape == SHAPE_SEGMENT)
			put_frame(picture, node->item, out);
		else if (node->shape != SHAPE_LOCK && node_is_drawn(node))
			put_node(picture, i, out);
	}
	for (size_t i = 0; i < picture->line_count; i++)
		put_line(picture, &picture->lines[i], out);
	put_rows(picture, out);
	put_rest(picture, out);
	fputs("}\n", out);
}
