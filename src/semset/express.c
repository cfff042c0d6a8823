/* SPDX-License-Identifier: MIT */
/*
 * express.c - a change of up to three semaphores and their sums, without the lock and without
 * blocking signals.
 *
 * A change is written down first, in a block that only this thread uses, the SLIP. Then
 *   1. the slip's state becomes TRIED,
 *   2. each word is swapped for one that says EXPRESS and names the slip; its value stays,
 *   3. the state is swapped from TRIED to DONE. This is the moment at which all of it has happened.
 *   4. The sums are swapped, the words are swapped for the new ones, and the state becomes IDLE.
 *
 * Whoever finds a word that says EXPRESS, and has the lock, reads the slip, and ends what it says.
 * If the state is TRIED, it swaps it for ABORTED, and the old word comes back. If the state is
 * DONE, it does step 4 for this word. So it does not matter where the thread is killed,
 * stopped, or interrupted by a signal handler that operates on the same set.
 *
 * All swaps are compare-and-swaps, and nothing comes back: each use of a slip has a new number,
 * which the words repeat, and each sum counts its changes. So a thread that goes on late finds
 * everything changed, and changes nothing.
 *
 * A sum changes only while the word of its semaphore is in the hands of whoever changes it:
 * named by a slip, or BUSY. So the sum that step 2 has read is the sum of step 4.
 */
#include "semset/internal.h"

#include "semset/region.h"
#include "sync/wait.h"

#define STATE  UINT64_C(3)
#define NUMBER UINT64_C(4) /* one more */

enum { SLOW = 1, PATIENCE = 60 };

/* ---- words and slips ----------------------------------------------------------------- */

/* bits 0..15 the value, bit 17 EXPRESS, bits 18..31 and 52..63 the number, bits 32..51 the slip. */
static uint64_t express_word(uint64_t old, uint32_t slip1, uint64_t state)
{
	uint64_t number = state / NUMBER;
	return (old & 0xffff) | MDG__EXPRESS | (number & 0x3fff) << 18 | (uint64_t)slip1 << 32 |
	       (number >> 14 & 0xfff) << 52;
}

static uint32_t slip_of(uint64_t word)
{
	return (uint32_t)(word >> 32) & 0xfffff;
}

static bool swap64(mdg__a64 *field, uint64_t from, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(field, &from, to, memory_order_acq_rel,
	                                               memory_order_acquire);
}

static struct mdg__entry_of_slip *entry_for(struct mdg__slip *slip, uint32_t number)
{
	uint32_t count = mdg__load32(&slip->count);
	for (uint32_t i = 0; i < count && i < MDG__SLIP_ENTRIES; i++)
		if ((mdg__load32(&slip->entries[i].number_value) & 0xffff) == number)
			return &slip->entries[i];
	return NULL;
}

static uint64_t new_word(const struct mdg__slip *slip, const struct mdg__entry_of_slip *entry)
{
	return mdg__word((int32_t)(mdg__load32(&entry->number_value) >> 16), 0,
	                 (int32_t)mdg__load32(&slip->pid));
}

static uint64_t changed_sum(uint64_t sum, int32_t change)
{
	uint32_t now = (uint32_t)(int32_t)mdg__sum_value(sum) + (uint32_t)change;
	return ((sum & ~UINT64_C(0xffff)) + 0x10000) | (now & 0xffff);
}

/* Step 4 for a sum. */
static void change_sum(const struct mdg__semset *set, uint32_t holder1, uint32_t number,
                       uint64_t old, int32_t change)
{
	mdg__a64 *sum = change == 0 ? NULL : mdg__sum_at(set, holder1, number);
	if (sum != NULL)
		(void)swap64(sum, old, changed_sum(old, change));
}

/* ---- for whoever has the lock -------------------------------------------------------- */

