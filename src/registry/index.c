/* SPDX-License-Identifier: MIT */
/*
 * index.c - ids, keys and names.
 *
 * Ids are given as the kernel gives them (ipc/util.c's observable behaviour):
 * the index goes round cyclically below max(64, segments in use * 3/2), and the
 * sequence grows each time it does. A bitmap finds the next free index.
 *
 * Keys and names share one hash table of chains through the segment entries.
 * An entry is in a chain from the start of its making until its removal, and
 * is there for its key, or, when that is 0, for its name.
 *
 * A look-up takes no lock. A hit needs no more than the entry's tag being the
 * same before and after its key was compared. A miss is believed when the
 * version did not move: the walk may have followed a link that was changing.
 */
#include <errno.h>
#include <string.h>

#include "platform/text.h"
#include "registry/internal.h"

#define TRIES 32

/* ---- finding ------------------------------------------------------------ */

uint32_t mdg__key_hash(uint32_t key)
{
	key ^= key >> 16; /* ftok puts the device and the letter high up */
	key *= 0x7feb352du;
	key ^= key >> 15;
	key *= 0x846ca68bu;
	return key ^ key >> 16;
}

uint32_t mdg__name_hash(const char name[64])
{
	uint32_t hash = (uint32_t)(mdg__hash(name, 64) >> 16);
	return hash != 0 ? hash : 1; /* 0 means no name */
}

static bool same_name(const struct mdg__segment *segment, const char name[64])
{
	for (int i = 0; i < 8; i++) {
		uint64_t word;
		memcpy(&word, name + 8 * (size_t)i, 8);
		if (mdg__get64(&segment->name[i]) != word)
			return false;
	}
	return true;
}

static mdg__a32 *bucket_of(struct mdg__registry *registry, uint32_t hash)
{
	return &registry->buckets[hash & (registry->bucket_count - 1)];
}

static bool is_sought(const struct mdg__segment *segment, uint32_t key, const char *name,
                      uint32_t hash)
{
	if (key != 0)
		return mdg__get32(&segment->key) == key;
	return mdg__get32(&segment->key) == 0 && mdg__get32(&segment->name_hash) == hash &&
	       same_name(segment, name);
}

/* One walk along a chain. */
static int walk(struct mdg__registry *registry, uint32_t key, const char *name, uint32_t hash,
                uint32_t *ret_index, uint32_t *ret_tag)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	uint32_t index1 = mdg__get32(bucket_of(registry, hash));
	for (uint32_t steps = 0; index1 != 0; steps++) {
		if (index1 > ready || steps > ready)
			return MDG_DAMAGED;
		struct mdg__segment *segment = &registry->segments[index1 - 1];
		uint32_t tag = mdg__get32(&segment->tag);
		enum mdg__segment_state state = mdg__tag_state(tag);
		if ((state == MDG__LIVE || state == MDG__BUSY) &&
		    is_sought(segment, key, name, hash) && mdg__get32(&segment->tag) == tag) {
			if (tag >> 8 > MDG__SEQUENCE_MAX)
				return MDG_DAMAGED; /* no id would name it */
			*ret_index = index1 - 1;
			*ret_tag = tag;
			return 0;
		}
		index1 = mdg__get32(&segment->next);
	}
	return -ENOENT;
}

int mdg__index_find(struct mdg__registry *registry, uint32_t key, const char *name,
                    uint32_t *ret_index, uint32_t *ret_tag)
{
	uint32_t hash = key != 0 ? mdg__key_hash(key) : mdg__name_hash(name);
	for (int i = 0; i < TRIES; i++) {
		uint32_t version;
		if (!mdg__read_begin(registry, &version))
			return -EAGAIN;
		int rc = walk(registry, key, name, hash, ret_index, ret_tag);
		if (rc == 0 || !mdg__read_retry(registry, version))
			return rc;
	}
	return -EAGAIN;
}

/* ---- changing ----------------------------------------------------------- */

static uint32_t hash_of(const struct mdg__segment *segment)
{
	uint32_t key = mdg__get32(&segment->key);
	return key != 0 ? mdg__key_hash(key) : mdg__get32(&segment->name_hash);
}

int mdg__index_link(struct mdg__registry *registry, uint32_t index)
{
	struct mdg__segment *segment = &registry->segments[index];
	mdg__a32 *bucket = bucket_of(registry, hash_of(segment));
	mdg__put32(registry, &segment->next, mdg__get32(bucket));
	mdg__put32(registry, bucket, index + 1);
	return 0;
}

int mdg__index_unlink(struct mdg__registry *registry, uint32_t index)
{
	struct mdg__segment *segment = &registry->segments[index];
	mdg__a32 *link = bucket_of(registry, hash_of(segment));
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	for (uint32_t steps = 0; steps <= ready; steps++) {
		uint32_t index1 = mdg__get32(link);
		if (index1 == 0 || index1 > ready)
			return MDG_DAMAGED;
		if (index1 == index + 1) {
			/* Its own `next` stays: a reader that stands on it walks on. */
			mdg__put32(registry, link, mdg__get32(&segment->next));
			return 0;
		}
		link = &registry->segments[index1 - 1].next;
	}
	return MDG_DAMAGED;
}

