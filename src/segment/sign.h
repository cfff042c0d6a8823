/* SPDX-License-Identifier: MIT */
/*
 * sign.h - how a process signs what it does in shared memory, so that others can ask whether it
 * still lives.
 *
 *     struct mdg__signature me;
 *     int rc = mdg__sign(ns, &me);
 *     ...
 *     if (!mdg__signature_lives(ns, theirs))
 *             the process that wrote `theirs` is dead
 *
 * A signature is the number of the process's slot in the namespace, and the slot's generation.
 * Slots are used again. The generation grows each time, so a signature never becomes that of
 * another process. All zeros is nobody's signature.
 */
#ifndef MADANG_SEGMENT_SIGN_H
#define MADANG_SEGMENT_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/segment.h"

struct mdg__signature {
	uint32_t slot1; /* the slot's index plus one; 0: nobody */
	uint32_t generation;
};

/* The signature of the calling process. Takes a slot for the process if it has none, and locks its
 * slot again if the program has closed the descriptor that held the lock. 0, or why there is no
 * slot. The caller holds no lock of the namespace. */
int mdg__sign(mdg_namespace *ns, struct mdg__signature *ret);
/* What the last mdg__sign of this process has found. Asks nobody. */
struct mdg__signature mdg__signature_own(const mdg_namespace *ns);
/* Whether the process that signed so lives. May ask the kernel. */
bool mdg__signature_lives(mdg_namespace *ns, struct mdg__signature signature);

/* A signature in one word, for locks: the slot, and the low 16 bits of the generation. 0:
 * nobody. */
uint32_t mdg__signature_word(struct mdg__signature signature);
bool mdg__signature_word_lives(mdg_namespace *ns, uint32_t word);
/* Whether a thread of that process, other than the calling one, may hold a lock of ours: all its
 * signals are blocked then. Asks the kernel, and is slow. True if it cannot be told. */
bool mdg__signature_word_is_inside(mdg_namespace *ns, uint32_t word);
/* The process that has the slot, as it numbers itself; 0: nobody has it. */
int32_t mdg__signature_word_pid(mdg_namespace *ns, uint32_t word);

/* The number of the namespace. No other namespace has it. */
uint64_t mdg__namespace_number(const mdg_namespace *ns);

#endif
