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
 * SIGNAL HANDLERS. A handler that operates on the same set uses the slip of the call that it has
 * interrupted. It first brings that use to its end, and the slip gets a new number. It does not
 * matter whether the handler returns or leaves the call by longjmp, nor on which stack it runs. The
 * interrupted call keeps what it means to do in memory of its own, the plan. It reads nothing back
 * from the slip, and all that it still does to the slip are swaps that name its number.
 *
 * Only while a call WRITES to the slip, from step 1 until it has read the sums, a handler leaves
 * the slip alone. It goes the slow way, and gets another slip. Otherwise the interrupted call would
 * go on to write over the use of a handler that did not come to its end, because a second handler
 * has left it by longjmp. A call that is left while it writes leaves the slip to nobody: it is free
 * again when the thread has ended.
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

/* What a call means to do, as the slip will say it. */
struct step {
	uint64_t old, sum;
	uint32_t number;
	int32_t value, sum_change;
};
struct plan {
	uint32_t count, holder1;
	struct step steps[MDG__SLIP_ENTRIES];
};

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
	uint64_t old = mdg__load64(&entry->old);
	uint64_t new = mdg__word((int32_t)(mdg__load32(&entry->number_value) >> 16), 0,
	                         (int32_t)mdg__load32(&slip->pid));
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
	/* While the pair is this process's, others see that it lives (slips.c). */
	bool own = slip != NULL && mdg__load32(&slip->tid) == mdg__this_thread.tid &&
	           mdg__load32(&slip->pid) == (uint32_t)set->self.pid &&
	           mdg__load32(&slip->slot1) == set->self.slot1 &&
	           mdg__load32(&slip->generation) == set->self.generation;
	return own ? slip : NULL;
}

/* Ends what an older call of this thread had begun. It may go on later, or a handler has left it by
 * longjmp. */
static void end_older(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t slip1)
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
	/* A handler in the middle of this may have used the slip, and may not have come to its end.
	 * Then this is not the use that has been ended here. */
	uint64_t now = mdg__load64(&slip->state);
	if (now / NUMBER == state / NUMBER)
		(void)swap64(&slip->state, now, (now & ~STATE) + NUMBER);
}

/* NULL: this thread has none for the set, or is interrupted while it writes there. */
static struct mdg__slip *find_slip(const struct mdg__semset *set, uint32_t *ret_slip1)
{
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
		if (mdg__load32(&slip->writing) != 0)
			continue;
		*ret_slip1 = kept->slip1;
		return slip;
	}
	return NULL;
}

void mdg__express_keep(const struct mdg__semset *set, uint32_t slip1)
{
	struct mdg__set_region *own = mdg__set_region_make();
	if (own != NULL)
		own->slip[own->slip_next++ % MDG__SLIPS_KEPT] =
			(struct mdg__slip_kept){ set->base, slip1 };
}

bool mdg__express_has(const struct mdg__semset *set, uint32_t holder1)
{
	struct mdg__set_region *own = mdg__set_region();
	for (uint32_t i = 0; own != NULL && i < MDG__SLIPS_KEPT; i++) {
		const struct mdg__slip_kept *kept = &own->slip[i];
		if (kept->base != set->base || kept->slip1 == 0)
			continue;
		struct mdg__slip *slip = own_slip(set, kept);
		if (slip == NULL || mdg__load32(&slip->writing) != 0)
			continue;
		if (holder1 != 0 && mdg__load32(&slip->holder1) != holder1) {
			if ((mdg__load64(&slip->state) & STATE) != MDG__SLIP_IDLE)
				end_older(set, slip, kept->slip1);
			mdg__fill32(&slip->holder1, holder1);
		}
		return true;
	}
	return false;
}

/* ---- an operation -------------------------------------------------------------------- */

static struct step *step_for(struct plan *plan, uint32_t number)
{
	for (uint32_t i = 0; i < plan->count; i++)
		if (plan->steps[i].number == number)
			return &plan->steps[i];
	return NULL;
}

static struct step *add_step(const struct mdg__semset *set, struct plan *plan, uint32_t number)
{
	mdg__a64 *word = &mdg__semset_at(set, number)->word;
	uint64_t seen = mdg__load64(word);
	if (plan->count == MDG__SLIP_ENTRIES)
		return NULL;
	for (int i = 0; (seen & MDG__WORD_FLAGS) != 0 && i < PATIENCE; i++) {
		if ((seen & MDG__BUSY) != 0)
			return NULL;
		mdg__cpu_pause();
		seen = mdg__load64(word);
	}
	if ((seen & MDG__WORD_FLAGS) != 0)
		return NULL;
	struct step *step = &plan->steps[plan->count++];
	*step = (struct step){ .old = seen, .number = number, .value = mdg__word_value(seen) };
	return step;
}

/* What the operations come to. 0, -EAGAIN, -ERANGE or SLOW. */
static int make_plan(const struct mdg__semset *set, struct plan *plan,
                     const struct mdg_semset_op *ops, uint32_t count)
{
	plan->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct step *step = step_for(plan, ops[i].number);
		if (step == NULL)
			step = add_step(set, plan, ops[i].number);
		if (step == NULL)
			return SLOW;
		/* Of several words, nobody knows whether they were so at the same time. */
		bool sure = plan->count == 1;
		if (ops[i].change == 0 ? step->value != 0 : step->value + ops[i].change < 0)
			return sure && (ops[i].flags & MDG_SEM_NOWAIT) != 0 ? -EAGAIN : SLOW;
		step->value += ops[i].change;
		if (step->value > MDG__VALUE_MAX)
			return sure ? -ERANGE : SLOW;
		if ((ops[i].flags & MDG_SEM_UNDO) != 0)
			step->sum_change -= ops[i].change;
	}
	/* When something becomes 0, lists of sleepers are looked at again, though none names it. */
	for (uint32_t i = 0; i < plan->count; i++)
		if (plan->steps[i].value == 0 && mdg__load32(&mdg__semset_head(set)->lists) != 0)
			return SLOW;
	return 0;
}

