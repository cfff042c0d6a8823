/* SPDX-License-Identifier: MIT */
/*
 * rwlock.pml - rwlock_*.c over owned.c: N threads that read, write (MAY_READ, MAY_WRITE: which of
 * them, a bit each), give up at a deadline, or are killed, again and again; S slots. A reader that
 * has to begin anew may as well do something else.
 *
 * Asserted: a writer inside is alone; a reader inside has no writer beside it; who gets in to write
 * is told of a death if and only if a writer has died inside (not while it waited for readers) and
 * nobody has been told; readers that get in find nothing untold, and DATA: the data good. That a
 * waiting writer gets in when the readers in front of it leave, whatever new ones come, is the
 * absence of lost wake-ups: all others may end, and do not come in before it.
 *
 * A reader leaves its slot by a plain store, which the processor may let others see only after the
 * look that follows it. A writer may look again without being woken, but here only after that, or
 * after the death of a reader that had emptied a marked slot and left it to another reader.
 *
 * Left out: spinning, notes, and the sleep of those who find every slot taken, which looks
 * again by itself every 20 ms (they mark the slot, and begin anew).
 *
 * holds: -DN=2 -DDATA
 * holds: -DN=3 -DMAY_READ=3 -DMAY_WRITE=4 -DDEATHS=1 -DIN_ORDER
 * holds: long -DN=3 -DMAY_READ=3 -DMAY_WRITE=4 -DDEATHS=1
 * holds: -DN=3 -DMAY_READ=1 -DMAY_WRITE=6 -DDEATHS=0
 * holds: long -DN=3 -DMAY_READ=1 -DMAY_WRITE=6 -DDEATHS=1
 * fails: -DN=3 -DMAY_READ=3 -DMAY_WRITE=4 -DDEATHS=1 -DBUG_SLOT
 * fails: -DN=2 -DBUG_CLOSED
 * fails: -DN=3 -DMAY_READ=3 -DMAY_WRITE=4 -DDEATHS=1 -DBUG_OTHERS
 * fails: -DN=2 -DBUG_DRAINING
 * fails: -DN=2 -DBUG_PENDING
 * fails: -DN=2 -DBUG_AFTER
 * fails: -DN=2 -DBUG_AGAIN
 *
 * IN_ORDER: without the processor's freedom at the plain store. BUG_SLOT: a marked slot is emptied, and its mark dropped, before the writer is woken (as
 * it once was). BUG_CLOSED: a reader does not look at the writer's word after it has its
 * slot. BUG_OTHERS: a reader that was woken wakes nobody. BUG_DRAINING: a writer says
 * that it is inside before the readers are out. BUG_PENDING: a reader's pending is not set
 * while it leaves. BUG_AFTER: a reader does not look at the writer's word after its plain
 * store. BUG_AGAIN: a writer does not look again by itself.
 */
#include "kernel.pml"
#ifndef S
#define S 1
#endif

byte word;               /* the writer's */
byte takers, readers;    /* asleep on it */
byte slot[S], asleep[S];
bool inside;
bool unwoken;            /* a marked slot was emptied, and nobody will be woken for it */
#ifdef DATA
byte used;
byte state;
bool bad;
#define UNREPAIRED 1
#define BROKEN 2
#else
#define used 3
#define state 0
#define bad 0
#endif

byte reading;            /* who is in, to read */
bool writing, untold;

#define NOBODY  0
#define WRITER  1
#define SLOT    2        /* and the slot's number */

/* FUTEX_WAKE of one on the writer's word, of either kind */
inline wake_any(woken)
{
	if
	:: readers == 0 -> wake_one(takers, woken)
	:: readers != 0 -> wake_one(readers, woken)
	:: readers != 0 && takers != 0 -> wake_one(takers, woken)
	fi
}

/* handle_futex_death() of the writer's word */
inline writer_death(is_pending)
{
	atomic {
		seen = word;
		if
		:: (seen & TID) == ID -> word = (seen & WAITERS) | DIED; seen = seen & WAITERS
		:: (seen & TID) == 0 && is_pending -> seen = WAITERS
		:: else -> seen = 0
		fi
	}
	atomic { if :: seen != 0 -> wake_any(seen); seen = 0 :: else fi }
}

