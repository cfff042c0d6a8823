/* SPDX-License-Identifier: MIT */
/*
 * write.c - the writer's host: what was committed goes into the stream.
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
#include "replica/replica.h"

enum { PARCEL_BYTES = 256 * 1024, SOME = 256, TRIES = 5, AGAIN_MS = 250 };
#define SNAPSHOT_LEAST UINT64_C(1048576) /* bytes of what follows a snapshot, before the next */

struct sender {
	struct replica *replica;
	struct lease lease;
	uint64_t bytes;              /* of the segment */
	uint64_t sequence;           /* last of the stream */
	uint64_t sent;               /* generation that is in the stream; 0: a snapshot is due */
	uint64_t since_snapshot;     /* bytes */
	unsigned char *image, *room; /* of the segment; of one parcel */
	struct mdg_range *ranges;
	unsigned count, most;
	size_t parcel_bytes;
};

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

/* Sends what has changed, or a snapshot. */
static int send_generation(struct sender *s)
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
	log_event(LOG_DEBUG, whole ? "snapshot" : "generation",
	          "segment=\"%s\" generation=%" PRIu64 " sequence=%" PRIu64, r->name, s->sent,
	          s->sequence);
	if (whole) {
		s->since_snapshot = 0;
		replica_purge(r, first);
	}
	return 0;
}

/* ---- the lease ------------------------------------------------------------------------------ */

/* Reads where the stream ends, and makes sure of the lease afterwards: see replica.h. Then what is
 * here becomes a generation above all that were sent. LEASE_*. */
static int begin_reign(struct sender *s)
{
	struct replica *r = s->replica;
	uint64_t first, last = 0, least = 0;
	natsStatus status = replica_stream(r, &first, &s->sequence);
	int rc;

	if (status != NATS_OK) {
		replica_trouble(r, "no-stream", link_words(status));
		return LEASE_AGAIN;
	}
	if (s->sequence > 0)
		last = replica_generation_at(r, s->sequence);
	if (last > 0)
		least = last + 1;
	rc = lease_renew(&s->lease, r, true);
	if (rc != LEASE_MINE)
		return rc;
	s->sent = 0;
	s->since_snapshot = 0;
	rc = mdg_replica_set_role(r->handle, MDG_REPLICA_WRITER, s->lease.fence, least,
	                          MDG_FOREVER);
	if (rc == 0)
		return LEASE_MINE;
	replica_trouble(r, "no-role", mdg_strerror(rc));
	return LEASE_AGAIN;
}

static void depose(struct sender *s)
{
	struct replica *r = s->replica;

	(void)mdg_replica_set_role(r->handle, MDG_REPLICA_DEPOSED, s->lease.fence, 0, MDG_FOREVER);
	log_event(LOG_ERROR, "deposed",
	          "segment=\"%s\" advice: another host writes it now, and commits here fail; "
	          "end this bridge, or start it again without --write",
	          r->name);
}

/* Sends while it has the lease. LEASE_MINE: it was stopped; LEASE_OTHERS: it is deposed;
 * LEASE_GONE. */
