/* SPDX-License-Identifier: MIT */
/*
 * open.c - finding or making a channel, and the way in and out.
 *
 * A channel is a segment. Who makes the segment fills in the head, and says `ready` last. Who finds
 * one that is not ready waits for that, and does it itself if the maker has died: all of it follows
 * from the options, and the segment's size says whether they are the same ones. A segment that has
 * something else in the place of the magic is not touched.
 *
 * The handles of a process share one attachment for each channel.
 *
 * What bounds the memory is read once, checked, and kept in the handle.
 */
#include "channel/internal.h"

#include <string.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "platform/text.h"

enum { TRIES = 16, MAKER_NS = 1000000000, NAP_NS = 1000000, AHEAD_MOST = 4096 };

/* ---- attachments that handles share ---------------------------------------------- */

struct mdg__mapping {
	struct mdg__mapping *next;
	mdg_namespace *ns;
	mdg_id id;
	uint32_t users;
	void *memory;
};

static struct mdg__mapping *mappings; /* guarded by mdg__lists_enter */

static struct mdg__mapping *mapping_find(mdg_namespace *ns, mdg_id id)
{
	struct mdg__mapping *mapping = mappings;
	while (mapping != NULL && (mapping->ns != ns || mapping->id != id))
		mapping = mapping->next;
	if (mapping != NULL)
		mapping->users++;
	return mapping;
}

static int mapping_make(struct mdg__mapping **ret, mdg_namespace *ns, mdg_id id)
{
	void *memory, *page;
	mdg__sigmask mask;
	int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	if (rc < 0)
		return rc;
	rc = mdg__map_own(NULL, sizeof **ret, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &page);
	if (rc < 0) {
		(void)mdg_segment_detach(ns, memory);
		return rc;
	}
	mdg__lists_enter(&mask);
	struct mdg__mapping *mapping = mapping_find(ns, id); /* another thread's, meanwhile */
	bool mine = mapping == NULL;
	if (mine) {
		mapping = page;
		*mapping = (struct mdg__mapping){ mappings, ns, id, 1, memory };
		mappings = mapping;
	}
	mdg__lists_leave(&mask);
	if (!mine) {
		(void)mdg__sys_munmap(page, sizeof **ret);
		(void)mdg_segment_detach(ns, memory);
	}
	*ret = mapping;
	return 0;
}

static int mapping_get(struct mdg__mapping **ret, mdg_namespace *ns, mdg_id id)
{
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	*ret = mapping_find(ns, id);
	mdg__lists_leave(&mask);
	return *ret != NULL ? 0 : mapping_make(ret, ns, id);
}

static void mapping_put(struct mdg__mapping *mapping)
{
	struct mdg__mapping **link = &mappings;
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	bool last = --mapping->users == 0;
	while (last && *link != mapping)
		link = &(*link)->next;
	if (last)
		*link = mapping->next;
	mdg__lists_leave(&mask);
	if (last) {
		mdg__segment_let_go(mapping->ns, mapping->memory);
		(void)mdg__sys_munmap(mapping, sizeof *mapping);
	}
}

/* ---- sizes ------------------------------------------------------------------------- */

struct shape {
	uint32_t kind, full, seats, ahead;
	uint64_t capacity, ring_size, box_size, size;
};

static uint64_t lines_of(uint64_t bytes)
{
	return (bytes + MDG__LINE - 1) & ~(uint64_t)(MDG__LINE - 1);
}

/* All that follows from kind, capacity and seats. An empty ring has to have room for the largest
 * record wherever the tail is: one that does not fit before the end, and what is left there. */
static void shape_finish(struct shape *shape)
{
	bool call = shape->kind == MDG_CALL;
	uint64_t largest = mdg__span(shape->capacity + (call ? sizeof(struct mdg__request) : 0));
	uint64_t ahead = lines_of(largest / 4);
	if (ahead < MDG__AHEAD_LEAST)
		ahead = MDG__AHEAD_LEAST;
	shape->ahead = (uint32_t)(ahead < AHEAD_MOST ? ahead : AHEAD_MOST);
	shape->ring_size = lines_of(2 * largest + shape->ahead + MDG__LINE);
	shape->box_size = call ? lines_of(shape->capacity) : 0;
	shape->size = sizeof(struct mdg__channel_head) +
	              shape->seats * (sizeof(struct mdg__seat) + shape->box_size) +
	              shape->ring_size;
}

