/* SPDX-License-Identifier: MIT */
/*
 * txn.c - an owned word with a redo journal. txn.h and docs/sync-journal.md describe the layout.
 *
 * Writes go to the journal only. A commit
 *   1. checks the journal and stores its length and its sum,
 *   2. stores COMMITTED,
 *   3. copies the records into the data,
 *   4. stores IDLE,
 *   5. lets its guest do its part, if it has one (txn.h), and
 *   6. gives the word back.
 * The transaction happens at step 2. If the owner dies later, the next owner finds COMMITTED and
 * copies all records again. The result is the same, however many had been copied; and if that
 * owner dies, too, the next one does it. If the owner dies earlier, nothing has been copied, and
 * the records are dropped.
 *
 * ORDER. A process that is killed has made all stores before the place of its death, in the order
 * of its instructions, and none after. The next owner sees them, because it learns of the death
 * from the kernel. So it is enough that the compiler keeps this order:
 *   (1) the journal before COMMITTED;   (2) COMMITTED before the data;
 *   (3) the data, and the guest's number in `done`, before IDLE;
 *   and IDLE before the word, by the word's release.
 * Among threads that live, the word orders everything.
 *
 * TRUST. The owner knows from its own memory, the `mdg_txn_run`, where the data and the journal
 * are, how large they are, and how much of the journal is used. Each number of a record is compared
 * with these before it is used, whoever wrote it (txn_journal.h). A commit checks the whole
 * journal before it begins, so a damaged one changes nothing. The sum finds damage whose numbers
 * look possible. It does not protect from processes that mean harm: they can write to the data.
 *
 * WHAT IT DOES NOT DO. Cancelling does not restore memory outside of the data. A thread that
 * reads the data without beginning a transaction may see half a commit.
 */
#include "sync/txn_journal.h"

enum { JOURNAL_LEAST = 64 };
static const size_t journal_most = (size_t)1 << 31;

static struct mdg__txn *inside(mdg_txn *txn)
{
	return (struct mdg__txn *)(void *)txn;
}

static struct mdg__run *run_of(mdg_txn_run *run)
{
	return (struct mdg__run *)(void *)run;
}

/* ---- to the end --------------------------------------------------------------------------- */

/* Marks the transaction broken, and gives it back. It stays broken until it is destroyed. */
static int broken(struct mdg__txn *txn)
{
	atomic_store_explicit(&txn->owned.state, MDG__BROKEN, memory_order_relaxed);
	(void)mdg__owned_give(&txn->owned);
	return MDG_BROKEN;
}

/* Copies the records: from COMMITTED to IDLE. `number`: of the guest, or 0. False: the journal is
 * damaged. */
static inline bool carry_out(const struct mdg__run *run, const struct mdg__tally *tally,
                             uint64_t number)
{
	if (tally->words == 0 && !mdg__journal_copy(run))
		return false;
	for (unsigned i = 0; i < tally->words; i++)
		memcpy(run->data + tally->word[i].offset, &tally->word[i].value, 8);
	if (number != 0)
		atomic_store_explicit(&run->txn->done, number, memory_order_release);
	/* Release, (3): the data come before it. */
	atomic_store_explicit(&run->txn->state, MDG__JOURNAL_IDLE, memory_order_release);
	return true;
}

/* Finishes what an earlier owner left COMMITTED, if it did; finds run->used for that. False: the
 * journal is damaged. */
static bool recover(struct mdg__run *run)
{
	struct mdg__txn *txn = run->txn;
	struct mdg__tally tally;
	/* Acquire: pairs with the releases in mdg_txn_commit and carry_out; as does the word. */
	uint32_t state = atomic_load_explicit(&txn->state, memory_order_acquire);
	if (state == MDG__JOURNAL_IDLE)
		return true;
	run->used = atomic_load_explicit(&txn->used, memory_order_relaxed);
	bool guest = state == MDG__JOURNAL_BLOCKS;
	uint64_t number = guest ? atomic_load_explicit(&txn->joined, memory_order_relaxed) : 0;
	if ((state != MDG__JOURNAL_COMMITTED && !guest) || run->used % 8 != 0 ||
	    run->used > run->journal || !mdg__journal_tally(run, &tally) ||
	    atomic_load_explicit(&txn->sum, memory_order_relaxed) != tally.sum ||
	    !carry_out(run, &tally, number))
		return false;
	run->used = 0;
	return true;
}

