/* SPDX-License-Identifier: MIT */
/*
 * picture_limit.c - leaves shapes out of a picture that is still too large.
 *
 * The most important shapes stay, each with its neighbours, so that nothing stands there without
 * its lines. A circle is more important than a wait, a wait more than any other line, and after
 * that it counts how many objects and bytes a shape stands for.
 */
#include <stdlib.h>

#include "graph/picture.h"

static void weigh(struct picture *picture)
{
	static const uint64_t circle = UINT64_C(1) << 48, wait = UINT64_C(1) << 40,
			      other = UINT64_C(1) << 20, most = UINT64_C(1) << 19;

	for (size_t i = 0; i < picture->node_count; i++) {
		struct node *node = &picture->nodes[i];
		uint64_t size = (node->bytes >> 20) + 16 * node->members;
		node->weight = size < most ? size : most;
	}
	for (size_t i = 0; i < picture->line_count; i++) {
		const struct line_between *line = &picture->lines[i];
		uint64_t weight = line->circle != 0          ? circle
		                  : line->line == LINE_WAITS ? wait
		                                             : other;
		picture->nodes[line->from].weight += weight;
		picture->nodes[line->to].weight += weight;
	}
}

static int by_weight(const void *a, const void *b)
{
	const struct node *one = *(const struct node *const *)a;
	const struct node *other = *(const struct node *const *)b;

	if (one->weight != other->weight)
		return one->weight > other->weight ? -1 : 1;
	return (one > other) - (one < other); /* they lie in one array */
}

static void keep(struct node *node, size_t *left)
{
	if (*left == 0 || !node->is_left_out)
		return;
	node->is_left_out = false;
	--*left;
}

static void keep_neighbours(struct picture *picture, size_t place, size_t *left)
{
	for (size_t i = 0; i<picture->line_count && * left> 0; i++) {
		const struct line_between *line = &picture->lines[i];
		if (line->from == place)
			keep(&picture->nodes[line->to], left);
		else if (line->to == place)
			keep(&picture->nodes[line->from], left);
	}
}

void picture_leave_out(struct picture *picture, size_t limit)
{
	struct node **drawn = calloc(picture->node_count + 1, sizeof(struct node *));
	size_t count = 0, left = limit;

	if (drawn == NULL) {
		picture->out_of_memory = true;
		return;
	}
	weigh(picture);
	for (size_t i = 0; i < picture->node_count; i++)
		if (node_is_drawn(&picture->nodes[i])) {
			picture->nodes[i].is_left_out = true;
			drawn[count++] = &picture->nodes[i];
		}
	if (count > 0)
		qsort(drawn, count, sizeof(struct node *), by_weight);
	for (size_t i = 0; i < count && left > 0; i++) {
		keep(drawn[i], &left);
		keep_neighbours(picture, (size_t)(drawn[i] - picture->nodes), &left);
	}
	for (size_t i = 0; i < count; i++)
		if (drawn[i]->is_left_out)
			picture->left_out[drawn[i]->shape] += drawn[i]->members;
	free(drawn);
	picture_join_lines(picture);
}
