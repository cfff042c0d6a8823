/* SPDX-License-Identifier: MIT */
/*
 * look.c - what a channel shows: figures, peers, what changed; and all channels of a namespace.
 *
 * Nothing here takes part in the channel. Figures are read one after the other while others go on,
 * so they fit together only as well as that allows. The walk over all channels reads their data
 * files, and attaches nothing.
 */
#include "channel/kind.h"
#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/view.h"
#include "platform/sized.h"
#include "segment/segment.h"

/* ---- figures ------------------------------------------------------------------------ */

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* `kind` may be anything: it comes from shared memory. */
static bool is_to_each(uint32_t kind)
{
	const struct mdg__channel_kind *ops = mdg__channel_kind(kind);
	return ops != NULL && ops->way == MDG__TO_EACH;
}

/* What the head says by itself. */
static void describe_head(const struct mdg__channel_head *head, struct mdg_channel_info *ret)
{
	ret->kind = mdg__relaxed32(&head->kind);
	ret->full = mdg__relaxed32(&head->full);
	ret->peers = mdg__relaxed32(&head->seats);
	ret->capacity = mdg__relaxed64(&head->capacity);
	ret->identity[0] = mdg__relaxed64(&head->identity[0]);
	ret->identity[1] = mdg__relaxed64(&head->identity[1]);
	ret->epoch = mdg__relaxed64(&head->epoch);
	ret->sequence = mdg__relaxed64(&head->sequence);
	ret->bytes = mdg__relaxed64(&head->tail);
	ret->room = mdg__relaxed64(&head->ring_size);
	ret->changes = mdg__relaxed32(&head->changes);
}

/* `needed`: the oldest position that a seat says. */
static void add_seat(const struct mdg__seat *seat, struct mdg_channel_info *info, uint64_t *needed)
{
	uint32_t state = mdg__relaxed32(&seat->state);
	uint64_t from = mdg__relaxed64(&seat->from);
	info->talkers += state == MDG__SEAT_TALKER;
	info->listeners += state == MDG__SEAT_LISTENER;
	if (state != MDG__SEAT_LISTENER && state != MDG__SEAT_ORPHAN)
		return;
	info->missed += mdg__relaxed64(&seat->missed);
	if (from < *needed)
		*needed = from;
}

/* What follows from head and seats together. */
static void describe_use(const struct mdg__channel_head *head, uint64_t needed,
                         struct mdg_channel_info *info)
{
	bool each = is_to_each(info->kind);
	uint64_t oldest = each ? mdg__relaxed64(&head->oldest) : mdg__relaxed64(&head->taken);
	info->used = minus(info->bytes, needed < oldest ? needed : oldest);
	if (info->used > info->room)
		info->used = info->room;
	if (!each)
		info->waiting = minus(info->sequence, mdg__relaxed64(&head->taken_sequence));
}

/* The number of the oldest message that a topic keeps, or the next one's. */
static uint64_t oldest_number(struct mdg_channel *channel, uint64_t next)
{
	for (int i = 0; i < 8; i++) {
		uint64_t at = mdg__position(&channel->head->oldest);
		struct mdg__record *record;
		uint32_t size;
		int rc = mdg__find_ready(channel, &at, UINT64_MAX, &record, &size);
		uint64_t number = rc > 0 ? mdg__relaxed64(&record->sequence) : next;
		if (mdg__position(&channel->head->oldest) <= at)
			return number;
	}
	return next;
}

int mdg_channel_look(mdg_channel *channel, struct mdg_channel_info *ret_info)
{
	struct mdg_channel_info info = { 0 };
	uint64_t needed = MDG__NOWHERE;
	unsigned mode;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	int rc = mdg__usable(channel, UINT32_MAX);
	if (channel->role == MDG_OBSERVER)
		rc = mdg__epoch_is(channel->epoch) ? 0 : -EPERM;
	if (rc < 0)
		return rc;
	rc = mdg__look_after(channel);
	info.id = channel->id;
	(void)mdg__segment_label(channel->ns, channel->id, info.name, &mode);
	describe_head(channel->head, &info);
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++)
		add_seat(&channel->seats[i], &info, &needed);
	describe_use(channel->head, needed, &info);
	if (channel->way == MDG__TO_EACH)
		info.waiting = minus(info.sequence, oldest_number(channel, info.sequence));
	mdg__sized_give(ret_info, &info, sizeof info);
	return rc;
}

/* ---- peers ------------------------------------------------------------------------------ */

/* Of a topic's listener that has received nothing yet nothing is known. */
static uint64_t lag_of(const struct mdg__channel_head *head, bool to_each,
                       const struct mdg__seat *seat)
{
	uint64_t next = mdg__relaxed64(&head->sequence);
	if (!to_each)
		return minus(next, mdg__relaxed64(&head->taken_sequence));
	return minus(next, mdg__relaxed64(&seat->sequence));
}

