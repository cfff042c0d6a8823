/* SPDX-License-Identifier: MIT */
/*
 * processes.h - the processes that take part in blocks: started, put on processors, asleep between
 * blocks, ended. For `madang-bench --sync`, `--channel`, `--ipc` and `--heap`. Also read as C++.
 */
#ifndef MADANG_BENCH_PROCESSES_H
#define MADANG_BENCH_PROCESSES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As fork(2). The child is killed with its parent. SIGINT is left to the parent, which ends at the
 * end of a block, and the child with it. */
pid_t process_start(void);
/* Kills it, if there is one, and waits for its end; then *pid is 0. */
void process_kill(pid_t *pid);

/* How often the processor was taken from this process while it could have gone on. */
uint32_t preemptions(void);

/* Which processors there are, before one of them is chosen. */
void processors_read(void);
unsigned processors_count(void);
/* The first or second of them; any, when there is only one. */
void processor_choose(int which);
/* All of them again. */
void processor_any(void);

/* If this program has the policy SCHED_FIFO (chrt -f), it and its processes get SCHED_RR, with the
 * same priority. They take turns then when they share a processor. Else one that spins there would
 * keep the one that it waits for from running, for ever. */
void processor_turns(void);

/* Shared with children, zeros; ends the program when there is no memory. */
void *shared_memory(size_t size);

/* ---- words that the processes of a game share ------------------------------------------ */

static inline uint32_t word_get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the builtin writes */
static inline void word_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* A game's turn: its processes sleep until there is another than the one they have seen. */
uint32_t turn_wait(const uint32_t *turn, uint32_t seen);
/* Begins another, and wakes them all; by who makes the turns. Returns it. */
uint32_t turn_next(uint32_t *turn);

#ifdef __cplusplus
}
#endif

#endif