static int reign(struct sender *s)
{
	struct replica *r = s->replica;
	int lease = LEASE_MINE, rc = 0;

	while (!atomic_load(&r->stop) && lease != LEASE_OTHERS && lease != LEASE_GONE) {
		if (rc == -EIDRM)
			return LEASE_MINE;
		if (rc != 0 && rc != -EPERM)
			replica_trouble(r, "not-sent", mdg_strerror(rc));
		if ((rc != 0 && rc != -EPERM) || lease == LEASE_AGAIN)
			replica_sleep(r, AGAIN_MS);
		if (rc == -EPERM) { /* an answer was lost, or somebody else has published */
			log_event(LOG_WARN, "refused", "segment=\"%s\" sequence=%" PRIu64, r->name,
			          s->sequence);
			lease = begin_reign(s);
			rc = lease == LEASE_MINE ? 0 : -EPERM;
			continue;
		}
		rc = mdg_replica_wait(r->handle, s->sent, mdg_deadline(LEASE_MS * 1000000ULL),
		                      NULL);
		if (rc == 0)
			rc = send_generation(s);
		else if (rc == -ETIMEDOUT || rc == -EINTR)
			rc = 0;
		if (rc == 0)
			lease = lease_renew(&s->lease, r, false);
	}
	return lease;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* The segment has to be there. The first generation is made here, if no program has made one. */
static int get_memory(struct sender *s, uint64_t bytes)
{
	int64_t most = link_max_payload(s->replica->bridge->link) - 512;

	s->bytes = bytes;
	s->parcel_bytes = PARCEL_BYTES;
	if (most > 4096 && (size_t)most < s->parcel_bytes)
		s->parcel_bytes = (size_t)most;
	s->image = malloc((size_t)bytes);
	s->room = malloc(s->parcel_bytes + PARCEL_HEAD);
	if (s->image && s->room)
		return 0;
	free(s->image);
	free(s->room);
	s->image = s->room = NULL;
	return -ENOMEM;
}

static int open_here(struct sender *s)
{
	struct replica *r = s->replica;
	const struct mdg_replica_options to_commit = { .size = sizeof to_commit,
		                                       .flags = MDG_REPLICA_COMMIT };
	const struct mdg_replica_options to_apply = { .size = sizeof to_apply,
		                                      .flags = MDG_REPLICA_APPLY };
	struct mdg_replica_info info = { .size = sizeof info };
	mdg_replica *writer = NULL;
	int rc = mdg_replica_open(&writer, r->bridge->ns, r->name, &to_commit);

	if (rc == 0)
		rc = mdg_replica_look(writer, &info);
	if (rc == 0)
		rc = mdg_replica_open(&r->handle, r->bridge->ns, r->name, &to_apply);
	if (rc == 0)
		rc = mdg_replica_set_role(r->handle, MDG_REPLICA_ALONE, 0, 0, MDG_FOREVER);
	if (rc == 0 && info.generation == 0)
		rc = mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL);
	mdg_replica_close(writer);
	if (rc == 0)
		rc = get_memory(s, info.bytes);
	if (rc != 0) {
		mdg_replica_close(r->handle);
		r->handle = NULL;
	}
	return rc;
}

static void wait_for_lease(struct sender *s)
{
	struct replica *r = s->replica;
	bool said = false;

	while (!atomic_load(&r->stop)) {
		int rc = lease_take(&s->lease, r);

		if (rc == LEASE_MINE)
			rc = begin_reign(s);
		if (rc == LEASE_MINE) {
			log_event(LOG_INFO, "writer", "segment=\"%s\" fence=%" PRIu64, r->name,
			          s->lease.fence);
			return;
		}
		if (rc == LEASE_OTHERS && !said) {
			log_event(LOG_WARN, "not-writer",
			          "segment=\"%s\" host=%s has the lease; waiting for it", r->name,
			          s->lease.holder);
			(void)mdg_replica_set_role(r->handle, MDG_REPLICA_DEPOSED, 0, 0,
			                           MDG_FOREVER);
			said = true;
		}
		replica_sleep(r, rc == LEASE_OTHERS ? LEASE_MS / 2 : AGAIN_MS);
	}
}

void replica_write(struct replica *r)
{
	struct sender s = { .replica = r };
	int rc, lease = LEASE_GONE;

	while ((rc = open_here(&s)) != 0 && !atomic_load(&r->stop)) {
		replica_trouble(r, "no-segment", mdg_strerror(rc));
		replica_sleep(r, 1000);
	}
	while (rc == 0 && lease == LEASE_GONE && !atomic_load(&r->stop)) {
		wait_for_lease(&s);
		lease = reign(&s);
	}
	if (lease == LEASE_OTHERS)
		depose(&s);
	else if (s.lease.fence != 0)
		lease_free(&s.lease, r);
	while (lease == LEASE_OTHERS && !atomic_load(&r->stop))
		replica_sleep(r, 60000);
	mdg_replica_close(r->handle);
	r->handle = NULL;
	free(s.image);
	free(s.room);
	free(s.ranges);
}