static struct mdg_peer peer_of(const struct mdg__channel_head *head, const struct mdg__seat *seat,
                               uint32_t place)
{
	bool to_each = is_to_each(mdg__relaxed32(&head->kind));
	uint32_t state = mdg__relaxed32(&seat->state);
	uint64_t from = mdg__relaxed64(&seat->from);
	bool position = to_each && mdg__relaxed32(&head->full) == MDG_FULL_WAIT &&
	                state == MDG__SEAT_LISTENER;
	return (struct mdg_peer){
		.place = place,
		.role = state == MDG__SEAT_TALKER ? MDG_TALKER : MDG_LISTENER,
		.pid = (int32_t)mdg__relaxed32(&seat->pid),
		.alive = state != MDG__SEAT_ORPHAN,
		.asleep = mdg__relaxed32(&seat->asleep) != 0 || mdg__relaxed32(&seat->polls) != 0,
		.holds = from != MDG__NOWHERE && !position,
		.count = mdg__relaxed64(&seat->count),
		.lag = state == MDG__SEAT_LISTENER ? lag_of(head, to_each, seat) : 0,
		.missed = mdg__relaxed64(&seat->missed),
		.since = (int64_t)mdg__relaxed64(&seat->since),
	};
}

/* To place `count` of the caller's array, whose elements have `size` bytes. */
static void give_peer(const struct mdg_peer *peer, struct mdg_peer *ret_peers, unsigned count,
                      uint32_t size)
{
	void *ret = (unsigned char *)ret_peers + (size_t)count * size;
	memcpy(ret, &size, sizeof size);
	mdg__sized_give(ret, peer, sizeof *peer);
}

int mdg_channel_peers(mdg_channel *channel, struct mdg_peer *ret_peers, unsigned room)
{
	if (!mdg__epoch_is(channel->epoch))
		return -EPERM;
	uint32_t size = room > 0 ? ret_peers[0].size : 0;
	if (room > 0 && !mdg__sized_is_valid(size))
		return -EINVAL;
	(void)mdg__look_after(channel);
	uint32_t used = mdg__seats_used(channel);
	unsigned count = 0;
	for (uint32_t i = 0; i < used; i++) {
		if (mdg__seat_state(&channel->seats[i]) == MDG__SEAT_FREE)
			continue;
		struct mdg_peer peer = peer_of(channel->head, &channel->seats[i], i);
		if (count < room)
			give_peer(&peer, ret_peers, count, size);
		count++;
	}
	return (int)count;
}

/* ---- events -------------------------------------------------------------------------------- */

/* The event of that number: false: it is being written, or has been written over. */
static bool event_read(const struct mdg__channel_head *head, uint32_t number,
                       struct mdg_peer_event *ret)
{
	const struct mdg__event *event = &head->events[number % MDG__EVENTS];
	uint32_t number1 = number + 1 != 0 ? number + 1 : 1;
	if (atomic_load(&event->number1) != number1)
		return false;
	uint32_t what = atomic_load(&event->what), pid = atomic_load(&event->pid);
	*ret = (struct mdg_peer_event){ .change = what & 0xff,
		                        .role = what >> 8 & 0xff,
		                        .place = what >> 16,
		                        .pid = (int32_t)pid,
		                        .number = number };
	return atomic_load(&event->number1) == number1;
}

static bool event_next(struct mdg_channel *channel, struct mdg_peer_event *ret)
{
	uint32_t changes = atomic_load(&channel->head->changes);
	if (changes - channel->event > MDG__EVENTS) /* the older ones are gone */
		channel->event = changes - MDG__EVENTS;
	while (channel->event != changes)
		if (event_read(channel->head, channel->event++, ret))
			return true;
	return false;
}

static int await_event(mdg_channel *channel, struct mdg_peer_event *ret_event, uint64_t deadline)
{
	struct mdg__channel_head *head = channel->head;
	if (!mdg__epoch_is(channel->epoch))
		return -EPERM;
	uint64_t began = mdg__monotonic_nanoseconds();
	for (;;) {
		atomic_store(&head->event_waits, 1);
		if (event_next(channel, ret_event))
			return 0;
		int rc = mdg__look_after(channel);
		if (rc < 0)
			return rc;
		uint64_t now = mdg__monotonic_nanoseconds();
		uint64_t until = now + mdg__slice(channel, now - began);
		if (now >= deadline)
			return deadline == 0 && event_next(channel, ret_event) ? 0
			       : deadline == 0                                 ? -EAGAIN
			                                                       : -ETIMEDOUT;
		rc = mdg__sys_futex_wait_until(&head->changes, channel->event,
		                               until < deadline ? until : deadline,
		                               (uint32_t)MDG__ANYONE);
		if (rc == -EINTR)
			return rc;
	}
}

int mdg_channel_event(mdg_channel *channel, struct mdg_peer_event *ret_event, uint64_t deadline)
{
	struct mdg_peer_event own = { 0 };
	if (!mdg__sized_is_valid(ret_event->size))
		return -EINVAL;
	int rc = await_event(channel, &own, deadline);
	if (rc == 0)
		mdg__sized_give(ret_event, &own, sizeof own);
	return rc;
}

