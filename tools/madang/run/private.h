/* SPDX-License-Identifier: MIT */
/*
 * private.h - `madang run --private`: a namespace that ends with the program.
 *
 * private.c makes, removes and finds such directories; keeper.c is the process that lives as long
 * as anything that uses the directory; proxy.c is the process that stands for the program;
 * witness.c tells the proxy whether a signal was meant for it alone.
 */
#ifndef MADANG_TOOL_PRIVATE_H
#define MADANG_TOOL_PRIVATE_H

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "base/tool.h"

/* ---- private.c: the directory ------------------------------------------ */

struct private_room {
	int fd; /* of the directory; its description holds the lock that says "in use" */
	char path[NAMESPACE_PATH_ROOM];
};

/* Makes a directory of mode 0700 and locks it, and removes what earlier runs of the same user
 * left behind. TOOL_OK, or it has been said why not. */
int private_make(struct private_room *ret_room);
/* Makes the namespace in it. TOOL_OK, or it has been said why not. */
int private_fill(const struct private_room *room);
/* Removes segments, files and directory. Nobody may use them any more. */
void private_remove(const struct private_room *room);
/* Removes the directories that nobody uses any more, of this user, beside the default one. */
unsigned private_sweep(void); /* how many those were */
/* How many of them there are. */
unsigned private_count_strays(void);

/* ---- proxy.c, keeper.c: the processes ------------------------------------ */

/* What the caller of madang had set, for the program. */
struct private_start {
	int (*start)(void *context); /* becomes the program; returns an exit status if it cannot */
	void *context;
	sigset_t mask;
	struct sigaction child_action; /* of SIGCHLD */
};

/* Runs the program in `room`, in a child, and ends as it does: returns its exit status, or dies by
 * the same signal. The room is removed when all that was started has ended. */
int private_run(struct private_room *room, int (*start)(void *), void *context);

/* What the keeper tells the proxy. */
enum keeper_word {
	KEEPER_STARTED, /* value: the program's pid */
	KEEPER_STOPPED, /* value: the signal that stopped it */
	KEEPER_CONTINUED,
	KEEPER_ENDED,    /* value: its status, as waitpid gives it; others still run */
	KEEPER_ENDED_ALL /* the same; nothing runs any more, and the room is gone */
};
struct keeper_message {
	int32_t word;
	int32_t value;
};

/* The keeper's whole life, in a child of the proxy. `go` is the end of a pipe. The program reads
 * one byte from it before it starts: the proxy knows its pid then. */
_Noreturn void keeper_main(struct private_room *room, const struct private_start *start, int link,
                           int go);

/* ---- witness.c ----------------------------------------------------------- */

struct witness {
	pid_t pid; /* 0: there is none */
	int link;
};

/* Starts the witness, in the caller's process group. `link` of the keeper is closed in it. */
void witness_begin(struct witness *ret_witness, int keeper_link);
/* Whether this signal, which the caller has just received, went to its whole process group. */
bool witness_saw(const struct witness *witness, const struct signalfd_siginfo *info);
void witness_end(const struct witness *witness);

/* ---- detach.c ------------------------------------------------------------- */

/* Lets go of all that was inherited: standard descriptors become /dev/null, all others but the
 * `count` given ones are closed, and those get new numbers. */
void detach_descriptors(int *const kept[], unsigned count);

#endif
