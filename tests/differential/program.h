/* SPDX-License-Identifier: MIT */
/*
 * program.h - a program of System V operations for several processes: what is
 * drawn, run on the kernel and on Madang, shrunk, and kept.
 *
 * A program is a list of STEPS. One ACTOR, a process, takes a step. The next step
 * begins when the call has returned or its process sleeps in it (settle.c). A
 * step of an actor that sleeps is passed over.
 *
 * A step names a segment by its SLOT. A slot holds the id that a "get" has put
 * there, and all actors share the slots. There are other slots for sets of
 * semaphores, and others for message queues. A step names memory by WHERE, which is
 *   - a page of the AREA, a range of addresses that is free in every actor when
 *     the actor starts,
 *   - a PLACE, an address that the system chose for an attach without an address,
 *   - or one of a few addresses that are always wrong.
 *
 * Every step means something in every situation. A step of an actor that does not
 * exist is passed over. So any steps can be left out, and the rest is still a
 * program. Shrinking a program, and editing it by hand, need that.
 *
 * In a file a step is a line, "ACTOR OPERATION NAME=VALUE...":
 *
 *     users                        several users, a namespace made for them
 *     watch touched                what is looked at after every step
 *     c start who=0
 *     0 get slot=3 key=1 size=8192 flags=01600
 *     0 attach slot=3 where=4 offset=0 flags=0
 *     0 fork child=1
 *     1 detach where=4 offset=0    # the rest of a line is a remark
 *     0 sem-op set=1 wait=-1 a=0:-1:010000 b=- c=- d=- e=-    # number:change:flags
 */
#ifndef MADANG_TESTS_DIFFERENTIAL_PROGRAM_H
#define MADANG_TESTS_DIFFERENTIAL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	ACTORS = 6,
	CONDUCTOR = ACTORS, /* starts actors, and clears up after orphans */
	SLOTS = 16,
	SETS = 6,
	QUEUES = 5,
	AREA_PAGES = 32,
	PLACES = 4,
	CELLS = 3, /* words of each page that are written and looked at: start, middle, end */
	USERS = 6,
	OP_ARGS = 7,
	STEPS_MAX = 16384
};

/* Values of a "where" argument; below WHERE_PLACE a page of the area. */
enum where {
	WHERE_PLACE = AREA_PAGES,
	WHERE_NULL = WHERE_PLACE + PLACES,
	WHERE_HIGH,  /* above what a process may map */
	WHERE_WRAP,  /* the last page there is: the end wraps around */
	WHERE_STACK, /* the caller's stack */
	WHERE_END
};

/* ops.def is the table of all operations. */
#define OP(kind, name, args, in_c) OP_##kind,
enum op_kind {
#include "differential/ops.def"
	OP_KINDS
};
#undef OP

/* After every step: all slots' segments are looked at; those that the step
 * named; or none, so that the looking itself cannot hide what it would mend. */
enum watch { WATCH_ALL, WATCH_TOUCHED, WATCH_NONE, WATCHES };

struct op {
	uint8_t kind;
	uint8_t actor;
	int64_t arg[OP_ARGS];
};

struct program {
	bool users;
	enum watch watch;
	size_t count, capacity;
	struct op *ops;
};

struct op_form {
	const char *name;
	struct {
		const char *name; /* NULL: no such argument */
		char kind;        /* see ops.def */
	} arg[OP_ARGS + 1];
	const char *in_c;
};

extern const struct op_form op_forms[OP_KINDS];
extern const char *const watch_names[WATCHES];

void program_add(struct program *program, struct op op);
void program_free(struct program *program);
struct program program_copy(const struct program *program);

/* Of objects: each has slots, ids and keys of its own. */
enum op_class { OF_SEGMENTS, OF_SETS, OF_QUEUES, OBJECTS, OF_LIFE = OBJECTS, OF_ALL };
enum op_class op_class(int kind);

/* The slot, of the step's class, that a step is about; -1: none. */
int op_slot(const struct op *op);

/* An operation of semop as an argument. 0: there is none. */
int64_t sem_pack(int number, int change, int flags);
#define SEM_IS_THERE(packed) ((packed) != 0)
#define SEM_NUMBER(packed)   ((int)((packed) >> 32 & 0xffff))
#define SEM_CHANGE(packed)   ((int)(int16_t)((packed) >> 16 & 0xffff))
#define SEM_FLAGS(packed)    ((int)((packed)&0xffff))

void where_print(char *text, size_t size, int64_t where);
void op_print(FILE *file, const struct op *op);
void program_print(FILE *file, const struct program *program);
/* False: the file is not there or not a program, and stderr says why. */
bool program_read(struct program *program, const char *path);

/* draw.c: a program of about `length` steps; with `naps` some of them wait
 * until the second is over, so that times can be told apart. */
struct drawing {
	uint64_t seed, number;
	size_t length;
	bool users, naps;
};
void program_draw(struct program *program, const struct drawing *drawing);

/* print_c.c: the same as a C program, to be compiled and read on its own. */
void program_print_c(FILE *file, const struct program *program);
extern const char *const c_head[]; /* lines, to NULL */

#endif
