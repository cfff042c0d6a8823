/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - owned.h, owned.c and mutex.c: one word, N threads that lock, try, give up at a
 * deadline, unlock, are killed, or end with the lock held, again and again.
 *
 * Asserted: who is inside has its id in the word, so it is alone; who gets it is told of a
 * death if and only if an owner has died and nobody has been told; DATA: who is told nothing
 * finds the data good: they were never left bad, or have been repaired.
 *
 * The end of a thread is the kernel's, or that of musl's pthread_exit, which marks the words
 * itself and drops WAITERS. (Killed between that mark and its wake-up, musl's wakes nobody; this
 * is not modelled.)
 *
 * Left out: spinning, notes, and what is refused before anything is stored.
 *
 * holds: -DN=2 -DDATA
 * holds: -DN=3 depth=3000000
 * fails: -DN=3 -DBUG_CLEAR depth=3000000
 * fails: -DN=3 -DBUG_DROP
 * fails: -DN=3 -DBUG_DIED
 * fails: -DN=2 -DBUG_PENDING
 * fails: -DN=2 -DDATA -DBUG_STATE
 *
 * BUG_CLEAR: a release that woke nobody clears a free word, and not its own (as it once was).
 * BUG_DROP: who takes a marked word drops the mark. BUG_DIED: the mark of a death is taken
 * as it is (as it once was). BUG_PENDING: list_op_pending is not used when giving back.
 * BUG_STATE: who was told of a death and unlocks without repair leaves no note.
 */
#include "kernel.pml"

byte word, asleep;
bool untold;         /* an owner died, and nobody has been told */
#ifdef DATA
bool bad;            /* what the data are */
byte state;
#define UNREPAIRED 1
#define BROKEN 2
#endif

#ifdef BUG_DROP
#define TAKEN(seen) (ID | sleepers)
#elif defined(BUG_DIED)
#define TAKEN(seen) (ID | (seen & WAITERS) | sleepers)
#else
#define TAKEN(seen) (ID | (seen != 0 -> WAITERS : sleepers))
#endif

proctype Thread(byte me)
{
	bool pending, listed, late;
	byte seen, sleepers;

rest:	if
	:: goto end
	:: atomic { /* mdg__robust_take_free */
		pending = 1;
		MAY_DIE;
		if :: word == 0 -> word = ID; goto mine :: else fi;
		pending = 0
		}
	fi;

	/* mdg__owned_take_waiting */
	atomic {
		if :: late = 1 :: skip fi;
		pending = 1;
		MAY_DIE
	}
look:	atomic {
		MAY_DIE;
		seen = word;
		if
		:: (seen & TID) == 0 -> goto take
		:: (seen & TID) != 0 && late -> goto left
		:: else -> seen = 0; sleepers = WAITERS
		fi
	}
	atomic { /* sleep_on */
		MAY_DIE;
		seen = word;
		if
		:: (seen & TID) == 0 -> seen = 0; goto look
		:: (seen & TID) != 0 && (seen & (WAITERS | CAME)) == (WAITERS | CAME) -> goto wait
		:: else
		fi
	}
	atomic {
		MAY_DIE;
		if
		:: word == seen -> seen = seen | WAITERS | CAME; word = seen
		:: else -> seen = 0; goto look
		fi
	}
wait:	atomic {
		MAY_DIE;
		if
		:: word == seen -> asleep = asleep | ME; seen = 0
		:: else -> seen = 0; goto look
		fi
	}
	if
	:: atomic { (asleep & ME) == 0 -> goto look }
	:: atomic { !quiet && (asleep & ME) != 0 -> asleep = asleep & ~ME; late = 1; goto look }
	:: DIE_ASLEEP
	fi;

take:	atomic {
		MAY_DIE;
		if :: word == seen -> word = TAKEN(seen) :: else -> seen = 0; goto look fi
	}
mine:	atomic {
		sleepers = 0;
		late = 0;
		MAY_DIE;
		listed = 1;
		MAY_DIE;
		pending = 0;
		MAY_DIE;
		seen = seen & DIED
	}
#ifdef DATA
	/* told, of mutex.c */
	if
	:: atomic { state == BROKEN -> goto give }
	:: atomic { state != BROKEN && (seen != 0 || state != 0) ->
		state = UNREPAIRED; assert(untold); untold = 0; bad = 1 }
	:: atomic { state == 0 && seen == 0 -> assert(!untold && !bad) }
	fi;
	atomic { MAY_DIE; assert((word & TID) == ID) }
	if
	:: atomic { state != 0 -> MAY_DIE; bad = 0; MAY_DIE; state = 0 } /* repaired */
#ifdef BUG_STATE
	:: atomic { state != 0 -> MAY_DIE; state = 0 }
#else
	:: atomic { state != 0 -> MAY_DIE; state = BROKEN }
#endif
	:: state == 0
	fi;
#else
	atomic { if :: seen != 0 -> assert(untold); untold = 0 :: else -> assert(!untold) fi };
#endif

give:	atomic { /* mdg__robust_give */
		seen = 0;
		MAY_DIE;
		assert((word & TID) == ID);
		if :: skip :: goto exit fi;
#ifndef BUG_PENDING
		pending = 1;
#endif
		MAY_DIE;
		listed = 0;
		MAY_DIE;
		if :: word == ID -> word = 0; goto left :: else fi
	}
wake:	atomic { MAY_DIE; word = WAITERS } /* mdg__robust_wake */
	atomic { MAY_DIE; wake_one(asleep, seen); if :: seen -> goto left :: else fi };
#ifdef BUG_CLEAR
	atomic { MAY_DIE; if :: word == WAITERS -> word = 0 :: else fi; goto left }
#endif
	atomic { MAY_DIE; if :: word == WAITERS -> word = ID | WAITERS :: else -> goto left fi }
	atomic { MAY_DIE; wake_one(asleep, seen); if :: seen -> seen = 0; goto wake :: else fi };
	atomic { MAY_DIE; if :: word == (ID | WAITERS) -> word = 0 :: else -> goto wake fi }
left:	atomic {
		MAY_DIE;
		pending = 0; seen = 0; sleepers = 0; late = 0;
		goto rest
	}

exit:	/* musl's pthread_exit */
	atomic { listed = 0; untold = 1; seen = word & WAITERS; word = DIED }
	atomic { if :: seen -> wake_one(asleep, seen); seen = 0 :: else fi; goto rest }

dead:	atomic {
		asleep = asleep & ~ME; sleepers = 0; late = 0; seen = 0;
		if :: (word & TID) == ID -> untold = 1 :: else fi
	}
	if
	:: listed && !pending -> futex_death(word, asleep, 0, seen)
	:: else
	fi;
	if
	:: pending -> futex_death(word, asleep, 1, seen)
	:: else
	fi;
	atomic {
		pending = 0; listed = 0;
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
	quiet = 1
}
