/* SPDX-License-Identifier: MIT */
/*
 * read.c - a reader's host: generations come from the stream into the replica.
 *
 * It goes on behind the message that the replica has noted, or takes all that the stream has, which
 * begins with a snapshot. A replica whose generations cannot be continued (the stream was made
 * anew, or this host wrote what no other host has seen, or the segment has another size) is removed
 * and made again: its readers get -EIDRM.
 *
 * Any member of the group can publish a parcel. So a replica is removed only if all this holds: a
 * whole snapshot has come; --replica-most allows its size; it comes from the host that has, or had,
 * the lease (lease_allows); and there is room for both, the old replica and the new one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "link/retire.h"
#include "replica/replica.h"

enum { WAIT_MS = 1000, AGAIN_MS = 250, NO_ROOM_MS = 2000 };

struct receiver {
	struct replica *replica;
	natsSubscription *subscription;
	struct assembly assembly;
	uint64_t cursor; /* sequence of the last message that the replica has, in this stream */
	uint64_t bytes, fence, generation; /* of the replica; 0: there is none */
	uint64_t reconnects;
	bool from_start; /* take all that the stream has */
	int pause_ms;    /* before the next try; 0: AGAIN_MS */
	int64_t looked;  /* bridge_now(): whether the replica still is there */
};

/* ---- the replica ---------------------------------------------------------------------------- */

static void close_here(struct receiver *v)
{
	mdg_replica_close(v->replica->handle);
	v->replica->handle = NULL;
	v->bytes = v->fence = v->generation = 0;
}

static void look(struct receiver *v)
{
	struct mdg_replica_info info = { .size = sizeof info };

	if (mdg_replica_look(v->replica->handle, &info) != 0)
		return;
	v->bytes = info.bytes;
	v->fence = info.fence;
	v->generation = info.generation;
}

/* `bytes` 0: only if there is one. */
static int open_here(struct receiver *v, uint64_t bytes)
{
	struct replica *r = v->replica;
	const struct mdg_replica_options options = { .size = sizeof options,
		                                     .flags = MDG_REPLICA_APPLY,
		                                     .bytes = bytes };
	int rc = mdg_replica_open(&r->handle, r->bridge->ns, r->name, &options);

	if (rc == 0)
		look(v);
	return rc;
}

/* The position that the replica has. A replica that was written here has none. */
static uint64_t noted(mdg_replica *handle)
{
	struct mdg_replica_info info = { .size = sizeof info };

	return mdg_replica_look(handle, &info) == 0 && info.role == MDG_REPLICA_READER ? info.cursor
	                                                                               : 0;
}

static void make_anew(struct receiver *v, const char *why)
{
	struct replica *r = v->replica;
	int rc;

	log_event(LOG_WARN, "replica-anew", "segment=\"%s\" because=\"%s\"", r->name, why);
	close_here(v);
	v->cursor = 0;
	rc = mdg_replica_remove(r->bridge->ns, r->name);
	if (rc != 0 && rc != -ENOENT)
		replica_trouble(r, "not-removed", mdg_strerror(rc));
}

