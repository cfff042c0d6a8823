/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what all subjects of madang-bench use: settings, time and spread,
 * the terminal, and what the machine is.
 *
 * A CASE is measured in BLOCKS of about a millisecond. The sides take turns
 * (A B A B), and each two neighbouring blocks give one ratio. Whatever the
 * machine does to one side in the long run, it does to the other as well.
 *
 * Nothing here is a test: no result fails the program.
 */
#ifndef MADANG_BENCH_H
#define MADANG_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- settings (read by options.c) ---------------------------------------------- */

struct settings {
	bool quick;
	bool parts;       /* only what the parts of the calls cost */
	bool scale;       /* only how the calls scale */
	bool sync;        /* only synchronisation, see sync/sync.h */
	bool channel;     /* only channels, see channel/channel.h */
	bool ipc;         /* only semaphores and message queues, see ipc/ipc.h */
	bool heap;        /* only the shared heap, see heap/heap.h */
	bool start;       /* only the start of a program, see start/start.h */
	bool memory;      /* only how much of it objects need, see memory/memory.h */
	bool control;     /* the kernel on both sides: what this machine's noise looks like */
	const char *only; /* one case, or NULL */
	int others; /* other segments, or sets and queues, of the second pass; 0: no second pass */
	const char *json;     /* file to write, or NULL */
	const char *plot;     /* file to draw a picture into, or NULL */
	const char *old_file; /* file of an older run to compare with, or NULL */
	const char *
		new_file; /* file to compare with that one, or to draw, instead of a run; or NULL */
	double seconds;   /* time for one case with one number of other segments */
	double block;     /* seconds that one block should last */
	unsigned rounds;  /* times a case goes back and forth between 0 and `others` */
};

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

/* "pass", "miss", or "" where there is no bar or nothing was measured. */
const char *verdict(const struct spread *ratio, double bar_low, double bar);

/* Allocates or ends the program: nothing useful can be reported without. */
void *bench_alloc(size_t size);

/* ---- the terminal (terminal.c) ----------------------------------------- */

/* True once the program was asked to end (SIGINT, SIGTERM, SIGHUP). Blocks are
 * short: a loop over blocks asks before each, and cleans up when it ends. */
bool stop_asked(void);
void stop_on_signals(void);

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

#endif
