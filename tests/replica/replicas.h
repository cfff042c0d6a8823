/* SPDX-License-Identifier: MIT */
/*
 * replicas.h - what the tests of replicas share: a segment of words, all of which are the same
 * number when it is committed. So whoever sees two numbers sees half of a commit.
 */
#ifndef MADANG_TESTS_REPLICA_REPLICAS_H
#define MADANG_TESTS_REPLICA_REPLICAS_H

#include <madang/replica.h>

#include "support/slowly.h"
#include <stdatomic.h>

#include "unit/unit.h"

enum { WORDS = 700, BYTES = WORDS * 8 };

static mdg_namespace *ns;
static _Atomic uint64_t *words; /* the segment, as its writer has it */

static inline void open_segment(const char *name)
{
	void *memory = NULL;
	mdg_id id;
	CHECK_RC(0, mdg_segment_create(ns, name, BYTES, 0600, MDG_OR_OPEN, &id));
	if (!CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory)))
		exit(1);
	words = memory;
}

static inline mdg_replica *open_as(const char *name, uint32_t flags, uint64_t bytes)
{
	struct mdg_replica_options options = { .size = sizeof options,
		                               .flags = flags,
		                               .bytes = bytes };
	mdg_replica *replica = NULL;
	if (!CHECK_RC(0, mdg_replica_open(&replica, ns, name, &options)))
		exit(1);
	return replica;
}

static inline void fill(uint64_t number)
{
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = number;
}

static inline struct mdg_replica_info info_of(mdg_replica *replica)
{
	struct mdg_replica_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_replica_look(replica, &info));
	return info;
}

/* The number that all words have in this generation; UINT64_MAX: they differ. */
static inline uint64_t whole_number(const uint64_t *seen)
{
	for (unsigned i = 1; i < WORDS; i++)
		if (seen[i] != seen[0])
			return UINT64_MAX;
	return seen[0];
}

static inline uint64_t read_number(mdg_replica *replica, uint64_t *ret_generation)
{
	static _Thread_local uint64_t seen[WORDS];
	int rc;
	do
		rc = mdg_replica_read(replica, 0, seen, BYTES, ret_generation);
	while (rc == -EAGAIN);
	CHECK_RC(0, rc);
	return whole_number(seen);
}

/* Copies the generation of `from` into `to`, as a bridge does: what changed since `since`. */
static inline int carry(mdg_replica *from, mdg_replica *to, uint64_t since, uint64_t fence)
{
	enum { ROOM = 16 };
	static unsigned char bytes[BYTES];
	struct mdg_range ranges[ROOM];
	struct mdg_part parts[ROOM];
	struct mdg_view view = { .size = sizeof view };
	uint64_t cursor = 0;
	int count, rc = mdg_replica_begin(from, &view);
	if (rc < 0)
		return rc;
	count = mdg_replica_changes(from, &view, since, &cursor, ranges, ROOM);
	CHECK(count >= 0 && count < ROOM);
	for (int i = 0; i < count; i++) {
		void *place = bytes + ranges[i].offset;
		memcpy(place, (const char *)view.data + ranges[i].offset, (size_t)ranges[i].length);
		parts[i] = (struct mdg_part){ ranges[i].offset, ranges[i].length, place };
	}
	rc = mdg_replica_end(from, &view);
	if (rc < 0)
		return rc;
	struct mdg_generation generation = { .size = sizeof generation,
		                             .whole = since == 0,
		                             .base = since,
		                             .generation = view.generation,
		                             .time = view.time,
		                             .fence = fence,
		                             .cursor = view.generation + 5 };
	return mdg_replica_apply(to, &generation, parts, (unsigned)count, MDG_FOREVER);
}

#endif
