/* SPDX-License-Identifier: MIT */
/*
 * hand.pml - src/msgqueue: RECEIVERS threads that receive and SENDERS threads that send, CALLS
 * calls each, in a queue with room for ROOM messages. Threads sleep for a message or for room, are
 * interrupted there, and up to DEATHS are killed at any step.
 *
 * What only the holder of the lock reads changes in one step here, in which the holder may die
 * between any two stores. The lock is the robust word of mutex.pml. A thread sleeps on its own
 * word, and whoever calls it moves the sleep to the word of the lock (FUTEX_REQUEUE) before the
 * store that counts. The line has no order here: whoever calls a receiver may choose any that is in
 * the line. So what is shown holds for every order.
 *
 * Asserted, all the time: a message is received once, and only if it was sent; who finds the queue
 * empty leaves no message behind that is nobody's. When nobody can go on: each message that was
 * sent is in the list or was received; nobody sleeps on the lock; no receiver sleeps while a
 * message is nobody's; no sender sleeps while there is room. One exception is known
 * (docs/models.md): a message of a receiver that was killed after it was handed over waits for the
 * next call.
 *
 * Left out: texts, types, E2BIG, stamps, removal, the repair of the free chain, longjmp.
 *
 * holds: -DDEATHS=1 -DRECEIVERS=1 -DSENDERS=2 -DCALLS=1 -DROOM=2
 * holds: -DDEATHS=1 -DRECEIVERS=1 -DSENDERS=1 -DCALLS=2 -DROOM=1
 * holds: -DDEATHS=0 -DRECEIVERS=2 -DSENDERS=1 -DCALLS=1 -DROOM=2
 * fails: -DDEATHS=1 -DRECEIVERS=1 -DSENDERS=2 -DCALLS=1 -DROOM=2 -DBUG_SHORT
 * fails: -DDEATHS=1 -DRECEIVERS=1 -DSENDERS=1 -DCALLS=1 -DROOM=2 -DBUG_LATE
 * fails: -DDEATHS=1 -DRECEIVERS=2 -DSENDERS=1 -DCALLS=1 -DROOM=2 -DBUG_EXPECT
 * fails: -DDEATHS=1 -DRECEIVERS=1 -DSENDERS=2 -DCALLS=1 -DROOM=1 -DBUG_PENDING
 * fails: -DDEATHS=1 -DRECEIVERS=2 -DSENDERS=1 -DCALLS=1 -DROOM=2 -DBUG_DEAD
 * fails: -DDEATHS=0 -DRECEIVERS=2 -DSENDERS=1 -DCALLS=1 -DROOM=2 -DBUG_LATE_LEAVER
 * fails: -DDEATHS=1 -DRECEIVERS=1 -DSENDERS=2 -DCALLS=1 -DROOM=2 -DBUG_RECALL
 * fails: -DDEATHS=0 -DRECEIVERS=2 -DSENDERS=1 -DCALLS=1 -DROOM=2 -DBUG_CLAIM
 *
 * BUG_SHORT: the lock becomes free first, and then the one sleeper is woken (as it once was).
 * BUG_LATE: sleepers are called after the store that counts. BUG_EXPECT: the lock's word is not
 * told of those who were moved to it. BUG_PENDING: while a thread sleeps, its `pending` does not
 * name the lock. BUG_DEAD: the claim of the dead counts. BUG_LATE_LEAVER: whose time is over does
 * not look for what was handed over to it. BUG_RECALL: the repair calls nobody. BUG_CLAIM: who
 * looks for a message takes claimed ones too.
 */
#include "kernel.pml"

#define N (RECEIVERS + SENDERS)
#define M (SENDERS * CALLS) /* messages, and cells for them: 1 to M */
#define IS_RECEIVER(i) ((i) < RECEIVERS)

/* What a thread's own word says. */
#define ASLEEP   1
#define CALLED   2
#define RECALLED 3

byte word, on_lock;      /* the lock, and who sleeps on it */
bool unrepaired;         /* its state */
byte own[N], on_own;     /* the threads' own words, and who sleeps on his own */
bool taken[N], died[N];  /* the records: `owner` has an id, or was marked by the kernel */
bool is_kind[N];         /* the record's kind is that of its thread, and not FREE */
byte use[N], cell[N];
byte first, last, next[M + 1], claim[M + 1];
bool is_free[M + 1];
byte qnum, claims, in_line[2];
/* What nobody in the code knows: */
bool linked[M + 1], received[M + 1], handed[N];

#define CLAIM_OF(i) ((i) + 1 + 4 * use[i])
#define CLAIMANT(c) ((claim[c] & 3) - 1)
#define COUNTS(c)                                                                                  \
	(claim[c] != 0 && (use[CLAIMANT(c)] == claim[c] / 4 && is_kind[CLAIMANT(c)] &&             \
	                   taken[CLAIMANT(c)]))
