/* SPDX-License-Identifier: MIT */
/*
 * locks.h - what locks_read.c finds out about the named objects of a namespace, locks_sets.c about
 * semaphore sets, locks_threads.c about the threads that use them and who waits for whom,
 * locks_stuck.c about who cannot go on, and locks_print.c prints.
 */
#ifndef MADANG_TOOL_LOCKS_H
#define MADANG_TOOL_LOCKS_H

#include "base/tool.h"

#include "madang/names.h"
#include "madang/segment.h"
#include "madang/sync.h"

#define NOBODY ((size_t)-1)

/* A thread that an object names. Objects hold bare thread ids, which may be stale; a thread is
 * known when a process that has the segment attached has one of that id. */
struct thread {
	uint32_t id;
	int32_t pid;             /* 0: no process that has the segment attached has such a thread */
	bool foreign;            /* not known, but it may be one of another pid namespace */
	uint64_t age;            /* milliseconds since it began; UINT64_MAX: /proc does not tell */
	char command[SHOW_ROOM]; /* of its process */
};

struct waiter {
	size_t thread;
	uint32_t since;  /* as the object has it */
	uint64_t waited; /* milliseconds */
};

/* A named object. */
struct lock {
	size_t segment; /* its place in the list of segments */
	struct mdg_name_info entry;
	size_t owner; /* thread, or NOBODY */
	size_t reader[64];
	size_t reader_count;
	struct waiter waiter[MDG_WAITERS_SHOWN];
	size_t waiter_count;
};

/* A thread that sleeps in a semaphore set. */
struct set_wait {
	size_t thread;
	mdg_id set;
	uint32_t number; /* of the semaphore */
	int32_t change;  /* below 0; or 0: until it is zero */
	int32_t lacks;   /* by how much the value is too small; or, for zero, too large */
	uint32_t since;
	uint64_t waited;
	bool timed; /* until a deadline */
};

/* What a process has of a semaphore, with undo. */
struct set_hold {
	int32_t pid;
	mdg_id set;
	uint32_t number;
	int32_t sum; /* its end adds it */
};

/* The waiter needs what the holder has. */
struct edge {
	size_t waiter, holder; /* threads */
	size_t lock;           /* NOBODY: it is a semaphore, */
	size_t wait;           /* ... of this wait, */
	int32_t has;           /* ... and the holder's process has so much of it */
	uint32_t since;
	uint64_t waited;
};

/* Edges, each one's holder being the waiter of the next, the last one's that of the first. */
struct cycle {
	size_t *edge;
	size_t length;
	bool timed; /* one of the waits has a deadline, and so the circle ends by itself */
};

/* A list that grows: the items, and how many. */
struct survey {
	struct mdg_segment_info *segments;
	size_t segment_count;
	int *refused; /* for each segment: what reading its names returned, 0 or negative */
	struct thread *threads;
	size_t thread_count;
	struct lock *locks;
	size_t lock_count;
	struct set_wait *waits;
	size_t wait_count;
	struct set_hold *holds;
	size_t hold_count;
	struct edge *edges;
	size_t edge_count;
	struct cycle *cycles;
	size_t cycle_count;
	bool out_of_memory;
};

struct locks_request {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	bool all; /* else only the segment */
	mdg_id id;
};

/* ---- locks_read.c ------------------------------------------------------ */

/* Reads everything. `flags`: what mdg_segment_next is to fill in of the segments. 0, or the code
 * that kept from reading all; what could be read is there. Afterwards survey_free. If there is a
 * circle of waits, this takes a twentieth of a second. */
int survey_make(struct survey *survey, mdg_namespace *ns, unsigned flags);
void survey_free(struct survey *survey);
/* As list_grow, and that there is no memory is noted. */
void *locks_grow(struct survey *survey, void *list, size_t count, size_t size);

/* ---- locks_threads.c -------------------------------------------------- */

/* Processes of this pid namespace that have a segment attached. */
struct attached {
	int32_t *pids;
	size_t count;
	bool foreign; /* there are some in other pid namespaces too */
};
/* The thread of that id among these, added to the list when it is new. NOBODY: no memory. */
size_t locks_thread(struct survey *survey, uint32_t id, const struct attached *attached);
/* Milliseconds since the thread began; UINT64_MAX: it has ended, or /proc does not tell. */
uint64_t locks_thread_age(int32_t pid, uint32_t id);
/* Whether the thread can have left a note so many milliseconds ago. */
bool locks_can_wait(const struct thread *thread, uint64_t waited);
/* Fills edges from locks, and from semaphore sets; `before`, which may be NULL, has to have them
 * too. */
void locks_find_edges(struct survey *survey, const struct survey *before);
void locks_find_cycles(struct survey *survey);

/* ---- locks_sets.c ------------------------------------------------------ */

/* Who waits in the semaphore sets of the namespace, and who has what of them. */
void locks_read_sets(struct survey *survey, mdg_namespace *ns);
/* Whether the process has what the wait is for. */
bool locks_hold_is_for(const struct set_hold *hold, const struct set_wait *wait);

/* ---- locks_stuck.c ----------------------------------------------------- */

/* Takes away the edges between threads that may go on. */
void locks_drop_free_edges(struct survey *survey);

/* ---- locks_words.c ---------------------------------------------------- */

enum { LOCKS_SENTENCE = 4 * TABLE_CELL };
const char *locks_kind_name(uint32_t kind); /* "mutex" */
/* What an object is, without who: "held", "2 readers". */
const char *locks_state_name(char room[SHOW_ROOM], const struct lock *lock);
const char *locks_show_wait(char room[SHOW_ROOM], uint64_t milliseconds); /* "1.5s", "2h" */
/* "815 teller", "815/820 teller" for a thread that is not the first. Safe for a terminal. */
const char *locks_show_thread(char room[TABLE_CELL], const struct thread *thread);
/* A sentence without its full stop. Safe for a terminal. */
const char *locks_show_edge(char room[LOCKS_SENTENCE], const struct survey *survey,
                            const struct edge *edge);
/* The line above those of its edges: "deadlock: 2 threads wait for each other". */
const char *locks_show_cycle(char room[LOCKS_SENTENCE], const struct cycle *cycle);

/* ---- locks_print.c ---------------------------------------------------- */

/* Whether the request is about this segment, or this cycle. */
bool locks_is_asked(const struct locks_request *request, const struct survey *survey,
                    size_t segment);
bool locks_cycle_is_asked(const struct locks_request *request, const struct survey *survey,
                          const struct cycle *cycle);
void locks_print_text(const struct locks_request *request, const struct survey *survey);
void locks_print_json(const struct locks_request *request, const struct survey *survey);

#endif
