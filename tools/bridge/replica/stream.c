/* SPDX-License-Identifier: MIT */
/*
 * stream.c - what a replica needs of its stream: make it, look at it, publish, delete what is old.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "replica/replica.h"

enum { PUBLISH_MS = 3000 };

void replica_trouble(struct replica *r, const char *what, const char *why)
{
	char text[sizeof r->said];

	(void)snprintf(text, sizeof text, "%s: %s", what, why);
	if (strcmp(text, r->said) != 0)
		log_event(LOG_WARN, what, "segment=\"%s\" error=\"%s\"; trying again", r->name,
		          why);
	memcpy(r->said, text, sizeof text);
}

void replica_sleep(struct replica *r, int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	/* The signal that ends a thread ends the pause. */
	if (!atomic_load(&r->stop))
		(void)nanosleep(&pause, NULL);
}

static natsStatus make_stream(jsStreamInfo **ret, struct replica *r)
{
	const char *subjects[] = { r->subjects };
	jsStreamConfig config;

	(void)jsStreamConfig_Init(&config);
	config.Name = r->stream;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.Storage = js_FileStorage;
	config.Replicas = r->bridge->options->replicas;
	return js_AddStream(ret, r->bridge->link->js, &config, NULL, NULL);
}

natsStatus replica_stream(struct replica *r, uint64_t *ret_first, uint64_t *ret_last)
{
	jsStreamInfo *info = NULL;
	natsStatus s = js_GetStreamInfo(&info, r->bridge->link->js, r->stream, NULL, NULL);

	if (s == NATS_NOT_FOUND)
		s = make_stream(&info, r);
	if (s == NATS_OK) {
		*ret_first = info->State.FirstSeq;
		*ret_last = info->State.LastSeq;
	}
	jsStreamInfo_Destroy(info);
	return s;
}

uint64_t replica_generation_at(struct replica *r, uint64_t sequence)
{
	struct parcel parcel = { 0 };
	const char *wrong;
	natsMsg *msg = NULL;

	if (js_GetMsg(&msg, r->bridge->link->js, r->stream, sequence, NULL, NULL) != NATS_OK)
		return 0;
	if (parcel_decode(&parcel, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
	                  &wrong) != 0)
		parcel.generation = 0;
	natsMsg_Destroy(msg);
	return parcel.generation;
}

int replica_publish(struct replica *r, const char *id, const void *data, size_t size,
                    uint64_t *sequence)
{
	jsPubOptions options;
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	natsMsg *msg = NULL;
	char expected[24];
	natsStatus s = natsMsg_Create(&msg, r->subject, NULL, data, (int)size);

	(void)jsPubOptions_Init(&options);
	options.MaxWait = PUBLISH_MS;
	options.MsgId = id;
	(void)snprintf(expected, sizeof expected, "%" PRIu64, *sequence);
	/* As a header, because libnats takes 0 for "none is expected". */
	if (s == NATS_OK)
		s = natsMsgHeader_Set(msg, "Nats-Expected-Last-Sequence", expected);
	if (s == NATS_OK)
		s = js_PublishMsg(&ack, r->bridge->link->js, msg, &options, &code);
	if (s == NATS_OK)
		*sequence = ack->Sequence;
	jsPubAck_Destroy(ack);
	natsMsg_Destroy(msg);
	if (code == JSStreamWrongLastSequenceErr)
		return -EPERM;
	if (s != NATS_OK)
		replica_trouble(r, "not-published", link_words(s));
	return s == NATS_OK ? 0 : -EAGAIN;
}

void replica_purge(struct replica *r, uint64_t sequence)
{
	jsOptions options;
	natsStatus s;

	if (sequence <= 1) /* nothing is before it, and servers take 1 for "all" */
		return;
	(void)jsOptions_Init(&options);
	options.Stream.Purge.Sequence = sequence;
	s = js_PurgeStream(r->bridge->link->js, r->stream, &options, NULL);
	if (s != NATS_OK)
		replica_trouble(r, "not-purged", link_words(s));
}
