/* SPDX-License-Identifier: MIT */
/*
 * ids.c - gives ids, and takes them back.
 *
 * Each directory gives its ids as the kernel does (the observable behaviour of
 * ipc/util.c): the index goes round cyclically below max(64, objects in use * 3/2), and
 * the sequence grows each time it does. A bitmap finds the next free index.
 *
 * A class may also limit what its objects take together: segments pages, semaphore sets
 * semaphores. An object's amount is counted from when its id is taken until its entry is freed.
 * The amount of a segment that takes its memory as it grows changes in between.
 */
#include <errno.h>

#include "registry/internal.h"

bool mdg__object_in_use(const struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	return (mdg__get64(&registry->objects[class].bitmap[index / 64]) >> (index % 64) & 1) != 0;
}

/* The first free index in [from, below), or `below`. */
static uint32_t first_free(const struct mdg__objects *objects, uint32_t from, uint32_t below)
{
	for (uint32_t at = from; at < below; at = (at / 64 + 1) * 64) {
		uint64_t taken = mdg__get64(&objects->bitmap[at / 64]);
		taken |= (UINT64_C(1) << (at % 64)) - 1;
		if (taken != UINT64_MAX) {
			uint32_t index = at / 64 * 64 + (uint32_t)__builtin_ctzll(~taken);
			return index < below ? index : below;
		}
	}
	return below;
}

int32_t mdg__object_highest(const struct mdg__registry *registry, enum mdg__class class)
{
	uint32_t ready = mdg__registry_ready_count(registry, class);
	for (uint32_t word = (ready + 63) / 64; word-- > 0;) {
		uint64_t taken = mdg__get64(&registry->objects[class].bitmap[word]);
		if (taken != 0)
			return (int32_t)(word * 64 + 63 - (uint32_t)__builtin_clzll(taken));
	}
	return -1;
}

/* Marks an index as in use, or as free. */
static void mark(struct mdg__registry *registry, enum mdg__class class, uint32_t index, bool used)
{
	const struct mdg__objects *objects = &registry->objects[class];
	mdg__a32 *in_use = &objects->directory->in_use;
	mdg__a64 *word = &objects->bitmap[index / 64];
	uint64_t bit = UINT64_C(1) << (index % 64);
	mdg__put32(registry, in_use, mdg__get32(in_use) + (used ? 1u : UINT32_MAX));
	mdg__put64(registry, word, used ? mdg__get64(word) | bit : mdg__get64(word) & ~bit);
}

static bool is_ready(const struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	return index < mdg__registry_ready_count(registry, class);
}

/* Gives the id that a program asked for through shm_next_id: its sequence, and the first free
 * index from its own on. The place from which the other ids are given does not move. */
static int take_next(struct mdg__registry *registry, enum mdg__class class, uint32_t id,
                     uint32_t *ret_index, uint32_t *ret_sequence)
{
	const struct mdg__objects *objects = &registry->objects[class];
	uint32_t index = first_free(objects, id % MDG__IDS, objects->capacity);
	*ret_index = index;
	if (index < objects->capacity && !is_ready(registry, class, index))
		return -EAGAIN;
	*ret_sequence = id / MDG__IDS;
	/* The wish is for one id only, whether that can be had or not. */
	mdg__put32(registry, &objects->directory->next_id1, 0);
	if (index >= objects->capacity) {
		mdg__commit(registry);
		return -ENOSPC;
	}
	mark(registry, class, index, true);
	return 0;
}

/* The sequence of the next id, which has this index. */
static uint32_t next_sequence(const struct mdg__directory *directory, uint32_t index)
{
	uint32_t sequence = mdg__get32(&directory->sequence);
	if (sequence > MDG__SEQUENCE_MAX)
		sequence = 0; /* it was scribbled over; an id has to stay in its range */
	if ((int32_t)index <= (int32_t)mdg__get32(&directory->last_index))
		sequence = sequence >= MDG__SEQUENCE_MAX ? 0 : sequence + 1;
	return sequence;
}

