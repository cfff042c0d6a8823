/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - a thread sleeps until its sleep is ended.
 *
 * The thread's own word says how the sleep ended. The thread sleeps on that word, or on the witness
 * of a holder that it watches (watch.c). Every sleep in the kernel has a timeout, for two
 * reasons. A futex sleep with a timeout ends with EINTR after any handler; one without goes on
 * if the handler was installed with SA_RESTART. And after a while the sleeper looks whether
 * somebody has died who would have had to wake it, and whether the set is still there: every few
 * seconds, or every 20 ms if there are holders whose death it may not be told (time_to_look).
 *
 * A signal is missed if its handler runs in the few instructions between the look for waiting
 * signals and the sleep in the kernel. The thread then sleeps on, as if the signal had come before
 * the call. The same is true if the signal comes after the kernel has ended the sleep because of
 * the time, and before the thread has run.
 *
 * SIGNALS are as the program has them while the thread sleeps. A handler may call semop again, or
 * leave by longjmp. In the kernel, the first semop has ended with EINTR before the handler runs. So
 * each new call of this thread ends the sleeps of its older calls first (mdg__sleep_interrupted).
 * If the older call goes on later, it finds that and returns EINTR. What differs from the kernel:
 * while a handler runs that makes no call, its thread still counts as asleep, and may be served.
 */
#include "semset/internal.h"

#include "platform/epoch.h"
#include "platform/fence.h"
#include "semset/region.h"
#include "sync/wait.h"

/* Rare, and no whole number of seconds. The kernel may end a sleep because of the time when a
 * signal has just come. Then the handler runs, and the call does not learn of it. On a machine that
 * is busy "just" may be many milliseconds, and alarm(2) counts whole seconds. */
#define LOOK_SELDOM_NS UINT64_C(2391000000)
#define LOOK_SOON_NS   UINT64_C(50000)

MDG__OF_THREAD uint32_t mdg__sleep_depth;

/* ---- leaving ------------------------------------------------------------------------- */

/* Ends the sleep by the sleeper itself, if nobody has ended it. */
static uint32_t end_by_self(struct mdg__robust *robust)
{
	uint32_t seen = mdg__load32(&robust->word);
	while (mdg__word_sleeps(seen))
		if (atomic_compare_exchange_weak_explicit(&robust->word, &seen, MDG__ENDED_LEFT,
		                                          memory_order_acq_rel,
		                                          memory_order_acquire))
			return MDG__ENDED_LEFT;
	return seen;
}

/* Stacks grow downwards: a frame below this one's address belongs to a call that was left, and its
 * block is given back. But a handler on a stack of its own may take a call for one that was left.
 * When such a call goes on, it finds that its serial is gone, and touches the block no more. */
void mdg__sleeps_end(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	struct mdg__set_region *own = mdg__set_region();
	bool same = own != NULL && thread->epoch != 0 && mdg__epoch_is(thread->epoch);
	struct mdg__sleeps *sleeps = same ? &own->sleeps : NULL;
	if (!same)
		mdg__sleep_depth = 0; /* a forked child: they were the parent's */
	while (mdg__sleep_depth > 0) {
		uint32_t last = mdg__sleep_depth - 1;
		struct mdg__robust *robust = sleeps->place[last].robust;
		uint32_t serial = atomic_load(&sleeps->place[last].serial);
		uint32_t word = serial == 0 ? 0 : end_by_self(robust);
		if (sleeps->place[last].frame >= here)
			return; /* it goes on when the handler returns, and so may older ones */
		if (mdg__held_is_changing(thread))
			return; /* a handler has interrupted that: a later call does it */
		if (serial != 0) {
			sleeps->ended[serial % MDG__SLEEPS_ENDED].word = word;
			sleeps->ended[serial % MDG__SLEEPS_ENDED].serial = serial;
			atomic_store(&sleeps->place[last].serial, 0);
			mdg__witness_leave(robust);
			atomic_store_explicit(&robust->word, word | MDG__ENDED_BACK,
			                      memory_order_release);
		}
		mdg__sleep_depth = last;
	}
}

/* A sleep that is noted for the calls of handlers. */
struct note {
	struct mdg__sleeps *sleeps; /* NULL: it is not noted, and no other call ends it */
	uint32_t place, serial, epoch;
};

static struct note note(struct mdg__robust *robust, uintptr_t frame)
{
	struct mdg__set_region *own = mdg__set_region_make();
	struct note note = { NULL, mdg__sleep_depth, 0, mdg__epoch() };
	if (own == NULL || note.place >= MDG__SLEEPS_MOST)
		return note;
	note.sleeps = &own->sleeps;
	note.serial = ++note.sleeps->last_serial;
	if (note.serial == 0)
		note.serial = ++note.sleeps->last_serial;
	note.sleeps->place[note.place].robust = robust;
	note.sleeps->place[note.place].frame = frame;
	atomic_store(&note.sleeps->place[note.place].serial, note.serial);
	mdg__sleep_depth = note.place + 1;
	return note;
}

