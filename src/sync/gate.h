/* SPDX-License-Identifier: MIT */
/*
 * gate.h - sleeping until a small value changes, such that no death loses a wake-up: what
 * semaphore and event are made of.
 *
 * THE WORD is 64 bits that change as one. The lower half is the value. The upper half is
 * the GATE, on which sleepers sleep (a futex looks at 32 bits): a bit for each kind of
 * sleeper, set by who goes to sleep, cleared by who changes the value and then wakes.
 *
 * THE KERNEL passes a wake-up on. When a thread dies, it looks at the word that `pending` of
 * its robust list names (thread.h), and if the lower 30 bits of that are zero, it wakes one
 * sleeper. Those of a gate always are. So `pending` names the gate
 *   - of one who changes the value, from before the change until it has woken others;
 *   - of one who waits, from before its first sleep until it has left (below).
 * Whoever is in one of the two stretches is a NOTIFIER if it has cleared the gate, or has been
 * woken: its work is either done, or, with its death, another sleeper's, who has been woken
 * by that.
 *
 * WHAT ALWAYS HOLDS, and what the objects keep:
 *   1. While the value is what somebody waits for, the gate is clear. One who goes to sleep
 *      sets it by a change of the whole word that sees that there is nothing to be had; the
 *      kernel compares it once more. So nobody falls asleep over something to be had, however
 *      often the word changed and changed back in between.
 *   2. While somebody sleeps, its bit in the gate is set, or there is a notifier.
 *   3. A notifier that leaves looks at the word: is there something to be had and may others
 *      sleep, it wakes one, who is a notifier then; is there nothing, it sets their bits again.
 * So whenever there is something to be had and somebody sleeps, a notifier is under way.
 *
 * WHETHER OTHERS MAY SLEEP is counted. A sleeper that was killed stays counted: after that a
 * call may wake in vain, but never not wake. Order: a sleeper counts itself, then looks
 * at the word; who changes the word, or was woken by who did, looks at the count after that. All
 * four are sequentially consistent, so one of the two sees the other.
 *
 * A handler that interrupts a notifier and posts to ANOTHER object takes its `pending` for
 * these instructions: killed within them, the thread passes only that one's wake-up on.
 */
#ifndef MADANG_SYNC_GATE_H
#define MADANG_SYNC_GATE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "madang/sync.h"
#include "sync/owned.h"
#include "sync/thread.h"
#include "sync/wait.h"

enum { MDG__KINDS = 2 }; /* of sleepers */

struct mdg__gated {
	/* Everybody, by compare-and-swap, sequentially consistent: who changes the value so
	 * that there is something to be had releases by it, who has it acquires. */
	_Atomic uint64_t word;
	/* Sleepers, each itself; read by notifiers. Sequentially consistent: see above. */
	_Atomic uint32_t sleepers[MDG__KINDS];
	uint32_t none[12];
	struct mdg__notes notes;
};
_Static_assert(offsetof(struct mdg__gated, word) == 0, "");
_Static_assert(offsetof(struct mdg__gated, notes) == 64, "the second line");
_Static_assert(sizeof(struct mdg__gated) == 128, "");

/* The bits of a gate, both above those that the kernel wants to be zero. */
#define MDG__GATE(kind) ((uint64_t)(MDG__WAITERS >> (kind)) << 32)
#define MDG__GATES      (MDG__GATE(0) | MDG__GATE(1))
/* What futex(2) is told to match. The kernel at a death matches all. */
#define MDG__GATE_BITS(kind) (1u << (kind))

static inline uint32_t mdg__gated_value(uint64_t word)
{
	return (uint32_t)word;
}

/* Its address is all that is used of it here: the kernel reads it. */
static inline _Atomic uint32_t *mdg__gate(struct mdg__gated *gated)
{
	size_t upper = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 4 : 0;
	return (_Atomic uint32_t *)((uintptr_t)gated + upper);
}

static inline uint64_t mdg__gated_look(const struct mdg__gated *gated)
{
	return atomic_load_explicit(&gated->word, memory_order_seq_cst);
}

/* False: *seen is what it is now. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is written when the exchange fails */
static inline bool mdg__gated_change(struct mdg__gated *gated, uint64_t *seen, uint64_t to)
{
	return atomic_compare_exchange_weak_explicit(&gated->word, seen, to, memory_order_seq_cst,
	                                             memory_order_seq_cst);
}

/* One that waits, from before its first sleep. */
struct mdg__sleeper {
	struct mdg__thread *thread;
	uintptr_t before;
	_Atomic uint64_t *note;
	int kind;
	bool slept;
};

static inline void mdg__gate_enter(struct mdg__sleeper *sleeper, struct mdg__gated *gated,
                                   struct mdg__thread *thread, int kind)
{
	*sleeper = (struct mdg__sleeper){ .thread = thread, .kind = kind };
	sleeper->before = mdg__pending_begin(thread, mdg__gate(gated));
	sleeper->note = mdg__note_sleep(&gated->notes, thread->tid);
	/* Pairs with the look in mdg__gate_others. */
	atomic_fetch_add_explicit(&gated->sleepers[kind], 1, memory_order_seq_cst);
}

static inline void mdg__gate_leave(struct mdg__sleeper *sleeper, struct mdg__gated *gated)
{
	atomic_fetch_sub_explicit(&gated->sleepers[sleeper->kind], 1, memory_order_seq_cst);
	mdg__note_awake(sleeper->note);
	mdg__pending_end(sleeper->thread, sleeper->before);
}

/* The bits of those who may sleep beside this one. */
static inline uint64_t mdg__gate_others(const struct mdg__sleeper *sleeper,
                                        const struct mdg__gated *gated)
{
	uint64_t bits = 0;
	for (int kind = 0; kind < MDG__KINDS; kind++)
		if (atomic_load_explicit(&gated->sleepers[kind], memory_order_seq_cst) !=
		    (kind == sleeper->kind ? 1 : 0))
			bits |= MDG__GATE(kind);
	return bits;
}

/* [the word, as `seen`, has the kind's bit] 0: look again; -ETIMEDOUT; -EINTR. */
static inline int mdg__gate_sleep(struct mdg__sleeper *sleeper, struct mdg__gated *gated,
                                  uint64_t seen, uint64_t deadline)
{
	sleeper->slept = true;
	return mdg__sleep(mdg__gate(gated), (uint32_t)(seen >> 32), deadline,
	                  MDG__GATE_BITS(sleeper->kind));
}

static inline void mdg__gate_wake(struct mdg__gated *gated, int kind, uint32_t most)
{
	(void)mdg__sys_futex_wake_bits(mdg__gate(gated), most > INT_MAX ? INT_MAX : (int)most,
	                               MDG__GATE_BITS(kind));
}

static inline bool mdg__gate_has_sleepers(struct mdg__gated *gated)
{
	return mdg__sys_futex_has_sleepers(mdg__gate(gated));
}

#endif