/* ---- beginning ---------------------------------------------------------------------------- */

static inline bool contains(uintptr_t one, size_t one_size, uintptr_t other, size_t other_size)
{
	return one <= other && other_size <= one_size && other - one <= one_size - other_size;
}

/* Whether the numbers that the caller gives can be right. Looks at no memory. */
static inline bool possible(const mdg_txn *txn, size_t journal, const void *data, size_t size)
{
	if (journal < JOURNAL_LEAST || journal > journal_most || size == 0)
		return false;
	size_t object = MDG_TXN_SIZE(journal);
	uintptr_t from = (uintptr_t)txn, to = (uintptr_t)data;
	return object <= UINTPTR_MAX - from && size <= UINTPTR_MAX - to &&
	       (mdg__apart(from, object, to, size) || contains(to, size, from, object));
}

/* Whether the caller gives the same sizes as the first one did. If it is the first, records them.
 * [the word is held] */
static bool agreed(struct mdg__txn *txn, size_t journal, size_t size)
{
	uint32_t recorded = atomic_load_explicit(&txn->journal, memory_order_relaxed);
	if (recorded != 0)
		return recorded == journal &&
		       atomic_load_explicit(&txn->size, memory_order_relaxed) == size;
	atomic_store_explicit(&txn->size, size, memory_order_relaxed);
	/* Release: if this thread is killed between the two stores, nothing is recorded. */
	atomic_store_explicit(&txn->journal, (uint32_t)journal, memory_order_release);
	return true;
}

/* `rc` is the result of taking the word. If the sizes are wrong, this caller is not told of a
 * death, and the next one is. */
static int begin(struct mdg__run *run, int rc)
{
	struct mdg__txn *txn = run->txn;
	uint32_t state = atomic_load_explicit(&txn->owned.state, memory_order_relaxed);
	if (state >= MDG__BROKEN)
		return broken(txn);
	if (!agreed(txn, run->journal, run->size)) {
		if (rc == MDG_OWNER_DIED)
			atomic_store_explicit(&txn->owned.state, MDG__UNREPAIRED,
			                      memory_order_relaxed);
		(void)mdg__owned_give(&txn->owned);
		return -EINVAL;
	}
	run->journal = run->journal / 8 * 8;
	if (!recover(run))
		return broken(txn);
	if (state != 0)
		atomic_store_explicit(&txn->owned.state, 0, memory_order_relaxed);
	return state != 0 ? MDG_OWNER_DIED : rc;
}

/* Makes `run` say whether it is running. Before, it may contain anything. */
static __attribute__((noinline)) int begun_other(struct mdg__run *run, const struct mdg__run *asked,
                                                 int rc)
{
	struct mdg__run new = *asked;
	if (rc == 0 || rc == MDG_OWNER_DIED)
		rc = begin(&new, rc);
	if (rc == 0 || rc == MDG_OWNER_DIED)
		*run = new;
	else if (rc != -EDEADLK || run->txn != new.txn) /* otherwise it is still running */
		run->txn = NULL;
	return rc;
}

/* The same, with what `begin` does where nobody has left anything. */
static inline int begun(struct mdg__run *run, struct mdg__txn *txn, size_t journal, void *data,
                        size_t size, int rc)
{
	/* Acquire: as in `recover`. */
	if (__builtin_expect(
		    rc == 0 && atomic_load_explicit(&txn->owned.state, memory_order_relaxed) == 0 &&
			    atomic_load_explicit(&txn->journal, memory_order_relaxed) == journal &&
			    atomic_load_explicit(&txn->size, memory_order_relaxed) == size &&
			    atomic_load_explicit(&txn->state, memory_order_acquire) ==
				    MDG__JOURNAL_IDLE,
		    1)) {
		*run = (struct mdg__run){ txn, data, size, journal / 8 * 8, 0, NULL };
		return 0;
	}
	struct mdg__run asked = { txn, data, size, journal, 0, NULL };
	return begun_other(run, &asked, rc);
}

