/* SPDX-License-Identifier: MIT */
/*
 * madang/replica.h - a segment that one host writes and many hosts read.
 *
 *     // The writer, on one host:
 *     struct mdg_replica_options options = { .size = sizeof options, .flags = MDG_REPLICA_COMMIT };
 *     mdg_replica *mine;
 *     int rc = mdg_replica_open(&mine, ns, "weather", &options); // a segment that exists
 *     weather->wind = 12;
 *     struct mdg_range changed = { offsetof(struct weather, wind), sizeof weather->wind };
 *     rc = mdg_segment_commit(mine, &changed, 1, MDG_FOREVER, NULL);
 *
 *     // A reader, on any host:
 *     rc = mdg_replica_open(&replica, ns, "weather", NULL);
 *     do {
 *             struct mdg_view view = { .size = sizeof view };
 *             rc = mdg_replica_begin(replica, &view);
 *             if (rc == 0) {
 *                     wind = ((const struct weather *)view.data)->wind; // copy out, do not act yet
 *                     rc = mdg_replica_end(replica, &view);
 *             }
 *     } while (rc == -EAGAIN); // it was overtaken
 *
 * A COMMIT makes what is in a segment NAME a GENERATION. Generations are numbered from 1, and the
 * numbers only grow. A reader sees one whole generation, and then another whole one. It never sees
 * half of one, whoever is killed and whatever the network does. A reader may miss generations: if
 * several are committed while it, or the network, is busy, it sees the last of them.
 *
 * WHERE IT LIES. The generations of NAME lie in a second segment, NAME.replica, of about twice the
 * size. It holds two copies of the segment: the present generation, and the place where the next
 * one is made. Its form is the same on all hosts. On the writer's host, commits fill it. On other
 * hosts, `madang replicate NAME` does. So a program that reads is the same on every host, and
 * this header needs no network. Each host reads its own memory.
 *
 * THE WRITER works in the segment NAME itself, as in any segment. Nobody sees that until it is
 * committed. Several processes of the host may commit. They take turns: a lock is held during a
 * commit. What is in the ranges must not change during the call, so programs that write together
 * hold a lock of their own for the time of a change and its commit. A commit never waits for the
 * network or for readers.
 *
 * ONE HOST WRITES. `madang replicate --write NAME` takes a lease for its host, with a number that
 * grows with each lease. If another host takes the lease, this one is DEPOSED: the server refuses
 * what it has not published yet, and mdg_segment_commit returns MDG_DEPOSED from then on. Commits
 * between the loss of the lease and that moment were made here, and no other host ever sees them.
 * A program that must know calls mdg_replica_settled: it waits until others can have the
 * generation. Where no bridge runs, commits work, and are seen on this host alone.
 *
 * DEATH. A process may be killed at any instruction of these calls.
 *   Of a committer: its commit is there as a whole or not at all. The next one goes on.
 *   Of a bridge: likewise. The replica shows its last generation until a bridge runs again.
 *   Of a reader: nothing. It only reads, and may have the memory read-only.
 * A process that is stopped (SIGSTOP) in the middle of a commit makes other committers wait.
 *
 * HEAPS. The segment of a heap is committed as any other. The heap has to be at rest during the
 * commit: no thread allocates, frees, or changes a block. Readers follow references (mdg_ref) from
 * view.data on. Plain pointers into the heap are right at its home address alone; so a reader asks
 * for MDG_REPLICA_HOME, and gets the view there. mdg_heap_open cannot open a replica. A heap is
 * committed with its whole `maximum`, and takes memory for three times as much: give it a small
 * one.
 *
 * ERRORS. Each function that returns int may return
 *   -EBADF      the handle was opened for something else
 *   -EIDRM      the replica was removed
 *   MDG_BROKEN  its memory holds what no call has put there
 * and what is said at the function. errno is never touched.
 *
 * SAFETY. Any thread may make these calls, on one handle at the same time. Signal handlers may
 * call mdg_replica_begin, mdg_replica_end, mdg_replica_read and mdg_replica_look. A handle stays
 * valid in a forked child. The calls do not use malloc, are not cancellation points, and keep no
 * descriptor.
 *
 * ALL WHO MAY WRITE TO NAME.replica can change what readers see. They cannot make these functions
 * crash, or read or write outside of it.
 */
#ifndef MADANG_REPLICA_H
#define MADANG_REPLICA_H

#include <madang/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mdg_replica mdg_replica; /* opaque, process-local */

/* The longest name of a segment that can be replicated. */
#define MDG_REPLICA_NAME_MAX (MDG_NAME_MAX - 8u)

#define MDG_REPLICA_COMMIT 0x1u /* to commit the segment of that name; needs to write */
#define MDG_REPLICA_APPLY  0x2u /* to put in generations from elsewhere: for a bridge */
#define MDG_REPLICA_HOME   0x4u /* views lie at the heap's home: see mdg_replica_begin */

