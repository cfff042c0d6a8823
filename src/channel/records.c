/* SPDX-License-Identifier: MIT */
/*
 * records.c - walking over the records of the ring.
 *
 * A position and a length come from shared memory, which others can write. Each is read once, and
 * checked against the ring before it is used.
 */
#include "channel/ring.h"

int mdg__find_ready(struct mdg_channel *channel, uint64_t *position, uint64_t end,
                    struct mdg__record **ret_record, uint32_t *ret_size)
{
	uint64_t at = *position, most = at + channel->ring_size;
	for (;;) {
		*position = at;
		if (at >= end)
			return 0;
		struct mdg__record *record = mdg__record(channel, at);
		uint32_t state = mdg__record_state(record);
		if (mdg__is_waiting(state))
			return 0;
		uint32_t size = mdg__relaxed32(&record->size);
		uint64_t span = mdg__span(size);
		if (__builtin_expect(mdg__offset(channel, at) + span > channel->ring_size, 0))
			return MDG_BROKEN;
		bool relayed = mdg__is_relayed(state);
		if (__builtin_expect((state & 0xff) == MDG__READY || relayed, 1)) {
			if (relayed ? !mdg__tag_fits(channel, size) : size > channel->largest)
				return MDG_BROKEN;
			*ret_record = record;
			*ret_size = size;
			return 1;
		}
		at += span;
		if (at > most || (state & 0xff) != MDG__SKIP)
			return MDG_BROKEN;
	}
}

void mdg__describe(struct mdg__record *record, uint32_t size, struct mdg_message *ret)
{
	ret->data = mdg__message_of(record);
	ret->size = size;
	ret->sequence = mdg__relaxed64(&record->sequence);
	ret->missed = 0;
	ret->flags = 0;
	ret->talker = mdg__relaxed32(&record->state) >> 8;
}

void mdg__untag(struct mdg__record *record, struct mdg_message *message)
{
	uint32_t state = mdg__relaxed32(&record->state);
	if (!mdg__is_relayed(state) || message->size < MDG__TAG)
		return;
	message->data = (unsigned char *)message->data + MDG__TAG;
	message->size -= MDG__TAG;
	message->flags |= MDG_RELAYED;
	if ((state & 0xff) == MDG__RELAYED_AGAIN)
		message->flags |= MDG_REDELIVERED;
}

int mdg__gather(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                uint64_t from, uint64_t end, uint64_t handed)
{
	struct mdg__taken *held = &channel->held;
	uint64_t at = from;
	unsigned found = 0;
	int rc = 0;
	held->from = from;
	while (found < count) {
		struct mdg__record *record;
		uint32_t size;
		rc = mdg__find_ready(channel, &at, end, &record, &size);
		if (rc <= 0)
			break;
		struct mdg_message *message = &messages[found++];
		mdg__describe(record, size, message);
		mdg__untag(record, message);
		if (__builtin_expect(at < handed, 0))
			message->flags |= MDG_REDELIVERED;
		held->sequence = message->sequence + 1;
		at += mdg__span(size);
	}
	held->upto = at;
	return found != 0 ? (int)found : rc;
}

void mdg__skip_reserved(struct mdg_channel *channel, struct mdg__seat *seat, uint32_t place)
{
	uint64_t at = mdg__position(&seat->from), to = mdg__position(&seat->to);
	uint64_t tail = mdg__position(&channel->head->tail);
	to = to < tail ? to : tail;
	if (at > to || to - at > channel->ring_size)
		return;
	while (at < to) {
		struct mdg__record *record = mdg__record(channel, at);
		uint32_t reserved = MDG__RESERVED | place << 8;
		/* Acquire: pairs with the release in show_reserved. */
		uint64_t span =
			mdg__span(atomic_load_explicit(&record->size, memory_order_acquire));
		/* Release: pairs with the acquire of who goes on behind it. */
		(void)atomic_compare_exchange_strong_explicit(
			&record->state, &reserved, MDG__SKIP | place << 8, memory_order_release,
			memory_order_relaxed);
		at += span;
	}
}