static inline int begin_until(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data,
                              size_t size, uint64_t deadline)
{
	int rc = -EINVAL;
	if (__builtin_expect(possible(txn, journal, data, size), 1))
		rc = mdg__owned_take(&inside(txn)->owned, deadline);
	return begun(run_of(run), inside(txn), journal, data, size, rc);
}

int mdg_txn_begin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size)
{
	return begin_until(run, txn, journal, data, size, MDG_FOREVER);
}

int mdg_txn_begin_until(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size,
                        uint64_t deadline)
{
	return begin_until(run, txn, journal, data, size, deadline);
}

int mdg_txn_trybegin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size)
{
	int rc = -EINVAL;
	if (possible(txn, journal, data, size))
		rc = mdg__owned_try(&inside(txn)->owned);
	return begun(run_of(run), inside(txn), journal, data, size, rc);
}

/* ---- inside ------------------------------------------------------------------------------- */

static inline bool is_running(const struct mdg__run *run)
{
	return run->txn != NULL && mdg__owned_is_mine(&run->txn->owned);
}

struct mdg__txn *mdg__txn_running(const mdg_txn_run *txn_run, struct mdg__txn_guest **ret_guest)
{
	const struct mdg__run *run = (const struct mdg__run *)(const void *)txn_run;
	*ret_guest = NULL;
	if (!is_running(run))
		return NULL;
	*ret_guest = run->guest;
	return run->txn;
}

void mdg__txn_join(mdg_txn_run *txn_run, struct mdg__txn_guest *guest)
{
	struct mdg__run *run = run_of(txn_run);
	/* Release: whoever sees it sees what was told about the number before. */
	atomic_store_explicit(&run->txn->joined, guest->number, memory_order_release);
	run->guest = guest;
}

/* Whether these bytes lie in the data, and at which offset. */
static inline bool in_data(const struct mdg__run *run, const void *at, size_t size,
                           size_t *ret_offset)
{
	*ret_offset = (size_t)((uintptr_t)at - (uintptr_t)run->data);
	return *ret_offset <= run->size && size <= run->size - *ret_offset &&
	       (size == 0 || mdg__journal_spares(run, *ret_offset, size));
}

int mdg_txn_write(mdg_txn_run *txn_run, void *at, const void *value, size_t size)
{
	struct mdg__run *run = run_of(txn_run);
	struct mdg__record record = { .length = size };
	size_t offset;
	if (!is_running(run))
		return -EPERM;
	if (!in_data(run, at, size, &offset))
		return -EINVAL;
	if (size == 0)
		return 0;
	size_t room = run->journal - run->used;
	if (room < MDG__RECORD_HEAD || size > room - MDG__RECORD_HEAD)
		return -ENOSPC;
	unsigned char *place = mdg__journal_of(run->txn) + run->used;
	record.offset = offset;
	memcpy(place, &record, MDG__RECORD_HEAD);
	mdg__journal_copy_bytes(place + MDG__RECORD_HEAD, value, size);
	if (size % 8 != 0)
		memset(place + MDG__RECORD_HEAD + size, 0, 8 - size % 8);
	run->used += MDG__RECORD_HEAD + (size + 7) / 8 * 8;
	return 0;
}

/* Copies the part of the record that lies in [offset, offset + size). */
static void overlay(const struct mdg__record_view *view, unsigned char *value, size_t offset,
                    size_t size)
{
	size_t from = view->offset > offset ? view->offset : offset;
	size_t view_end = view->offset + view->length, end = offset + size;
	if (end > view_end)
		end = view_end;
	if (from < end)
		memcpy(value + (from - offset), view->bytes + (from - view->offset), end - from);
}

int mdg_txn_read(const mdg_txn_run *txn_run, const void *at, void *value, size_t size)
{
	const struct mdg__run *run = (const struct mdg__run *)(const void *)txn_run;
	struct mdg__record_view view;
	size_t offset;
	if (!is_running(run))
		return -EPERM;
	if (!in_data(run, at, size, &offset))
		return -EINVAL;
	memcpy(value, at, size);
	for (size_t done = 0; done < run->used;) {
		if (!mdg__record_at(run, &done, &view))
			return MDG_BROKEN;
		overlay(&view, value, offset, size);
	}
	return 0;
}