/* Another call of this thread has ended the sleep and given back its block, or a handler has
 * forked, and this is the child: the sleep is the parent's. [signals blocked] */
static bool is_no_more(const struct note *note)
{
	return !mdg__epoch_is(note->epoch) ||
	       (note->sleeps != NULL &&
	        atomic_load(&note->sleeps->place[note->place].serial) != note->serial);
}

/* From here on the block is the call's own. False: see above, and `*ret_word` is how it ended. */
static bool end_note(const struct note *note, uint32_t *ret_word)
{
	uint32_t seen = note->serial;
	*ret_word = MDG__ENDED_LEFT;
	if (!mdg__epoch_is(note->epoch))
		return false;
	if (note->sleeps == NULL)
		return true;
	if (atomic_compare_exchange_strong(&note->sleeps->place[note->place].serial, &seen, 0)) {
		mdg__sleep_depth = note->place;
		return true;
	}
	uint32_t at = note->serial % MDG__SLEEPS_ENDED;
	if (note->sleeps->ended[at].serial == note->serial)
		*ret_word = note->sleeps->ended[at].word;
	return false;
}

/* ---- sleeping ------------------------------------------------------------------------ */

/* Something was begun by a process that does not end it, or has to be given back. */
static bool is_to_be_looked_at(const struct mdg__semset *set)
{
	const struct mdg__semset_head *head = mdg__semset_head(set);
	return mdg__load32(&head->lock) != 0 || mdg__load32(&head->note_count) != 0 ||
	       mdg__load32(&head->unserved) != 0 || mdg__load32(&head->serving1) != 0 ||
	       mdg__load32(&head->setting1) != 0 || !mdg__holders_are_witnessed(set);
}

/* One of the first few in the queue. The list may change meanwhile: who does not find itself does
 * as one of the others. */
static bool is_in_front(const struct mdg__semset *set, uint32_t block1)
{
	enum { FEW = 16 };
	uint32_t at1 = mdg__load32(&mdg__semset_head(set)->queue.first1);
	for (unsigned left = FEW; left > 0 && at1 != block1; left--) {
		const struct mdg__sleeper *other = mdg__block_at(set, at1, MDG__SLEEPER);
		if (other == NULL)
			return false;
		at1 = mdg__load32(&other->next1);
	}
	return at1 == block1;
}

/* [signals blocked] When to look next. Who watches the only holder that has something of what it
 * waits for, is woken by the kernel, and need not look. That is the usual case, and then no signal
 * is missed. Otherwise the first few look often. The others say that they look less often. When one
 * of them comes to the head of the queue, it is woken (watch.c). It says so before it looks where
 * it stands, so one of the two sees the other's store. */
static uint64_t time_to_look(const struct mdg__semset *set, struct mdg__sleeper *sleeper,
                             uint32_t block1)
{
	if (mdg__load32(&mdg__semset_head(set)->holders1) == 0 ||
	    (mdg__load32(&sleeper->watching1) != 0 && mdg__holders_for(set, sleeper) == 1))
		return LOOK_SELDOM_NS;
	uint32_t about = mdg__load32(&sleeper->about);
	atomic_store(&sleeper->about, about | MDG__SELDOM);
	mdg__fence(memory_order_seq_cst);
	if (!is_in_front(set, block1))
		return UINT64_C(5) * MDG__LOOK_AGAIN_NS;
	mdg__fill32(&sleeper->about, about & ~(uint32_t)MDG__SELDOM);
	return MDG__LOOK_AGAIN_NS;
}

static void look(struct mdg__semset *set)
{
	struct mdg__semset_stay stay;
	/* Not for long: this sleep may have a deadline, or be ended by a signal. */
	const struct mdg__semset_need need = { .sleeps = 2 };
	if (!is_to_be_looked_at(set) || mdg__semset_enter(&stay, set, need, mdg__semset_repair) < 0)
		return;
	mdg__settle(&stay);
	mdg__watch(&stay);
	mdg__semset_leave(&stay);
}

/* What to sleep on, and its value: the witness of the holder that is watched, or the own word. 0
 * as the value: the holder may be dead. The holder's block may become another's at any time, so
 * nothing is written there, and what was read is true only if the holder is still watched. */
static mdg__a32 *where(const struct mdg__semset *set, struct mdg__sleeper *sleeper,
                       uint32_t *ret_value)
{
	uint32_t watching1 = mdg__load32(&sleeper->watching1);
	struct mdg__set_holder *holder = mdg__block_at(set, watching1, MDG__HOLDER);
	*ret_value = mdg__load32(&sleeper->robust.word);
	if (holder == NULL)
		return &sleeper->robust.word;
	uint32_t seen = mdg__load32(&holder->witness.word);
	bool wakes = (seen & MDG__TID) != 0 && (seen & MDG__WAITERS) != 0;
	*ret_value = wakes && mdg__load32(&sleeper->watching1) == watching1 ? seen : 0;
	return &holder->witness.word;
}