/* Returns what to look for at the word next: nothing has been done if the slip has gone on. */
static void resolve(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t number,
                    uint64_t word)
{
	mdg__a64 *at = &mdg__semset_at(set, number)->word;
	uint64_t state = mdg__load64(&slip->state);
	const struct mdg__entry_of_slip *entry = entry_for(slip, number);
	if (entry == NULL || express_word(word, slip_of(word), state) != word) {
		/* Gone on, or damage: then nobody knows who was the last. */
		if (mdg__load64(at) == word && mdg__load64(&slip->state) == state)
			(void)swap64(at, word, word & 0xffff);
		return;
	}
	uint64_t old = mdg__load64(&entry->old), new = new_word(slip, entry);
	uint64_t sum = mdg__load64(&entry->sum);
	int32_t change = (int32_t)mdg__load32(&entry->sum_change);
	uint32_t holder1 = mdg__load32(&slip->holder1);
	if (mdg__load64(&slip->state) != state)
		return; /* what was read may not belong together */
	if ((state & STATE) == MDG__SLIP_TRIED) {
		(void)swap64(&slip->state, state, (state & ~STATE) | MDG__SLIP_ABORTED);
	} else if ((state & STATE) == MDG__SLIP_DONE) {
		change_sum(set, holder1, number, sum, change);
		(void)swap64(at, word, new);
	} else {
		(void)swap64(at, word, old & ~MDG__WORD_FLAGS);
	}
}

void mdg__express_resolve(const struct mdg__semset *set, uint32_t number, uint64_t word)
{
	struct mdg__slip *slip = mdg__block_at(set, slip_of(word), MDG__SLIP);
	if (slip != NULL)
		resolve(set, slip, number, word);
	else
		(void)swap64(&mdg__semset_at(set, number)->word, word, word & 0xffff);
}

/* ---- this thread's slips ------------------------------------------------------------- */

static struct mdg__slip *own_slip(const struct mdg__semset *set, const struct mdg__slip_kept *kept)
{
	struct mdg__slip *slip = mdg__block_at(set, kept->slip1, MDG__SLIP);
	bool own = slip != NULL && mdg__load32(&slip->tid) == mdg__this_thread.tid &&
	           mdg__load32(&slip->pid) == (uint32_t)set->self.pid;
	return own ? slip : NULL;
}

/* Ends what a call of this thread had begun that a handler has left by longjmp. */
static void end_left(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t slip1)
{
	uint64_t state = mdg__load64(&slip->state);
	if ((state & STATE) == MDG__SLIP_TRIED)
		(void)swap64(&slip->state, state, (state & ~STATE) | MDG__SLIP_ABORTED);
	for (uint32_t i = 0; i < mdg__load32(&slip->count) && i < MDG__SLIP_ENTRIES; i++) {
		uint32_t number = mdg__load32(&slip->entries[i].number_value) & 0xffff;
		if (number >= set->count)
			continue;
		uint64_t word = mdg__load64(&mdg__semset_at(set, number)->word);
		if ((word & MDG__EXPRESS) != 0 && slip_of(word) == slip1)
			resolve(set, slip, number, word);
	}
	mdg__fill64(&slip->state, mdg__load64(&slip->state) & ~STATE);
}

/* NULL: this thread has none for the set, or an older call of it is just using it. */
static struct mdg__slip_kept *find_slip(const struct mdg__semset *set, struct mdg__slip **ret)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct mdg__set_region *own = mdg__set_region();
	for (uint32_t i = 0; own != NULL && i < MDG__SLIPS_KEPT; i++) {
		struct mdg__slip_kept *kept = &own->slip[i];
		if (kept->base != set->base || kept->slip1 == 0)
			continue;
		struct mdg__slip *slip = own_slip(set, kept);
		if (slip == NULL) { /* of another set that was mapped here, or the parent's */
			kept->slip1 = 0;
			return NULL;
		}
		if (kept->frame != 0) {
			if (kept->frame >= here)
				return NULL; /* it goes on when the handler returns */
			end_left(set, slip, kept->slip1);
			kept->frame = 0;
		}
		*ret = slip;
		return kept;
	}
	return NULL;
}

