/* SPDX-License-Identifier: MIT */
/*
 * report.h - what the files of this directory share: the command line, and the
 * results of one run as they are shown.
 */
#ifndef MADANG_BENCH_REPORT_H
#define MADANG_BENCH_REPORT_H

#include "bench/channel/games.h"
#include "bench/heap/heap.h"
#include "bench/ipc/ipc.h"
#include "bench/memory/memory.h"
#include "bench/segment/segment.h"
#include "bench/start/start.h"
#include "bench/sync/games.h"

/* Fills `settings`; prints the help or what is wrong and ends the program (options.c). */
void options_read(struct settings *settings, int argc, char **argv);

/* Everything that one run found. What was not asked for is NULL or empty. */
struct report {
	const struct settings *settings;
	const struct machine *machine;
	struct segment_result segment;
	const struct sync_result *sync;
	const struct channel_result *channel;
	const struct ipc_result *ipc;
	const struct heap_result *heap;
	const struct memory_result *memory;
	const struct start_result *start;
	const struct scale_result *scale;
};

/* The tables that a person reads (report.c). */
void report_text(const struct report *report, FILE *out);
/* The same for programs (json.c). */
void report_json(const struct report *report, FILE *out);
/* Writes that into the file that was asked for, compares it, draws it (after.c). 0, or 1. */
int report_use(const struct report *report);
/* Before anything is measured: whether that can be done. 0, or 1 and it says why not. */
int report_use_check(const struct settings *settings);
/* Compares two files, draws the second; nothing is measured. 0, or 1. */
int files_use(const struct settings *settings);

#endif