/* ---- all channels ------------------------------------------------------------------------ */

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return mdg__sys_pread(fd, to, size, offset) == (int64_t)size;
}

/* 1: it is a channel; 0: it is none, or not yet. */
static int read_channel(mdg_namespace *ns, int fd, struct mdg_channel_info *info)
{
	struct mdg__channel_head head;
	struct mdg__seat seat;
	uint64_t needed = MDG__NOWHERE;
	if (!read_at(fd, &head, sizeof head, 0) ||
	    mdg__relaxed64(&head.magic) != MDG__CHANNEL_MAGIC || mdg__relaxed32(&head.ready) == 0)
		return 0;
	describe_head(&head, info);
	uint32_t used = mdg__relaxed32(&head.seats_used);
	for (uint32_t i = 0; i < used && i < info->peers && i < MDG_PEERS_MAX; i++) {
		if (!read_at(fd, &seat, sizeof seat, sizeof head + i * sizeof seat))
			return 0;
		uint32_t state = mdg__relaxed32(&seat.state);
		if (state != MDG__SEAT_FREE && state != MDG__SEAT_ORPHAN &&
		    !mdg__signature_lives(ns, mdg__seat_signature(&seat)))
			continue;
		add_seat(&seat, info, &needed);
	}
	describe_use(&head, needed, info);
	struct mdg__record oldest; /* of a topic: its number */
	uint64_t at = mdg__relaxed64(&head.oldest);
	if (is_to_each(info->kind) && info->room != 0 && at < info->bytes &&
	    read_at(fd, &oldest, sizeof oldest,
	            sizeof head + (uint64_t)info->peers * sizeof seat + at % info->room))
		info->waiting = minus(info->sequence, mdg__relaxed64(&oldest.sequence));
	return 1;
}

/* As read_channel, of a segment; what may not be read is passed over. */
static int read_segment(mdg_namespace *ns, mdg_id id, struct mdg_channel_info *info)
{
	int fd = mdg__segment_open_file(ns, id, MDG__KIND_CHANNEL, sizeof(struct mdg__channel_head),
	                                info->name);
	if (fd < 0)
		return 0;
	info->id = id;
	int rc = read_channel(ns, fd, info);
	(void)mdg__sys_close(fd);
	return rc;
}

/* ---- peers, from the file ------------------------------------------------------------------ */

static int view_seats(mdg_namespace *ns, int fd, struct mdg_peer *ret_peers, unsigned room)
{
	struct mdg__channel_head head;
	struct mdg__seat seat;
	unsigned count = 0;
	if (!read_at(fd, &head, sizeof head, 0) ||
	    mdg__relaxed64(&head.magic) != MDG__CHANNEL_MAGIC || mdg__relaxed32(&head.ready) == 0)
		return -ENOENT;
	uint32_t used = mdg__relaxed32(&head.seats_used), seats = mdg__relaxed32(&head.seats);
	for (uint32_t i = 0; i < used && i < seats && i < MDG_PEERS_MAX; i++) {
		if (!read_at(fd, &seat, sizeof seat, sizeof head + i * sizeof seat))
			return -ENOENT;
		if (mdg__relaxed32(&seat.state) == MDG__SEAT_FREE)
			continue;
		struct mdg_peer peer = peer_of(&head, &seat, i);
		if (peer.alive && !mdg__signature_lives(ns, mdg__seat_signature(&seat)))
			peer.alive = 0;
		if (!peer.alive && !peer.holds)
			continue;
		if (count < room)
			give_peer(&peer, ret_peers, count, ret_peers[0].size);
		count++;
	}
	return (int)count;
}

int mdg__channel_view_peers(mdg_namespace *ns, mdg_id id, struct mdg_peer *ret_peers, unsigned room)
{
	char name[MDG_NAME_MAX + 1];
	if (room > 0 && !mdg__sized_is_valid(ret_peers[0].size))
		return -EINVAL;
	int fd = mdg__segment_open_file(ns, id, MDG__KIND_CHANNEL, sizeof(struct mdg__channel_head),
	                                name);
	if (fd < 0)
		return fd == -EINVAL ? -ENOENT : fd;
	int rc = view_seats(ns, fd, ret_peers, room);
	(void)mdg__sys_close(fd);
	return rc;
}

/* ---- all channels, from their files ---------------------------------------------------------- */

int mdg_channel_next(mdg_namespace *ns, uint32_t *cursor, struct mdg_channel_info *ret_info)
{
	struct mdg_segment_info segment = { .size = sizeof segment };
	int rc;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	while ((rc = mdg_segment_next(ns, cursor, 0, &segment)) > 0) {
		struct mdg_channel_info info = { 0 };
		if ((segment.mode & MDG_MODE_REMOVED) == 0 &&
		    read_segment(ns, segment.id, &info) > 0) {
			mdg__sized_give(ret_info, &info, sizeof info);
			return 1;
		}
	}
	return rc;
}
