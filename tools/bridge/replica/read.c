/* SPDX-License-Identifier: MIT */
/*
 * read.c - a reader's host: generations come from the stream into the replica.
 *
 * It goes on behind the message that the replica has noted, or takes all that the stream has, which
 * begins with a snapshot. A replica whose generations cannot be continued (the stream was made
 * anew, or this host wrote what no other host has seen) is removed and made again: its readers get
 * -EIDRM.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "link/retire.h"
#include "replica/replica.h"

enum { WAIT_MS = 1000, AGAIN_MS = 250 };

struct receiver {
	struct replica *replica;
	natsSubscription *subscription;
	struct assembly assembly;
	uint64_t cursor; /* sequence of the last message that the replica has, in this stream */
	uint64_t generation;
	uint64_t reconnects;
	bool from_start; /* take all that the stream has */
};

/* ---- the replica ---------------------------------------------------------------------------- */

/* `bytes` 0: only if there is one. */
static int open_here(struct receiver *v, uint64_t bytes)
{
	struct replica *r = v->replica;
	const struct mdg_replica_options options = { .size = sizeof options,
		                                     .flags = MDG_REPLICA_APPLY,
		                                     .bytes = bytes };
	struct mdg_replica_info info = { .size = sizeof info };
	int rc = mdg_replica_open(&r->handle, r->bridge->ns, r->name, &options);

	v->generation = 0;
	if (rc != 0)
		return rc;
	rc = mdg_replica_look(r->handle, &info);
	v->generation = info.generation;
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
	mdg_replica_close(r->handle);
	r->handle = NULL;
	v->cursor = 0;
	v->generation = 0;
	rc = mdg_replica_remove(r->bridge->ns, r->name);
	if (rc != 0 && rc != -ENOENT)
		replica_trouble(r, "not-removed", mdg_strerror(rc));
}

/* The replica for a segment of this size. */
static int be_ready(struct receiver *v, uint64_t bytes)
{
	int rc = 0;

	if (v->replica->handle && v->assembly.bytes == bytes && v->generation != 0)
		return 0;
	if (v->replica->handle) {
		mdg_replica_close(v->replica->handle);
		v->replica->handle = NULL;
	}
	rc = open_here(v, bytes);
	if (rc == MDG_UNLIKE_CAPACITY || rc == MDG_NOT_REPLICA || rc == MDG_BROKEN ||
	    rc == MDG_VERSION_UNLIKE) {
		make_anew(v, mdg_strerror(rc));
		rc = open_here(v, bytes);
	}
	return rc;
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
	if (s != NATS_OK)
		replica_trouble(r, "no-stream", link_words(s));
	return s == NATS_OK ? 0 : -EAGAIN;
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
	v->generation = p->generation;
	(void)mdg_replica_set_far(v->replica->handle, p->generation);
	log_event(LOG_DEBUG, "generation",
	          "segment=\"%s\" generation=%" PRIu64 " sequence=%" PRIu64, v->replica->name,
	          p->generation, sequence);
	return 0;
}

/* A whole generation has come. 0: go on; -EAGAIN: subscribe again. */
static int arrived(struct receiver *v, uint64_t sequence)
{
	uint64_t cursor = v->cursor;
	int rc = apply(v, sequence);

	/* What lies behind our position and is not above what we have is of another history. */
	if ((rc == -EALREADY || rc == -EPERM) && sequence > cursor) {
		make_anew(v, "it has generations that the stream does not continue");
		return -EAGAIN;
	}
	if (rc == -EALREADY || rc == 0)
		return 0;
	v->from_start = true;
	if (rc == -EIDRM) {
		mdg_replica_close(v->replica->handle);
		v->replica->handle = NULL;
		v->cursor = 0;
	}
	replica_trouble(v->replica, "not-applied", mdg_strerror(rc));
	return -EAGAIN;
}

static int take(struct receiver *v, natsMsg *msg)
{
	struct replica *r = v->replica;
	uint64_t sequence = sequence_of(msg);
	struct parcel parcel;
	const char *wrong = "";
	int rc = parcel_decode(&parcel, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
	                       &wrong);

	if (rc == 0) {
		rc = be_ready(v, parcel.bytes);
		if (rc != 0) {
			replica_trouble(r, "no-replica", mdg_strerror(rc));
			return -EAGAIN;
		}
		(void)mdg_replica_set_far(r->handle, parcel.generation);
		rc = assembly_take(&v->assembly, &parcel, &wrong);
	}
	if (rc == ASSEMBLY_DONE)
		return arrived(v, sequence);
	if (rc == -ENOMEM)
		wrong = "no memory";
	if (rc < 0)
		log_event(LOG_WARN, "parcel-dropped",
		          "segment=\"%s\" sequence=%" PRIu64 " because=\"%s\"", r->name, sequence,
		          wrong);
	return rc == -ENOMEM ? -EAGAIN : 0;
}

void replica_read(struct replica *r)
{
	struct receiver v = { .replica = r };

	if (open_here(&v, 0) == 0)
		v.cursor = noted(r->handle);
	while (!atomic_load(&r->stop)) {
		natsMsg *msg = NULL;
		natsStatus s;

		/* Another server may not know of our subscription. */
		if (v.subscription && link_reconnects(r->bridge->link) != v.reconnects)
			unsubscribe(&v);
		int rc = v.subscription || !link_is_up(r->bridge->link) ? 0 : subscribe(&v);

		if (rc == 0 && !v.subscription)
			rc = -EAGAIN; /* no connection */
		if (rc == 0) {
			s = natsSubscription_NextMsg(&msg, v.subscription, WAIT_MS);
			if (s == NATS_OK)
				rc = take(&v, msg);
			else if (s == NATS_TIMEOUT && r->handle && link_is_up(r->bridge->link))
				(void)mdg_replica_set_far(r->handle, 0);
			else if (s != NATS_TIMEOUT)
				rc = -EAGAIN;
			natsMsg_Destroy(msg);
		}
		if (rc != 0) {
			unsubscribe(&v);
			replica_sleep(r, AGAIN_MS);
		}
	}
	unsubscribe(&v);
	assembly_free(&v.assembly);
	mdg_replica_close(r->handle);
	r->handle = NULL;
}
