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
 * are, how large they are, and how much of the journal is used. Each number of a record is read
 * once and compared with these before it is used, whoever wrote it. A commit checks the whole
 * journal before it begins, so a damaged one changes nothing. The sum finds damage whose numbers
 * look possible. It does not protect from processes that mean harm: they can write to the data.
 *
 * WHAT IT DOES NOT DO. Cancelling does not restore memory outside of the data. A thread that
 * reads the data without beginning a transaction may see half a commit.
 */
#include "sync/txn.h"

#include <string.h>

enum { JOURNAL_LEAST = 64, HEAD = sizeof(struct mdg__record) };
static const size_t journal_most = (size_t)1 << 31;

struct run {
	struct mdg__txn *txn; /* NULL: none is running */
	unsigned char *data;
	size_t size, journal, used;
	struct mdg__txn_guest *guest; /* NULL: none */
};
_Static_assert(sizeof(struct run) <= sizeof(mdg_txn_run), "");

static struct mdg__txn *inside(mdg_txn *txn)
{
	return (struct mdg__txn *)(void *)txn;
}

static struct run *run_of(mdg_txn_run *run)
{
	return (struct run *)(void *)run;
}

static unsigned char *journal_of(struct mdg__txn *txn)
{
	return (unsigned char *)txn + sizeof(*txn);
}

static bool apart(uintptr_t one, size_t one_size, uintptr_t other, size_t other_size)
{
	return one < other ? other - one >= one_size : one - other >= other_size;
}

/* The object may lie in the data. Then no write may reach it. `offset`: in the data. */
static bool spares_object(const struct run *run, size_t offset, size_t size)
{
	return apart(offset, size, (uintptr_t)run->txn - (uintptr_t)run->data,
	             MDG_TXN_SIZE(run->journal));
}

/* ---- records ------------------------------------------------------------------------------ */

struct record_view {
	size_t offset, length; /* lies in the data */
	const unsigned char *bytes;
};

/* Reads the word exactly once. */
static uint64_t read_word(const unsigned char *at)
{
	return *(const volatile uint64_t *)(const void *)at;
}

/* Words are written most: of these the compiler makes a load and a store. */
static inline void copy(void *to, const void *from, size_t size)
{
	if (size == 8)
		memcpy(to, from, 8);
	else
		memcpy(to, from, size);
}

/* Gets the record at *at, and moves *at behind it. False: there can be no record. [*at <
 * run->used, and both are multiples of 8] */
static bool record_at(const struct run *run, size_t *at, struct record_view *ret)
{
	const unsigned char *record = journal_of(run->txn) + *at;
	size_t room = run->used - *at;
	if (room < HEAD)
		return false;
	room -= HEAD;
	uint64_t offset = read_word(record + offsetof(struct mdg__record, offset));
	uint64_t length = read_word(record + offsetof(struct mdg__record, length));
	if (length == 0 || length > room || length > run->size || offset > run->size - length ||
	    !spares_object(run, (size_t)offset, (size_t)length))
		return false;
	*ret = (struct record_view){ (size_t)offset, (size_t)length, record + HEAD };
	*at += HEAD + ((size_t)length + 7) / 8 * 8;
	return true;
}

/* Each step is a bijection. So if one word alone is changed, the sum is never the same. */
static uint64_t sum_of(const struct run *run)
{
	const unsigned char *journal = journal_of(run->txn);
	uint64_t sum = run->used + UINT64_C(0x9e3779b97f4a7c15);
	for (size_t at = 0; at < run->used; at += 8) {
		sum = (sum ^ read_word(journal + at)) * UINT64_C(0xff51afd7ed558ccd);
		sum ^= sum >> 32;
	}
	return sum;
}

static bool all_possible(const struct run *run)
{
	struct record_view view;
	size_t at = 0;
	while (at < run->used)
		if (!record_at(run, &at, &view))
			return false;
	return true;
}