static uint64_t rounded(uint64_t capacity)
{
	return capacity == 0 ? MDG_CAPACITY_DEFAULT : lines_of(capacity);
}

static void shape_of(const struct mdg_channel_options *options, struct shape *ret)
{
	ret->kind = options->kind != 0 ? options->kind : MDG_STREAM;
	ret->full = options->full != 0 ? options->full : MDG_FULL_WAIT;
	ret->seats = options->peers != 0 ? options->peers : MDG_PEERS_DEFAULT;
	ret->capacity = rounded(options->capacity);
	shape_finish(ret);
}

static int check_options(const struct mdg_channel_options *options)
{
	if (options->size < sizeof *options || options->kind > MDG_CALL ||
	    options->full > MDG_FULL_OVERWRITE || options->capacity > MDG_CAPACITY_MAX ||
	    options->peers == 1 || options->peers > MDG_PEERS_MAX ||
	    options->from > MDG_FROM_LAST || options->wait > MDG_WAIT_SLEEP ||
	    (options->flags & ~(MDG_CHANNEL_EXISTING | MDG_CHANNEL_EXCL)) != 0)
		return -EINVAL;
	bool topic = options->kind == MDG_TOPIC || options->kind == 0;
	return options->full == MDG_FULL_OVERWRITE && !topic ? -EINVAL : 0;
}

/* ---- the head ------------------------------------------------------------------------- */

static void identity_make(struct mdg_channel *channel, const char *name)
{
	uint64_t parts[9] = { mdg__namespace_number(channel->ns), 0 };
	memcpy(&parts[1], name, strlen(name)); /* at most 63 bytes, zeros behind */
	mdg__note64(&channel->head->identity[0], mdg__hash(parts, sizeof parts));
	parts[0] = ~parts[0];
	mdg__note64(&channel->head->identity[1], mdg__hash(parts, sizeof parts));
}

static void head_fill(struct mdg_channel *channel, const struct shape *shape, const char *name)
{
	struct mdg__channel_head *head = channel->head;
	atomic_store(&head->format, MDG__CHANNEL_FORMAT);
	atomic_store(&head->kind, shape->kind);
	mdg__note64(&head->capacity, shape->capacity);
	mdg__note64(&head->ring_size, shape->ring_size);
	atomic_store(&head->seats, shape->seats);
	atomic_store(&head->full, shape->full);
	atomic_store(&head->ahead, shape->ahead);
	identity_make(channel, name);
	mdg__note64(&head->epoch, mdg__realtime_nanoseconds());
	mdg__note64(&head->magic, MDG__CHANNEL_MAGIC);
	/* Release: pairs with the acquire in is_ready. All else is zeros, as it is to be. */
	atomic_store_explicit(&head->ready, 1, memory_order_release);
}

static bool is_ready(const struct mdg_channel *channel)
{
	return atomic_load_explicit(&channel->head->ready, memory_order_acquire) != 0;
}

/* Fills in the head if nobody has, if the segment was made for these options. */
static int make_ready(struct mdg_channel *channel, const struct shape *shape, const char *name,
                      uint64_t size)
{
	if (shape->size != size)
		return MDG_NOT_CHANNEL;
	int rc = mdg__seat_lock(channel, mdg_deadline(MAKER_NS));
	if (rc < 0)
		return rc;
	if (!is_ready(channel))
		head_fill(channel, shape, name);
	mdg__channel_unlock(&channel->head->seat_lock);
	return 0;
}

static bool may_become_one(const struct mdg_channel *channel)
{
	uint64_t magic = mdg__relaxed64(&channel->head->magic);
	return magic == MDG__CHANNEL_MAGIC || magic == 0;
}

/* Of a channel that was found: 0 when it is ready. */
static int await_ready(struct mdg_channel *channel, const struct shape *shape, const char *name)
{
	uint64_t give_up = mdg__monotonic_nanoseconds() + MAKER_NS;
	struct mdg_segment_info info;
	while (!is_ready(channel)) {
		if (!may_become_one(channel))
			return MDG_NOT_CHANNEL;
		uint64_t now = mdg__monotonic_nanoseconds();
		int rc = mdg_segment_stat(channel->ns, channel->id, MDG_STAT_ANY | MDG_STAT_CREATOR,
		                          &info);
		if (rc < 0)
			return rc;
		if (is_ready(channel)) /* another opener finished it while we asked */
			break;
		if (!info.creator_alive && channel->role != MDG_OBSERVER)
			return make_ready(channel, shape, name, info.size);
		if (now >= give_up || !info.creator_alive)
			return MDG_NOT_CHANNEL;
		(void)mdg__sys_futex_wait_until(&channel->head->ready, 0, now + NAP_NS,
		                                (uint32_t)MDG__ANYONE);
	}
	return 0;
}

