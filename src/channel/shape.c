/* SPDX-License-Identifier: MIT */
/*
 * shape.c - the sizes of a channel, and the options that ask for them.
 *
 * What bounds the memory is read from the head once, checked here, and kept in the handle. It is
 * never read again, because others can write to the head.
 */
#include "channel/opening.h"

#include "channel/ring.h"

static uint64_t lines_of(uint64_t bytes)
{
	return (bytes + MDG__LINE - 1) & ~(uint64_t)(MDG__LINE - 1);
}

/* An empty ring has to have room for the largest record wherever the tail is: for a record that
 * does not fit before the end of the ring, for what is left there, and for the state behind. */
static void finish(struct mdg__shape *shape)
{
	shape->largest = shape->capacity + shape->kind->in_front;
	uint64_t tag = shape->kind->door == NULL ? MDG__TAG : 0;
	shape->ring_size = lines_of(2 * mdg__span(shape->largest + tag) + MDG__STEP);
	shape->box_size =
		shape->kind->has_boxes ? lines_of(sizeof(struct mdg__box) + shape->capacity) : 0;
	shape->first = sizeof(struct mdg__channel_head) + shape->seats * sizeof(struct mdg__seat) +
	               shape->ring_size;
	shape->size = shape->first + shape->seats * shape->box_size;
}

static uint64_t rounded(uint64_t capacity)
{
	return capacity == 0 ? MDG_CAPACITY_DEFAULT : lines_of(capacity);
}

static const struct mdg__channel_kind *kind_of(const struct mdg_channel_options *options)
{
	return mdg__channel_kind(options->kind != 0 ? options->kind : MDG_STREAM);
}

void mdg__shape_of(const struct mdg_channel_options *options, struct mdg__shape *ret)
{
	ret->kind = kind_of(options);
	ret->full = options->full != 0 ? options->full : MDG_FULL_WAIT;
	ret->seats = options->peers != 0 ? options->peers : MDG_PEERS_DEFAULT;
	ret->capacity = rounded(options->capacity);
	finish(ret);
}

int mdg__options_check(const struct mdg_channel_options *options)
{
	if (kind_of(options) == NULL || options->full > MDG_FULL_OVERWRITE ||
	    options->capacity > MDG_CAPACITY_MAX || options->peers == 1 ||
	    options->peers > MDG_PEERS_MAX || options->from > MDG_FROM_NUMBER ||
	    options->wait > MDG_WAIT_NEAR ||
	    (options->flags & ~(MDG_CHANNEL_EXISTING | MDG_CHANNEL_EXCL)) != 0)
		return -EINVAL;
	/* Without a kind these options may find a channel that overwrites. */
	bool may = options->kind == 0 || kind_of(options)->may_overwrite;
	return options->full == MDG_FULL_OVERWRITE && !may ? -EINVAL : 0;
}

int mdg__shape_compare(const struct mdg_channel_options *options, const struct mdg__shape *shape)
{
	if (options->kind != 0 && options->kind != shape->kind->number)
		return MDG_UNLIKE_KIND;
	if (options->capacity != 0 && rounded(options->capacity) != shape->capacity)
		return MDG_UNLIKE_CAPACITY;
	if (options->peers != 0 && options->peers != shape->seats)
		return MDG_UNLIKE_PEERS;
	return options->full != 0 && options->full != shape->full ? MDG_UNLIKE_FULL : 0;
}

int mdg__shape_read(const struct mdg__channel_head *head, uint64_t size, struct mdg__shape *ret)
{
	if (mdg__relaxed64(&head->magic) != MDG__CHANNEL_MAGIC)
		return MDG_NOT_CHANNEL;
	if (mdg__relaxed32(&head->format) != MDG__CHANNEL_FORMAT)
		return MDG_VERSION_UNLIKE;
	ret->kind = mdg__channel_kind(mdg__relaxed32(&head->kind));
	ret->full = mdg__relaxed32(&head->full);
	ret->seats = mdg__relaxed32(&head->seats);
	ret->capacity = mdg__relaxed64(&head->capacity);
	if (ret->kind == NULL || ret->full < MDG_FULL_WAIT || ret->full > MDG_FULL_OVERWRITE ||
	    ret->seats < 2 || ret->seats > MDG_PEERS_MAX || ret->capacity == 0 ||
	    ret->capacity > MDG_CAPACITY_MAX || ret->capacity % MDG__LINE != 0)
		return MDG_BROKEN;
	finish(ret);
	return ret->size <= size && ret->ring_size == mdg__relaxed64(&head->ring_size) ? 0
	                                                                               : MDG_BROKEN;
}
