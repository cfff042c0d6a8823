/* SPDX-License-Identifier: MIT */
/*
 * seen.h - one look at all of a namespace: what there is, who shares it, and who waits for whom.
 *
 *     struct seen seen, later;
 *     int rc = seen_take(&seen, ns, SEEN_ALL, NULL);      // what could be read is there anyway
 *     ... a second later ...
 *     rc = seen_take(&later, ns, SEEN_ALL, &seen);        // now channels have rates
 *     seen_free(&seen);
 *
 * It is made of what `madang ls`, `madang locks` and `madang channels` read, and joins it by
 * indices: a segment, a process, a thread and so on are places in the lists below. NOBODY (see
 * locks.h) is no place. Texts are raw bytes, chosen by others: escape them before they are printed.
 *
 * It is no snapshot. Each list is read in one walk that takes no lock, one after the other, while
 * programs go on. So what one list speaks of may be gone, or not be there yet, in another one.
 */
#ifndef MADANG_TOOL_SEEN_H
#define MADANG_TOOL_SEEN_H

#include "channel/channels.h"
#include "locks/locks.h"
#include "madang/msg.h"
#include "madang/sem.h"

/* What is to be read. Segments always are. */
enum seen_what {
	SEEN_RESIDENT = 1,  /* how much memory each segment has: a system call for each */
	SEEN_PROCESSES = 2, /* attachments, and the processes that have them */
	SEEN_LOCKS = 4,     /* named objects, who waits, circles: a few system calls a segment */
	SEEN_CHANNELS = 8,
	SEEN_PEERS = 16, /* the talkers and listeners of channels */
	SEEN_SETS = 32,  /* semaphore sets; with SEEN_LOCKS also who waits in them */
	SEEN_QUEUES = 64,
	SEEN_ALL = 127
};

struct seen_process {
	int32_t pid;  /* in the process's own pid namespace */
	bool is_here; /* that is also ours. Else two rows may be one process, or one row two */
	uint32_t uid;
	char command[SHOW_ROOM]; /* "?": not known */
	uint32_t segments;       /* that it has attached */
	uint32_t attachments;    /* of these, in all */
	uint64_t bytes;          /* of these segments, each once */
};

/* That a process has a segment attached. */
struct seen_attachment {
	size_t segment, process;
	uint32_t count; /* how often */
};

struct seen_segment {
	const struct mdg_segment_info *info;
	bool is_orphan;
	int refused;         /* why its named objects could not be read; 0 */
	size_t first, users; /* attachments[first] and the next ones, so many */
	size_t channel;      /* the channel in it, or NOBODY */
};

struct seen_set {
	struct mdg_semset_info info;
	bool has_waiting; /* else it may not be seen */
	unsigned waiting; /* threads that sleep in it */
};

struct seen_queue {
	struct mdg_msgqueue_info info;
	bool has_waiting;
	unsigned receivers, senders; /* threads that sleep in it */
	size_t sent_by, received_by; /* the last processes, if they live here; or NOBODY */
};

/* A thread that sleeps in a queue. */
struct seen_sleeper {
	size_t queue, process;
	bool sends;
};

struct seen {
	uint64_t moment; /* nanoseconds, as mdg_deadline counts them */
	int64_t time;    /* seconds since 1970 */
	struct mdg_namespace_info namespace;

	struct seen_segment *segments; /* in the order of their indices */
	size_t segment_count;
	struct seen_process *processes; /* sorted by pid */
	size_t process_count;
	struct seen_attachment *attachments; /* in the order of the segments */
	size_t attachment_count;

	/* Threads; named objects with owner and waiters; waits and holders in sets; edges: who
	 * cannot go on because of whom; circles of edges. Its segments are those of `segments`. */
	struct survey locks;
	/* With rates, where there was a look before. */
	struct channels_view channels;

	struct seen_set *sets;
	size_t set_count;
	struct seen_queue *queues;
	size_t queue_count;
	struct seen_sleeper *sleepers;
	size_t sleeper_count;

	uint64_t bytes, resident; /* of all segments */
	uint64_t attached;        /* attachments, as the segments count them */
	size_t orphans;
	uint64_t orphan_bytes;
	size_t unreadable; /* segments whose named objects could not be read */
};

/* Takes a look. `what` is a combination of enum seen_what. `before` is an earlier look at the same
 * namespace, or NULL. Returns 0, or why not all could be read: MDG_NS_GONE, MDG_DAMAGED, -ENOMEM;
 * what could be read is there. If there is a circle of waits, it takes a twentieth of a second
 * longer, for a second look at it. Afterwards, in any case, seen_free. */
int seen_take(struct seen *ret_seen, mdg_namespace *ns, unsigned what, const struct seen *before);
void seen_free(struct seen *seen);

/* Each finds a place, or NOBODY. The first one is of a segment, by its id. */
size_t seen_find_segment(const struct seen *seen, mdg_id id);
size_t seen_find_process(const struct seen *seen, int32_t pid, bool is_here);
/* The process of a thread of `locks`. */
size_t seen_process_of(const struct seen *seen, size_t thread);
/* Whether the edge of `locks` is one of a circle: 0 no, 1 yes, 2 but a deadline ends it. */
int seen_in_circle(const struct seen *seen, size_t edge);

/* ---- seen_objects.c, for seen.c ------------------------------------------ */

/* Each fills one part; 0 or a negative code. */
int seen_read_sets(struct seen *seen, mdg_namespace *ns);
int seen_read_queues(struct seen *seen, mdg_namespace *ns);
/* The place of a process, added when it is new, with its user and command; NOBODY: no memory. They
 * are sorted only at the end, which moves them: see seen.c. */
size_t seen_process(struct seen *seen, int32_t pid, bool is_here, uint32_t uid);
/* The same of one of our pid namespace of which only the pid is known. */
size_t seen_local_process(struct seen *seen, int32_t pid);

#endif