void mdg__express_keep(const struct mdg__semset *set, uint32_t slip1)
{
	struct mdg__set_region *own = mdg__set_region_make();
	for (uint32_t tries = 0; own != NULL && tries < MDG__SLIPS_KEPT; tries++) {
		struct mdg__slip_kept *kept = &own->slip[own->slip_next++ % MDG__SLIPS_KEPT];
		if (kept->frame != 0)
			continue;
		*kept = (struct mdg__slip_kept){ set->base, slip1, 0 };
		return;
	}
}

bool mdg__express_has(const struct mdg__semset *set, uint32_t holder1)
{
	struct mdg__set_region *own = mdg__set_region();
	for (uint32_t i = 0; own != NULL && i < MDG__SLIPS_KEPT; i++) {
		const struct mdg__slip_kept *kept = &own->slip[i];
		if (kept->base != set->base || kept->slip1 == 0)
			continue;
		struct mdg__slip *slip = own_slip(set, kept);
		if (slip == NULL)
			continue;
		if (holder1 != 0 && kept->frame == 0)
			mdg__fill32(&slip->holder1, holder1);
		return true;
	}
	return false;
}

/* ---- an operation -------------------------------------------------------------------- */

static struct mdg__entry_of_slip *add_entry(const struct mdg__semset *set, struct mdg__slip *slip,
                                            uint32_t number)
{
	mdg__a64 *word = &mdg__semset_at(set, number)->word;
	uint32_t count = mdg__load32(&slip->count);
	uint64_t seen = mdg__load64(word);
	if (count == MDG__SLIP_ENTRIES)
		return NULL;
	for (int i = 0; (seen & MDG__WORD_FLAGS) != 0 && i < PATIENCE; i++) {
		if ((seen & MDG__BUSY) != 0)
			return NULL;
		mdg__cpu_pause();
		seen = mdg__load64(word);
	}
	if ((seen & MDG__WORD_FLAGS) != 0)
		return NULL;
	struct mdg__entry_of_slip *entry = &slip->entries[count];
	mdg__fill64(&entry->old, seen);
	mdg__fill32(&entry->number_value, number | (uint32_t)(seen & 0xffff) << 16);
	mdg__fill32(&entry->sum_change, 0);
	mdg__fill32(&slip->count, count + 1);
	return entry;
}

/* Writes down what the operations come to. 0, -EAGAIN, -ERANGE or SLOW. */
static int write_down(const struct mdg__semset *set, struct mdg__slip *slip,
                      const struct mdg_semset_op *ops, uint32_t count)
{
	mdg__fill32(&slip->count, 0);
	for (uint32_t i = 0; i < count; i++) {
		struct mdg__entry_of_slip *entry = entry_for(slip, ops[i].number);
		if (entry == NULL)
			entry = add_entry(set, slip, ops[i].number);
		if (entry == NULL)
			return SLOW;
		/* Of several words, nobody knows whether they were so at the same time. */
		bool sure = mdg__load32(&slip->count) == 1;
		int32_t value = (int32_t)(mdg__load32(&entry->number_value) >> 16);
		if (ops[i].change == 0 ? value != 0 : value + ops[i].change < 0)
			return sure && (ops[i].flags & MDG_SEM_NOWAIT) != 0 ? -EAGAIN : SLOW;
		value += ops[i].change;
		if (value > MDG__VALUE_MAX)
			return sure ? -ERANGE : SLOW;
		mdg__fill32(&entry->number_value, ops[i].number | (uint32_t)value << 16);
		if ((ops[i].flags & MDG_SEM_UNDO) != 0) {
			int32_t change = (int32_t)mdg__load32(&entry->sum_change) - ops[i].change;
			mdg__fill32(&entry->sum_change, (uint32_t)change);
		}
	}
	return 0;
}

/* Step 2. How many words name the slip now. */
static uint32_t claim_all(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t slip1,
                          uint64_t state)
{
	uint32_t count = mdg__load32(&slip->count), i = 0;
	for (; i < count; i++) {
		struct mdg__entry_of_slip *entry = &slip->entries[i];
		uint32_t number = mdg__load32(&entry->number_value) & 0xffff;
		uint64_t old = mdg__load64(&entry->old);
		if (!swap64(&mdg__semset_at(set, number)->word, old,
		            express_word(old, slip1, state)))
			break;
	}
	return i;
}

