/* SPDX-License-Identifier: MIT */
/*
 * heap.h - what the files of `madang-bench --heap` share: allocators in shared memory and private
 * ones.
 *
 * A SIDE is one allocator. Madang's heap, Boost.Interprocess, APR's rmm and OSSP mm are shared:
 * several processes use one heap. mimalloc, glibc's malloc and jemalloc are private. Where a case
 * needs two users of one heap, a private side has two threads instead of two processes. The two
 * sides of a table of keys are Madang's map, and GLib's GHashTable with a mutex.
 *
 * A CASE does one thing on whichever side it is given. A GAME is one case on one side while it is
 * measured. Its MEMBERS are processes or threads that sleep between blocks. No allocator is used in
 * the driver's process, so none meets what another has left there.
 *
 * Also read as C++.
 */
#ifndef MADANG_BENCH_HEAP_H
#define MADANG_BENCH_HEAP_H

#include "bench/common/bench.h"
#include "bench/common/json.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- cases (table.c) ----------------------------------------------------------------- */

enum heap_kind {
	HEAP_PAIR,       /* frees one of the live blocks, allocates another */
	HEAP_HOLD,       /* the same by hold and publish; other sides do HEAP_PAIR */
	HEAP_HAND,       /* member 0 allocates, member 1 frees, at the same time */
	HEAP_HAND_TURNS, /* the same, and each sleeps while the other works */
	HEAP_GROW,       /* allocates until `live` blocks are there */
	HEAP_CHURN,      /* what part of the heap's memory is in blocks that live */
	HEAP_SWEEP,      /* gives back what a killed process had */
	HEAP_MAP_GET,    /* copies the value of a key out of a table */
	HEAP_MAP_PUT,    /* replaces the value of a key */
	HEAP_MAP_INTERN, /* finds the one copy of a text */
	HEAP_KINDS
};

struct heap_case {
	const char *name, *what;
	double bar, moonshot; /* of the reference's time; of HEAP_CHURN the part, at least; of
	                         HEAP_SWEEP milliseconds */
	enum heap_kind kind;
	uint32_t least, most; /* bytes of a block, or of a key */
	uint32_t live;        /* blocks, or keys, of each member */
	unsigned members;
	bool labels;     /* Madang's heap has labels */
	bool fast_only;  /* by Madang and mimalloc alone */
	unsigned weight; /* blocks so many times as long as usual */
};

enum { HEAP_CASES_MAX = 20 };
extern const struct heap_case heap_cases[];
extern const unsigned heap_case_count;

/* ---- games (play.c) ------------------------------------------------------------------ */

enum { HEAP_MEMBERS_MAX = 64, HEAP_RING = 2048, HEAP_SIZES = 256 };

struct heap_report {
	uint64_t ns;        /* member: of the block; of the processor, or of the clock for HAND */
	uint32_t preempted; /* member: times that another took its processor in that block */
	uint32_t bad;       /* member: 1: a call failed */
	char rest[48];
};

/* In memory that driver and members share. */
struct heap_control {
	uint32_t turn;  /* driver: one more for each block; members sleep on it */
	uint32_t count; /* driver: operations of the block */
	char rest[56];
	struct heap_report of[HEAP_MEMBERS_MAX];
	double value;   /* member 0: what HEAP_CHURN and HEAP_SWEEP found */
	double line_ns; /* member 1: of a cache line there and back; 0: there is one processor */
	char rest2[48];
	uint32_t made; /* member 0: blocks that it has put into the ring */
	char rest3[60];
	uint32_t gone; /* member 1: blocks that it has taken out of it */
	char rest4[60];
	uint32_t full;  /* member 0: one more for each ring that is filled; member 1 sleeps on it */
	uint32_t empty; /* member 1: one more for each that is emptied; member 0 sleeps on it */
	char rest5[56];
	uint32_t line; /* HEAP_HAND: goes from one member to the other and back */
	char rest6[60];
	void *ring[HEAP_RING];
};

struct heap_side;

struct heap_game {
	const struct heap_side *side;
	const struct heap_case *what;
	void *heap; /* the side's: what `make` has made before the members begin */
	struct heap_control *control;
	int reports[2]; /* a pipe: a byte for each member that is done with a block */
	pid_t pid[HEAP_MEMBERS_MAX];
	uint32_t preempted; /* in the last block, of all members */
};

/* A member's view. */
struct heap_end {
	struct heap_game *game;
	unsigned number;
	void *own; /* the side's */
	void **live;
	uint32_t live_count;
	uint64_t random;
	uint32_t sizes[HEAP_SIZES]; /* drawn from at random */
	void *places;               /* HEAP_HOLD: in the heap */
	uint64_t ns;                /* HEAP_HAND_TURNS: of the block so far */
	uint32_t turns_seen;        /* HEAP_HAND_TURNS */
};

/* What a member does `n` times. False: a call failed. */
typedef bool heap_play(struct heap_end *end, unsigned n);

