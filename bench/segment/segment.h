/* SPDX-License-Identifier: MIT */
/*
 * segment.h - what the files of this directory share: Madang's System V shared
 * memory calls beside the kernel's.
 *
 * A SIDE is one implementation of the four calls: Madang's, or the kernel's. A
 * CASE does one thing through whichever side it is given.
 */
#ifndef MADANG_BENCH_SEGMENT_H
#define MADANG_BENCH_SEGMENT_H

#include "bench/common/bench.h"
#include "bench/common/scale.h"

#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/types.h>

/* Linux's, which some C libraries' headers leave out. */
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif

#define OTHERS_USUAL 4000 /* of the kernel's 4,096: some room is left to the rest of the system */

/* ---- the two sides (sides.c) ------------------------------------------- */

struct side {
	const char *name;
	int (*get)(key_t key, size_t size, int flags);
	void *(*at)(int id, const void *address, int flags);
	int (*dt)(const void *address);
	int (*ctl)(int id, int command, struct shmid_ds *data);
};

enum { MADANG, KERNEL, SIDES };

extern const struct side *const bench_sides[SIDES];

/* Both sides become the kernel's. */
void sides_control(void);
/* Gives the process System V IPC of its own where that is allowed: nothing of
 * the run is then seen or left over outside. */
bool side_kernel_isolate(void);
/* False where the kernel has no System V shared memory, or it is forbidden. */
bool side_kernel_works(void);
/* False when libc answers the plain calls instead of Madang. */
bool side_madang_answers(void);

/* ---- cases (cases.c, forks.c; measured by compare.c) ------------------- */

struct case_state {
	const struct side *side;
	int id;
	key_t key;
	char *memory;
	pid_t helper;           /* a process that keeps the segment attached, or drives the block */
	int pipe_to, pipe_from; /* to and from it; -1: not open */
	uint32_t position;      /* of the random walk, so that blocks differ */
};

struct bench_case {
	const char *name, *what;
	double bar_low, bar;  /* the ratio passes within them; bar 0: recorded only */
	bool memory_only;     /* does not depend on how many segments there are */
	unsigned renew_pairs; /* set up afresh after so many pairs; 0: never */
	unsigned weight;      /* times the usual time, for cases with long blocks; 0 means 1 */
	bool (*begin)(struct case_state *state); /* false with errno: cannot be done here */
	uint64_t (*run)(struct case_state *state, unsigned n);
	void (*end)(struct case_state *state);
};

extern const struct bench_case bench_cases[];
extern const unsigned bench_case_count;

/* forks.c: a process of its own for each side, which has nothing attached on
 * the other side. */
bool forks_begin(struct case_state *state);
uint64_t forks_run(struct case_state *state, unsigned n);
void forks_end(struct case_state *state);
/* What that process runs instead of main's work, when it was started as one. */
int forks_driver(const char *side_name, bool control);

/* ---- other segments (others.c) ----------------------------------------- */

/* Makes `count` keyed segments on a side; returns how many could be made. */
int others_make(const struct side *side, int count);
void others_remove(const struct side *side);
/* Removes the kernel's when the program crashes: they would outlive it. */
void others_remove_on_crash(void);

/* ---- tables ------------------------------------------------------------ */

#define OTHERS_STATES 2 /* without other segments, and with them */

struct case_result {
	const struct bench_case *what;
	bool measured[OTHERS_STATES];
	int error[OTHERS_STATES][SIDES];    /* errno of the side that could not do it */
	struct spread ratio[OTHERS_STATES]; /* Madang / kernel, pair by pair */
	struct spread ns[OTHERS_STATES][SIDES];
	struct spread growth[SIDES]; /* with others / without, round by round */
	int others_made[SIDES];
};

struct part_result {
	const char *name, *what;
	struct spread ns; /* count 0: could not be done here */
};

#define PARTS_MAX 32

void case_measure(const struct settings *settings, const struct bench_case *what,
                  struct case_result *ret_result);
void segment_scale_measure(const struct settings *settings, struct scale_result *ret_result);
unsigned parts_measure(const struct settings *settings, const char *dir,
                       struct part_result ret_results[PARTS_MAX]);

/* ---- what is shown (report.c) ------------------------------------------ */

/* Everything that one run found. What was not asked for is NULL or 0. */
struct segment_result {
	const struct case_result *cases;
	unsigned case_count;
	const struct part_result *parts;
	unsigned part_count;
};

#define GROWTH_BAR 1.10

void segment_report(const struct settings *settings, const struct segment_result *result,
                    FILE *out);

#endif
