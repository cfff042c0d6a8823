/* SPDX-License-Identifier: MIT */
/*
 * picture_merge.c - makes a picture of many objects small enough to be read.
 *
 * First, objects become one shape if they are of the same kind, and joined to the same others by
 * the same lines. So forty workers of a server are one shape. If that is not enough, objects become
 * one if they are joined to others that are alike. So forty programs, each with a segment of its
 * own, are one shape of forty programs and one of forty segments. For that, each object gets a
 * colour: first by its kind, then again and again by its own colour and those of its neighbours,
 * until there are no more new ones. What is in a circle of waits stays alone.
 */
#include "graph/picture.h"

#include <stdlib.h>
#include <string.h>

/* One end of a line. */
struct touch {
	size_t node;
	size_t other; /* the other end's node, or its colour */
	enum line line;
	bool outward;
	int circle;
};

/* A node that may be joined with others, and its lines. */
struct candidate {
	const struct picture *picture;
	size_t node, colour;
	size_t members; /* as they were before any of these were joined */
	const struct touch *touches;
	size_t count;
};

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_node(const void *a, const void *b)
{
	const struct touch *one = a, *other = b;
	int order = compare(one->node, other->node);

	if (order == 0)
		order = compare(one->line, other->line);
	if (order == 0)
		order = compare(one->outward, other->outward);
	return order != 0 ? order : compare(one->other, other->other);
}

/* With `colours`, the other ends are those. NULL, and noted: no memory. */
static struct touch *list_touches(struct picture *picture, const size_t *colours)
{
	struct touch *touches = calloc(2 * picture->line_count + 1, sizeof *touches);

	if (touches == NULL) {
		picture->out_of_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < picture->line_count; i++) {
		const struct line_between *line = &picture->lines[i];
		size_t from = colours != NULL ? colours[line->from] : line->from;
		size_t to = colours != NULL ? colours[line->to] : line->to;
		touches[2 * i] = (struct touch){ line->from, to, line->line, true, line->circle };
		touches[2 * i + 1] =
			(struct touch){ line->to, from, line->line, false, line->circle };
	}
	qsort(touches, 2 * picture->line_count, sizeof *touches, by_node);
	return touches;
}

/* ---- joining what is alike --------------------------------------------- */

static int compare_segments(const struct seen_segment *one, const struct seen_segment *other)
{
	int order = compare(one->info->kind, other->info->kind);

	if (order == 0)
		order = compare(one->info->mode & MDG_MODE_REMOVED,
		                other->info->mode & MDG_MODE_REMOVED);
	return order != 0 ? order : compare(one->is_orphan, other->is_orphan);
}

static int compare_processes(const struct seen_process *one, const struct seen_process *other)
{
	int order = strcmp(one->command, other->command);

	if (order == 0)
		order = compare(one->is_here, other->is_here);
	return order != 0 ? order : compare(one->uid, other->uid);
}

/* What has to be the same of two objects of a kind. */
static int compare_objects(const struct seen *seen, const struct node *one,
                           const struct node *other)
{
	const struct lock *locks = seen->locks.locks;
	int order;

	switch (one->shape) {
	case SHAPE_PROCESS:
		return compare_processes(&seen->processes[one->item],
		                         &seen->processes[other->item]);
	case SHAPE_SEGMENT:
		return compare_segments(&seen->segments[one->item], &seen->segments[other->item]);
	case SHAPE_CHANNEL:
		return compare(seen->channels.entries[one->item].info.kind,
		               seen->channels.entries[other->item].info.kind);
	case SHAPE_LOCK:
		order = compare(locks[one->item].segment, locks[other->item].segment);
		return order != 0 ? order
		                  : compare(locks[one->item].entry.state.kind,
		                            locks[other->item].entry.state.kind);
	default:
		return 0;
	}
}

static int by_likeness(const void *a, const void *b)
{
	const struct candidate *one = a, *other = b;
	const struct node *nodes = one->picture->nodes;
	int order = compare(one->colour, other->colour);

	if (order == 0)
		order = compare(nodes[one->node].shape, nodes[other->node].shape);
	if (order == 0) /* forty together are not like forty on their own */
		order = compare(one->members, other->members);
	if (order == 0)
		order = compare_objects(one->picture->seen, &nodes[one->node], &nodes[other->node]);
	if (order == 0)
		order = compare(one->count, other->count);
	for (size_t i = 0; i < one->count && order == 0; i++) {
		const struct touch *mine = &one->touches[i], *its = &other->touches[i];
		order = compare(mine->line, its->line);
		if (order == 0)
			order = compare(mine->outward, its->outward);
		if (order == 0)
			order = compare(mine->other, its->other);
	}
	return order;
}

/* A segment whose locks are drawn encloses them; what is in a circle stays to be seen. */
static bool may_join(const struct picture *picture, const struct candidate *candidate)
{
	const struct node *node = &picture->nodes[candidate->node];

	for (size_t i = 0; i < candidate->count; i++)
		if (candidate->touches[i].circle != 0)
			return false;
	for (size_t i = 0; node->shape == SHAPE_SEGMENT && i < picture->seen->locks.lock_count; i++)
		if (picture->seen->locks.locks[i].segment == node->item &&
		    !picture->nodes[picture->first[SHAPE_LOCK] + i].is_hidden)
			return false;
	return true;
}

