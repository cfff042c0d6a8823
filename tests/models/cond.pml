/* SPDX-License-Identifier: MIT */
/*
 * cond.pml - cond.c: N threads that wait, give up at a deadline, signal, or are killed, again and
 * again.
 *
 * The mutex is not needed to state what must hold: a thread that has noted the number before a
 * signal begins must not sleep on when that signal has returned. Asserted: it does not sleep then,
 * and does not fall asleep later in this wait. (A signal wakes all sleepers, and each looks for
 * itself. So the death of one of them takes nothing away from the others.)
 *
 * The model asks only whether the number has changed. So each thread has a bit that says whether
 * the number still is the one that it has noted. A number is taken never to come back; in the code
 * it is counted modulo 2^30.
 *
 * holds: -DN=3
 * fails: -DN=2 -DBUG_NOTE
 * fails: -DN=3 -DBUG_WAKING
 * fails: -DN=3 -DBUG_ONE
 * fails: -DN=3 -DBUG_DONE
 *
 * BUG_NOTE: who waits notes the number, and sets SLEEPING only before it sleeps.
 * BUG_WAKING: there is no WAKING. BUG_ONE: a signal wakes one. BUG_DONE: WAKING is taken
 * away though another has set it anew.
 */
#include "kernel.pml"

bool sleeping, waking;
byte same;             /* a bit each: the number is the one that the thread has noted */
byte asleep;
byte target[N];        /* whom the signal that is under way must wake */
byte owed;             /* whom one that has returned must have woken */

inline number_changes() { same = 0 }

inline wait_ends()
{
	target[0] = target[0] & ~ME;
	target[1] = target[1] & ~ME;
#if N > 2
	target[2] = target[2] & ~ME;
#endif
	waits = waits & ~ME; owed = owed & ~ME; same = same & ~ME
}

byte waits;            /* have noted the number, and wait */

proctype Thread(byte me)
{
	bool seen_sleeping, seen_waking;
	byte ignored;

rest:	if
	:: goto end
	:: goto signal
	:: skip
	fi;

	/* mdg_cond_wait */
	atomic {
		MAY_DIE;
		same = same | ME; waits = waits | ME;
#ifndef BUG_NOTE
		sleeping = 1
#endif
	}
again:	atomic { /* sleep_until */
		MAY_DIE;
		if
		:: (same & ME) == 0 -> wait_ends(); goto rest
		:: else -> seen_sleeping = sleeping; seen_waking = waking
		fi
	}
	if
	:: atomic {
		!seen_sleeping -> MAY_DIE;
		if
		:: (same & ME) != 0 && sleeping == seen_sleeping && waking == seen_waking -> sleeping = 1
		:: else -> goto again
		fi
		}
	:: seen_sleeping
	fi;
	atomic {
		MAY_DIE;
		if
		:: (same & ME) != 0 && sleeping && waking == seen_waking ->
			assert((owed & ME) == 0);
			asleep = asleep | ME
		:: else -> goto again
		fi
	}
end_asleep:
	if
	:: atomic { (asleep & ME) == 0 -> goto again }
	:: atomic { !quiet && (asleep & ME) != 0 -> asleep = asleep & ~ME; wait_ends(); goto rest }
	:: DIE_ASLEEP
	fi;

signal:	atomic { /* mdg_cond_broadcast */
		target[me] = waits;
		if :: sleeping || waking -> skip :: else -> goto done fi
	}
	atomic { /* wake_all: the loop until it has changed, or need not */
		MAY_DIE;
		if
		:: sleeping || waking ->
			number_changes();
			sleeping = 0;
#ifndef BUG_WAKING
			waking = 1;
#endif
			same = same | ME
		:: else -> goto done
		fi
	}
	atomic {
		MAY_DIE;
#ifdef BUG_ONE
		wake_one(asleep, ignored); ignored = 0
#else
		asleep = 0
#endif
	}
	atomic {
		MAY_DIE;
#ifdef BUG_DONE
		waking = 0;
#else
		if :: waking && (same & ME) != 0 -> waking = 0 :: else fi;
#endif
		same = same & ~ME
	}
done:	atomic {
		assert((asleep & target[me]) == 0);
		owed = owed | target[me];
		target[me] = 0;
		goto rest
	}

dead:	atomic {
		asleep = asleep & ~ME; target[me] = 0;
		wait_ends();
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
	quiet = 1
}
