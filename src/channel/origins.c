/* SPDX-License-Identifier: MIT */
/*
 * origins.c - from where the messages came that bridges have put into a channel, and how far.
 *
 * The table behind the head has an entry for each origin: a channel of another host, or whatever a
 * bridge wants to count. An entry is in use while `uses` is odd. All else in it is right then.
 *
 * A message and the next number of its origin change in one step. The step is the store of the
 * record's state, as for all messages. What becomes of the number is noted before:
 *
 *     redo_at, redo_next, redo_entry1    the note: if the record at redo_at is shown, the entry's
 *                                        `next` becomes redo_next
 *     state of the record                the step
 *     next, uses                         what was noted is done
 *     redo_entry1 = 0                    and it is no more
 *     tail
 *
 * A talker that dies in between leaves the note. mdg__tail_repair finds where the tail is. If the
 * tail is behind redo_at, the record was shown, and the note is done, perhaps once more. If it is
 * not, the record will never be shown, and the note goes. No talker writes a record before that.
 *
 * Positions of the ring never come again, so an old note could be taken for no other record.
 */
#include "channel/ring.h"

static bool is_used(uint32_t uses)
{
	return (uses & 1) != 0;
}

static bool is_of(const struct mdg__origin *entry, const struct mdg_origin *origin)
{
	return mdg__relaxed64(&entry->identity[0]) == origin->identity[0] &&
	       mdg__relaxed64(&entry->identity[1]) == origin->identity[1] &&
	       mdg__relaxed64(&entry->epoch) == origin->epoch;
}

struct mdg__origin *mdg__origin_find(struct mdg_channel *channel, const struct mdg_origin *origin)
{
	for (int i = 0; i < MDG__ORIGINS; i++) {
		struct mdg__origin *entry = &channel->head->origins[i];
		if (is_used(mdg__relaxed32(&entry->uses)) && is_of(entry, origin))
			return entry;
	}
	return NULL;
}

static struct mdg__origin *find_free(struct mdg_channel *channel)
{
	for (int i = 0; i < MDG__ORIGINS; i++)
		if (!is_used(mdg__relaxed32(&channel->head->origins[i].uses)))
			return &channel->head->origins[i];
	return NULL;
}

struct mdg__origin *mdg__origin_get(struct mdg_channel *channel, const struct mdg_origin *origin)
{
	struct mdg__origin *entry = mdg__origin_find(channel, origin);
	if (entry != NULL)
		return entry;
	entry = find_free(channel);
	if (entry == NULL)
		return NULL;
	mdg__note64(&entry->identity[0], origin->identity[0]);
	mdg__note64(&entry->identity[1], origin->identity[1]);
	mdg__note64(&entry->epoch, origin->epoch);
	mdg__note64(&entry->next, 0);
	return entry;
}

int mdg__origin_next(const struct mdg_channel *channel, const struct mdg_origin *origin,
                     uint64_t *ret_next)
{
	for (int i = 0; i < MDG__ORIGINS; i++) {
		const struct mdg__origin *entry = &channel->head->origins[i];
		/* Acquire: pairs with the release in mdg__origin_set. */
		uint32_t uses = atomic_load_explicit(&entry->uses, memory_order_acquire);
		if (!is_used(uses) || !is_of(entry, origin))
			continue;
		*ret_next = atomic_load_explicit(&entry->next, memory_order_acquire);
		/* Otherwise it was forgotten meanwhile, and may be another one's by now. */
		if (mdg__relaxed32(&entry->uses) == uses)
			return 0;
	}
	return -ENOENT;
}

void mdg__origin_set(struct mdg__origin *entry, uint64_t next)
{
	uint32_t uses = mdg__relaxed32(&entry->uses);
	/* Release: who reads the number finds the messages before it. */
	atomic_store_explicit(&entry->next, next, memory_order_release);
	mdg__note64(&entry->when, (uint64_t)mdg__now_seconds());
	if (!is_used(uses))
		atomic_store_explicit(&entry->uses, uses + 1, memory_order_release);
}

void mdg__redo_begin(struct mdg_channel *channel, const struct mdg__origin *entry, uint64_t next)
{
	struct mdg__channel_head *head = channel->head;
	mdg__note64(&head->redo_at, channel->tail);
	mdg__note64(&head->redo_next, next);
	/* Release: a note is whole. It comes before the record, which is released as well. */
	atomic_store_explicit(&head->redo_entry1, (uint32_t)(entry - head->origins) + 1,
	                      memory_order_release);
}

void mdg__redo_end(struct mdg_channel *channel, uint64_t tail)
{
	struct mdg__channel_head *head = channel->head;
	uint32_t entry1 = atomic_load_explicit(&head->redo_entry1, memory_order_acquire);
	if (__builtin_expect(entry1 == 0, 1))
		return;
	if (entry1 <= MDG__ORIGINS && tail > mdg__position(&head->redo_at))
		mdg__origin_set(&head->origins[entry1 - 1], mdg__relaxed64(&head->redo_next));
	atomic_store_explicit(&head->redo_entry1, 0, memory_order_release);
}
