/* SPDX-License-Identifier: MIT */
/*
 * gate.h - sleeping until a small value changes. No death loses a wake-up. Semaphore and event are
 * made of it.
 *
 * THE WORD has 64 bits, which change together. The lower half is the value. The upper half is the
 * GATE: sleepers sleep on it, since a futex compares 32 bits. The gate has a bit for each kind of
 * sleeper. A thread that goes to sleep sets the bit of its kind. A thread that changes the
 * value clears the bits and then wakes.
 *
 * WHAT THE KERNEL DOES. When a thread dies, the kernel looks at the word that `pending` names
 * (held.h). If the lower 30 bits of that word are 0, it wakes one sleeper. The lower 30 bits of
 * a gate are always 0. So the kernel passes a wake-up on if `pending` names the gate, and it does
 *   - while a thread changes the value, from before the change until it has woken the others;
 *   - while a thread waits, from before its first sleep until it has left (mdg__gate_leave).
 *
 * NOTIFIERS. A thread in one of these two stretches is a notifier if it has cleared the gate, or
 * if it has been woken. A notifier has to see to the other sleepers before it leaves (rule 3). If
 * it dies before that, the kernel wakes another sleeper, which is then a notifier.
 *
 * THE RULES, which semaphore and event keep. "Available" means: a sleeper could go on.
 *   1. While something is available, the gate is clear. A thread that goes to sleep sets its bit by
 *      a change of the whole word. That change fails if something has become available. After it,
 *      the kernel compares the gate once more. So no thread falls asleep while something is
 *      available, however often the word has changed back and forth in between.
 *   2. While a thread sleeps, the gate has its bit, or there is a notifier.
 *   3. A notifier that leaves looks at the word. If something is available and others may sleep, it
 *      wakes one of them, and that one is a notifier then. If nothing is available, it sets the
 *      bits of the others again.
 * It follows that there is a notifier whenever something is available and a thread sleeps.
 *
 * COUNTING SLEEPERS. Whether others may sleep is counted. A sleeper that was killed stays in the
 * count; after that a call may wake in vain, but it never fails to wake. The order is:
 *   - a sleeper counts itself, and then looks at the word;
 *   - a thread that changes the word, or is woken by such a thread, looks at the count after that.
 * All four are sequentially consistent, so one of the two sees the other.
 *
 * WHAT IT DOES NOT DO. A signal handler may interrupt a notifier and post to ANOTHER object. For a
 * few instructions `pending` then names that other object. If the thread is killed within them,
 * only the wake-up of the other object is passed on.
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
	/* Everybody writes it, by compare-and-swap, sequentially consistent. The thread that makes
	 * something available releases by it, and the thread that gets it acquires. */
	_Atomic uint64_t word;
	/* How many sleep, by kind. Each sleeper counts itself; notifiers read it. Sequentially
	 * consistent: see COUNTING SLEEPERS. */
	_Atomic uint32_t sleepers[MDG__KINDS];
	uint32_t none[12];
	struct mdg__notes notes;
};
_Static_assert(offsetof(struct mdg__gated, word) == 0, "");
_Static_assert(offsetof(struct mdg__gated, notes) == 64, "the second line");
_Static_assert(sizeof(struct mdg__gated) == 128, "");

/* The bits of a gate. Both lie above the 30 bits that the kernel wants to be zero. */
#define MDG__GATE(kind) ((uint64_t)(MDG__WAITERS >> (kind)) << 32)
#define MDG__GATES      (MDG__GATE(0) | MDG__GATE(1))
/* The bit by which futex(2) tells kinds of sleepers apart. At a death the kernel wakes any kind. */
#define MDG__GATE_BITS(kind) (1u << (kind))

static inline uint32_t mdg__gated_value(uint64_t word)
{
	return (uint32_t)word;
}

/* The address of the gate. Only the kernel reads through it. */
static inline _Atomic uint32_t *mdg__gate(struct mdg__gated *gated)
{
	size_t upper = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 4 : 0;
	return (_Atomic uint32_t *)((uintptr_t)gated + upper);
}

static inline uint64_t mdg__gated_look(const struct mdg__gated *gated)
{
	return atomic_load_explicit(&gated->word, memory_order_seq_cst);
}

/* Changes the word from *seen. False: it was not *seen; *seen is now what the word is. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is written when the exchange fails */
static inline bool mdg__gated_change(struct mdg__gated *gated, uint64_t *seen, uint64_t to)
{
	return atomic_compare_exchange_weak_explicit(&gated->word, seen, to, memory_order_seq_cst,
	                                             memory_order_seq_cst);
}

/* A thread that waits, from before its first sleep. */
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

/* The bits of the other threads that may sleep. */
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

/* Sleeps while the gate is as in `seen`. Returns 0: look again; -ETIMEDOUT; -EINTR. [`seen` has the
 * bit of the sleeper's kind] */
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
