/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the writer lock of the registry, and its undo journal.
 *
 * The lock is one futex word that names the owner's process slot:
 *
 *     bits 0..14   slot index + 1, 0: nobody
 *     bit  15      somebody may be waiting
 *     bits 16..31  low bits of the slot's generation
 *
 * so that a waiter can ask whether the owner lives (process.c), and an old
 * owner whose slot has been taken by another process is not mistaken for it.
 * A waiter sleeps a little, asks, and then sleeps longer each time, up to
 * PATIENCE_MOST. An owner found dead is replaced by one compare-and-swap of the
 * exact word, so that just one waiter does.
 *
 * A word that was scribbled over may name a living process that never took the
 * lock. So a waiter that sees the same word again and again asks the kernel
 * whether the named process has a thread with all signals blocked: whoever is
 * inside has. If it has none, the word is forged, and is replaced likewise.
 * That this can never rob an owner: word and turn are read together (1), then
 * the threads are asked (2), then word and turn are swapped together (3). Each
 * taking is a new turn. If the word was true at (1) and the swap succeeds, the
 * owner was inside from (1) to (3), and (2) would have found it so.
 *
 * The journal makes a change all or nothing. Each put notes (offset, width,
 * old value), counts the note, and only then stores. Commit forgets the notes.
 * Whoever takes over puts the noted values back, latest first; if it dies on
 * the way the next one does it again, which does no harm. A process that is
 * killed has made all stores that come before the place of its death, and the
 * taker sees them: it learnt of the death from the kernel.
 *
 * `version` is odd from the first put to the commit, or to the end of the
 * undoing: readers compare it before and after (a seqlock). All stores are
 * releases and all loads acquires: a reader that sees any value of a change
 * also sees the odd version stored before it (R1 with W1).
 *
 * What it does not do: steal from an owner that is alive but stopped. Others
 * wait until it goes on or dies. Code holding the lock makes no system call
 * that can wait: at most it asks whether a process lives.
 */
#include <errno.h>

#include "platform/sys.h"
#include "registry/registry.h"

#define WAITERS          0x8000u
#define PATIENCE_NS      1000000u  /* 1 ms before the first question about the owner, */
#define PATIENCE_MOST_NS 10000000u /* twice as much before the next, but not more */
#define DOUBTED          4u        /* from this question on, a living owner may be forged */
#define SPINS            200

static uint32_t own_word(const struct mdg__registry *registry)
{
	return (registry->generation & 0xffff) << 16 | registry->slot1;
}

/* Puts back what a dead owner had half done. The notes are not trusted. */
static int roll_back(struct mdg__registry *registry)
{
	struct mdg__head *head = registry->head;
	uint32_t count = mdg__get32(&head->undo_count);
	if (count == MDG__REBUILDING) {
		mdg__registry_rebuild(registry);
		return 0;
	}
	bool believable = count <= MDG__JOURNAL_MAX;
	for (uint32_t i = believable ? count : 0; i-- > 0;) {
		uint32_t offset = mdg__get32(&head->undo[i].offset);
		uint32_t width = mdg__get32(&head->undo[i].width);
		uint64_t old = mdg__get64(&head->undo[i].old);
		if ((width != 4 && width != 8) || offset % width != 0 ||
		    offset < offsetof(struct mdg__head, cursor) ||
		    offset + (uint64_t)width > registry->length) {
			believable = false;
			continue;
		}
		char *field = (char *)head + offset;
		if (width == 4)
			atomic_store_explicit((mdg__a32 *)(void *)field, (uint32_t)old,
			                      memory_order_release);
		else
			atomic_store_explicit((mdg__a64 *)(void *)field, old, memory_order_release);
	}
	atomic_store_explicit(&head->undo_count, 0, memory_order_release);
	uint32_t version = mdg__get32(&head->version);
	if (version & 1)
		atomic_store_explicit(&head->version, version + 1, memory_order_release);
	return believable ? 0 : MDG_DAMAGED;
}

/* Word and turn, as one. */
union lock {
	struct {
		uint32_t word, turn;
	} as;
	uint64_t both;
};

