/* SPDX-License-Identifier: MIT */
/*
 * epoch.h - which process this is: noticing that memory was inherited by a forked child.
 *
 * A process has a number, its EPOCH, that none of its ancestors had. Some things a forked child
 * must not take for its own: a lock, a descriptor, a place in the registry. Code that keeps such a
 * thing keeps the epoch beside it, and compares it with mdg__epoch_is before it uses the thing.
 *
 * HOW A CHILD IS NOTICED. The epoch lies in a page that the kernel is asked to wipe in children
 * (MADV_WIPEONFORK, Linux 4.14): a child finds 0 there, and gives itself a new number. That works
 * for every kind of child, and costs one load.
 *
 * WHERE THE KERNEL DOES NOT WIPE, this code asks for the process id each time instead. Older
 * kernels say that they cannot wipe (EINVAL). Others return 0 and do nothing: qemu-user, or a
 * seccomp filter that answers in the kernel's place. Two tests find that out. Before the page is
 * used, the same is asked for a shared mapping, and a kernel that can wipe refuses that. And a
 * handler of fork() compares the page in the child with what the parent had there.
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

/* Points to the epoch if the kernel wipes its page. Otherwise, and before the first call of
 * mdg__epoch, it points to a word that is always 0. */
extern _Atomic uint32_t *_Atomic mdg__epoch_word;

/* This process's number, never 0. Async-signal-safe. */
__attribute__((cold)) uint32_t mdg__epoch(void);

/* Locks of this process's threads (threadlock.h). A child finds them free, even if a thread of the
 * parent held them. */
enum mdg__epoch_lock { MDG__LOCK_NAMESPACES, MDG__LOCK_FORKED, MDG__EPOCH_LOCKS };
_Atomic uint32_t *mdg__epoch_lock(enum mdg__epoch_lock which);

/* Whether this process has this number, which is not 0. True is certain; after false, ask
 * mdg__epoch_is. */
static inline bool mdg__epoch_is_at_once(uint32_t epoch)
{
	/* Relaxed: the word is this process's own from the start, and no other memory depends on
	 * it. */
	_Atomic uint32_t *word = atomic_load_explicit(&mdg__epoch_word, memory_order_relaxed);
	return __builtin_expect(atomic_load_explicit(word, memory_order_relaxed) == epoch, 1);
}

/* The same, and false is certain, too. */
static inline bool mdg__epoch_is(uint32_t epoch)
{
	return mdg__epoch_is_at_once(epoch) || __builtin_expect(epoch == mdg__epoch(), 0);
}

#endif
