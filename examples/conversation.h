/* SPDX-License-Identifier: MIT */
/*
 * conversation.h - what the listener and the talker both know.
 *
 * They share one segment. It holds who takes part, how far the conversation
 * has got, and what was said. The rule that makes it safe is short:
 *
 *     write the text, then the state, then send SIGUSR1 to the other;
 *     whoever waits looks at the state, and only then waits for a signal.
 *
 * SIGUSR1 is blocked before the segment is even made. So a signal that comes
 * before its receiver waits stays pending and is not lost, and as the state is
 * looked at first, nobody waits for a signal that has long been taken. Neither
 * the order of start nor the speed of the machine matters, and nothing sleeps.
 *
 * The signal only says "look again". What is true stands in the memory.
 */
#ifndef MADANG_EXAMPLES_CONVERSATION_H
#define MADANG_EXAMPLES_CONVERSATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How far the conversation has got. Memory of a new segment reads zero. */
enum {
	NOTHING_SAID = 0,
	ASKED,    /* the talker wrote `question` */
	ANSWERED, /* the listener wrote `answer` */
	OVER      /* the talker has read it; the segment may go */
};

#define TEXT_MAX 255 /* bytes in a text, without its end */

/* What lies in the segment. Fixed widths and no pointers, so that a 32-bit
 * program and a 64-bit one can talk to each other. */
struct conversation {
	_Atomic int32_t listener;    /* process ids; 0: not there yet. Each is */
	_Atomic int32_t talker;      /* written once, by the process itself. */
	_Atomic int32_t state;       /* moves forward only */
	char question[TEXT_MAX + 1]; /* the talker's, before ASKED */
	char answer[TEXT_MAX + 1];   /* the listener's, before ANSWERED */
};

/* Blocks SIGUSR1, SIGINT and SIGTERM: from here on they come only to
 * conversation_wait. Call it before anything else. */
bool conversation_block_signals(void);

/* Finds or makes the segment that belongs to the file `path`, and attaches it.
 * Returns NULL after it has said why on standard error. */
struct conversation *conversation_join(const char *path, int *ret_id);

/* Takes one of the two places, &c->listener or &c->talker. */
bool conversation_take_place(int id, _Atomic int32_t *place, const char *role);

/* Moves on to `state` and wakes the other one, if it is there already. */
bool conversation_move(struct conversation *c, int32_t state, _Atomic int32_t *other);

/* Waits until `state` is reached. False, and the reason on standard error,
 * when a person interrupts or the other one is gone. */
bool conversation_wait(struct conversation *c, int id, int32_t state);

/* Detaches; the segment lives on until it is removed. */
bool conversation_leave(struct conversation *c);

/* Removes the segment. Whoever has it attached keeps it until it detaches. */
bool conversation_remove(int id);

/* Copies a text into the segment; false when it does not fit. */
bool conversation_write(char to[TEXT_MAX + 1], const char *text);

#endif