#ifdef BUG_DEAD
#define SKIPPED(c) (claim[c] != 0)
#elif defined(BUG_CLAIM)
#define SKIPPED(c) false
#else
#define SKIPPED(c) COUNTS(c)
#endif
#define IS_IN_LINE(i) (own[i] == ASLEEP && is_kind[i] && taken[i])

/* ---- the lock -------------------------------------------------------------------------------- */

/* mdg__visit_lock without the repair. `seen` is DIED if the last owner died. */
inline take_lock()
{
	do
	:: atomic {
		MAY_DIE;
		pending = 1;
		MAY_DIE;
		if
		:: (word & TID) == 0 ->
			seen = word & DIED;
			word = ID | (word != 0 -> WAITERS : sleepers);
			listed = 1; sleepers = 0;
			pending = outer;
			break
		:: else -> word = word | WAITERS | CAME; seen = word; sleepers = WAITERS
		fi
		}
		atomic {
			MAY_DIE;
			if :: word == seen -> on_lock = on_lock | ME :: else fi;
			seen = 0
		}
		if
		:: atomic { (on_lock & ME) == 0 -> skip }
		:: DIE_ASLEEP
		fi
	od
}

/* mdg__visit_unlock. Nobody else is on the word, one sleeper, or more. */
#define IS_USUAL  (!expects && word == ID)
#define IS_EMPTY  (expects && !had && called == 0 && word == (ID | WAITERS))
#ifdef BUG_SHORT
#define IS_SINGLE (expects && !had && called == 1 && word == (ID | WAITERS))
#else
#define IS_SINGLE (expects && !had && called == 1)
#endif

inline give_lock()
{
	if
	:: atomic { IS_USUAL || IS_EMPTY -> MAY_DIE; word = 0; listed = 0;
		expects = 0; had = 0 }
#ifdef BUG_SHORT
	:: atomic { IS_SINGLE -> MAY_DIE; pending = 1; listed = 0; word = 0 };
		atomic { MAY_DIE; wake_one(on_lock, seen); seen = 0; pending = outer;
			expects = 0; called = 0 }
#else
	/* FUTEX_WAKE_OP: the kernel frees the word and wakes all who sleep there, in one step. */
	:: atomic { IS_SINGLE -> MAY_DIE; listed = 0; word = 0; on_lock = 0; pending = outer;
		expects = 0; called = 0 }
#endif
	:: atomic { !(IS_USUAL || IS_EMPTY || IS_SINGLE) -> MAY_DIE; pending = 1; listed = 0 }
		/* mdg__robust_wake */
		do
		:: atomic { MAY_DIE; word = WAITERS }
			atomic { MAY_DIE; wake_one(on_lock, seen);
				if :: seen -> seen = 0; break :: else fi }
			atomic { MAY_DIE;
				if :: word == WAITERS -> word = ID | WAITERS :: else -> break fi }
			atomic { MAY_DIE; wake_one(on_lock, seen) }
			atomic { MAY_DIE;
				if
				:: !seen && word == (ID | WAITERS) -> word = 0; break
				:: else -> seen = 0
				fi }
		od;
		atomic { MAY_DIE; pending = outer; expects = 0; had = 0; called = 0 }
	fi
}

/* ---- under the lock -------------------------------------------------------------------------- */

/* mdg__call. `ok`: it was asleep. */
inline call(i, how)
{
	atomic {
		MAY_DIE;
		if
		:: !expects -> had = (word & WAITERS) != 0; expects = 1;
#ifndef BUG_EXPECT
			word = word | WAITERS
#endif
		:: else
		fi;
		MAY_DIE;
		if
		:: own[i] == ASLEEP && in_line[IS_RECEIVER(i)] != 0 -> in_line[IS_RECEIVER(i)]--
		:: else
		fi;
		MAY_DIE;
		own[i] = how
	}
	atomic {
		MAY_DIE;
		ok = (on_own & (1 << (i))) != 0;
		if
		:: ok -> on_own = on_own & ~(1 << (i)); on_lock = on_lock | (1 << (i)); called++
		:: else
		fi
	}
}

/* One in the line, any, or N. */
inline any_in_line(receivers)
{
	atomic {
		if
		:: receivers && IS_IN_LINE(0) -> i = 0
#if RECEIVERS > 1
		:: receivers && IS_IN_LINE(1) -> i = 1
#endif
		:: !receivers && IS_IN_LINE(RECEIVERS) -> i = RECEIVERS
#if SENDERS > 1
		:: !receivers && IS_IN_LINE(RECEIVERS + 1) -> i = RECEIVERS + 1
#endif
		:: else -> i = N
		fi
	}
}

