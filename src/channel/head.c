/* SPDX-License-Identifier: MIT */
/*
 * head.c - the head of a new channel.
 *
 * The process that makes the segment fills in the head, and says `ready` last. A process that finds
 * a channel which is not ready waits for that. If the maker has died, the waiter fills in the head
 * itself: all of it follows from the options, and the size of the segment says whether the options
 * are those of the maker. A segment that has something else in the place of the magic is not
 * touched.
 */
#include "channel/opening.h"

#include "channel/peers.h"
#include "platform/text.h"

enum { MAKER_NS = 1000000000, NAP_NS = 1000000 };

static void identity_make(struct mdg_channel *channel, const char *name)
{
	uint64_t parts[9] = { mdg__namespace_number(channel->ns), 0 };
	memcpy(&parts[1], name, strlen(name)); /* at most 63 bytes, zeros behind */
	mdg__note64(&channel->head->identity[0], mdg__hash(parts, sizeof parts));
	parts[0] = ~parts[0];
	mdg__note64(&channel->head->identity[1], mdg__hash(parts, sizeof parts));
}

static void head_fill(struct mdg_channel *channel, const struct mdg__shape *shape, const char *name)
{
	struct mdg__channel_head *head = channel->head;
	atomic_store(&head->format, MDG__CHANNEL_FORMAT);
	atomic_store(&head->kind, shape->kind->number);
	mdg__note64(&head->capacity, shape->capacity);
	mdg__note64(&head->ring_size, shape->ring_size);
	atomic_store(&head->seats, shape->seats);
	atomic_store(&head->full, shape->full);
	identity_make(channel, name);
	mdg__note64(&head->epoch, mdg__realtime_nanoseconds());
	mdg__note64(&head->magic, MDG__CHANNEL_MAGIC);
	/* Release: pairs with the acquire in is_ready. All else is to be zeros, and is. */
	atomic_store_explicit(&head->ready, 1, memory_order_release);
}

static bool is_ready(const struct mdg_channel *channel)
{
	return atomic_load_explicit(&channel->head->ready, memory_order_acquire) != 0;
}

int mdg__head_make(struct mdg_channel *channel, const struct mdg__shape *shape, const char *name,
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

int mdg__head_await(struct mdg_channel *channel, const struct mdg__shape *shape, const char *name)
{
	uint64_t give_up = mdg__monotonic_nanoseconds() + MAKER_NS;
	struct mdg_segment_info info = { .size = sizeof info };
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
			return mdg__head_make(channel, shape, name, info.bytes);
		if (now >= give_up || !info.creator_alive)
			return MDG_NOT_CHANNEL;
		(void)mdg__sys_futex_wait_until(&channel->head->ready, 0, now + NAP_NS,
		                                (uint32_t)MDG__ANYONE);
	}
	return 0;
}
