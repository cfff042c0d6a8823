/* SPDX-License-Identifier: MIT */
/*
 * picture_make.c - makes a shape for each object, and says what there is to draw.
 */
#include "graph/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many objects of a kind there are. */
static size_t count_of(const struct seen *seen, enum shape shape)
{
	switch (shape) {
	case SHAPE_PROCESS:
		return seen->process_count;
	case SHAPE_SEGMENT:
		return seen->segment_count;
	case SHAPE_CHANNEL:
		return seen->channels.count;
	case SHAPE_LOCK:
		return seen->locks.lock_count;
	case SHAPE_SET:
		return seen->set_count;
	case SHAPE_QUEUE:
		return seen->queue_count;
	default:
		return 0;
	}
}

/* A lock that nobody has and nobody waits for is in the table only. */
static bool is_idle(const struct lock *lock)
{
	return lock->owner == NOBODY && lock->reader_count == 0 && lock->waiter_count == 0;
}

static void fill_node(const struct picture *picture, struct node *node)
{
	const struct seen *seen = picture->seen;

	if (node->shape == SHAPE_SEGMENT) {
		node->bytes = seen->segments[node->item].info->bytes;
		node->is_hidden = seen->segments[node->item].channel != NOBODY;
	} else if (node->shape == SHAPE_LOCK) {
		node->is_hidden = is_idle(&seen->locks.locks[node->item]);
	}
}

static int make_nodes(struct picture *picture)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		picture->first[shape] = picture->node_count;
		picture->node_count += count_of(picture->seen, (enum shape)shape);
	}
	picture->nodes = calloc(picture->node_count + 1, sizeof *picture->nodes);
	if (picture->nodes == NULL)
		return -ENOMEM;
	for (int shape = 0; shape < SHAPES; shape++)
		for (size_t i = 0; i < count_of(picture->seen, (enum shape)shape); i++) {
			size_t place = picture->first[shape] + i;
			struct node *node = &picture->nodes[place];
			*node = (struct node){
				.shape = (enum shape)shape, .item = i, .join = place, .members = 1
			};
			fill_node(picture, node);
		}
	return 0;
}

bool node_is_drawn(const struct node *node)
{
	return !node->is_hidden && !node->is_left_out && node->members > 0;
}

size_t picture_count(const struct picture *picture)
{
	size_t count = 0;

	for (size_t i = 0; i < picture->node_count; i++)
		count += node_is_drawn(&picture->nodes[i]);
	return count;
}

int picture_make(struct picture *ret_picture, const struct seen *seen, size_t limit)
{
	memset(ret_picture, 0, sizeof *ret_picture);
	ret_picture->seen = seen;
	int rc = make_nodes(ret_picture);
	if (rc != 0)
		return rc;
	picture_add_lines(ret_picture);
	picture_join_lines(ret_picture);
	if (limit != 0)
		picture_fit(ret_picture, limit);
	return ret_picture->out_of_memory ? -ENOMEM : 0;
}

void picture_free(struct picture *picture)
{
	free(picture->nodes);
	free(picture->lines);
	memset(picture, 0, sizeof *picture);
}
