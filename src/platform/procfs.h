/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - what /proc says of another process.
 *
 * A process id may belong to another process by the time that it is asked about, and /proc may be
 * missing, or may hide other users' processes (hidepid). So an answer can also be "cannot tell".
 */
#ifndef MADANG_PLATFORM_PROCFS_H
#define MADANG_PLATFORM_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Asked about another process when its lock is found free: is there a process `pid` that was
 * started no later than `born_before` (nanoseconds since boot), and that maps the file of that
 * inode at `address`? A zombie maps nothing. After exec the old map is gone. */
enum mdg__answer { MDG__NO, MDG__YES, MDG__CANNOT_TELL };
enum mdg__answer mdg__process_maps(int32_t pid, uint64_t born_before, uint64_t address,
                                   ino_t inode);

/* Whether a thread of the process has every signal blocked, as a thread has while it holds a lock
 * of ours. `except`: a thread to leave out; 0: none. */
enum mdg__answer mdg__process_blocks_signals(int32_t pid, int32_t except);

/* Whether the thread sleeps and a signal could wake it: then it holds no lock of ours. */
enum mdg__answer mdg__thread_sleeps_lightly(int32_t tid);

/* A path through which a file that a process maps can be opened without any
 * descriptor of it: /proc/PID/map_files/... (which the kernel opens to root
 * alone). False when the process does not map it. */
bool mdg__mapped_path(int32_t pid, ino_t inode, char path[96]);

/* A mapping of the calling process. */
struct mdg__mapping {
	uint64_t first, end; /* addresses; `end` is the first one behind it */
	char name[256];      /* as /proc/PID/maps has it: a path, "[heap]", ...; "": it has none */
};

/* The first mapping of this process that has a byte between `first` and `end`. */
enum mdg__answer mdg__mapping_between(uint64_t first, uint64_t end, struct mdg__mapping *ret);

#endif
