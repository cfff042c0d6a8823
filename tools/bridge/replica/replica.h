/* SPDX-License-Identifier: MIT */
/*
 * replica.h - segments that one host writes and others read: a thread for each.
 *
 * The stream of a segment, MADANG_GROUP_=s=SEGMENT, has the parcels of its generations, in order,
 * under the subjects madang.GROUP.s.SEGMENT.HOST. It begins with a snapshot. When what follows is
 * longer than a few snapshots, the writer sends another one, and has all before it deleted. So a
 * late reader gets the last snapshot, and what came after it.
 *
 * THE LEASE. The key writer.SEGMENT of the bucket madang_GROUP says who writes, as text:
 *
 *     host=HOST instance=INSTANCE
 *
 * or `free`. The writer changes it every 2 s, always with the revision that it knows. If it has not
 * changed for 7 s, by the clock of who looks, another host may take it. The FENCE is the revision
 * with which it was taken, so it grows.
 *
 * FENCING. Each parcel is published with the last sequence of the stream that the writer knows, and
 * the server refuses it if there is another one. A new writer takes the lease first, then reads the
 * last sequence, and publishes. From its first parcel on, the former writer's are refused: its
 * bridge says so in the replica (MDG_REPLICA_DEPOSED), and commits there fail. Who gets such a
 * refusal and still has the lease (an acknowledgement was lost) reads the sequence, renews the
 * lease, and begins again with a snapshot. In that order, so that nobody can have come between.
 *
 * DEATHS. A bridge has nothing that it needs again. The reader's position in the stream lies in the
 * replica, and is shown in one step with the generation. The writer's begins with a snapshot. What
 * a dead writer has sent of a generation is dropped by the readers, because another parcel
 * follows.
 */
#ifndef BRIDGE_REPLICA_REPLICA_H
#define BRIDGE_REPLICA_REPLICA_H

#include <madang/replica.h>
#include <pthread.h>

#include "bridge.h"
#include "link/link.h"
#include "replica/parcel.h"

enum { LEASE_MS = 2000, LEASE_LOST_MS = 7000 };

struct replica {
	struct bridge *bridge;
	struct replica *next;
	bool writes;
	char name[MDG_NAME_MAX + 1], token[TOKEN_ROOM];
	char subject[SUBJECT_ROOM], subjects[SUBJECT_ROOM], stream[STREAM_ROOM];
	mdg_replica *handle; /* to apply; NULL: none yet */
	atomic_bool stop, ended;
	pthread_t thread;
	struct status_replica *row;
	struct said {
		const char *what;
		char why[BRIDGE_ERROR_ROOM];
		int64_t at; /* bridge_now() */
	} said[16];         /* the last lines in the log, one of a kind */
};

/* Starts a thread for each segment of the options. 0, or -1: it has said why. */
int replicas_start(struct replica **ret, struct bridge *bridge);
void replicas_end(struct replica *first);

/* ---- for the files of this room ---- */

/* They work until replica->stop. */
void replica_write(struct replica *replica);
void replica_read(struct replica *replica);

/* stream.c */
/* The stream, made if need be: its first and last sequence. A status of libnats. */
natsStatus replica_stream(struct replica *replica, uint64_t *ret_first, uint64_t *ret_last);
/* The last generation that the stream has, in messages from `last` backwards; 0: it has none.
 * -EAGAIN: it cannot be said. */
int replica_last_generation(struct replica *replica, uint64_t first, uint64_t last,
                            uint64_t *ret_generation);
/* Publishes behind *sequence, and sets it. 0; -EPERM: the server refuses, because there is another
 * last message; -EAGAIN: it cannot be said whether it is there. */
int replica_publish(struct replica *replica, const char *id, const void *data, size_t size,
                    uint64_t *sequence);
/* Has all before this sequence deleted. */
void replica_purge(struct replica *replica, uint64_t sequence);

/* say.c */
/* A line in the log when it is not what was said last of this kind; never more than one in 2 s.
 * `what` is a literal. */
void replica_say(struct replica *replica, const char *what, const char *why, const char *advice);
/* The same of a trouble after which it tries again. It is in the status, too. */
void replica_trouble(struct replica *replica, const char *what, const char *why);
/* It goes: a trouble that comes again is said again. */
void replica_fine(struct replica *replica);
void replica_state(struct replica *replica, enum bridge_replica_state state, const char *why);
/* Sleeps, or is stopped. */
void replica_sleep(struct replica *replica, int ms);
/* Whether somebody has removed the segment of replica->handle. */
bool replica_is_gone(struct replica *replica);

/* lease.c */
struct lease {
	uint64_t fence, revision;
	int64_t renewed;    /* bridge_now() */
	uint64_t seen;      /* of another host: the revision, */
	int64_t seen_since; /* and since when it is that one */
	char holder[TOKEN_ROOM];
};
/* LEASE_GONE: the server has lost the key, so nobody has the lease. */
enum { LEASE_MINE = 0, LEASE_OTHERS = 1, LEASE_AGAIN = 2, LEASE_GONE = 3 };
/* Takes it, if it can be had. */
int lease_take(struct lease *lease, struct replica *replica);
/* Renews it if that is due, or `now`. LEASE_OTHERS, LEASE_GONE: it is lost. */
int lease_renew(struct lease *lease, struct replica *replica, bool now);
void lease_free(struct lease *lease, struct replica *replica);
/* Whether parcels from `host` (a token) with this fence can be of the present writer, or of the
 * last one: 1, 0; -EAGAIN: it cannot be said. */
int lease_allows(struct replica *replica, const char *host, uint64_t fence);

#endif