struct mdg_replica_options {
	uint32_t size;  /* sizeof(struct mdg_replica_options) */
	uint32_t flags; /* MDG_REPLICA_*; 0: to read */
	uint64_t bytes; /* APPLY: of the segment, if the replica is to be made; 0: do not make it */
	uint64_t home;  /* HOME: the address */
	uint32_t mode;  /* APPLY: permission bits of a replica that is made; default 0600 */
	uint32_t reserved;
};

/* Opens the replica of the segment `name`. With MDG_REPLICA_COMMIT it is made if there is none,
 * with the permissions of the segment. `options` may be NULL: to read. Returns 0, or
 *   -ENOENT          there is no replica; with COMMIT: no such segment
 *   -EINVAL          the name, or the options
 *   MDG_NOT_REPLICA  the segment NAME.replica is no replica
 *   MDG_VERSION_UNLIKE  an incompatible version made it
 *   MDG_UNLIKE_CAPACITY the replica is of a segment of another size: remove it first
 *   MDG_HOME_TAKEN   something lies at the home address
 *   or an error of mdg_segment_create and mdg_segment_attach: -EACCES, -ENOMEM, -ENOSPC, ... */
MDG_API int mdg_replica_open(mdg_replica **ret_replica, mdg_namespace *ns, const char *name,
                             const struct mdg_replica_options *options);
/* Nobody may use the handle or a view of it after this. NULL is allowed. */
MDG_API void mdg_replica_close(mdg_replica *replica);
/* Removes NAME.replica, and leaves the segment. All calls give -EIDRM from then on, and who waits
 * gets it at once. (Who removes NAME.replica as a segment tells nobody: then it takes a second,
 * where somebody waits for a generation or a bridge runs.) Also removes a replica that is damaged,
 * or of another version. Returns 0, -ENOENT, MDG_NOT_REPLICA, or an error of mdg_segment_open,
 * mdg_segment_attach and mdg_segment_remove. */
MDG_API int mdg_replica_remove(mdg_namespace *ns, const char *name);

/* ---- writing ---------------------------------------------------------------------- */

/* A part of a segment. */
struct mdg_range {
	uint64_t offset, length;
};

/* Makes the next generation: what it was, with these ranges as they are now in the segment. With
 * `ranges` of NULL all that differs is found by comparison, in pieces of MDG_REPLICA_BLOCK bytes.
 * The whole segment is taken in any case by the first commit, by the first one after the segment
 * was removed and made again, and by the first one after another host wrote. Stores the number in
 * *ret_generation, which may be NULL. Returns 0, or
 *   -EINVAL      a range reaches beyond the segment
 *   -EDEADLK, -ENOLCK, -ENOSYS, -ETIMEDOUT  as mdg_mutex_lock_until: others commit
 *   MDG_DEPOSED  another host writes this segment now
 *   -EROFS       this host has a replica: another host writes */
MDG_API int mdg_segment_commit(mdg_replica *replica, const struct mdg_range *ranges, unsigned count,
                               uint64_t deadline, uint64_t *ret_generation);

/* Waits until the server has kept the generation for other hosts, or a later one. Returns 0,
 * MDG_DEPOSED, -ETIMEDOUT or -EINTR. */
MDG_API int mdg_replica_settled(mdg_replica *replica, uint64_t generation, uint64_t deadline);

/* ---- reading ---------------------------------------------------------------------- */

/* One generation, in place. */
struct mdg_view {
	uint32_t size; /* sizeof(struct mdg_view), set by the caller */
	uint32_t copy; /* for mdg_replica_end */
	const void *data;
	uint64_t bytes;      /* of the segment */
	uint64_t generation; /* 0: nothing was committed yet, and all is zeros */
	uint64_t time;       /* when it was committed: nanoseconds since 1970, the writer's clock */
	uint64_t fence;      /* number of the writer's lease; 0: none */
	uint64_t cursor;     /* what the bridge has noted with it */
};

/* Gives the present generation in place. It stays whole until the second commit after it begins.
 * So read quickly, and ask mdg_replica_end before you rely on what was read: until then it may be
 * nonsense, also indexes and references. It waits for nobody.
 * In a handle with MDG_REPLICA_HOME the view lies at the home address, and the handle has one view
 * at a time (-EBUSY). Returns 0 or -EAGAIN: overtaken already. */
MDG_API int mdg_replica_begin(mdg_replica *replica, struct mdg_view *ret_view);
/* Returns 0: all that was read since mdg_replica_begin is of this generation; or -EAGAIN: it was
 * overtaken, so begin again. */
MDG_API int mdg_replica_end(mdg_replica *replica, const struct mdg_view *view);
/* Whether a view is whole still, in the middle of reading: as mdg_replica_end, and the view goes
 * on. */
MDG_API int mdg_replica_check(mdg_replica *replica, const struct mdg_view *view);
/* Copies `length` bytes at `offset`, all of one generation, whose number goes to *ret_generation
 * (may be NULL). Returns 0, -EINVAL: beyond the segment; or -EAGAIN: overtaken a thousand times. */
