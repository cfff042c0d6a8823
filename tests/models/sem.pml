/* SPDX-License-Identifier: MIT */
/*
 * sem.pml - gate.h and sem.c: N threads that post one or two units, take one, give up at a
 * deadline, or are killed, again and again.
 *
 * The word is (value, gate), and both change in one step. A loop that tries to change the word, and
 * has no effect until it succeeds, is one step. The count of sleepers is exact until a thread is
 * killed while it is counted. From then on the count is never that of a single sleeper (too_many).
 *
 * Asserted, when nobody can go on: nobody is asleep while there are units. At any time: while there
 * are units, the gate is clear (1 in gate.h).
 *
 * holds: -DN=3 depth=2000000
 * fails: -DN=3 -DBUG_PENDING
 * fails: -DN=3 -DBUG_SETTLE
 * fails: -DN=2 -DBUG_ORDER
 * fails: -DN=3 -DBUG_COUNT
 *
 * BUG_PENDING: a waiter's death passes nothing on. BUG_SETTLE: who was woken leaves
 * without a look at the others. BUG_ORDER: a post wakes, and then clears the gate.
 * BUG_COUNT: a sleeper counts itself after its first sleep.
 */
#include "kernel.pml"

#define MOST 2

byte value;
bool gate;
byte sleepers, asleep;
bool too_many;

#define LOOK seen_value = value; seen_gate = gate

proctype Thread(byte me)
{
	bool pending, counted, slept, late, seen_gate;
	byte seen_value, n;

rest:	if
	:: goto end
	:: n = 1; goto post
	:: n = 2; goto post
	:: atomic { value > 0 -> value--; goto rest } /* the same as trywait */
	:: value == 0
	fi;

	atomic {
		MAY_DIE;
#ifndef BUG_PENDING
		pending = 1;
#endif
		MAY_DIE;
#ifndef BUG_COUNT
		sleepers++; counted = 1
#endif
	}
try:	atomic { /* take_sleeping */
		MAY_DIE;
		if
		:: value > 0 -> assert(!gate); value--; goto settle
		:: value == 0 && late -> goto settle
		:: else -> LOOK
		fi
	}
	if
	:: seen_gate
	:: atomic {
		!seen_gate -> MAY_DIE;
		if :: value == 0 && !gate -> gate = 1 :: else -> goto again fi
		}
	fi;
	atomic {
		MAY_DIE;
		slept = 1;
		if :: gate -> asleep = asleep | ME :: else -> goto again fi
	}
end_asleep:
	if
	:: (asleep & ME) == 0
	:: atomic { !quiet && (asleep & ME) != 0 -> asleep = asleep & ~ME; late = 1 }
	:: DIE_ASLEEP
	fi;
#ifdef BUG_COUNT
	atomic { if :: !counted -> sleepers++; counted = 1 :: else fi };
#endif
again:	atomic { seen_value = 0; seen_gate = 0; goto try }

settle:	atomic {
		MAY_DIE;
		if :: slept -> LOOK :: else -> goto leave fi
	}
#ifdef BUG_SETTLE
	goto leave;
#endif
	do
	:: atomic {
		MAY_DIE;
		if :: !seen_gate && (sleepers != 1 || too_many) -> skip :: else -> goto leave fi
		}
		if
		:: atomic { seen_value > 0 -> MAY_DIE; wake_one(asleep, n); goto leave }
		:: atomic {
			seen_value == 0 -> MAY_DIE;
			if :: value == 0 && !gate -> gate = 1; goto leave :: else -> LOOK fi
			}
		fi
	od;
leave:	atomic {
		seen_value = 0; seen_gate = 0; slept = 0; late = 0; n = 0;
		MAY_DIE;
		if :: counted -> sleepers--; counted = 0 :: else fi
	}
	atomic { MAY_DIE; pending = 0; goto rest }

post:	if
	:: atomic { value + n > MOST -> n = 0; goto rest }
	:: atomic { value + n <= MOST && !gate -> value = value + n; n = 0; goto rest }
	:: atomic { value + n <= MOST && gate -> pending = 1 }
	fi;
	atomic {
		MAY_DIE;
		if
		:: !gate || value + n > MOST -> pending = 0; goto post
#ifdef BUG_ORDER
		:: else -> value = value + n
#else
		:: else -> value = value + n; gate = 0
#endif
		fi
	}
	atomic { MAY_DIE; if :: n == 2 -> wake_one(asleep, n) :: else fi; wake_one(asleep, n) };
#ifdef BUG_ORDER
	gate = 0;
#endif
	atomic { MAY_DIE; n = 0; pending = 0; goto rest }

dead:	atomic {
		asleep = asleep & ~ME; seen_value = 0; seen_gate = 0; slept = 0; late = 0; n = 0;
		if :: counted -> sleepers--; too_many = 1; counted = 0 :: else fi
	}
	atomic {
		if :: pending -> wake_one(asleep, n) :: else fi;
		n = 0; pending = 0;
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
#if N > 3
		run Thread(3);
#endif
	}
	quiet = 1;
end:	timeout -> assert(asleep == 0 || value == 0)
}
