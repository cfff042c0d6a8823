/* SPDX-License-Identifier: MIT */
/*
 * opening.h - what opening a channel is made of: its attachment, its sizes, its head.
 */
#ifndef MADANG_CHANNEL_OPENING_H
#define MADANG_CHANNEL_OPENING_H

#include "channel/handle.h"
#include "channel/kind.h"

/* ---- mapping.c -------------------------------------------------------------------------- */

/* The attachment of a channel's segment. All handles of a process for the channel share it. */
struct mdg__mapping {
	struct mdg__mapping *next;
	mdg_namespace *ns;
	mdg_id id;
	uint32_t users; /* handles */
	void *memory;
};
int mdg__mapping_get(struct mdg__mapping **ret, mdg_namespace *ns, mdg_id id);
/* The last one to put it back detaches the segment. */
void mdg__mapping_put(struct mdg__mapping *mapping);

/* ---- shape.c ------------------------------------------------------------------------------ */

/* All sizes of a channel. They follow from kind, capacity and seats. */
struct mdg__shape {
	const struct mdg__channel_kind *kind;
	uint32_t full, seats;
	uint64_t capacity, largest, ring_size, box_size, size;
	uint64_t first; /* bytes in front of the boxes, which have memory from the start */
};
/* Whether these options can be meant: 0, -EINVAL. */
int mdg__options_check(const struct mdg_channel_options *options);
/* The shape of the channel that these options make. */
void mdg__shape_of(const struct mdg_channel_options *options, struct mdg__shape *ret);
/* The shape that the head of a channel says, in a segment of `size` bytes: 0, MDG_NOT_CHANNEL,
 * MDG_VERSION_UNLIKE, MDG_BROKEN. */
int mdg__shape_read(const struct mdg__channel_head *head, uint64_t size, struct mdg__shape *ret);
/* Whether the options ask for what the channel is: 0, MDG_UNLIKE_*. */
int mdg__shape_compare(const struct mdg_channel_options *options, const struct mdg__shape *shape);

/* ---- head.c ------------------------------------------------------------------------------- */

/* Fills in the head if nobody has, if the segment was made for this shape. */
int mdg__head_make(struct mdg_channel *channel, const struct mdg__shape *shape, const char *name,
                   uint64_t size);
/* Of a channel that was found: 0 when its head is right. */
int mdg__head_await(struct mdg_channel *channel, const struct mdg__shape *shape, const char *name);

#endif