/* Whether the namespace has room for a replica of so many bytes, besides all that is there. */
static bool has_room(const struct receiver *v, uint64_t bytes)
{
	struct statvfs fs;

	if (statvfs(v->replica->bridge->directory, &fs) != 0)
		return true; /* then the making says so */
	return 2 * bytes + bytes / 64 + 65536 <= (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Whether the sender may have the replica removed. 1; 0: no, it has not the lease; -EAGAIN. */
static int is_of_writer(struct receiver *v, const char *host)
{
	int rc = lease_allows(v->replica, host, v->assembly.first.fence);

	if (rc == 0)
		replica_say(v->replica, "not-the-writer", host,
		            "what it sent is dropped, because it has not the lease");
	return rc;
}

static bool fits(struct receiver *v)
{
	if (has_room(v, v->assembly.first.bytes))
		return true;
	replica_trouble(v->replica, "no-room", "the new replica does not fit beside the old one");
	v->from_start = true;
	v->pause_ms = NO_ROOM_MS;
	return false;
}

/* A replica for the generation that has come. 1: it is there; 0: it is dropped; or a code. */
static int be_ready(struct receiver *v, const char *host)
{
	uint64_t bytes = v->assembly.first.bytes;
	int rc = MDG_UNLIKE_CAPACITY;

	if (v->replica->handle && v->bytes == bytes)
		return 1;
	if (!v->replica->handle && (rc = open_here(v, bytes)) == 0)
		return 1;
	if (!v->replica->handle && rc != MDG_UNLIKE_CAPACITY && rc != MDG_NOT_REPLICA &&
	    rc != MDG_BROKEN && rc != MDG_VERSION_UNLIKE)
		return rc;
	rc = is_of_writer(v, host);
	if (rc != 1)
		return rc;
	if (v->assembly.first.whole == 0) { /* a snapshot is before it, or will come */
		rc = v->from_start ? 0 : -EAGAIN;
		v->from_start = true;
		return rc;
	}
	if (!fits(v))
		return -EAGAIN;
	make_anew(v, "what is here has another size or form");
	rc = open_here(v, bytes);
	return rc == 0 ? 1 : rc;
}

/* ---- the stream ----------------------------------------------------------------------------- */

static void unsubscribe(struct receiver *v)
{
	subscription_retire(v->subscription);
	v->subscription = NULL;
	v->assembly.next = 0;
}

static int subscribe(struct receiver *v)
{
	struct replica *r = v->replica;
	jsSubOptions options;
	uint64_t first = 0, last = 0;
	natsStatus s = replica_stream(r, &first, &last);

	if (s == NATS_OK && v->cursor > last)
		v->cursor = 0; /* another stream */
	v->reconnects = link_reconnects(r->bridge->link);
	(void)jsSubOptions_Init(&options);
	options.Stream = r->stream;
	options.Ordered = true;
	if (v->cursor != 0 && v->cursor + 1 >= first && !v->from_start) {
		options.Config.DeliverPolicy = js_DeliverByStartSequence;
		options.Config.OptStartSeq = v->cursor + 1;
	} else {
		options.Config.DeliverPolicy = js_DeliverAll;
	}
	if (s == NATS_OK)
		s = js_SubscribeSync(&v->subscription, r->bridge->link->js, r->subjects, NULL,
		                     &options, NULL);
	if (s != NATS_OK) {
		replica_trouble(r, "no-stream", link_words(s));
		return -EAGAIN;
	}
	replica_state(r, v->generation != 0 ? BRIDGE_REPLICA_MOVING : BRIDGE_REPLICA_WAITING,
	              v->generation != 0 ? "" : "for a generation");
	return 0;
}

static uint64_t sequence_of(natsMsg *msg)
{
	jsMsgMetaData *meta = NULL;
	uint64_t sequence = 0;

	if (natsMsg_GetMetaData(&meta, msg) == NATS_OK)
		sequence = meta->Sequence.Stream;
	jsMsgMetaData_Destroy(meta);
	return sequence;
}

/* The last word of the subject: who sent it, as far as the server's rights go. */
static const char *host_of(natsMsg *msg)
{
	const char *dot = strrchr(natsMsg_GetSubject(msg), '.');

	return dot ? dot + 1 : "";
}

/* ---- generations ---------------------------------------------------------------------------- */

static int apply(struct receiver *v, uint64_t sequence)
{
	const struct parcel *p = &v->assembly.first;
	const struct mdg_generation generation = { .size = sizeof generation,
		                                   .whole = p->whole,
		                                   .base = p->base,
		                                   .generation = p->generation,
		                                   .time = p->time,
		                                   .fence = p->fence,
		                                   .cursor = sequence };
	int rc = mdg_replica_apply(v->replica->handle, &generation, v->assembly.parts,
	                           v->assembly.count, MDG_FOREVER);

	if (rc != 0)
		return rc;
	v->cursor = sequence;
	v->from_start = false;
	v->pause_ms = 0;
	look(v);
	(void)mdg_replica_set_far(v->replica->handle, p->generation);
	log_event(LOG_DEBUG, "generation",
	          "segment=\"%s\" generation=%" PRIu64 " sequence=%" PRIu64, v->replica->name,
	          p->generation, sequence);
	return 0;
}

/* It went in. */
static int moved(struct receiver *v)
{
	struct replica *r = v->replica;
	struct bridge_replica_row *row = status_replica_write(r->row);

	row->generation = v->generation;
	row->fence = v->fence;
	row->crossed++;
	status_replica_written(r->row);
	replica_fine(r);
	return 0;
}

static void drop(struct receiver *v, const char *why)
{
	replica_say(v->replica, "parcel-dropped", why, "look who may publish in this group");
}

/* It is not above what the replica has, though it lies behind its position: of another history.
 * 0: it is dropped; -EAGAIN. */
static int of_another_history(struct receiver *v, const char *host)
{
	bool whole = v->assembly.first.whole != 0;
	int rc = is_of_writer(v, host);

	if (rc != 1)
		return rc;
	if (!whole && v->cursor == 0) {
		drop(v, "no snapshot is before it");
		return 0;
	}
	if (whole && fits(v))
		make_anew(v, "it has generations that the stream does not continue");
	else if (!whole) /* our position is not one of this stream: its snapshot decides */
		v->cursor = 0;
	v->from_start = true;
	return -EAGAIN;
}

/* A whole generation has come. 0: go on; -EAGAIN: subscribe again. */
static int arrived(struct receiver *v, const char *host, uint64_t sequence)
{
	int rc = be_ready(v, host);

	if (rc == 0 || rc == -EAGAIN)
		return rc;
	rc = rc == 1 ? apply(v, sequence) : rc;
	if (rc == 0)
		return moved(v);
	if ((rc == -EALREADY || rc == -EPERM) && sequence > v->cursor)
		return of_another_history(v, host);
	if (rc == -EALREADY)
		return 0;
	if (rc == -ESTALE && v->from_start) { /* and the stream has nothing before it that helps */
		drop(v, "no snapshot is before it");
		return 0;
	}
	v->from_start = true;
	if (rc == -EIDRM) {
		close_here(v);
		v->cursor = 0;
	} else if (!v->replica->handle) {
		v->pause_ms = NO_ROOM_MS;
	}
	replica_trouble(v->replica, v->replica->handle ? "not-applied" : "no-replica",
	                mdg_strerror(rc));
	return -EAGAIN;
}

static bool is_too_large(struct receiver *v, const struct parcel *p)
{
	struct replica *r = v->replica;
	uint64_t most = r->bridge->options->replica_most;
	char why[120];

	if (p->bytes <= most)
		return false;
	(void)snprintf(why, sizeof why,
	               "a segment of %" PRIu64 " bytes; --replica-most is %" PRIu64, p->bytes,
	               most);
	replica_say(r, "replica-too-large", why,
	            "if it is meant to be so large, start the bridge with a larger --replica-most");
	replica_state(r, BRIDGE_REPLICA_HELD, why);
	return true;
}

static int take(struct receiver *v, natsMsg *msg)
{
	struct replica *r = v->replica;
	struct parcel parcel;
	const char *wrong = "";
	int rc = parcel_decode(&parcel, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
	                       &wrong);

	if (rc == 0 && is_too_large(v, &parcel))
		return 0;
	if (rc == 0) {
		if (r->handle && parcel.bytes == v->bytes && parcel.fence == v->fence)
			(void)mdg_replica_set_far(r->handle, parcel.generation);
		rc = assembly_take(&v->assembly, &parcel, &wrong);
	}
	if (rc == ASSEMBLY_DONE)
		return arrived(v, host_of(msg), sequence_of(msg));
	if (rc == -ENOMEM) {
		replica_trouble(r, "no-memory", "for a whole generation");
		v->pause_ms = NO_ROOM_MS;
		return -EAGAIN;
	}
	if (rc < 0)
		drop(v, wrong);
	return 0;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Looks each second whether the replica still is there. -EAGAIN: subscribe again. */
static int look_after(struct receiver *v)
{
	struct replica *r = v->replica;
	int64_t now = bridge_now();

	if (!r->handle || now - v->looked < WAIT_MS)
		return 0;
	v->looked = now;
	if (!replica_is_gone(r))
		return 0;
	replica_say(r, "replica-gone", "somebody removed it", "it is made again");
	close_here(v);
	v->cursor = 0;
	v->from_start = true;
	return -EAGAIN;
}

static int next(struct receiver *v)
{
	struct replica *r = v->replica;
	natsMsg *msg = NULL;
	natsStatus s = natsSubscription_NextMsg(&msg, v->subscription, WAIT_MS);
	int rc = look_after(v);

	if (rc == 0 && s == NATS_OK)
		rc = take(v, msg);
	else if (s == NATS_TIMEOUT && r->handle && link_is_up(r->bridge->link))
		(void)mdg_replica_set_far(r->handle, 0);
	else if (s != NATS_TIMEOUT)
		rc = -EAGAIN;
	natsMsg_Destroy(msg);
	return rc;
}

void replica_read(struct replica *r)
{
	struct receiver v = { .replica = r };

	replica_state(r, BRIDGE_REPLICA_WAITING, "for a generation");
	if (open_here(&v, 0) == 0)
		v.cursor = noted(r->handle);
	while (!atomic_load(&r->stop)) {
		int rc = 0;

		/* Another server may not know of our subscription. */
		if (v.subscription && link_reconnects(r->bridge->link) != v.reconnects)
			unsubscribe(&v);
		if (!v.subscription)
			rc = link_is_up(r->bridge->link) ? subscribe(&v) : -EAGAIN;
		if (rc == 0)
			rc = next(&v);
		if (rc == 0)
			continue;
		unsubscribe(&v);
		replica_sleep(r, v.pause_ms ? v.pause_ms : AGAIN_MS);
		v.pause_ms = 0;
	}
	unsubscribe(&v);
	assembly_free(&v.assembly);
	close_here(&v);
}
