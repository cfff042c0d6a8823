/* SPDX-License-Identifier: MIT */
/*
 * event.pml - gate.h and event.c: N threads that set, reset, wait, take (SETS, WAITS, TAKES: which
 * of them, a bit each; who sets also resets), give up at a deadline, or are killed, again and
 * again.
 *
 * The word is SET, WAKING, two gates, and the number of times that the event was set. All change in
 * one step. The model asks only whether that number has changed. So each thread has two bits:
 * whether the number is the one of when the thread came (since), and whether it is the one of when
 * the thread last looked (look). A number is taken never to come back; in the code it is counted
 * modulo 2^30. Everything else is as in sem.pml.
 *
 * Asserted, when nobody can go on: no thread that takes sleeps while the event is set. No thread
 * that waits sleeps while it is set, or if the thread was asleep when it was set.
 *
 * PULSE asserts more, and does not hold: no thread that waits sleeps if the event has been set
 * since it came. The counterexample: a thread has looked and has set the gate, but is not asleep
 * yet. Meanwhile the event is set and reset, and another thread sets the gate again. The first
 * thread then sleeps, because futex(2) compares the gate only.
 *
 * holds: -DN=2 -DSETS=1 -DWAITS=3 -DTAKES=3 -DDEATHS=2
 * holds: -DN=3 -DSETS=1 -DWAITS=6 -DTAKES=0 -DDEATHS=1
 * holds: -DN=3 -DSETS=1 -DWAITS=0 -DTAKES=6 -DDEATHS=2
 * holds: -DN=3 -DSETS=1 -DWAITS=2 -DTAKES=4 -DDEATHS=0
 * holds: long -DN=3 -DSETS=1 -DWAITS=2 -DTAKES=4 -DDEATHS=1
 * fails: -DN=3 -DSETS=1 -DWAITS=2 -DTAKES=4 -DDEATHS=1 -DBUG_PENDING
 * fails: -DN=3 -DSETS=1 -DWAITS=6 -DTAKES=0 -DDEATHS=1 -DBUG_WAKING
 * fails: -DN=3 -DSETS=1 -DWAITS=0 -DTAKES=6 -DDEATHS=1 -DBUG_SETTLE
 * fails: -DN=3 -DSETS=1 -DWAITS=6 -DTAKES=0 -DDEATHS=0 -DPULSE
 *
 * BUG_PENDING: a setter's death passes nothing on. BUG_WAKING: there is no WAKING. BUG_SETTLE:
 * who was woken leaves without a look at the others.
 */
#include "kernel.pml"

bool set, waking;
bool gate_wait, gate_take;
byte since, look;
byte asleep_wait, asleep_take;
byte count_wait, count_take;
bool more_wait, more_take;      /* one was killed while counted */

#define LOOK seen_set = set; seen_waking = waking; seen_wait = gate_wait; seen_take = gate_take; \
	look = look | ME
#define AS_SEEN (seen_set == set && seen_waking == waking && seen_wait == gate_wait && \
	seen_take == gate_take && (look & ME) != 0)

#define PASSES (set || (since & ME) == 0)

byte missed;                    /* were asleep to wait when it was set, and have not been woken */

inline set_it() { set = 1; since = 0; look = 0; missed = missed | asleep_wait }

inline wake_either(ignored)
{
	if
	:: asleep_take == 0 -> wake_one(asleep_wait, ignored)
	:: asleep_take != 0 -> wake_one(asleep_take, ignored)
	:: asleep_take != 0 && asleep_wait != 0 -> wake_one(asleep_wait, ignored)
	fi;
	ignored = 0
}

#define OTHERS_WAIT (more_wait || count_wait > (takes -> 0 : 1))
#define OTHERS_TAKE (more_take || count_take > (takes -> 1 : 0))