static mdg__a64 *both_of(const struct mdg__registry *registry)
{
	_Static_assert(offsetof(struct mdg__head, turns) == offsetof(struct mdg__head, lock) + 4 &&
	                       offsetof(struct mdg__head, lock) % 8 == 0,
	               "one aligned 64-bit word");
	return (mdg__a64 *)(void *)((char *)registry->head + offsetof(struct mdg__head, lock));
}

/* Whether the word names a process that is not there any more. */
static bool owner_is_dead(struct mdg__registry *registry, uint32_t word)
{
	uint32_t slot1 = word & 0x7fff;
	if (slot1 == 0)
		return false;
	if (slot1 > mdg__registry_ready_count(registry, MDG__PROCESSES))
		return true; /* no such slot was ever taken: the word is damaged */
	if (mdg__slot_is_own(registry, slot1 - 1))
		return true; /* threads of a process come here one at a time: forged */
	uint32_t tag = mdg__get32(&registry->processes[slot1 - 1].tag);
	if ((tag >> 8 & 0xffff) != word >> 16)
		return true; /* its slot was reaped; it cannot have been alive */
	return !mdg__slot_at_work(registry, slot1 - 1, tag >> 8);
}

static bool owner_is_gone(struct mdg__registry *registry, uint32_t word, uint32_t rounds)
{
	if (owner_is_dead(registry, word))
		return true;
	/* After 4, 8, 16 ... rounds: it costs some 50 us for each thread there, and
	 * an owner that only lost its processor is to get it back. */
	return rounds >= DOUBTED && (rounds & (rounds - 1)) == 0 &&
	       !mdg__slot_may_be_inside(registry, (word & 0x7fff) - 1);
}

static union lock look(const struct mdg__registry *registry)
{
	return (union lock){ .both = atomic_load_explicit(both_of(registry),
		                                          memory_order_relaxed) };
}

/* Takes the lock from `seen` (free, or of an owner that is gone). Acquire: pairs
 * with the release in mdg__unlock, or with the kernel's word on the owner. */
static bool take(struct mdg__registry *registry, union lock seen, uint32_t waiters)
{
	union lock taken = { .as = { own_word(registry) | waiters, seen.as.turn + 1 } };
	return atomic_compare_exchange_strong_explicit(both_of(registry), &seen.both, taken.both,
	                                               memory_order_acquire, memory_order_relaxed);
}

/* Marks the lock as waited for. */
static bool mark(struct mdg__registry *registry, union lock *seen)
{
	uint32_t word = seen->as.word;
	if (word & WAITERS)
		return true;
	if (!atomic_compare_exchange_strong_explicit(&registry->head->lock, &word, word | WAITERS,
	                                             memory_order_relaxed, memory_order_relaxed))
		return false;
	seen->as.word |= WAITERS;
	return true;
}

/* How long to sleep before the question after so many others. */
static uint64_t patience(uint32_t rounds)
{
	uint64_t most = PATIENCE_MOST_NS;
	uint64_t wanted = (uint64_t)PATIENCE_NS << (rounds < 8 ? rounds : 8);
	return wanted < most ? wanted : most;
}

/* The slow way: spin, then sleep and ask about the owner in turns. */
static void wait_and_take(struct mdg__registry *registry)
{
	union lock before = { .both = 0 };
	uint32_t rounds = 0;
	for (int i = 0; i < SPINS; i++) {
		union lock seen = look(registry);
		if ((seen.as.word & 0x7fff) == 0 && take(registry, seen, seen.as.word & WAITERS))
			return;
	}
	for (;;) {
		union lock seen = look(registry);
		if ((seen.as.word & 0x7fff) == 0) {
			/* Others may sleep still: keep the mark, a spare wake is cheap. */
			if (take(registry, seen, WAITERS))
				return;
			continue;
		}
		if (!mark(registry, &seen))
			continue;
		rounds = seen.both == before.both ? rounds : 0;
		before = seen;
		int rc = mdg__sys_futex_wait(&registry->head->lock, seen.as.word, true,
		                             patience(rounds));
		if (rc == -ETIMEDOUT && owner_is_gone(registry, seen.as.word, ++rounds) &&
		    take(registry, seen, WAITERS))
			return;
	}
}

