/* SPDX-License-Identifier: MIT */
/*
 * ipc.h - what the files of `madang-bench --ipc` share: System V semaphores and message queues, of
 * Madang and of the kernel.
 *
 * A SIDE is one way to the calls: Madang's System V names, as an unmodified program finds them;
 * Madang's native functions; and the kernel. The first two work on the same objects.
 *
 * A CASE does one thing through whichever side it is given. A GAME is one case on one side while it
 * is being measured: a set, a queue, and perhaps a PARTNER, a process that takes part in blocks.
 */
#ifndef MADANG_BENCH_IPC_H
#define MADANG_BENCH_IPC_H

#include "bench/common/bench.h"
#include "bench/common/scale.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/types.h>

/* ---- sides (sides.c) ---------------------------------------------------------------- */

enum { IPC_MADANG, IPC_NATIVE, IPC_KERNEL, IPC_SIDES };

/* All return -1 with errno when they fail. */
struct ipc_side {
	const char *name;
	int (*set_get)(key_t key, int count, int flags);
	int (*set_op)(int id, struct sembuf *ops, size_t count);
	int (*set_value)(int id, int number);
	int (*set_waiting)(int id, int number); /* threads that wait for more */
	int (*set_give)(int id, int number, int value);
	int (*set_stat)(int id);
	int (*set_remove)(int id);
	int (*queue_get)(key_t key, int flags);
	int (*queue_send)(int id, const void *message, size_t size);
	ssize_t (*queue_receive)(int id, void *message, size_t size, long type);
	int (*queue_stat)(int id);
	int (*queue_remove)(int id);
};

/* The side, or NULL when it cannot be used. */
const struct ipc_side *ipc_side(int number);
/* Its name, also then. */
const char *ipc_side_name(int number);
/* Opens the namespace for the native side. */
void ipc_sides_open(const char *namespace_dir);
void ipc_sides_close(void);
/* Madang's sides become the kernel's. */
void ipc_sides_control(void);
/* False when the C library answers the plain calls instead of Madang. */
bool ipc_madang_answers(void);

/* ---- games -------------------------------------------------------------------------- */

/* In shared memory; each word has a line of its own, as far as it matters. */
struct ipc_control {
	uint32_t turn; /* driver: one more for each block; the partner sleeps on it */
	uint32_t rounds, quit;
	uint32_t go, stop; /* driver: the block that may begin; that it is over */
	char rest[108];
	uint32_t ready, idle; /* partner: the block that it is ready for, done with */
	uint32_t operations;  /* of that block; UINT32_MAX: a call failed */
	uint32_t preempted;   /* in that block: times that another took its processor */
	char rest2[112];
	uint32_t line; /* of both in turn */
	char rest4[124];
	uint64_t guarded; /* counted by both, under the semaphore that is their mutex */
	char rest3[120];
	uint32_t held;        /* holder: the kill for which it has the semaphore */
	uint32_t kill;        /* driver: one more for each kill; the partner sleeps on it */
	uint32_t returned;    /* partner: the kill after which its call has returned, */
	uint64_t returned_at; /* and when */
};

struct ipc_game {
	const struct ipc_side *side;
	const struct ipc_case *what;
	int set, queue;
	bool used; /* a message has gone through the queue */
	key_t key; /* of both */
	struct ipc_control *control;
	pid_t partner;
	uint64_t partner_did; /* in the last block */
	uint32_t preempted;   /* in the last block, of both processes */
	double line; /* nanoseconds of a cache line there and back in the last block; 0: unknown */
};

enum ipc_place { IPC_ALONE, IPC_TWO_PROCESSORS, IPC_ONE_PROCESSOR };

struct ipc_case {
	const char *name, *what;
	double bar, moonshot; /* of the kernel's time; 0: none */
	enum ipc_place place;
	unsigned calls;  /* of one run that count as one: its time is divided by it */
	unsigned weight; /* blocks so many times as long as usual */
	unsigned most;   /* runs in a block; 0: as many as fit */
	bool together;   /* the partner's operations count as the driver's do */
	int value;       /* of both semaphores at first */
	/* The driver's block: nanoseconds, 0 when a call failed. */
	uint64_t (*run)(struct ipc_game *game, unsigned n);
	/* The partner's: operations, UINT32_MAX when a call failed. */
	uint32_t (*partner)(struct ipc_game *game, uint32_t n);
};

enum { IPC_CASES_MAX = 24 };
extern const struct ipc_case ipc_cases[];
extern const unsigned ipc_case_count;

/* Makes set, queue and partner. False with errno; then there is nothing left to end. */
bool ipc_game_begin(struct ipc_game *game, int side, const struct ipc_case *what);
void ipc_game_end(struct ipc_game *game, int side);
/* One block; `context` is a game. Nanoseconds, 0 when it could not be done (partner.c). */
uint64_t ipc_game_block(void *context, unsigned n);

