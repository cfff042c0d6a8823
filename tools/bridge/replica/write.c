/* SPDX-License-Identifier: MIT */
/*
 * write.c - the writer's host: the lease, and the thread that sends as long as it has it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "replica/sender.h"

enum { PARCEL_BYTES = 256 * 1024, AGAIN_MS = 250, LOOK_MS = 1000 };

/* What reign says besides LEASE_*: somebody removed the replica. */
enum { REIGN_GONE = 16 };

/* ---- the lease ------------------------------------------------------------------------------ */

/* Reads where the stream ends, and makes sure of the lease afterwards: see replica.h. Then what is
 * here becomes a generation above all that were sent. LEASE_*. */
static int begin_reign(struct sender *s)
{
	struct replica *r = s->replica;
	uint64_t first, last = 0, least;
	natsStatus status = replica_stream(r, &first, &s->sequence);
	int rc;

	if (status != NATS_OK) {
		replica_trouble(r, "no-stream", link_words(status));
		return LEASE_AGAIN;
	}
	if (replica_last_generation(r, first, s->sequence, &last) != 0) {
		replica_trouble(r, "no-generation", "the stream's last message cannot be read");
		return LEASE_AGAIN;
	}
	least = last > 0 ? last + 1 : 0;
	rc = lease_renew(&s->lease, r, true);
	if (rc != LEASE_MINE)
		return rc;
	s->sent = 0;
	s->since_snapshot = 0;
	rc = mdg_replica_set_role(r->handle, MDG_REPLICA_WRITER, s->lease.fence, least,
	                          MDG_FOREVER);
	if (rc == 0) {
		replica_state(r, BRIDGE_REPLICA_MOVING, "");
		return LEASE_MINE;
	}
	replica_trouble(r, "no-role", mdg_strerror(rc));
	return LEASE_AGAIN;
}

static void depose(struct sender *s)
{
	struct replica *r = s->replica;

	(void)mdg_replica_set_role(r->handle, MDG_REPLICA_DEPOSED, s->lease.fence, 0, MDG_FOREVER);
	replica_state(r, BRIDGE_REPLICA_DEPOSED, "another host has taken the lease");
	log_event(LOG_ERROR, "deposed",
	          "segment=\"%s\" advice=\"another host writes it now, and commits here fail: "
	          "end this bridge, or start it again without --write\"",
	          r->name);
}

/* Whether somebody has removed the replica; it looks once in a second. */
static bool is_gone(struct sender *s)
{
	int64_t now = bridge_now();

	if (now - s->looked < LOOK_MS)
		return false;
	s->looked = now;
	return replica_is_gone(s->replica);
}

/* Waits for a generation, and sends it. 0, -EPERM: refused; -EIDRM; or another code. */
static int send_next(struct sender *s)
{
	uint64_t deadline = mdg_deadline(LEASE_MS * UINT64_C(1000000));
	int rc = mdg_replica_wait(s->replica->handle, s->sent, deadline, NULL);

	if (rc == -ETIMEDOUT || rc == -EINTR)
		return 0;
	return rc == 0 ? send_generation(s) : rc;
}

/* The server has refused: an answer was lost, or somebody else has published. LEASE_*. */
static int begin_again(struct sender *s)
{
	struct replica *r = s->replica;
	int lease = LEASE_AGAIN;

	replica_say(r, "refused", "the stream has a message that is not ours",
	            "it looks who has the lease");
	while (lease == LEASE_AGAIN && !atomic_load(&r->stop) && !is_gone(s)) {
		lease = begin_reign(s);
		if (lease == LEASE_AGAIN)
			replica_sleep(r, AGAIN_MS);
	}
	return lease;
}

/* Sends while it has the lease. LEASE_MINE: it was stopped; LEASE_OTHERS: it is deposed;
 * LEASE_GONE; REIGN_GONE. */
static int reign(struct sender *s)
{
	struct replica *r = s->replica;
	int lease = LEASE_MINE;

	while (!atomic_load(&r->stop) && lease != LEASE_OTHERS && lease != LEASE_GONE) {
		int rc = send_next(s);

		if (rc == -EIDRM || is_gone(s))
			return REIGN_GONE;
		if (rc == -EPERM) {
			lease = begin_again(s);
			continue;
		}
		if (rc == 0)
			lease = lease_renew(&s->lease, r, false);
		else if (rc != -EINTR)
			replica_trouble(r, "not-sent", mdg_strerror(rc));
		if (rc != 0 || lease == LEASE_AGAIN)
			replica_sleep(r, AGAIN_MS);
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
	/* Somebody may have made it anew between, with another size. */
	if (rc == 0)
		rc = mdg_replica_look(r->handle, &info);
	if (rc == 0)
		rc = get_memory(s, info.bytes);
	if (rc != 0) {
		mdg_replica_close(r->handle);
		r->handle = NULL;
	}
	return rc;
}

/* LEASE_MINE; REIGN_GONE; LEASE_AGAIN: it was stopped. */
static int wait_for_lease(struct sender *s)
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
			return LEASE_MINE;
		}
		if (rc == LEASE_OTHERS && !said) {
			log_event(LOG_WARN, "not-writer",
			          "segment=\"%s\" host=%s advice=\"it waits for the lease\"",
			          r->name, s->lease.holder);
			(void)mdg_replica_set_role(r->handle, MDG_REPLICA_DEPOSED, 0, 0,
			                           MDG_FOREVER);
			replica_state(r, BRIDGE_REPLICA_WAITING, "for the lease of another host");
			said = true;
		}
		replica_sleep(r, rc == LEASE_OTHERS ? LEASE_MS / 2 : AGAIN_MS);
		if (is_gone(s))
			return REIGN_GONE;
	}
	return LEASE_AGAIN;
}

static void close_here(struct sender *s)
{
	mdg_replica_close(s->replica->handle);
	s->replica->handle = NULL;
	free(s->image);
	free(s->room);
	s->image = s->room = NULL;
}

/* False: it was stopped. */
static bool wait_for_segment(struct sender *s)
{
	struct replica *r = s->replica;
	int rc;

	while (!atomic_load(&r->stop)) {
		rc = open_here(s);
		if (rc == 0)
			return true;
		replica_say(r, "no-segment", mdg_strerror(rc),
		            rc == MDG_UNLIKE_CAPACITY
		                    ? "remove NAME.replica, which is of a segment of another size"
		                    : "it goes on when a program has made the segment");
		replica_state(r, BRIDGE_REPLICA_WAITING, mdg_strerror(rc));
		replica_sleep(r, AGAIN_MS);
	}
	return false;
}

/* With the replica as it is here now. LEASE_*, REIGN_GONE. */
static int write_this(struct sender *s)
{
	int lease = LEASE_GONE;

	while (lease == LEASE_GONE && !atomic_load(&s->replica->stop)) {
		lease = wait_for_lease(s);
		if (lease == LEASE_MINE)
			lease = reign(s);
	}
	return lease;
}

void replica_write(struct replica *r)
{
	struct sender s = { .replica = r };
	int lease = REIGN_GONE;

	while (lease == REIGN_GONE && wait_for_segment(&s)) {
		lease = write_this(&s);
		if (lease != REIGN_GONE)
			break;
		replica_say(r, "replica-gone", "somebody removed it", "it is made again");
		close_here(&s);
	}
	if (lease == LEASE_OTHERS)
		depose(&s);
	else if (s.lease.fence != 0)
		lease_free(&s.lease, r);
	while (lease == LEASE_OTHERS && !atomic_load(&r->stop))
		replica_sleep(r, 60000);
	close_here(&s);
	free(s.ranges);
}
