/* SPDX-License-Identifier: MIT */
/*
 * world.h - one run of a program: what its processes share, and the log.
 *
 * The tester makes a file, writes the program into it, and starts the conductor
 * (run.c) twice: on the kernel and on Madang. Every actor maps the file. Exactly
 * one process acts at any time. The others wait, each on its own semaphore, or
 * they sleep in a call. A process that has taken a step wakes the process that
 * takes the next step. So the ordering of the semaphores is all the protection
 * that the file needs. An actor whose call may sleep writes only to its own entry
 * until the call has returned (settle.c).
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
	REC_SET,     /* a semid_ds */
	REC_VALUES,  /* of the semaphores of a set */
	REC_QUEUE,   /* a msqid_ds */
	REC_MESSAGE, /* one that was received, or was looked at in its queue */
	REC_RETURN,  /* a call that slept has returned in this step */
	REC_INFO,    /* struct seminfo or struct msginfo */
	REC_TYPES
};

struct record {
	uint16_t type, count;
	uint32_t step;
	int64_t value[];
};

/* ASLEEP: the call has not returned in its step. BUSY: the actor sleeps; passed over. */
enum outcome { DONE, ABSENT, REFUSED, ASLEEP, BUSY };

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

/* Of REC_SET and REC_QUEUE: up to SEGMENT_SEQ as above, then these. Instead of a slot: -1, looked
 * for by its index; or one of enum looked. */
enum looked { LOOKED_STRUCT = -2, LOOKED_ROW = -3 };
enum { SET_NSEMS = SEGMENT_SEQ + 1, SET_OTIME, SET_CTIME, SET_FIELDS };
enum {
	QUEUE_QBYTES = SEGMENT_SEQ + 1,
	QUEUE_QNUM,
	QUEUE_CBYTES,
	QUEUE_STIME,
	QUEUE_RTIME,
	QUEUE_CTIME,
	QUEUE_LSPID,
	QUEUE_LRPID,
	QUEUE_FIELDS
};
enum { VALUES_SLOT, VALUES_ERROR, VALUES_SUM, VALUES_FIELDS }; /* then for each semaphore: */
enum { VALUE, VALUE_PID, VALUE_NCNT, VALUE_ZCNT, VALUE_FIELDS };
enum { MESSAGE_PLACE, MESSAGE_ERROR, MESSAGE_TYPE, MESSAGE_LENGTH, MESSAGE_TEXT, MESSAGE_FIELDS };
enum { RETURN_ACTOR, RETURN_VALUE, RETURN_ERROR, RETURN_FIELDS };
enum { INFO_FIELDS = 10 };

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

/* What a call that may sleep has returned. */
struct call_result {
	int64_t value, error;
	bool has_message;
	int64_t type, length, text;
};

struct actor {
	sem_t go;    /* it may act */
	sem_t there; /* it has come to wait for its first turn */
	pid_t pid;
	int parent; /* an actor or the conductor */
	int user;   /* index of `users` */
	bool alive;
	/* The actor writes all of this before `in_call` becomes true, and the result before it
	 * becomes false again. */
	uint8_t class;
	int object; /* id of the set or queue in which it sleeps */
	bool sends;
	bool brief; /* the call has a time limit so short that the step waits for its return */
	struct call_result result;
	bool untold; /* the result is not in the log yet */
	_Atomic bool in_call;
};

struct world {
	bool users, no_exec, no_copy, alone;
	uint32_t signals_again; /* see settle.c */
	int cpu;                /* all processes run on this one of those they may use */
	enum watch watch;
	int key_base;
	int used_at_most; /* segments there are, with those that only the dead hold */
	int made;         /* segments altogether */
	size_t size;      /* of the file */
	uint32_t op_count;
	uint32_t step;
	int dying;         /* actor whose death the parent has to wait for, or NOBODY */
	bool zombie;       /* and leave it a zombie */
	bool settling;     /* the conductor has to end this step */
	bool handed_over;  /* ... and to log what the call of its actor has returned */
	bool death_unseen; /* nobody has looked at the sets since somebody died */
	int crash_signal;  /* an actor got this signal where none was expected */
	uint32_t crash_step;
	bool finished, log_full, no_area;
	uint32_t births, phases;
	size_t log_used;
	int64_t phase_start[PHASES_MAX];
	pid_t pid_of_birth[BIRTHS_MAX];
	int id[SLOTS], set[SETS], queue[QUEUES];
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
bool death_finish(void);
void become(int user);
void exec_finish(void);
pid_t wait_child(pid_t pid);
void wait_for(sem_t *semaphore);

/* run.c: false: the conductor ends the step, this process waits for its next turn. */
bool step_finish(const struct op *op);
void step_end(void);

/* settle.c */
bool call_begin(enum op_class class, int object, bool may_sleep, bool brief);
void call_end(const struct call_result *result);
bool needs_settling(const struct op *op);
int asleep_in(enum op_class class, int object);
void settle(void);
void settle_step(void);
bool is_asleep(int actor);
void wait_zombie(pid_t pid);

/* act.c, sem.c, msg.c: all other steps. Those of the last two return false if the conductor
 * ends the step. */
void op_act(const struct op *op);
bool sem_act(const struct op *op);
bool msg_act(const struct op *op);

/* observe.c */
void log_record(enum record_type type, const int64_t *values, int count);
void log_result(int64_t value, int error);
void log_outcome(enum outcome outcome);
struct shmid_ds;
void log_segment(enum record_type type, int slot, int64_t id, const struct shmid_ds *stat);
bool sees_all(void);
void log_totals_and_all(void);
void log_table(const char *path, void (*row)(const char *line));
void segments_table(void);
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
void observe(const struct op *op, bool all);
int64_t time_name(int64_t stamp);

/* sem.c and msg.c: what observe() looks at; the tables; and the end. */
void sets_look(int slot); /* -1: all */
void queues_look(int slot);
void sets_survey(bool remove);
void queues_survey(bool remove);
void sets_notice_death(void);
void log_message(int64_t place, const struct call_result *result);
bool kernel_copies(void);

#endif
