/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the ring of a channel: records, the tail, and the marks of a topic.
 *
 * [talk], [take], [seat lock] after a function: the caller holds that lock, or is the one who needs
 * no lock for it (layout.h).
 */
#ifndef MADANG_CHANNEL_RING_H
#define MADANG_CHANNEL_RING_H

#include "channel/handle.h"
#include "madang/relay.h"

/* ---- records.c ------------------------------------------------------------------------ */

/* How many bytes of the ring a record takes. */
static inline uint64_t mdg__span(uint64_t size)
{
	return (MDG__RECORD_HEAD + size + MDG__STEP - 1) & ~(uint64_t)(MDG__STEP - 1);
}

/* Where a position lies in the ring. */
static inline uint64_t mdg__offset(struct mdg_channel *channel, uint64_t position)
{
	uint64_t offset = position - channel->base;
	if (__builtin_expect(offset >= channel->ring_size, 0)) {
		offset = position % channel->ring_size;
		channel->base = position - offset;
	}
	return offset;
}

static inline struct mdg__record *mdg__record(struct mdg_channel *channel, uint64_t position)
{
	return (struct mdg__record *)(void *)(channel->ring + mdg__offset(channel, position));
}

static inline unsigned char *mdg__message_of(struct mdg__record *record)
{
	return (unsigned char *)record + MDG__RECORD_HEAD;
}

static inline uint32_t mdg__record_state(const struct mdg__record *record)
{
	/* Acquire: pairs with the release in mdg__record_show. */
	return atomic_load_explicit(&record->state, memory_order_acquire);
}

/* From here on others may read what is in the record. */
static inline void mdg__record_show(struct mdg__record *record, uint32_t state, uint32_t place)
{
	atomic_store_explicit(&record->state, state | place << 8, memory_order_release);
}

/* Whether a reader has to wait for the record in this state. */
static inline bool mdg__is_waiting(uint32_t state)
{
	return (state & 0xff) <= MDG__RESERVED;
}

static inline bool mdg__is_relayed(uint32_t state)
{
	return (state & 0xff) == MDG__RELAYED || (state & 0xff) == MDG__RELAYED_AGAIN;
}
/* Whether a record of `size` bytes may be a message with a tag in front. Calls have none. */
static inline bool mdg__tag_fits(const struct mdg_channel *channel, uint32_t size)
{
	return size >= MDG__TAG && size - MDG__TAG <= channel->largest && channel->door == NULL;
}

/* Finds the next READY record at or after *position, and moves *position to it: 1. Stops at `end`.
 * 0: there is none yet. MDG_BROKEN. */
int mdg__find_ready(struct mdg_channel *channel, uint64_t *position, uint64_t end,
                    struct mdg__record **ret_record, uint32_t *ret_size);
/* Describes the message in a record. `missed` and `flags` are 0: they depend on the kind. */
void mdg__describe(struct mdg__record *record, uint32_t size, struct mdg_message *ret);
/* If it was relayed: the tag in front of it is not the message's. */
void mdg__untag(struct mdg__record *record, struct mdg_message *message);
/* Describes up to `count` messages between two positions: how many, or why none. Messages before
 * `handed` were given to a listener before. Sets held.from, and held.upto to where it stopped. */
int mdg__gather(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                uint64_t from, uint64_t end, uint64_t handed);
/* Makes the records that a dead talker has reserved SKIP. [talk] */
void mdg__skip_reserved(struct mdg_channel *channel, struct mdg__seat *seat, uint32_t place);
/* Makes the state at `end` EMPTY, before what ends there is shown. [talk] */
static inline void mdg__clear_behind(struct mdg_channel *channel, uint64_t end)
{
	/* Relaxed: what is shown afterwards is released. */
	atomic_store_explicit(&mdg__record(channel, end)->state, MDG__EMPTY, memory_order_relaxed);
}

/* The record at a position, if a message is there and the record lies where it should. NULL: look
 * with mdg__find_ready. */
