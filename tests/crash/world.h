/* SPDX-License-Identifier: MIT */
/*
 * world.h - a namespace for one run of a test, the process that lives in it, and
 * what other processes find there afterwards.
 *
 * world_make() makes a fresh namespace and a process in it, the KEEPER. The keeper
 * makes three segments and stays attached to the first. The test's own process
 * never opens a namespace. Everything runs in forked children (world_run). So a run
 * leaves nothing behind in the test's process, and a fresh process makes each look.
 */
#ifndef MADANG_TESTS_CRASH_WORLD_H
#define MADANG_TESTS_CRASH_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "madang/segment.h"
#include "registry/layout.h"

enum {
	KEY_HELD = 0x1001, /* made and attached by the keeper; 8192 bytes */
	KEY_IDLE = 0x1002, /* made by the keeper, nobody has it attached; 4096 bytes */
	KEY_NEW = 0x1003,  /* for what is tested */
	KEY_CUT = 0x1004,  /* for those who die on the way */
	STATE_SEGMENTS = 160,
	STATE_OBJECTS = 4
};
#define NAME_KEPT "room" /* made by the keeper */

/* What a fresh process sees, of all that does not depend on time and pids. */
struct state {
	uint32_t used;      /* segments, as mdg_namespace_info counts them */
	uint32_t processes; /* slots taken, without the observer's */
	uint64_t pages;
	uint32_t files; /* of segments that are not removed */
	uint32_t segments;
	struct seen {
		int32_t id, key;
		uint32_t mode, attached, uid, gid;
		uint64_t size, file_size; /* 0: no file of that name */
		uint32_t file_mode, file_uid, file_gid;
		int32_t found; /* id that a look-up by key or name gives; -1: none */
		char name[MDG_NAME_MAX + 1];
	} segment[STATE_SEGMENTS];
	/* Semaphore sets and message queues. */
	struct seen_object {
		int32_t class1, id, key, found; /* class1: 0 where there is none */
		uint32_t mode, uid, gid;
		uint64_t field;
		uint32_t has_memory; /* somebody has used it */
	} object[STATE_OBJECTS];
};

struct world {
	char directory[200], registry[220];
	struct mdg_namespace_options options;
	pid_t keeper; /* 0: none */
	mdg_id held, idle;
};

/* In memory that all processes of a test share. */
struct desk {
	volatile int rc; /* what a child has to say */
	volatile uint32_t steps;
	volatile uint32_t complaints;
	volatile uint64_t wait; /* of the first call after the last death, nanoseconds */
	volatile mdg_id held, idle;
	struct state state;
};
extern struct desk *desk;

/* What is being done, for the messages. */
extern char world_context[160];
/* Says that something does not hold; counted in desk->complaints. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

void world_init(void);
/* `keeper`: with keeper and segments, else an empty directory's name only. */
bool world_make(struct world *world, const struct mdg_namespace_options *options, bool keeper);
/* Kills the keeper. */
void world_leave(struct world *world);
/* That, and no file is left. */
void world_end(struct world *world);

/* Opens the world's namespace in this (child) process; exits on failure. */
mdg_namespace *world_open(const struct world *world);
/* Where its ids begin: ids are compared relative to that. */
mdg_id world_first_id(const mdg_namespace *ns);

/* Runs f in a child: what it returns. Killed, and complained about, when it is
 * not done after so many milliseconds. */
typedef int world_function(const struct world *world, void *argument);
int world_run(const struct world *world, world_function *f, void *argument, int milliseconds);
/* The same, begun and awaited apart. world_await: -1 when it is not done yet. */
pid_t world_begin(const struct world *world, world_function *f, void *argument);
int world_await(pid_t pid, int milliseconds);

/* Everything that can be seen, into desk->state; complains when the totals and
 * the parts disagree. `own`: the caller's slots. */
void world_look(const struct world *world, mdg_namespace *ns, uint32_t own);
/* Complains of findings of other kinds than these (1u << MDG_FOUND_*). */
void world_check(mdg_namespace *ns, unsigned flags, unsigned allowed);
bool state_same(const struct state *one, const struct state *other);
void state_set_file_owners(struct state *state, const struct state *from);
void state_print(const char *title, const struct state *state);

/* ---- the raw file ---------------------------------------------------------- */
/* A copy of the registry file as it is now. */
struct raw {
	uint64_t length;
	_Alignas(64) char bytes[1 << 19];
};
bool raw_read(const struct world *world, struct raw *raw);
static inline struct mdg__head *raw_head(struct raw *raw)
{
	return (struct mdg__head *)(void *)raw->bytes;
}
struct mdg__process *raw_process(struct raw *raw, uint32_t slot);
struct mdg__segment *raw_segment(struct raw *raw, uint32_t index);
/* Whether the writer lock is held by a process that lives. */
bool raw_lock_is_held(const struct world *world);

#endif
