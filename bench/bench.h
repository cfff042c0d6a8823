/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the files of madang-bench share.
 *
 * A SIDE is one implementation of the four System V calls: Madang's, or the
 * kernel's. A CASE does one thing through whichever side it is given. It is
 * measured in BLOCKS of about a millisecond, the sides taking turns (A B A B),
 * and each two neighbouring blocks give one ratio, so that whatever the
 * machine does to one side in the long run it does to the other as well.
 *
 * Nothing here is a test: no result fails the program.
 */
#ifndef MADANG_BENCH_H
#define MADANG_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/types.h>

/* Linux's, which some C libraries' headers leave out. */
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif

/* ---- settings (options.c) ---------------------------------------------- */

#define OTHERS_USUAL 4000 /* of the kernel's 4,096: some room is left to the rest of the system */

struct settings {
	bool quick;
	bool parts;       /* only what the parts of the calls cost */
	bool scale;       /* only how the calls scale */
	bool sync;        /* only synchronisation, see sync.h */
	bool channel;     /* only channels, see channel.h */
	bool control;     /* the kernel on both sides: what this machine's noise looks like */
	const char *only; /* one case, or NULL */
	int others;       /* other segments of the second pass; 0: no second pass */
	const char *json; /* file to write, or NULL */
	double seconds;   /* time for one case with one number of other segments */
	double block;     /* seconds that one block should last */
	unsigned rounds;  /* times a case goes back and forth between 0 and `others` */
};

/* Fills `settings`; prints the help or what is wrong and ends the program. */
void options_read(struct settings *settings, int argc, char **argv);

/* Something to look at while it runs, on terminals only (main.c). */
void say(const char *what);

/* ---- time and spread (measure.c) --------------------------------------- */

struct samples {
	double *value;
	unsigned count, room;
};

/* 10th percentile, median and 90th percentile of `count` samples. */
struct spread {
	double low, median, high;
	unsigned count;
};

uint64_t now_ns(void);
void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);
struct spread samples_spread(const struct samples *samples);

/* One block: does its thing `n` times and returns the nanoseconds that count,
 * or 0 when it could not be done. */
typedef uint64_t block_run(void *context, unsigned n);

/* How many times fit into one block of `seconds`; 0 when it cannot be done. */
unsigned block_size(block_run *run, void *context, double seconds);

/* True once the program was asked to end (SIGINT, SIGTERM, SIGHUP). Blocks
 * are short, so whoever loops over blocks asks and then cleans up in peace. */
bool stop_asked(void);
void stop_on_signals(void);

/* Allocates or ends the program: nothing useful can be reported without. */
void *bench_alloc(size_t size);

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

#define SCALE_CALLS 4
#define SCALE_STEPS 4

struct scale_result {
	const char *call[SCALE_CALLS];
	unsigned processes[SCALE_STEPS];
	double per_second[SCALE_CALLS][SCALE_STEPS][SIDES];
};

struct part_result {
	const char *name, *what;
	struct spread ns; /* count 0: could not be done here */
};

#define PARTS_MAX 32

void case_measure(const struct settings *settings, const struct bench_case *what,
                  struct case_result *ret_result);
void scale_measure(const struct settings *settings, struct scale_result *ret_result);
unsigned parts_measure(const struct settings *settings, const char *dir,
                       struct part_result ret_results[PARTS_MAX]);

/* ---- machine (machine.c) ----------------------------------------------- */

struct machine {
	char cpu[128], system[256], date[32], huge_pages[80], namespace_dir[128];
	long cpus, page_size, euid;
	double load; /* of the last minute, when the run began; -1: unknown */
	unsigned pointer_bits;
	bool kernel_ipc, own_ipc_namespace;
};

/* Makes a namespace directory of our own and names it in MADANG_NAMESPACE. */
void machine_namespace_make(struct machine *machine);
void machine_namespace_remove(struct machine *machine);
void machine_describe(struct machine *machine);

/* ---- what is shown (report.c, json.c) ---------------------------------- */

/* Everything one run found; parts that were not asked for are NULL or 0. */
struct report {
	const struct settings *settings;
	const struct machine *machine;
	const struct case_result *cases;
	unsigned case_count;
	const struct scale_result *scale;
	const struct part_result *parts;
	unsigned part_count;
	const struct sync_result *sync;
	const struct channel_result *channel;
};

#define GROWTH_BAR 1.10

/* "pass", "miss", or "" where there is no bar or nothing was measured. */
const char *verdict(const struct spread *ratio, double bar_low, double bar);

void report_text(const struct report *report, FILE *out);
/* Returns 0, or -1 with errno. */
int report_json(const struct report *report, const char *path);

#endif
