/* SPDX-License-Identifier: MIT */
/*
 * send.c - the writer's host: what was committed goes into the stream.
 *
 * It copies what has changed since the generation that it sent last, and sends that as one. So
 * several commits become one if the network is slow, and no committer waits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "replica/sender.h"

enum { SOME = 256, TRIES = 5, AGAIN_MS = 250 };
#define SNAPSHOT_LEAST UINT64_C(1048576) /* bytes of what follows a snapshot, before the next */

/* ---- what is to be sent --------------------------------------------------------------------- */

static int add_range(struct sender *s, struct mdg_range range)
{
	/* No range is longer than a parcel. */
	const uint64_t step = s->parcel_bytes / 2 / MDG_REPLICA_BLOCK * MDG_REPLICA_BLOCK;

	while (range.length > 0) {
		uint64_t part = range.length < step ? range.length : step;

		if (s->count == s->most) {
			unsigned most = s->most ? 2 * s->most : SOME;
			struct mdg_range *more = realloc(s->ranges, most * sizeof *more);

			if (!more)
				return -ENOMEM;
			s->ranges = more;
			s->most = most;
		}
		s->ranges[s->count++] = (struct mdg_range){ range.offset, part };
		range.offset += part;
		range.length -= part;
	}
	return 0;
}

/* Copies what changed since s->sent. 0, -EAGAIN: overtaken; or a code. */
static int collect(struct sender *s, struct mdg_view *view)
{
	mdg_replica *handle = s->replica->handle;
	struct mdg_range some[SOME];
	uint64_t cursor = 0;
	int count, rc = mdg_replica_begin(handle, view);

	s->count = 0;
	while (rc == 0 &&
	       (count = mdg_replica_changes(handle, view, s->sent, &cursor, some, SOME)) > 0)
		for (int i = 0; rc == 0 && i < count; i++) {
			memcpy(s->image + some[i].offset,
			       (const unsigned char *)view->data + some[i].offset,
			       (size_t)some[i].length);
			rc = add_range(s, some[i]);
		}
	return rc == 0 ? mdg_replica_end(handle, view) : rc;
}

/* The same, until it is whole. Programs that commit all the time are held up at last. */
static int collect_whole(struct sender *s, struct mdg_view *view)
{
	mdg_replica *handle = s->replica->handle;
	int rc = -EAGAIN;

	for (int i = 0; i < TRIES && rc == -EAGAIN; i++)
		rc = collect(s, view);
	if (rc != -EAGAIN)
		return rc;
	rc = mdg_replica_lock(handle, MDG_FOREVER);
	if (rc != 0)
		return rc;
	rc = collect(s, view);
	(void)mdg_replica_unlock(handle);
	return rc;
}

/* How many ranges from `at` on go into one parcel. */
static unsigned fits(const struct sender *s, unsigned at)
{
	size_t size = PARCEL_HEAD;
	unsigned count = 0;

	while (at + count < s->count && count < PARCEL_RANGES_MAX) {
		size += PARCEL_RANGE_HEAD + (size_t)s->ranges[at + count].length;
		if (count > 0 && size > s->parcel_bytes)
			break;
		count++;
	}
	return count;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* 0; -EPERM: refused; -EINTR: stopped. It tries until it is known. */
static int send_one(struct sender *s, const struct parcel *parcel, const struct mdg_range *ranges)
{
	struct replica *r = s->replica;
	size_t size = parcel_encode(s->room, parcel, ranges, s->image);
	char id[96];
	int rc = -EAGAIN;

	(void)snprintf(id, sizeof id, "%s.%" PRIu64 ".%" PRIu64 ".%" PRIu32, r->bridge->instance,
	               parcel->fence, parcel->generation, parcel->number);
	while (!atomic_load(&r->stop)) {
		rc = lease_renew(&s->lease, r, false);
		if (rc == LEASE_OTHERS || rc == LEASE_GONE)
			return -EPERM;
		rc = replica_publish(r, id, s->room, size, &s->sequence);
		if (rc != -EAGAIN)
			break;
		replica_sleep(r, AGAIN_MS);
	}
	s->since_snapshot += size;
	return rc == -EAGAIN ? -EINTR : rc;
}

static int send_all(struct sender *s, const struct mdg_view *view)
{
	struct parcel parcel = { .whole = s->sent == 0,
		                 .parcels = 0,
		                 .fence = s->lease.fence,
		                 .base = s->sent,
		                 .generation = view->generation,
		                 .time = view->time,
		                 .bytes = s->bytes };
	unsigned at = 0;
	int rc = 0;

	do {
		at += fits(s, at);
		parcel.parcels++;
	} while (at < s->count);
	at = 0;
	for (; rc == 0 && parcel.number < parcel.parcels; parcel.number++) {
		parcel.ranges = fits(s, at);
		rc = send_one(s, &parcel, s->ranges + at);
		at += parcel.ranges;
	}
	return rc;
}

static void moved(const struct sender *s)
{
	struct replica *r = s->replica;
	struct bridge_replica_row *row = status_replica_write(r->row);

	row->generation = s->sent;
	row->fence = s->lease.fence;
	row->crossed++;
	status_replica_written(r->row);
	replica_fine(r);
}

int send_generation(struct sender *s)
{
	struct replica *r = s->replica;
	struct mdg_view view = { .size = sizeof view };
	uint64_t first = s->sequence + 1;
	bool whole;
	int rc;

	if (s->since_snapshot > SNAPSHOT_LEAST && s->since_snapshot > 4 * s->bytes)
		s->sent = 0;
	whole = s->sent == 0;
	rc = collect_whole(s, &view);
	if (rc == 0)
		rc = send_all(s, &view);
	if (rc != 0)
		return rc;
	s->sent = view.generation;
	(void)mdg_replica_set_far(r->handle, s->sent);
	moved(s);
	log_event(LOG_DEBUG, whole ? "snapshot" : "generation",
	          "segment=\"%s\" generation=%" PRIu64 " sequence=%" PRIu64, r->name, s->sent,
	          s->sequence);
	if (whole) {
		s->since_snapshot = 0;
		replica_purge(r, first);
	}
	return 0;
}
