/* SPDX-License-Identifier: MIT */
/*
 * world.h - one run of a program: what its processes share, and the log.
 *
 * The tester makes a file, writes the program into it, and starts the conductor
 * (run.c) twice: on the kernel and on Madang. Every actor maps the file. Exactly
 * one process acts at any time. The others wait, each on its own semaphore. A
 * process that has taken a step wakes the process that takes the next step. So the
 * ordering of the semaphores is all the protection that the file needs.
 *
 * The comparison reads the LOG. Its form allows to compare two runs word by word:
 * a process is written as the number of its birth, a time as the phase (between
 * two naps) in which it lies, and an address relative to the area. Only ids are
 * written as they are. The comparison knows where the ids of each side begin.
 *
 * The layout of the file may change at any time: the file is not kept, and both
 * sides come from one build.
 */
#ifndef MADANG_TESTS_DIFFERENTIAL_WORLD_H
#define MADANG_TESTS_DIFFERENTIAL_WORLD_H

#include "differential/program.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/types.h>

enum { BIRTHS_MAX = STEPS_MAX + 8, PHASES_MAX = 64, NOBODY = -1 };

/* ---- the log --------------------------------------------------------------- */

enum record_type {
	REC_RESULT,  /* of a step: first record of each */
	REC_STRUCT,  /* the shmid_ds that the step filled */
	REC_SEGMENT, /* a shmid_ds that was looked at after the step */
	REC_LIMITS,  /* struct shminfo */
	REC_TOTALS,  /* struct shm_info */
	REC_ROW,     /* of /proc/sysvipc/shm */
	REC_AREA,    /* which pages of the area are mapped, and what is in them */
	REC_PLACE,   /* what is in a place */
	REC_TYPES
};

struct record {
	uint16_t type, count;
	uint32_t step;
	int64_t value[];
};

enum outcome { DONE, ABSENT, REFUSED };

enum result_field { RESULT_OUTCOME, RESULT_VALUE, RESULT_ERROR, RESULT_FIELDS };

/* Of REC_STRUCT, REC_SEGMENT and REC_ROW. SEGMENT_SLOT and SEGMENT_ERROR are 0 where they do
 * not apply; after an error nothing else is filled in. */
enum segment_field {
	SEGMENT_SLOT,
	SEGMENT_ERROR,
	SEGMENT_ID,
	SEGMENT_KEY,
	SEGMENT_UID,
	SEGMENT_GID,
	SEGMENT_CUID,
	SEGMENT_CGID,
	SEGMENT_MODE,
	SEGMENT_SEQ,
	SEGMENT_SIZE,
	SEGMENT_ATIME,
	SEGMENT_DTIME,
	SEGMENT_CTIME,
	SEGMENT_CPID,
	SEGMENT_LPID,
	SEGMENT_NATTCH,
	SEGMENT_FIELDS
};

enum { LIMITS_MAX, LIMITS_MIN, LIMITS_MNI, LIMITS_SEG, LIMITS_ALL, LIMITS_FIELDS };
enum { TOTALS_USED, TOTALS_PAGES, TOTALS_FIELDS };
enum { AREA_MAPPED, AREA_FIELDS }; /* then a word for each mapped page */
enum { PLACE_NUMBER, PLACE_PAGES, PLACE_FIRST, PLACE_LAST, PLACE_FIELDS };

/* A time: 0 never, 1 + phase, or one of these. */
enum { TIME_TOO_EARLY = -1, TIME_IN_FUTURE = -2 };
/* A process: its birth, 0 for none, or -1: not one of ours. */
/* An address: bytes from the area's start, or one of these. */
#define ADDRESS_FREE   INT64_C(0x100000000) /* chosen by the system, page-aligned */
#define ADDRESS_OTHER  INT64_C(0x200000000)
#define ADDRESS_FAILED INT64_C(-1)

/* ---- what is shared ---------------------------------------------------------- */

struct actor {
	sem_t go;    /* it may act */
	sem_t there; /* it has come to wait for its first turn */
	pid_t pid;
	int parent; /* an actor or the conductor */
	int user;   /* index of `users` */
	bool alive;
};

struct world {
	bool users, no_exec, alone;
	enum watch watch;
	int key_base;
	int used_at_most; /* segments there are, with those that only the dead hold */
	int made;         /* segments altogether */
	size_t size;      /* of the file */
	uint32_t op_count;
	uint32_t step;
	int dying;        /* actor whose death the parent has to wait for, or NOBODY */
	bool zombie;      /* and leave it a zombie */
	int crash_signal; /* an actor got this signal where none was expected */
	uint32_t crash_step;
	bool finished, log_full, no_area;
	uint32_t births, phases;
	size_t log_used;
	int64_t phase_start[PHASES_MAX];
	pid_t pid_of_birth[BIRTHS_MAX];
	int id[SLOTS];
	struct actor actor[ACTORS + 1];
	struct op op[STEPS_MAX];
	_Alignas(16) unsigned char log[];
};

struct user {
	uid_t uid;
	gid_t gid, supplementary; /* 0: none */
};

extern const struct user users[USERS];

/* ---- the process that acts ----------------------------------------------------- */

struct place {
	char *address; /* NULL: nothing was attached here yet */
	int64_t pages;
	bool intact;   /* all of it is attached: may be looked at */
	uint64_t gone; /* pages, a bit each, that were given back: anybody's by now */
};

/* Of this process; a forked child has a copy, an exec'd one starts anew. */
extern struct world *world;
extern int me;
extern size_t page;
extern char *area;
extern struct place places[PLACES];
extern uint64_t mapped; /* pages of the area, as last seen */

/* run.c */
int conduct(const char *path);
int act(const char *path, int actor, bool resume);
struct world *world_map(const char *path);

/* actor.c: births, deaths and users. */
enum step_fate {
	STEP_NOT_OF_LIFE, /* not one of those */
	STEP_MINE,        /* done: to be looked at and ended by this process */
	STEP_OVER,        /* ended */
	STEP_ELSEWHERE    /* somebody else ends it: wait for the next turn */
};
extern const char *world_path;
enum step_fate op_of_life(const struct op *op);
void death_finish(void);
void become(int user);
void step_end(void);
void exec_finish(void);
pid_t wait_child(pid_t pid);
void wait_for(sem_t *semaphore);

/* act.c: all other steps. */
void op_act(const struct op *op);

/* observe.c */
void log_record(enum record_type type, const int64_t *values, int count);
void log_result(int64_t value, int error);
void log_outcome(enum outcome outcome);
struct shmid_ds;
void log_segment(enum record_type type, int slot, int64_t id, const struct shmid_ds *stat);
bool sees_all(void);
void log_totals_and_all(void);
void log_table(void);
int64_t address_name(const void *address);
int64_t birth_of(pid_t pid);
int64_t key_name(int key);
int key_of(int64_t name);
void phase_begin(void);
void area_probe(void);
void faults_catch(void);
/* 0, or the signal that the access got. */
int word_write(volatile uint64_t *word, uint64_t value);
int word_read(volatile uint64_t *word, uint64_t *value);
size_t cell_offset(int64_t cell);
void observe(int slot, bool all);

#endif