/* False: the journal has changed since it was checked. */
static bool copy_all(const struct run *run)
{
	struct record_view view;
	size_t at = 0;
	while (at < run->used) {
		if (!record_at(run, &at, &view))
			return false;
		copy(run->data + view.offset, view.bytes, view.length);
	}
	return true;
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
static bool carry_out(const struct run *run, uint64_t number)
{
	if (!copy_all(run))
		return false;
	if (number != 0)
		atomic_store_explicit(&run->txn->done, number, memory_order_release);
	/* Release, (3): the data come before it. */
	atomic_store_explicit(&run->txn->state, MDG__JOURNAL_IDLE, memory_order_release);
	return true;
}

/* Finishes what an earlier owner left COMMITTED, if it did; finds run->used for that. False: the
 * journal is damaged. */
static bool recover(struct run *run)
{
	struct mdg__txn *txn = run->txn;
	/* Acquire: pairs with the releases in mdg_txn_commit and carry_out; as does the word. */
	uint32_t state = atomic_load_explicit(&txn->state, memory_order_acquire);
	if (__builtin_expect(state == MDG__JOURNAL_IDLE, 1))
		return true;
	run->used = atomic_load_explicit(&txn->used, memory_order_relaxed);
	bool guest = state == MDG__JOURNAL_BLOCKS;
	uint64_t number = guest ? atomic_load_explicit(&txn->joined, memory_order_relaxed) : 0;
	if ((state != MDG__JOURNAL_COMMITTED && !guest) || run->used % 8 != 0 ||
	    run->used > run->journal ||
	    atomic_load_explicit(&txn->sum, memory_order_relaxed) != sum_of(run) ||
	    !all_possible(run) || !carry_out(run, number))
		return false;
	run->used = 0;
	return true;
}

/* ---- beginning ---------------------------------------------------------------------------- */

static bool contains(uintptr_t one, size_t one_size, uintptr_t other, size_t other_size)
{
	return one <= other && other_size <= one_size && other - one <= one_size - other_size;
}

/* Whether the numbers that the caller gives can be right. Looks at no memory. */
static bool possible(const mdg_txn *txn, size_t journal, const void *data, size_t size)
{
	if (journal < JOURNAL_LEAST || journal > journal_most || size == 0)
		return false;
	size_t object = MDG_TXN_SIZE(journal);
	uintptr_t from = (uintptr_t)txn, to = (uintptr_t)data;
	return object <= UINTPTR_MAX - from && size <= UINTPTR_MAX - to &&
	       (apart(from, object, to, size) || contains(to, size, from, object));
}

/* Whether the caller gives the same sizes as the first one did. If it is the first, records them.
 * [the word is held] */
static bool agreed(struct mdg__txn *txn, size_t journal, size_t size)
{
	uint32_t recorded = atomic_load_explicit(&txn->journal, memory_order_relaxed);
	if (__builtin_expect(recorded != 0, 1))
		return recorded == journal &&
		       atomic_load_explicit(&txn->size, memory_order_relaxed) == size;
	atomic_store_explicit(&txn->size, size, memory_order_relaxed);
	/* Release: if this thread is killed between the two stores, nothing is recorded. */
	atomic_store_explicit(&txn->journal, (uint32_t)journal, memory_order_release);
	return true;
}

/* `rc` is the result of taking the word. If the sizes are wrong, this caller is not told of a
 * death, and the next one is. */
static int begin(struct run *run, int rc)
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
	if (__builtin_expect(state != 0, 0))
		atomic_store_explicit(&txn->owned.state, 0, memory_order_relaxed);
	return state != 0 ? MDG_OWNER_DIED : rc;
}

/* Makes `run` say whether it is running. Before, it may contain anything. */
static int begun(struct run *run, const struct run *asked, int rc)
{
	struct run new = *asked;
	if (rc == 0 || rc == MDG_OWNER_DIED)
		rc = begin(&new, rc);
	if (rc == 0 || rc == MDG_OWNER_DIED)
		*run = new;
	else if (rc != -EDEADLK || run->txn != new.txn) /* otherwise it is still running */
		run->txn = NULL;
	return rc;
}

int mdg_txn_begin_until(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size,
                        uint64_t deadline)
{
	struct run asked = { inside(txn), data, size, journal, 0, NULL };
	if (!possible(txn, journal, data, size))
		return begun(run_of(run), &asked, -EINVAL);
	return begun(run_of(run), &asked, mdg__owned_take(&asked.txn->owned, deadline));
}

int mdg_txn_begin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size)
{
	return mdg_txn_begin_until(run, txn, journal, data, size, MDG_FOREVER);
}

int mdg_txn_trybegin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size)
{
	struct run asked = { inside(txn), data, size, journal, 0, NULL };
	if (!possible(txn, journal, data, size))
		return begun(run_of(run), &asked, -EINVAL);
	return begun(run_of(run), &asked, mdg__owned_try(&asked.txn->owned));
}

/* ---- inside ------------------------------------------------------------------------------- */

static bool is_running(const struct run *run)
{
	return run->txn != NULL && mdg__owned_is_mine(&run->txn->owned);
}

