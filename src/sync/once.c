/* SPDX-License-Identifier: MIT */
/*
 * once.c - an owned word, and a word that says whether it is done.
 *
 * The thread at work owns the object. It stores DONE before it gives the object back. So the next
 * owner finds it done, or does it. After that, one load tells that it is done, and nobody takes the
 * owned word any more.
 *
 * A thread may be killed after it stored DONE and before it gave the object back. The kernel marks
 * the word, and the next owner sees that it is done. Nobody needs to be told of that death.
 *
 * What it does not do: mdg_once_destroy cannot tell anybody that it is to be done again. It is
 * for a time when no thread needs the object.
 */
#include <limits.h>

#include "sync/owned.h"

_Static_assert(sizeof(mdg_once) == sizeof(struct mdg__owned), "");

enum { TO_DO = 0, DONE = 1 }; /* no call stores anything else */

static struct mdg__owned *inside(mdg_once *once)
{
	return (struct mdg__owned *)(void *)once;
}

/* The owner stores DONE with release, so that a thread that sees it also sees what was done. */
static _Atomic uint32_t *done_word(struct mdg__owned *owned)
{
	return (_Atomic uint32_t *)&owned->own[0];
}

/* Acquire: pairs with the release in mdg_once_finish. */
static inline bool is_done(mdg_once *once)
{
	return atomic_load_explicit(done_word(inside(once)), memory_order_acquire) == DONE;
}

/* What the new owner of the word is told. */
static int taken(struct mdg__owned *owned, int rc)
{
	if (rc != 0 && rc != MDG_OWNER_DIED)
		return rc;
	/* Relaxed: taking the word was the acquire. */
	uint32_t done = atomic_load_explicit(done_word(owned), memory_order_relaxed);
	if (done == TO_DO)
		return rc;
	(void)mdg__owned_give(owned);
	return done == DONE ? MDG_DONE : MDG_BROKEN;
}

int mdg_once_begin_until(mdg_once *once, uint64_t deadline)
{
	if (__builtin_expect(is_done(once), 1))
		return MDG_DONE;
	return taken(inside(once), mdg__owned_take(inside(once), deadline));
}

int mdg_once_begin(mdg_once *once)
{
	return mdg_once_begin_until(once, MDG_FOREVER);
}

int mdg_once_trybegin(mdg_once *once)
{
	if (__builtin_expect(is_done(once), 1))
		return MDG_DONE;
	return taken(inside(once), mdg__owned_try(inside(once)));
}

int mdg_once_finish(mdg_once *once)
{
	struct mdg__owned *owned = inside(once);
	struct mdg__thread *thread;
	int at = mdg__robust_mine(&owned->robust, &thread);
	if (at < 0)
		return -EPERM;
	/* Release: pairs with the acquire in is_done. */
	atomic_store_explicit(done_word(owned), DONE, memory_order_release);
	mdg__robust_give(thread, &owned->robust, at, INT_MAX); /* wakes all: nobody needs to wait */
	return 0;
}

int mdg_once_fail(mdg_once *once)
{
	return mdg__owned_give(inside(once));
}

int mdg_once_destroy(mdg_once *once)
{
	struct mdg__owned *owned = inside(once);
	int rc = mdg__owned_take_to_destroy(owned);
	if (rc != 0)
		return rc;
	/* Relaxed: a thread that reads TO_DO takes the word, and giving it back releases. */
	atomic_store_explicit(done_word(owned), TO_DO, memory_order_relaxed);
	return mdg__owned_give(owned);
}