static inline struct mdg__record *mdg__record_straight(const struct mdg_channel *channel,
                                                       uint64_t position, uint32_t *ret_size)
{
	uint64_t offset = position - channel->base;
	if (offset >= channel->ring_size)
		return NULL;
	struct mdg__record *record = (struct mdg__record *)(void *)(channel->ring + offset);
	if ((mdg__record_state(record) & 0xff) != MDG__READY)
		return NULL;
	uint32_t size = *ret_size = mdg__relaxed32(&record->size);
	return size <= channel->largest && offset + mdg__span(size) <= channel->ring_size ? record
	                                                                                  : NULL;
}

/* ---- small messages --------------------------------------------------------------------- */

/* The record of a small message takes 128 bytes at most. */
enum { MDG__SMALL = 128 - MDG__RECORD_HEAD };
/* Copies the bytes without a call, as two copies of one size which overlap. */
static inline void mdg__copy_small(void *to, const void *from, size_t size)
{
	unsigned char *out = to;
	const unsigned char *in = from;
	if (size >= 64) {
		memcpy(out, in, 64);
		if (size > 64)
			memcpy(out + size - 48, in + size - 48, 48);
	} else if (size >= 32) {
		memcpy(out, in, 32);
		memcpy(out + size - 32, in + size - 32, 32);
	} else if (size >= 8) {
		memcpy(out, in, 8);
		memcpy(out + size - 8, in + size - 8, 8);
		if (size > 16) {
			memcpy(out + 8, in + 8, 8);
			memcpy(out + size - 16, in + size - 16, 8);
		}
	} else {
		for (size_t i = 0; i < size; i++)
			out[i] = in[i];
	}
}

static inline void mdg__copy(void *to, const void *from, size_t size)
{
	if (__builtin_expect(size <= MDG__SMALL, 1))
		mdg__copy_small(to, from, size);
	else
		memcpy(to, from, size);
}

/* ---- marks.c ------------------------------------------------------------------------------ */

/* A message will begin at this position. [talk] */
void mdg__mark(struct mdg_channel *channel, uint64_t position);
/* No message begins beyond the tail after all. [talk] */
void mdg__unmark(struct mdg_channel *channel, uint64_t tail);
/* The first mark at or after this position, or the tail. [talk] */
uint64_t mdg__mark_after(struct mdg_channel *channel, uint64_t position);

/* ---- origins.c ------------------------------------------------------------------------------ */

/* The entry of an origin, or NULL. [talk] */
struct mdg__origin *mdg__origin_find(struct mdg_channel *channel, const struct mdg_origin *origin);
/* The same; if there is none, a free one, which is made ready for it and not in use yet. NULL: all
 * are in use. [talk] */
struct mdg__origin *mdg__origin_get(struct mdg_channel *channel, const struct mdg_origin *origin);
/* The number after the last that was taken from it: 0, -ENOENT. Without a lock. */
int mdg__origin_next(const struct mdg_channel *channel, const struct mdg_origin *origin,
                     uint64_t *ret_next);
/* Now `next` is the number. The entry is in use. [talk] */
void mdg__origin_set(struct mdg__origin *entry, uint64_t next);
/* Says what is to become of an entry if the record at the tail is shown. [talk] */
void mdg__redo_begin(struct mdg_channel *channel, const struct mdg__origin *entry, uint64_t next);
/* Does what was said, if the record was shown: if the tail is behind it. [talk] */
void mdg__redo_end(struct mdg_channel *channel, uint64_t tail);

/* ---- the tail, and tail.c ----------------------------------------------------------------- */

/* Reads tail and sequence. [talk] */
static inline void mdg__tail_load(struct mdg_channel *channel)
{
	channel->tail = mdg__position(&channel->head->tail);
	channel->sequence = mdg__relaxed64(&channel->head->sequence);
}

/* The number first: what is shown and not followed by the tail has its own (mdg__tail_repair).
 * [talk] */
static inline void mdg__tail_store(struct mdg_channel *channel, uint64_t tail, uint64_t sequence)
{
	channel->tail = tail;
	channel->sequence = sequence;
	atomic_store_explicit(&channel->head->sequence, sequence, memory_order_release);
	atomic_store_explicit(&channel->head->tail, tail, memory_order_release);
}
/* Sets right what a talker had begun that died with talk_lock, or in a stream. [talk] */
void mdg__tail_repair(struct mdg_channel *channel);

#endif
