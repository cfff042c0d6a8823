/* SPDX-License-Identifier: MIT */
/*
 * sender.h - what the two files of the writer's host share: write.c has the lease, send.c sends.
 */
#ifndef BRIDGE_REPLICA_SENDER_H
#define BRIDGE_REPLICA_SENDER_H

#include "replica/replica.h"

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
	int64_t looked; /* bridge_now(): whether the replica still is there */
};

/* Sends what has changed since s->sent, or a snapshot. 0; -EPERM: refused, or the lease is lost;
 * -EINTR: stopped; or another code. */
int send_generation(struct sender *sender);

#endif