struct mdg__txn *mdg__txn_running(const mdg_txn_run *txn_run, struct mdg__txn_guest **ret_guest)
{
	const struct run *run = (const struct run *)(const void *)txn_run;
	*ret_guest = NULL;
	if (!is_running(run))
		return NULL;
	*ret_guest = run->guest;
	return run->txn;
}

void mdg__txn_join(mdg_txn_run *txn_run, struct mdg__txn_guest *guest)
{
	struct run *run = run_of(txn_run);
	/* Release: whoever sees it sees what was told about the number before. */
	atomic_store_explicit(&run->txn->joined, guest->number, memory_order_release);
	run->guest = guest;
}

/* Whether these bytes lie in the data, and at which offset. */
static bool in_data(const struct run *run, const void *at, size_t size, size_t *ret_offset)
{
	*ret_offset = (size_t)((uintptr_t)at - (uintptr_t)run->data);
	return *ret_offset <= run->size && size <= run->size - *ret_offset &&
	       (size == 0 || spares_object(run, *ret_offset, size));
}

int mdg_txn_write(mdg_txn_run *txn_run, void *at, const void *value, size_t size)
{
	struct run *run = run_of(txn_run);
	struct mdg__record record = { .length = size };
	size_t offset;
	if (!is_running(run))
		return -EPERM;
	if (!in_data(run, at, size, &offset))
		return -EINVAL;
	if (size == 0)
		return 0;
	size_t room = run->journal - run->used;
	if (room < HEAD || size > room - HEAD)
		return -ENOSPC;
	unsigned char *place = journal_of(run->txn) + run->used;
	record.offset = offset;
	memcpy(place, &record, HEAD);
	copy(place + HEAD, value, size);
	if (size % 8 != 0)
		memset(place + HEAD + size, 0, 8 - size % 8);
	run->used += HEAD + (size + 7) / 8 * 8;
	return 0;
}

/* Copies the part of the record that lies in [offset, offset + size). */
static void overlay(const struct record_view *view, unsigned char *value, size_t offset,
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
	const struct run *run = (const struct run *)(const void *)txn_run;
	struct record_view view;
	size_t offset;
	if (!is_running(run))
		return -EPERM;
	if (!in_data(run, at, size, &offset))
		return -EINVAL;
	memcpy(value, at, size);
	for (size_t done = 0; done < run->used;) {
		if (!record_at(run, &done, &view))
			return MDG_BROKEN;
		overlay(&view, value, offset, size);
	}
	return 0;
}

/* ---- ending ------------------------------------------------------------------------------- */

/* [the word is held] The guest does its part. After that nobody asks about its number. */
static void guest_ends(const struct run *run, enum mdg__txn_end how)
{
	if (run->guest != NULL && run->guest->ended(run->guest, how))
		atomic_store_explicit(&run->txn->joined, 0, memory_order_release);
}

static int broken_with_guest(const struct run *run, enum mdg__txn_end how)
{
	guest_ends(run, how);
	return broken(run->txn);
}

int mdg_txn_commit(mdg_txn_run *txn_run)
{
	struct run *run = run_of(txn_run);
	struct run last = *run;
	if (!is_running(run))
		return -EPERM;
	run->txn = NULL;
	uint64_t number = last.guest != NULL ? last.guest->number : 0;
	if (last.used == 0 && number == 0)
		return mdg__owned_give(&last.txn->owned);
	if (!all_possible(&last))
		return broken_with_guest(&last, MDG__TXN_CANCELLED);
	atomic_store_explicit(&last.txn->used, (uint32_t)last.used, memory_order_relaxed);
	atomic_store_explicit(&last.txn->sum, sum_of(&last), memory_order_relaxed);
	/* Release, (1): the journal comes before it. */
	atomic_store_explicit(&last.txn->state,
	                      number != 0 ? MDG__JOURNAL_BLOCKS : MDG__JOURNAL_COMMITTED,
	                      memory_order_release);
	/* (2): the data come after it. */
	atomic_signal_fence(memory_order_seq_cst);
	if (!carry_out(&last, number))
		return broken_with_guest(&last, MDG__TXN_IN_DOUBT);
	guest_ends(&last, MDG__TXN_COMMITTED);
	return mdg__owned_give(&last.txn->owned);
}

int mdg_txn_cancel(mdg_txn_run *txn_run)
{
	struct run *run = run_of(txn_run);
	if (!is_running(run))
		return -EPERM;
	struct run last = *run;
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