/* The sums as they are, now that nobody else changes them. False: one is not there, or an operation
 * may leave the range; the slow way says which. */
static bool read_sums(const struct mdg__semset *set, struct mdg__slip *slip)
{
	uint32_t count = mdg__load32(&slip->count), holder1 = mdg__load32(&slip->holder1);
	for (uint32_t i = 0; i < count; i++) {
		struct mdg__entry_of_slip *entry = &slip->entries[i];
		int32_t change = (int32_t)mdg__load32(&entry->sum_change);
		if (change == 0)
			continue;
		mdg__a64 *sum =
			mdg__sum_at(set, holder1, mdg__load32(&entry->number_value) & 0xffff);
		if (sum == NULL)
			return false;
		uint64_t seen = mdg__load64(sum);
		int32_t now = mdg__sum_value(seen) + change;
		if (now < -MDG__VALUE_MAX / 2 || now > MDG__VALUE_MAX / 2)
			return false;
		mdg__fill64(&entry->sum, seen);
	}
	return true;
}

/* Step 4, or back. */
static void end_all(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t slip1,
                    uint64_t state, uint32_t claimed, bool done)
{
	for (uint32_t i = 0; i < claimed; i++) {
		struct mdg__entry_of_slip *entry = &slip->entries[i];
		uint32_t number = mdg__load32(&entry->number_value) & 0xffff;
		uint64_t old = mdg__load64(&entry->old);
		if (done)
			change_sum(set, mdg__load32(&slip->holder1), number,
			           mdg__load64(&entry->sum),
			           (int32_t)mdg__load32(&entry->sum_change));
		(void)swap64(&mdg__semset_at(set, number)->word, express_word(old, slip1, state),
		             done ? new_word(slip, entry) : old);
	}
	mdg__fill64(&slip->state, state & ~STATE);
}

static int go(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t slip1,
              const struct mdg_semset_op *ops, uint32_t count)
{
	enum { TRIES = 4 };
	for (int i = 0; i < TRIES; i++) {
		int rc = write_down(set, slip, ops, count);
		if (rc != 0)
			return rc;
		uint64_t state = ((mdg__load64(&slip->state) & ~STATE) + NUMBER) | MDG__SLIP_TRIED;
		atomic_store_explicit(&slip->state, state, memory_order_seq_cst);
		uint32_t claimed = claim_all(set, slip, slip1, state);
		bool all = claimed == mdg__load32(&slip->count), sums = all && read_sums(set, slip);
		bool done = sums && swap64(&slip->state, state, (state & ~STATE) | MDG__SLIP_DONE);
		if (!done) /* perhaps somebody has done so: then this fails */
			(void)swap64(&slip->state, state, (state & ~STATE) | MDG__SLIP_ABORTED);
		end_all(set, slip, slip1, state, claimed, done);
		if (done)
			return 0;
		if (all && !sums)
			return SLOW;
	}
	return SLOW;
}

static bool holder_is_ready(const struct mdg__semset *set, const struct mdg__slip *slip)
{
	const struct mdg__set_holder *holder =
		mdg__block_at(set, mdg__load32(&slip->holder1), MDG__HOLDER);
	return holder != NULL && mdg__load32(&holder->pid) == (uint32_t)set->self.pid &&
	       (mdg__load32(&holder->witness.word) & MDG__TID) != 0;
}

int mdg__express_op(const struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                    bool undo)
{
	struct mdg__slip *slip;
	struct mdg__slip_kept *kept = find_slip(set, &slip);
	if (kept == NULL || (undo && !holder_is_ready(set, slip)))
		return SLOW;
	kept->frame = (uintptr_t)__builtin_frame_address(0);
	atomic_signal_fence(memory_order_seq_cst);
	int rc = go(set, slip, kept->slip1, ops, count);
	atomic_signal_fence(memory_order_seq_cst);
	kept->frame = 0;
	return rc;
}