/* Sleeps until the word is none of a sleeper. Returns 0, -EINTR, -ETIMEDOUT or -EIDRM: why it ended
 * it itself. `blocked`: signals are blocked.
 *
 * A holder whose witness is marked may be about to die, or live on without a witness. So it is
 * asked for again soon, and then less and less often. */
static int sleep_on(struct mdg__semset *set, struct mdg__sleeper *sleeper, uint32_t block1,
                    uint64_t deadline, const mdg__sigmask *mask, bool *blocked,
                    const struct note *note)
{
	const struct mdg__semset_head *head = mdg__semset_head(set);
	uint64_t soon = LOOK_SOON_NS;
	uint32_t epoch = mdg__epoch();
	mdg__sigmask same;
	for (;;) {
		uint32_t value;
		if (is_no_more(note))
			return -EINTR;
		mdg__a32 *word = where(set, sleeper, &value);
		uint32_t own = mdg__load32(&sleeper->robust.word);
		uint64_t pause = time_to_look(set, sleeper, block1);
		if (!mdg__word_sleeps(own))
			return 0;
		if (mdg__load32(&head->removed) != 0 || !set->host->is_there(set))
			return -EIDRM;
		if (value == 0) {
			word = &sleeper->robust.word;
			value = own;
			pause = soon < pause ? soon : pause;
			soon = 2 * pause;
		}
		/* Pauses differ, so that no timer of the program keeps time with them. */
		uint64_t now = mdg__monotonic_nanoseconds(),
			 again = now + pause - now / 64 % (pause / 3);
		if (*blocked && mdg__handler_waits(mask))
			return -EINTR;
		if (*blocked) /* as late as can be: what comes before the next call is missed */
			mdg__signals_restore(mask);
		*blocked = false;
		int rc = mdg__sys_futex_wait_until(word, value, deadline < again ? deadline : again,
		                                   (uint32_t)MDG__ANYONE);
		if (rc == -EINTR || (rc == -ETIMEDOUT && deadline <= again))
			return rc;
		if (!mdg__epoch_is(epoch))
			return -EINTR;
		if (!mdg__word_sleeps(mdg__load32(&sleeper->robust.word)))
			return 0;
		/* A handler that runs during the look would be missed. */
		mdg__signals_block(&same);
		*blocked = true;
		look(set);
	}
}

/* ---- and waking up ------------------------------------------------------------------- */

static int meaning(uint32_t word, int by_self)
{
	switch (word) {
	case MDG__ENDED_DONE:
		return 0;
	case MDG__ENDED_AGAIN:
		return -EAGAIN;
	case MDG__ENDED_RANGE:
		return -ERANGE;
	case MDG__ENDED_REMOVED:
		return -EIDRM;
	default:
		return by_self < 0 ? by_self : -EINTR;
	}
}

/* Gives the block back. If the sleep was ended by another process, the block is only marked: the
 * next one that has the lock takes it. The other process may not be through with it yet, but
 * what it does is decided: if it dies, the next one completes it. And the words are BUSY until
 * then, so whoever looks at them waits for the lock. */
static void give_back(struct mdg__semset *set, struct mdg__robust *robust, uint32_t block1)
{
	const struct mdg__semset_need need = { .sleeps = 10 };
	struct mdg__semset_stay stay;
	uint32_t word = mdg__load32(&robust->word);
	if (word != MDG__ENDED_LEFT) {
		atomic_store_explicit(&robust->word, word | MDG__ENDED_BACK, memory_order_release);
		return;
	}
	int rc = mdg__semset_enter(&stay, set, need, mdg__semset_repair);
	if (rc < 0) { /* a stopped process keeps the lock, for one: others take the block */
		atomic_store_explicit(&robust->word, word | MDG__ENDED_BACK, memory_order_release);
		return;
	}
	mdg__sleeper_free(&stay, block1);
	mdg__semset_leave(&stay);
}

int mdg__sleep_in_queue(struct mdg__semset *set, struct mdg__sleeper *sleeper, uint32_t block1,
                        uint64_t deadline, const mdg__sigmask *mask)
{
	struct mdg__robust *robust = &sleeper->robust;
	const struct note noted = note(robust, (uintptr_t)__builtin_frame_address(0));
	uint32_t word;
	bool blocked = true;
	set->host->sleeps(set);
	int by_self = sleep_on(set, sleeper, block1, deadline, mask, &blocked, &noted);
	bool own = end_note(&noted, &word);
	if (own)
		word = end_by_self(robust);
	if (blocked)
		mdg__signals_restore(mask);
	if (!own)
		return meaning(word, -EINTR);
	mdg__witness_leave(robust);
	give_back(set, robust, block1);
	return meaning(word, by_self);
}