static int compare(const struct mdg_channel_options *options, const struct shape *shape)
{
	if (options->kind != 0 && options->kind != shape->kind)
		return MDG_UNLIKE_KIND;
	if (options->capacity != 0 && rounded(options->capacity) != shape->capacity)
		return MDG_UNLIKE_CAPACITY;
	if (options->peers != 0 && options->peers != shape->seats)
		return MDG_UNLIKE_PEERS;
	return options->full != 0 && options->full != shape->full ? MDG_UNLIKE_FULL : 0;
}

/* What the head says, if it can be true. */
static int shape_read(const struct mdg_channel *channel, uint64_t size, struct shape *ret)
{
	const struct mdg__channel_head *head = channel->head;
	if (mdg__relaxed64(&head->magic) != MDG__CHANNEL_MAGIC)
		return MDG_NOT_CHANNEL;
	if (mdg__relaxed32(&head->format) != MDG__CHANNEL_FORMAT)
		return MDG_VERSION_UNLIKE;
	ret->kind = mdg__relaxed32(&head->kind);
	ret->full = mdg__relaxed32(&head->full);
	ret->seats = mdg__relaxed32(&head->seats);
	ret->capacity = mdg__relaxed64(&head->capacity);
	if (ret->kind < MDG_STREAM || ret->kind > MDG_CALL || ret->full < MDG_FULL_WAIT ||
	    ret->full > MDG_FULL_OVERWRITE || ret->seats < 2 || ret->seats > MDG_PEERS_MAX ||
	    ret->capacity == 0 || ret->capacity > MDG_CAPACITY_MAX ||
	    ret->capacity % MDG__LINE != 0)
		return MDG_BROKEN;
	shape_finish(ret);
	return ret->size <= size && ret->ring_size == mdg__relaxed64(&head->ring_size) &&
	                       ret->ahead == mdg__relaxed32(&head->ahead)
	               ? 0
	               : MDG_BROKEN;
}

/* ---- the handle ------------------------------------------------------------------------- */

static void handle_shape(struct mdg_channel *channel, const struct shape *shape)
{
	unsigned char *memory = (unsigned char *)channel->head;
	channel->kind = shape->kind;
	channel->full = shape->full;
	channel->seat_count = shape->seats;
	channel->ring_size = shape->ring_size;
	channel->capacity = shape->capacity;
	channel->largest =
		shape->capacity + (shape->kind == MDG_CALL ? sizeof(struct mdg__request) : 0);
	channel->box_size = shape->box_size;
	channel->ahead = shape->ahead;
	channel->seats = (struct mdg__seat *)(void *)(memory + sizeof *channel->head);
	channel->ring = (unsigned char *)(channel->seats + shape->seats);
	channel->boxes = channel->ring + shape->ring_size;
	while (shape->ring_size > (uint64_t)MDG__MARKS << channel->part_shift)
		channel->part_shift++;
}

static void handle_options(struct mdg_channel *channel, const struct mdg_channel_options *options)
{
	channel->wait = options->wait;
	channel->spin = options->wait == MDG_WAIT_DEFAULT ? MDG__SPIN_MOST_NS : 0;
	if (options->wait == MDG_WAIT_SPIN)
		channel->spin = UINT64_MAX;
	channel->fences = mdg__barrier_register();
	if (options->wait == MDG_WAIT_SLEEP || channel->fences != 0)
		mdg__ask_for_fences(channel);
}

/* Where a stream's talker or listener goes on. */
static void stream_join(struct mdg_channel *channel)
{
	if (channel->role == MDG_TALKER) {
		mdg__tail_repair(channel);
		return;
	}
	channel->next = mdg__position(&channel->head->taken);
	channel->handed = mdg__position(&channel->head->handed);
}