inline drop_claim(c)
{
	MAY_DIE; claim[c] = 0; MAY_DIE; claims--; MAY_DIE; qnum++
}

/* mdg__queue_repair */
inline repair()
{
	atomic {
		MAY_DIE;
		unrepaired = 1;
		MAY_DIE;
		last = 0; qnum = 0; claims = 0;
		for (c : 1 .. M) { is_free[c] = 1 }
		c = first;
		do
		:: c == 0 -> break
		:: else ->
			is_free[c] = 0;
			if
			:: COUNTS(c) -> claims++; cell[CLAIMANT(c)] = c
			:: else -> qnum++; claim[c] = 0
			fi;
			last = c; c = next[c]
		od
	}
#ifndef BUG_RECALL
	i = 0;
	do
	:: i < N && own[i] != 0 && is_kind[i] && taken[i] -> call(i, RECALLED); i++
	:: i < N && !(own[i] != 0 && is_kind[i] && taken[i]) -> i++
	:: i == N -> break
	od;
#endif
	atomic { MAY_DIE; unrepaired = 0; i = 0; ok = 0; c = 0 }
}

inline begin()
{
	take_lock();
	if
	:: seen != 0 || unrepaired -> seen = 0; repair()
	:: seen == 0 && !unrepaired
	fi
}

/* The record of this thread, and its place in the line. [atomic] */
inline line_up()
{
	if
	:: !is_kind[me] ->
		MAY_DIE; taken[me] = 1; use[me]++; cell[me] = 0; MAY_DIE; is_kind[me] = 1
	:: else
	fi;
	if
	:: own[me] != ASLEEP -> MAY_DIE; in_line[IS_RECEIVER(me)]++; MAY_DIE; own[me] = ASLEEP
	:: else
	fi
}

inline leave_line()
{
	MAY_DIE;
	if
	:: own[me] == ASLEEP && in_line[IS_RECEIVER(me)] != 0 -> in_line[IS_RECEIVER(me)]--
	:: else
	fi;
	MAY_DIE;
	own[me] = 0
}

/* mdg__wait_done [atomic] */
inline done()
{
	if
	:: is_kind[me] ->
		leave_line();
		MAY_DIE; is_kind[me] = 0; MAY_DIE; cell[me] = 0; MAY_DIE; taken[me] = 0
	:: else
	fi
}

/* mdg__wait_once. `late`: the sleep was the last. */
inline wait_once()
{
	atomic {
		line_up();
#ifndef BUG_PENDING
		outer = 1; pending = 1
#endif
	}
	give_lock();
	atomic { MAY_DIE; if :: own[me] == ASLEEP -> on_own = on_own | ME :: else fi }
end_asleep:
	if
	:: atomic { ((on_own | on_lock) & ME) == 0 -> skip }
	:: atomic { !quiet && ((on_own | on_lock) & ME) != 0 ->
		on_own = on_own & ~ME; on_lock = on_lock & ~ME; late = 1 }
	:: DIE_ASLEEP
	fi;
	begin();
	atomic {
		outer = 0; pending = 0;
		if :: late -> leave_line() :: else fi
	}
}

/* The store that unlinks a message, and what follows from it. [atomic] */
inline unlink_message(c, before)
{
	MAY_DIE;
	assert(linked[c] && !received[c]);
	received[c] = 1; handed[me] = 0;
	if :: before == 0 -> first = next[c] :: else -> next[before] = next[c] fi;
	MAY_DIE;
	if :: next[c] == 0 -> last = before :: else fi
}

/* ---- the threads ----------------------------------------------------------------------------- */

#define LOCALS                                                                                     \
	bool pending, listed, outer, expects, had, ok, late;                                       \
	byte seen, sleepers, called, calls, i, c, before

/* What the kernel does for a thread that was killed. Its records and the lock are in one list. */
inline die()
{
	atomic {
		on_own = on_own & ~ME; on_lock = on_lock & ~ME;
		seen = 0; sleepers = 0; called = 0; i = 0; c = 0; before = 0;
		expects = 0; had = 0; ok = 0; late = 0; outer = 0; calls = 0
	}
	if
	:: atomic { taken[me] = 0; died[me] = 1 }
	:: skip
	fi;
	if
	:: listed && !pending -> futex_death(word, on_lock, 0, seen)
	:: else
	fi;
	atomic { taken[me] = 0; died[me] = 1 }
	if
	:: pending -> futex_death(word, on_lock, 1, seen)
	:: else
	fi;
	atomic { pending = 0; listed = 0 }
}

