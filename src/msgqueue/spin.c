/* SPDX-License-Identifier: MIT */
/*
 * spin.c - a call that would have to sleep waits for a moment first.
 *
 * It looks at the turn for some microseconds. If the other side answers in that time, neither of
 * them sleeps, and no call wakes anybody. A thread that has one processor only lets others run
 * first: if the other side waits for that processor, it answers before this thread goes on. But the
 * other side may also have another processor.
 *
 * Only a thread that sends and receives in turn does that. It expects an answer. A thread that only
 * receives, or only sends, would take each message as soon as it is there, and the two would take
 * the same lines of memory from each other. It is faster if it sleeps, and messages come together.
 *
 * Each thread remembers whether spinning has helped, and does it less often if not. When two
 * threads wake each other in turn, a wake-up takes longer than the spinning, so neither finds out
 * how fast the other one could be. So a thread that has just woken another one spins for longer,
 * and so does any thread now and then. The time that goes into that is limited.
 */
#include "msgqueue/internal.h"

#include "platform/clock.h"
#include "platform/ofthread.h"
#include "sync/wait.h"

enum {
	PAUSES = 4,      /* between two looks */
	OFTEN = 4,       /* in vain, before it is done seldom */
	SELDOM = 16,     /* one of so many */
	ASK_AGAIN = 64,  /* sleeps until the processors are counted again */
	CREDITS = 80,    /* long spins */
	REFILL = 1024,   /* sleeps until there are so many again */
	YIELDS = 2,      /* on one processor */
	LONG_NS = 60000, /* longer than a wake-up */
	SLOW_NS = 200000 /* for a yield: somebody else has used the processor */
};

static MDG__OF_THREAD struct {
	uint32_t begun, in_vain, skipped, credits;
	int processors;
	bool longer; /* the last one helped, but late */
	bool sent;   /* the last call of this thread */
	bool woke;   /* somebody, and has not received since */
} spins;

static bool is_worth_it(void)
{
	if (spins.begun % ASK_AGAIN == 0)
		spins.processors = mdg__sys_processors();
	if (spins.begun % REFILL == 0)
		spins.credits = CREDITS;
	spins.begun++;
	return spins.in_vain < OFTEN || ++spins.skipped >= SELDOM;
}

void mdg__spin_note(bool sent, bool woke)
{
	spins.sent = sent;
	spins.woke = woke;
}

void mdg__spin_begin(struct mdg__spin *spin, const struct mdg__queue *queue, bool sends)
{
	*spin = (struct mdg__spin){ .seen = MDG__GET(mdg__head(queue)->turn) };
	if (spins.sent == sends || !is_worth_it())
		return;
	bool rare = spins.in_vain >= OFTEN;
	spins.skipped = 0;
	if (spins.processors == 1)
		spin->yields = YIELDS;
	spin->pauses = MDG__SPINS;
	if ((rare || spins.longer || spins.woke) && spins.credits > 0) {
		spins.credits--;
		spin->end = mdg__monotonic_nanoseconds() + LONG_NS;
	}
}

static bool has_changed(struct mdg__spin *spin, const struct mdg__queue *queue)
{
	uint64_t now = MDG__GET(mdg__head(queue)->turn);
	bool changed = now != spin->seen;
	spin->seen = now;
	return changed;
}

static bool yield(struct mdg__spin *spin, const struct mdg__queue *queue)
{
	while (spin->yields > 0) {
		uint64_t before = mdg__monotonic_nanoseconds();
		spin->yields--;
		mdg__sys_yield();
		if (mdg__monotonic_nanoseconds() - before > SLOW_NS) {
			spin->yields = spin->pauses = 0;
			spin->end = 0;
			spin->slow = true;
		}
		if (has_changed(spin, queue))
			return true;
	}
	return false;
}

static bool look(struct mdg__spin *spin, const struct mdg__queue *queue)
{
	enum { CLOCK = 16 };
	while (spin->pauses > 0) {
		if (has_changed(spin, queue))
			return true;
		for (uint32_t i = 0; i < PAUSES && spin->pauses > 0; i++, spin->pauses--)
			mdg__cpu_pause();
	}
	while (spin->end != 0 && mdg__monotonic_nanoseconds() < spin->end) {
		spin->late = true;
		for (int i = 0; i < CLOCK; i++) {
			if (has_changed(spin, queue))
				return true;
			mdg__cpu_pause();
		}
	}
	return false;
}

bool mdg__spin(struct mdg__spin *spin, const struct mdg__queue *queue)
{
	bool tried = spin->yields > 0 || spin->pauses > 0 || spin->end != 0;
	if (yield(spin, queue) || look(spin, queue))
		return true;
	if (tried) {
		spins.in_vain++;
		spins.longer = false;
	}
	return false;
}

void mdg__spin_helped(const struct mdg__spin *spin)
{
	spins.in_vain = spin->slow ? OFTEN : 0;
	spins.longer = spin->late;
}