int mdg__object_id_take(struct mdg__registry *registry, enum mdg__class class, uint32_t *ret_index,
                        uint32_t *ret_sequence)
{
	const struct mdg__objects *objects = &registry->objects[class];
	struct mdg__directory *directory = objects->directory;
	uint32_t capacity = objects->capacity, in_use = mdg__get32(&directory->in_use);
	uint32_t next_id1 = mdg__get32(&directory->next_id1);
	if (in_use >= capacity || in_use >= mdg__get32(&directory->most))
		return -ENOSPC;
	*ret_index = 0;
	if (!is_ready(registry, class, 0))
		return -EAGAIN; /* never used: the bitmap has no memory yet */
	if (next_id1 != 0 && next_id1 <= UINT32_C(1) + INT32_MAX)
		return take_next(registry, class, next_id1 - 1, ret_index, ret_sequence);
	uint32_t below = in_use + in_use / 2 > 64 ? in_use + in_use / 2 : 64;
	below = below < capacity ? below : capacity;
	uint32_t index = first_free(objects, mdg__get32(&directory->cursor), below);
	if (index >= below)
		index = first_free(objects, 0, below);
	if (index >= below)
		return -ENOSPC;
	*ret_index = index;
	if (!is_ready(registry, class, index))
		return -EAGAIN;
	*ret_sequence = next_sequence(directory, index);
	mdg__put32(registry, &directory->sequence, *ret_sequence);
	mdg__put32(registry, &directory->last_index, index);
	mdg__put32(registry, &directory->cursor, index + 1);
	mark(registry, class, index, true);
	return 0;
}

void mdg__object_id_give_back(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	mark(registry, class, index, false);
}

/* ---- what the objects of a class take together ------------------------------------- */

mdg__a64 *mdg__object_total(const struct mdg__registry *registry, enum mdg__class class)
{
	return class == MDG__SEGMENTS ? &registry->head->pages
	                              : &registry->objects[class].directory->total;
}

static uint64_t total_most(const struct mdg__registry *registry, enum mdg__class class)
{
	return mdg__get64(class == MDG__SEGMENTS ? &registry->head->shmall_now
	                                         : &registry->objects[class].directory->total_most);
}

/* What was never given memory does not count in a segment that takes its memory as it grows. */
static uint64_t segment_amount(const struct mdg__segment *segment)
{
	return mdg__get32(&segment->kind) == MDG__KIND_CHARGED
	               ? mdg__get64(&segment->charged)
	               : mdg__pages_of(mdg__get64(&segment->size));
}

uint64_t mdg__object_amount(const struct mdg__registry *registry, enum mdg__class class,
                            uint32_t index)
{
	if (class == MDG__SEGMENTS)
		return segment_amount(&registry->segments[index]);
	return class == MDG__SEMAPHORE_SETS
	               ? mdg__get64(&mdg__late_at(registry, class, index)->field[0])
	               : 0;
}

int mdg__object_id_take_for(struct mdg__registry *registry, enum mdg__class class, uint64_t amount,
                            uint32_t *ret_index, uint32_t *ret_sequence)
{
	mdg__a64 *field = mdg__object_total(registry, class);
	uint64_t total = mdg__get64(field);
	if (amount != 0 &&
	    (total + amount < amount || total + amount > total_most(registry, class)))
		return -ENOSPC;
	int rc = mdg__object_id_take(registry, class, ret_index, ret_sequence);
	if (rc == 0 && amount != 0)
		mdg__put64(registry, field, total + amount);
	return rc;
}

int mdg__object_charge(struct mdg__registry *registry, uint32_t index, uint64_t pages)
{
	struct mdg__segment *segment = &registry->segments[index];
	mdg__a64 *field = mdg__object_total(registry, MDG__SEGMENTS);
	uint64_t before = mdg__get64(&segment->charged), total = mdg__get64(field) - before + pages;
	if (pages > mdg__pages_of(mdg__get64(&segment->mapped)))
		return -EINVAL;
	/* What is there already counts, whatever the limit is now. */
	if (pages > before && total > total_most(registry, MDG__SEGMENTS))
		return -ENOSPC;
	mdg__put64(registry, &segment->charged, pages);
	mdg__put64(registry, field, total);
	mdg__commit(registry);
	return 0;
}