/* futex_death() of the pending slot. Another reader may be in it, and wakes nobody. */
inline slot_death(slot_word, queue)
{
	atomic {
		seen = slot_word;
		if
		:: (seen & TID) == ID -> slot_word = (seen & WAITERS) | DIED; seen = seen & WAITERS
		:: (seen & TID) == 0 -> seen = WAITERS
		:: else -> seen = 0; unwoken = unwoken || owes
		fi
	}
	atomic { if :: seen != 0 -> wake_one(queue, seen); seen = 0 :: else fi }
}

#ifndef MAY_WRITE
#define MAY_WRITE 7
#define MAY_READ  7
#endif

#if S > 1
#define AT at
#else
#define AT 0
#endif

proctype Thread(byte me)
{
	byte pending, listed;    /* NOBODY, WRITER, SLOT + n */
	byte at, seen, sleepers;
	bool late, woken;
	bool owes;               /* has emptied a marked slot, and wakes nobody yet */

rest:	if
	:: goto end
#if S > 1
	:: atomic { (MAY_READ & ME) != 0 -> at = me % S; goto enter }
#else
	:: (MAY_READ & ME) != 0 -> goto enter
#endif /* the fast path */
	:: (MAY_READ & ME) != 0 -> goto read
	:: (MAY_WRITE & ME) != 0 -> goto write
	fi;

	/* ---- enter, into the slot `at` that held `seen` */
enter:	atomic {
		pending = SLOT + AT;
		MAY_DIE;
		if
#ifdef BUG_SLOT
		:: slot[AT] == seen -> slot[AT] = ID
#else
		:: slot[AT] == seen -> slot[AT] = ID | (seen != 0 -> WAITERS : 0)
#endif
		:: else -> goto over
		fi;
		seen = 0
	}
#ifdef DATA
	atomic { MAY_DIE; used = used | (1 << AT) } /* slot_show */
#endif
#ifndef BUG_CLOSED
	atomic { MAY_DIE; if :: (word & ~WAITERS) != 0 -> goto leave :: else fi } /* closed */
	atomic { MAY_DIE; if :: state != 0 || inside -> goto leave :: else fi }
#endif
	atomic {
		MAY_DIE;
		listed = SLOT + AT;
		MAY_DIE;
		pending = NOBODY;
		reading = reading | ME;
		assert(!writing && !untold && !bad)
	}
	atomic {
		reading = reading & ~ME;
		MAY_DIE;
#ifndef BUG_PENDING
		pending = SLOT + AT;
#endif
		MAY_DIE;
		listed = NOBODY
	}
	/* mdg__slot_is_wanted */
	atomic { MAY_DIE; if :: word != 0 -> goto leave :: else fi }
	atomic { MAY_DIE; if :: slot[AT] != ID -> goto leave :: else fi }
	/* mdg__slot_empty. The processor may look at the word before others see the store. */
	if
	:: atomic { MAY_DIE; owes = (slot[AT] != ID); slot[AT] = 0 }
#ifdef BUG_AFTER
		atomic { owes = 0; goto over }
#endif
		atomic { MAY_DIE; if :: word == 0 -> goto over :: else -> goto woken_slot fi }
#ifndef IN_ORDER
	:: atomic { MAY_DIE; if :: word != 0 -> seen = 1 :: else fi }
		atomic {
		MAY_DIE;
		if
		:: seen -> owes = (slot[AT] != ID)
		:: !seen && slot[AT] != ID -> unwoken = 1
		:: else
		fi;
		slot[AT] = 0;
		if :: seen -> seen = 0; goto woken_slot :: else -> goto over fi
		}
#endif
	fi;
woken_slot:
	atomic { MAY_DIE; wake_one(asleep[AT], seen); goto over }

leave:	atomic { /* mdg__slot_give */
		MAY_DIE;
		if :: slot[AT] == ID -> slot[AT] = 0; goto over :: else fi
	}
#ifdef BUG_SLOT
	atomic { MAY_DIE; slot[AT] = 0 }
#else
	atomic { MAY_DIE; if :: slot[AT] == (ID | WAITERS) -> skip :: else -> goto marked fi }
	atomic { MAY_DIE; wake_one(asleep[AT], seen); if :: seen -> seen = 0; goto marked :: else fi }
	atomic {
		MAY_DIE;
		if :: slot[AT] == (ID | WAITERS) -> slot[AT] = 0; goto over :: else fi
	}
marked:	atomic { MAY_DIE; slot[AT] = WAITERS }
#endif
	atomic { MAY_DIE; wake_one(asleep[AT], seen); goto over }

	/* ---- read_step */
read:	atomic {
		MAY_DIE;
		if
		:: (word & TID) != 0 -> goto await_writer
		:: (word & TID) == 0 && (word & DIED) != 0 -> goto take_over
		:: else
		fi
	}
	atomic {
		MAY_DIE;
		if
#ifdef DATA
		:: state == BROKEN -> goto over
#endif
		:: state < 2 && (state != 0 || inside) -> goto take_over
		:: else
		fi
	}
	/* enter_any, in any order */
	if
	:: atomic { (slot[0] & TID) == 0 -> at = 0; seen = slot[0]; goto enter }
	:: atomic { (slot[0] & TID) != 0 -> MAY_DIE; slot[0] = slot[0] | WAITERS; goto over }
#if S > 1
	:: atomic { (slot[1] & TID) == 0 -> at = 1; seen = slot[1]; goto enter }
#endif
	fi; /* mdg__slot_await looks again after a while, if nobody wakes it */

await_writer:
	atomic { if :: goto over /* at a deadline */ :: skip fi; pending = WRITER }
sleep:	atomic { /* sleep_while_owned */
		MAY_DIE;
		seen = word;
		if :: (seen & TID) == 0 -> seen = 0; goto rise :: else fi
	}
	atomic {
		MAY_DIE;
		if
		:: word == seen -> seen = seen | WAITERS | CAME; word = seen
		:: else -> seen = 0; goto sleep
		fi
	}
	atomic {
		MAY_DIE;
		if
		:: word == seen -> readers = readers | ME; seen = 0
		:: else -> seen = 0; goto sleep
		fi
	}
	if
	:: atomic { (readers & ME) == 0 -> woken = 1; goto sleep }
	:: atomic { !quiet && (readers & ME) != 0 -> readers = readers & ~ME; goto over }
	:: DIE_ASLEEP
	fi;
rise:
#ifdef BUG_OTHERS
	goto over;
#endif
	atomic { if :: woken -> MAY_DIE; readers = 0 :: else -> goto over fi }
	atomic { MAY_DIE; wake_one(takers, seen); goto over }

take_over:
	atomic { MAY_DIE; pending = WRITER }
	do
	:: atomic { MAY_DIE; seen = word; if :: (seen & TID) != 0 -> goto over :: else fi }
		atomic {
		MAY_DIE;
		if :: word == seen -> word = ID | (seen != 0 -> WAITERS : 0); break :: else -> seen = 0 fi
		}
	od;
	atomic { seen = 0; MAY_DIE; listed = WRITER; MAY_DIE; pending = NOBODY }
	atomic { MAY_DIE; if :: state != 0 || inside -> goto go_in :: else -> goto give fi }

	/* ---- the writer: mdg__owned_take */
write:	atomic {
		if :: late = 1 :: skip fi;
		pending = WRITER;
		MAY_DIE
	}
look:	atomic {
		MAY_DIE;
		seen = word;
		if
		:: (seen & TID) == 0 -> goto take
		:: (seen & TID) != 0 && late -> goto over
		:: else -> sleepers = WAITERS
		fi
	}
	atomic {
		MAY_DIE;
		if
		:: word == seen -> seen = seen | WAITERS | CAME; word = seen
		:: else -> seen = 0; goto look
		fi
	}
	atomic {
		MAY_DIE;
		if
		:: word == seen -> takers = takers | ME; seen = 0
		:: else -> seen = 0; goto look
		fi
	}
	if
	:: atomic { (takers & ME) == 0 -> goto look }
	:: atomic { !quiet && (takers & ME) != 0 -> takers = takers & ~ME; late = 1; goto look }
	:: DIE_ASLEEP
	fi;
take:	atomic {
		MAY_DIE;
		if
		:: word == seen -> word = ID | (seen != 0 -> WAITERS : sleepers); seen = 0; sleepers = 0; late = 0
		:: else -> seen = 0; goto look
		fi
	}
	atomic { MAY_DIE; listed = WRITER; MAY_DIE; pending = NOBODY }

go_in:
#ifdef DATA
	atomic { MAY_DIE; if :: state == BROKEN -> goto give :: else fi }
#endif
#ifdef BUG_DRAINING
	inside = 1;
#endif
	do /* mdg__rwlock_drain; every bit that is set later belongs to a reader that sees the word */
	:: atomic {
		MAY_DIE;
		if :: (used & (1 << AT)) == 0 -> goto next :: else -> seen = slot[AT]; unwoken = 0 fi;
		if
		:: seen == 0 -> goto next
		:: seen != 0 && (seen & TID) == 0 -> goto clear
		:: (seen & TID) != 0 -> goto give /* at a deadline */
		:: (seen & TID) != 0
		fi
		}
		atomic {
		MAY_DIE;
		if
#ifdef BUG_SLOT
		:: slot[AT] == seen -> seen = seen | WAITERS; slot[AT] = seen
#else
		:: slot[AT] == seen -> seen = seen | WAITERS | CAME; slot[AT] = seen
#endif
		:: else -> goto again
		fi
		}
		atomic {
		MAY_DIE;
		if :: slot[AT] == seen -> asleep[AT] = asleep[AT] | ME; seen = 0 :: else -> goto again fi
		}
		if
		:: (asleep[AT] & ME) == 0
		:: atomic { !quiet && (asleep[AT] & ME) != 0 -> asleep[AT] = asleep[AT] & ~ME; goto give }
#ifndef BUG_AGAIN
		:: atomic { unwoken && (asleep[AT] & ME) != 0 -> asleep[AT] = asleep[AT] & ~ME }
#endif
		:: DIE_ASLEEP
		fi;
		goto again;
clear:		atomic { MAY_DIE; if :: slot[AT] == seen -> slot[AT] = 0 :: else fi; goto again }
next:		atomic { if :: AT == S - 1 -> break :: else -> at++; goto again fi }
again:		seen = 0
	od;
	atomic {
		seen = 0; at = 0;
		MAY_DIE;
		if :: inside || state != 0 -> seen = 1 :: else fi;
#ifdef DATA
		if :: seen -> state = UNREPAIRED :: else fi
#endif
	}
	atomic { MAY_DIE; inside = 1 }
	atomic { /* told */
		MAY_DIE;
		assert(reading == 0 && !writing && (word & TID) == ID);
		writing = 1;
		if
#ifdef DATA
		:: seen -> assert(untold); untold = 0; bad = 1
#else
		:: seen -> assert(untold); untold = 0
#endif
		:: else -> assert(!untold && !bad)
		fi;
		seen = 0
	}
	/* mdg_rwlock_set_repaired or not, write_end */
#ifdef DATA
	if
	:: atomic { state != 0 -> MAY_DIE; bad = 0; MAY_DIE; state = 0 }
	:: atomic { state != 0 -> MAY_DIE; state = BROKEN }
	:: state == 0
	fi;
#endif
	atomic { writing = 0; MAY_DIE; assert(reading == 0); inside = 0 }

give:	atomic { /* mdg__robust_give, mdg__robust_wake */
		at = 0; seen = 0;
		MAY_DIE;
		pending = WRITER;
		MAY_DIE;
		listed = NOBODY;
		MAY_DIE;
		if :: word == ID -> word = 0; goto over :: else fi
	}
wake:	atomic { MAY_DIE; word = WAITERS }
	atomic { MAY_DIE; wake_any(seen); if :: seen -> seen = 0; goto over :: else fi };
	atomic { MAY_DIE; if :: word == WAITERS -> word = ID | WAITERS :: else -> goto over fi }
	atomic { MAY_DIE; wake_any(seen); if :: seen -> seen = 0; goto wake :: else fi };
	atomic { MAY_DIE; if :: word == (ID | WAITERS) -> word = 0 :: else -> goto wake fi }
over:	atomic {
		MAY_DIE;
		pending = NOBODY; at = 0; seen = 0; sleepers = 0; late = 0; woken = 0; owes = 0;
		goto rest
	}

dead:	atomic {
		takers = takers & ~ME; readers = readers & ~ME; reading = reading & ~ME;
		asleep[AT] = asleep[AT] & ~ME;
		if :: (word & TID) == ID && inside -> untold = 1; writing = 0 :: else fi;
		seen = 0; sleepers = 0; late = 0; woken = 0; at = 0
	}
	if
	:: listed == pending
	:: listed == WRITER && pending != WRITER -> writer_death(0)
	:: listed >= SLOT && pending != listed ->
		futex_death(slot[listed - SLOT], asleep[listed - SLOT], 0, seen)
	:: else
	fi;
	if
	:: pending == WRITER -> writer_death(1)
	:: pending >= SLOT ->
		slot_death(slot[pending - SLOT], asleep[pending - SLOT])
	:: else
	fi;
	atomic {
		owes = 0; seen = 0;
		pending = NOBODY; listed = NOBODY;
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