int mdg__lock(struct mdg__registry *registry)
{
	if (registry->slot1 == 0)
		return MDG_NO_SLOT;
	union lock seen = look(registry);
	if (seen.as.word != 0 || !take(registry, seen, 0))
		wait_and_take(registry);
	/* A free lock normally leaves nothing to undo; but an unlock may have been
	 * forged, and it costs two loads to be sure. */
	if (mdg__get32(&registry->head->undo_count) == 0 &&
	    (mdg__get32(&registry->head->version) & 1) == 0)
		return 0;
	int rc = roll_back(registry);
	if (rc < 0)
		mdg__unlock(registry);
	return rc;
}

void mdg__unlock(struct mdg__registry *registry)
{
	mdg__a32 *lock = &registry->head->lock;
	const uint32_t own = own_word(registry);
	/* Only from our own word: one that was taken over is another's by now.
	 * Release: pairs with the acquire in take(). */
	for (;;) {
		uint32_t word = atomic_load_explicit(lock, memory_order_relaxed);
		if ((word & ~WAITERS) != own)
			return;
		if (!atomic_compare_exchange_weak_explicit(lock, &word, 0, memory_order_release,
		                                           memory_order_relaxed))
			continue;
		if (word & WAITERS)
			(void)mdg__sys_futex_wake(lock, 1, true);
		return;
	}
}

/* Notes the old value of a field, and opens the change with the first note. */
static void note(struct mdg__registry *registry, uintptr_t field, uint32_t width, uint64_t old)
{
	struct mdg__head *head = registry->head;
	uint32_t count = atomic_load_explicit(&head->undo_count, memory_order_relaxed);
	if (count == 0) { /* W1 */
		uint32_t version = atomic_load_explicit(&head->version, memory_order_relaxed);
		atomic_store_explicit(&head->version, version | 1, memory_order_release);
	}
	if (count >= MDG__JOURNAL_MAX)
		count = MDG__JOURNAL_MAX - 1; /* the count was forged: stay in bounds */
	struct mdg__undo *undo = &head->undo[count];
	atomic_store_explicit(&undo->offset, (uint32_t)(field - (uintptr_t)head),
	                      memory_order_release);
	atomic_store_explicit(&undo->width, width, memory_order_release);
	atomic_store_explicit(&undo->old, old, memory_order_release);
	atomic_store_explicit(&head->undo_count, count + 1, memory_order_release);
}

void mdg__put32(struct mdg__registry *registry, mdg__a32 *field, uint32_t value)
{
	uint32_t old = atomic_load_explicit(field, memory_order_relaxed);
	if (old == value)
		return;
	note(registry, (uintptr_t)field, 4, old);
	atomic_store_explicit(field, value, memory_order_release);
}

void mdg__put64(struct mdg__registry *registry, mdg__a64 *field, uint64_t value)
{
	uint64_t old = atomic_load_explicit(field, memory_order_relaxed);
	if (old == value)
		return;
	note(registry, (uintptr_t)field, 8, old);
	atomic_store_explicit(field, value, memory_order_release);
}

void mdg__commit(struct mdg__registry *registry)
{
	struct mdg__head *head = registry->head;
	uint32_t version = atomic_load_explicit(&head->version, memory_order_relaxed);
	if ((version & 1) == 0)
		return; /* nothing was put */
	/* From here on the change has happened; a death before the next store
	 * leaves an odd version and no notes, and the taker evens it. */
	atomic_store_explicit(&head->undo_count, 0, memory_order_release);
	atomic_store_explicit(&head->version, version + 1, memory_order_release);
}

bool mdg__read_begin(const struct mdg__registry *registry, uint32_t *ret_version)
{
	for (int i = 0; i < SPINS; i++) {
		*ret_version = mdg__get32(&registry->head->version);
		if ((*ret_version & 1) == 0)
			return true;
	}
	return false;
}

bool mdg__read_retry(const struct mdg__registry *registry, uint32_t version)
{
	/* R1: the loads before were acquires, so this one comes after them. */
	return atomic_load_explicit(&registry->head->version, memory_order_relaxed) != version;
}