/* A partner of a game, and its end (partner.c). */
bool ipc_partner_begin(struct ipc_game *game);
void ipc_partner_end(struct ipc_game *game);

/* ---- blocks (solo.c, pairs.c, kills.c) ---------------------------------------------- */

uint64_t ipc_run_op(struct ipc_game *game, unsigned n);
uint64_t ipc_run_op_undo(struct ipc_game *game, unsigned n);
uint64_t ipc_run_op_two(struct ipc_game *game, unsigned n);
uint64_t ipc_run_value(struct ipc_game *game, unsigned n);
uint64_t ipc_run_find(struct ipc_game *game, unsigned n);
uint64_t ipc_run_find_ask(struct ipc_game *game, unsigned n);
uint64_t ipc_run_set_make(struct ipc_game *game, unsigned n);
uint64_t ipc_run_set_stat(struct ipc_game *game, unsigned n);
uint64_t ipc_run_message(struct ipc_game *game, unsigned n);
uint64_t ipc_run_message_8k(struct ipc_game *game, unsigned n);
uint64_t ipc_run_queue_make(struct ipc_game *game, unsigned n);
uint64_t ipc_run_queue_stat(struct ipc_game *game, unsigned n);
uint64_t ipc_run_queue_stat_new(struct ipc_game *game, unsigned n);

uint64_t ipc_run_set_pair(struct ipc_game *game, unsigned n);
uint32_t ipc_partner_set_pair(struct ipc_game *game, uint32_t n);
uint64_t ipc_run_mutex(struct ipc_game *game, unsigned n);
uint32_t ipc_partner_mutex(struct ipc_game *game, uint32_t n);
uint64_t ipc_run_queue_pair(struct ipc_game *game, unsigned n);
uint32_t ipc_partner_queue_pair(struct ipc_game *game, uint32_t n);
uint64_t ipc_run_one_way(struct ipc_game *game, unsigned n);
uint32_t ipc_partner_one_way(struct ipc_game *game, uint32_t n);

uint64_t ipc_run_kill(struct ipc_game *game, unsigned n);
uint32_t ipc_partner_kill(struct ipc_game *game, uint32_t n);

/* ---- other sets and queues (others.c) ----------------------------------------------- */

/* Makes `count` sets and as many queues on both Madang's side and the kernel's. */
void ipc_others_make(int count, int ret_made[IPC_SIDES]);
void ipc_others_remove(void);
/* What a side has made for its game; -1: nothing any more. The kernel's would outlive a crash. */
void ipc_game_has(int side, int set, int queue);
/* Removes the kernel's when the program crashes. */
void ipc_remove_on_crash(void);

/* ---- results ------------------------------------------------------------------------ */

enum { IPC_CROWDS = 2 }; /* without other sets and queues, and with them */

/* Of all turns, and the least and the greatest of the rounds' medians. */
struct ipc_ratio {
	struct spread all;
	double least, most;
};

struct ipc_case_result {
	const struct ipc_case *what;
	int error[IPC_SIDES]; /* errno of a side that could not do it */
	struct spread ns[IPC_CROWDS][IPC_SIDES];
	struct ipc_ratio ratio[IPC_CROWDS][IPC_SIDES]; /* this side / kernel, turn by turn */
	struct ipc_ratio growth[IPC_SIDES];            /* with others / without, by rounds */
	struct spread line;        /* between two processors, there and back: ns */
	unsigned turns, disturbed; /* all, and those left out */
	unsigned rough_rounds;     /* in which every turn was disturbed */
	int calls[IPC_SIDES];      /* system calls of one run; -1: not counted */
};

struct ipc_result {
	struct ipc_case_result cases[IPC_CASES_MAX];
	unsigned case_count;
	int others_made[IPC_SIDES]; /* the fewest of any round */
	bool crowded;
};

void ipc_case_measure(const struct settings *settings, const struct ipc_case *what,
                      struct ipc_result *result, struct ipc_case_result *ret_result);
/* System calls of one run of a case without partner; -1: not counted (calls.c). */
int ipc_calls_count(const struct ipc_case *what, int side);
void ipc_measure(const struct settings *settings, const char *namespace_dir,
                 struct ipc_result *ret_result);
void ipc_scale_measure(const struct settings *settings, const char *namespace_dir,
                       struct scale_result *ret_result);
void ipc_report(const struct ipc_result *result, FILE *out);

/* "pass" or "miss" of a growth; "" when there is none. */
const char *ipc_growth_verdict(const struct ipc_ratio *growth);

#define IPC_GROWTH_BAR 1.10

#endif
