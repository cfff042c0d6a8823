/* SPDX-License-Identifier: MIT */
/*
 * calls.h - every call of the library, on a namespace that may be damaged.
 *
 * A call may return an error. It must not crash or hang. A call hangs if it takes
 * more than a second of processor time, or more than a second in which it sleeps
 * again and again. That the machine is slow or busy does not count. The number of
 * the call is written where another process can read it. That process reports the
 * call after a crash, and ends a call that never returns.
 */
#ifndef MADANG_TESTS_FUZZ_CALLS_H
#define MADANG_TESTS_FUZZ_CALLS_H

#include <stdatomic.h>
#include <stdint.h>

#include "fuzz/random.h"
#include "fuzz/scene.h"

/* In memory that the watching process shares. */
struct progress {
	_Atomic uint64_t number;      /* of the mutation or round */
	_Atomic uint64_t call_number; /* goes up with each call */
	_Atomic(const char *)
		call; /* constant text; the watcher was forked from the same program */
	_Atomic(const char *) phase;
	_Atomic uint64_t calls_ok; /* how many returned success */
};

enum { EXIT_HANG = 3, EXIT_WRONG = 4, NEVER_SECONDS = 30 };

struct measure {
	uint64_t wall, processor;
	long sleeps;
	pid_t pid; /* whose they are: a forked child's begin at zero */
};

struct caller {
	const struct scene *scene;
	struct progress *progress;
	struct dice dice;
	bool aborts; /* instead of exiting: a fuzzer keeps the input then */
	bool quiet;  /* nobody else writes: after a repair there is no damage left */
	bool waited; /* a call since call_start, for a second or more */
	struct measure start;
};

#pragma GCC diagnostic ignored "-Wpedantic" /* statement expressions */

/* Before a series of calls on one mutation, say: what it had used up by then. */
void call_start(struct caller *caller);

uint64_t call_begin(struct caller *caller, const char *name);
void call_end(struct caller *caller, uint64_t before);
_Noreturn void call_give_up(const struct caller *caller, int code);
/* CALL(name, expression of int): measured; its result. */
#define CALL(name, expression)                                                                     \
	({                                                                                         \
		uint64_t before_ = call_begin(caller, name);                                       \
		int result_ = (expression);                                                        \
		call_end(caller, before_);                                                         \
		if (result_ >= 0)                                                                  \
			atomic_fetch_add(&caller->progress->calls_ok, 1);                          \
		result_;                                                                           \
	})

/* All of them once, in an order that ends with removal and repair. A hang ends
 * the process with EXIT_HANG, damage that a repair left with EXIT_WRONG. */
void call_everything(struct caller *caller, mdg_namespace *ns);

/* One that opens; NULL when it is refused. */
mdg_namespace *call_open(struct caller *caller);
/* One that only looks, and is killed when it writes to the registry all the same. */
mdg_namespace *call_open_to_look(struct caller *caller);

/* Gives the object, its attachments and its descriptors back, as the end of the
 * process would: the next to open the namespace has never seen it. */
void call_forget(mdg_namespace *ns);
/* The same with every namespace that this process has opened. */
void call_forget_all(void);

/* Waits for a process that calls; kills it when one call takes NEVER_SECONDS.
 * Returns 0 when it exited with 0, else tells what happened, and 1. */
int watch(pid_t pid, struct progress *progress);

struct progress *progress_new(void);

#endif
