/* SPDX-License-Identifier: MIT */
/*
 * open.c - finding or making a channel, and the way in and out.
 *
 * A channel is a segment. Entering one has four steps: attach the segment (mapping.c), wait until
 * its head is right or make it (head.c), take over the sizes from the head (shape.c), and take a
 * seat (seats.c).
 */
#include "channel/opening.h"

#include <sys/mman.h>

#include "channel/messages.h"
#include "channel/peers.h"
#include "channel/wake.h"
#include "platform/ownmap.h"
#include "platform/sized.h"

enum { TRIES = 16, SEAT_NS = 1000000000 };

/* ---- the handle ---------------------------------------------------------------------------- */

static void handle_shape(struct mdg_channel *channel, const struct mdg__shape *shape)
{
	unsigned char *memory = (unsigned char *)channel->head;
	channel->ops = shape->kind;
	channel->kind = shape->kind->number;
	channel->way = shape->kind->way;
	channel->door = shape->kind->door;
	channel->full = shape->full;
	channel->seat_count = shape->seats;
	channel->ring_size = shape->ring_size;
	channel->capacity = shape->capacity;
	channel->largest = shape->largest;
	channel->box_size = shape->box_size;
	channel->seats = (struct mdg__seat *)(void *)(memory + sizeof *channel->head);
	channel->ring = (unsigned char *)(channel->seats + shape->seats);
	channel->boxes = channel->ring + shape->ring_size;
	while (shape->ring_size > (uint64_t)MDG__MARKS << channel->part_shift)
		channel->part_shift++;
}

static void handle_options(struct mdg_channel *channel, const struct mdg_channel_options *options)
{
	channel->wait = options->wait;
	channel->spin = options->wait == MDG_WAIT_SLEEP ? 0 : MDG__SPIN_MOST_NS;
	channel->fences = mdg__sys_fence_register() < 0;
	channel->fetches = mdg__cpu_can_fetch();
	channel->keeping.least = channel->fences != 0 ? MDG__KEEP_NEVER : MDG__KEEP_LEAST;
	if (options->wait == MDG_WAIT_SLEEP || channel->fences != 0)
		mdg__ask_for_fences(channel);
}

/* This process cannot make others pass a fence. After this nobody keeps a lock, see keep.c. A
 * stream's locks are not touched: nobody takes them, and to set one right after a dead owner would
 * write to the ring while the talker does. */
static int end_keeping(struct mdg_channel *channel)
{
	uint64_t deadline = mdg_deadline(SEAT_NS);
	if (channel->fences == 0 || channel->way == MDG__ALONE)
		return 0;
	atomic_store(&channel->head->unkept, 1);
	int rc = mdg__talk_lock(channel, deadline);
	if (rc < 0)
		return rc;
	mdg__channel_unlock(&channel->head->talk_lock);
	rc = mdg__take_lock(channel, deadline);
	if (rc < 0)
		return rc;
	mdg__channel_unlock(&channel->head->take_lock);
	channel->unkept = true;
	return 0;
}

/* [seat lock] */
static int join(struct mdg_channel *channel, uint32_t from)
{
	if (channel->ops->join != NULL)
		return channel->ops->join(channel, from);
	mdg__seat_show(channel);
	return 0;
}

static int take_seat(struct mdg_channel *channel, uint32_t from)
{
	int rc = mdg__look_after(channel); /* the seat may be a dead one's */
	if (rc < 0 || channel->role == MDG_OBSERVER)
		return rc;
	rc = mdg__seat_lock(channel, mdg_deadline(SEAT_NS));
	if (rc < 0)
		return rc;
	rc = mdg__seat_take(channel);
	if (rc == 0)
		rc = join(channel, from);
	if (rc == 0)
		mdg__seat_event(channel, MDG_PEER_CAME, channel->place, channel->seat);
	mdg__channel_unlock(&channel->head->seat_lock);
	return rc;
}

static void handle_free(struct mdg_channel *channel)
{
	if (channel->mapping != NULL)
		mdg__mapping_put(channel->mapping);
	(void)mdg__sys_munmap(channel, sizeof *channel);
}

/* ---- opening ------------------------------------------------------------------------------- */

/* Finds or makes the segment: 1 if it was made. */
static int segment_get(mdg_namespace *ns, const char *name,
                       const struct mdg_channel_options *options, const struct mdg__shape *shape,
                       mdg_id *ret_id)
{
	unsigned mode = options->mode != 0 ? options->mode : 0600;
	/* These options can find a channel, but not make one. */
	if (shape->full == MDG_FULL_OVERWRITE && !shape->kind->may_overwrite) {
		int rc = mdg_segment_open(ns, name, 0, 0600, ret_id);
		return rc == -ENOENT ? -EINVAL : rc;
	}
	for (int i = 0; i < TRIES; i++) {
		if ((options->flags & MDG_CHANNEL_EXISTING) == 0) {
			int rc = mdg__segment_create(ns, name, shape->size, mode,
			                             shape->kind->has_boxes ? MDG_NORESERVE : 0,
			                             MDG__KIND_CHANNEL, shape->first, ret_id);
			if (rc == 0)
				return 1;
			if (rc != -EEXIST || (options->flags & MDG_CHANNEL_EXCL) != 0)
				return rc;
		}
		int rc = mdg_segment_open(ns, name, 0, 0600, ret_id);
		if (rc != -ENOENT || (options->flags & MDG_CHANNEL_EXISTING) != 0)
			return rc; /* else removed between the two */
	}
	return -ENOENT;
}