struct heap_side {
	const char *name;
	bool shared; /* processes use one heap */
	bool slow;   /* every call takes long: not asked for a million */
	/* Of the driver; may be NULL. */
	bool (*make)(struct heap_game *game);
	void (*remove)(struct heap_game *game);
	/* Of each member; may be NULL. */
	bool (*begin)(struct heap_end *end);
	/* Bytes of memory that the heap takes from the system. NULL: what the process has more. */
	uint64_t (*bytes)(struct heap_end *end);
	heap_play *fill; /* allocates n live blocks */
	heap_play *play[HEAP_KINDS];
};

/* Starts the members. False with errno; then there is nothing left to end. */
bool heap_game_begin(struct heap_game *game, const struct heap_side *side,
                     const struct heap_case *what);
void heap_game_end(struct heap_game *game);
/* One block of `n` operations of each member: nanoseconds, or 0. `context` is a game. */
uint64_t heap_game_block(void *context, unsigned n);
/* Runs a case that begins with an empty heap each time, in a process of its own: nanoseconds of
 * one operation, the part, or milliseconds; 0: it could not be done. */
double heap_game_once(const struct heap_side *side, const struct heap_case *what);
/* Nanoseconds that this thread has had a processor. */
uint64_t heap_cpu_ns(void);
/* Another member is waited for. `looks`: how often it was. */
void heap_moment(unsigned looks);
/* Bytes that this process has in memory. */
uint64_t heap_resident(void);

static inline uint32_t heap_random(struct heap_end *end)
{
	end->random = end->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(end->random >> 32);
}

/* ---- sides ---------------------------------------------------------------------------- */

enum {
	HEAP_MADANG,
	HEAP_MIMALLOC, /* what the others are compared with */
	HEAP_GLIBC,
	HEAP_JEMALLOC,
	HEAP_BOOST,
	HEAP_RMM,
	HEAP_MM,
	HEAP_GLIB, /* what the map is compared with */
	HEAP_SIDES
};

/* Each in a file of its own. NULL: it cannot be used here. */
const struct heap_side *heap_side_madang(void);
const struct heap_side *heap_side_mimalloc(void);
const struct heap_side *heap_side_glibc(void);
const struct heap_side *heap_side_jemalloc(void);
const struct heap_side *heap_side_boost(void);
const struct heap_side *heap_side_rmm(void);
const struct heap_side *heap_side_mm(void);
const struct heap_side *heap_side_glib(void);

/* The side, or NULL (sides.c). */
const struct heap_side *heap_side(int number);
const char *heap_side_name(int number);
/* jemalloc wants more memory of threads than glibc leaves to libraries that are opened late. So the
 * program begins again, with the variable set that says so. Before anything else is done. */
void heap_sides_room(char **argv);
void heap_sides_open(bool control);
/* Madang's heap needs a namespace (madang.c). */
bool heap_madang_open(const char *namespace_dir);
void heap_madang_close(void);

/* ---- results --------------------------------------------------------------------------- */

struct heap_case_result {
	const struct heap_case *what;
	int error[HEAP_SIDES];           /* errno of a side that could not do it */
	struct spread value[HEAP_SIDES]; /* nanoseconds; of HEAP_CHURN the part; milliseconds */
	struct spread ratio[HEAP_SIDES]; /* this side / reference, turn by turn */
	struct spread line;              /* HEAP_HAND: nanoseconds of a cache line there and back */
	unsigned turns, disturbed, rough; /* all, those left out, cases without any other */
};

enum { HEAP_SCALES_MAX = 9 };

/* One row of the table of growth. */
struct heap_scale {
	unsigned members;
	uint32_t live;
	struct spread ns[2], ratio; /* of Madang and mimalloc; Madang / mimalloc */
	double growth[2];           /* ns by those of the first row of its kind */
};

struct heap_result {
	struct heap_case_result cases[HEAP_CASES_MAX];
	unsigned case_count;
	struct heap_scale scales[HEAP_SCALES_MAX];
	unsigned scale_count;
	unsigned first_of_live; /* the first row of the second table */
	bool have[HEAP_SIDES];
};

/* The side that others are compared with; -1: the value stands for itself. */
int heap_reference(const struct heap_case *what);
/* "pass" or "miss"; "" when nothing was measured, or every turn was disturbed. */
const char *heap_verdict(const struct heap_case_result *result, double bar);

void heap_case_measure(const struct settings *settings, const struct heap_case *what,
                       struct heap_case_result *ret_result);
void heap_scale_measure(const struct settings *settings, struct heap_result *result);
void heap_measure(const struct settings *settings, const char *namespace_dir,
                  struct heap_result *ret_result);
void heap_report(const struct heap_result *result, FILE *out);
void heap_json(struct json *json, const struct heap_result *result);

#define HEAP_GROWTH_BAR 1.20

#ifdef __cplusplus
}
#endif

#endif
