/* SPDX-License-Identifier: MIT */
/*
 * stream.c - what a replica needs of its stream: make it, look at it, publish, delete what is old.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "replica/replica.h"

enum { PUBLISH_MS = 3000, LOOK_BACK = 64 };

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

/* 1: it is a parcel; 0: it is none, or there is no such message; -EAGAIN. */
static int generation_at(struct replica *r, uint64_t sequence, uint64_t *ret_generation)
{
	struct parcel parcel;
	const char *wrong;
	natsMsg *msg = NULL;
	natsStatus s = js_GetMsg(&msg, r->bridge->link->js, r->stream, sequence, NULL, NULL);
	int rc;

	if (s != NATS_OK)
		return s == NATS_NOT_FOUND ? 0 : -EAGAIN;
	rc = parcel_decode(&parcel, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
	                   &wrong);
	natsMsg_Destroy(msg);
	/* So high a number is a lie, and would leave no room above it. */
	if (rc != 0 || parcel.generation > PARCEL_GENERATION_MAX / 2)
		return 0;
	*ret_generation = parcel.generation;
	return 1;
}

int replica_last_generation(struct replica *r, uint64_t first, uint64_t last,
                            uint64_t *ret_generation)
{
	int rc = 0;

	*ret_generation = 0;
	/* What strangers have published lies behind the last parcel. */
	for (int i = 0; i < LOOK_BACK && last != 0 && last >= first && rc == 0; i++, last--)
		rc = generation_at(r, last, ret_generation);
	return rc < 0 ? rc : 0;
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