proctype Thread(byte me)
{
	bool takes, pending, counted, slept, notifier, late;
	bool seen_set, seen_waking, seen_wait, seen_take, others_wait, others_take;
	byte ignored;

rest:	if
	:: goto end
	:: (SETS & ME) != 0 -> goto setting
	:: atomic { (SETS & ME) != 0 -> set = 0; goto rest } /* reset, trytake */
	:: atomic { (TAKES & ME) != 0 && !set -> takes = 1 }
	:: atomic { (WAITS & ME) != 0 && !set -> since = since | ME }
	fi;

	atomic {
		MAY_DIE;
		pending = 1;
		MAY_DIE;
		counted = 1;
		if :: takes -> count_take++ :: else -> count_wait++ fi
	}
pass:	atomic { /* pass_sleeping */
		MAY_DIE;
		if
		:: takes && set -> set = 0; goto settle_at_last
		:: !takes && PASSES -> goto settle_at_last
		:: else -> LOOK
		fi;
		if
		:: late -> goto settle_at_last
		:: !late && notifier -> notifier = 0; goto settle
		:: else
		fi
	}
	if
	:: (takes && seen_take) || (!takes && seen_wait)
	:: atomic {
		!((takes && seen_take) || (!takes && seen_wait)) -> MAY_DIE;
		if :: AS_SEEN -> skip :: else -> goto again fi;
		if
		:: takes -> gate_take = 1; seen_take = 1
		:: else -> gate_wait = 1; seen_wait = 1
		fi
		}
	fi;
	atomic {
		MAY_DIE;
		slept = 1; notifier = 1;
		if
		:: gate_take == seen_take && gate_wait == seen_wait ->
			if
			:: takes -> asleep_take = asleep_take | ME
			:: else -> asleep_wait = asleep_wait | ME; missed = missed & ~ME
			fi;
			seen_waking = 0; seen_wait = 0; seen_take = 0; look = look & ~ME
		:: else -> goto again
		fi
	}
end_asleep:
	if
	:: ((asleep_take | asleep_wait) & ME) == 0
	:: atomic {
		!quiet && ((asleep_take | asleep_wait) & ME) != 0 ->
		asleep_take = asleep_take & ~ME; asleep_wait = asleep_wait & ~ME; late = 1
		}
	:: DIE_ASLEEP
	fi;
again:	atomic { missed = missed & ~ME; seen_set = 0; seen_waking = 0; seen_wait = 0; seen_take = 0; look = look & ~ME; goto pass }

settle_at_last:
	atomic {
		late = 1;       /* from here on: where to go after settle */
		since = since & ~ME;
		notifier = 0;
		MAY_DIE;
		if :: slept -> LOOK :: else -> goto leave fi
	}
settle:
#ifdef BUG_SETTLE
	goto settled;
#endif
	atomic { MAY_DIE; others_wait = OTHERS_WAIT }
	atomic { MAY_DIE; others_take = OTHERS_TAKE }
	if
	:: atomic { seen_waking && others_wait -> MAY_DIE; asleep_wait = 0 } /* wake_all */
		atomic { MAY_DIE; if :: waking && (look & ME) != 0 -> waking = 0 :: else fi }
		atomic { MAY_DIE; LOOK }
	:: else
	fi;
	do
	:: (!others_wait || seen_wait) && (!others_take || seen_take) -> break
	:: atomic {
		!((!others_wait || seen_wait) && (!others_take || seen_take)) -> MAY_DIE;
		if
		:: seen_set && others_take -> wake_one(asleep_take, ignored); ignored = 0; goto settled
		:: seen_set && !others_take -> goto settled
		:: !seen_set && AS_SEEN ->
			gate_wait = gate_wait | others_wait;
			gate_take = gate_take | others_take;
			goto settled
		:: else -> LOOK
		fi
		}
		atomic { MAY_DIE; others_wait = OTHERS_WAIT }
		atomic { MAY_DIE; others_take = OTHERS_TAKE }
	od;
settled:
	atomic {
		seen_set = 0; seen_waking = 0; seen_wait = 0; seen_take = 0; look = look & ~ME;
		others_wait = 0; others_take = 0;
		if :: late -> goto leave :: else -> goto pass fi
	}
leave:	atomic {
		slept = 0; late = 0; notifier = 0;
		MAY_DIE;
		counted = 0;
		if :: takes -> count_take-- :: else -> count_wait-- fi;
		takes = 0
	}
	atomic { MAY_DIE; pending = 0; goto rest }

setting:
	if
	:: atomic { !gate_wait && !gate_take -> if :: !set -> set_it() :: else fi; goto rest }
	:: atomic { gate_wait || gate_take ->
#ifndef BUG_PENDING
		pending = 1
#endif
		}
	fi;
	atomic { /* set_and_wake */
		MAY_DIE;
		if
		:: gate_wait || gate_take ->
			seen_wait = gate_wait; seen_take = gate_take;
			gate_wait = 0; gate_take = 0;
			set_it();
#ifndef BUG_WAKING
			waking = waking | seen_wait;
#endif
			look = look | ME
		:: else -> pending = 0; goto setting
		fi
	}
	if
	:: atomic { seen_wait -> MAY_DIE; asleep_wait = 0 }
		atomic { MAY_DIE; if :: waking && (look & ME) != 0 -> waking = 0 :: else fi }
	:: !seen_wait
	fi;
	if
	:: atomic { seen_take -> MAY_DIE; wake_one(asleep_take, ignored); ignored = 0 }
	:: !seen_take
	fi;
	atomic { MAY_DIE; seen_wait = 0; seen_take = 0; look = look & ~ME; pending = 0; goto rest }

dead:	atomic {
		asleep_take = asleep_take & ~ME; asleep_wait = asleep_wait & ~ME;
		since = since & ~ME; look = look & ~ME; missed = missed & ~ME;
		if
		:: counted && takes -> count_take--; more_take = 1
		:: counted && !takes -> count_wait--; more_wait = 1
		:: else
		fi;
		takes = 0; counted = 0; slept = 0; notifier = 0; late = 0;
		seen_set = 0; seen_waking = 0; seen_wait = 0; seen_take = 0; others_wait = 0; others_take = 0
	}
	atomic {
		if :: pending -> wake_either(ignored) :: else fi;
		pending = 0;
		goto AFTER_DEATH
	}
end:	skip
}

init {
	atomic {
		run Thread(0);
		run Thread(1);
#if N > 2
		run Thread(2);
#endif
	}
	quiet = 1;
end:	timeout -> assert(asleep_take == 0 || !set);
#ifdef PULSE
	assert((asleep_wait & ~since) == 0);
#endif
	assert(asleep_wait == 0 || !set && (asleep_wait & missed) == 0)
}