static void join_nodes(struct picture *picture, size_t into, size_t node)
{
	picture->nodes[node].join = into;
	picture->nodes[into].members += picture->nodes[node].members;
	picture->nodes[into].bytes += picture->nodes[node].bytes;
	picture->nodes[node].members = 0;
}

/* In the order of the nodes, so that the first one stands for all. */
static int by_likeness_and_place(const void *a, const void *b)
{
	int order = by_likeness(a, b);

	return order != 0 ? order
	                  : compare(((const struct candidate *)a)->node,
	                            ((const struct candidate *)b)->node);
}

/* Those of this shape, or of all (SHAPES). Returns how many. */
static size_t list_candidates(const struct picture *picture, enum shape shape,
                              const struct touch *touches, const size_t *colours,
                              struct candidate *ret)
{
	size_t count = 0, at = 0, all = 2 * picture->line_count;

	for (size_t i = 0; i < picture->node_count; i++) {
		const struct node *node = &picture->nodes[i];
		while (at < all && touches[at].node < i)
			at++;
		size_t end = at;
		while (end < all && touches[end].node == i)
			end++;
		struct candidate one = {
			picture,      i,       colours != NULL ? colours[i] : 0, node->members,
			touches + at, end - at
		};
		if ((node->shape == shape || shape == SHAPES) && node_is_drawn(node) &&
		    may_join(picture, &one))
			ret[count++] = one;
	}
	if (count > 0)
		qsort(ret, count, sizeof *ret, by_likeness_and_place);
	return count;
}

static void join_alike(struct picture *picture, enum shape shape)
{
	struct touch *touches = list_touches(picture, NULL);
	struct candidate *candidates = calloc(picture->node_count + 1, sizeof *candidates);
	size_t count = 0, first = 0;

	if (touches != NULL && candidates != NULL)
		count = list_candidates(picture, shape, touches, NULL, candidates);
	for (size_t i = 1; i < count; i++) {
		if (by_likeness(&candidates[first], &candidates[i]) == 0)
			join_nodes(picture, candidates[first].node, candidates[i].node);
		else
			first = i;
	}
	picture->out_of_memory = picture->out_of_memory || candidates == NULL;
	free(candidates);
	free(touches);
	picture_join_lines(picture);
}

/* ---- joining what has a like place -------------------------------------- */

/* Colours are nodes: that of the first one of a kind. Gives each candidate a new one, and returns
 * how many there are among the candidates; 0: no memory. */
static size_t colour_again(struct picture *picture, size_t *colours, struct candidate *candidates)
{
	struct touch *touches = list_touches(picture, colours);
	size_t count, first = 0, found = 0;

	if (touches == NULL)
		return 0;
	count = list_candidates(picture, SHAPES, touches, colours, candidates);
	for (size_t i = 0; i < count; i++) {
		/* What they are compared by does not change meanwhile. */
		if (i == 0 || by_likeness(&candidates[first], &candidates[i]) != 0) {
			first = i;
			found++;
		}
		colours[candidates[i].node] = candidates[first].node;
	}
	free(touches);
	return found;
}

/* What may be joined begins with one colour, that of no node; all else has its own. */
static void colour_first(struct picture *picture, size_t *colours, struct candidate *candidates)
{
	struct touch *touches = list_touches(picture, NULL);

	for (size_t i = 0; i < picture->node_count; i++)
		colours[i] = i;
	if (touches == NULL)
		return;
	size_t count = list_candidates(picture, SHAPES, touches, NULL, candidates);
	for (size_t i = 0; i < count; i++)
		colours[candidates[i].node] = picture->node_count;
	free(touches);
}

static void join_like_places(struct picture *picture)
{
	size_t *colours = calloc(picture->node_count + 1, sizeof *colours);
	struct candidate *candidates = calloc(picture->node_count + 1, sizeof *candidates);
	size_t before = 0, found = 0;

	if (colours == NULL || candidates == NULL) {
		picture->out_of_memory = true;
	} else {
		colour_first(picture, colours, candidates);
		do {
			before = found;
			found = colour_again(picture, colours, candidates);
		} while (found > before);
		for (size_t i = 0; i < picture->node_count; i++)
			if (colours[i] < i && node_is_drawn(&picture->nodes[i]))
				join_nodes(picture, colours[i], i);
	}
	free(candidates);
	free(colours);
	picture_join_lines(picture);
}

void picture_fit(struct picture *picture, size_t limit)
{
	static const enum shape order[] = { SHAPE_SEGMENT, SHAPE_SET,  SHAPE_QUEUE,
		                            SHAPE_CHANNEL, SHAPE_LOCK, SHAPE_PROCESS };

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		if (picture_count(picture) > limit)
			join_alike(picture, order[i]);
	if (picture_count(picture) > limit)
		join_like_places(picture);
	if (picture_count(picture) > limit)
		picture_leave_out(picture, limit);
}
