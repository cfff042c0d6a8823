/* SPDX-License-Identifier: MIT */
/*
 * memory.h - what the files of `madang-bench --memory` share: how much memory a process needs more
 * once it uses an object, and how large the files of it are.
 *
 * A SUBJECT is an object of Madang's or what the kernel or the C library has in its place. A DRIVER
 * is a new process that looks at its own memory, makes an object and uses it, looks again, makes
 * another one, and looks once more. What the first one needs beyond another is paid once.
 */
#ifndef MADANG_BENCH_MEMORY_H
#define MADANG_BENCH_MEMORY_H

#include "bench/common/bench.h"
#include "bench/common/json.h"

/* ---- subjects (subjects.c) ----------------------------------------------------------- */

struct memory_subject {
	const char *name, *what;
	const char *other;             /* whose it is; NULL: Madang's */
	void (*prepare)(void);         /* before the first look; NULL: nothing */
	bool (*make)(unsigned number); /* 0, then 1 */
	void (*remove)(void);          /* what would outlive the process; NULL: nothing */
};

extern const struct memory_subject memory_subjects[];
extern const unsigned memory_subject_count;

/* ---- looks (look.c) ------------------------------------------------------------------ */

enum memory_number {
	MEMORY_RESIDENT, /* bytes */
	MEMORY_SHARE,    /* bytes; of a page that n processes use, the nth part */
	MEMORY_PRIVATE,  /* bytes that this process alone uses and has written */
	MEMORY_MAPPINGS,
	MEMORY_DESCRIPTORS,
	MEMORY_NUMBERS
};

struct memory_look {
	double number[MEMORY_NUMBERS];
};

/* At this process; with a text, only at the mappings of files with that in their name. It needs no
 * new memory, except for its first call. */
bool memory_look(const char *file, struct memory_look *ret_look);

/* ---- results (drivers.c) ------------------------------------------------------------- */

enum { MEMORY_FILES_MAX = 8, MEMORY_SUBJECTS_MAX = 16, MEMORY_ADDED = 2 };

struct memory_file {
	char name[40];
	double bytes, allocated;
};

/* What a driver tells. */
struct memory_answer {
	bool done;
	struct memory_look libraries;              /* Madang's, before anything is used */
	struct memory_look added[MEMORY_ADDED];    /* by the first object, and by another */
	struct memory_file file[MEMORY_FILES_MAX]; /* with two objects, Madang's */
	unsigned files;
};

struct memory_result {
	struct spread libraries[MEMORY_NUMBERS];
	struct spread added[MEMORY_SUBJECTS_MAX][MEMORY_ADDED][MEMORY_NUMBERS];
	struct memory_file file[MEMORY_SUBJECTS_MAX][MEMORY_FILES_MAX];
	unsigned files[MEMORY_SUBJECTS_MAX];
};

void memory_measure(const struct settings *settings, const char *namespace_dir,
                    struct memory_result *ret_result);
/* What a driver runs instead of main's work. */
int memory_driver(const char *subject);

const char *memory_number_name(enum memory_number number);
void memory_report(const struct memory_result *result, FILE *out);
void memory_json(struct json *json, const struct memory_result *result);

#endif