/* ---- ending ------------------------------------------------------------------------------- */

/* [the word is held] The guest does its part. After that nobody asks about its number. */
static void guest_ends(const struct mdg__run *run, enum mdg__txn_end how)
{
	if (run->guest != NULL && run->guest->ended(run->guest, how))
		atomic_store_explicit(&run->txn->joined, 0, memory_order_release);
}

/* As mdg__owned_give, with less to do for the latest lock of the thread. */
static inline int give_back(struct mdg__txn *txn)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	uintptr_t before;
	if (__builtin_expect(!mdg__owned_is_latest(&txn->owned, thread), 0))
		return mdg__owned_give(&txn->owned);
	if (__builtin_expect(!mdg__robust_give_latest(thread, &txn->owned.robust, &before), 0))
		mdg__robust_wake(&txn->owned.robust, 1);
	mdg__pending_end(thread, before);
	return 0;
}

static int broken_with_guest(struct mdg__run *run, enum mdg__txn_end how)
{
	struct mdg__txn *txn = run->txn;
	guest_ends(run, how);
	run->txn = NULL;
	return broken(txn);
}

int mdg_txn_commit(mdg_txn_run *txn_run)
{
	struct mdg__run *run = run_of(txn_run);
	struct mdg__txn *txn = run->txn;
	struct mdg__tally tally;
	if (!is_running(run))
		return -EPERM;
	uint64_t number = run->guest != NULL ? run->guest->number : 0;
	if (run->used != 0 || number != 0) {
		if (!mdg__journal_tally(run, &tally))
			return broken_with_guest(run, MDG__TXN_CANCELLED);
		atomic_store_explicit(&txn->used, (uint32_t)run->used, memory_order_relaxed);
		atomic_store_explicit(&txn->sum, tally.sum, memory_order_relaxed);
		/* Release, (1): the journal comes before it. */
		atomic_store_explicit(&txn->state,
		                      number != 0 ? MDG__JOURNAL_BLOCKS : MDG__JOURNAL_COMMITTED,
		                      memory_order_release);
		/* (2): the data come after it. */
		atomic_signal_fence(memory_order_seq_cst);
		if (!carry_out(run, &tally, number))
			return broken_with_guest(run, MDG__TXN_IN_DOUBT);
		guest_ends(run, MDG__TXN_COMMITTED);
	}
	run->txn = NULL;
	return give_back(txn);
}

int mdg_txn_cancel(mdg_txn_run *txn_run)
{
	struct mdg__run *run = run_of(txn_run);
	if (!is_running(run))
		return -EPERM;
	struct mdg__run last = *run;
	run->txn = NULL;
	guest_ends(&last, MDG__TXN_CANCELLED);
	return mdg__owned_give(&last.txn->owned);
}

int mdg_txn_destroy(mdg_txn *txn)
{
	struct mdg__txn *in = inside(txn);
	int rc = mdg__owned_take_to_destroy(&in->owned);
	if (rc != 0)
		return rc;
	/* A guest that had committed is as good as carried out. If the journal was found damaged,
	 * nothing was copied, and it is as if it had not committed. */
	if (atomic_load_explicit(&in->state, memory_order_relaxed) == MDG__JOURNAL_BLOCKS &&
	    atomic_load_explicit(&in->owned.state, memory_order_relaxed) < MDG__BROKEN)
		atomic_store_explicit(&in->done,
		                      atomic_load_explicit(&in->joined, memory_order_relaxed),
		                      memory_order_release);
	/* Release: if this thread is killed in between, a commit is either still there or
	 * forgotten. */
	atomic_store_explicit(&in->state, MDG__JOURNAL_IDLE, memory_order_release);
	atomic_store_explicit(&in->journal, 0, memory_order_release);
	atomic_store_explicit(&in->owned.state, 0, memory_order_release);
	return mdg__owned_give(&in->owned);
}