MDG_API int mdg_replica_read(mdg_replica *replica, uint64_t offset, void *data, size_t length,
                             uint64_t *ret_generation);
/* Waits for a generation above `generation`. Its number goes to *ret_generation, which may be
 * NULL. Returns 0, -ETIMEDOUT (deadline 0: -EAGAIN) or -EINTR. */
MDG_API int mdg_replica_wait(mdg_replica *replica, uint64_t generation, uint64_t deadline,
                             uint64_t *ret_generation);

/* ---- looking ---------------------------------------------------------------------- */

enum mdg_replica_role {
	MDG_REPLICA_ALONE = 0, /* no bridge has been here */
	MDG_REPLICA_WRITER,    /* this host has, or had, the lease */
	MDG_REPLICA_READER,    /* another host writes */
	MDG_REPLICA_DEPOSED    /* this host wrote until another one took the lease */
};

struct mdg_replica_info {
	uint32_t size; /* sizeof(struct mdg_replica_info), set by the caller */
	uint32_t role; /* enum mdg_replica_role */
	mdg_id id;     /* of the segment NAME.replica */
	uint32_t reserved;
	uint64_t bytes;      /* of the segment */
	uint64_t generation; /* that is shown here */
	uint64_t time;       /* when it was committed, by the writer's clock */
	uint64_t fence;      /* of the lease under which it was committed */
	uint64_t cursor;     /* what the bridge has noted with it */
	uint64_t far; /* writer: the last generation that the server has; reader: the last one that
	                     is known to exist */
	uint64_t lag; /* generations between the two */
	uint64_t lag_ns; /* for how long there has been a lag, by this host's clock; 0: none */
	uint64_t heard;  /* nanoseconds since the bridge last heard from the server; 0: never */
	char name[MDG_NAME_MAX + 1]; /* of the segment */
};

MDG_API int mdg_replica_look(mdg_replica *replica, struct mdg_replica_info *ret_info);
/* Walks over the replicas of a namespace that the caller may read. As mdg_segment_next: *cursor is
 * 0 at first; 1, 0 at the end, or a negative code. */
MDG_API int mdg_replica_next(mdg_namespace *ns, uint32_t *cursor,
                             struct mdg_replica_info *ret_info);

/* ---- for bridges -------------------------------------------------------------------- */

#define MDG_REPLICA_BLOCK 512u

/* What changed after the generation `since`, as blocks: fills up to `room` ranges, in order, and
 * returns how many; 0 at the end. *cursor is 0 at first. With `since` 0 it is all that is not
 * zeros for sure. It may name more than has changed. It is right if mdg_replica_end says so. */
MDG_API int mdg_replica_changes(mdg_replica *replica, const struct mdg_view *view, uint64_t since,
                                uint64_t *cursor, struct mdg_range *ret_ranges, unsigned room);

/* Holds commits up, for a bridge that was overtaken again and again: between the two, views stay
 * whole. For as short as can be. (APPLY.) As mdg_mutex_lock_until. mdg_replica_unlock: 0 or
 * -EPERM. */
MDG_API int mdg_replica_lock(mdg_replica *replica, uint64_t deadline);
MDG_API int mdg_replica_unlock(mdg_replica *replica);

struct mdg_part {
	uint64_t offset, length; /* multiples of MDG_REPLICA_BLOCK, but for the segment's end */
	const void *data;
};

/* A generation from elsewhere. */
struct mdg_generation {
	uint32_t size;  /* sizeof(struct mdg_generation) */
	uint32_t whole; /* 1: a snapshot: what is in no part is zeros */
	uint64_t base;  /* otherwise: the parts hold all that changed after this one */
	uint64_t generation, time, fence, cursor;
};

/* Puts it in, in one step. The parts are in order. Sets the role to MDG_REPLICA_READER. Returns 0,
 * or
 *   -EALREADY  the replica has this generation, or a later one
 *   -ESTALE    it has not even `base`: a snapshot is needed
 *   -EPERM     `fence` is below the one that the replica has: of a deposed writer
 *   -EINVAL    parts that cannot be
 *   or, of its lock, as mdg_segment_commit */
MDG_API int mdg_replica_apply(mdg_replica *replica, const struct mdg_generation *generation,
                              const struct mdg_part *parts, unsigned count, uint64_t deadline);

/* Sets the role and the number of the lease. If the last generation here is below `least`, what
 * is here becomes generation least + 1. (APPLY.) As mdg_segment_commit. */
MDG_API int mdg_replica_set_role(mdg_replica *replica, unsigned role, uint64_t fence,
                                 uint64_t least, uint64_t deadline);
/* Says which generation is known at the other end: see mdg_replica_info.far. 0 as `far`: only that
 * the server was heard. (APPLY.) */
MDG_API int mdg_replica_set_far(mdg_replica *replica, uint64_t far);

#ifdef __cplusplus
}
#endif

#endif