proctype Receiver(byte me)
{
	LOCALS;

rest:	if
	:: goto end
	:: calls < CALLS -> calls++
	fi;
	begin();
look:	atomic {
		c = first; before = 0;
		do
		:: c != 0 && SKIPPED(c) -> before = c; c = next[c]
		:: else -> break
		od
	}
	if
	:: c != 0 -> goto take
	:: c == 0
	fi;
	atomic {
		for (i : 1 .. M) { assert(!linked[i] || received[i] || COUNTS(i)) }
		i = 0; c = 0; before = 0
	}
	wait_once();
	/* after_sleep */
#ifdef BUG_LATE_LEAVER
	if :: late -> goto leave :: !late fi;
#endif
	atomic {
		c = first; before = 0;
		do
		:: c != 0 && !(c == cell[me] && claim[c] == CLAIM_OF(me)) -> before = c; c = next[c]
		:: else -> break
		od
	}
	if
	:: atomic { c == 0 -> assert(!handed[me]); if :: late -> goto leave :: else -> goto look fi }
	:: atomic { c != 0 ->
		unlink_message(c, before);
		MAY_DIE; claims--; MAY_DIE; is_free[c] = 1; goto leave }
	fi;

take:	atomic { if :: claim[c] != 0 -> drop_claim(c) :: else fi };
	/* mdg__call_senders */
#ifndef BUG_LATE
	do
	:: in_line[0] != 0 && qnum - 1 < ROOM ->
		any_in_line(false);
		if :: i < N -> call(i, CALLED) :: else -> in_line[0] = 0; break fi
	:: else -> break
	od;
#endif
	atomic { unlink_message(c, before); MAY_DIE; qnum--; MAY_DIE; is_free[c] = 1 }
leave:	atomic { late = 0; i = 0; ok = 0; c = 0; before = 0; done() }
	give_lock();
	goto rest;

dead:	die();
end:	skip
}

proctype Sender(byte me)
{
	LOCALS;

rest:	if
	:: goto end
	:: calls < CALLS -> calls++
	fi;
	begin();
	do
	:: qnum < ROOM -> break
	:: qnum >= ROOM ->
		wait_once();
		if :: late -> goto leave :: !late fi
	od;
	/* send_now; a message has the number of its call, and a cell of its own */
	atomic {
		done();
		MAY_DIE;
		c = (me - RECEIVERS) * CALLS + calls;
		is_free[c] = 0; next[c] = 0; claim[c] = 0
	}
	i = N;
#ifndef BUG_LATE
	do
	:: in_line[1] != 0 ->
		any_in_line(true);
		if
		:: i < N -> call(i, CALLED); if :: ok -> break :: else fi
		:: else -> in_line[1] = 0; break
		fi
	:: else -> i = N; break
	od;
#endif
	atomic {
		MAY_DIE;
		linked[c] = 1; /* the store that counts */
		if :: first == 0 -> first = c :: else -> assert(next[last] == 0); next[last] = c fi
	}
#ifdef BUG_LATE
	any_in_line(true);
	if :: i < N -> call(i, CALLED); if :: ok :: else -> i = N fi :: else fi;
#endif
	atomic {
		MAY_DIE;
		last = c;
		MAY_DIE;
		qnum++;
		if
		:: i < N ->
			MAY_DIE; cell[i] = c;
			MAY_DIE; claim[c] = CLAIM_OF(i); handed[i] = taken[i];
			MAY_DIE; claims++;
			MAY_DIE; qnum--
		:: else
		fi
	}
leave:	atomic { late = 0; i = 0; ok = 0; c = 0; done() }
	give_lock();
	goto rest;

dead:	die();
end:	skip
}

init {
	byte c, room;
	atomic {
		for (c : 1 .. M) { is_free[c] = 1 }
		for (c : 0 .. RECEIVERS - 1) { run Receiver(c) }
		for (c : RECEIVERS .. N - 1) { run Sender(c) }
	}
	quiet = 1;
	/* Nobody can go on: they have ended, or sleep. */
end:	timeout ->
	atomic {
		assert(on_lock == 0);
		c = first; room = ROOM;
		do
		:: c != 0 ->
			assert(linked[c] && !received[c]);
			linked[c] = 0;
			if :: room > 0 -> room-- :: else fi;
			/* nobody's */
			assert(claim[c] != 0 || (on_own & ((1 << RECEIVERS) - 1)) == 0);
			if
			:: claim[c] != 0 -> assert(COUNTS(c) || died[CLAIMANT(c)])
			:: else
			fi;
			c = next[c]
		:: else -> break
		od;
		for (c : 1 .. M) { assert(linked[c] == received[c]) }
		assert(room == 0 || (on_own >> RECEIVERS) == 0)
	}
}