/* Whether the slip is still in this state. If so, no handler uses it until stop_writing. */
static bool begin_writing(struct mdg__slip *slip, uint64_t idle)
{
	mdg__fill32(&slip->writing, 1);
	/* A handler that came before the store is seen by the load. One that comes later sees what
	 * was stored. */
	atomic_signal_fence(memory_order_seq_cst);
	return mdg__load64(&slip->state) == idle;
}

static void stop_writing(struct mdg__slip *slip)
{
	mdg__fill32(&slip->writing, 0);
}

/* Step 1. Returns the state, or 0: a handler has used the slip meanwhile. */
static uint64_t write_down(struct mdg__slip *slip, const struct plan *plan, uint64_t idle)
{
	if (!begin_writing(slip, idle))
		return 0;
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];
		struct mdg__entry_of_slip *entry = &slip->entries[i];
		mdg__fill64(&entry->old, step->old);
		mdg__fill32(&entry->number_value, step->number | (uint32_t)step->value << 16);
		mdg__fill32(&entry->sum_change, (uint32_t)step->sum_change);
	}
	mdg__fill32(&slip->count, plan->count);
	uint64_t state = (idle + NUMBER) | MDG__SLIP_TRIED;
	return swap64(&slip->state, idle, state) ? state : 0;
}

/* Step 2. How many words name the slip now. */
static uint32_t claim_all(const struct mdg__semset *set, const struct plan *plan, uint32_t slip1,
                          uint64_t state)
{
	uint32_t i = 0;
	for (; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];
		if (!swap64(&mdg__semset_at(set, step->number)->word, step->old,
		            express_word(step->old, slip1, state)))
			break;
	}
	return i;
}

/* The sums as they are, now that nobody else changes them. False: one is not there, or an operation
 * may leave the range; the slow way says which. */
static bool read_sums(const struct mdg__semset *set, struct mdg__slip *slip, struct plan *plan)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		struct step *step = &plan->steps[i];
		if (step->sum_change == 0)
			continue;
		mdg__a64 *sum = mdg__sum_at(set, plan->holder1, step->number);
		if (sum == NULL)
			return false;
		step->sum = mdg__load64(sum);
		int32_t now = mdg__sum_value(step->sum) + step->sum_change;
		if (now < -MDG__VALUE_MAX / 2 || now > MDG__VALUE_MAX / 2)
			return false;
		mdg__fill64(&slip->entries[i].sum, step->sum);
	}
	return true;
}

/* Step 4, or back. */
static void end_all(const struct mdg__semset *set, struct mdg__slip *slip, const struct plan *plan,
                    uint32_t slip1, uint64_t state, uint32_t claimed, bool done)
{
	for (uint32_t i = 0; i < claimed; i++) {
		const struct step *step = &plan->steps[i];
		if (done)
			change_sum(set, plan->holder1, step->number, step->sum, step->sum_change);
		(void)swap64(&mdg__semset_at(set, step->number)->word,
		             express_word(step->old, slip1, state),
		             done ? mdg__word(step->value, 0, set->self.pid) : step->old);
	}
	(void)swap64(&slip->state, (state & ~STATE) | (done ? MDG__SLIP_DONE : MDG__SLIP_ABORTED),
	             state & ~STATE);
}

static int go(const struct mdg__semset *set, struct mdg__slip *slip, uint32_t slip1,
              const struct mdg_semset_op *ops, uint32_t count)
{
	enum { TRIES = 4 };
	struct plan plan;
	for (int i = 0; i < TRIES; i++) {
		if ((mdg__load64(&slip->state) & STATE) != MDG__SLIP_IDLE)
			end_older(set, slip, slip1);
		uint64_t idle = mdg__load64(&slip->state) & ~STATE;
		plan.holder1 = mdg__load32(&slip->holder1);
		int rc = make_plan(set, &plan, ops, count);
		if (rc != 0)
			return rc;
		uint64_t state = write_down(slip, &plan, idle);
		if (state == 0) {
			stop_writing(slip);
			continue;
		}
		uint32_t claimed = claim_all(set, &plan, slip1, state);
		bool all = claimed == plan.count, sums = all && read_sums(set, slip, &plan);
		stop_writing(slip);
		bool done = sums && swap64(&slip->state, state, (state & ~STATE) | MDG__SLIP_DONE);
		if (!done) /* perhaps somebody has done so: then this fails */
			(void)swap64(&slip->state, state, (state & ~STATE) | MDG__SLIP_ABORTED);
		end_all(set, slip, &plan, slip1, state, claimed, done);
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
	uint32_t slip1;
	struct mdg__slip *slip = find_slip(set, &slip1);
	if (slip == NULL || (undo && !holder_is_ready(set, slip)))
		return SLOW;
	return go(set, slip, slip1, ops, count);
}
