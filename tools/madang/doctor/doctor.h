/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - what doctor.c finds out and doctor_print.c prints, as text or JSON.
 */
#ifndef MADANG_TOOL_DOCTOR_H
#define MADANG_TOOL_DOCTOR_H

#include "base/tool.h"

struct diagnosis {
	char path[NAMESPACE_PATH_ROOM];
	const char *dir; /* as the command line names it, or NULL */
	bool repair, verbose, as_json;
	bool exists;     /* the directory is there */
	uint32_t owner;  /* of the directory, when it exists; */
	unsigned mode;   /* ... its permission bits */
	int open_code;   /* what opening the namespace returned */
	int place_error; /* an errno: it is not there, and this is why it cannot be made */
	bool has_info;   /* the namespace could be opened and read: */
	struct mdg_namespace_info info;
	bool has_memory;                    /* the file system behind it could be asked: */
	const char *kind;                   /* "tmpfs", "ramfs", "overlay", "disk", "unknown" */
	bool no_execution;                  /* it is mounted noexec */
	uint64_t memory_total, memory_free; /* bytes */
	uint64_t files_free;
	uint64_t page_size;
	bool has_proc;
	bool has_preload;
	char preload[4096];
	int check_code; /* what mdg_namespace_check returned */
	struct mdg_finding *findings;
	size_t finding_count;
	size_t findings_lost; /* no memory to keep them */
	bool has_remains;     /* of a namespace that was deleted here */
	struct remains remains;
	unsigned strays; /* directories that killed runs with --private left (private.h) */
	unsigned orphans;
	unsigned sets, queues; /* semaphore sets and message queues: */
	uint64_t semaphores, messages, message_bytes;
	unsigned wrong; /* things that remain wrong */
};

/* Whether a finding counts against the namespace's health. A writer at work does not. What a
 * killed process left does not either, if the next call that meets it clears it away: its record,
 * its lock, and a segment that it had half made or half removed. Everything else does, unless it
 * has been mended. */
bool doctor_is_wrong(const struct mdg_finding *finding);
/* Whether a new segment could not get a single page or file. */
bool doctor_is_full(const struct diagnosis *diagnosis);

void doctor_print_text(const struct diagnosis *diagnosis);
void doctor_print_json(const struct diagnosis *diagnosis);

#endif