/* [seat lock] */
static int join(struct mdg_channel *channel, uint32_t from)
{
	int rc = mdg__seat_take(channel);
	if (rc < 0)
		return rc;
	bool topic = channel->kind == MDG_TOPIC && channel->role == MDG_LISTENER;
	if (topic)
		rc = mdg__talk_lock(channel, mdg_deadline(MAKER_NS));
	if (rc < 0)
		return rc;
	if (channel->kind == MDG_STREAM)
		stream_join(channel);
	if (topic)
		mdg__topic_join(channel, from);
	atomic_store_explicit(&channel->seat->state,
	                      channel->role == MDG_TALKER ? MDG__SEAT_TALKER : MDG__SEAT_LISTENER,
	                      memory_order_release);
	if (topic)
		mdg__channel_unlock(&channel->head->talk_lock);
	mdg__seat_event(channel, MDG_PEER_CAME, channel->place, channel->seat);
	return 0;
}

static int take_seat(struct mdg_channel *channel, uint32_t from)
{
	int rc = mdg__look_after(channel); /* the seat may be a dead one's */
	if (rc == 0 && channel->role != MDG_OBSERVER) {
		rc = mdg__seat_lock(channel, mdg_deadline(MAKER_NS));
		if (rc < 0)
			return rc;
		rc = join(channel, from);
		mdg__channel_unlock(&channel->head->seat_lock);
	}
	return rc;
}

static void handle_free(struct mdg_channel *channel)
{
	if (channel->mapping != NULL)
		mapping_put(channel->mapping);
	(void)mdg__sys_munmap(channel, sizeof *channel);
}

/* ---- opening ------------------------------------------------------------------------------- */

/* Finds or makes the segment: 1 if it was made. */
static int segment_get(mdg_namespace *ns, const char *name,
                       const struct mdg_channel_options *options, const struct shape *shape,
                       mdg_id *ret_id)
{
	unsigned mode = options->mode != 0 ? options->mode : 0600;
	/* What these options would make there is not. */
	if (shape->full == MDG_FULL_OVERWRITE && shape->kind != MDG_TOPIC) {
		int rc = mdg_segment_open(ns, name, 0, 0600, ret_id);
		return rc == -ENOENT ? -EINVAL : rc;
	}
	for (int i = 0; i < TRIES; i++) {
		if ((options->flags & MDG_CHANNEL_EXISTING) == 0) {
			int rc = mdg_segment_create(ns, name, shape->size, mode, 0, ret_id);
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
                 const struct mdg_channel_options *options, const struct shape *wanted, bool made)
{
	struct mdg_segment_info info;
	struct shape shape = { 0 };
	int rc = mdg_segment_stat(channel->ns, channel->id, MDG_STAT_ANY, &info);
	if (rc == 0 && info.size < sizeof *channel->head)
		rc = MDG_NOT_CHANNEL;
	if (rc == 0)
		rc = mapping_get(&channel->mapping, channel->ns, channel->id);
	if (rc < 0)
		return rc;
	struct mdg__signature me;
	rc = mdg__sign(channel->ns,
	               &me); /* a forked child shares the attachment, and has no slot yet */
	if (rc < 0)
		return rc;
	channel->head = channel->mapping->memory;
	channel->me = mdg__signature_word(me);
	rc = made ? make_ready(channel, wanted, name, info.size)
	          : await_ready(channel, wanted, name);
	if (rc == 0)
		rc = shape_read(channel, info.size, &shape);
	if (rc == 0)
		rc = compare(options, &shape);
	if (rc < 0)
		return rc;
	handle_shape(channel, &shape);
	handle_options(channel, options);
	channel->event = mdg__relaxed32(&channel->head->changes);
	return take_seat(channel, options->from);
}

static int try_open(mdg_channel **ret_channel, mdg_namespace *ns, const char *name, unsigned role,
                    const struct mdg_channel_options *options)
{
	struct shape wanted;
	void *memory;
	mdg_id id;
	shape_of(options, &wanted);
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
	rc = enter(channel, name, options, &wanted, made == 1);
	if (rc < 0)
		handle_free(channel);
	else
		*ret_channel = channel;
	return rc;
}

int mdg_channel_open(mdg_channel **ret_channel, mdg_namespace *ns, const char *name, unsigned role,
                     const struct mdg_channel_options *options)
{
	static const struct mdg_channel_options defaults = { .size = sizeof defaults };
	if (options == NULL)
		options = &defaults;
	int rc = check_options(options);
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

/* ---- leaving -------------------------------------------------------------------------------- */

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