static int enter(struct mdg_channel *channel, const char *name,
                 const struct mdg_channel_options *options, const struct mdg__shape *wanted,
                 bool made)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg__shape shape = { .kind = wanted->kind };
	int rc = mdg_segment_stat(channel->ns, channel->id, MDG_STAT_ANY, &info);
	if (rc == 0 && info.bytes < sizeof *channel->head)
		rc = MDG_NOT_CHANNEL;
	if (rc == 0)
		rc = mdg__mapping_get(&channel->mapping, channel->ns, channel->id);
	if (rc < 0)
		return rc;
	struct mdg__signature me;
	/* A forked child shares the attachment, and has no slot yet. */
	rc = mdg__sign(channel->ns, &me);
	if (rc < 0)
		return rc;
	channel->head = channel->mapping->memory;
	channel->me = mdg__signature_word(me);
	rc = made ? mdg__head_make(channel, wanted, name, info.bytes)
	          : mdg__head_await(channel, wanted, name);
	if (rc == 0)
		rc = mdg__shape_read(channel->head, info.bytes, &shape);
	if (rc == 0)
		rc = mdg__shape_compare(options, &shape);
	if (rc < 0)
		return rc;
	handle_shape(channel, &shape);
	handle_options(channel, options);
	channel->event = mdg__relaxed32(&channel->head->changes);
	rc = end_keeping(channel);
	return rc < 0 ? rc : take_seat(channel, options->from);
}

static int try_open(mdg_channel **ret_channel, mdg_namespace *ns, const char *name, unsigned role,
                    const struct mdg_channel_options *options)
{
	struct mdg__shape wanted;
	void *memory;
	mdg_id id;
	mdg__shape_of(options, &wanted);
	int made = segment_get(ns, name, options, &wanted, &id);
	if (made < 0)
		return made;
	int rc = mdg__map_own(NULL, sizeof(struct mdg_channel), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
	                      &memory);
	if (rc < 0)
		return rc;
	struct mdg_channel *channel = memory;
	channel->epoch = mdg__epoch();
	channel->role = role;
	channel->ns = ns;
	channel->id = id;
	channel->pipe = -1;
	channel->first = options->number;
	rc = enter(channel, name, options, &wanted, made == 1);
	if (rc < 0)
		handle_free(channel);
	else
		*ret_channel = channel;
	return rc;
}

/* Bytes of struct mdg_channel_options in the first release. */
#define FIRST_OPTIONS 40u

int mdg_channel_open(mdg_channel **ret_channel, mdg_namespace *ns, const char *name, unsigned role,
                     const struct mdg_channel_options *given)
{
	struct mdg_channel_options own = { 0 };
	int rc = given == NULL ? 0 : mdg__sized_take(&own, sizeof own, FIRST_OPTIONS, given);
	if (rc < 0)
		return rc;
	const struct mdg_channel_options *options = &own;
	rc = mdg__options_check(options);
	if (rc < 0 || name == NULL || role > MDG_LISTENER)
		return -EINVAL;
	rc = -EIDRM;
	/* One that is removed while we come in is another one a moment later. */
	for (int i = 0; i < TRIES && (rc == -EIDRM || rc == -EAGAIN); i++) {
		rc = try_open(ret_channel, ns, name, role, options);
		if (rc == -EINVAL && (options->flags & MDG_CHANNEL_EXCL) == 0) {
			mdg_id id; /* the name, or gone since it was found? */
			if (mdg_segment_open(ns, name, 0, 0, &id) == -ENOENT)
				rc = -EAGAIN;
		}
	}
	return rc == -EAGAIN ? -EINVAL : rc;
}

/* ---- leaving ------------------------------------------------------------------------------- */

void mdg_channel_close(mdg_channel *channel)
{
	if (channel == NULL)
		return;
	bool here = mdg__epoch_is(channel->epoch);
	if (here && channel->seat != NULL) {
		mdg__pipe_close(channel);
		if (mdg__is_seated(channel)) {
			if (channel->reserved.count != 0)
				(void)mdg__cancel_all(channel);
			mdg__claim_end(channel, false);
			mdg__seat_leave(channel);
		}
	}
	handle_free(channel);
}

int mdg_channel_remove(mdg_namespace *ns, const char *name)
{
	static const struct mdg_channel_options options = { .size = sizeof options,
		                                            .flags = MDG_CHANNEL_EXISTING };
	mdg_channel *channel;
	int rc = mdg_channel_open(&channel, ns, name, MDG_OBSERVER, &options);
	if (rc < 0)
		return rc;
	rc = mdg_segment_remove(ns, channel->id);
	if (rc == 0) {
		uint32_t used = mdg__seats_used(channel);
		atomic_store(&channel->head->removed, 1);
		mdg__wake_everybody(channel);
		for (uint32_t i = 0; i < used; i++)
			mdg__pipe_unlink(channel, i, mdg__relaxed32(&channel->seats[i].use));
	}
	mdg_channel_close(channel);
	return rc;
}