/* ---- ids ---------------------------------------------------------------- */

bool mdg__index_in_use(const struct mdg__registry *registry, uint32_t index)
{
	return (mdg__get64(&registry->bitmap[index / 64]) >> (index % 64) & 1) != 0;
}

/* The first free index in [from, below), or `below`. */
static uint32_t first_free(const struct mdg__registry *registry, uint32_t from, uint32_t below)
{
	for (uint32_t at = from; at < below; at = (at / 64 + 1) * 64) {
		uint64_t taken = mdg__get64(&registry->bitmap[at / 64]);
		taken |= (UINT64_C(1) << (at % 64)) - 1;
		if (taken != UINT64_MAX) {
			uint32_t index = at / 64 * 64 + (uint32_t)__builtin_ctzll(~taken);
			return index < below ? index : below;
		}
	}
	return below;
}

int32_t mdg__index_highest(const struct mdg__registry *registry)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	for (uint32_t word = (ready + 63) / 64; word-- > 0;) {
		uint64_t taken = mdg__get64(&registry->bitmap[word]);
		if (taken != 0)
			return (int32_t)(word * 64 + 63 - (uint32_t)__builtin_clzll(taken));
	}
	return -1;
}

static void enter(struct mdg__registry *registry, uint32_t index, uint64_t pages)
{
	struct mdg__head *head = registry->head;
	mdg__put32(registry, &head->in_use, mdg__get32(&head->in_use) + 1);
	mdg__put64(registry, &head->pages, mdg__get64(&head->pages) + pages);
	mdg__put64(registry, &registry->bitmap[index / 64],
	           mdg__get64(&registry->bitmap[index / 64]) | UINT64_C(1) << (index % 64));
}

/* The id that somebody asked for (shm_next_id): its sequence, and the first free index
 * from its own on. Where the others are given goes on as if it had not been. */
static int take_next(struct mdg__registry *registry, uint32_t id, uint64_t pages,
                     uint32_t *ret_index, uint32_t *ret_sequence)
{
	uint32_t capacity = registry->segment_capacity;
	uint32_t index = first_free(registry, id % MDG__IDS, capacity);
	*ret_index = index;
	if (index < capacity && index >= mdg__registry_ready_count(registry, MDG__SEGMENTS))
		return -EAGAIN;
	*ret_sequence = id / MDG__IDS;
	mdg__put32(registry, &registry->head->next_id1, 0); /* once, whether it can be had or not */
	if (index >= capacity) {
		mdg__commit(registry);
		return -ENOSPC;
	}
	enter(registry, index, pages);
	return 0;
}

int mdg__id_take(struct mdg__registry *registry, uint64_t pages, uint32_t *ret_index,
                 uint32_t *ret_sequence)
{
	struct mdg__head *head = registry->head;
	uint32_t capacity = registry->segment_capacity;
	uint32_t in_use = mdg__get32(&head->in_use);
	uint32_t most = mdg__get32(&head->shmmni), next_id1 = mdg__get32(&head->next_id1);
	uint64_t total = mdg__get64(&head->pages);
	if (in_use >= capacity || in_use >= most || total + pages < pages ||
	    total + pages > mdg__get64(&head->shmall_now))
		return -ENOSPC;
	if (next_id1 != 0 && next_id1 <= UINT32_C(1) + INT32_MAX)
		return take_next(registry, next_id1 - 1, pages, ret_index, ret_sequence);
	uint32_t below = in_use + in_use / 2 > 64 ? in_use + in_use / 2 : 64;
	below = below < capacity ? below : capacity;
	uint32_t index = first_free(registry, mdg__get32(&head->cursor), below);
	if (index >= below)
		index = first_free(registry, 0, below);
	if (index >= below)
		return -ENOSPC;
	*ret_index = index;
	if (index >= mdg__registry_ready_count(registry, MDG__SEGMENTS))
		return -EAGAIN;
	uint32_t sequence = mdg__get32(&head->sequence);
	if (sequence > MDG__SEQUENCE_MAX)
		sequence = 0; /* scribbled on: ids stay ids */
	if ((int32_t)index <= (int32_t)mdg__get32(&head->last_index))
		sequence = sequence >= MDG__SEQUENCE_MAX ? 0 : sequence + 1;
	*ret_sequence = sequence;
	mdg__put32(registry, &head->sequence, sequence);
	mdg__put32(registry, &head->last_index, index);
	mdg__put32(registry, &head->cursor, index + 1);
	enter(registry, index, pages);
	return 0;
}

void mdg__id_give_back(struct mdg__registry *registry, uint32_t index, uint64_t pages)
{
	struct mdg__head *head = registry->head;
	mdg__put32(registry, &head->in_use, mdg__get32(&head->in_use) - 1);
	mdg__put64(registry, &head->pages, mdg__get64(&head->pages) - pages);
	mdg__put64(registry, &registry->bitmap[index / 64],
	           mdg__get64(&registry->bitmap[index / 64]) & ~(UINT64_C(1) << (index % 64)));
}
