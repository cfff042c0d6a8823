/* SPDX-License-Identifier: MIT */
/*
 * epoch.h - which process this is: noticing that memory was inherited by a forked child.
 *
 * A process has a number, its EPOCH, that none of its ancestors had. Whoever keeps something
 * that a forked child must not take for its own (a lock, a descriptor, a place in the registry)
 * keeps the epoch beside it, and compares it before use with mdg__epoch_is.
 *
 * HOW A CHILD IS NOTICED. The epoch lies in a page that the kernel is asked to wipe in children
 * (MADV_WIPEONFORK, Linux 4.14): a child finds 0 there, and gives itself a new number. That works
 * for every kind of child, and costs one load.
 *
 * WHERE THE KERNEL DOES NOT WIPE, the process id is asked for each time instead. Older kernels
 * say that they cannot (EINVAL). Others say 0 and do nothing: qemu-user, or a seccomp filter that
 * answers in the kernel's place. They are found out in two ways. Before the page is used, the same
 * is asked for a shared mapping, which a kernel that means it refuses. And a handler of fork()
 * compares the page in the child with what the parent had there.
 *
 * Two errors are left, and only where the kernel does not wipe:
 *   - A child of a bare clone(2) that begins a pid namespace, and whose id there is the same as its
 *     parent's, is taken for its parent.
 *   - A child of vfork that calls Madang is taken for a process of its own. Then its parent is
 *     taken for a new process too.
 */
#ifndef MADANG_PLATFORM_EPOCH_H
#define MADANG_PLATFORM_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The epoch where it can be believed as it is; else a word that is always 0. It is the latter until
 * the first call of mdg__epoch. */
extern _Atomic uint32_t *_Atomic mdg__epoch_word;

/* This process's number, never 0. Async-signal-safe. */
__attribute__((cold)) uint32_t mdg__epoch(void);

/* Locks of this process's threads (threadlock.h) that a child finds free, whoever had them. */
enum mdg__epoch_lock { MDG__LOCK_NAMESPACES, MDG__LOCK_FORKED, MDG__EPOCH_LOCKS };
_Atomic uint32_t *mdg__epoch_lock(enum mdg__epoch_lock which);

/* Whether it is this process that has this number, which is not 0. False says nothing yet. */
static inline bool mdg__epoch_is_at_once(uint32_t epoch)
{
	/* Relaxed: the word is this process's own from the start, nothing else is read by it. */
	_Atomic uint32_t *word = atomic_load_explicit(&mdg__epoch_word, memory_order_relaxed);
	return __builtin_expect(atomic_load_explicit(word, memory_order_relaxed) == epoch, 1);
}

/* The same, and false says that it is not. */
static inline bool mdg__epoch_is(uint32_t epoch)
{
	return mdg__epoch_is_at_once(epoch) || __builtin_expect(epoch == mdg__epoch(), 0);
}

#endif
